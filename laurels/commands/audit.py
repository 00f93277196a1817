"""Rows of the audit that are written in the transaction of the change that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from laurels.commands.unit_of_work import Command, UnitOfWork
from laurels.storage.contract import AuditRow


@dataclass(slots=True)
class Draft:
    """A row of the audit for a command, which writes it only if it changes something. `written` is that row once it is stored."""

    row: AuditRow
    written: AuditRow | None = None

    def write(self, work: UnitOfWork, detail: Mapping[str, Any] | None = None, target: str | None = None) -> None:
        """Write the row, with what only the transaction knows."""
        row = self.row
        work.audit.append(replace(row, detail={**row.detail, **(detail or {})}, target=target or row.target))


def note_written(commands: Iterable[Command], stored: Iterable[AuditRow]) -> None:
    """Tell the drafts of these commands which rows were stored. Another process may have computed them from copies."""
    rows = {row.audit_id: row for row in stored}
    for command in commands:
        draft = getattr(command, "audit", None)
        if isinstance(draft, Draft):
            draft.written = rows.get(draft.row.audit_id)
