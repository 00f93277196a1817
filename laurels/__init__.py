"""Laurels: badges, points, levels, daily streaks and leaderboards for the users of any app."""

from msgspec import UNSET, UnsetType

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import (
    AdjustmentConflict,
    AdjustmentNotFound,
    AdjustmentRefused,
    AmnestyNotFound,
    BadgeNotFound,
    CatalogDiffers,
    CatalogError,
    Conflict,
    EventConflict,
    EventTooEarly,
    EventTooLate,
    Fault,
    InvalidInput,
    LaurelsError,
    LeaderboardNotFound,
    MigrationError,
    MissingExtra,
    NotASandbox,
    NotEmpty,
    Overloaded,
    PeriodNotFound,
    SettingsError,
    StoreError,
    StoreUnavailable,
    StreakNotFound,
    Unauthorized,
    UserErased,
    UserNotFound,
    ZoneChangeTooSoon,
)
from laurels.present.adjustments import AdjustmentResult, ReversalResult
from laurels.present.amnesties import Amnesty
from laurels.present.badges import BadgeInfo, ConditionCheck, EarnedBadge, Explanation, NextBadge
from laurels.present.catalog import AppliedCatalog, CatalogRevision
from laurels.present.changes import Award, LevelChange, NumberChange, RankChange
from laurels.present.events import EventResult, IgnoredValue
from laurels.present.history import (
    History,
    HistoryAdjustment,
    HistoryAward,
    HistoryEntry,
    HistoryEvent,
    HistoryLoss,
    HistoryPoints,
    Undo,
)
from laurels.present.leaderboards import (
    ClosedPeriod,
    ClosedPeriods,
    LeaderboardInfo,
    LeaderboardList,
    LeaderboardPage,
    LeaderboardPeriod,
    LeaderboardStanding,
    TeamStanding,
)
from laurels.present.notifications import NotificationBadge, NotificationLeaderboard, NotificationMessage
from laurels.present.overviews import UserOverview
from laurels.present.problems import FieldError, Problem
from laurels.present.profiles import Leader, Profile, UserRank
from laurels.present.streaks import StreakDay, UserStreak, UserStreaks
from laurels.present.users import User, ZoneChange
from laurels.present.verification import Comparison, Difference
from laurels.service.admin import Admin
from laurels.service.blocking import BlockingAdmin, BlockingLaurels
from laurels.service.laurels import Laurels
from laurels.storage.contract import Store

__all__ = [
    "UNSET",
    "AdjustmentConflict",
    "AdjustmentNotFound",
    "AdjustmentRefused",
    "AdjustmentResult",
    "Admin",
    "Amnesty",
    "AmnestyNotFound",
    "AppliedCatalog",
    "Award",
    "BadgeInfo",
    "BadgeNotFound",
    "BlockingAdmin",
    "BlockingLaurels",
    "Catalog",
    "CatalogDiffers",
    "CatalogError",
    "CatalogRevision",
    "ClosedPeriod",
    "ClosedPeriods",
    "Comparison",
    "ConditionCheck",
    "Conflict",
    "Difference",
    "EarnedBadge",
    "Event",
    "EventConflict",
    "EventResult",
    "EventTooEarly",
    "EventTooLate",
    "Explanation",
    "Fault",
    "FieldError",
    "History",
    "HistoryAdjustment",
    "HistoryAward",
    "HistoryEntry",
    "HistoryEvent",
    "HistoryLoss",
    "HistoryPoints",
    "IgnoredValue",
    "InvalidInput",
    "Laurels",
    "LaurelsError",
    "Leader",
    "LeaderboardInfo",
    "LeaderboardList",
    "LeaderboardNotFound",
    "LeaderboardPage",
    "LeaderboardPeriod",
    "LeaderboardStanding",
    "LevelChange",
    "MigrationError",
    "MissingExtra",
    "NextBadge",
    "NotASandbox",
    "NotEmpty",
    "NotificationBadge",
    "NotificationLeaderboard",
    "NotificationMessage",
    "NumberChange",
    "Overloaded",
    "PeriodNotFound",
    "Problem",
    "Profile",
    "RankChange",
    "ReversalResult",
    "SettingsError",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "StreakDay",
    "StreakNotFound",
    "TeamStanding",
    "Unauthorized",
    "Undo",
    "UnsetType",
    "User",
    "UserErased",
    "UserNotFound",
    "UserOverview",
    "UserRank",
    "UserStreak",
    "UserStreaks",
    "ZoneChange",
    "ZoneChangeTooSoon",
]
