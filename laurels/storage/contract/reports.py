"""Reports: what operators look at across all users, and the log of maintenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from laurels.engine.values import plain
from laurels.storage.contract.audit import ALL, AuditFilter
from laurels.storage.contract.records import AdjustmentRow, AwardRow, UserRow


@plain
class Counts:
    """The number of rows, and the time of the newest recording."""

    users: int
    events: int
    awards: int
    sessions: int
    last_recorded_at: datetime | None


@plain
class UserSample:
    """The ids of some users, and the number of all users."""

    user_ids: Sequence[str]
    users: int


@plain
class PointsPaid:
    """The points that one reason paid a user on one day (an ordinal, UTC), by the ledger's `at`."""

    day: int
    reason: str
    ref: str
    amount: int


@plain
class ReportUser:
    """A user in the community report: the row, the awards oldest first, and the points by day, reason and ref."""

    user: UserRow
    awards: Sequence[AwardRow]
    paid: Sequence[PointsPaid]


@plain
class MaintenanceRun:
    """The last run of a maintenance task, and its result."""

    task: Literal["backup", "verify", "retention", "rewrite", "first_former_state"]
    at: datetime
    outcome: Mapping[str, Any]


class Reports(Protocol):
    """Reads across all users, and the log of maintenance."""

    async def counts(self) -> Counts:
        """How much is stored."""
        ...

    async def days_without_events(self, first: int, last: int) -> Sequence[int]:
        """The days from `first` to `last` on which no event counts, oldest first.

        If every day has an event, only a few events are read; otherwise each event is read once.
        """
        ...

    async def event_types(self) -> Mapping[str, int]:
        """The number of recorded events of each type. Reads all events without blocking other work."""
        ...

    async def badge_holders(self) -> Mapping[str, int]:
        """The number of users who have each badge, for badges that any user has. Reads all awards without blocking other work."""
        ...

    async def find_users(self, text: str, limit: int) -> Sequence[UserRow]:
        """Users whose id begins with the text, by id; then those whose name contains it in any case, by name, then id.

        At most `limit` in all, each once, sorted by code point. The text is matched literally; no wildcards. Which letters
        other than A to Z match in both cases depends on the engine. May read the names of all users, without blocking other
        work.
        """
        ...

    async def sample(self, most: int) -> UserSample:
        """At most `most` users, evenly chosen by a hash of their ids: the same ones as long as no user is added or erased.

        Reads all ids without blocking other work.
        """
        ...

    async def community_report(self, user_ids: Sequence[str]) -> Sequence[ReportUser]:
        """The data of the community report for these users, always in the same order; unknown users are left out."""
        ...

    async def newest_adjustments(
        self, limit: int, before: tuple[datetime, str, str] | None = None, only: AuditFilter = ALL
    ) -> Sequence[AdjustmentRow]:
        """The newest adjustments of all users, newest first; with `before`, those after that (time, user, id) in this order."""
        ...

    async def maintenance_runs(self) -> Sequence[MaintenanceRun]:
        """The last run of each maintenance task, by task; a task that never ran is missing."""
        ...

    async def save_maintenance_run(self, run: MaintenanceRun) -> None:
        """Store this as the last run of its task."""
        ...
