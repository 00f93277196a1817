"""Storage. `open_store` turns a database address into the engine that serves it."""

from __future__ import annotations

import re

from laurels.errors import SettingsError
from laurels.extras import require
from laurels.storage.addresses import check_address, shown_address, without_password
from laurels.storage.contract import CONNECTIONS, SCHEMA, Store

__all__ = ["check_address", "check_schema", "open_store", "shown_address", "without_password"]


SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
"""A name that PostgreSQL reads the same with and without quotes; it cuts names after 63 bytes."""


def check_schema(name: str) -> None:
    """Raise SettingsError unless this can be the PostgreSQL schema of a community. Reasons: docs/decisions/0043."""
    if not SCHEMA_NAME.fullmatch(name):
        raise SettingsError(
            f"'{name}' is not the name of a schema; use a to z, 0 to 9 and _, at most 63 of them, the first not a digit"
        )
    if name.startswith("pg_") or name == "information_schema":
        raise SettingsError(f"the schema '{name}' is PostgreSQL's own; choose another name, such as '{SCHEMA}'")
    if name == "public":
        raise SettingsError(
            f"the schema 'public' is for tables of every program, and others have a table 'users' too; choose a schema of "
            f"its own, such as '{SCHEMA}'"
        )


def open_store(database: str, connections: int = CONNECTIONS, schema: str = SCHEMA, *, secret_file: str = "") -> Store:
    """The store at an address.

    'sqlite:///laurels.db', 'sqlite:////var/lib/laurels.db', 'sqlite://' (in memory), 'postgresql://user:password@host/name'.
    `connections` limits the connections of this process to a database server, `schema` is where its tables are, and
    `secret_file` has its keys ('': the database has a secret of its own). Raises SettingsError for an address that no engine
    serves or that cannot be read and for a schema that it cannot have, and MissingExtra if its driver is not installed.
    """
    store = _open(database, connections, schema)
    store.use_secret_file(secret_file)
    return store


def _open(database: str, connections: int, schema: str) -> Store:
    scheme = database.partition(":")[0]
    if scheme == "sqlite":
        if schema != SCHEMA:
            raise SettingsError(
                f"database.schema is '{schema}', but SQLite has no schemas; leave it out, and give each community its own file"
            )
        from laurels.storage.sqlite.store import SQLiteStore  # noqa: PLC0415  # an engine is loaded only if used

        return SQLiteStore.from_address(database)
    if scheme in ("postgresql", "postgres"):
        check_address(database)
        check_schema(schema)
        require("postgres")
        from laurels.storage.postgres.store import PostgresStore  # noqa: PLC0415  # the same

        return PostgresStore(database, connections, schema=schema)
    raise SettingsError(
        f"no engine serves '{shown_address(database)}'; use 'sqlite:///FILE' or 'postgresql://user:password@host/name'"
    )


def is_in_memory(database: str) -> bool:
    """Whether this address means a database in the memory of the process that opens it."""
    return database in ("sqlite://", "sqlite:///:memory:")
