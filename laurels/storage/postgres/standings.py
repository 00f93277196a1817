"""Writing standings on PostgreSQL: which moves are made, what they change, and what erased users leave in closed periods.

The functions take the connection of a transaction. A key is (partition, period).
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from laurels.engine.ranking import HIDDEN, WITHIN, Move, Place
from laurels.storage.columns import PLACE
from laurels.storage.postgres.connections import Locks, insert_all
from laurels.storage.postgres.pool import Connection, write
from laurels.storage.postgres.ranking import DROP_EMPTY_TALLIES, SAVE_TALLIES, part_of
from laurels.storage.standings import ERASED_USER, Key, base, is_correction, part_with_ranks, tally_changes

CLOSED_OF = """
SELECT board, period FROM unnest($1::text[], $2::text[]) AS requested (board, period)
JOIN closings USING (board, period)
"""
LOCK_PERIODS = "SELECT pg_advisory_xact_lock_shared($1, period) FROM unnest($2::integer[]) AS period"
LOCK_GAPS = "SELECT pg_advisory_xact_lock($1)"
STANDINGS_OF = f"SELECT {PLACE} FROM standings WHERE user_id = ANY($1)"
LOCK_USERS = "SELECT user_id FROM users WHERE user_id = ANY($1) ORDER BY user_id FOR SHARE"
STANDINGS_AT = f"""
SELECT {PLACE} FROM unnest($1::text[], $2::text[], $3::text[]) AS requested (user_id, board, period)
JOIN standings USING (user_id, board, period)
"""
SAVE_STANDINGS = f"""
{insert_all(PLACE)}
ON CONFLICT (user_id, board, period) DO UPDATE SET sort_key = excluded.sort_key, reached_at = excluded.reached_at
"""
DROP_STANDINGS = """
DELETE FROM standings AS s USING unnest($1::text[], $2::text[], $3::text[]) AS gone (user_id, board, period)
WHERE s.user_id = gone.user_id AND s.board = gone.board AND s.period = gone.period
"""
LEAVE_GAPS = f"""
WITH gap AS (
    SELECT s.period, following.user_id, following.board, s.ahead + requested.taken AS ahead
    FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS requested (board, period, base, taken)
    JOIN standings s ON s.user_id = $1 AND s.board = requested.board AND s.period = requested.period,
    LATERAL (
        SELECT equal.user_id, part.board
        FROM unnest(ARRAY[requested.base, requested.base || '{HIDDEN}']) AS part (board), LATERAL (
            SELECT e.user_id FROM standings e
            WHERE e.board = part.board AND e.period = s.period AND e.sort_key = s.sort_key AND e.reached_at = s.reached_at
                AND e.user_id > $1 AND e.user_id < '{ERASED_USER}'
            ORDER BY e.user_id LIMIT 1
        ) AS equal ORDER BY equal.user_id LIMIT 1
    ) AS following
)
UPDATE standings s SET ahead = s.ahead + gap.ahead FROM gap
WHERE s.user_id = gap.user_id AND s.board = gap.board AND s.period = gap.period AND gap.ahead > 0
"""
"""Adds a user's ($1) place in each of these partitions and periods (if it took a rank), and the gap ahead of it, to the gap
ahead of the next equal user, who may be hidden.
"""


async def to_make(connection: Connection, moves: Sequence[Move], locks: Locks) -> Sequence[Move]:
    """The moves to make: none in closed periods, and late ones from the stored place of the user.

    A late move waits while its period is being closed, and then is left out.
    """
    late = [move for move in moves if move.late]
    if not late:
        return moves
    closed = await _closed(connection, {base((move.board, move.period)) for move in late}, locks)
    keys = [(move.user_id, move.board, move.period) for move in late]
    found = await connection.fetch(STANDINGS_AT, *map(list, zip(*keys, strict=True)))
    places = {tuple(row[:3]): Place(row[3], row[4], row[0]) for row in found}
    made: list[Move] = []
    for move in moves:
        if not move.late:
            made.append(move)
        elif base((move.board, move.period)) not in closed:
            before = places.get((move.user_id, move.board, move.period))
            if before != move.after:
                made.append(replace(move, before=before))
    return made


async def _closed(connection: Connection, keys: Collection[Key], locks: Locks) -> set[Key]:
    """Which of these periods are closed. No one closes another of them until this transaction ends."""
    await connection.execute(LOCK_PERIODS, locks.periods, sorted({lock_of(key) for key in keys}))
    found = await connection.fetch(CLOSED_OF, [board for board, _ in keys], [period for _, period in keys])
    return {(board, period) for board, period in found}


async def correct(connection: Connection, moves: Sequence[Move]) -> None:
    """Make moves whether or not their periods are closed; see `correct_standings`. Until the end, none of the users is erased."""
    if not moves:
        return
    keys = [(move.user_id, move.board, move.period) for move in moves]
    users = {row[0] for row in await connection.fetch(LOCK_USERS, sorted({move.user_id for move in moves}))}
    found = await connection.fetch(STANDINGS_AT, *map(list, zip(*keys, strict=True)))
    places = {tuple(row[:3]): Place(row[3], row[4], row[0]) for row in found}
    await save(
        connection,
        [
            replace(move, before=places.get(key))
            for key, move in zip(keys, moves, strict=True)
            if is_correction(move, places.get(key), exists=move.user_id in users)
        ],
    )


async def save(connection: Connection, moves: Sequence[Move]) -> None:
    """Write the places that changed, and the net change of every tally that they cross, in one order for all processes."""
    removed: list[tuple[str, str, str]] = []
    changed: list[tuple[str, str, str, int, int]] = []
    for move in moves:
        key = (move.user_id, move.board, move.period)
        if move.after:
            changed.append((*key, move.after.sort_key, move.after.reached_at))
        else:
            removed.append(key)
    await write(connection, DROP_STANDINGS, removed)
    await write(connection, SAVE_STANDINGS, changed)
    net = tally_changes(moves, lambda move, node: (move.board, move.period, *node, part_of(move.user_id)))
    await write(connection, SAVE_TALLIES, net)
    await write(connection, DROP_EMPTY_TALLIES, [row[:-1] for row in net if row[-1] < 0])


async def leaving(connection: Connection, users: Sequence[str], locks: Locks) -> list[Move]:
    """The moves of users who leave every leaderboard. In closed periods a placeholder takes their place, so no rank changes.

    They leave in the order of their ids, so that the gap of one is passed on by the next who leaves too.
    """
    found = places_by_user(users, await connection.fetch(STANDINGS_OF, users))
    closed = await _closed(connection, {base(key) for places in found.values() for key in places}, locks)
    if closed:
        await connection.execute(LOCK_GAPS, locks.gaps)
    moves: list[Move] = []
    for user_id in sorted(users):
        await _leave_gaps(connection, user_id, [key for key in found[user_id] if base(key) in closed])
        for key, place in found[user_id].items():
            moves.append(Move(user_id, *key, place, None))
            if base(key) in closed:
                erased = Place(place.sort_key, place.reached_at, ERASED_USER + secrets.token_hex(8))
                moves.append(Move(erased.user_id, *key, None, erased))
    return moves


async def _leave_gaps(connection: Connection, user_id: str, keys: Sequence[Key]) -> None:
    """Add the user's places, and the gaps ahead of them, to the gaps ahead of the next equals, who may be hidden."""
    boards = [(*key, part_with_ranks(key[0])) for key in keys]
    requested = [
        (partition, period, board, int(partition == board))  # a hidden user took no rank
        for partition, period, board in boards
        if board is not None
    ]
    await write_for(connection, LEAVE_GAPS, user_id, requested)


async def write_for(connection: Connection, statement: str, user_id: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement over these rows of a user, passed as one array for each column; without rows do nothing."""
    if rows:
        await connection.execute(statement, user_id, *map(list, zip(*rows, strict=True)))


def places_by_user(users: Sequence[str], found: Iterable[Any]) -> dict[str, dict[Key, Place]]:
    """The places of users by partition and period, from PLACE."""
    places: dict[str, dict[Key, Place]] = {user_id: {} for user_id in users}
    for user_id, board, period, sort_key, reached_at in found:
        places[user_id][board, period] = Place(sort_key, reached_at, user_id)
    return places


def lock_of(key: Key) -> int:
    """The second key of a period's lock."""
    return zlib.crc32(WITHIN.join(key).encode()) - 2**31
