"""Migrating a database in which hidden users count in the totals of their teams: they are left out of open periods."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from laurels.engine.ranking import Move, Place
from laurels.storage import open_store
from laurels.storage.contract import Store, TeamsRequest
from laurels.storage.postgres.ranking import part_of
from laurels.storage.postgres.store import PostgresStore
from laurels.storage.standings import tally_changes
from tests.support import check_tallies, migrate_before, sql

pytestmark = pytest.mark.anyio

USERS = {"ann": None, "bob": "hidden", "cay": "public", "dan": "hidden", "eve": "pseudonym"}
SCORES = {"ann": 2**50, "bob": 6, "cay": 3, "dan": 0, "eve": 70}
TEAMS = {"red": ["ann", "bob", "eve"], "blue": ["cay"], "grey": ["bob", "dan"]}


@pytest.fixture
async def earlier(database: str) -> AsyncIterator[Store]:
    """A store before the migration, with a running and a closed period of a leaderboard of teams, and another leaderboard."""
    store = open_store(database)
    await migrate_before(store, "_teams")
    for user_id, visibility in USERS.items():
        await sql(
            store,
            "INSERT INTO users (user_id, created_at, revision, rules, points, progress, visibility, excluded, amnesties) "
            "VALUES (?, 0, 1, '', 0, ?, ?, 0, 0) RETURNING 1",
            *(user_id, b"", visibility),
        )
    for period in ("2026-W01", "2026-W02"):
        for team, members in TEAMS.items():
            for user_id in members:
                await add(store, user_id, f"crew/team/{team}", period)
    for user_id in ("bob", "ann"):
        await add(store, user_id, "crew-2/hidden" if user_id == "bob" else "crew-2", "all")
    await sql(store, "INSERT INTO closings (board, period, closed_at) VALUES ('crew', '2026-W01', 0) RETURNING 1")
    yield store
    await store.close()


async def add(store: Store, user_id: str, board: str, period: str) -> None:
    """A standing with its tallies, as an earlier version stored them."""
    place = Place(-SCORES[user_id], 5 * 2**40 + SCORES[user_id], user_id)
    await sql(
        store,
        "INSERT INTO standings (user_id, board, period, sort_key, reached_at) VALUES (?, ?, ?, ?, ?) RETURNING 1",
        *(user_id, board, period, place.sort_key, place.reached_at),
    )
    part = (part_of(user_id),) if isinstance(store, PostgresStore) else ()
    of_part = ", part" if part else ""
    key = "board, period, level, under, node"
    for row in tally_changes(
        [Move(user_id, board, period, None, place)], lambda _, node: (board, period, *node, *part)
    ):
        await sql(
            store,
            f"INSERT INTO tallies ({key}{of_part}, amount) VALUES (?, ?, ?, ?, ?{', ?' if part else ''}, ?) "
            f"ON CONFLICT ({key}{of_part}) DO UPDATE SET amount = tallies.amount + excluded.amount RETURNING 1",
            *row,
        )


async def totals(store: Store, period: str) -> dict[str, tuple[int, int]]:
    found = await store.teams(TeamsRequest("crew", period, 10))
    return {team.name: (team.total, team.members) for team in found.lines}


async def test_hidden_members_are_left_out_of_open_periods_only(earlier: Store) -> None:
    await check_tallies(earlier)
    closed = await totals(earlier, "2026-W01")
    assert await totals(earlier, "2026-W02") == closed == {"red": (2**50 + 76, 3), "blue": (3, 1), "grey": (6, 2)}

    assert await earlier.migrate()

    assert await totals(earlier, "2026-W01") == closed
    assert await totals(earlier, "2026-W02") == {"red": (2**50 + 70, 2), "blue": (3, 1)}
    assert await earlier.wrong_tallies() == 0
    await check_tallies(earlier)
    standings = await sql(
        earlier, "SELECT user_id, board FROM standings WHERE period <> '2026-W01' ORDER BY user_id, board"
    )
    assert [tuple(row) for row in standings] == [
        ("ann", "crew-2"),
        ("ann", "crew/team/red"),
        ("bob", "crew-2/hidden"),
        ("cay", "crew/team/blue"),
        ("eve", "crew/team/red"),
    ]
