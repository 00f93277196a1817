"""Retention on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from laurels.storage import codec
from laurels.storage.audit import audit_columns
from laurels.storage.columns import MAINTENANCE_RUNS, Table
from laurels.storage.contract import AuditRow, MaintenanceRun, OldRows, RetainedTable, RowKey
from laurels.storage.contract.retention import LOOKED_THROUGH
from laurels.storage.postgres.audit import ADD_TIMES
from laurels.storage.postgres.connections import Connections, arrays, insert
from laurels.storage.postgres.pool import Connection
from laurels.storage.retention import RETAINED


def _look(table: Table, time: str) -> str:
    """The keys of some rows in order, each with whether the row is old."""
    key = ", ".join(table.key)
    marks = ", ".join(f"${number}" for number in range(2, table.key_length + 2))
    return f"""
SELECT {key}, {time} <= $1 FROM {table.name} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ${table.key_length + 2}
"""


def _remove(table: Table, time: str) -> str:
    """Keys are given as one array for each column."""
    keys = Table(table.name, table.key_length, {column: table.kinds[column] for column in table.key})
    same = " AND ".join(f"{table.name}.{column} = old.{column}" for column in table.key)
    return f"""
DELETE FROM {table.name} USING {arrays(keys)} AS old ({keys}) WHERE {same} AND {time} <= ${table.key_length + 1}
"""


LOOK_FOR_OLD: Mapping[RetainedTable, str] = {name: _look(*one) for name, one in RETAINED.items()}
REMOVE_OLD: Mapping[RetainedTable, str] = {name: _remove(*one) for name, one in RETAINED.items()}
COUNT_OLD: Mapping[RetainedTable, str] = {
    name: f"SELECT count(*) FROM {table.name} WHERE {time} <= $1" for name, (table, time) in RETAINED.items()
}
BEGIN_RUN = f"{insert(MAINTENANCE_RUNS)} ON CONFLICT (task) DO NOTHING RETURNING 1"
REPLACE_RUN = "UPDATE maintenance_runs SET at = $2, outcome = $3 WHERE task = $1 AND at = $4 RETURNING 1"


class Retention(Connections):
    """Finding and removing old rows."""

    async def old_rows(
        self, table: RetainedTable, before: datetime, after: RowKey, most: int = LOOKED_THROUGH
    ) -> OldRows:
        values = (codec.to_micros(before), *after, most)
        rows = [tuple(row) for row in await self._rows(LOOK_FOR_OLD[table], *values)]
        return OldRows([row[:-1] for row in rows if row[-1]], rows[-1][:-1] if len(rows) == most else None)

    async def remove_rows(
        self, table: RetainedTable, keys: Sequence[RowKey], before: datetime, audit: AuditRow | None = None
    ) -> int:
        columns = [list(column) for column in zip(*keys, strict=True)]

        async def remove(connection: Connection) -> int:
            async with connection.transaction():
                done = await connection.execute(REMOVE_OLD[table], *columns, codec.to_micros(before))
                removed = int(done.rpartition(" ")[2])
                if removed and audit:
                    await connection.execute(ADD_TIMES, *audit_columns(audit)[:-1], removed)
                return removed

        return await self._pool.run(remove, self._patience) if keys else 0

    async def count_old_rows(self, table: RetainedTable, before: datetime) -> int:
        return await self._report(lambda connection: connection.fetchval(COUNT_OLD[table], codec.to_micros(before)))

    async def replace_maintenance_run(self, run: MaintenanceRun, stored_at: datetime | None) -> bool:
        columns = codec.maintenance_run_columns(run)
        if stored_at is None:
            return await self._value(BEGIN_RUN, *columns) is not None
        return await self._value(REPLACE_RUN, *columns, codec.to_micros(stored_at)) is not None
