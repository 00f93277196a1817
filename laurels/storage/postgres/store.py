"""The store on PostgreSQL: one database, shared by any number of processes. Each part is a module with its SQL at its head."""

from __future__ import annotations

from laurels.storage.postgres.access import Access
from laurels.storage.postgres.amnesties import Amnesties
from laurels.storage.postgres.audit import Audit
from laurels.storage.postgres.catalogs import Catalogs
from laurels.storage.postgres.copying import Copying
from laurels.storage.postgres.erasures import Erasures
from laurels.storage.postgres.exports import Exports
from laurels.storage.postgres.leaderboards import Leaderboards
from laurels.storage.postgres.past import Past
from laurels.storage.postgres.records import Records
from laurels.storage.postgres.reports import Reports
from laurels.storage.postgres.retention import Retention
from laurels.storage.postgres.sandbox import Sandbox
from laurels.storage.postgres.schema import Schema
from laurels.storage.postgres.supplies import Supplies
from laurels.storage.postgres.transactions import Transactions


class PostgresStore(
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
    """The contract of `storage/contract` on one PostgreSQL database."""
