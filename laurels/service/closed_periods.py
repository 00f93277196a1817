"""The catalog in a database with closed periods: what it must know of them, and what is closed before another one follows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from laurels.engine.catalog import Catalog
from laurels.engine.closings import Closed, ended_before, reused_keys
from laurels.storage.contract import CatalogState, ClosedPeriodRow


def after_closings(catalog: Catalog, closings: Iterable[ClosedPeriodRow]) -> Catalog:
    """The catalog with what it must know of closed periods; the same one if that is nothing. See `Catalog.after_closings`."""
    known = (
        Closed(row.board, row.period, row.starts_at, row.ends_at, row.closed_at)
        for row in closings
        if row.rule is not None
    )
    reused = reused_keys(catalog, known)
    if not reused and not any(board.periods.reused or board.closed_until for board in catalog.boards.values()):
        return catalog
    return catalog.after_closings(reused)


def closed_before(
    state: CatalogState, present: Catalog | None, following: Catalog, now: datetime
) -> list[ClosedPeriodRow]:
    """The periods to close before a catalog follows the present one (None: unknown), with their bounds and rules.

    Without a known one, those that are due are closed without a rule, as by an older version: see `engine.closings.completed`.
    """
    if present is not None:
        known, after = after_closings(present, state.closings), after_closings(following, state.closings)
        return [
            ClosedPeriodRow(one.board, one.period.key, now, None, one.period.start, one.period.end, one.rule)
            for one in ended_before(known, after, state.periods, now)
        ]
    if state.judged_by in (None, following.rules) and state.newest is None:
        return []
    found: list[ClosedPeriodRow] = []
    for board_id, key in state.periods:
        board = following.boards.get(board_id)
        period = board.periods.named(key) if board else None
        if board and period and not board.retired and not board.is_open(period, now):
            found.append(ClosedPeriodRow(board_id, key, now))
    return found
