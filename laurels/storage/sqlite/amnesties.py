"""Amnesties on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from laurels.storage import codec
from laurels.storage.columns import AMNESTIES
from laurels.storage.contract import AmnestyRow, AuditRow, Principal
from laurels.storage.principals import principal_columns
from laurels.storage.sqlite.connections import Connections, insert, save_audit, translated
from laurels.storage.sqlite.driver import Connection, changed

ALL_AMNESTIES = f"SELECT {AMNESTIES} FROM amnesties ORDER BY created_at, amnesty_id"
ADD_AMNESTY = f"{insert(AMNESTIES)} ON CONFLICT (amnesty_id) DO NOTHING"
LIFT_AMNESTY = """
UPDATE amnesties SET lifted_at = ?, lifted_by = ?, lift_reason = ?, lift_principal_kind = ?, lift_principal_name = ?
WHERE amnesty_id = ? AND lifted_at IS NULL
"""


class Amnesties(Connections):
    """Creating, lifting and listing amnesties."""

    async def amnesties(self) -> Sequence[AmnestyRow]:
        with translated:
            return [codec.amnesty_of(row) for row in self._reader.execute(ALL_AMNESTIES)]

    async def add_amnesty(self, amnesty: AmnestyRow, audit: AuditRow | None = None) -> bool:
        return await self._audited(ADD_AMNESTY, codec.amnesty_columns(amnesty), audit)

    async def lift_amnesty(
        self,
        amnesty_id: str,
        at: datetime,
        actor: str | None = None,
        reason: str | None = None,
        principal: Principal | None = None,
        audit: AuditRow | None = None,
    ) -> bool:
        values = (codec.to_micros(at), actor, reason, *principal_columns(principal), amnesty_id)
        return await self._audited(LIFT_AMNESTY, values, audit)

    async def _audited(self, statement: str, values: Sequence[Any], audit: AuditRow | None) -> bool:
        """Change one row, and if it changed, write the row of the audit in the same transaction."""

        def change(writer: Connection) -> bool:
            has_changed = changed(writer, statement, values)
            if has_changed and audit:
                save_audit(writer, [audit])
            return has_changed

        return await self._in_transaction(change)
