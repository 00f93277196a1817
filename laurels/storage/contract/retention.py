"""Retention: removing rows that are older than they are kept, in parts between which other writes go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from laurels.engine.values import plain
from laurels.storage.contract.audit import AuditRow
from laurels.storage.contract.reports import MaintenanceRun

RetainedTable = Literal["sessions", "operator_sessions", "outbox", "audit"]
"""The tables that retention removes rows of. The age of a session counts from its end."""

RowKey = tuple[Any, ...]
"""The values of a row's primary key."""

REMOVED_TOGETHER = 500
"""How many rows one transaction removes."""

LOOKED_THROUGH = 5000
"""How many rows are read at once in search of old ones."""


@plain
class OldRows:
    """The keys of old rows among some rows in the order of their keys, and the last key of these (None: there are no more)."""

    keys: Sequence[RowKey]
    last: RowKey | None


class Retention(Protocol):
    """Finding and removing old rows."""

    async def old_rows(
        self, table: RetainedTable, before: datetime, after: RowKey, most: int = LOOKED_THROUGH
    ) -> OldRows:
        """Look through at most this many rows after a key for those that are not newer than `before`."""
        ...

    async def remove_rows(
        self, table: RetainedTable, keys: Sequence[RowKey], before: datetime, audit: AuditRow | None = None
    ) -> int:
        """Remove those of these rows that are still there and not newer than `before`, in one transaction.

        Returns how many. That number is added to the `times` of the row of the audit, which is written in the same transaction.
        """
        ...

    async def count_old_rows(self, table: RetainedTable, before: datetime) -> int:
        """How many rows are not newer than `before`."""
        ...

    async def replace_maintenance_run(self, run: MaintenanceRun, stored_at: datetime | None) -> bool:
        """Store a run in place of the one of this time (None: of none), so that of several processes one begins.

        Returns whether it is stored.
        """
        ...
