"""Ranks on SQLite: the tallies that make them cheap, and the ranks before and after moves.

The functions take the connection of a transaction or a snapshot. A key is (partition, period).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from laurels.engine.leaderboards import Board
from laurels.engine.ranking import (
    CHILD_BITS,
    FIRST_TIME_LEVEL,
    HIDDEN,
    KEY_SHIFTS,
    LEAST_NODE,
    TEAM,
    TIME_SHIFTS,
    TOTAL_LEVEL,
    Move,
    Place,
    Range,
    Ranks,
    Ties,
    better_scores,
    better_siblings,
    earlier_times,
    finest_time,
    gaps_before,
    ranges_ahead,
    ranks_of,
)
from laurels.storage.contract import ALL_TIME
from laurels.storage.sqlite.driver import Connection
from laurels.storage.standings import HIDDEN_POINTS, POINTS, Key, Measured, places_of, to_rank

FEW = 256
"""Fewer standings than this are counted one by one, faster than by the tallies of their times."""

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
IN_NODES = (
    "SELECT coalesce(sum(amount), 0) FROM tallies "
    "WHERE board = ? AND period = ? AND level = ? AND under = ? AND node BETWEEN ? AND ?"
)
EQUALS_BETWEEN = """
SELECT count(*) FROM (
    SELECT 1 FROM standings WHERE board = ? AND period = ? AND sort_key = ?
        AND (reached_at, user_id) >= (?, ?) AND (reached_at, user_id) < (?, ?) LIMIT ?
)
"""
BETTER_SCORES_BETWEEN = """
SELECT count(*) FROM tallies WHERE board = ? AND period = ? AND level = 0 AND under = 0 AND node >= ? AND node < ?
"""
HOLDERS = "SELECT amount FROM tallies WHERE board = ? AND period = ? AND level = 0 AND under = 0 AND node = ?"
"""A node of the finest level is one score."""

GAPS = f"""
SELECT sort_key, reached_at, user_id, ahead FROM standings INDEXED BY standings_gaps
WHERE board IN (?, ? || '{HIDDEN}') AND period = ? AND ahead > 0
    AND (sort_key, reached_at) >= (?, ?) AND (sort_key, reached_at) <= (?, ?)
"""
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
            f"WHERE instr(board, '{TEAM}') > 0 GROUP BY board, period HAVING sum(abs(sort_key)) > 0"
        )
    ]
)
STORED_TALLIES = "SELECT board, period, level, under, node, amount FROM tallies"
DIFFERENT = "SELECT count(*) FROM (SELECT * FROM ({}) EXCEPT SELECT * FROM ({}))"
DROP_TALLIES = "DELETE FROM tallies"
MAKE_TALLIES = f"INSERT INTO tallies (board, period, level, under, node, amount) SELECT * FROM ({TRUE_TALLIES})"


def ranks(connection: Connection, moves: Iterable[Move], tops: Mapping[str, Board]) -> Measured:
    """The ranks before and after these moves, none of which is written yet, on these leaderboards and by all points.

    The ranks by all points of hidden users, which take none from others, are under a key of their own.
    """
    of_boards, of_hidden = to_rank(moves, tops)
    measured = {
        key: _ranks_of(connection, key, of_board, tops[key[0]].ties if key[0] in tops else "first")
        for key, of_board in of_boards.items()
    }
    ahead = _ahead_of(connection, POINTS, of_hidden, "first")
    measured[HIDDEN_POINTS] = ranks_of(of_boards[POINTS], ahead, hidden=of_hidden)
    return measured


def _ranks_of(connection: Connection, key: Key, moves: Sequence[Move], ties: Ties) -> Mapping[str, Ranks]:
    ahead = _ahead_of(connection, key, moves, ties)
    return ranks_of(moves, ahead, ties, _holders(connection, key, places_of(moves)) if ties == "dense" else None)


def _ahead_of(connection: Connection, key: Key, moves: Sequence[Move], ties: Ties) -> dict[Place, int]:
    return {place: rank_by_tallies(connection, key, place, ties) - 1 for place in places_of(moves)}


def _holders(connection: Connection, key: Key, places: Iterable[Place]) -> dict[int, int]:
    """The number of standings at the score of each of these places."""
    found = {place.sort_key: connection.execute(HOLDERS, (*key, place.sort_key)).fetchone() for place in places}
    return {sort_key: row[0] for sort_key, row in found.items() if row}


def shown_rank(connection: Connection, key: Key, place: Place, ties: Ties) -> int:
    """The rank that a leaderboard shows for a place, erased users of closed periods included."""
    return rank_by_tallies(connection, key, place, ties) + gaps(connection, key, [place], ties)[0]


def rank_by_tallies(connection: Connection, key: Key, place: Place, ties: Ties) -> int:
    """The rank of a place by what is ahead of it."""
    if ties == "first":
        return count_ahead(connection, key, place) + 1
    if ties == "dense":
        return connection.execute(BETTER_SCORES, (*key, place.sort_key)).fetchone()[0] + 1
    values = [value for nodes in better_scores(place.sort_key) for value in (*key, nodes.under, nodes.low, nodes.high)]
    return connection.execute(BETTER, values).fetchone()[0] + 1


def shown_ranks(connection: Connection, key: Key, places: Sequence[Place], ties: Ties) -> list[int]:
    """The same as `shown_rank` for several sorted places, in one pass: what their ranks have in common is counted once."""
    if not places:
        return []
    if ties == "dense":
        ranks = _dense_ranks(connection, key, places)
    else:
        better = _better_than(connection, key, {place.sort_key for place in places})
        equals = _ahead_of_equals(connection, key, places) if ties == "first" else [0] * len(places)
        ranks = [better[place.sort_key] + ahead + 1 for place, ahead in zip(places, equals, strict=True)]
    return [rank + gap for rank, gap in zip(ranks, gaps(connection, key, places, ties), strict=True)]


def _dense_ranks(connection: Connection, key: Key, places: Sequence[Place]) -> list[int]:
    """One plus the number of better scores: those up to the place before, and those between the two."""
    edges = [LEAST_NODE, *(place.sort_key for place in places)]
    between = connection.executemany(BETTER_SCORES_BETWEEN, ((*key, low, high) for low, high in pairwise(edges)))
    return [better + 1 for better in accumulate(count for (count,) in between)]


def _better_than(connection: Connection, key: Key, sort_keys: Iterable[int]) -> dict[int, int]:
    """The number of standings with a better score than each of these. Scores below one node share what is before that node."""
    levels = [dict.fromkeys(sort_keys)]
    for _ in KEY_SHIFTS[1:]:
        levels.append(dict.fromkeys(node >> CHILD_BITS for node in levels[-1]))
    from_coarsest = [*enumerate(levels)][::-1]
    siblings = (better_siblings(level, node) for level, nodes in from_coarsest for node in nodes)
    sums = iter(_sums(connection, key, siblings))
    better: dict[int, int] = {}
    for _, nodes in from_coarsest:
        better = {node: next(sums) + better.get(node >> CHILD_BITS, 0) for node in nodes}
    return better


def _ahead_of_equals(connection: Connection, key: Key, places: Sequence[Place]) -> list[int]:
    """The number of standings ahead of each of these sorted places among those of its score."""
    found: list[int] = []
    between = connection.executemany(EQUALS_BETWEEN, _since_last_equal(key, places))
    for index, (place, (count,)) in enumerate(zip(places, between, strict=True)):
        if count == FEW:
            found.append(_many_ahead(connection, key, place))
        else:
            follows = index > 0 and places[index - 1].sort_key == place.sort_key
            found.append(found[-1] + count if follows else count)
    return found


def _since_last_equal(key: Key, places: Sequence[Place]) -> Iterator[tuple[Any, ...]]:
    """The values with which standings are counted from one place to the next one of its score, or from the first of a score."""
    last: Place | None = None
    for place in places:
        since = (last.reached_at, last.user_id) if last and last.sort_key == place.sort_key else (LEAST_NODE, "")
        yield (*key, place.sort_key, *since, place.reached_at, place.user_id, FEW)
        last = place


def _many_ahead(connection: Connection, key: Key, place: Place) -> int:
    """The number of standings ahead of a place among those of its score, by the tallies of their times."""
    nearest = (*key, place.sort_key, finest_time(place), "", place.reached_at, place.user_id, -1)
    return sum(_sums(connection, key, earlier_times(place))) + connection.execute(EQUALS_BETWEEN, nearest).fetchone()[0]


def _sums(connection: Connection, key: Key, ranges: Iterable[Range]) -> list[int]:
    """The number of standings in each of these ranges of nodes."""
    values = ((*key, nodes.level, nodes.under, nodes.low, nodes.high) for nodes in ranges)
    return [amount for (amount,) in connection.executemany(IN_NODES, values)]


def count_ahead(connection: Connection, key: Key, place: Place) -> int:
    """The number of standings ahead of a place."""
    values: list[Any] = [value for nodes in ranges_ahead(place) for value in (*key, nodes.under, nodes.low, nodes.high)]
    values += (*key, place.sort_key, finest_time(place), place.reached_at, place.user_id)
    return connection.execute(AHEAD, values).fetchone()[0]


def gaps(connection: Connection, key: Key, places: Sequence[Place], ties: Ties) -> list[int]:
    """The number of erased users ahead of each of these sorted places among its equals; only closed periods have them."""
    if ties != "first" or key[1] == ALL_TIME:
        return [0] * len(places)
    ends = [(place.sort_key, place.reached_at) for place in (places[0], places[-1])]
    found = connection.execute(GAPS, (key[0], *key, *ends[0], *ends[1])).fetchall()
    return gaps_before(places, found)


def count_ranked(connection: Connection, key: Key) -> int:
    """The number of ranked users of a leaderboard."""
    return connection.execute(RANKED, key).fetchone()[0]


def wrong_tallies(connection: Connection) -> int:
    """The number of tallies that differ from a recount of the standings."""
    (missing,) = connection.execute(DIFFERENT.format(TRUE_TALLIES, STORED_TALLIES)).fetchone()
    (extra,) = connection.execute(DIFFERENT.format(STORED_TALLIES, TRUE_TALLIES)).fetchone()
    return missing + extra


def rebuild_tallies(connection: Connection) -> None:
    """Replace all tallies by a recount of the standings."""
    connection.execute(DROP_TALLIES)
    connection.execute(MAKE_TALLIES)
