"""Laurels: badges, points, levels, daily streaks and leaderboards for the users of any app."""

from laurels.acts.recording import Recorded
from laurels.admin import Admin
from laurels.app import Laurels
from laurels.blocking import BlockingLaurels
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import (
    ActConflict,
    ActNotFound,
    ActRefused,
    AmnestyNotFound,
    BadgeNotFound,
    CatalogError,
    Conflict,
    EventConflict,
    EventTooEarly,
    EventTooLate,
    InvalidInput,
    LaurelsError,
    LeaderboardNotFound,
    MigrationError,
    NotASandbox,
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

__all__ = [
    "ActConflict",
    "ActNotFound",
    "ActRefused",
    "Admin",
    "AmnestyNotFound",
    "BadgeNotFound",
    "BlockingLaurels",
    "Catalog",
    "CatalogError",
    "Conflict",
    "Event",
    "EventConflict",
    "EventTooEarly",
    "EventTooLate",
    "InvalidInput",
    "Laurels",
    "LaurelsError",
    "LeaderboardNotFound",
    "MigrationError",
    "NotASandbox",
    "Overloaded",
    "PeriodNotFound",
    "Recorded",
    "SettingsError",
    "StoreError",
    "StoreUnavailable",
    "StreakNotFound",
    "Unauthorized",
    "UserErased",
    "UserNotFound",
    "ZoneChangeTooSoon",
]
