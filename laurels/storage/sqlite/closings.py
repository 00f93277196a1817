"""Closed periods and those with standings on SQLite, within a transaction."""

from __future__ import annotations

from laurels.engine.ranking import FIRST_TIME_LEVEL, HIDDEN, WITHIN
from laurels.storage.codec import closing_of, maybe_micros, to_micros
from laurels.storage.columns import CLOSINGS
from laurels.storage.contract import ClosedPeriodRow
from laurels.storage.sqlite.driver import Connection, changed
from laurels.storage.standings import AFTER_ALL, AFTER_PARTS

CLOSE = """
INSERT INTO closings (board, period, closed_at, starts_at, ends_at, rule) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (board, period) DO NOTHING
"""
ALL_CLOSINGS = f"SELECT {CLOSINGS} FROM closings ORDER BY board, period"


def base(partition: str) -> str:
    """The leaderboard that a partition belongs to, in SQL."""
    return f"substr({partition}, 1, instr({partition} || '{WITHIN}', '{WITHIN}') - 1)"


PARTITIONS = f"tallies INDEXED BY tallies_by_period WHERE level = {FIRST_TIME_LEVEL - 1}"
NEXT_PARTITION = f"""
FROM {PARTITIONS} AND (period, board) > (
    part.period, iif(instr(part.board, '{WITHIN}'), {base("part.board")} || '{AFTER_PARTS}', part.board)
) ORDER BY period, board LIMIT 1
"""
PERIODS = f"""
WITH RECURSIVE part (period, board) AS (
    SELECT * FROM (SELECT period, board FROM {PARTITIONS} ORDER BY period, board LIMIT 1)
    UNION ALL
    SELECT (SELECT period {NEXT_PARTITION}), (SELECT board {NEXT_PARTITION}) FROM part WHERE board IS NOT NULL
)
SELECT DISTINCT {base("board")} AS base, period FROM part WHERE board IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM closings c WHERE c.board = {base("part.board")} AND c.period = part.period AND c.notified_at IS NOT NULL
) ORDER BY base, period
"""
"""Each step skips all tallies of a partition in a period, and from the first part of a leaderboard all its other parts."""

PARTS = f"""
WITH RECURSIVE part (board) AS (
    SELECT min(board) FROM {PARTITIONS} AND period = ?2 AND board > ?1 AND board < ?1 || '{AFTER_ALL}'
    UNION ALL
    SELECT (
        SELECT min(board) FROM {PARTITIONS} AND period = ?2 AND board > part.board AND board < ?1 || '{AFTER_ALL}'
    ) FROM part WHERE board IS NOT NULL
)
SELECT board FROM part WHERE board IS NOT NULL AND (?4 OR board NOT LIKE '%{HIDDEN}') LIMIT ?3
"""
"""Each step skips all tallies of a partition."""


def parts(connection: Connection, prefix: str, period: str, limit: int, *, hidden: bool) -> list[str]:
    """The partitions that begin with this text; `hidden`: also those of hidden users."""
    return [row[0] for row in connection.execute(PARTS, (prefix, period, limit, hidden))]


def close(writer: Connection, row: ClosedPeriodRow) -> bool:
    """Close a period for good. Returns False if it was closed before."""
    bounds = (maybe_micros(row.starts_at), maybe_micros(row.ends_at))
    return changed(writer, CLOSE, (row.board, row.period, to_micros(row.closed_at), *bounds, row.rule))


def all_closings(connection: Connection) -> list[ClosedPeriodRow]:
    """The closed periods of all leaderboards, sorted by leaderboard and period."""
    return [closing_of(row) for row in connection.execute(ALL_CLOSINGS)]


def unclosed(connection: Connection) -> list[tuple[str, str]]:
    """Every (leaderboard, period) with a standing, except those closed and notified, sorted."""
    return connection.execute(PERIODS).fetchall()
