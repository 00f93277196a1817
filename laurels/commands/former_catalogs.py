"""The catalogs that were in force before: which at what time, and which judged a user."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from laurels.engine.catalog import Catalog
from laurels.engine.rule_versions import read_past
from laurels.engine.values import plain
from laurels.storage.contract import CatalogRow, RevisionKey


@plain
class Rules:
    """The catalog in force at a time, with the key of its revision."""

    catalog: Catalog
    key: RevisionKey


@lru_cache(maxsize=16)
def _read(text: str, past: str) -> Catalog:
    return Catalog.parse(text).with_past(read_past(past))


def _parsed(row: CatalogRow) -> Catalog:
    """The catalog of a revision, with the earlier versions of its point rules."""
    return _read(row.text, row.past)


class FormerCatalogs:
    """All revisions of the catalog, oldest first, of which there is one at least. They are read when they are needed.

    Every method may raise CatalogError for a revision that this version cannot read.
    """

    def __init__(self, rows: Sequence[CatalogRow]) -> None:
        self.rows = rows

    def row_at(self, at: datetime) -> CatalogRow:
        """The revision in force at this time: the one before the first that was applied later."""
        later = next((index for index, row in enumerate(self.rows) if row.applied_at > at), len(self.rows))
        return self.rows[max(later - 1, 0)]

    def in_force(self, at: datetime) -> Rules:
        """The catalog in force at this time."""
        row = self.row_at(at)
        return Rules(_parsed(row), row.key)

    def judged_by(self, rules: str) -> Catalog:
        """The newest catalog with this fingerprint; the first one for a fingerprint of an earlier version."""
        known = [row for row in self.rows if row.rules == rules]
        if known:
            return _parsed(known[-1])
        return next(
            (_parsed(row) for row in reversed(self.rows) if _parsed(row).rules == rules),
            _parsed(self.rows[0]),
        )
