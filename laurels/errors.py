"""Every error that Laurels raises, as one tree.

    LaurelsError
    ├── InvalidInput             a field is wrong; says which, and how to mend it
    │   ├── EventTooLate         it occurred before the late window
    │   └── EventTooEarly        it claims to occur in the future
    ├── Conflict                 it contradicts what is stored
    │   ├── EventConflict        the same event id, another body
    │   ├── ActConflict          the same act id, for something else
    │   ├── ActRefused           the user's points, days or quota do not allow it
    │   └── ZoneChangeTooSoon    a second zone change within 24 hours
    ├── UserNotFound             nobody has this id
    ├── ActNotFound              nothing was told of the user under this id
    ├── BadgeNotFound            the catalog has no such badge
    ├── StreakNotFound           the catalog has no such streak
    ├── LeaderboardNotFound      the catalog has no such leaderboard
    ├── PeriodNotFound           the leaderboard has no such period
    ├── AmnestyNotFound          no amnesty of this id stands
    ├── NotASandbox              only a sandbox has a clock that moves
    ├── UserErased               this user was erased and stays so
    ├── Unauthorized             no valid session, or no valid key
    ├── Overloaded               the queue is full; try again shortly
    ├── CatalogError             the catalog has faults; carries all of them
    ├── SettingsError            a setting is wrong; says which and where it came from
    └── StoreError               the database refused
        ├── NotEmpty                 it holds something already
        ├── StoreUnavailable     it cannot be reached, or it cannot be written
        └── MigrationError       its schema is not one of ours, or is newer than this version

The docstring of a class is its default message. The engine raises these without
knowing of HTTP; `laurels/http/problems.py` holds the one table that gives them a status.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class LaurelsError(Exception):
    """Laurels could not do this."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class InvalidInput(LaurelsError):
    """A field is not valid."""

    def __init__(self, field: str, message: str) -> None:
        """`field` is the field's name as the sender wrote it; `message` says what is wrong and the mend."""
        super().__init__(message)
        self.field = field


class EventTooLate(InvalidInput):
    """The event occurred before the late window."""


class EventTooEarly(InvalidInput):
    """The event claims to occur in the future."""


class Conflict(LaurelsError):
    """This contradicts what is stored."""


class EventConflict(Conflict):
    """An event with this id and another body was recorded before; send new events under new ids."""


class AdjustmentConflict(Conflict):
    """Something else was told under this id before; tell new things under new ids."""


class AdjustmentRefused(Conflict):
    """The user's points, days or quota do not allow this act."""


class ZoneChangeTooSoon(Conflict):
    """The time zone was changed less than 24 hours ago."""

    def __init__(self, allowed_from: datetime) -> None:
        super().__init__(
            "The time zone was changed less than 24 hours ago; "
            f"it can be changed again from {allowed_from:%Y-%m-%dT%H:%M:%SZ}."
        )
        self.allowed_from = allowed_from


class UserNotFound(LaurelsError):
    """No user has this id."""


class AdjustmentNotFound(LaurelsError):
    """Nothing was told of this user under this id."""


class BadgeNotFound(LaurelsError):
    """The catalog has no badge of this id."""


class StreakNotFound(LaurelsError):
    """The catalog has no streak of this name."""


class LeaderboardNotFound(LaurelsError):
    """The catalog has no leaderboard of this id."""


class PeriodNotFound(LaurelsError):
    """The leaderboard has no such period."""


class AmnestyNotFound(LaurelsError):
    """No amnesty of this id stands."""


class NotASandbox(LaurelsError):
    """This database is no sandbox, so its clock cannot be moved; mark a test database with 'laurels clock set'."""


class UserErased(LaurelsError):
    """This user was erased; nothing more is recorded under this id."""


class Unauthorized(LaurelsError):
    """Unauthorized."""


class Overloaded(LaurelsError):
    """Too much is waiting to be recorded; try again shortly."""

    def __init__(self, message: str = "", retry_after: int = 1) -> None:
        """`retry_after`: in how many seconds there should be room again."""
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a catalog: where it is, what is wrong, and how to mend it."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.fix}"


class CatalogError(LaurelsError):
    """The catalog has faults."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class SettingsError(LaurelsError):
    """A setting is not valid."""


class MissingExtra(SettingsError, ImportError):
    """A package is not installed that an extra of Laurels brings; the message names the command that installs it."""


class StoreError(LaurelsError):
    """The database refused."""


class NotEmpty(StoreError):
    """The database holds something already; name an empty one."""


class StoreUnavailable(StoreError):
    """The database cannot be reached or written."""


class MigrationError(StoreError):
    """The database's schema is not one that this version of Laurels knows."""
