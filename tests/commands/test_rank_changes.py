"""Notifications of ranks: users who climb in or into the first ranks of a leaderboard get one, and no one else."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator

import pytest

from laurels.engine.events import Event
from tests.support import sql
from tests.support.arena import Arena, arena, rules

pytestmark = pytest.mark.anyio


@pytest.fixture
async def home(database: str) -> AsyncIterator[Arena]:
    """A weekly leaderboard that notifies its first two, and one that notifies no one; four users in order."""
    async with arena(database, rules({"id": "weekly", "period": "week", "tell_top": 2}, {"id": "quiet"})) as one:
        for user_id, pages in (("ann", 50), ("bob", 40), ("cay", 30), ("dan", 20)):
            await one.laurels.record_many([Event(user_id, "first", "read", quantity=pages)], ranks=False)
        yield one


async def told(one: Arena, board: str = "weekly") -> list[tuple[str, str, int | None, int]]:
    """The user, the type, and the rank before and after, of every notification of a rank."""
    found: list[tuple[str, str, int | None, int]] = []
    for kind in ("passed", "top"):
        for user_id, text in await one.notifications(f"leaderboard.{kind}"):
            data = json.loads(text)
            if data["board"] == board:
                found.append((user_id, kind, data["before"], data["rank"]))
    return found


async def test_imports_notify_no_one(home: Arena) -> None:
    assert await told(home) == await told(home, "points") == []


async def test_passing_a_user_in_the_first_ranks_notifies_the_passing_user(home: Arena) -> None:
    await home.read("bob", 15)
    assert await told(home) == [("bob", "passed", 2, 1)]


async def test_entering_the_first_ranks_and_climbing_there_is_notified(home: Arena) -> None:
    await home.read("dan", 25)
    assert await told(home) == [("dan", "passed", 4, 2), ("dan", "top", 4, 2)]
    await home.read("new", 100)
    assert ("new", "top", None, 1) in await told(home)


async def test_climbing_below_the_first_ranks_or_not_climbing_is_not_notified(home: Arena) -> None:
    await home.read("dan", 15)  # from the fourth to the third
    await home.read("ann", 5)  # first before and after
    await home.read("bob", 1)
    assert await told(home) == []
    await home.read("dan", 1000)
    assert await told(home, "quiet") == []


async def test_returning_to_the_first_ranks_is_notified(home: Arena) -> None:
    await home.exclude("ann")
    assert await told(home) == []
    await home.admin.undo("ann", "exclusion")
    assert await told(home) == [("ann", "top", None, 1)]


async def test_a_standing_that_a_rebuild_corrects_notifies_no_one(home: Arena) -> None:
    await sql(home.laurels.store, "DELETE FROM standings WHERE user_id = ?", "ann")
    await home.laurels.store.rebuild_tallies()
    assert await home.ids() == ["bob", "cay", "dan"]
    assert await home.admin.rebuild("ann")
    assert await home.ids() == ["ann", "bob", "cay", "dan"]
    assert await told(home) == []


@pytest.mark.parametrize(("ties", "rank"), [("first", 3), ("shared", 2), ("dense", 2)])
async def test_a_notification_has_the_rank_that_the_leaderboard_shows(database: str, ties: str, rank: int) -> None:
    async with arena(database, rules({"id": "weekly", "period": "week", "ties": ties, "tell_top": 3})) as one:
        for user_id, pages in (("ann", 50), ("bob", 40), ("cay", 30), ("dan", 20)):
            await one.laurels.record_many([Event(user_id, "first", "read", quantity=pages)], ranks=False)
        await one.read("dan", 20)
        assert await told(one) == [("dan", "passed", 4, rank), ("dan", "top", 4, rank)]
        assert (await one.board(me="dan")).me.rank == rank  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("ties", ["first", "shared", "dense"])
async def test_notifications_of_simultaneous_moves_have_the_ranks_before_and_after(
    database: str, ties: str, seed: int
) -> None:
    rng = random.Random(seed)
    users = [f"u{number}" for number in range(12)]
    async with arena(database, rules({"id": "weekly", "period": "week", "ties": ties, "tell_top": 50})) as one:
        for number in range(6):
            before = {user_id: rank for rank, user_id, _ in await one.lines(limit=50)}
            known = len(await told(one))
            moving = rng.sample(users, rng.randint(1, 6))
            await one.laurels.record_many(
                [Event(user_id, f"e-{number}", "read", quantity=rng.randint(1, 3)) for user_id in moving]
            )
            after = {user_id: rank for rank, user_id, _ in await one.lines(limit=50)}
            rank_changes = {user for user in moving if before.get(user) is None or after[user] < before[user]}
            news = [
                entry
                for entry in await told(one)
                if entry[0] in moving and entry[2:] == (before.get(entry[0]), after[entry[0]])
            ]
            assert {entry[0] for entry in news} == rank_changes
            assert len(await told(one)) - known == len(rank_changes)
