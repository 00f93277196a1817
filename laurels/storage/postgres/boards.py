"""Leaderboards on PostgreSQL: standings, the tallies that make their ranks cheap, and reading lines of them.

The functions take the connection of a transaction or a snapshot. A key is (board, period).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from laurels.engine.leaderboards import Move, Place, Ranks, Ties, around, nodes, numbered, order, ranks_of
from laurels.storage.base import ALL_TIME, POINTS_BOARD, Listed, Listing, Standing
from laurels.storage.postgres import statements as sql
from laurels.storage.postgres.lines import LONG_STATEMENT_SECONDS, Connection, write

Key = tuple[str, str]

# ---- writing ----------------------------------------------------------------------------------


async def save(connection: Connection, moves: Iterable[Move]) -> None:
    """Write the places that changed, and the net change of every tally that they cross, in one order everywhere."""
    tallies: Counter[tuple[str, str, int, int, int, int]] = Counter()
    gone: list[tuple[str, str, str]] = []
    stay: list[tuple[str, str, str, int, int]] = []
    for move in moves:
        key, part = (move.board, move.period), _part(move.user_id)
        if move.before:
            tallies.subtract((*key, *node, part) for node in nodes(move.before))
        if move.after:
            tallies.update((*key, *node, part) for node in nodes(move.after))
            stay.append((move.user_id, *key, move.after.sort_key, move.after.reached_at))
        else:
            gone.append((move.user_id, *key))
    await write(connection, sql.DROP_STANDINGS, gone)
    await write(connection, sql.SAVE_STANDINGS, stay)
    net = [(*node, amount) for node, amount in sorted(tallies.items()) if amount]
    await write(connection, sql.SAVE_TALLIES, net)
    await write(connection, sql.DROP_EMPTY_TALLIES, [row[:-1] for row in net if row[-1] < 0])


async def leaving(connection: Connection, users: Sequence[str]) -> list[Move]:
    """The moves of users who leave every board."""
    found = await standings(connection, users)
    return [Move(user_id, *key, place, None) for user_id in users for key, place in found[user_id].items()]


async def ranks(connection: Connection, moves: Iterable[Move]) -> Mapping[str, Ranks]:
    """The ranks on the board of all points before and after these moves, none of which is written yet."""
    key = (POINTS_BOARD, ALL_TIME)
    on_board = [move for move in moves if (move.board, move.period) == key]
    places = [*{place for move in on_board for place in (move.before, move.after) if place}]
    return ranks_of(on_board, dict(zip(places, await _ahead(connection, key, places), strict=True)))


async def rebuild_tallies(connection: Connection) -> None:
    """Make all tallies anew from the standings, while nobody writes either."""
    await connection.execute(sql.LOCK_BOARDS)
    await connection.execute("DELETE FROM tallies", timeout=LONG_STATEMENT_SECONDS)
    await connection.execute(sql.MAKE_TALLIES, timeout=LONG_STATEMENT_SECONDS)


def _part(user_id: str) -> int:
    return hashlib.sha256(user_id.encode()).digest()[0] % sql.PARTS


# ---- reading ----------------------------------------------------------------------------------


async def standings(connection: Connection, users: Sequence[str]) -> dict[str, dict[Key, Place]]:
    """The places of users, by board and period."""
    found: dict[str, dict[Key, Place]] = {user_id: {} for user_id in users}
    for user_id, board, period, sort_key, reached_at in await connection.fetch(sql.STANDINGS_OF, users):
        found[user_id][board, period] = Place(sort_key, reached_at, user_id)
    return found


async def rank(connection: Connection, key: Key, user_id: str, ties: Ties) -> tuple[int | None, int]:
    """A user's rank (None: unranked), and how many stand on the board, in one statement."""
    better, ranked = await connection.fetchrow(sql.RANK[ties], *key, user_id)
    return (None if better is None else better + 1), ranked


async def listing(connection: Connection, asked: Listing) -> Listed:
    """The lines asked for."""
    key = (asked.board, asked.period)
    lines = await (_some(connection, key, asked) if asked.only is not None else _following(connection, key, asked))
    me = next((line for line in lines if line.place.user_id == asked.me), None)
    if me is None and asked.me is not None:
        me = next(iter(await _of_users(connection, key, [asked.me], asked.ties)), None)
    return Listed(lines, me, await connection.fetchval(sql.RANKED, *key))


def top(found: Iterable[Any]) -> list[Standing]:
    """The first lines of a board that ranks equal scores by who reached them first, from LINE columns."""
    return [_standing(row, number) for number, row in enumerate(found, start=1)]


async def _some(connection: Connection, key: Key, asked: Listing) -> list[Standing]:
    some = await _of_users(connection, key, [*dict.fromkeys(asked.only or ())], asked.ties)
    return some[: asked.limit]


async def _of_users(connection: Connection, key: Key, users: Sequence[str], ties: Ties) -> list[Standing]:
    found = await connection.fetch(sql.LINES_OF, *key, users)
    places = [_place(row) for row in found]
    numbers = await _ranks(connection, key, places, ties)
    lines = [_standing(row, number) for row, number in zip(found, numbers, strict=True)]
    return sorted(lines, key=lambda line: order(line.place))


async def _following(connection: Connection, key: Key, asked: Listing) -> list[Standing]:
    """Lines that follow one another on the board: only the first of them is counted up to."""
    found = await _rows(connection, key, asked)
    if not found:
        return []
    places = [_place(row) for row in found]
    (ahead,) = await _ahead(connection, key, places[:1])
    (shown,) = [ahead + 1] if asked.ties == "first" else await _ranks(connection, key, places[:1], asked.ties)
    numbers = numbered(places, asked.ties, ahead + 1, shown)
    return [_standing(row, number) for row, number in zip(found, numbers, strict=True)]


async def _rows(connection: Connection, key: Key, asked: Listing) -> list[Any]:
    if asked.around is not None:
        found = await connection.fetch(sql.LINES_OF, *key, [asked.around])
        if not found:
            return []
        place = order(_place(found[0]))
        before = await connection.fetch(sql.BEFORE, *key, *place, asked.limit - 1)
        behind = await connection.fetch(sql.BEHIND, *key, *place, asked.limit - 1)
        return around(before[::-1], found[0], behind, asked.limit)
    if asked.after:
        after = asked.after
        return await connection.fetch(sql.NEXT, *key, after.sort_key, after.reached_at, asked.limit, after.lines)
    return await connection.fetch(sql.FIRST, *key, asked.limit)


async def _ranks(connection: Connection, key: Key, places: Sequence[Place], ties: Ties) -> list[int]:
    if ties == "first":
        return [ahead + 1 for ahead in await _ahead(connection, key, places)]
    if not places:
        return []
    found = await connection.fetch(sql.BETTER[ties], *key, *_columns(places))
    return [row[0] + 1 for row in found]


async def _ahead(connection: Connection, key: Key, places: Sequence[Place]) -> list[int]:
    """How many stand ahead of each place."""
    if not places:
        return []
    return [row[0] for row in await connection.fetch(sql.BETTER["first"], *key, *_columns(places))]


def _columns(places: Sequence[Place]) -> tuple[list[int], list[int], list[str]]:
    return (
        [place.sort_key for place in places],
        [place.reached_at for place in places],
        [place.user_id for place in places],
    )


def _place(row: Any) -> Place:
    return Place(row[3], row[4], row[0])


def _standing(row: Any, number: int) -> Standing:
    return Standing(number, _place(row), row[1], row[2])
