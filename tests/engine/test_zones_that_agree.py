"""Zones are what their clocks do: two names that agree from now on are one zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.zones import Zones, agree, zone
from laurels.errors import ZoneChangeTooSoon
from tests.engine.test_zones import ZONES
from tests.support import at

NOW = at("2026-04-01T08:00")

SAME = [
    *[("Asia/Calcutta", "Asia/Kolkata"), ("Europe/Kiev", "Europe/Kyiv"), ("US/Pacific", "America/Los_Angeles")],
    *[("Asia/Saigon", "Asia/Ho_Chi_Minh"), ("Asia/Rangoon", "Asia/Yangon"), ("America/Godthab", "America/Nuuk")],
    *[("GB", "Europe/London"), ("Japan", "Asia/Tokyo"), ("Etc/UTC", "UTC"), ("PRC", "Asia/Shanghai")],
    *[("Europe/Berlin", "Europe/Paris"), ("Europe/Dublin", "Europe/London"), ("Africa/Casablanca", "Africa/El_Aaiun")],
    *[("America/Detroit", "America/New_York"), ("Etc/GMT-9", "Asia/Tokyo"), ("Asia/Seoul", "Asia/Tokyo")],
]
DIFFERENT = [
    *[("Europe/Berlin", "Africa/Lagos"), ("Africa/Casablanca", "Africa/Lagos"), ("America/Denver", "America/Phoenix")],
    *[("America/Havana", "America/New_York"), ("Asia/Kolkata", "Asia/Kathmandu"), ("UTC", "Europe/London")],
    *[("Australia/Sydney", "Australia/Brisbane"), ("Antarctica/Troll", "Europe/Berlin")],
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_of_one_zone_are_no_change(one: str, other: str) -> None:
    for zones, name in ((Zones(one), other), (Zones(other), one)):
        assert zones.changed(name, NOW) is zones
    travelled = Zones("Pacific/Apia").changed(one, NOW)
    assert travelled.changed(other, NOW + timedelta(minutes=1)) is travelled
    with pytest.raises(ZoneChangeTooSoon):
        travelled.changed("Pacific/Apia", NOW + timedelta(minutes=2))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_zones_that_will_differ_are_a_change(one: str, other: str) -> None:
    for first, name in ((one, other), (other, one)):
        assert Zones(first).changed(name, NOW).changes == ((NOW, name),)


def test_zones_agree_only_from_the_time_on_at_which_they_do() -> None:
    # Apia crossed the date line at the end of 2011; Tongatapu was there already. Both have had the same clocks since 2021.
    assert not agree("Pacific/Apia", "Pacific/Tongatapu", at("2011-06-01"))
    assert not agree("Pacific/Apia", "Pacific/Tongatapu", at("2021-02-01"))
    assert agree("Pacific/Apia", "Pacific/Tongatapu", at("2022-06-01"))


@pytest.mark.parametrize("instant", [datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, tzinfo=UTC)])
def test_zones_are_compared_in_every_year_that_an_event_may_have(instant: datetime) -> None:
    assert agree("Asia/Calcutta", "Asia/Kolkata", instant)
    assert not agree("Asia/Kathmandu", "Asia/Tokyo", instant)


@given(st.sampled_from(ZONES), st.sampled_from(ZONES), st.lists(st.integers(0, 20 * 365 * 86400), min_size=50))
def test_zones_that_agree_show_the_same_at_any_time_to_come(one: str, other: str, seconds: list[int]) -> None:
    instants = [NOW + timedelta(seconds=second) for second in seconds]
    same = all(
        later.astimezone(zone(one)).utcoffset() == later.astimezone(zone(other)).utcoffset() for later in instants
    )
    assert same or not agree(one, other, NOW)
    assert agree(one, other, NOW) == agree(other, one, NOW)
