"""Closing periods on every engine: closed once and notified once, for writers of any process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from laurels.storage.contract import LeaderboardRequest, Store
from tests.storage.test_leaderboards import put
from tests.support import LASTING_ENGINES, new_database, sql
from tests.support.arena import CLOSE, WEEK, Arena, arena, walked

pytestmark = pytest.mark.anyio

KEY = ("weekly", WEEK)


@pytest.fixture
async def home(database: str) -> AsyncIterator[Arena]:
    """Three people on the weekly board."""
    async with arena(database) as one:
        for user_id, pages in (("ann", 3), ("bob", 2), ("cay", 1)):
            await one.read(user_id, pages)
        yield one


async def test_a_period_is_closed_once_when_several_processes_close_it(home: Arena) -> None:
    store = home.laurels.store
    closed = await asyncio.gather(*(store.close_period(*KEY, CLOSE) for _ in range(20)))
    assert sorted(closed) == [False] * 19 + [True]
    told = await asyncio.gather(*(store.notify_closing(*KEY, 2, "first", CLOSE) for _ in range(20)))
    assert sorted(told) == [False] * 19 + [True]
    assert [user_id for user_id, _ in await home.notifications("leaderboard.closed")] == ["ann", "bob"]


async def test_a_period_counts_as_closed_after_its_first_ranks_were_notified(store: Store) -> None:
    assert not await store.is_closed(*KEY)
    await store.close_period(*KEY, CLOSE)
    assert not await store.is_closed(*KEY)
    assert await store.notify_closing(*KEY, 0, "first", CLOSE)
    assert await store.is_closed(*KEY)
    assert not await store.is_closed("weekly", "2026-W03")
    assert not await store.is_closed("weekly/hidden", WEEK)


async def test_closings_are_listed_newest_first_per_leaderboard(store: Store) -> None:
    for number in (2, 4, 3):
        await store.close_period("weekly", f"2026-W0{number}", CLOSE.replace(day=10 + number))
    await store.close_period("other", "2026-W05", CLOSE)
    assert [row.period for row in await store.closings("weekly", 10)] == ["2026-W04", "2026-W03", "2026-W02"]
    assert [row.period for row in await store.closings("weekly", 1)] == ["2026-W04"]
    assert [row.closed_at for row in await store.closings("other", 9)] == [CLOSE]


async def test_a_notification_raises_the_revision_so_that_none_is_written_twice(home: Arena) -> None:
    store = home.laurels.store
    before = await store.user("ann")
    await store.close_period(*KEY, CLOSE)
    await store.notify_closing(*KEY, 1, "first", CLOSE)
    after = await store.user("ann")
    assert before is not None
    assert after is not None
    assert after.revision == before.revision + 1
    await home.read("ann", 1)
    assert (await home.laurels.profile("ann")).points == 4


async def test_standings_of_a_closed_period_are_not_loaded_with_a_user(home: Arena) -> None:
    store = home.laurels.store
    whole = await store.user_snapshot("ann")
    assert whole is not None
    assert KEY in whole.standings
    await store.close_period(*KEY, CLOSE)
    whole = await store.user_snapshot("ann")
    assert whole is not None
    assert KEY not in whole.standings
    assert ("weekly-days", WEEK) in whole.standings
    assert [line.place.user_id for line in (await store.listing(LeaderboardRequest(*KEY))).lines] == [
        "ann",
        "bob",
        "cay",
    ]
    await store.rebuild_tallies()
    assert await store.wrong_tallies() == 0


@pytest.mark.parametrize("engine", LASTING_ENGINES)
@pytest.mark.parametrize("to", ["sqlite-memory", "postgresql"])
async def test_a_copy_has_the_same_closed_periods(database: str, to: str) -> None:
    async with arena(database) as one:
        for user_id, pages in (("ann", 3), ("bob", 2), ("cay", 1)):
            await one.read(user_id, pages)
        await one.laurels.update_user("bob", visibility="pseudonym")
        one.clock.set(CLOSE)
        await one.laurels.close_periods()
        await one.laurels.erase_user("ann")
        before = await walked(one, "weekly", WEEK)
        with new_database(to) as address:
            async with arena(address, start=CLOSE) as copy:
                async with one.laurels.store.rows() as rows:
                    await copy.laurels.store.fill(rows.batches())
                assert await walked(copy, "weekly", WEEK) == before
                closings = "SELECT board, period, closed_at, notified_at FROM closings ORDER BY board"
                assert await sql(copy.laurels.store, closings) == await sql(one.laurels.store, closings)
                assert await copy.laurels.close_periods() == []


async def test_a_period_is_listed_once_for_all_partitions_until_it_is_closed_and_notified(store: Store) -> None:
    partitions = (
        "crew",
        "crew-2",
        "crew/hidden",
        "crew/team/blue",
        "crew/team/red",
        "crew/team/\U0010ffff",
        "crew0",
        "d/team/x",
    )
    for number in (1, 2, 3):
        for index, partition in enumerate(partitions):
            await put(store, (partition, f"2026-W0{number}"), {f"u{index}": (-1, 0)})
    await put(store, ("late/team/b", "2026-W02"), {"ann": (-1, 0)})
    boards = ("crew", "crew-2", "crew0", "d")
    weeks = [f"2026-W0{number}" for number in (1, 2, 3)]
    every = sorted([*((board, week) for board in boards for week in weeks), ("late", "2026-W02")])
    assert [tuple(key) for key in await store.periods()] == every
    for board in ("crew", "d"):
        await store.close_period(board, "2026-W02", CLOSE)
    assert [tuple(key) for key in await store.periods()] == every
    await store.notify_closing("crew", "2026-W02", 0, "first", CLOSE)
    assert [tuple(key) for key in await store.periods()] == [key for key in every if key != ("crew", "2026-W02")]
    await put(store, ("crew0", "2026-W03"), {"u6": None})
    assert ("crew0", "2026-W03") not in [tuple(key) for key in await store.periods()]


async def test_a_period_without_standings_is_not_listed(store: Store) -> None:
    assert [*await store.periods()] == []
