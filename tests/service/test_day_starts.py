"""A streak whose days start at 04:00, in everything that reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from laurels.engine.events import Event
from laurels.errors import AdjustmentRefused
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import TestClock, sandbox
from tests.service.test_history import check_stored
from tests.support import at, badge, catalog, count

pytestmark = pytest.mark.anyio


def rules(day_starts: str = "04:00", **more: Any) -> Any:
    login = {"events": ["login"], "day_starts": day_starts, "pause_days": 3, "repair_days": 5, **more}
    return catalog(
        metrics={"visits": count("login"), "dates": {"kind": "distinct_days", "events": ["login"]}},
        streaks={"login": login},
        badges=[badge("pair", 10, streak="login", streak_of=2)],
        leaderboards=[{"id": "day", "by": "metric", "of": "visits", "period": "day"}],
    )


async def visit(laurels: Laurels, clock: TestClock, *times: str) -> int:
    for when in times:
        clock.set(at(when))
        await laurels.profile("ada", login=True)
    return (await laurels.profile("ada")).streak


async def test_visits_after_midnight_count_for_the_date_before(database: str) -> None:
    async with sandbox(rules(), start=at("2026-03-02T12:00"), database=database) as (laurels, clock):
        assert await visit(laurels, clock, "2026-03-02T12:00", "2026-03-04T01:30") == 2
        (streak,) = (await laurels.streaks("ada")).streaks
        assert (streak.ends_at, streak.last_day) == (at("2026-03-05T04:00"), date(2026, 3, 3))
        assert (await laurels.profile("ada")).badges[0].id == "pair"
        assert await visit(laurels, clock, "2026-03-04T03:59") == 2
        assert await visit(laurels, clock, "2026-03-04T04:00") == 3
        clock.set(at("2026-03-06T03:59:59"))
        assert (await laurels.profile("ada")).streak == 3
        clock.set(at("2026-03-06T04:00"))
        assert (await laurels.profile("ada")).streak == 0
        await check_stored(laurels)


async def test_a_login_is_recorded_once_for_each_day_of_the_streak(database: str) -> None:
    async with sandbox(rules(), start=at("2026-03-02T12:00"), database=database) as (laurels, clock):
        await visit(laurels, clock, "2026-03-02T12:00", "2026-03-03T01:00", "2026-03-03T03:59", "2026-03-03T04:00")
        row = await laurels.store.user("ada")
        assert row
        assert row.progress.totals["visits"] == 2


async def test_leaderboards_keep_dates_from_midnight(database: str) -> None:
    async with sandbox(rules(), start=at("2026-03-02T12:00"), database=database) as (laurels, clock):
        await visit(laurels, clock, "2026-03-03T01:00")
        assert (await laurels.leaderboard("day", "2026-03-03")).standings[0].score == 1


async def test_an_event_of_the_day_that_has_not_ended_extends_and_does_not_correct(database: str) -> None:
    async with sandbox(rules(late_days=0), start=at("2026-03-02T12:00"), database=database) as (laurels, clock):
        await laurels.record(Event("ada", "e-1", "login"))
        clock.set(at("2026-03-04T02:00"))
        await laurels.record(Event("ada", "e-2", "login", at("2026-03-03T23:00")))
        snapshot = await laurels.store.notifications({"ada": (0, -1)}, 100)
        kinds = [row.type for row in snapshot]
        assert "streak.corrected" not in kinds
        assert kinds.count("streak.extended") == 2
        await check_stored(laurels)


async def test_other_starts_read_all_events_and_gifts_again(database: str) -> None:
    async with sandbox(rules("00:00"), start=at("2026-03-02T12:00"), database=database) as (laurels, clock):
        await laurels.record(Event("ada", "e-1", "login"))
        clock.set(at("2026-03-04T01:00"))
        await Admin(laurels).adjust("ada", "g", "freezes", {"streak": "login", "count": 1}, "a gift", "an admin")
        await laurels.record(Event("ada", "e-2", "login"))
        assert (await laurels.profile("ada")).streak == 1
        other = Laurels(laurels.store, rules("04:00"), clock=clock, on_difference="apply")
        assert (await other.profile("ada")).streak == 2
        row = await other.store.user("ada")
        assert row
        assert row.progress.manual.grants == {"login": ((at("2026-03-03").toordinal(), 1),)}
        await check_stored(other)
        again = Laurels(laurels.store, rules("00:00"), clock=clock, on_difference="apply")
        assert (await again.profile("ada")).streak == 1
        await check_stored(again)


async def test_a_repair_and_a_pause_go_by_the_days_of_the_streak(database: str) -> None:
    async with sandbox(rules(), start=at("2026-03-02T12:00"), database=database) as (laurels, clock):
        admin = Admin(laurels)
        await laurels.record(Event("ada", "e-1", "login"))
        clock.set(at("2026-03-04T03:59"))  # the 3rd has not ended
        with pytest.raises(AdjustmentRefused, match="was not missed"):
            await admin.adjust("ada", "r", "repair", {"streak": "login", "day": "2026-03-03"}, "x", "a", own=True)
        clock.set(at("2026-03-04T04:00"))
        assert (await laurels.profile("ada")).streak == 0
        await admin.adjust("ada", "r", "repair", {"streak": "login", "day": "2026-03-03"}, "x", "a", own=True)
        assert (await laurels.profile("ada")).streak == 1
        clock.set(at("2026-03-05T03:00"))
        data = {"streak": "login", "first": "2026-03-04", "last": "2026-03-04"}
        await admin.adjust("ada", "p", "pause", data, "x", "a", own=True)
        clock.set(at("2026-03-05T05:00"))
        assert (await laurels.profile("ada")).streak == 1
        await check_stored(laurels)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo"])
async def test_a_first_zone_that_comes_late_reads_days_that_start_later(database: str, zone: str) -> None:
    times = ["2026-02-02T09:00", "2026-02-03T11:00", "2026-02-03T13:00", "2026-02-04T20:30"]
    async with sandbox(rules(), start=at(times[0]), database=database) as (laurels, clock):
        await laurels.update_user("bob", time_zone=zone)
        for when in times:
            clock.set(at(when))
            for user in ("ada", "bob"):
                await laurels.record(Event(user, f"e-{when}", "login"))
        await laurels.update_user("ada", time_zone=zone)
        ada, bob = await laurels.store.user("ada"), await laurels.store.user("bob")
        assert ada
        assert bob
        late = replace(ada.progress, zones=bob.progress.zones, badges={}, points=0, reached_at=None)
        assert late == replace(bob.progress, badges={}, points=0, reached_at=None)
        await check_stored(laurels)
