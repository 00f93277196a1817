"""A pool of connections to a PostgreSQL server that retries what fails temporarily.

A server that restarts, fails over or drops a connection, and a transaction that conflicts with another one, are not errors for
the caller: the work is repeated from its beginning, until it succeeds or the time is up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NoReturn, Protocol, TypeVar, cast

import asyncpg

from laurels.errors import LaurelsError, MigrationError, SettingsError, StoreError, StoreUnavailable
from laurels.storage.contract import SCHEMA

T = TypeVar("T")

READ_SECONDS = 5.0
WRITE_SECONDS = 30.0
"""How long reads and writes are retried: a failover takes some seconds."""

STATEMENT_SECONDS = 60.0
LONG_STATEMENT_SECONDS = 6 * 3600.0
"""How long a statement may run; the long ones read or rebuild the whole database."""

REPORT_SECONDS = 30
"""How long each statement of a report for operators may run: it may read all users or awards."""

IDLE_SECONDS = 50.0
"""How long a transaction may be idle before the server ends it, so that a stopped process or an unreachable machine does not keep
users locked."""

NO_IDLE_TIMEOUT = "SET idle_in_transaction_session_timeout = 0"
RESET_IDLE_TIMEOUT = "RESET idle_in_transaction_session_timeout"
PREPARE = """
SELECT current_schema(), CASE current_setting('synchronous_commit')
    WHEN 'off' THEN set_config('synchronous_commit', 'on', false)
END
"""
"""The schema is null as long as it does not exist, and if the role may not use it."""


FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.5

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,  # the server was made a standby: the next connection finds the new primary
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.InternalClientError,  # the server has just closed an idle connection
    OSError,  # refused, reset, and as a subclass timed out
)
"""The connection is gone, or could not be made; another may work."""

CONFLICTS = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
"""The transaction was rolled back because of others; the same one may succeed now."""

HOPELESS = (
    asyncpg.InsufficientResourcesError,  # disk full, out of memory
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
"""An operator must do something first: retrying does not help."""


class Connection(Protocol):
    """What the store uses of the driver's connection. A row is a sequence of values that also has the names of its columns."""

    def get_server_version(self) -> Any: ...
    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Any]: ...  # noqa: ASYNC109
    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Any: ...  # noqa: ASYNC109
    async def fetchval(self, query: str, *args: Any, timeout: float | None = None) -> Any: ...  # noqa: ASYNC109
    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str: ...  # noqa: ASYNC109
    def transaction(self, *, isolation: Any = None, readonly: bool = False) -> AbstractAsyncContextManager[Any]: ...
    def cursor(self, query: str, *args: Any, timeout: float | None = None) -> Awaitable[Cursor]: ...
    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Sequence[Sequence[Any]],
        columns: Sequence[str],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> str: ...


class Cursor(Protocol):
    """The rows of a statement, a number at a time."""

    async def fetch(self, n: int, *, timeout: float | None = None) -> list[Any]: ...  # noqa: ASYNC109


class Overtaken(Exception):  # noqa: N818
    """A conflict with another transaction that the server does not report."""


class Pool:
    """Connections to one schema of a database, opened when first needed."""

    def __init__(self, address: str, most: int, schema: str = SCHEMA) -> None:
        self._address = address
        self._most = most
        self._schema = schema
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()
        self._running = 0
        self._idle = asyncio.Event()
        self._closed = False

    async def run(self, work: Callable[[Connection], Awaitable[T]], patience: float = READ_SECONDS) -> T:
        """Do this work on a connection; repeat it after a temporary failure.

        It may run several times, so it must have no lasting effect when it fails. Raises StoreUnavailable when `patience`
        seconds are over or the server lacks something, and StoreError for what it refuses.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._running += 1
        try:
            return await self._until_done(work, patience)
        finally:
            self._ended()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Connection]:
        """A connection for long work that cannot be repeated. The driver's errors are raised as ours."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._running += 1
        try:
            pool = self._pool or await self._open()
            async with pool.acquire(timeout=READ_SECONDS) as connection:
                await connection.execute(NO_IDLE_TIMEOUT)  # it may wait for the other database
                yield cast(Connection, connection)
                await connection.execute(RESET_IDLE_TIMEOUT)
        except LaurelsError:
            raise
        except Exception as error:  # noqa: BLE001  # _raise_as_ours decides on each kind
            _raise_as_ours(error, self._schema)
        finally:
            self._ended()

    def _ended(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    async def close(self) -> None:
        """Finish running work, and disconnect. Safe to repeat."""
        self._closed = True
        while self._running:
            self._idle.clear()
            await self._idle.wait()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _until_done(self, work: Callable[[Connection], Awaitable[T]], patience: float) -> T:
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + patience, FIRST_PAUSE
        while True:
            try:
                pool = self._pool or await self._open()
                async with pool.acquire(timeout=patience) as connection:
                    return await work(cast(Connection, connection))
            except LaurelsError:
                raise
            except Exception as error:  # noqa: BLE001  # _raise_as_ours decides on each kind
                if not _is_temporary(error) or clock() + pause > deadline:
                    _raise_as_ours(error, self._schema)
                if self._pool and not isinstance(error, (*CONFLICTS, Overtaken)):
                    await self._pool.expire_connections()
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # so that two transactions do not conflict again
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _open(self) -> asyncpg.Pool[asyncpg.Record]:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._address,
                    min_size=0,  # otherwise the pool connects in the background, and logs each failure
                    max_size=self._most,
                    command_timeout=STATEMENT_SECONDS,
                    timeout=READ_SECONDS,
                    init=self._prepare,
                    reset=_keep,
                    server_settings={
                        "application_name": "laurels" if self._schema == SCHEMA else f"laurels {self._schema}",
                        "search_path": self._schema,
                        "jit": "off",
                        "idle_in_transaction_session_timeout": str(round(1000 * IDLE_SECONDS)),
                    },
                )
            return self._pool

    async def _prepare(self, connection: Any) -> None:
        """Make acknowledged commits durable, whatever the server's default, and check the schema.

        A pooler between us and the server may drop the search path. The tables of another community would then be used.
        """
        actual = await connection.fetchval(PREPARE)
        if actual not in (None, self._schema):
            raise SettingsError(
                f"connections use the PostgreSQL schema '{actual}', not '{self._schema}': something between Laurels and the "
                "server drops the parameter 'search_path'; let it through, or give each schema a role of its own with "
                f"ALTER ROLE ... SET search_path = {self._schema}"
            )


async def write(connection: Connection, statement: str, rows: Iterable[Iterable[Any]]) -> None:
    """Run a statement over these rows, passed as one array for each column; without rows do nothing."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        await connection.execute(statement, *columns)


async def _keep(_: Any) -> None:
    """Keep a connection's state for its next user: nothing here changes it, and a reset is a round trip."""


def _is_temporary(error: Exception) -> bool:
    """Whether retrying may help."""
    if isinstance(error, HOPELESS) and not isinstance(error, asyncpg.TooManyConnectionsError):
        return False
    return isinstance(error, (*LOST, *CONFLICTS, Overtaken)) or _says_closed(error)


def _says_closed(error: Exception) -> bool:
    """Whether the driver has noticed that its connection is gone."""
    closed = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, asyncpg.DataError)
    return closed and "closed" in str(error)


def _raise_as_ours(error: Exception, schema: str) -> NoReturn:
    """Raise the driver's error as one of ours; any other error unchanged."""
    if isinstance(error, asyncpg.UndefinedTableError):
        raise MigrationError(no_tables(schema)) from error
    if isinstance(error, (asyncpg.ClientConfigurationError, asyncpg.InvalidCatalogNameError)):
        raise SettingsError(f"the database's address does not work: {error}") from error
    if isinstance(error, HOPELESS) or _is_temporary(error):
        raise StoreUnavailable(f"PostgreSQL is unavailable: {error or type(error).__name__}") from error
    if isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError)):
        raise StoreError(f"PostgreSQL refused: {error}") from error
    raise error


def no_tables(schema: str) -> str:
    """What is wrong with a database that has no tables of Laurels in this schema, and the fix."""
    return f"the PostgreSQL schema '{schema}' has no tables of Laurels; run 'laurels migrate', or set 'database.schema'"
