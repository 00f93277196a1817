"""The audit on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from laurels.storage import codec
from laurels.storage.audit import Condition, audit_columns, audit_of, of_adjustments, of_audit
from laurels.storage.columns import ADJUSTMENTS, AUDIT
from laurels.storage.contract import AdjustmentRow, AuditFilter, AuditRow
from laurels.storage.contract.audit import ALL
from laurels.storage.secrets import erased_mark
from laurels.storage.sqlite.connections import Connections, insert
from laurels.storage.sqlite.driver import Connection
from laurels.storage.sqlite.records import NEWEST

ADD_TIMES = f"{insert(AUDIT)} ON CONFLICT (audit_id) DO UPDATE SET times = audit.times + excluded.times"
NEWEST_AUDIT = f"""
SELECT {AUDIT} FROM audit WHERE (at, audit_id) < (?, ?){{}} ORDER BY at DESC, audit_id DESC LIMIT ?
"""
NEWEST_ADJUSTMENTS = f"""
SELECT {ADJUSTMENTS} FROM adjustments WHERE (at, user_id, adjustment_id) < (?, ?, ?){{}}
ORDER BY at DESC, user_id DESC, adjustment_id DESC LIMIT ?
"""
FORGET_TARGET = (
    "UPDATE audit SET target_kind = 'erased', target = ?, detail = '{}' WHERE target = ? AND target_kind = 'user'"
)
FORGET_PRINCIPAL = """
UPDATE audit SET principal_name = ?, address = NULL WHERE principal_name = ? AND principal_kind = 'session'
"""


def forget(connection: Connection, user_id: str, digest: bytes) -> None:
    """Replace the id of an erased user by the keyed hash."""
    for statement in (FORGET_TARGET, FORGET_PRINCIPAL):
        connection.execute(statement, (erased_mark(digest), user_id))


class Audit(Connections):
    """Writing and reading the audit."""

    async def add_audit(self, row: AuditRow) -> None:
        await self._in_transaction(lambda writer: writer.execute(ADD_TIMES, audit_columns(row)))

    async def audit(
        self, limit: int, before: tuple[datetime, str] | None = None, only: AuditFilter = ALL
    ) -> Sequence[AuditRow]:
        key = (codec.to_micros(before[0]), before[1]) if before else (NEWEST, "")
        rows = await self._filtered(NEWEST_AUDIT, key, of_audit(only), limit)
        return [audit_of(row) for row in rows]

    async def newest_adjustments(
        self, limit: int, before: tuple[datetime, str, str] | None = None, only: AuditFilter = ALL
    ) -> Sequence[AdjustmentRow]:
        key = (codec.to_micros(before[0]), *before[1:]) if before else (NEWEST, "", "")
        rows = await self._filtered(NEWEST_ADJUSTMENTS, key, of_adjustments(only), limit)
        return [codec.adjustment_of(row) for row in rows]

    async def _filtered(
        self, statement: str, key: Sequence[Any], conditions: Sequence[Condition], limit: int
    ) -> list[Any]:
        """The rows under these conditions, read apart from all else, because two conditions may share one index."""
        text = statement.format("".join(f" AND {left} ?" for left, _ in conditions))
        values = (*key, *(value for _, value in conditions), limit)
        return await self._in_background(lambda connection: connection.execute(text, values).fetchall())
