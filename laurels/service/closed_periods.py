"""The catalog in a database with closed periods: a key that closed with other bounds is not used again."""

from __future__ import annotations

from collections.abc import Iterable

from laurels.engine.catalog import Catalog
from laurels.engine.closings import reused_keys
from laurels.storage.contract import ClosedPeriodRow


def after_closings(catalog: Catalog, closings: Iterable[ClosedPeriodRow]) -> Catalog:
    """The catalog with the keys that are used again marked; the same one if there are none. See `Catalog.after_closings`."""
    known = [(row.board, row.period, row.starts_at, row.ends_at) for row in closings if row.rule is not None]
    reused = reused_keys(catalog, known)
    if not reused and not any(board.periods.reused for board in catalog.boards.values()):
        return catalog
    return catalog.after_closings(reused)
