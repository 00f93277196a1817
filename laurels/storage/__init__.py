"""Where things are kept. `open_store` turns a database address into the engine that serves it."""

from __future__ import annotations

from urllib.parse import urlsplit

from laurels.errors import SettingsError
from laurels.storage.contract import CONNECTIONS, Store


def open_store(database: str, connections: int = CONNECTIONS) -> Store:
    """The store behind an address.

    'sqlite:///laurels.db', 'sqlite:////var/lib/laurels.db', 'sqlite://' (in memory), 'postgresql://user:password@host/name'.
    A database that many processes share is spoken to over at most so many `connections`. Raises SettingsError for an address
    that no engine serves.
    """
    scheme = database.partition(":")[0]
    if scheme == "sqlite":
        from laurels.storage.sqlite.store import SQLiteStore  # noqa: PLC0415  # an engine loads only when it is used

        return SQLiteStore.from_address(database)
    if scheme in ("postgresql", "postgres"):
        from laurels.storage.postgres.store import PostgresStore  # noqa: PLC0415  # the same

        return PostgresStore(database, connections)
    raise SettingsError(
        f"no engine serves '{without_password(database)}'; use 'sqlite:///FILE' or 'postgresql://user:password@host/name'"
    )


def without_password(database: str) -> str:
    """An address as it may be shown and logged."""
    password = urlsplit(database).password
    return database if not password else database.replace(f":{password}@", ":***@", 1)
