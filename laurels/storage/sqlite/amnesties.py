"""Amnesties on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from laurels.storage import codec
from laurels.storage.columns import AMNESTIES
from laurels.storage.contract import AmnestyRow, Principal
from laurels.storage.sqlite.connections import Connections, insert, translated
from laurels.storage.sqlite.driver import changed

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

    async def add_amnesty(self, amnesty: AmnestyRow) -> None:
        await self._in_transaction(lambda writer: writer.execute(ADD_AMNESTY, codec.amnesty_columns(amnesty)))

    async def lift_amnesty(
        self,
        amnesty_id: str,
        at: datetime,
        actor: str | None = None,
        reason: str | None = None,
        principal: Principal | None = None,
    ) -> bool:
        values = (codec.to_micros(at), actor, reason, *codec.principal_columns(principal), amnesty_id)
        return await self._in_transaction(lambda writer: changed(writer, LIFT_AMNESTY, values))
