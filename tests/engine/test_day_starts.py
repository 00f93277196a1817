"""A streak whose days start later than at midnight: days by the clock's face, and the same rules as for any day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from importlib import resources

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.zones import Zones, day_of, end_of_day, first_instant, zone
from laurels.errors import CatalogError
from tests.support import at, catalog, day

ZONES = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
DAYS = st.dates(date(1970, 1, 3), date(2040, 1, 1)).map(date.toordinal)
STARTS = st.integers(0, 23 * 60 + 59)
SECOND = timedelta(seconds=1)


@given(DAYS, st.sampled_from(ZONES), STARTS)
@example(day("2026-03-08"), "America/New_York", 150)
@example(day("2026-10-25"), "Europe/Berlin", 150)
@example(day("2026-10-25"), "Europe/Berlin", 120)
@example(day("2011-12-30"), "Pacific/Apia", 240)
def test_a_day_begins_and_ends_where_the_clock_first_and_last_shows_it(ordinal: int, name: str, starts: int) -> None:
    begins, ends = first_instant(ordinal, name, starts), end_of_day(ordinal, name, starts)
    assert day_of(begins - SECOND, name, starts) < ordinal <= day_of(begins, name, starts)
    assert day_of(ends, name, starts) > ordinal
    steps = [ends + timedelta(minutes=15 * step) for step in range(12)]
    assert all(day_of(instant, name, starts) > ordinal for instant in steps)
    if first_instant(ordinal + 1, name, starts) > begins:
        assert day_of(ends - SECOND, name, starts) == ordinal


@given(DAYS, st.sampled_from(ZONES), st.integers(0, 86_399), STARTS)
def test_the_day_is_the_date_of_the_clock_before_its_start(ordinal: int, name: str, second: int, starts: int) -> None:
    instant = datetime.combine(date.fromordinal(ordinal), time(), UTC) + timedelta(seconds=second)
    shown = instant.astimezone(zone(name))
    before = shown.time() < time(starts // 60, starts % 60)
    assert day_of(instant, name, starts) == shown.toordinal() - before


@settings(max_examples=60)
@given(DAYS, st.integers(0, 86_399), STARTS)
def test_without_clock_changes_it_is_midnight_moved(ordinal: int, second: int, starts: int) -> None:
    zones, instant = Zones("Asia/Tokyo"), datetime.combine(date.fromordinal(ordinal), time(), UTC)
    instant += timedelta(seconds=second)
    moved = instant - timedelta(minutes=starts)
    assert zones.day(instant, starts) == zones.open_day(instant, starts) == zones.day(moved)
    assert end_of_day(ordinal, "Asia/Tokyo", starts) == end_of_day(ordinal, "Asia/Tokyo") + timedelta(minutes=starts)


def test_a_day_stays_open_until_its_second_end() -> None:
    berlin = Zones("Europe/Berlin")  # clocks go back from 03:00 to 02:00
    assert berlin.day(at("2026-10-25T00:40"), 150) == day("2026-10-25")  # the first 02:40
    assert berlin.open_day(at("2026-10-25T00:40"), 150) == day("2026-10-24")
    assert berlin.day(at("2026-10-25T01:10"), 150) == day("2026-10-24")  # the second 02:10
    assert berlin.open_day(at("2026-10-25T01:30"), 150) == day("2026-10-25")


def test_a_journey_skips_the_days_that_no_clock_showed() -> None:
    zones = Zones(
        "Pacific/Pago_Pago", ((at("2026-01-14T14:00"), "Pacific/Kiritimati"),)
    )  # 03:00 the 14th, 04:00 the 15th
    assert list(zones.skipped()) == []
    assert list(zones.skipped(240)) == [day("2026-01-14")]


# ---- the catalog ------------------------------------------------------------------------------


def parsed(value: object) -> Catalog:
    return catalog(streaks={"login": {"events": ["login"], "day_starts": value}})


@pytest.mark.parametrize(("text", "minutes"), [("00:00", 0), ("04:00", 240), ("23:59", 1439)])
def test_day_starts_is_a_time_of_the_clock(text: str, minutes: int) -> None:
    assert parsed(text).streaks["login"].day_starts == minutes


@pytest.mark.parametrize("value", ["4:00", "24:00", "04:60", "04:00:00", "-1:00", "4", "", 4, "٠٤:٠٠"])
def test_any_other_start_is_refused_with_the_fix(value: object) -> None:
    with pytest.raises(CatalogError) as caught:
        parsed(value)
    assert "day_starts" in str(caught.value)


def test_a_catalog_without_it_keeps_its_fingerprint_and_another_start_is_another_rule() -> None:
    without = catalog(streaks={"login": {"events": ["login"]}})
    assert without.rules == parsed("00:00").rules != parsed("04:00").rules
