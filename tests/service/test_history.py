"""Repairing a history: each adjustment, undoing it, and after everything a verify without differences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import anyio
import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import (
    AdjustmentConflict,
    AdjustmentNotFound,
    AdjustmentRefused,
    AmnestyNotFound,
    BadgeNotFound,
    EventTooEarly,
    EventTooLate,
    InvalidInput,
    NotASandbox,
    StreakNotFound,
    UserErased,
    UserNotFound,
    ZoneChangeTooSoon,
)
from laurels.present.changes import NumberChange
from laurels.present.events import EventResult
from laurels.present.streaks import UserStreak
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import TestClock, sandbox
from tests.support import LASTING_ENGINES, at, badge, catalog, check_ledgers, check_tallies, contents, count, sql

pytestmark = pytest.mark.anyio

ROOT = "a test"


def rules(**login: Any) -> Catalog:
    """Messages that pay, a login streak, and badges on numbers, points, runs and other badges."""
    return catalog(
        metrics={"messages": count("message"), "days": {"kind": "distinct_days", "events": ["message"]}},
        streaks={"login": {"events": ["login"], **login}},
        points=[
            {"id": "message", "events": ["message"], "amount": 10},
            {"id": "login", "events": ["login"], "amount": 5, "cap_per_day": 5},
        ],
        badges=[
            badge("two", 50, metric="messages", at_least=2),
            badge("rich", 30, points_of=100),
            badge("run", 20, streak="login", streak_of=3),
            badge("both", 5, all_of=[{"has_badge": "two"}, {"has_badge": "run"}]),
            badge("unearned", 500, metric="messages", at_least=1000),
        ],
    )


@dataclass(frozen=True)
class Place:
    """A Laurels with an admin and a clock."""

    laurels: Laurels
    admin: Admin
    clock: TestClock

    async def send(self, name: str, kind: str = "message", when: datetime | None = None, **more: Any) -> EventResult:
        return await self.laurels.record(Event("ada", name, kind, when, **more))

    async def stored(self, name: str) -> Event:
        """The event with this id, as stored."""
        row = await self.laurels.store.event("ada", name)
        assert row
        return row.event

    async def log_in(self, *days: str) -> None:
        for day in days:
            await self.send(f"in-{day}", "login", at(f"{day}T12:00"))

    async def adjust(self, adjustment_id: str, kind: str, *, own: bool = False, **data: Any) -> Any:
        return await self.admin.adjust("ada", adjustment_id, kind, data, "because", ROOT, own=own)

    async def badges(self) -> list[str]:
        return [one.id for one in (await self.laurels.profile("ada")).badges]

    async def points(self) -> int:
        return (await self.laurels.profile("ada")).points

    async def streak(self) -> UserStreak:
        return (await self.laurels.streaks("ada")).streaks[0]

    async def notifications(self, kind: str) -> list[str]:
        rows = await sql(self.laurels.store, "SELECT data FROM outbox WHERE type = ? ORDER BY user_id, revision", kind)
        return [data for (data,) in rows]


@asynccontextmanager
async def place(of: Catalog | None = None, **more: Any) -> AsyncIterator[Place]:
    """A place; when it is left, all that is stored must be what a rebuild makes."""
    async with sandbox(of or rules(), **more) as (laurels, clock):
        here = Place(laurels, Admin(laurels), clock)
        yield here
        await check_stored(laurels)


async def check_stored(laurels: Laurels) -> None:
    """No stored state differs from a rebuild of it, and a rebuild changes nothing."""
    admin = Admin(laurels)
    users = [user_id async for user_id in admin.users()]
    for user_id in users:
        assert await admin.verify(user_id) == []
    assert await laurels.store.wrong_tallies() == 0
    await check_tallies(laurels.store)
    await check_ledgers(laurels.store)
    before = await contents(laurels.store)
    assert [user_id for user_id in users if await admin.rebuild(user_id)] == []
    await laurels.store.rebuild_tallies()
    after = await contents(laurels.store)
    assert {**after, "maintenance_runs": before["maintenance_runs"]} == before  # maintenance goes on in the background


@pytest.fixture
async def home(database: str) -> AsyncIterator[Place]:
    """A place at noon of Monday, 5 January 2026."""
    async with place(database=database) as one:
        yield one


# ---- reversals --------------------------------------------------------------------------------


async def test_a_reversal_takes_metrics_badges_points_and_level_back(home: Place) -> None:
    for name in ("m1", "m2", "m3"):
        await home.send(name)
    assert (await home.points(), await home.badges()) == (80, ["two"])
    await home.admin.reverse("ada", "m3", "a script", ROOT)
    assert (await home.points(), await home.badges()) == (70, ["two"])
    applied = await home.admin.reverse("ada", "m2", "a script", ROOT)
    assert (applied.points, applied.revoked) == (NumberChange(before=70, after=10), ["two"])
    assert (await home.points(), await home.badges()) == (10, [])


async def test_a_reversal_also_takes_back_what_depended_on_the_badge(home: Place) -> None:
    await home.log_in("2026-01-03", "2026-01-04", "2026-01-05")
    await home.send("m1")
    await home.send("m2")
    assert set(await home.badges()) == {"two", "run", "both", "rich"}
    await home.admin.reverse("ada", "in-2026-01-04", "a script", ROOT)
    assert set(await home.badges()) == {"two"}
    assert await home.points() == 5 + 5 + 10 + 10 + 50


async def test_a_badge_cannot_justify_itself_by_its_own_points(home: Place) -> None:
    for index in range(5):
        await home.send(f"m{index}")  # 50 points, the 50 of 'two', and so the 30 of 'rich'
    assert await home.points() == 130
    await home.admin.reverse("ada", "m0", "a script", ROOT)
    assert await home.badges() == ["two"]
    assert await home.points() == 90


async def test_a_reversal_changes_the_rank_and_the_level(home: Place) -> None:
    await home.laurels.record(Event("bob", "m1", "message"))
    for index in range(5):
        await home.send(f"m{index}")
    assert (await home.laurels.rank("ada")).rank == 1
    for index in range(5):
        applied = await home.admin.reverse("ada", f"m{index}", "a script", ROOT)
    assert applied.points == NumberChange(before=10, after=0)
    assert (await home.laurels.rank("ada")).rank is None
    assert (await home.laurels.profile("ada")).level == 1
    assert [line.user_id for line in (await home.laurels.leaderboard()).standings] == ["bob"]


async def test_the_ledger_adds_a_compensating_entry_and_the_history_shows_both(home: Place) -> None:
    await home.send("m1")
    await home.send("m2")
    await home.admin.reverse("ada", "m2", "a script", ROOT)
    newest, second, first = (await home.laurels.history("ada")).entries
    assert newest.adjustment is not None
    assert (newest.adjustment.kind, newest.adjustment.reason, newest.adjustment.actor, newest.adjustment.undone) == (
        "reversal",
        "a script",
        ROOT,
        False,
    )
    assert sorted(one.amount for one in newest.points) == [-50, -10]
    assert sorted(one.amount for one in second.points) == [10, 50]
    assert second.event is not None
    assert second.event.reversed
    assert first.event is not None
    assert not first.event.reversed


async def test_reversing_twice_changes_nothing(home: Place) -> None:
    await home.send("m1")
    await home.admin.reverse("ada", "m1", "a script", ROOT)
    before = await contents(home.laurels.store)
    again = await home.admin.reverse("ada", "m1", "a script", ROOT)
    assert again.duplicate
    assert await contents(home.laurels.store) == before


async def test_a_reversal_before_its_event_applies_when_the_event_arrives(home: Place) -> None:
    await home.admin.reverse("ada", "m1", "a script", ROOT)
    recorded = await home.send("m1")
    assert recorded.reversed
    assert await home.points() == 0
    assert (await home.send("m1")).duplicate


async def test_an_undone_reversal_lets_its_event_count_again(home: Place) -> None:
    await home.send("m1")
    await home.send("m2")
    await home.admin.reverse("ada", "m2", "a script", ROOT)
    await home.admin.undo("ada", "reversal:m2")
    assert (await home.points(), await home.badges()) == (70, ["two"])
    newest = (await home.laurels.history("ada")).entries[0]
    assert {(one.amount, one.reason, one.ref) for one in newest.points} == {
        (10, "reversal", "m2"),
        (50, "badge", "two"),
    }
    assert (await home.admin.undo("ada", "reversal:m2")).duplicate


async def test_an_event_can_be_reversed_again_after_an_undo(home: Place) -> None:
    await home.send("m1")
    for _ in range(2):
        await home.admin.reverse("ada", "m1", "a script", ROOT)
        assert await home.points() == 0
        await home.admin.undo("ada", "reversal:m1")
        assert await home.points() == 10


async def test_an_event_counts_if_its_reversal_was_undone_before_it_arrived(home: Place) -> None:
    await home.admin.reverse("ada", "m1", "a script", ROOT)
    await home.admin.undo("ada", "reversal:m1")
    await home.send("m1")
    assert await home.points() == 10


async def test_an_awaited_event_counts_when_its_reversal_is_undone_later(home: Place) -> None:
    await home.admin.reverse("ada", "m1", "a script", ROOT)
    await home.send("m1")
    await home.admin.undo("ada", "reversal:m1")
    assert await home.points() == 10


async def test_concurrent_reversals_all_apply(home: Place) -> None:
    for index in range(8):
        await home.send(f"m{index}")
    async with anyio.create_task_group() as tasks:
        for index in range(8):
            tasks.start_soon(home.admin.reverse, "ada", f"m{index}", "a script", ROOT)
    assert (await home.points(), await home.badges()) == (0, [])


async def test_concurrent_recording_reversing_undoing_and_rebuilding_agree(home: Place) -> None:
    async def live(name: str) -> None:
        await home.send(name)
        await home.admin.reverse("ada", name, "a script", ROOT)
        await home.admin.rebuild("ada")
        await home.admin.undo("ada", f"reversal:{name}")

    async with anyio.create_task_group() as tasks:
        for index in range(6):
            tasks.start_soon(live, f"m{index}")
    assert (await home.points(), await home.badges()) == (140, ["two", "rich"])


# ---- grants, revocations, adjustments ---------------------------------------------------------


async def test_a_grant_gives_a_badge_once_and_undoing_it_takes_the_badge_back(home: Place) -> None:
    await home.send("m1")
    applied = await home.adjust("g1", "grant", badge="unearned")
    assert [(one.badge, one.points) for one in applied.awards] == [("unearned", 500), ("rich", 30)]
    assert (await home.adjust("g1", "grant", badge="unearned")).duplicate
    with pytest.raises(AdjustmentConflict):
        await home.adjust("g1", "grant", badge="two")
    undone = await home.admin.undo("ada", "g1")
    assert undone.revoked == ["unearned"]
    assert (await home.admin.undo("ada", "g1")).duplicate


async def test_an_undone_grant_is_not_justified_by_the_points_of_its_badge(database: str) -> None:
    async with place(
        catalog(badges=[badge("rich", 500, points_of=400)], metrics={"n": count("message")}), database=database
    ) as here:
        await here.send("m1")
        await here.adjust("g1", "grant", badge="rich")
        await here.admin.undo("ada", "g1")
        assert (await here.points(), await here.badges()) == (0, [])


async def test_a_granted_badge_that_was_also_earned_stays_when_the_grant_is_undone(home: Place) -> None:
    await home.send("m1")
    await home.adjust("g1", "grant", badge="two")
    await home.send("m2")
    await home.admin.undo("ada", "g1")
    assert await home.badges() == ["two"]


async def test_a_granted_badge_stays_when_the_event_that_earned_it_is_reversed(home: Place) -> None:
    await home.send("m1")
    await home.send("m2")
    await home.adjust("g1", "grant", badge="two")
    await home.admin.reverse("ada", "m2", "a script", ROOT)
    assert await home.badges() == ["two"]


async def test_a_revoked_badge_is_not_earned_again_until_the_revocation_is_undone(home: Place) -> None:
    await home.send("m1")
    await home.send("m2")
    await home.adjust("r1", "revocation", badge="two")
    await home.send("m3")
    assert (await home.points(), await home.badges()) == (30, [])
    assert "two" not in [one.id for one in await next_badges(home)]
    assert "revoked" in (await home.laurels.explain("ada", "two")).sentence
    await home.admin.undo("ada", "r1")
    assert (await home.points(), await home.badges()) == (80, ["two"])


async def next_badges(home: Place) -> Any:
    return (await home.laurels.profile("ada", include=["next"])).next


async def test_a_grant_after_a_revocation_gives_the_badge_until_the_grant_is_undone(home: Place) -> None:
    await home.send("m1")
    await home.adjust("r1", "revocation", badge="two")
    await home.adjust("g1", "grant", badge="two")
    assert await home.badges() == ["two"]
    await home.admin.undo("ada", "g1")
    assert await home.badges() == []


async def test_a_points_adjustment_gives_or_takes_points_and_can_be_undone(home: Place) -> None:
    await home.send("m1")
    await home.adjust("a1", "points", amount=95)
    assert (await home.points(), await home.badges()) == (135, ["rich"])
    await home.adjust("a2", "points", amount=-35)
    assert await home.points() == 100
    await home.admin.undo("ada", "a2")
    assert await home.points() == 135


@pytest.mark.parametrize("amount", [-11, 2**53 - 1])
async def test_a_points_adjustment_leaves_at_least_0_and_at_most_the_largest_number(home: Place, amount: int) -> None:
    await home.send("m1")
    with pytest.raises(AdjustmentRefused, match="points"):
        await home.adjust("a1", "points", amount=amount)
    assert await home.points() == 10


async def test_a_reversal_after_a_points_adjustment_may_leave_a_negative_balance(home: Place) -> None:
    await home.send("m1")
    await home.adjust("a1", "points", amount=-10)
    await home.admin.reverse("ada", "m1", "a script", ROOT)
    profile = await home.laurels.profile("ada")
    assert (profile.points, profile.level, profile.progress) == (-10, 1, 0)
    assert (await home.laurels.rank("ada")).rank is None
    await home.adjust("a2", "points", amount=4)
    assert await home.points() == -6


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("grant", {}, "badge"),
        ("grant", {"badge": "two", "more": 1}, "more"),
        ("points", {"amount": 0}, "amount"),
        ("points", {"amount": True}, "amount"),
        ("points", {"amount": 2**60}, "amount"),
        ("freezes", {"streak": "login", "count": 0}, "count"),
        ("pause", {"streak": "login", "first": "2026-01-07", "last": "2026-01-06"}, "last"),
        ("pause", {"streak": "login", "first": "2026-01-07", "last": "9999-12-31"}, "last"),
        ("pause", {"streak": "", "first": "0001-01-01", "last": "2026-01-06"}, "first"),
        ("pause", {"streak": "login", "first": "soon", "last": "2026-01-06"}, "first"),
        ("dance", {}, "kind"),
    ],
)
async def test_an_invalid_adjustment_is_refused_with_its_field(
    home: Place, kind: str, data: dict[str, Any], field: str
) -> None:
    await home.send("m1")
    before = await contents(home.laurels.store)
    with pytest.raises(InvalidInput) as caught:
        await home.adjust("x", kind, **data)
    assert caught.value.field == field
    assert await contents(home.laurels.store) == before


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        ("grant", {"badge": "none"}, BadgeNotFound),
        ("freezes", {"streak": "none", "count": 1}, StreakNotFound),
        ("repair", {"streak": "login", "day": "2026-01-05"}, AdjustmentRefused),
    ],
)
async def test_an_adjustment_that_the_catalog_or_the_days_do_not_allow_changes_nothing(
    home: Place, kind: str, data: dict[str, Any], error: type[Exception]
) -> None:
    await home.send("m1")
    before = await contents(home.laurels.store)
    with pytest.raises(error):
        await home.adjust("x", kind, **data)
    assert await contents(home.laurels.store) == before


async def test_an_adjustment_cannot_have_the_id_of_a_reversal(home: Place) -> None:
    await home.send("m1")
    with pytest.raises(InvalidInput):
        await home.adjust("reversal:m1", "points", amount=1)


async def test_adjustments_need_a_known_user(home: Place) -> None:
    with pytest.raises(UserNotFound):
        await home.adjust("a1", "points", amount=1)
    with pytest.raises(AdjustmentNotFound):
        await home.admin.undo("ada", "a1")
    with pytest.raises(UserNotFound):
        await home.admin.verify("ada")
    with pytest.raises(UserNotFound):
        await home.admin.rebuild("ada")


async def test_an_adjustment_and_the_first_event_of_its_user_may_share_a_transaction(home: Place) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(home.send, "m1")
        tasks.start_soon(lambda: home.adjust("a1", "points", amount=5))
    assert await home.points() == 15


# ---- freezes, pauses, repairs -----------------------------------------------------------------


async def test_a_given_freeze_covers_a_missed_day_and_can_be_undone(home: Place) -> None:
    await home.log_in("2026-01-04", "2026-01-05")
    await home.adjust("f1", "freezes", streak="login", count=1)
    home.clock.set(at("2026-01-07T12:00"))
    streak = await home.streak()
    assert (streak.length, streak.status, streak.freezes, streak.ends_at) == (2, "frozen", 0, at("2026-01-08"))
    await home.log_in("2026-01-07")
    assert (await home.streak()).length == 3
    await home.admin.undo("ada", "f1")
    streak = await home.streak()
    assert (streak.length, streak.longest, streak.freezes) == (1, 2, 0)
    assert [day.why for day in streak.days] == ["credited", "missed", "credited", "credited"]


async def test_a_freeze_given_after_a_missed_day_does_not_cover_it(home: Place) -> None:
    await home.log_in("2026-01-04", "2026-01-05")
    home.clock.set(at("2026-01-07T09:00"))
    await home.adjust("f1", "freezes", streak="login", count=1)
    assert (await home.streak()).length == 0
    home.clock.set(at("2026-01-07T12:00"))
    await home.log_in("2026-01-07")
    streak = await home.streak()
    assert (streak.length, streak.freezes) == (1, 1)


async def test_freezes_given_within_a_run_count_towards_the_limit(database: str) -> None:
    async with place(rules(freezes={"initial": 1, "per_days": 5, "most": 2}), database=database) as here:
        for number in range(1, 11):
            here.clock.set(at(f"2026-01-{number:02}T12:00"))
            await here.log_in(f"2026-01-{number:02}")
            if number == 3:
                await here.adjust("f1", "freezes", streak="login", count=1)
        assert (await here.streak()).freezes == 2


async def test_a_late_event_gives_its_freeze_back_and_notifies(database: str) -> None:
    async with place(rules(freezes={"initial": 1}), database=database) as here:
        here.clock.set(at("2026-01-07T12:00"))
        await here.log_in("2026-01-05", "2026-01-07")
        assert (await here.streak()).freezes == 0
        await here.log_in("2026-01-06")
        assert ((await here.streak()).freezes, (await here.streak()).length) == (1, 3)
        assert '{"before":2,"length":3,"streak":"login"}' in await here.notifications("streak.corrected")
        assert "run" in await here.badges()


async def test_an_older_gap_may_take_a_freeze_from_a_newer_one_but_no_badge(database: str) -> None:
    async with place(rules(freezes={"initial": 2}), start=at("2026-01-20T12:00"), database=database) as here:
        await here.log_in("2026-01-01", "2026-01-05", "2026-01-07", "2026-01-08")
        assert "run" in await here.badges()
        await here.log_in("2026-01-03")
        assert ((await here.streak()).longest, "run" in await here.badges()) == (3, True)


async def test_an_operator_pauses_days_in_the_past_and_the_streak_continues(home: Place) -> None:
    await home.log_in("2026-01-04", "2026-01-05")
    home.clock.set(at("2026-01-09T12:00"))
    assert (await home.streak()).status == "ended"
    await home.adjust("p1", "pause", streak="", first="2026-01-06", last="2026-01-09")
    streak = await home.streak()
    assert (streak.status, streak.length, streak.ends_at) == ("paused", 2, at("2026-01-11"))
    assert [day.why for day in streak.days[:2]] == ["paused", "paused"]
    assert '{"before":0,"length":2,"streak":"login"}' in await home.notifications("streak.corrected")
    await home.admin.undo("ada", "p1")
    assert (await home.streak()).status == "ended"


async def test_a_user_pauses_in_advance_within_the_quota(database: str) -> None:
    async with place(rules(pause_days=5), database=database) as here:
        await here.log_in("2026-01-05")
        with pytest.raises(AdjustmentRefused):
            await here.adjust("p0", "pause", own=True, streak="login", first="2026-01-04", last="2026-01-05")
        await here.adjust("p1", "pause", own=True, streak="login", first="2026-01-06", last="2026-01-08")
        with pytest.raises(AdjustmentRefused, match="only 2 of 5 days"):
            await here.adjust("p2", "pause", own=True, streak="login", first="2026-02-01", last="2026-02-03")
        await here.adjust("p2", "pause", own=True, streak="login", first="2026-02-01", last="2026-02-02")
        here.clock.set(at("2027-01-20T12:00"))
        await here.adjust("p3", "pause", own=True, streak="login", first="2027-01-25", last="2027-01-27")
        with pytest.raises(InvalidInput):
            await here.adjust("p4", "grant", own=True, badge="two")


async def test_an_undone_pause_gives_its_days_of_quota_back(database: str) -> None:
    async with place(rules(pause_days=5), database=database) as here:
        await here.log_in("2026-01-05")
        await here.adjust("p1", "pause", own=True, streak="login", first="2026-01-06", last="2026-01-10")
        await here.admin.undo("ada", "p1")
        await here.adjust("p2", "pause", own=True, streak="login", first="2026-01-06", last="2026-01-10")


async def test_a_user_cannot_pause_where_the_catalog_does_not_allow_it(home: Place) -> None:
    await home.log_in("2026-01-05")
    with pytest.raises(AdjustmentRefused):
        await home.adjust("p1", "pause", own=True, streak="login", first="2026-01-06", last="2026-01-06")
    with pytest.raises(StreakNotFound):
        await home.adjust("p1", "pause", own=True, streak="", first="2026-01-06", last="2026-01-06")


async def test_a_repair_fills_the_whole_gap_and_can_be_undone(home: Place) -> None:
    await home.log_in("2026-01-01", "2026-01-02", "2026-01-05")
    await home.adjust("r1", "repair", streak="login", day="2026-01-03")
    streak = await home.streak()
    assert (streak.length, streak.since) == (3, date(2026, 1, 1))
    assert [day.why for day in streak.days] == ["credited", "excused", "excused", "credited", "credited"]
    assert "run" in await home.badges()
    await home.admin.undo("ada", "r1")
    assert (await home.streak()).length == 1


async def test_a_gap_without_an_event_after_it_can_be_repaired(home: Place) -> None:
    await home.log_in("2026-01-01", "2026-01-02")
    await home.adjust("r1", "repair", streak="login", day="2026-01-04")
    streak = await home.streak()
    assert (streak.length, streak.status) == (2, "at_risk")


async def test_a_user_can_repair_only_as_long_as_the_catalog_allows(database: str) -> None:
    async with place(rules(repair_days=2), database=database) as here:
        await here.log_in("2026-01-01", "2026-01-03")
        with pytest.raises(AdjustmentRefused):
            await here.adjust("r1", "repair", own=True, streak="login", day="2026-01-02")
        here.clock.set(at("2026-01-07T12:00"))
        await here.log_in("2026-01-05")
        await here.adjust("r2", "repair", own=True, streak="login", day="2026-01-06")
        assert (await here.streak()).length == 1


async def test_a_user_cannot_repair_where_the_catalog_does_not_allow_it(home: Place) -> None:
    await home.log_in("2026-01-03", "2026-01-05")
    with pytest.raises(AdjustmentRefused):
        await home.adjust("r1", "repair", own=True, streak="login", day="2026-01-04")


async def test_a_pause_joins_runs_within_a_month_without_changing_the_longest_or_current_run(database: str) -> None:
    board = {"id": "run", "by": "streak", "of": "login", "period": "month"}
    async with place(catalog(leaderboards=[board]), start=at("2026-02-28T12:00"), database=database) as here:
        await here.log_in(*(f"2026-01-{day}" for day in (29, 30, 31)), *(f"2026-02-0{day}" for day in (1, 2, 3)))
        await here.log_in(*(f"2026-02-{day}" for day in (10, 11, 13, 14, 28)))
        assert [line.score for line in (await here.laurels.leaderboard("run")).standings] == [3]
        await here.adjust("p", "pause", streak="", first="2026-02-12", last="2026-02-12")
        assert [line.score for line in (await here.laurels.leaderboard("run")).standings] == [4]
        await here.admin.undo("ada", "p")
        assert [line.score for line in (await here.laurels.leaderboard("run")).standings] == [3]


# ---- amnesties --------------------------------------------------------------------------------


async def test_an_amnesty_excuses_everyone_until_it_is_lifted(home: Place) -> None:
    await home.log_in("2026-01-02", "2026-01-05")
    row = await home.admin.add_amnesty(date(2026, 1, 3), date(2026, 1, 4), "an outage", ROOT)
    streak = await home.streak()
    assert (streak.length, [day.why for day in streak.days]) == (2, ["credited", "excused", "excused", "credited"])
    assert '{"before":1,"length":2,"streak":"login"}' in await home.notifications("streak.corrected")
    await home.admin.lift_amnesty(row.id)
    assert (await home.streak()).length == 1
    with pytest.raises(AmnestyNotFound):
        await home.admin.lift_amnesty(row.id)


async def test_an_amnesty_gives_freezes_back_and_awards_badges_late(database: str) -> None:
    async with place(rules(freezes={"initial": 1}), database=database) as here:
        await here.log_in("2026-01-01", "2026-01-02", "2026-01-04", "2026-01-05")
        await here.admin.add_amnesty(date(2026, 1, 3), date(2026, 1, 3), "an outage", ROOT)
        streak = await here.streak()
        assert (streak.length, streak.freezes) == (4, 1)


async def test_an_amnesty_awards_a_badge_when_the_user_is_next_read(home: Place) -> None:
    await home.log_in("2026-01-01", "2026-01-02", "2026-01-04")
    await home.admin.add_amnesty(date(2026, 1, 3), date(2026, 1, 3), "an outage", ROOT)
    assert await home.badges() == ["run"]
    assert "earned on 2026-01-05" in (await home.laurels.explain("ada", "run")).sentence


async def test_an_amnesty_for_a_group_excuses_only_its_members(home: Place) -> None:
    await home.log_in("2026-01-03", "2026-01-05")
    await home.admin.add_amnesty(date(2026, 1, 4), date(2026, 1, 4), "an outage", ROOT, group="eu")
    assert (await home.streak()).length == 1
    await home.laurels.update_user("ada", groups=["eu", "staff"])
    assert (await home.streak()).length == 2
    await home.laurels.update_user("ada", groups=["staff"])
    assert (await home.streak()).length == 1


async def test_an_amnesty_also_applies_to_later_users(home: Place) -> None:
    await home.admin.add_amnesty(date(2026, 1, 4), date(2026, 1, 4), "an outage", ROOT)
    await home.log_in("2026-01-03", "2026-01-05")
    assert (await home.streak()).length == 2


async def test_two_amnesties_at_one_instant_both_apply(home: Place) -> None:
    for group in ("eu", "us"):
        await home.admin.add_amnesty(date(2026, 1, 4), date(2026, 1, 4), "an outage", ROOT, group=group)
    assert len(await home.laurels.store.amnesties()) == 2


async def test_a_repeated_login_reads_the_newest_amnesties(home: Place) -> None:
    for day in ("2026-01-03", "2026-01-05"):
        home.clock.set(at(f"{day}T12:00"))
        await home.laurels.profile("ada", login=True)
    await home.admin.reverse("ada", "laurels:login:2026-01-05", "a script", ROOT)
    assert (await home.laurels.profile("ada", login=True)).streak == 0
    await home.admin.add_amnesty(date(2026, 1, 4), date(2026, 1, 4), "an outage", ROOT)
    assert (await home.laurels.profile("ada", login=True)).streak == 1


@pytest.mark.parametrize("users", [1, 30])
async def test_an_amnesty_writes_one_row_for_any_number_of_users(home: Place, users: int) -> None:
    for number in range(users):
        await home.laurels.record(Event(f"user-{number}", "in", "login"))
    before = await contents(home.laurels.store)
    await home.admin.add_amnesty(date(2026, 1, 4), date(2026, 1, 4), "an outage", ROOT)
    after = await contents(home.laurels.store)
    more = {name: len(after[name]) - len(before[name]) for name in after if after[name] != before[name]}
    assert more == {"amnesties": 1, "audit": 1}


@pytest.mark.parametrize(
    ("first", "last"), [("2026-01-05", "2026-01-04"), ("2026-01-05", "2027-01-06"), ("0001-01-01", "0001-01-02")]
)
async def test_an_amnesty_of_no_day_too_many_days_or_long_ago_is_refused(home: Place, first: str, last: str) -> None:
    with pytest.raises(InvalidInput):
        await home.admin.add_amnesty(date.fromisoformat(first), date.fromisoformat(last), "an outage", ROOT)


# ---- zones, late and early --------------------------------------------------------------------


async def test_a_second_zone_change_within_24_hours_is_refused_until_a_stated_time(
    home: Place,
) -> None:
    await home.laurels.update_user("ada", time_zone="Europe/Berlin")
    await home.laurels.update_user("ada", time_zone="Asia/Tokyo")
    home.clock.advance(hours=23, seconds=3599)
    with pytest.raises(ZoneChangeTooSoon) as caught:
        await home.laurels.update_user("ada", time_zone="UTC")
    assert caught.value.allowed_from == at("2026-01-06T12:00")
    await home.laurels.update_user("ada", time_zone="Asia/Tokyo")
    home.clock.advance(seconds=1)
    shape = await home.laurels.update_user("ada", time_zone="UTC")
    assert [change.time_zone for change in shape.time_zones] == ["Europe/Berlin", "Asia/Tokyo", "UTC"]


async def test_a_late_event_keeps_the_zone_of_its_time(home: Place) -> None:
    await home.laurels.update_user("ada", time_zone="Asia/Tokyo")
    home.clock.set(at("2026-01-10T12:00"))
    await home.laurels.update_user("ada", time_zone="America/Los_Angeles")
    late = await home.send("l1", "login", at("2026-01-08T16:00"))
    now = await home.send("l2", "login")
    assert [date.fromordinal((await home.stored(one.id or "")).day or 0).isoformat() for one in (late, now)] == [
        "2026-01-09",
        "2026-01-10",
    ]


async def test_an_event_up_to_five_minutes_ahead_counts_as_now(home: Place) -> None:
    ahead = await home.send("m1", when=home.clock.now + timedelta(minutes=5))
    assert (await home.stored(ahead.id or "")).occurred_at == home.clock.now
    with pytest.raises(EventTooEarly):
        await home.send("m2", when=home.clock.now + timedelta(minutes=5, seconds=1))


async def test_only_the_event_that_is_too_late_or_too_early_is_refused(home: Place) -> None:
    times = [timedelta(days=-30), timedelta(days=-30, seconds=-1), timedelta(minutes=6), timedelta()]
    answers = await home.laurels.record_many(
        [Event("ada", f"m{index}", "message", home.clock.now + time) for index, time in enumerate(times)]
    )
    assert [type(answer) for answer in answers] == [EventResult, EventTooLate, EventTooEarly, EventResult]


async def test_a_late_event_joins_runs_revives_the_streak_and_awards_its_badge(home: Place) -> None:
    await home.log_in("2026-01-02", "2026-01-03")
    assert (await home.streak()).status == "ended"
    await home.log_in("2026-01-04")
    assert ((await home.streak()).length, await home.badges()) == (3, ["run"])
    assert '{"before":0,"length":3,"streak":"login"}' in await home.notifications("streak.corrected")


async def test_an_event_later_than_the_streak_allows_credits_no_day(database: str) -> None:
    async with place(rules(late_days=1), database=database) as here:
        await here.log_in("2026-01-03", "2026-01-04")
        assert (await here.streak()).total_days == 1


# ---- erasing, catalogs, clocks ----------------------------------------------------------------


async def test_erasing_removes_adjustments(home: Place) -> None:
    await home.send("m1")
    await home.adjust("a1", "points", amount=5)
    await home.admin.reverse("ada", "m1", "a script", ROOT)
    await home.laurels.erase_user("ada")
    rows = await contents(home.laurels.store)
    del rows["migrations"]  # a checksum may have any letters
    assert {name for name, of_table in rows.items() if "ada" in repr(of_table)} == set()
    for applying in (
        home.adjust("a2", "points", amount=5),
        home.admin.reverse("ada", "m1", "x", ROOT),
        home.admin.undo("ada", "a1"),
    ):
        with pytest.raises(UserErased):
            await applying


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_a_history_follows_a_change_of_the_catalog(database: str) -> None:
    async with place(database=database) as here:
        for index in range(3):
            await here.send(f"m{index}")
        await here.adjust("a1", "points", amount=7)
        await here.admin.reverse("ada", "m0", "a script", ROOT)
    richer = catalog(
        metrics={"messages": count("message")},
        points=[{"id": "message", "events": ["message"], "amount": 20}],
        badges=[badge("one", 1, metric="messages", at_least=1)],
    )
    async with place(richer, database=database) as here:
        assert await here.admin.rebuild("ada") is False
        assert (await here.points(), await here.badges()) == (2 * 20 + 50 + 7 + 1, ["one"])
        await here.admin.undo("ada", "reversal:m0")
        assert await here.points() == 3 * 20 + 50 + 7 + 1


async def test_the_clock_of_a_sandbox_moves_and_pretends(home: Place) -> None:
    with pytest.raises(NotASandbox), home.laurels.pretend(at("2026-02-01")):
        pass
    assert await home.admin.move_clock(by=timedelta(days=2)) == at("2026-01-07T12:00")
    assert await home.laurels.now() == at("2026-01-07T12:00")
    await home.admin.move_clock(to=at("2026-03-01"), by=timedelta(hours=1))
    assert await home.laurels.now() == at("2026-03-01T01:00")
    with home.laurels.pretend(at("2026-02-01")):
        await home.send("m1")
        assert (await home.stored("m1")).occurred_at == at("2026-02-01")
    assert await home.laurels.now() == at("2026-03-01T01:00")


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_thirty_days_pass_in_a_sandbox_with_a_simulated_time(database: str) -> None:
    async with place(database=database) as here:
        await here.admin.move_clock()
    async with place(database=database) as here:
        for number in range(1, 31):
            with here.laurels.pretend(at(f"2026-04-{number:02}T12:00")):
                profile = await here.laurels.profile("ada", login=True)
        assert profile.streak == 30


async def test_a_badge_is_explained_by_its_event_or_by_what_is_missing(home: Place) -> None:
    await home.send("m1")
    missing = await home.laurels.explain("ada", "two")
    assert (missing.earned, missing.checks[0].current, missing.checks[0].target) == (False, 1, 2)
    assert missing.sentence == "1 more messages to earn Two."
    await home.send("m2")
    earned = await home.laurels.explain("ada", "two")
    assert earned.event is not None
    assert (earned.earned, earned.event.id) == (True, "m2")
    with pytest.raises(BadgeNotFound):
        await home.laurels.explain("ada", "none")
