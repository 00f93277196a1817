"""An operator corrects the zone of days in the past: these days are read again, and undoing it reads them as before."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.errors import AdjustmentConflict, InvalidInput
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import sandbox
from tests.service.test_history import check_stored
from tests.service.test_late_zones import EVENINGS, LOS_ANGELES, RULES, TOKYO, days_of, live, stored
from tests.support import at

pytestmark = pytest.mark.anyio


async def correct(laurels: Laurels, zone: str, first: str, last: str, name: str = "c-1") -> Any:
    data = {"zone": zone, "first": first, "last": last}
    return await Admin(laurels).adjust("ada", name, "timeZone", data, "was on a journey", "an admin")


async def test_days_of_a_corrected_zone_are_read_in_it_and_undo_reads_them_as_before(database: str) -> None:
    async with sandbox(RULES, start=at(EVENINGS[0]), database=database) as (laurels, clock):
        await laurels.update_user("ada", time_zone="UTC")
        await live(laurels, clock, EVENINGS)
        before = await stored(laurels)
        result = await correct(laurels, LOS_ANGELES, "2026-02-01", "2026-02-04")

        assert result.streaks["login"].after == 4
        assert await days_of(laurels) == ["2026-02-01", "2026-02-02", "2026-02-03", "2026-02-04"]
        assert {"run", "days"} <= (await stored(laurels)).badges.keys()
        assert (await correct(laurels, LOS_ANGELES, "2026-02-01", "2026-02-04")).status == "duplicate"
        with pytest.raises(AdjustmentConflict):
            await correct(laurels, TOKYO, "2026-02-01", "2026-02-04")
        await check_stored(laurels)

        clock.advance(hours=1)
        await Admin(laurels).undo("ada", "c-1")
        after = await stored(laurels)
        assert (after.days, after.folds, after.totals, after.zones) == (
            before.days,
            before.folds,
            before.totals,
            before.zones,
        )
        assert {"run", "days"} <= after.badges.keys()  # earned badges stay
        await check_stored(laurels)


async def test_a_corrected_zone_begins_and_ends_with_its_days_there(database: str) -> None:
    async with sandbox(RULES, start=at("2026-02-01T00:00"), database=database) as (laurels, clock):
        await laurels.update_user("ada", time_zone="UTC")
        times = ["2026-02-01T14:59:59", "2026-02-01T15:00", "2026-02-02T14:59:59", "2026-02-02T15:00"]
        await live(laurels, clock, times)
        clock.set(at("2026-02-05"))
        await correct(laurels, TOKYO, "2026-02-02", "2026-02-02")

        assert await days_of(laurels) == ["2026-02-01", "2026-02-02", "2026-02-02", "2026-02-02"]
        shown = [(one.since, one.time_zone) for one in (await laurels.user("ada")).time_zones]
        assert shown == [(None, "UTC"), (at("2026-02-01T15:00"), TOKYO), (at("2026-02-02T15:00"), "UTC")]
        await check_stored(laurels)


async def test_the_newest_correction_of_a_day_counts_and_a_late_event_is_read_in_it(database: str) -> None:
    async with sandbox(RULES, start=at("2026-02-01T16:00"), database=database) as (laurels, clock):
        await live(laurels, clock, ["2026-02-01T16:00"])
        clock.set(at("2026-02-05"))
        await correct(laurels, TOKYO, "2026-02-01", "2026-02-03")
        await correct(laurels, LOS_ANGELES, "2026-02-01", "2026-02-01", "c-2")
        await live(laurels, clock, ["2026-02-06T00:00"])
        assert await days_of(laurels) == ["2026-02-01", "2026-02-06"]

        await Admin(laurels).undo("ada", "c-2")
        assert await days_of(laurels) == ["2026-02-02", "2026-02-06"]
        await check_stored(laurels)


async def test_a_correction_leaves_the_zone_in_force_and_its_24_hours_alone(database: str) -> None:
    async with sandbox(RULES, start=at("2026-02-05T12:00"), database=database) as (laurels, clock):
        await laurels.update_user("ada", time_zone="UTC")
        await correct(laurels, TOKYO, "2026-02-01", "2026-02-04")
        assert (await laurels.user("ada")).time_zone == "UTC"
        clock.advance(hours=1)
        assert (await laurels.update_user("ada", time_zone=LOS_ANGELES)).time_zone == LOS_ANGELES
        await check_stored(laurels)


async def test_a_first_zone_after_a_correction_keeps_it(database: str) -> None:
    async with sandbox(RULES, start=at(EVENINGS[0]), database=database) as (laurels, clock):
        await live(laurels, clock, EVENINGS)
        await correct(laurels, LOS_ANGELES, "2026-02-01", "2026-02-02")
        await laurels.update_user("ada", time_zone="UTC")
        assert await days_of(laurels) == ["2026-02-01", "2026-02-02", "2026-02-04", "2026-02-05"]
        await check_stored(laurels)


@pytest.mark.parametrize(
    ("zone", "first", "last", "field"),
    [
        ("Mars/Phobos", "2026-02-01", "2026-02-02", "zone"),
        ("", "2026-02-01", "2026-02-02", "zone"),
        (TOKYO, "2026-02-03", "2026-02-02", "last"),
        (TOKYO, "2026-02-01", "2026-02-06", "last"),
        (TOKYO, "1969-12-31", "2026-02-02", "first"),
        (TOKYO, "yesterday", "2026-02-02", "first"),
    ],
)
async def test_a_correction_that_makes_no_sense_names_its_field(zone: str, first: str, last: str, field: str) -> None:
    async with sandbox(RULES, start=at("2026-02-05T12:00")) as (laurels, _):
        await laurels.update_user("ada", name="Ada")
        with pytest.raises(InvalidInput) as caught:
            await correct(laurels, zone, first, last)
        assert caught.value.field == field


async def test_freezes_given_in_a_corrected_zone_count_from_their_day_in_it(database: str) -> None:
    async with sandbox(start=at("2026-02-02T20:00"), database=database) as (laurels, clock):
        await laurels.update_user("ada", time_zone="UTC")
        await Admin(laurels).adjust("ada", "g", "freezes", {"streak": "login", "count": 1}, "a gift", "an admin")
        clock.set(at("2026-02-05T12:00"))
        await correct(laurels, TOKYO, "2026-02-03", "2026-02-03")
        assert (await stored(laurels)).manual.grants == {"login": ((at("2026-02-03").toordinal(), 1),)}
        await Admin(laurels).undo("ada", "c-1")
        assert (await stored(laurels)).manual.grants == {"login": ((at("2026-02-02").toordinal(), 1),)}
        await check_stored(laurels)
