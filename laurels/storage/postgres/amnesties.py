"""Amnesties on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from laurels.storage import codec
from laurels.storage.columns import AMNESTIES
from laurels.storage.contract import AmnestyRow, AuditRow, Principal
from laurels.storage.postgres.connections import Connections, audited, insert, is_active
from laurels.storage.postgres.pool import Connection
from laurels.storage.principals import principal_columns

AMNESTY_COUNT = "SELECT count(*) + count(lifted_at) FROM amnesties"
ALL_AMNESTIES = f"SELECT {AMNESTIES} FROM amnesties ORDER BY created_at, amnesty_id"
ADD_AMNESTY = f"{insert(AMNESTIES)} ON CONFLICT (amnesty_id) DO NOTHING RETURNING 1"
LIFT_AMNESTY = f"""
UPDATE amnesties
SET lifted_at = $1, lifted_by = $4, lift_reason = $5, lift_principal_kind = $6, lift_principal_name = $7
WHERE amnesty_id = $2 AND {is_active("lifted_at")} RETURNING 1
"""


async def read_amnesties(connection: Connection) -> list[AmnestyRow]:
    """All amnesties, oldest first."""
    return [codec.amnesty_of(row) for row in await connection.fetch(ALL_AMNESTIES)]


class Amnesties(Connections):
    """Creating, lifting and listing amnesties."""

    async def amnesties(self) -> Sequence[AmnestyRow]:
        return await self._pool.run(read_amnesties)

    async def add_amnesty(self, amnesty: AmnestyRow, audit: AuditRow | None = None) -> bool:
        values = codec.amnesty_columns(amnesty)
        return await self._pool.run(lambda connection: audited(connection, audit, ADD_AMNESTY, *values))

    async def lift_amnesty(
        self,
        amnesty_id: str,
        at: datetime,
        actor: str | None = None,
        reason: str | None = None,
        principal: Principal | None = None,
        audit: AuditRow | None = None,
    ) -> bool:
        by = (actor, reason, *principal_columns(principal))
        return await self._end(LIFT_AMNESTY, at, amnesty_id, *by, audit=audit)
