"""The audit on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from laurels.storage import codec
from laurels.storage.audit import MADE_BY, Condition, audit_columns, audit_of, of_adjustments, of_audit
from laurels.storage.columns import ADJUSTMENTS, AUDIT
from laurels.storage.contract import AdjustmentRow, AuditFilter, AuditRow
from laurels.storage.contract.audit import ALL
from laurels.storage.postgres.connections import Connections, insert
from laurels.storage.postgres.pool import Connection, write
from laurels.storage.postgres.records import NEWEST
from laurels.storage.secrets import erased_mark

ADD_TIMES = f"{insert(AUDIT)} ON CONFLICT (audit_id) DO UPDATE SET times = audit.times + excluded.times"
NEWEST_AUDIT = f"""
SELECT {AUDIT} FROM audit WHERE (at, audit_id) < ($1, $2){{}} ORDER BY at DESC, audit_id DESC LIMIT {{}}
"""
NEWEST_ADJUSTMENTS = f"""
SELECT {ADJUSTMENTS} FROM adjustments WHERE (at, user_id, adjustment_id) < ($1, $2, $3){{}}
ORDER BY at DESC, user_id DESC, adjustment_id DESC LIMIT {{}}
"""
FORGET_TARGETS = """
UPDATE audit SET target_kind = 'erased', target = n.digest, detail = '{}'
FROM unnest($1::text[], $2::text[]) AS n (digest, user_id) WHERE target = n.user_id AND target_kind = 'user'
"""
FORGET_PRINCIPALS = """
UPDATE audit SET principal_name = n.digest, address = NULL
FROM unnest($1::text[], $2::text[]) AS n (digest, user_id) WHERE principal_name = n.user_id AND principal_kind = 'session'
"""


async def forget(connection: Connection, digests: Mapping[str, bytes]) -> None:
    """Replace the ids of erased users by their keyed hashes."""
    pairs = [(erased_mark(digest), user_id) for user_id, digest in digests.items()]
    for statement in (FORGET_TARGETS, FORGET_PRINCIPALS):
        await write(connection, statement, pairs)


class Audit(Connections):
    """Writing and reading the audit."""

    async def add_audit(self, row: AuditRow) -> None:
        await self._value(ADD_TIMES, *audit_columns(row))

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
        conditions = of_adjustments(only, f'{MADE_BY} COLLATE "C"')
        return [codec.adjustment_of(row) for row in await self._filtered(NEWEST_ADJUSTMENTS, key, conditions, limit)]

    async def _filtered(
        self, statement: str, key: Sequence[Any], conditions: Sequence[Condition], limit: int
    ) -> list[Any]:
        """The rows under these conditions."""
        numbered = enumerate((left for left, _ in conditions), start=len(key) + 1)
        text = "".join(f" AND {left} ${number}" for number, left in numbered)
        values = (*key, *(value for _, value in conditions), limit)
        return await self._rows(statement.format(text, f"${len(values)}"), *values)
