"""Every error that Laurels raises, as one tree.

    LaurelsError
    ├── InvalidInput             a field is wrong; names it and the fix
    │   ├── EventTooLate         the event occurred before the late window
    │   └── EventTooEarly        the event occurs in the future
    ├── Conflict                 the request contradicts what is stored
    │   ├── EventConflict        the same event id, another body
    │   ├── AdjustmentConflict   the same adjustment id, another body
    │   ├── AdjustmentRefused    the user's points, days or quota do not allow it
    │   ├── ZoneChangeTooSoon    a second zone change within 24 hours
    │   └── PlanOutdated         the catalog is not as the plan saw it
    ├── UserNotFound             no user has this id
    ├── SessionNotFound          the user has no session with this id
    ├── AdjustmentNotFound       the user has no adjustment with this id
    ├── BadgeNotFound            the catalog has no such badge
    ├── StreakNotFound           the catalog has no such streak
    ├── LeaderboardNotFound      the catalog has no such leaderboard
    ├── PeriodNotFound           the leaderboard has no such period
    ├── AmnestyNotFound          no amnesty with this id is in force
    ├── NotASandbox              only the clock of a sandbox can be moved
    ├── UserErased               this user was erased, and cannot be created again
    │   └── ErasurePending       this user is to be erased, which can be undone until then; carries when
    ├── PastNotStored            the past is not stored as far back as that; carries since when
    ├── Unauthorized             no valid session, or no valid key
    ├── MissingScope             the key is valid, but lacks a scope; carries it
    ├── WrongAddress             the key is valid, but not from this address
    ├── Overloaded               the queue is full; try again shortly
    ├── CatalogError             the catalog has faults; carries all of them
    │   └── ScenarioError        a scenario file has faults; carries all of them
    ├── CatalogDiffers           the given catalog is not the database's
    ├── SettingsError            a setting is wrong; names it, its source and the fix
    │   └── MissingExtra         a package of an extra is not installed
    └── StoreError               the database refused or failed
        ├── NotEmpty                 it is not empty
        ├── StoreUnavailable     it cannot be reached or written
        └── MigrationError       its schema is unknown to this version of Laurels

The docstring of a class is its default message. None of them knows HTTP: `laurels/http/problems.py` has the one table of
statuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


class LaurelsError(Exception):
    """Laurels could not do this."""

    security_event: ClassVar[str] = ""
    """What the security log calls a request that ends so; '' for errors that are no sign of an attack."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    def __reduce__(self) -> tuple[object, ...]:
        """An error can be sent to another process, whatever its own parameters are."""
        return _same_error, (type(self), self.args), self.__dict__


def _same_error(kind: type[LaurelsError], args: tuple[object, ...]) -> LaurelsError:
    """An error as it was before it was sent; the rest of its state is set after this."""
    return kind.__new__(kind, *args)


class InvalidInput(LaurelsError):
    """A field is not valid."""

    def __init__(self, field: str, message: str) -> None:
        """`field` is the field's name as the sender wrote it; `message` says what is wrong and how to fix it."""
        super().__init__(message)
        self.field = field


class EventTooLate(InvalidInput):
    """The event occurred before the late window."""


class EventTooEarly(InvalidInput):
    """The event claims to occur in the future."""


class Conflict(LaurelsError):
    """This contradicts what is stored."""


class EventConflict(Conflict):
    """An event with this id and another body was recorded before; send a new event with a new id."""


class AdjustmentConflict(Conflict):
    """An adjustment with this id and another body was applied before; send a new adjustment with a new id."""


class AdjustmentRefused(Conflict):
    """The user's points, days or quota do not allow this adjustment."""


class ZoneChangeTooSoon(Conflict):
    """The time zone was changed less than 24 hours ago."""

    def __init__(self, allowed_from: datetime) -> None:
        super().__init__(
            "The time zone was changed less than 24 hours ago; "
            f"it can be changed again from {allowed_from:%Y-%m-%dT%H:%M:%SZ}."
        )
        self.allowed_from = allowed_from


class PlanOutdated(Conflict):
    """Another catalog was put in force while the plan was made, or since; make another plan."""


class UserNotFound(LaurelsError):
    """No user has this id."""


class SessionNotFound(LaurelsError):
    """The user has no session with this id."""


class AdjustmentNotFound(LaurelsError):
    """The user has no adjustment with this id."""


class BadgeNotFound(LaurelsError):
    """The catalog has no badge with this id."""


class StreakNotFound(LaurelsError):
    """The catalog has no streak with this name."""


class LeaderboardNotFound(LaurelsError):
    """The catalog has no leaderboard with this id."""


class PeriodNotFound(LaurelsError):
    """The leaderboard has no such period."""


class AmnestyNotFound(LaurelsError):
    """No amnesty with this id is in force."""


class NotASandbox(LaurelsError):
    """This database is not a sandbox, so its clock cannot be moved; mark a test database with 'laurels clock set'."""


class UserErased(LaurelsError):
    """This user was erased; nothing more is recorded under this id."""


class ErasurePending(UserErased):
    """This user is to be erased."""

    def __init__(self, erase_at: datetime) -> None:
        """`erase_at` is when."""
        super().__init__(f"This user is to be erased at {erase_at:%Y-%m-%dT%H:%M:%SZ}; until then it can be undone.")
        self.erase_at = erase_at


class PastNotStored(LaurelsError):
    """The past is not stored as far back as that."""

    def __init__(self, earliest: datetime) -> None:
        """`earliest` is the earliest time that can be read."""
        super().__init__(f"What was true then is not stored; the earliest time is {earliest:%Y-%m-%dT%H:%M:%S.%fZ}.")
        self.earliest = earliest


class Unauthorized(LaurelsError):
    """Unauthorized."""

    security_event = "request.unauthorized"


class MissingScope(LaurelsError):
    """This key lacks a scope."""

    security_event = "request.forbidden"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This key may not do this: it lacks the scope '{scope}'. "
            f"Create one that has it, too: 'laurels key create --name NAME --scope {scope} --scope ...', "
            "with all scopes that the program needs."
        )
        self.scope = scope


class WrongAddress(LaurelsError):
    """This key may not be used from this address."""

    security_event = "request.forbidden"


class Overloaded(LaurelsError):
    """Too much is waiting to be recorded; try again shortly."""

    def __init__(self, message: str = "", retry_after: int = 1) -> None:
        """`retry_after`: after how many seconds to try again."""
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a catalog: where it is, what is wrong, and how to fix it."""

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


class ScenarioError(CatalogError):
    """A scenario file has faults."""


class CatalogDiffers(LaurelsError):
    """The given catalog is not the one of the database, which judges its users; the message names both, and the fix."""


class SettingsError(LaurelsError):
    """A setting is not valid."""


class MissingExtra(SettingsError, ImportError):
    """A package of an extra is not installed; the message names the command that installs it."""


class StoreError(LaurelsError):
    """The database refused or failed."""


class NotEmpty(StoreError):
    """The database is not empty; name an empty one."""


class StoreUnavailable(StoreError):
    """The database cannot be reached or written."""


class MigrationError(StoreError):
    """The database's schema is not one that this version of Laurels knows."""
