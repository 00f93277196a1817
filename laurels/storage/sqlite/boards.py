"""Leaderboards on SQLite: standings, the tallies that make their ranks cheap, and reading lines of them.

The functions take the connection of a transaction or a snapshot. A key is (board, period).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from laurels.engine.leaderboards import (
    FIRST_TIME_LEVEL,
    KEY_SHIFTS,
    TIME_SHIFTS,
    Move,
    Place,
    Ranks,
    Ties,
    around,
    finest_time,
    nodes,
    numbered,
    order,
    ranges_ahead,
    ranks_of,
)
from laurels.storage import rows
from laurels.storage.base import ALL_TIME, POINTS_BOARD, Listed, Listing, Standing

Key = tuple[str, str]

LINE = """
SELECT s.user_id, u.name, u.points, s.sort_key, s.reached_at
FROM standings s JOIN users u ON u.user_id = s.user_id
WHERE s.board = ? AND s.period = ?
"""
LINE_OF = f"{LINE} AND s.user_id = ?"
FIRST = f"{LINE} ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT ?"
BEHIND = f"""
{LINE} AND (s.sort_key, s.reached_at, s.user_id) > (?, ?, ?) ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT ?
"""
NEXT = f"""
{LINE} AND (s.sort_key, s.reached_at) >= (?, ?) ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT ? OFFSET ?
"""
BEFORE = f"""
{LINE} AND (s.sort_key, s.reached_at, s.user_id) < (?, ?, ?)
ORDER BY s.sort_key DESC, s.reached_at DESC, s.user_id DESC LIMIT ?
"""
STANDING = "SELECT sort_key, reached_at FROM standings WHERE user_id = ? AND board = ? AND period = ?"
STANDINGS = f"SELECT {rows.STANDINGS} FROM standings WHERE user_id = ?"
RANKED = f"""
SELECT coalesce(sum(amount), 0) FROM tallies
WHERE board = ? AND period = ? AND level = {FIRST_TIME_LEVEL - 1} AND under = 0
"""


def _in_nodes(levels: Iterable[int]) -> str:
    return " + ".join(
        "(SELECT coalesce(sum(amount), 0) FROM tallies "
        f"WHERE board = ? AND period = ? AND level = {level} AND under = ? AND node BETWEEN ? AND ?)"
        for level in levels
    )


BETTER = f"SELECT {_in_nodes(range(FIRST_TIME_LEVEL))}"
AHEAD = f"""
SELECT {_in_nodes(range(FIRST_TIME_LEVEL + len(TIME_SHIFTS)))} + (
    SELECT count(*) FROM standings
    WHERE board = ? AND period = ? AND sort_key = ? AND reached_at >= ? AND (reached_at, user_id) < (?, ?)
)
"""
BETTER_SCORES = "SELECT count(*) FROM tallies WHERE board = ? AND period = ? AND level = 0 AND under = 0 AND node < ?"
"""A node of the finest level is one score."""

SAVE_STANDING = f"""
INSERT INTO standings ({rows.STANDINGS}) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user_id, board, period) DO UPDATE SET sort_key = excluded.sort_key, reached_at = excluded.reached_at
"""
DROP_STANDING = "DELETE FROM standings WHERE user_id = ? AND board = ? AND period = ?"
SAVE_TALLY = """
INSERT INTO tallies (board, period, level, under, node, amount) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (board, period, level, under, node) DO UPDATE SET amount = amount + excluded.amount
"""
DROP_EMPTY_TALLY = (
    "DELETE FROM tallies WHERE board = ? AND period = ? AND level = ? AND under = ? AND node = ? AND amount = 0"
)
TRUE_TALLIES = " UNION ALL ".join(
    [
        f"SELECT board, period, {level} AS level, 0 AS under, sort_key >> {shift} AS node, count(*) AS amount "
        "FROM standings GROUP BY board, period, node"
        for level, shift in enumerate(KEY_SHIFTS)
    ]
    + [
        f"SELECT board, period, {FIRST_TIME_LEVEL + level} AS level, sort_key AS under, reached_at >> {shift} AS node, "
        "count(*) AS amount FROM standings GROUP BY board, period, under, node"
        for level, shift in enumerate(TIME_SHIFTS)
    ]
)
STORED_TALLIES = "SELECT board, period, level, under, node, amount FROM tallies"
DIFFERENT = "SELECT count(*) FROM (SELECT * FROM ({}) EXCEPT SELECT * FROM ({}))"
MAKE_TALLIES = f"INSERT INTO tallies (board, period, level, under, node, amount) SELECT * FROM ({TRUE_TALLIES})"


# ---- writing ----------------------------------------------------------------------------------


def save(connection: sqlite3.Connection, moves: Iterable[Move]) -> None:
    """Write the places that changed, and the net change of every tally that they cross."""
    tallies: Counter[tuple[str, str, int, int, int]] = Counter()
    for move in moves:
        key = (move.board, move.period)
        if move.before:
            tallies.subtract((*key, *node) for node in nodes(move.before))
        if move.after:
            tallies.update((*key, *node) for node in nodes(move.after))
            connection.execute(SAVE_STANDING, (move.user_id, *key, move.after.sort_key, move.after.reached_at))
        else:
            connection.execute(DROP_STANDING, (move.user_id, *key))
    net = [(*node, amount) for node, amount in sorted(tallies.items()) if amount]
    connection.executemany(SAVE_TALLY, net)
    connection.executemany(DROP_EMPTY_TALLY, [row[:-1] for row in net if row[-1] < 0])


def leaving(connection: sqlite3.Connection, user_id: str) -> list[Move]:
    """The moves of a user who leaves every board."""
    return [Move(user_id, *key, place, None) for key, place in standings(connection, user_id).items()]


def ranks(connection: sqlite3.Connection, moves: Iterable[Move]) -> Mapping[str, Ranks]:
    """The ranks on the board of all points before and after these moves, none of which is written yet."""
    key = (POINTS_BOARD, ALL_TIME)
    on_board = [move for move in moves if (move.board, move.period) == key]
    places = {place for move in on_board for place in (move.before, move.after) if place}
    return ranks_of(on_board, {place: _ahead(connection, key, place) for place in places})


def rebuild_tallies(connection: sqlite3.Connection) -> None:
    """Make all tallies anew from the standings."""
    connection.execute("DELETE FROM tallies")
    connection.execute(MAKE_TALLIES)


# ---- reading ----------------------------------------------------------------------------------


def standings(connection: sqlite3.Connection, user_id: str) -> dict[Key, Place]:
    """A user's places by board and period."""
    return rows.standings_of(connection.execute(STANDINGS, (user_id,)))


def rank(connection: sqlite3.Connection, key: Key, user_id: str, ties: Ties) -> int | None:
    """A user's rank; None where unranked."""
    row = connection.execute(STANDING, (user_id, *key)).fetchone()
    return _rank(connection, key, Place(row[0], row[1], user_id), ties) if row else None


def ranked(connection: sqlite3.Connection, key: Key) -> int:
    """How many users stand on a board."""
    return connection.execute(RANKED, key).fetchone()[0]


def wrong_tallies(connection: sqlite3.Connection) -> int:
    """How many tallies differ from a recount of the standings."""
    (missing,) = connection.execute(DIFFERENT.format(TRUE_TALLIES, STORED_TALLIES)).fetchone()
    (extra,) = connection.execute(DIFFERENT.format(STORED_TALLIES, TRUE_TALLIES)).fetchone()
    return missing + extra


def listing(connection: sqlite3.Connection, asked: Listing) -> Listed:
    """The lines asked for."""
    key = (asked.board, asked.period)
    me = connection.execute(LINE_OF, (*key, asked.me)).fetchone() if asked.me is not None else None
    return Listed(
        lines=_lines(connection, key, asked),
        me=_standing(me, _rank(connection, key, _place(me), asked.ties)) if me else None,
        ranked=ranked(connection, key),
    )


def first(connection: sqlite3.Connection, key: Key, limit: int) -> list[Standing]:
    """The first lines of a board that ranks equal scores by who reached them first."""
    found = connection.execute(FIRST, (*key, limit))
    return [_standing(row, number) for number, row in enumerate(found, start=1)]


def _lines(connection: sqlite3.Connection, key: Key, asked: Listing) -> list[Standing]:
    if asked.only is not None:
        found = [connection.execute(LINE_OF, (*key, user_id)).fetchone() for user_id in dict.fromkeys(asked.only)]
        some = [_standing(row, _rank(connection, key, _place(row), asked.ties)) for row in found if row]
        return sorted(some, key=lambda line: order(line.place))[: asked.limit]
    found = _following(connection, key, asked)
    if not found:
        return []
    places = [_place(row) for row in found]
    ordinal = _ahead(connection, key, places[0]) + 1
    shown = ordinal if asked.ties == "first" else _rank(connection, key, places[0], asked.ties)
    numbers = numbered(places, asked.ties, ordinal, shown)
    return [_standing(row, number) for row, number in zip(found, numbers, strict=True)]


def _following(connection: sqlite3.Connection, key: Key, asked: Listing) -> list[Any]:
    """Rows that follow one another on the board."""
    if asked.around is not None:
        row = connection.execute(LINE_OF, (*key, asked.around)).fetchone()
        if row is None:
            return []
        at = (*key, *order(_place(row)))
        before = connection.execute(BEFORE, (*at, asked.limit - 1)).fetchall()[::-1]
        behind = connection.execute(BEHIND, (*at, asked.limit - 1)).fetchall()
        return around(before, row, behind, asked.limit)
    if asked.after:
        at = (*key, asked.after.sort_key, asked.after.reached_at)
        return connection.execute(NEXT, (*at, asked.limit, asked.after.lines)).fetchall()
    return connection.execute(FIRST, (*key, asked.limit)).fetchall()


def _rank(connection: sqlite3.Connection, key: Key, place: Place, ties: Ties) -> int:
    if ties == "first":
        return _ahead(connection, key, place) + 1
    if ties == "dense":
        return connection.execute(BETTER_SCORES, (*key, place.sort_key)).fetchone()[0] + 1
    values = [value for one in ranges_ahead(place)[:FIRST_TIME_LEVEL] for value in (*key, one.under, one.low, one.high)]
    return connection.execute(BETTER, values).fetchone()[0] + 1


def _ahead(connection: sqlite3.Connection, key: Key, place: Place) -> int:
    """How many stand ahead of a place."""
    values: list[Any] = [value for one in ranges_ahead(place) for value in (*key, one.under, one.low, one.high)]
    values += (*key, place.sort_key, finest_time(place), place.reached_at, place.user_id)
    return connection.execute(AHEAD, values).fetchone()[0]


def _place(row: tuple[Any, ...]) -> Place:
    return Place(row[3], row[4], row[0])


def _standing(row: tuple[Any, ...], number: int) -> Standing:
    return Standing(number, _place(row), row[1], row[2])
