"""The contract of storage: what every engine guarantees.

All times are parameters and all ids are made by the caller: no engine reads a clock, draws a random number for a decision or
runs a trigger. `user_id` leads every key of a user's rows, so that the same tables can be sharded by it. One suite,
`tests/storage/test_contract.py`, checks every guarantee on every engine.

Each module holds one small protocol with its rows; `Store` joins them.
"""

from __future__ import annotations

from typing import Protocol

from laurels.storage.contract.access import (
    Access,
    KeyRow,
    OperatorSession,
    OperatorSessionRow,
    SecondFactorRow,
    SessionRow,
)
from laurels.storage.contract.amnesties import Amnesties, AmnestyRow, amnesty_count
from laurels.storage.contract.audit import AUDIT_KINDS, Audit, AuditFilter, AuditKind, AuditRow, TargetKind
from laurels.storage.contract.catalogs import (
    UNBOUND,
    AskAboutIds,
    AuditOf,
    CatalogChange,
    CatalogRow,
    Catalogs,
    CatalogState,
    DecideCatalog,
    OtherRevision,
    RevisionKey,
)
from laurels.storage.contract.closings import ClosedPeriodRow
from laurels.storage.contract.copying import Batch, Copying, Rows
from laurels.storage.contract.erasures import (
    ERASED_TOGETHER,
    FIRST_EVENT,
    Erasures,
    EventKey,
    NamingTable,
    PendingErasure,
    SearchedEvents,
    UnfinishedErasure,
)
from laurels.storage.contract.exports import Exports
from laurels.storage.contract.keyrings import Keyrings
from laurels.storage.contract.leaderboards import (
    ALL_TIME,
    POINTS_BOARD,
    BoardRuleRow,
    LeaderboardLines,
    LeaderboardRequest,
    Leaderboards,
    OwnRule,
    Standing,
    Team,
    Teams,
    TeamsRequest,
)
from laurels.storage.contract.past import FIRST_FORMER_STATE, NOT_STARTED, FormerAward, FormerState, Past
from laurels.storage.contract.principals import LIBRARY, Principal, PrincipalKind, Source
from laurels.storage.contract.records import (
    BEGINNING,
    AdjustmentRow,
    AwardRow,
    Cursor,
    EventRow,
    HistoryRows,
    LedgerRow,
    NotificationRow,
    ProfileView,
    Records,
    StoredEvents,
    StoredUser,
    UserDetails,
    UserRow,
    UserSnapshot,
)
from laurels.storage.contract.reports import Counts, MaintenanceRun, PointsPaid, Reports, ReportUser, UserSample
from laurels.storage.contract.retention import OldRows, RetainedTable, Retention, RowKey
from laurels.storage.contract.sandbox import Sandbox
from laurels.storage.contract.schema import AppliedMigration, Mark, Schema
from laurels.storage.contract.supplies import Supplies
from laurels.storage.contract.transactions import Changes, Decide, Loaded, LoadRequest, Transactions

CONNECTIONS = 8
"""The most connections that one process opens, unless configured otherwise."""

SCHEMA = "laurels"
"""The PostgreSQL schema of the tables, unless configured otherwise: they can be in the database of the app's own tables."""


class Store(
    Schema,
    Records,
    Past,
    Transactions,
    Erasures,
    Exports,
    Keyrings,
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
    Protocol,
):
    """A database, opened by `open_store`. Every method may raise StoreUnavailable."""


__all__ = [
    "ALL_TIME",
    "AUDIT_KINDS",
    "BEGINNING",
    "CONNECTIONS",
    "ERASED_TOGETHER",
    "FIRST_EVENT",
    "FIRST_FORMER_STATE",
    "LIBRARY",
    "NOT_STARTED",
    "POINTS_BOARD",
    "UNBOUND",
    "Access",
    "AdjustmentRow",
    "Amnesties",
    "AmnestyRow",
    "AppliedMigration",
    "AskAboutIds",
    "Audit",
    "AuditFilter",
    "AuditKind",
    "AuditOf",
    "AuditRow",
    "AwardRow",
    "Batch",
    "BoardRuleRow",
    "CatalogChange",
    "CatalogRow",
    "CatalogState",
    "Catalogs",
    "Changes",
    "ClosedPeriodRow",
    "Copying",
    "Counts",
    "Cursor",
    "Decide",
    "DecideCatalog",
    "Erasures",
    "EventKey",
    "EventRow",
    "Exports",
    "FormerAward",
    "FormerState",
    "HistoryRows",
    "KeyRow",
    "Keyrings",
    "LeaderboardLines",
    "LeaderboardRequest",
    "Leaderboards",
    "LedgerRow",
    "LoadRequest",
    "Loaded",
    "MaintenanceRun",
    "Mark",
    "NamingTable",
    "NotificationRow",
    "OldRows",
    "OperatorSession",
    "OperatorSessionRow",
    "OtherRevision",
    "OwnRule",
    "Past",
    "PendingErasure",
    "PointsPaid",
    "Principal",
    "PrincipalKind",
    "ProfileView",
    "Records",
    "ReportUser",
    "Reports",
    "RetainedTable",
    "Retention",
    "RevisionKey",
    "RowKey",
    "Rows",
    "Sandbox",
    "Schema",
    "SearchedEvents",
    "SecondFactorRow",
    "SessionRow",
    "Source",
    "Standing",
    "Store",
    "StoredEvents",
    "StoredUser",
    "Supplies",
    "TargetKind",
    "Team",
    "Teams",
    "TeamsRequest",
    "Transactions",
    "UnfinishedErasure",
    "UserDetails",
    "UserRow",
    "UserSample",
    "UserSnapshot",
    "amnesty_count",
]
