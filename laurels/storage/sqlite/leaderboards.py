"""Leaderboards on SQLite: standings, the tallies that make their ranks cheap, and reading lines of them.

The functions take the connection of a transaction or a snapshot. A key is (board, period).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from laurels.engine.leaderboards import Board
from laurels.engine.ranking import (
    FIRST_TIME_LEVEL,
    HIDDEN,
    KEY_SHIFTS,
    TEAM,
    TIME_SHIFTS,
    TOTAL_LEVEL,
    WITHIN,
    Move,
    Place,
    Ranks,
    Ties,
    around,
    finest_time,
    gaps_before,
    joined,
    numbered,
    order,
    ranges_ahead,
    ranks_of,
    tallied,
)
from laurels.storage import rows
from laurels.storage.codec import to_micros
from laurels.storage.contract import (
    ALL_TIME,
    POINTS_BOARD,
    LeaderboardLines,
    LeaderboardRequest,
    Standing,
    Teams,
    TeamsRequest,
)

Key = tuple[str, str]
Measured = Mapping[Key, Mapping[str, Ranks]]
POINTS = (POINTS_BOARD, ALL_TIME)
HIDDEN_POINTS = (POINTS_BOARD + HIDDEN, ALL_TIME)

LINE = f"""
SELECT {rows.LINE} FROM standings s LEFT JOIN users u ON u.user_id = s.user_id
WHERE s.board = ? AND s.period = ?
"""
LINE_OF = f"{LINE} AND s.user_id = ?"
FIRST = f"{LINE} ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT ?"
BEHIND = f"""
{LINE} AND (s.sort_key, s.reached_at, s.user_id) > (?, ?, ?) ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT ?
"""
BEFORE = f"""
{LINE} AND (s.sort_key, s.reached_at, s.user_id) < (?, ?, ?)
ORDER BY s.sort_key DESC, s.reached_at DESC, s.user_id DESC LIMIT ?
"""
CLOSED = "SELECT told_at IS NOT NULL FROM closings WHERE board = ? AND period = ?"
CLOSE = "INSERT INTO closings (board, period, closed_at) VALUES (?, ?, ?) ON CONFLICT (board, period) DO NOTHING"
TOLD = "UPDATE closings SET told_at = ? WHERE board = ? AND period = ? AND told_at IS NULL"
CLOSINGS = f"SELECT {rows.CLOSINGS} FROM closings WHERE board = ? ORDER BY closed_at DESC, period DESC LIMIT ?"
NEXT_REVISION = "UPDATE users SET revision = revision + 1 WHERE user_id = ? RETURNING revision"
SAVE_MOMENT = f"INSERT INTO outbox ({rows.MOMENTS}) VALUES (?, ?, ?, ?, ?, ?)"


def _base(partition: str) -> str:
    """The board that a seat is a part of."""
    return f"substr({partition}, 1, instr({partition} || '{WITHIN}', '{WITHIN}') - 1)"


SEATS_OF_PERIODS = f"tallies INDEXED BY tallies_by_period WHERE level = {FIRST_TIME_LEVEL - 1}"
NEXT_SEAT = f"""
FROM {SEATS_OF_PERIODS} AND (period, board) > (
    seat.period, iif(instr(seat.board, '{WITHIN}'), {_base("seat.board")} || '{rows.BEHIND_PARTS}', seat.board)
) ORDER BY period, board LIMIT 1
"""
PERIODS = f"""
WITH RECURSIVE seat (period, board) AS (
    SELECT * FROM (SELECT period, board FROM {SEATS_OF_PERIODS} ORDER BY period, board LIMIT 1)
    UNION ALL
    SELECT (SELECT period {NEXT_SEAT}), (SELECT board {NEXT_SEAT}) FROM seat WHERE board IS NOT NULL
)
SELECT DISTINCT {_base("board")} AS base, period FROM seat WHERE board IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM closings c WHERE c.board = {_base("seat.board")} AND c.period = seat.period AND c.told_at IS NOT NULL
) ORDER BY base, period
"""
"""Each step leaps over all tallies of a board's part in a period, and from the first of its parts over all of them."""


def _teams(*, mean: bool, highest: bool) -> str:
    down = "DESC" if highest else "ASC"
    ahead = f"total / members {down}, (total % members) * 1.0 / members {down}" if mean else f"total {down}"
    return f"""
    WITH teams AS MATERIALIZED (
        SELECT t.board AS seat, t.amount AS total, (
            SELECT sum(amount) FROM tallies n
            WHERE n.board = t.board AND n.period = t.period AND n.level = {FIRST_TIME_LEVEL - 1} AND n.under = 0
        ) AS members FROM tallies t WHERE t.level = {TOTAL_LEVEL} AND t.period = ? AND t.board > ? AND t.board < ?
    ), ranked AS (
        SELECT rank() OVER (ORDER BY {ahead}) AS rank, seat, total, members,
            row_number() OVER (ORDER BY {ahead}, seat) AS number, sum(members) OVER () AS everybody FROM teams
    ) SELECT rank, seat, total, members, everybody FROM ranked
    WHERE number <= ? OR seat IN (SELECT value FROM json_each(?)) ORDER BY number
    """


TEAMS = {(mean, highest): _teams(mean=mean, highest=highest) for mean in (False, True) for highest in (False, True)}
"""By whether a team has its members' mean, and whether the highest comes first. A mean is compared by its whole part and by
the rest, which floating numbers tell apart for any number of members.
"""

STANDING = "SELECT sort_key, reached_at FROM standings WHERE user_id = ? AND board = ? AND period = ?"
STANDINGS = f"SELECT {rows.STANDINGS} FROM standings WHERE user_id = ?"
OPEN_STANDINGS = f"""
{STANDINGS} AND NOT EXISTS (
    SELECT 1 FROM closings c WHERE c.period = standings.period
    AND c.board = {_base("standings.board")}
)
"""
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
HOLDERS = "SELECT amount FROM tallies WHERE board = ? AND period = ? AND level = 0 AND under = 0 AND node = ?"
"""A node of the finest level is one score."""

GAPS = f"""
SELECT sort_key, reached_at, user_id, ahead FROM standings INDEXED BY standings_gaps
WHERE board IN (?, ? || '{HIDDEN}') AND period = ? AND ahead > 0
    AND (sort_key, reached_at) >= (?, ?) AND (sort_key, reached_at) <= (?, ?)
"""
GAP_OF = "SELECT ahead FROM standings WHERE user_id = ? AND board = ? AND period = ?"
NEXT_EQUAL = f"""
SELECT user_id, board FROM standings
WHERE board = ? AND period = ? AND sort_key = ? AND reached_at = ? AND user_id > ? AND user_id < '{rows.ERASED_USER}'
ORDER BY user_id LIMIT 1
"""
WIDEN_GAP = "UPDATE standings SET ahead = ahead + ? WHERE user_id = ? AND board = ? AND period = ?"
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
    + [
        (
            f"SELECT board, period, {TOTAL_LEVEL}, 0, 0, sum(abs(sort_key)) FROM standings "
            f"WHERE instr(board, '{TEAM}') > 0 GROUP BY board, period"
        )
    ]
)
STORED_TALLIES = "SELECT board, period, level, under, node, amount FROM tallies"
DIFFERENT = "SELECT count(*) FROM (SELECT * FROM ({}) EXCEPT SELECT * FROM ({}))"
MAKE_TALLIES = f"INSERT INTO tallies (board, period, level, under, node, amount) SELECT * FROM ({TRUE_TALLIES})"


# ---- writing ----------------------------------------------------------------------------------


def taken(connection: sqlite3.Connection, moves: Iterable[Move]) -> list[Move]:
    """The moves that are to be made: in closed periods nobody moves, and late ones start where the user stands in truth."""
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


def save(connection: sqlite3.Connection, moves: Iterable[Move]) -> None:
    """Write the places that changed, and the net change of every tally that they cross."""
    tallies: Counter[tuple[str, str, int, int, int]] = Counter()
    for move in moves:
        key = (move.board, move.period)
        for node, amount in tallied(move.board, move.before) if move.before else ():
            tallies[(*key, *node)] -= amount
        for node, amount in tallied(move.board, move.after) if move.after else ():
            tallies[(*key, *node)] += amount
        if move.after:
            connection.execute(SAVE_STANDING, (move.user_id, *key, move.after.sort_key, move.after.reached_at))
        else:
            connection.execute(DROP_STANDING, (move.user_id, *key))
    net = [(*node, amount) for node, amount in sorted(tallies.items()) if amount]
    connection.executemany(SAVE_TALLY, net)
    connection.executemany(DROP_EMPTY_TALLY, [row[:-1] for row in net if row[-1] < 0])


def leaving(connection: sqlite3.Connection, users: Iterable[str]) -> list[Move]:
    """The moves of users who leave every board. In closed periods nobody takes the place, so that no rank changes.

    They go in the order of their ids: so the gap that one leaves is handed on by the next who leaves too.
    """
    moves: list[Move] = []
    for user_id in sorted(users):
        for key, place in rows.standings_of(connection.execute(STANDINGS, (user_id,))).items():
            moves.append(Move(user_id, *key, place, None))
            if is_closed_for_good(connection, key):
                _leave_gap(connection, key, place)
                nobody = Place(place.sort_key, place.reached_at, rows.ERASED_USER + secrets.token_hex(8))
                moves.append(Move(nobody.user_id, *key, None, nobody))
    return moves


def _leave_gap(connection: sqlite3.Connection, key: Key, place: Place) -> None:
    """Note ahead of the next equal, who may be hidden, that somebody stood there, and what was noted ahead of them."""
    partition, period = key
    board = partition.partition(WITHIN)[0]
    if partition not in (board, board + HIDDEN):
        return
    (gap,) = connection.execute(GAP_OF, (place.user_id, *key)).fetchone()
    gap += partition == board  # who is hidden took no rank
    found = [connection.execute(NEXT_EQUAL, (one, period, *order(place))).fetchone() for one in (board, board + HIDDEN)]
    equals = [row for row in found if row]
    if gap and equals:
        connection.execute(WIDEN_GAP, (gap, *min(equals), period))


def close(connection: sqlite3.Connection, key: Key, at: datetime) -> bool:
    """Close a period for good; False where it was closed before."""
    return connection.execute(CLOSE, (*key, to_micros(at))).rowcount == 1


def tell(connection: sqlite3.Connection, asked: LeaderboardRequest, top: int, at: datetime) -> bool:
    """Tell those of the first `top` ranks among the lines asked for, of a closed period, once."""
    if connection.execute(TOLD, (to_micros(at), asked.board, asked.period)).rowcount != 1:
        return False
    listed = listing(connection, asked)
    for line in rows.in_front(listed.lines, top):
        (revision,) = connection.execute(NEXT_REVISION, (line.place.user_id,)).fetchone()
        connection.execute(
            SAVE_MOMENT, rows.notification_columns(rows.closing_notification(line, asked, listed.ranked, revision, at))
        )
    return True


def ranks(connection: sqlite3.Connection, moves: Iterable[Move], tops: Mapping[str, Board]) -> Measured:
    """The ranks before and after these moves, none of which is written yet, on these boards and on that of all points.

    Beside the last, under its own key, those of its hidden users.
    """
    of_boards: dict[Key, list[Move]] = {POINTS: []}
    hidden: list[Move] = []
    for move in moves:
        if (move.board, move.period) == HIDDEN_POINTS:
            hidden.append(move)
        elif move.board in tops or (move.board, move.period) == POINTS:
            of_boards.setdefault((move.board, move.period), []).append(move)
    measured = {
        key: _ranks_of(connection, key, of_board, tops[key[0]].ties if key[0] in tops else "first")
        for key, of_board in of_boards.items()
    }
    measured[HIDDEN_POINTS] = _ranks_of_hidden(connection, POINTS, of_boards[POINTS], hidden)
    return measured


def own(measured: Measured) -> Mapping[str, Ranks]:
    """Of what was measured, the ranks by points that users read of themselves."""
    return joined(measured.get(POINTS, {}), measured.get(HIDDEN_POINTS, {}))


def _ranks_of(connection: sqlite3.Connection, key: Key, moves: Sequence[Move], ties: Ties) -> Mapping[str, Ranks]:
    ahead = _ahead_of(connection, key, moves, ties)
    return ranks_of(moves, ahead, ties, _holders(connection, key, _places(moves)) if ties == "dense" else None)


def _ranks_of_hidden(
    connection: sqlite3.Connection, key: Key, moves: Sequence[Move], hidden: Sequence[Move]
) -> Mapping[str, Ranks]:
    """The ranks that these would have, who take none, on a board that ranks equal scores by who reached them first."""
    return ranks_of(moves, _ahead_of(connection, key, hidden, "first"), hidden=hidden)


def _ahead_of(connection: sqlite3.Connection, key: Key, moves: Sequence[Move], ties: Ties) -> dict[Place, int]:
    return {place: _rank(connection, key, place, ties) - 1 for place in _places(moves)}


def _places(moves: Iterable[Move]) -> set[Place]:
    return {place for move in moves for place in (move.before, move.after) if place}


def _holders(connection: sqlite3.Connection, key: Key, places: Iterable[Place]) -> dict[int, int]:
    """How many stand at the score of each of these places."""
    found = {place.sort_key: connection.execute(HOLDERS, (*key, place.sort_key)).fetchone() for place in places}
    return {sort_key: row[0] for sort_key, row in found.items() if row}


def rebuild_tallies(connection: sqlite3.Connection) -> None:
    """Make all tallies anew from the standings."""
    connection.execute("DELETE FROM tallies")
    connection.execute(MAKE_TALLIES)


# ---- reading ----------------------------------------------------------------------------------


def standings(connection: sqlite3.Connection, user_id: str) -> dict[Key, Place]:
    """A user's places by board and period, but for those in periods that somebody closed."""
    return rows.standings_of(connection.execute(OPEN_STANDINGS, (user_id,)))


def rank(connection: sqlite3.Connection, key: Key, user_id: str, ties: Ties) -> int | None:
    """A user's rank, or for a hidden one the rank they would have; None where unranked."""
    row = connection.execute(STANDING, (user_id, *key)).fetchone()
    row = row or connection.execute(STANDING, (user_id, *hidden(key))).fetchone()
    return _shown_rank(connection, key, Place(row[0], row[1], user_id), ties) if row else None


def ranked(connection: sqlite3.Connection, key: Key) -> int:
    """How many users stand on a board."""
    return connection.execute(RANKED, key).fetchone()[0]


def wrong_tallies(connection: sqlite3.Connection) -> int:
    """How many tallies differ from a recount of the standings."""
    (missing,) = connection.execute(DIFFERENT.format(TRUE_TALLIES, STORED_TALLIES)).fetchone()
    (extra,) = connection.execute(DIFFERENT.format(STORED_TALLIES, TRUE_TALLIES)).fetchone()
    return missing + extra


def is_closed(connection: sqlite3.Connection, key: Key) -> bool:
    """Whether a period is closed, and those in front were told."""
    row = connection.execute(CLOSED, key).fetchone()
    return bool(row and row[0])


def is_closed_for_good(connection: sqlite3.Connection, key: Key) -> bool:
    """Whether nobody moves any more under this key."""
    return connection.execute(CLOSED, (key[0].partition(WITHIN)[0], key[1])).fetchone() is not None


def teams(connection: sqlite3.Connection, asked: TeamsRequest) -> Teams:
    """The teams asked for, with their totals and members."""
    values = (
        *rows.partitions_of_teams(asked),
        asked.limit,
        json.dumps([asked.board + TEAM + name for name in asked.mine]),
    )
    return rows.teams_of(asked, connection.execute(TEAMS[asked.mean, asked.highest], values).fetchall())


def listing(connection: sqlite3.Connection, asked: LeaderboardRequest) -> LeaderboardLines:
    """The lines asked for."""
    key = (asked.board, asked.period)
    me = _line_of(connection, key, asked.me) if asked.me is not None else None
    lines, next_lines = _lines(connection, key, asked)
    return LeaderboardLines(
        lines=lines,
        next=next_lines,
        me=rows.standing_of(me, _shown_rank(connection, key, _place(me), asked.ties)) if me else None,
        ranked=ranked(connection, key),
    )


def first(connection: sqlite3.Connection, key: Key, limit: int) -> list[Standing]:
    """The first lines of a board that ranks equal scores by who reached them first."""
    found = connection.execute(FIRST, (*key, limit))
    return [rows.standing_of(row, number) for number, row in enumerate(found, start=1)]


def _lines(connection: sqlite3.Connection, key: Key, asked: LeaderboardRequest) -> tuple[list[Standing], Place | None]:
    if asked.only is not None:
        found = [connection.execute(LINE_OF, (*key, user_id)).fetchone() for user_id in dict.fromkeys(asked.only)]
        some = [rows.standing_of(row, _shown_rank(connection, key, _place(row), asked.ties)) for row in found if row]
        return sorted(some, key=lambda line: order(line.place))[: asked.limit], None
    found = _following(connection, key, asked)
    if not found:
        return [], None
    places = [_place(row) for row in found]
    ordinal = shown = 1
    if asked.after or asked.around is not None:
        ordinal = _ahead(connection, key, places[0]) + 1
        shown = ordinal if asked.ties == "first" else _rank(connection, key, places[0], asked.ties)
    numbers = numbered(places, asked.ties, ordinal, shown)
    gaps = _gaps(connection, key, places, asked.ties)
    lines = rows.standings_shown(found, [number + gap for number, gap in zip(numbers, gaps, strict=True)])
    full = asked.around is None and len(found) == asked.limit
    return lines, places[-1] if full else None


def _line_of(connection: sqlite3.Connection, key: Key, user_id: str) -> Any:
    """The row of a user, who may be hidden."""
    row = connection.execute(LINE_OF, (*key, user_id)).fetchone()
    return row or connection.execute(LINE_OF, (*hidden(key), user_id)).fetchone()


def hidden(key: Key) -> Key:
    """Under which key those stand whom nobody else sees."""
    return key[0] + HIDDEN, key[1]


def _following(connection: sqlite3.Connection, key: Key, asked: LeaderboardRequest) -> list[Any]:
    """Rows that follow one another on the board."""
    if asked.around is not None:
        row = connection.execute(LINE_OF, (*key, asked.around)).fetchone()
        seen = row or connection.execute(LINE_OF, (*hidden(key), asked.around)).fetchone()
        if seen is None:
            return []
        at = (*key, *order(_place(seen)))
        before = connection.execute(BEFORE, (*at, asked.limit)).fetchall()[::-1]
        following = connection.execute(BEHIND, (*at, asked.limit)).fetchall()
        return around(before, row, following, asked.limit)
    if asked.after:
        return connection.execute(BEHIND, (*key, *order(asked.after), asked.limit)).fetchall()
    return connection.execute(FIRST, (*key, asked.limit)).fetchall()


def _gaps(connection: sqlite3.Connection, key: Key, places: Sequence[Place], ties: Ties) -> list[int]:
    """How many of nobody's places lie ahead of these, in their order, among their equals; such are in closed periods alone."""
    if ties != "first" or key[1] == ALL_TIME:
        return [0] * len(places)
    ends = [(place.sort_key, place.reached_at) for place in (places[0], places[-1])]
    found = connection.execute(GAPS, (key[0], *key, *ends[0], *ends[1])).fetchall()
    return gaps_before(places, found)


def _shown_rank(connection: sqlite3.Connection, key: Key, place: Place, ties: Ties) -> int:
    return _rank(connection, key, place, ties) + _gaps(connection, key, [place], ties)[0]


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
