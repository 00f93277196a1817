"""Copying whole databases from and to PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import asyncpg

from laurels.errors import NotEmpty, StoreError
from laurels.storage.codec import Columns
from laurels.storage.columns import BATCH, REPLACED, TABLES
from laurels.storage.contract import Batch, Rows
from laurels.storage.postgres.connections import Connections
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, Connection
from laurels.storage.postgres.ranking import MAKE_TALLIES

LOCK_ALL = f"LOCK TABLE {', '.join(TABLES)}, tallies IN SHARE ROW EXCLUSIVE MODE"
COUNT = {name: f"SELECT count(*) FROM {name}" for name in TABLES}
ALL_ROWS = {name: f"SELECT {table} FROM {name} ORDER BY {', '.join(table.key)}" for name, table in TABLES.items()}
HAS_ROWS = "SELECT " + " OR ".join(f"EXISTS (SELECT 1 FROM {name})" for name in TABLES if name not in REPLACED)
DROP_REPLACED = [f"DELETE FROM {name}" for name in REPLACED]
ANALYZE = f"ANALYZE {', '.join(TABLES)}, tallies"
"""Without it, the server would plan as for empty tables until its own next analyze."""


class Copying(Connections):
    """Reading and writing whole databases."""

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[Rows]:
        async with (
            self._pool.hold() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            counts = {
                name: await connection.fetchval(count, timeout=LONG_STATEMENT_SECONDS) for name, count in COUNT.items()
            }
            yield _Rows(connection, counts)

    async def fill(self, batches: AsyncIterator[Batch]) -> None:
        async with self._pool.hold() as connection, connection.transaction():
            await connection.execute(LOCK_ALL)
            if await connection.fetchval(HAS_ROWS):
                raise NotEmpty
            for statement in DROP_REPLACED:
                await connection.execute(statement)
            async for table, rows in batches:
                await _copy_in(connection, table, rows)
            await connection.execute(MAKE_TALLIES, timeout=LONG_STATEMENT_SECONDS)
            await connection.execute(ANALYZE, timeout=LONG_STATEMENT_SECONDS)
        self._held.forget()


class _Rows:
    """All rows, from the snapshot of the connection's transaction."""

    def __init__(self, connection: Connection, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self._connection = connection

    async def batches(self) -> AsyncIterator[Batch]:
        for table, statement in ALL_ROWS.items():
            cursor = await self._connection.cursor(statement, timeout=LONG_STATEMENT_SECONDS)
            while found := await cursor.fetch(BATCH, timeout=LONG_STATEMENT_SECONDS):
                yield table, [tuple(row) for row in found]


async def _copy_in(connection: Connection, table: str, rows: Sequence[Columns]) -> None:
    try:
        await connection.copy_records_to_table(table, records=rows, columns=TABLES[table].columns)
    except asyncpg.CharacterNotInRepertoireError as error:
        message = f"a text in {table} has a character that PostgreSQL cannot store, such as U+0000: {error}"
        raise StoreError(message) from error
