"""Retention on SQLite: old rows are looked for next to the writer, so that it only deletes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from laurels.storage import codec
from laurels.storage.audit import audit_columns
from laurels.storage.columns import MAINTENANCE_RUNS, Table
from laurels.storage.contract import AuditRow, MaintenanceRun, OldRows, RetainedTable, RowKey
from laurels.storage.contract.retention import LOOKED_THROUGH
from laurels.storage.retention import RETAINED
from laurels.storage.sqlite.audit import ADD_TIMES
from laurels.storage.sqlite.connections import Connections, insert
from laurels.storage.sqlite.driver import Connection, changed


def _look(table: Table, time: str) -> str:
    """The keys of some rows in order, each with whether the row is old."""
    key = ", ".join(table.key)
    marks = ", ".join("?" * len(table.key))
    return f"SELECT {key}, {time} <= ? FROM {table.name} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ?"


def _remove(table: Table, time: str) -> str:
    same = " AND ".join(f"{column} = ?" for column in table.key)
    return f"DELETE FROM {table.name} WHERE {same} AND {time} <= ?"


LOOK_FOR_OLD: Mapping[RetainedTable, str] = {name: _look(*one) for name, one in RETAINED.items()}
REMOVE_OLD: Mapping[RetainedTable, str] = {name: _remove(*one) for name, one in RETAINED.items()}
COUNT_OLD: Mapping[RetainedTable, str] = {
    name: f"SELECT count(*) FROM {table.name} WHERE {time} <= ?" for name, (table, time) in RETAINED.items()
}
BEGIN_RUN = f"{insert(MAINTENANCE_RUNS)} ON CONFLICT (task) DO NOTHING"
REPLACE_RUN = "UPDATE maintenance_runs SET at = ?2, outcome = ?3 WHERE task = ?1 AND at = ?4"


class Retention(Connections):
    """Finding and removing old rows."""

    async def old_rows(
        self, table: RetainedTable, before: datetime, after: RowKey, most: int = LOOKED_THROUGH
    ) -> OldRows:
        values = (codec.to_micros(before), *after, most)
        rows = await self._in_background(lambda connection: connection.execute(LOOK_FOR_OLD[table], values).fetchall())
        return OldRows([row[:-1] for row in rows if row[-1]], rows[-1][:-1] if len(rows) == most else None)

    async def remove_rows(
        self, table: RetainedTable, keys: Sequence[RowKey], before: datetime, audit: AuditRow | None = None
    ) -> int:
        def remove(writer: Connection) -> int:
            statement, at = REMOVE_OLD[table], codec.to_micros(before)
            removed = sum(changed(writer, statement, (*key, at)) for key in keys)
            if removed and audit:
                writer.execute(ADD_TIMES, (*audit_columns(audit)[:-1], removed))
            return removed

        return await self._in_transaction(remove)

    async def count_old_rows(self, table: RetainedTable, before: datetime) -> int:
        values = (codec.to_micros(before),)
        return await self._in_background(lambda connection: connection.execute(COUNT_OLD[table], values).fetchone()[0])

    async def replace_maintenance_run(self, run: MaintenanceRun, stored_at: datetime | None) -> bool:
        columns = codec.maintenance_run_columns(run)
        statement, values = (REPLACE_RUN, (*columns, codec.to_micros(stored_at))) if stored_at else (BEGIN_RUN, columns)
        return await self._in_transaction(lambda writer: changed(writer, statement, values))
