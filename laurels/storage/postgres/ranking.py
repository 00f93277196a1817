"""Ranks on PostgreSQL: the tallies that make them cheap, and the ranks before and after moves.

The functions take the connection of a transaction or a snapshot. A key is (partition, period).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from laurels.engine.leaderboards import Board
from laurels.engine.ranking import (
    FIRST_TIME_LEVEL,
    HIDDEN,
    KEY_SHIFTS,
    LEAST_NODE,
    TEAM,
    TIME_SHIFTS,
    TOTAL_LEVEL,
    Move,
    Place,
    Ranks,
    Ties,
    gaps_before,
    ranks_of,
)
from laurels.storage.columns import NUMBER, TEXT, Table
from laurels.storage.contract import ALL_TIME
from laurels.storage.postgres.connections import insert_all
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, Connection
from laurels.storage.standings import HIDDEN_POINTS, POINTS, Key, Measured, hidden, places_of, to_rank

PARTS = 8
"""A node's count is split into this number of rows, by a hash of the user, so that writers rarely wait for each other."""

TALLIES = Table(
    "tallies",
    6,
    {
        "board": TEXT,
        "period": TEXT,
        "level": NUMBER,
        "under": NUMBER,
        "node": NUMBER,
        "part": NUMBER,
        "amount": NUMBER,
    },
)
SAVE_TALLIES = f"""
{insert_all(TALLIES)}
ON CONFLICT (board, period, level, under, node, part) DO UPDATE SET amount = tallies.amount + excluded.amount
"""
DROP_EMPTY_TALLIES = """
DELETE FROM tallies AS t
USING unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS n (board, period, level, under, node, part)
WHERE (t.board, t.period, t.level, t.under, t.node, t.part) = (n.board, n.period, n.level, n.under, n.node, n.part)
    AND t.amount = 0
"""


def _ranges(value: str, shifts: tuple[int, ...], first_level: int, under: str) -> list[str]:
    """The nodes before that of `value`, as rows of (level, under, low, high, sign).

    Like `ranges_ahead` in `engine/ranking.py`, but each level goes to the nearer end of its siblings: if that is the last
    one, the parent is counted as a whole, and the siblings from `value` on are subtracted.
    """
    ranges: list[str] = []
    rounding, node = 0, f"({value} >> {shifts[0]})"
    for level, (shift, coarser) in enumerate(pairwise(shifts)):
        rounding += ((1 << (coarser - shift - 1)) - 1) << shift
        parent = f"(({value} + {rounding}) >> {coarser})"
        edge = f"({parent} << {coarser - shift})"
        ranges.append(
            f"({first_level + level}, {under}, least({node}, {edge}), greatest({node}, {edge}) - 1, sign({node} - {edge}))"
        )
        node = parent
    return [*ranges, f"({first_level + len(shifts) - 1}, {under}, {LEAST_NODE}, {node} - 1, 1)"]


def _counted(ranges: list[str]) -> str:
    """The number of standings in these ranges. One scan for all: a scan for each takes a third longer."""
    return f"""(
        SELECT coalesce(sum(n.amount * r.sign), 0)
        FROM (VALUES {", ".join(ranges)}) AS r (level, under, low, high, sign), LATERAL (
            SELECT sum(t.amount)::bigint AS amount FROM tallies t
            WHERE t.board = $1 AND t.period = $2 AND t.level = r.level AND t.under = r.under
                AND t.node BETWEEN r.low AND r.high
        ) AS n
    )"""


_BY_SCORE = _ranges("p.sort_key", KEY_SHIFTS, 0, "0::bigint")
_BY_TIME = _ranges("p.reached_at", TIME_SHIFTS, FIRST_TIME_LEVEL, "p.sort_key")
_BETTER = {
    "first": f"""({_counted(_BY_SCORE + _BY_TIME)} + (
        SELECT count(*) FROM standings s
        WHERE s.board = $1 AND s.period = $2 AND s.sort_key = p.sort_key
            AND s.reached_at >= (p.reached_at >> {TIME_SHIFTS[0]}) << {TIME_SHIFTS[0]}
            AND (s.reached_at, s.user_id) < (p.reached_at, p.user_id)
    ))::bigint""",
    "shared": f"{_counted(_BY_SCORE)}::bigint",
    "dense": """(
        SELECT count(DISTINCT t.node) FROM tallies t
        WHERE t.board = $1 AND t.period = $2 AND t.level = 0 AND t.under = 0 AND t.node < p.sort_key
    )""",
}
"""What is ahead of a place p, by tie rule: standings; standings of better scores; better scores."""

RANKED = f"""
SELECT coalesce(sum(amount), 0)::bigint FROM tallies
WHERE board = $1 AND period = $2 AND level = {FIRST_TIME_LEVEL - 1} AND under = 0
"""
BETTER = {
    ties: f"""
    SELECT {better} FROM unnest($3::bigint[], $4::bigint[], $5::text[]) WITH ORDINALITY
        AS p (sort_key, reached_at, user_id, number)
    ORDER BY p.number
    """
    for ties, better in _BETTER.items()
}
HOLDERS = """
SELECT node, sum(amount)::bigint FROM tallies
WHERE board = $1 AND period = $2 AND level = 0 AND under = 0 AND node = ANY($3::bigint[]) GROUP BY node
"""
"""The number of standings at each of these scores; a node of the finest level is one score."""

GAPS = f"""
SELECT sort_key, reached_at, user_id, ahead FROM standings
WHERE board = ANY(ARRAY[$1, $1 || '{HIDDEN}']) AND period = $2 AND ahead > 0
    AND (sort_key, reached_at) >= ($3, $4) AND (sort_key, reached_at) <= ($5, $6)
"""
_GAP = """ + (
    SELECT coalesce(sum(g.ahead), 0)::bigint FROM standings g
    WHERE g.board = ANY(ARRAY[$1, $4]) AND g.period = $2 AND g.ahead > 0
        AND g.sort_key = p.sort_key AND g.reached_at = p.reached_at AND g.user_id <= p.user_id
)"""
"""The number of erased users ahead of a place p among its equals."""

RANK = {
    ties: f"""
    SELECT (SELECT {better}{_GAP if ties == "first" else ""} FROM (
        SELECT sort_key, reached_at, user_id FROM standings
        WHERE user_id = $3 AND period = $2 AND board IN ($1, $4) ORDER BY board LIMIT 1
    ) AS p), ({RANKED})
    """
    for ties, better in _BETTER.items()
}
"""Of a user on the leaderboard ($1) or among its hidden users ($4); the first of the two sorts first."""

TRUE_TALLIES = " UNION ALL ".join(
    [
        f"SELECT board, period, {level} AS level, 0::bigint AS under, sort_key >> {shift} AS node, {{part}}, "
        "count(*) AS amount FROM standings GROUP BY 1, 2, 3, 4, 5, 6"
        for level, shift in enumerate(KEY_SHIFTS)
    ]
    + [
        f"SELECT board, period, {FIRST_TIME_LEVEL + level}, sort_key, reached_at >> {shift}, {{part}}, count(*) "
        "FROM standings GROUP BY 1, 2, 3, 4, 5, 6"
        for level, shift in enumerate(TIME_SHIFTS)
    ]
    + [
        (
            f"SELECT board, period, {TOTAL_LEVEL}, 0, 0, {{part}}, sum(abs(sort_key))::bigint "
            f"FROM standings WHERE strpos(board, '{TEAM}') > 0 GROUP BY 1, 2, 6 HAVING sum(abs(sort_key)) > 0"
        )
    ]
).format(part=f"get_byte(sha256(convert_to(user_id, 'UTF8')), 0) % {PARTS} AS part")
WRONG_TALLIES = f"""
SELECT count(*) FROM tallies AS stored
FULL JOIN ({TRUE_TALLIES}) AS recount USING (board, period, level, under, node, part)
WHERE stored.amount IS DISTINCT FROM recount.amount
"""
LOCK_TALLIES = "LOCK TABLE standings, tallies IN SHARE ROW EXCLUSIVE MODE"
DROP_TALLIES = "DELETE FROM tallies"
MAKE_TALLIES = f"INSERT INTO tallies ({TALLIES}) {TRUE_TALLIES}"


def part_of(user_id: str) -> int:
    """The part of a tally in which a user is counted."""
    return hashlib.sha256(user_id.encode()).digest()[0] % PARTS


async def ranks(connection: Connection, moves: Iterable[Move], tops: Mapping[str, Board]) -> Measured:
    """The ranks before and after these moves, none of which is written yet, on these leaderboards and by all points.

    The ranks by all points of hidden users, which take none from others, are under a key of their own.
    """
    of_boards, of_hidden = to_rank(moves, tops)
    measured = {
        key: await _ranks_of(connection, key, of_board, tops[key[0]].ties if key[0] in tops else "first")
        for key, of_board in of_boards.items()
    }
    ahead = await _ahead_of(connection, POINTS, of_hidden, "first")
    measured[HIDDEN_POINTS] = ranks_of(of_boards[POINTS], ahead, hidden=of_hidden)
    return measured


async def _ranks_of(connection: Connection, key: Key, moves: Sequence[Move], ties: Ties) -> Mapping[str, Ranks]:
    ahead = await _ahead_of(connection, key, moves, ties)
    return ranks_of(moves, ahead, ties, await _holders(connection, key, places_of(moves)) if ties == "dense" else None)


async def _ahead_of(connection: Connection, key: Key, moves: Sequence[Move], ties: Ties) -> dict[Place, int]:
    places = [*places_of(moves)]
    found = await ranks_by_tallies(connection, key, places, ties)
    return {place: rank - 1 for place, rank in zip(places, found, strict=True)}


async def _holders(connection: Connection, key: Key, places: Iterable[Place]) -> dict[int, int]:
    """The number of standings at the score of each of these places."""
    return dict(await connection.fetch(HOLDERS, *key, [*{place.sort_key for place in places}]))


async def ranks_by_tallies(connection: Connection, key: Key, places: Sequence[Place], ties: Ties) -> list[int]:
    """The rank of each place by what is ahead of it."""
    if not places:
        return []
    columns = (
        [place.sort_key for place in places],
        [place.reached_at for place in places],
        [place.user_id for place in places],
    )
    return [row[0] + 1 for row in await connection.fetch(BETTER[ties], *key, *columns)]


async def with_gaps(
    connection: Connection, key: Key, places: Sequence[Place], ties: Ties, numbers: Sequence[int]
) -> list[int]:
    """The ranks of these sorted places, with the erased users ahead of each among its equals; only closed periods have them."""
    if ties != "first" or key[1] == ALL_TIME or not places:
        return [*numbers]
    ends = [number for place in (places[0], places[-1]) for number in (place.sort_key, place.reached_at)]
    gaps = gaps_before(places, await connection.fetch(GAPS, *key, *ends))
    return [number + gap for number, gap in zip(numbers, gaps, strict=True)]


async def rank_of_user(connection: Connection, key: Key, user_id: str, ties: Ties) -> tuple[int | None, int]:
    """A user's rank (None: not ranked) and the number of ranked users, in one statement."""
    better, ranked = await connection.fetchrow(RANK[ties], *key, user_id, hidden(key)[0])
    return (None if better is None else better + 1), ranked


async def rebuild_tallies(connection: Connection) -> None:
    """Replace all tallies by a recount of the standings, while no one writes either."""
    await connection.execute(LOCK_TALLIES)
    await connection.execute(DROP_TALLIES, timeout=LONG_STATEMENT_SECONDS)
    await connection.execute(MAKE_TALLIES, timeout=LONG_STATEMENT_SECONDS)
