"""A day ends when clocks no longer come back to it, which matters where they go back over midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from laurels.engine.zones import Zones, day_of, end_of_day, first_instant, zone
from tests.engine.test_zones import SINCE_1970, ZONES
from tests.support import at, day

OVER_MIDNIGHT = [
    ("America/St_Johns", "2010-11-06", "2010-11-07T02:30", "2010-11-07T03:30"),
    ("Canada/Newfoundland", "2006-10-28", "2006-10-29T02:30", "2006-10-29T03:30"),
    ("America/Goose_Bay", "2010-11-06", "2010-11-07T03:00", "2010-11-07T04:00"),
    ("America/Moncton", "2006-10-28", "2006-10-29T03:00", "2006-10-29T04:00"),
    ("Antarctica/Casey", "2010-03-04", "2010-03-04T13:00", "2010-03-04T16:00"),
]


@pytest.mark.parametrize(("name", "on", "first", "last"), OVER_MIDNIGHT)
def test_a_day_that_comes_back_ends_at_its_second_midnight(name: str, on: str, first: str, last: str) -> None:
    assert first_instant(day(on) + 1, name) == at(first)
    assert end_of_day(day(on), name) == at(last)
    assert day_of(at(last) - timedelta(microseconds=1), name) == day(on)


@pytest.mark.parametrize(("name", "on", "first", "last"), OVER_MIDNIGHT)
def test_a_day_is_open_until_it_ends(name: str, on: str, first: str, last: str) -> None:
    zones = Zones(name)
    assert zones.day(at(first)) == day(on) + 1
    assert [zones.open_day(instant) for instant in (at(first), at(last) - timedelta(microseconds=1))] == [
        day(on),
        day(on),
    ]
    assert zones.open_day(at(last)) == day(on) + 1
    assert zones.open_day(at(first) - timedelta(hours=12)) == day(on)


def test_other_days_end_when_the_next_one_begins() -> None:
    assert end_of_day(day("2026-04-23"), "Africa/Cairo") == at("2026-04-23T22:00")
    assert end_of_day(day("2011-12-29"), "Pacific/Apia") == at("2011-12-30T10:00")
    assert end_of_day(day("2026-10-31"), "America/Havana") == at("2026-11-01T04:00")


@given(SINCE_1970, st.sampled_from(ZONES))
@example(day("2010-11-06"), "America/St_Johns")
@example(day("2010-03-04"), "Antarctica/Casey")
def test_a_day_is_not_shown_after_its_end_and_is_shown_right_before_it(ordinal: int, name: str) -> None:
    ends = end_of_day(ordinal, name)
    there = zone(name)
    assert ends >= first_instant(ordinal + 1, name)
    assert all((ends + timedelta(minutes=5 * step)).astimezone(there).toordinal() > ordinal for step in range(600))
    assert (ends - timedelta(microseconds=1)).astimezone(there).toordinal() <= ordinal


@given(st.datetimes(datetime(1970, 1, 3), datetime(2040, 1, 1), timezones=st.just(UTC)), st.sampled_from(ZONES))  # noqa: DTZ001
def test_today_has_not_ended(instant: datetime, name: str) -> None:
    today = Zones(name).open_day(instant)
    assert end_of_day(today, name) > instant
    assert end_of_day(today - 1, name) <= instant
    assert date.fromordinal(today) <= instant.astimezone(zone(name)).date()
