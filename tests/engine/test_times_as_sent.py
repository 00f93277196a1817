"""Times as clients write them: cut off to the microsecond, never rounded into the next day."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.instants import read_instant
from laurels.engine.parsing import Table
from laurels.errors import InvalidInput

LAST = datetime(2026, 1, 31, 23, 59, 59, 999999, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T23:59:59.999999Z",
        "2026-01-31T23:59:59.9999994Z",
        "2026-01-31T23:59:59.9999995Z",
        "2026-01-31T23:59:59.9999999Z",  # .NET
        "2026-01-31T23:59:59.999999999Z",  # Java, Go
        "2026-01-31T23:59:59.999999999999999999999999Z",
        "2026-01-31t23:59:59.9999999z",
        "2026-01-31 23:59:59.999999999+00:00",
        "2026-02-01T05:29:59.999999999+05:30",
        "2026-01-31T15:59:59.9999999-0800",
        "2026-01-31T23:59:60Z",
        "2026-01-31T23:59:60.123456789Z",
        "2026-02-01T05:29:60+05:30",
        "2026-01-31T15:59:60-08:00",
    ],
)
def test_the_last_moment_of_a_day_stays_in_it(text: str) -> None:
    assert read_instant("at", text) == LAST


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "now",
            "2026-01-31",
            "2026-01-31T23:59:59",
            "2026-01-31T23:59Z",
            "20260131T235959Z",
            "2026-W05-6T23:59:59Z",
        ],
        *["2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T23:60:00Z", "2026-01-31T23:59:61Z"],
        *["2026-01-31T23:59:59.Z", "2026-01-31T23:59:59,5Z", "2026-01-31T23:59:59+24:00", "2026-01-31T23:59:59+05:75"],
        *["2026-01-31T23:59:59Z\n", " 2026-01-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-01-31T23:59:5٩Z"],
        *["2026-01-31T12:00:60Z", "2026-01-31T23:59:60+05:30", "9999-12-31T23:59:60-01:00"],
    ],
)
def test_what_is_no_time_of_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_instant("at", text)
    assert caught.value.field == "at"


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30)),  # noqa: DTZ001
    st.text("0123456789", max_size=12),
    st.integers(-23 * 60, 23 * 60),
)
def test_reading_a_time_never_moves_it_forward(instant: datetime, more: str, offset: int) -> None:
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    text = f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond:06}{more}{sign}{minutes // 60:02}:{minutes % 60:02}"

    assert read_instant("at", text) == instant.replace(tzinfo=UTC) - timedelta(minutes=offset)


def test_a_time_in_a_catalog_is_cut_off_too() -> None:
    table = Table(tomllib.loads("at = 2026-01-31T23:59:59.999999999Z"), "", [])

    assert table.instant("at") == LAST
