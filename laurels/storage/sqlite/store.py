"""The store on SQLite: one file, or in memory. Each part is a module with its SQL at its head."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from laurels.errors import SettingsError
from laurels.storage.sqlite.access import Access
from laurels.storage.sqlite.amnesties import Amnesties
from laurels.storage.sqlite.audit import Audit
from laurels.storage.sqlite.catalogs import Catalogs
from laurels.storage.sqlite.copying import Copying
from laurels.storage.sqlite.erasures import Erasures
from laurels.storage.sqlite.exports import Exports
from laurels.storage.sqlite.leaderboards import Leaderboards
from laurels.storage.sqlite.past import Past
from laurels.storage.sqlite.records import Records
from laurels.storage.sqlite.reports import Reports
from laurels.storage.sqlite.retention import Retention
from laurels.storage.sqlite.sandbox import Sandbox
from laurels.storage.sqlite.schema import Schema
from laurels.storage.sqlite.supplies import Supplies
from laurels.storage.sqlite.transactions import Transactions


class SQLiteStore(
    Schema,
    Records,
    Past,
    Transactions,
    Erasures,
    Exports,
    Catalogs,
    Leaderboards,
    Access,
    Amnesties,
    Audit,
    Reports,
    Retention,
    Sandbox,
    Supplies,
    Copying,
):
    """The contract of `storage/contract` on one SQLite file, or in memory."""

    @classmethod
    def from_address(cls, database: str) -> SQLiteStore:
        """The store of 'sqlite:///relative.db', 'sqlite:////absolute.db' or 'sqlite://' (in memory)."""
        rest = database.removeprefix("sqlite:")
        if rest in ("//", "///:memory:"):
            return cls(None)
        if not rest.startswith("///") or len(rest) == len("///"):
            raise SettingsError(f"'{database}' names no file; write 'sqlite:///laurels.db'")
        return cls(Path(unquote(rest.removeprefix("///"))))
