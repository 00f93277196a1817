"""Writing standings on SQLite: which moves are made, what they change, and what erased users leave in closed periods.

The functions take the connection of a transaction. A key is (partition, period).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace

from laurels.engine.ranking import HIDDEN, Move, Place, order
from laurels.storage.codec import standings_of
from laurels.storage.columns import PLACE
from laurels.storage.sqlite.connections import insert
from laurels.storage.sqlite.driver import Connection
from laurels.storage.sqlite.ranking import DROP_EMPTY_TALLY, SAVE_TALLY
from laurels.storage.standings import ERASED_USER, Key, base, is_correction, part_with_ranks, tally_changes

IS_CLOSED = "SELECT 1 FROM closings WHERE board = ? AND period = ?"
STANDING = "SELECT sort_key, reached_at FROM standings WHERE user_id = ? AND board = ? AND period = ?"
STANDINGS_OF = f"SELECT {PLACE} FROM standings WHERE user_id = ?"
IS_USER = "SELECT 1 FROM users WHERE user_id = ?"
SAVE_STANDING = f"""
{insert(PLACE)}
ON CONFLICT (user_id, board, period) DO UPDATE SET sort_key = excluded.sort_key, reached_at = excluded.reached_at
"""
DROP_STANDING = "DELETE FROM standings WHERE user_id = ? AND board = ? AND period = ?"
GAP_OF = "SELECT ahead FROM standings WHERE user_id = ? AND board = ? AND period = ?"
NEXT_EQUAL = f"""
SELECT user_id, board FROM standings
WHERE board = ? AND period = ? AND sort_key = ? AND reached_at = ? AND user_id > ? AND user_id < '{ERASED_USER}'
ORDER BY user_id LIMIT 1
"""
WIDEN_GAP = "UPDATE standings SET ahead = ahead + ? WHERE user_id = ? AND board = ? AND period = ?"


def to_make(connection: Connection, moves: Iterable[Move]) -> list[Move]:
    """The moves to make: none in closed periods, and late ones from the stored place of the user."""
    made: list[Move] = []
    for move in moves:
        key = (move.board, move.period)
        if not move.late:
            made.append(move)
        elif not is_closed_for_good(connection, key):
            row = connection.execute(STANDING, (move.user_id, *key)).fetchone()
            before = Place(row[0], row[1], move.user_id) if row else None
            if before != move.after:
                made.append(replace(move, before=before))
    return made


def correct(connection: Connection, moves: Iterable[Move]) -> None:
    """Make moves whether or not their periods are closed; see `correct_standings`."""
    made: list[Move] = []
    for move in moves:
        row = connection.execute(STANDING, (move.user_id, move.board, move.period)).fetchone()
        stored = Place(row[0], row[1], move.user_id) if row else None
        exists = connection.execute(IS_USER, (move.user_id,)).fetchone() is not None
        if is_correction(move, stored, exists=exists):
            made.append(replace(move, before=stored))
    save(connection, made)


def save(connection: Connection, moves: Iterable[Move]) -> None:
    """Write the places that changed, and the net change of every tally that they cross."""
    moves = list(moves)
    for move in moves:
        key = (move.board, move.period)
        if move.after:
            connection.execute(SAVE_STANDING, (move.user_id, *key, move.after.sort_key, move.after.reached_at))
        else:
            connection.execute(DROP_STANDING, (move.user_id, *key))
    net = tally_changes(moves, lambda move, node: (move.board, move.period, *node))
    connection.executemany(SAVE_TALLY, net)
    connection.executemany(DROP_EMPTY_TALLY, [row[:-1] for row in net if row[-1] < 0])


def leaving(connection: Connection, users: Iterable[str]) -> list[Move]:
    """The moves of users who leave every leaderboard. In closed periods a placeholder takes their place, so no rank changes.

    They leave in the order of their ids, so that the gap of one is passed on by the next who leaves too.
    """
    moves: list[Move] = []
    for user_id in sorted(users):
        for key, place in standings_of(connection.execute(STANDINGS_OF, (user_id,))).items():
            moves.append(Move(user_id, *key, place, None))
            if is_closed_for_good(connection, key):
                _leave_gap(connection, key, place)
                erased = Place(place.sort_key, place.reached_at, ERASED_USER + secrets.token_hex(8))
                moves.append(Move(erased.user_id, *key, None, erased))
    return moves


def _leave_gap(connection: Connection, key: Key, place: Place) -> None:
    """Add the place, and the gap ahead of it, to the gap ahead of the next equal, who may be hidden."""
    partition, period = key
    board = part_with_ranks(partition)
    if board is None:
        return
    (gap,) = connection.execute(GAP_OF, (place.user_id, *key)).fetchone()
    gap += partition == board  # a hidden user took no rank
    found = [connection.execute(NEXT_EQUAL, (one, period, *order(place))).fetchone() for one in (board, board + HIDDEN)]
    equals = [row for row in found if row]
    if gap and equals:
        connection.execute(WIDEN_GAP, (gap, *min(equals), period))


def is_closed_for_good(connection: Connection, key: Key) -> bool:
    """Whether the period is closed, so that no standing under this key changes any more."""
    return connection.execute(IS_CLOSED, base(key)).fetchone() is not None
