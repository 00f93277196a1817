"""A freeze covers every day that ends after it was given, also one that a journey to the west opens again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.present.streaks import UserStreak
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import sandbox
from tests.support import at

pytestmark = pytest.mark.anyio

BRISBANE, TOKYO, LONDON = "Australia/Brisbane", "Asia/Tokyo", "Europe/London"


async def streak_of(laurels: Laurels) -> UserStreak:
    assert await Admin(laurels).verify("ada") == []
    streaks = (await laurels.streaks("ada")).streaks
    return next(one for one in streaks if one.name == "login")


async def give(laurels: Laurels, count: int = 1, adjustment_id: str = "given") -> None:
    data = {"streak": "login", "count": count}
    await Admin(laurels).adjust("ada", adjustment_id, "freezes", data, "a gift", "an admin")


async def test_a_freeze_covers_the_day_that_a_journey_opens_again(database: str) -> None:
    async with sandbox(database=database, start=at("2026-05-26T03:00")) as (laurels, clock):
        await laurels.update_user("ada", time_zone=BRISBANE)
        await laurels.record(Event("ada", "e-1", "login"))  # on the 26th
        clock.set(at("2026-05-27T14:00:01"))  # 00:00:01 on the 28th
        await give(laurels)
        clock.advance(seconds=60)
        await laurels.update_user("ada", time_zone=TOKYO)  # 23:01 on the 27th again

        assert (await streak_of(laurels)).freezes == 1
        clock.set(at("2026-05-28T03:00"))  # noon on the 28th
        after = await streak_of(laurels)
        assert (after.length, after.status, after.freezes) == (1, "frozen", 0)
        await laurels.record(Event("ada", "e-2", "login"))
        after = await streak_of(laurels)
        assert (after.length, after.status, after.freezes) == (2, "active", 0)
        await Admin(laurels).undo("ada", "given")
        assert (await streak_of(laurels)).length == 1


async def test_a_freeze_that_is_given_after_the_journey_does_not_cover_a_day_that_ended(database: str) -> None:
    async with sandbox(database=database, start=at("2026-05-26T03:00")) as (laurels, clock):
        await laurels.update_user("ada", time_zone=BRISBANE)
        await laurels.record(Event("ada", "e-1", "login"))
        clock.set(at("2026-05-27T14:01:01"))
        await laurels.update_user("ada", time_zone=TOKYO)
        clock.set(at("2026-05-27T15:00"))  # 00:00 on the 28th: the 27th has ended
        await give(laurels)

        after = await streak_of(laurels)
        assert (after.length, after.status, after.freezes) == (0, "ended", 1)


async def test_journeys_after_and_before_leave_other_freezes_alone() -> None:
    async with sandbox(start=at("2026-05-26T03:00")) as (laurels, clock):
        await laurels.update_user("ada", time_zone=TOKYO)
        await laurels.record(Event("ada", "e-1", "login"))
        clock.advance(days=1)
        await laurels.update_user("ada", time_zone=BRISBANE)  # to the east
        await give(laurels, 1, "first")
        clock.advance(days=30)
        await laurels.update_user("ada", time_zone=LONDON)  # long after the day of the freeze
        await give(laurels, 2, "second")

        grants = (await laurels.core.user("ada")).progress.manual.grants["login"]
        assert grants == ((at("2026-05-27").toordinal(), 1), (at("2026-06-26").toordinal(), 2))
        assert (await streak_of(laurels)).freezes == 3


async def test_two_journeys_to_the_west_open_days_twice() -> None:
    async with sandbox(Catalog.default(), start=at("2026-05-27T10:00")) as (laurels, clock):
        await laurels.update_user("ada", time_zone="Pacific/Kiritimati")  # 00:00 on the 28th
        await give(laurels)
        await laurels.update_user("ada", time_zone=TOKYO)  # 19:00 on the 27th
        clock.advance(hours=24.5)
        await laurels.update_user("ada", time_zone="Pacific/Pago_Pago")  # 23:30 on the 27th

        grants = (await laurels.core.user("ada")).progress.manual.grants["login"]
        assert grants == ((at("2026-05-27").toordinal(), 1),)
        clock.advance(days=3)
        assert await Admin(laurels).verify("ada") == []
        assert timedelta(0) == await laurels.now() - clock.now
