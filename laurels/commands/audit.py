"""Rows of the audit that are written in the transaction of the change that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from laurels.commands.unit_of_work import UnitOfWork
from laurels.storage.contract import AuditRow


@dataclass(slots=True)
class Draft:
    """A row of the audit for a command, which writes it only if it changes something. `written` is that row then."""

    row: AuditRow
    written: AuditRow | None = None

    def write(self, work: UnitOfWork, detail: Mapping[str, Any] | None = None, target: str | None = None) -> None:
        """Write the row, with what only the transaction knows."""
        row = self.row
        self.written = replace(row, detail={**row.detail, **(detail or {})}, target=target or row.target)
        work.audit.append(self.written)
