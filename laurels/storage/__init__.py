"""Storage. `open_store` turns a database address into the engine that serves it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from laurels.errors import SettingsError
from laurels.extras import require
from laurels.storage.contract import CONNECTIONS, SCHEMA, Store

PASSWORD_PARAMETER = re.compile(r"(password\s*=)[^&#\s]*", re.IGNORECASE)
PASSWORD_OF_USER = re.compile(r"(?<![\w+.-])(?!sqlite)([\w+.-]+://[^:@/?#\s]*:)\S*@", re.IGNORECASE)
"""Up to the last '@', so that a password with an unescaped '@' is hidden completely."""


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


def open_store(database: str, connections: int = CONNECTIONS, schema: str = SCHEMA) -> Store:
    """The store at an address.

    'sqlite:///laurels.db', 'sqlite:////var/lib/laurels.db', 'sqlite://' (in memory), 'postgresql://user:password@host/name'.
    `connections` limits the connections of this process to a database server, and `schema` is where its tables are. Raises
    SettingsError for an address that no engine serves and for a schema that it cannot have, and MissingExtra if its driver is
    not installed.
    """
    scheme = database.partition(":")[0]
    if scheme == "sqlite":
        if schema != SCHEMA:
            raise SettingsError(
                f"database.schema is '{schema}', but SQLite has no schemas; leave it out, and give each community its own file"
            )
        from laurels.storage.sqlite.store import SQLiteStore  # noqa: PLC0415  # an engine is loaded only if used

        return SQLiteStore.from_address(database)
    if scheme in ("postgresql", "postgres"):
        check_schema(schema)
        require("postgres")
        from laurels.storage.postgres.store import PostgresStore  # noqa: PLC0415  # the same

        return PostgresStore(database, connections, schema=schema)
    raise SettingsError(
        f"no engine serves '{without_password(database)}'; use 'sqlite:///FILE' or 'postgresql://user:password@host/name'"
    )


def is_in_memory(database: str) -> bool:
    """Whether this address means a database in the memory of the process that opens it."""
    return database in ("sqlite://", "sqlite:///:memory:")


def without_password(database: str) -> str:
    """An address, or a text with addresses, as it may be shown: passwords before the host and in parameters become '***'."""
    password = _password_of(database)
    if password:
        database = database.replace(f":{password}@", ":***@", 1)
    return PASSWORD_OF_USER.sub(r"\1***@", PASSWORD_PARAMETER.sub(r"\1***", database))


def _password_of(address: str) -> str | None:
    """The password in an address, also one with spaces; None for a text that is no address."""
    try:
        return urlsplit(address).password
    except ValueError:
        return None
