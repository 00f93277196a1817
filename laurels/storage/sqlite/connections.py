"""Connections to a SQLite database, and how work runs on them.

One writer thread holds the writing connection; each batch of changes is one `BEGIN IMMEDIATE` transaction. Reads run inline on
a connection of their own: they take some microseconds, and handing them to a thread would cost several times that. Reads of some
milliseconds share one more thread and connection, so that however many are requested, they take turns there and block no other
task. Long reads run in a thread and a connection of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from laurels.errors import StoreError, StoreUnavailable
from laurels.storage.audit import audit_columns
from laurels.storage.columns import AUDIT, Table
from laurels.storage.contract import AuditRow
from laurels.storage.keyrings import HeldKeyring
from laurels.storage.sqlite import driver
from laurels.storage.sqlite.driver import Connection, Cursor
from laurels.storage.threads import DaemonExecutor

T = TypeVar("T")

CLEANING_MILLISECONDS = 20
"""How long emptying the log may make other writers wait, while it waits for readers itself."""


class Connections:
    """The connections of one store. Each part of the store inherits it for how it reads and writes."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, creating it if it is missing; None keeps everything in memory."""
        self._path = path
        self._thread = DaemonExecutor("laurels-writer") if path else None
        try:
            self._writer = _connect(path)
            self._reader = _connect(path) if path else self._writer
        except driver.Error as error:
            raise StoreUnavailable(f"cannot open {path}: {error}") from error
        self._snapshot = Snapshot(self._reader)
        self._wide: Separate | None = None
        self._commits = 0
        self._held = HeldKeyring()
        self._closed = False

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._wide:
            await self._wide.close()
        if self._thread:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
            self._thread.shutdown()
            self._reader.close()
        else:
            self._writer.close()

    def _version(self, connection: Connection) -> tuple[int, int]:
        """A value that changes with every commit of any process."""
        return connection.execute("PRAGMA data_version").fetchone()[0], self._commits

    async def _write(self, work: Callable[[], T]) -> T:
        """Run `work` on the one writer: in its thread, or inline for a database in memory."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        with translated:
            if self._thread is None:
                return work()
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the writer in a transaction of its own."""

        def run() -> T:
            with self._transaction() as connection:
                return work(connection)

        return await self._write(run)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction on the writer: all of it, durable when this ends, or nothing."""
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._commits += 1

    async def _in_turn(self, work: Callable[[Connection], T]) -> T:
        """A read of some milliseconds from one snapshot, in the one thread for such reads; inline for a database in memory."""
        if self._path is None:
            with self._snapshot as connection:
                return work(connection)
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._wide is None:
            with translated:
                self._wide = Separate(_connect(self._path), self._path)
        return await self._wide.run(partial(_in_own_snapshot, work))

    async def _in_background(self, work: Callable[[Connection], T]) -> T:
        """A long read from one snapshot, without blocking other work; inline for a database in memory, which is small."""
        if self._path is None:
            with self._snapshot as connection:
                return work(connection)
        async with self._separate() as separate:
            return await separate.run(partial(_in_snapshot, work))

    @asynccontextmanager
    async def _separate(self) -> AsyncIterator[Separate]:
        """A separate connection for long work. A database in memory has only one connection, so it is one to a copy."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        with translated:
            connection = _connect(self._path)
            if self._path is None:
                driver.copy(self._writer, connection)
        separate = Separate(connection, self._path)
        try:
            yield separate
        finally:
            await separate.close()


class Translated:
    """Turns the driver's errors into ours. A class, because it surrounds every read, and a generator costs a microsecond more."""

    def __init__(self, path: Path | None = None) -> None:
        """Errors name the database file if `path` is given."""
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, UnicodeDecodeError):
            raise StoreError(f"a text in {self._path or 'the database'} is damaged: {error}") from error
        if not isinstance(error, driver.Error):
            return
        if isinstance(error, driver.CLOSED):
            raise StoreUnavailable("the store is closed") from error
        if isinstance(error, driver.REFUSED):
            raise StoreError(f"SQLite refused: {error}") from error
        raise StoreUnavailable(f"SQLite cannot{f' use {self._path}' if self._path else ''}: {error}") from error


translated = Translated()


class Snapshot:
    """Several reads of the same state, with the driver's errors as ours."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Connection:
        with translated:
            self._connection.execute("BEGIN")
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with translated:
            self._connection.execute("COMMIT")
        translated.__exit__(kind, error, trace)


class Separate:
    """A connection with a thread of its own and one cursor. Work that has started is finished before it closes."""

    def __init__(self, connection: Connection, path: Path | None) -> None:
        self.connection = connection
        self._cursor = connection.cursor()
        self._translated = Translated(path)
        self._thread = DaemonExecutor("laurels-separate")

    async def run(self, work: Callable[[Cursor], T]) -> T:
        """Run `work` with the cursor, in the thread."""
        with self._translated:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._cursor)

    async def close(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        except StoreUnavailable:  # the thread never started
            self._close()
        self._thread.shutdown()

    def _close(self) -> None:
        self._cursor.close()  # a cursor in the middle of its rows would keep the file open
        self.connection.close()


def _in_own_snapshot(work: Callable[[Connection], T], cursor: Cursor) -> T:
    """The result of a read from one snapshot, on a connection that is used again after it."""
    with Snapshot(cursor.connection) as connection:
        return work(connection)


def _in_snapshot(work: Callable[[Connection], T], cursor: Cursor) -> T:
    """The result of a read from one snapshot; the connection is closed after it."""
    cursor.execute("BEGIN")
    return work(cursor.connection)


def _connect(path: Path | None) -> Connection:
    connection = driver.connect(path)
    try:
        if path:
            _use_wal(connection)
        for pragma in driver.PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except driver.Error:
        connection.close()
        raise
    return connection


def _use_wal(connection: Connection) -> None:
    """Switch to the write-ahead log.

    Two processes that open a new file at once must retry here: SQLite's busy timeout does not apply here.
    """
    deadline = time.monotonic() + driver.BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except driver.BUSY:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def empty_log(connection: Connection) -> bool:
    """Copy the write-ahead log into the database and empty it. Returns whether it is empty now.

    Most is copied without making anyone wait. Emptying makes writers wait for the last readers, so it gives up soon.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    connection.execute(f"PRAGMA busy_timeout = {CLEANING_MILLISECONDS}").fetchall()
    try:
        (blocked, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except driver.BUSY:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {driver.BUSY_SECONDS * 1000}").fetchall()
    return not blocked


def insert(table: Table) -> str:
    """The statement that inserts a row into a table."""
    return f"INSERT INTO {table.name} ({table}) VALUES ({', '.join('?' * len(table.columns))})"


ADD_AUDIT = f"{insert(AUDIT)} ON CONFLICT (audit_id) DO NOTHING"


def save_audit(connection: Connection, rows: Iterable[AuditRow]) -> None:
    """Write rows of the audit, in the transaction of what they are about."""
    for row in rows:
        connection.execute(ADD_AUDIT, audit_columns(row))
