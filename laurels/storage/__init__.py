"""Storage. `open_store` turns a database address into a store of the engine that serves it."""

from __future__ import annotations

from urllib.parse import urlsplit

from laurels.errors import SettingsError
from laurels.storage.contract import CONNECTIONS, Store


def open_store(database: str, connections: int = CONNECTIONS) -> Store:
    """The store at an address.

    'sqlite:///laurels.db', 'sqlite:////var/lib/laurels.db', 'sqlite://' (in memory), 'postgresql://user:password@host/name'.
    A store of a database server opens at most `connections` connections. Raises SettingsError for an address that no engine
    serves.
    """
    scheme = database.partition(":")[0]
    if scheme == "sqlite":
        from laurels.storage.sqlite.store import SQLiteStore  # noqa: PLC0415  # an engine is loaded only if used

        return SQLiteStore.from_address(database)
    if scheme in ("postgresql", "postgres"):
        from laurels.storage.postgres.store import PostgresStore  # noqa: PLC0415  # as above

        return PostgresStore(database, connections)
    raise SettingsError(
        f"no engine serves '{without_password(database)}'; use 'sqlite:///FILE' or 'postgresql://user:password@host/name'"
    )


def without_password(database: str) -> str:
    """An address without its password, safe to show and log."""
    password = urlsplit(database).password
    return database if not password else database.replace(f":{password}@", ":***@", 1)
