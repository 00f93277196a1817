"""Where things are kept. `open_store` turns a database address into the engine that serves it."""

from __future__ import annotations

from laurels.errors import SettingsError
from laurels.storage.base import Store


def open_store(database: str) -> Store:
    """The store behind an address.

    'sqlite:///laurels.db', 'sqlite:////var/lib/laurels.db', 'sqlite://' (in memory), 'postgresql://user:password@host/name'.
    Raises SettingsError for an address that no engine serves.
    """
    scheme = database.partition(":")[0]
    if scheme == "sqlite":
        from laurels.storage.sqlite.store import SQLiteStore  # noqa: PLC0415  # an engine loads only when it is used

        return SQLiteStore.from_address(database)
    if scheme in ("postgresql", "postgres"):
        from laurels.storage.postgres.store import PostgresStore  # noqa: PLC0415  # the same

        return PostgresStore(database)
    raise SettingsError(
        f"no engine serves '{database}'; use 'sqlite:///FILE' or 'postgresql://user:password@host/name'"
    )
