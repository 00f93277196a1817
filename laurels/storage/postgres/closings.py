"""Closed periods and those with standings on PostgreSQL, within a transaction."""

from __future__ import annotations

from laurels.engine.ranking import FIRST_TIME_LEVEL, HIDDEN, WITHIN
from laurels.storage.codec import closing_of, maybe_micros, to_micros
from laurels.storage.columns import CLOSINGS
from laurels.storage.contract import ClosedPeriodRow
from laurels.storage.postgres.pool import Connection
from laurels.storage.standings import AFTER_ALL, AFTER_PARTS

CLOSE = """
INSERT INTO closings (board, period, closed_at, starts_at, ends_at, rule) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (board, period) DO NOTHING RETURNING 1
"""
ALL_CLOSINGS = f"SELECT {CLOSINGS} FROM closings ORDER BY board, period"
PARTITIONS = f"FROM tallies t WHERE t.level = {FIRST_TIME_LEVEL - 1}"
PERIODS = f"""
WITH RECURSIVE part (period, board) AS (
    (SELECT t.period, t.board {PARTITIONS} ORDER BY t.period, t.board LIMIT 1)
    UNION ALL
    SELECT next.period, next.board FROM part, LATERAL (
        SELECT t.period, t.board {PARTITIONS} AND (t.period, t.board) > (
            part.period,
            CASE WHEN strpos(part.board, '{WITHIN}') > 0
                THEN split_part(part.board, '{WITHIN}', 1) || '{AFTER_PARTS}' ELSE part.board END
        ) ORDER BY t.period, t.board LIMIT 1
    ) AS next
)
SELECT DISTINCT split_part(part.board, '{WITHIN}', 1) AS base, part.period FROM part WHERE NOT EXISTS (
    SELECT 1 FROM closings c
    WHERE c.board = split_part(part.board, '{WITHIN}', 1) AND c.period = part.period AND c.notified_at IS NOT NULL
) ORDER BY base, period
"""
"""Each step skips all tallies of a partition in a period, and from the first part of a leaderboard all its other parts."""

PARTS = f"""
WITH RECURSIVE part (board) AS (
    SELECT min(t.board) {PARTITIONS} AND t.period = $2 AND t.board > $1 AND t.board < $1 || '{AFTER_ALL}'
    UNION ALL
    SELECT (
        SELECT min(t.board) {PARTITIONS} AND t.period = $2 AND t.board > part.board AND t.board < $1 || '{AFTER_ALL}'
    ) FROM part WHERE part.board IS NOT NULL
)
SELECT board FROM part WHERE board IS NOT NULL AND ($4 OR right(board, {len(HIDDEN)}) <> '{HIDDEN}') LIMIT $3
"""
"""The partitions that begin with a text, with or without those of hidden users. Each step skips all tallies of a partition."""


async def close(connection: Connection, row: ClosedPeriodRow) -> bool:
    """Close a period for good. Returns False if it was closed before."""
    bounds = (maybe_micros(row.starts_at), maybe_micros(row.ends_at))
    values = (row.board, row.period, to_micros(row.closed_at), *bounds, row.rule)
    return await connection.fetchval(CLOSE, *values) is not None


async def all_closings(connection: Connection) -> list[ClosedPeriodRow]:
    """The closed periods of all leaderboards, sorted by leaderboard and period."""
    return [closing_of(row) for row in await connection.fetch(ALL_CLOSINGS)]


async def unclosed(connection: Connection) -> list[tuple[str, str]]:
    """Every (leaderboard, period) with a standing, except those closed and notified, sorted."""
    return [(board, period) for board, period in await connection.fetch(PERIODS)]
