from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from importlib import resources

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from laurels.engine.zones import Zones, day_of, first_instant, skipped_days, zone
from laurels.errors import InvalidInput, ZoneChangeTooSoon
from tests.support import at, day

ZONES = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
SINCE_1970 = st.dates(date(1970, 1, 3), date(2040, 1, 1)).map(date.toordinal)


# ---- zones ------------------------------------------------------------------------------------


def test_every_zone_name_of_the_package_loads() -> None:
    assert len(ZONES) > 500
    assert [zone(name).key for name in ZONES] == ZONES


@pytest.mark.parametrize(
    "name",
    [
        *[
            "",
            "Mars/Phobos",
            "Europe",
            "Europe/",
            "/UTC",
            "../zones",
            "Europe/../UTC",
            "zones",
            "tzdata.zi",
            "zone.tab",
        ],
        *["__init__.py", "leapseconds", "Europe/Berlin\n", "Europe/Berlin\0", "Zürich", "UTC/UTC"],
        *["x" * 300, "x/" * 5000, "/".join("x" * 5000)],
    ],
)
def test_an_unknown_zone_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        zone(name)
    assert caught.value.field == "timeZone"


# ---- days -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "on", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("America/New_York", "2026-06-01", 24),
        ("Africa/Cairo", "2026-04-24", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Pacific/Apia", "2011-12-29", 24),
        ("UTC", "2026-03-08", 24),
    ],
)
def test_a_day_lasts_as_long_as_its_clock_shows(name: str, on: str, hours: float) -> None:
    begins, ends = first_instant(day(on), name), first_instant(day(on) + 1, name)
    assert ends - begins == timedelta(hours=hours)


def test_cairos_day_of_the_clock_change_begins_at_one() -> None:
    begins = first_instant(day("2026-04-24"), "Africa/Cairo")
    assert begins == at("2026-04-23T22:00")
    assert begins.astimezone(zone("Africa/Cairo")).time() == time(1)


def test_a_skipped_day_begins_where_the_next_one_does() -> None:
    skipped = day("2011-12-30")
    assert (
        first_instant(skipped, "Pacific/Apia") == first_instant(skipped + 1, "Pacific/Apia") == at("2011-12-30T10:00")
    )


def first_instant_by_walking(ordinal: int, name: str) -> datetime:
    """Minute by minute from a time when it was surely earlier, then second by second."""
    there = zone(name)
    instant = datetime.combine(date.fromordinal(ordinal), time(), UTC) - timedelta(hours=16)
    for step in (timedelta(minutes=1), timedelta(seconds=1)):
        while instant.astimezone(there).toordinal() < ordinal:
            instant += step
        instant -= step
    return instant + timedelta(seconds=1)


@given(SINCE_1970, st.sampled_from(ZONES))
@example(day("2011-12-30"), "Pacific/Apia")
@example(day("2006-10-29"), "America/St_Johns")  # 00:01 went back to 23:01 of the day before
@example(day("2018-11-04"), "America/Sao_Paulo")  # midnight went to 01:00
@example(day("1972-01-07"), "Africa/Monrovia")  # 44 minutes and 30 seconds
@example(day("2026-11-01"), "America/Havana")
@example(day("1919-03-31"), "America/Toronto")  # 23:30 of the day before went to 00:30
def test_no_instant_of_a_day_is_before_its_first_instant(ordinal: int, name: str) -> None:
    assert first_instant(ordinal, name) == first_instant_by_walking(ordinal, name)


@given(SINCE_1970, st.sampled_from(ZONES), st.integers(0, 86_399))
def test_the_day_of_an_instant_is_the_date_on_a_clock_of_the_zone(ordinal: int, name: str, second: int) -> None:
    instant = datetime.combine(date.fromordinal(ordinal), time(), UTC) + timedelta(seconds=second)
    assert day_of(instant, name) == instant.astimezone(zone(name)).date().toordinal()


@pytest.mark.parametrize(
    ("name", "dates"),
    [
        ("Pacific/Apia", ["2011-12-30"]),
        ("Pacific/Kiritimati", ["1994-12-31"]),
        ("Pacific/Kwajalein", ["1993-08-21"]),
        ("Europe/Berlin", []),
        ("Africa/Monrovia", []),
    ],
)
def test_the_days_that_a_zone_skipped_are_known(name: str, dates: list[str]) -> None:
    assert skipped_days(name) == tuple(map(day, dates))


@pytest.mark.parametrize("name", ["Pacific/Apia", "Pacific/Kwajalein", "America/Sao_Paulo", "Asia/Gaza"])
def test_the_skipped_days_are_those_in_which_no_hour_lies(name: str) -> None:
    there, instant = zone(name), at("1990-01-01")
    met = {(instant + timedelta(hours=hour)).astimezone(there).toordinal() for hour in range(24 * 366 * 25)}
    assert set(range(min(met), max(met))) - met == set(skipped_days(name))


# ---- a user's zones ---------------------------------------------------------------------------


def test_the_default_zone_applies_until_a_zone_is_known() -> None:
    assert Zones(default="Asia/Tokyo").day(at("2026-01-05T20:00")) == day("2026-01-06")


def test_the_first_zone_also_applies_to_all_time_before() -> None:
    zones = Zones().changed("Asia/Tokyo", at("2026-01-05T20:00"))
    assert zones.day(at("2020-01-05T20:00")) == day("2020-01-06")


def test_a_zone_change_applies_from_its_time_on() -> None:
    zones = Zones("UTC").changed("Asia/Tokyo", at("2026-01-05T20:00"))
    assert zones.at(at("2026-01-05T19:59:59.999999")) == "UTC"
    assert zones.at(at("2026-01-05T20:00")) == "Asia/Tokyo"


def test_a_second_zone_change_is_refused_for_24_hours() -> None:
    zones = Zones("UTC").changed("Asia/Tokyo", at("2026-01-05T20:00"))
    with pytest.raises(ZoneChangeTooSoon) as caught:
        zones.changed("UTC", at("2026-01-06T19:59:59"))
    assert caught.value.allowed_from == at("2026-01-06T20:00")
    assert "2026-01-06T20:00:00Z" in str(caught.value)
    assert zones.changed("UTC", at("2026-01-06T20:00")).at(at("2026-01-07")) == "UTC"


def test_setting_the_zone_in_force_changes_nothing() -> None:
    zones = Zones("UTC").changed("Asia/Tokyo", at("2026-01-05T20:00"))
    assert zones.changed("Asia/Tokyo", at("2026-01-05T20:01")) is zones


def test_an_unknown_zone_is_refused_even_as_the_first() -> None:
    with pytest.raises(InvalidInput, match="Europe/Berlin"):
        Zones().changed("Europe/Berlinn", at("2026-01-05"))


@pytest.mark.parametrize(
    ("zones", "skipped"),
    [
        (Zones("Pacific/Apia"), ["2011-12-30"]),
        (Zones(default="Pacific/Apia"), ["2011-12-30"]),
        (Zones("Pacific/Apia", ((at("2011-12-01"), "UTC"),)), []),
        (Zones("UTC", ((at("2011-12-01"), "Pacific/Apia"),)), ["2011-12-30"]),
        (Zones("UTC", ((at("2012-01-01"), "Pacific/Apia"),)), []),
        (Zones("UTC", ((at("2011-12-01"), "Pacific/Apia"), (at("2011-12-20"), "UTC"))), []),
        (Zones("UTC", ((at("2011-12-01"), "Pacific/Apia"), (at("2012-12-20"), "UTC"))), ["2011-12-30"]),
    ],
)
def test_a_user_skips_the_days_that_their_zone_at_that_time_skipped(zones: Zones, skipped: list[str]) -> None:
    assert list(zones.skipped()) == list(map(day, skipped))
