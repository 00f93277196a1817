"""Copying whole databases from and to SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import Any

from laurels.errors import NotEmpty
from laurels.storage.columns import BATCH, REPLACED, TABLES
from laurels.storage.contract import Batch, Rows
from laurels.storage.sqlite.connections import Connections, Separate, insert
from laurels.storage.sqlite.driver import Cursor, copy
from laurels.storage.sqlite.ranking import MAKE_TALLIES

COUNT = {name: f"SELECT count(*) FROM {name}" for name in TABLES}
ALL_ROWS = {name: f"SELECT {table} FROM {name} ORDER BY {', '.join(table.key)}" for name, table in TABLES.items()}
HAS_ROWS = {name: f"SELECT 1 FROM {name} LIMIT 1" for name in TABLES if name not in REPLACED}
DROP_REPLACED = [f"DELETE FROM {name}" for name in REPLACED]
INSERT = {name: insert(table) for name, table in TABLES.items()}


class Copying(Connections):
    """Reading and writing whole databases."""

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[Rows]:
        async with self._separate() as separate:
            yield _Rows(separate, await separate.run(_begin_reading))

    async def fill(self, batches: AsyncIterator[Batch]) -> None:
        async with self._separate() as separate:  # if it ends before the commit, nothing is written
            await separate.run(_begin_filling)
            async for table, rows in batches:
                await separate.run(partial(_insert, table, rows))
            await separate.run(_end_filling)
            if self._path is None:
                copy(separate.connection, self._writer)
            self._commits += 1
            self._held.forget()


class _Rows:
    """All rows, from the snapshot that the separate connection has open."""

    def __init__(self, separate: Separate, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self._separate = separate

    async def batches(self) -> AsyncIterator[Batch]:
        for name in TABLES:
            await self._separate.run(partial(_select, name))
            while rows := await self._separate.run(_next_batch):
                yield name, rows


def _begin_reading(cursor: Cursor) -> Mapping[str, int]:
    """Take a snapshot, and count the rows of each table in it."""
    cursor.execute("BEGIN")
    return {name: cursor.execute(statement).fetchone()[0] for name, statement in COUNT.items()}


def _select(name: str, cursor: Cursor) -> None:
    cursor.execute(ALL_ROWS[name])


def _next_batch(cursor: Cursor) -> list[tuple[Any, ...]]:
    return list(islice(cursor, BATCH))


def _begin_filling(cursor: Cursor) -> None:
    cursor.execute("BEGIN IMMEDIATE")
    for statement in HAS_ROWS.values():
        if cursor.execute(statement).fetchone():
            raise NotEmpty
    for statement in DROP_REPLACED:
        cursor.execute(statement)


def _insert(table: str, rows: Sequence[tuple[Any, ...]], cursor: Cursor) -> None:
    cursor.executemany(INSERT[table], rows)


def _end_filling(cursor: Cursor) -> None:
    cursor.execute(MAKE_TALLIES)
    cursor.execute("COMMIT")
