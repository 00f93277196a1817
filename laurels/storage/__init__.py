"""Storage. `open_store` turns a database address into the engine that serves it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from laurels.errors import SettingsError
from laurels.extras import require
from laurels.storage.contract import CONNECTIONS, Store

PASSWORD_PARAMETER = re.compile(r"(password\s*=)[^&#\s]*", re.IGNORECASE)
PASSWORD_OF_USER = re.compile(r"(?<![\w+.-])(?!sqlite)([\w+.-]+://[^:@/?#\s]*:)\S*@", re.IGNORECASE)
"""Up to the last '@', so that a password with an unescaped '@' is hidden completely."""


def open_store(database: str, connections: int = CONNECTIONS) -> Store:
    """The store at an address.

    'sqlite:///laurels.db', 'sqlite:////var/lib/laurels.db', 'sqlite://' (in memory), 'postgresql://user:password@host/name'.
    `connections` limits the connections of this process to a database server. Raises SettingsError for an address
    that no engine serves, and MissingExtra if its driver is not installed.
    """
    scheme = database.partition(":")[0]
    if scheme == "sqlite":
        from laurels.storage.sqlite.store import SQLiteStore  # noqa: PLC0415  # an engine is loaded only if used

        return SQLiteStore.from_address(database)
    if scheme in ("postgresql", "postgres"):
        require("postgres")
        from laurels.storage.postgres.store import PostgresStore  # noqa: PLC0415  # the same

        return PostgresStore(database, connections)
    raise SettingsError(
        f"no engine serves '{without_password(database)}'; use 'sqlite:///FILE' or 'postgresql://user:password@host/name'"
    )


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
