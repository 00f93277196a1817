"""A period that has ended, and that no one has read or closed, keeps its rule when another catalog is put in force."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.service.admin import Admin
from laurels.service.closed_lines import database_differences
from laurels.service.laurels import Laurels
from laurels.testing import TestClock
from tests.support import at, catalog, count, sql

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", ["sqlite-file", "postgresql"])]

WEEK = {"period": "week", "tell_top": 2}
LINES = [(1, "ada", 5000), (2, "bob", 43), (3, "cyd", 7)]
DUE, LATE = at("2026-11-18T12:00"), at("2026-11-16T12:00")
"""Times after the end of W46, on Monday 16: when it takes no more events, and when it still takes late ones."""

CHANGES: dict[str, dict[str, Any]] = {
    "order": {**WEEK, "order": "lowest"},
    "first day": {**WEEK, "week_starts": "sun"},
    "zone": {**WEEK, "zone": "Asia/Tokyo"},
    "kind": {**WEEK, "period": "month"},
    "metric": {**WEEK, "of": "n"},
    "groups": {**WEEK, "groups": ["staff"]},
}


def rules(board: dict[str, Any], board_id: str = "b") -> Catalog:
    return catalog(
        metrics={"m": {"kind": "sum", "events": ["m"]}, "n": count("m")},
        points=[],
        leaderboards=[{"by": "metric", "of": "m", "id": board_id, **board}],
    )


async def fill(database: str, of: Catalog, clock: TestClock) -> None:
    """A week of three users, which ends while no process runs."""
    async with Laurels.open(database, of, clock=clock) as laurels:
        for user_id, quantity in (("ada", 5000), ("bob", 40), ("cyd", 7)):
            await laurels.record(Event(user_id, f"{user_id}-1", "m", clock.now, quantity))
        clock.set(at("2026-11-15T12:00"))
        await laurels.record(Event("bob", "bob-2", "m", clock.now, 3))


@asynccontextmanager
async def put_in_force(way: str, database: str, of: Catalog, clock: TestClock) -> AsyncIterator[Laurels]:
    """Open the database with this catalog in force, in one of the ways in which that happens."""
    if way == "opened":
        async with Laurels.open(database, of, clock=clock, on_difference="apply") as laurels:
            yield laurels
        return
    async with Laurels.open(database, None, clock=clock) as laurels:
        if way == "sandbox":
            await laurels.set_clock_offset(timedelta())
            async with Laurels.open(database, of, clock=clock):
                pass
        elif way == "followed":
            async with Laurels.open(database, None, clock=clock) as other:
                await Admin(other).apply_catalog(of, "because", "a test")
        else:
            await Admin(laurels).apply_catalog(of, "because", "a test")
        yield laurels


async def lines(laurels: Laurels, period: str) -> list[tuple[int, str, int]]:
    page = await laurels.leaderboard("b", period)
    return [(line.rank, line.user_id, line.score) for line in page.standings]


async def check(laurels: Laurels) -> None:
    """The week is as it was, closed, verified and its winners are notified; what comes late changes nothing."""
    await laurels.record(Event("dan", "late", "m", at("2026-11-13T12:00"), 9))
    await laurels.period_rules.keep_up()
    await laurels.period_rules.stop()
    await laurels.period_rules.recompute()
    page = await laurels.leaderboard("b", "2026-W46")
    assert [(line.rank, line.user_id, line.score) for line in page.standings] == LINES
    assert (page.period.start, page.period.end) == (at("2026-11-09"), at("2026-11-16"))
    assert (page.period.status, page.recomputing, page.board.order) == ("closed", False, "highest")
    await laurels.close_periods()
    notified = "SELECT DISTINCT user_id FROM outbox WHERE type = 'leaderboard.closed' ORDER BY user_id"
    assert [row[0] for row in await sql(laurels.store, notified)] == ["ada", "bob"]
    await check_books(laurels)
    assert await lines(laurels, "2026-W46") == LINES


async def check_books(laurels: Laurels) -> None:
    admin = Admin(laurels)
    users = [user_id async for user_id in admin.users()]
    assert [await admin.verify(user_id) for user_id in users] == [[] for _ in users]
    for user_id in users:
        await admin.rebuild(user_id)
    assert await database_differences(laurels.core) == []
    assert await laurels.store.wrong_tallies() == 0


@pytest.mark.parametrize("when", [DUE, LATE], ids=["due", "late"])
@pytest.mark.parametrize("change", CHANGES)
async def test_a_week_that_ended_keeps_its_bounds_and_rule(database: str, change: str, when: datetime) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    clock.set(when)
    async with put_in_force("applied", database, rules(CHANGES[change]), clock) as laurels:
        if change in ("order", "first day", "metric", "groups"):
            assert await lines(laurels, "previous") == LINES
        await check(laurels)


@pytest.mark.parametrize("way", ["opened", "sandbox", "followed"])
async def test_it_does_so_in_whatever_way_a_catalog_comes_into_force(database: str, way: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    clock.set(LATE)
    async with put_in_force(way, database, rules(CHANGES["order"]), clock) as laurels:
        await check(laurels)


async def test_a_renamed_leaderboard_has_its_week_under_its_new_id(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK, "earlier"), clock)
    clock.set(LATE)
    async with put_in_force("applied", database, rules({**CHANGES["order"], "was": "earlier"}), clock) as laurels:
        await check(laurels)


@pytest.mark.parametrize("same", [{"name": "Other"}, {"ties": "dense"}, {"late_hours": 48}, {"was": "before"}])
async def test_a_week_whose_rule_stays_still_takes_late_events(database: str, same: dict[str, Any]) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    clock.set(LATE)
    async with put_in_force("applied", database, rules({**WEEK, **same}), clock) as laurels:
        await laurels.record(Event("cyd", "late", "m", at("2026-11-13T12:00"), 9))
        assert (3, "cyd", 16) in await lines(laurels, "2026-W46")
        assert (await laurels.leaderboard("b", "2026-W46")).period.status == "ended"
        await check_books(laurels)


async def test_a_season_goes_on_taking_late_events_when_the_next_one_is_added(database: str) -> None:
    days = [("Autumn", "2026-09-01", "2026-11-15"), ("Winter", "2026-11-16", "2027-02-28")]
    seasons = [{"name": name, "first": at(first).date(), "last": at(last).date()} for name, first, last in days]
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules({"period": "season", "seasons": seasons[:1]}), clock)
    clock.set(LATE)
    of = rules({"period": "season", "seasons": seasons})
    async with put_in_force("applied", database, of, clock) as laurels:
        await laurels.record(Event("cyd", "late", "m", at("2026-11-13T12:00"), 9))
        assert (3, "cyd", 16) in await lines(laurels, "Autumn")


async def test_a_catalog_that_is_refused_closes_no_period(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    clock.set(DUE)
    async with Laurels.open(database, None, clock=clock) as laurels:
        with pytest.raises(Exception, match="is gone"):
            await Admin(laurels).apply_catalog(rules(CHANGES["order"], "other"), "because", "a test")
        assert await laurels.store.all_closings() == []


async def test_a_database_without_a_catalog_keeps_the_order_that_its_lines_show(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    clock.set(DUE)
    async with Laurels.open(database, None, clock=clock) as laurels:
        for table in ("board_rules", "catalog_revisions"):
            await sql(laurels.store, f"DELETE FROM {table} RETURNING 1")
        adopting = Laurels(laurels.store, clock=clock)
        await Admin(adopting).adopt_catalog(rules(CHANGES["order"]), "because", "a test")
    async with Laurels.open(database, None, clock=clock) as laurels:
        assert await lines(laurels, "2026-W46") == LINES


async def test_lines_of_users_of_an_earlier_version_are_recomputed(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    async with Laurels.open(database, None, clock=clock) as laurels:
        for table in ("board_rules", "catalog_revisions"):
            await sql(laurels.store, f"DELETE FROM {table} RETURNING 1")
        adopting = Laurels(laurels.store, clock=clock)
        await Admin(adopting).adopt_catalog(rules(CHANGES["order"]), "because", "a test")
        await adopting.follow_catalog()
        await adopting.period_rules.look()
        assert adopting.core.recomputing == {"b"}
    async with Laurels.open(database, None, clock=clock) as laurels:
        await laurels.period_rules.stop()
        await laurels.record(Event("cyd", "one more", "m", clock.now, 1))
        page = await laurels.leaderboard("b")
        assert page.recomputing
        await laurels.period_rules.stop()
        await laurels.period_rules.recompute()
        assert not (await laurels.leaderboard("b")).recomputing
        assert await lines(laurels, "current") == [(1, "cyd", 8), (2, "bob", 43), (3, "ada", 5000)]


async def test_lines_of_users_under_the_same_rules_are_right_at_once(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    async with Laurels.open(database, None, clock=clock) as laurels:
        await sql(laurels.store, "DELETE FROM board_rules RETURNING 1")
    async with Laurels.open(database, None, clock=clock) as laurels:
        assert not (await laurels.leaderboard("b")).recomputing


async def test_no_page_is_shown_before_it_is_known_whether_it_is_right(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    async with Laurels.open(database, None, clock=clock) as laurels:
        await Admin(laurels).apply_catalog(rules(CHANGES["order"]), "because", "a test")
        reading = laurels.store.board_rules

        async def slowly() -> Any:
            await anyio.sleep(0.2)
            return await reading()

        laurels.store.board_rules = slowly  # type: ignore[method-assign]
        laurels.period_rules.start = lambda: None  # type: ignore[method-assign]
        pages: list[bool] = []

        async def read(after: float) -> None:
            await anyio.sleep(after)
            pages.append((await laurels.leaderboard("b")).recomputing)

        async with anyio.create_task_group() as tasks:
            for after in (0, 0.1):
                tasks.start_soon(read, after)
        assert pages == [True, True]


@pytest.mark.parametrize("midway", [False, True])
async def test_a_rebuild_settles_only_the_catalog_under_which_it_began(database: str, midway: bool) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    await fill(database, rules(WEEK), clock)
    async with (
        Laurels.open(database, None, clock=clock) as other,
        Laurels.open(database, None, clock=clock) as laurels,
    ):
        admin = Admin(laurels)
        if not midway:
            await Admin(other).apply_catalog(rules(CHANGES["order"]), "because", "a test")
            await laurels.follow_catalog()
        revision = laurels.rules.in_force.revision
        await admin.rebuild("ada")
        if midway:
            await Admin(other).apply_catalog(rules(CHANGES["order"]), "because", "a test")
        for user_id in ("bob", "cyd"):
            await admin.rebuild(user_id)
        await laurels.period_rules.settle(revision)
        laurels.period_rules.start = lambda: None  # type: ignore[method-assign]
        assert (await laurels.leaderboard("b")).recomputing == midway
        await laurels.period_rules.recompute()
        assert await lines(laurels, "current") == [(1, "cyd", 7), (2, "bob", 43), (3, "ada", 5000)]
