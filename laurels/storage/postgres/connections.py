"""How the parts of a store on PostgreSQL run statements: on connections of one pool, with retries.

A batch of rows is written as one statement for each table, with one array for each column.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import count
from typing import Any, Self, TypeVar

from laurels.storage.audit import audit_columns
from laurels.storage.codec import to_micros
from laurels.storage.columns import AUDIT, BYTES, NUMBER, TEXT, Kind, Table
from laurels.storage.contract import CONNECTIONS, SCHEMA, AuditRow
from laurels.storage.keyrings import HeldKeyring
from laurels.storage.postgres.pool import REPORT_SECONDS, WRITE_SECONDS, Connection, Pool, write

T = TypeVar("T")

STATEMENT_TIMEOUT = f"SET LOCAL statement_timeout = '{REPORT_SECONDS}s'"

_TYPES: Mapping[Kind, str] = {TEXT: "text", NUMBER: "bigint", BYTES: "bytea"}


@dataclass(frozen=True, slots=True)
class Locks:
    """The keys of the advisory locks. Such locks belong to a whole database, so each schema has keys of its own.

    users     first key of the locks for new users, and of the one for migrating
    periods   first key of the locks that late moves share, and that closing a period holds alone
    gaps      the only key of the lock that is held alone while leaving gaps in closed periods: the next equal must still be
              there to get one
    """

    users: int = 0x1A07E1
    periods: int = 0x1A07E2
    gaps: int = 0x1A07E3

    @classmethod
    def of(cls, schema: str) -> Self:
        """Those of this schema. The default one keeps the keys that processes of earlier versions use."""
        return cls() if schema == SCHEMA else cls(*(_key(f"{schema}.{name}") for name in cls.__slots__))


def _key(name: str) -> int:
    """A key of 32 bits. Should two names have the same, their transactions wait for each other; nothing else happens."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big", signed=True)


class Connections:
    """The connections of one store. Each part of the store inherits it for how it reads and writes."""

    def __init__(
        self, address: str, connections: int = CONNECTIONS, patience: float = WRITE_SECONDS, schema: str = SCHEMA
    ) -> None:
        """A store at this address, in this schema; it connects when first used, with at most `connections` connections.

        `patience` is how many seconds a transaction is retried while the server is away.
        """
        self._schema = str(schema)  # the driver takes no subclass of str, as settings and frameworks have
        self._pool = Pool(address, connections, self._schema)
        self._locks = Locks.of(schema)
        self._patience = patience
        self._held = HeldKeyring()

    async def close(self) -> None:
        await self._pool.close()

    async def _value(self, statement: str, *values: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """The first value of the statement's first row; None without any."""
        return await self._pool.run(lambda connection: connection.fetchval(statement, *values, timeout=timeout))

    async def _rows(self, statement: str, *values: Any) -> list[Any]:
        """The rows of one statement."""
        return await self._pool.run(lambda connection: connection.fetch(statement, *values))

    async def _end(
        self, statement: str, at: datetime, name: str, *more: str | None, audit: AuditRow | None = None
    ) -> bool:
        """Run a statement that ends something active, with a row of the audit. Returns whether it did. See `is_active`."""
        attempts = count()

        async def end(connection: Connection) -> bool:
            again = next(attempts) > 0
            values = (to_micros(at), name, again, *more)
            return await audited(connection, audit, statement, *values)

        return await self._pool.run(end)

    async def _snapshot(self, read: Callable[[Connection], Awaitable[T]]) -> T:
        """A read of several statements from one snapshot."""

        async def run(connection: Connection) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await read(connection)

        return await self._pool.run(run)

    async def _report(self, read: Callable[[Connection], Awaitable[T]]) -> T:
        """A long read from one snapshot, which the server ends if it takes too long."""

        async def run(connection: Connection) -> T:
            await connection.execute(STATEMENT_TIMEOUT)
            return await read(connection)

        return await self._snapshot(run)


def is_active(column: str) -> str:
    """The condition that something has not ended yet, or, on a retry ($3), ended at this very time ($1).

    A lost connection leaves in doubt whether the first attempt was committed.
    """
    return f"({column} IS NULL OR $3::boolean AND {column} = $1)"


def arrays(table: Table) -> str:
    """One array parameter for each column: 'unnest($1::text[], $2::bigint[])'."""
    typed = [f"${number}::{_TYPES[kind]}[]" for number, kind in enumerate(table.kinds.values(), start=1)]
    return f"unnest({', '.join(typed)})"


def insert(table: Table) -> str:
    """The statement that inserts one row."""
    marks = ", ".join(f"${number}" for number in range(1, len(table.columns) + 1))
    return f"INSERT INTO {table.name} ({table}) VALUES ({marks})"


def insert_all(table: Table) -> str:
    """The statement that inserts rows given as arrays."""
    return f"INSERT INTO {table.name} ({table}) SELECT * FROM {arrays(table)}"


ADD_AUDIT = f"{insert_all(AUDIT)} ON CONFLICT (audit_id) DO NOTHING"


async def save_audit(connection: Connection, rows: Iterable[AuditRow]) -> None:
    """Write rows of the audit, in the transaction of what they are about; without rows do nothing."""
    await write(connection, ADD_AUDIT, map(audit_columns, rows))


async def audited(connection: Connection, audit: AuditRow | None, statement: str, *values: Any) -> bool:
    """Run a statement that returns a row if it changes something; then write the row of the audit, in one transaction."""
    async with connection.transaction():
        has_changed = await connection.fetchval(statement, *values) is not None
        await save_audit(connection, [audit] if audit and has_changed else ())
        return has_changed


def setting(table: Table, source: str, *, but: Sequence[str] = ()) -> str:
    """'name = source.name, ...' of all columns outside the key, except those in `but`."""
    names = [name for name in table.columns[table.key_length :] if name not in but]
    return ", ".join(f"{name} = {source}.{name}" for name in names)


MANY_ROWS = 2000
"""More rows than this are decoded in a thread: other tasks of the event loop would wait some ten milliseconds."""


async def by_user_decoded(users: Sequence[str], rows: Sequence[Any], decode: Callable[[Any], T]) -> dict[str, list[T]]:
    """Rows decoded and grouped by their users, as `by_user` does, without holding up other tasks if there are many."""

    def grouped() -> dict[str, list[T]]:
        return by_user(users, ((row[0], decode(row)) for row in rows))

    return grouped() if len(rows) <= MANY_ROWS else await asyncio.to_thread(grouped)


def by_user(users: Sequence[str], found: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    """Values grouped by their users, each user with a list."""
    grouped: dict[str, list[T]] = {user_id: [] for user_id in users}
    for user_id, value in found:
        grouped[user_id].append(value)
    return grouped
