"""What a plan counts again for a user: only what differs between two catalogs, from the events that it concerns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from laurels.engine.events import Event
from laurels.engine.progress import Progress
from laurels.engine.recounting import Recount
from laurels.storage.contract import StoredEvents, StoredUser, UserRow

RECOUNTED = 20_000
"""About how many revisions of users are read at once with the events that are needed: some ten megabytes."""


class RowWithTotals:
    """A user's row with other totals. Conditions read it as a `Progress`."""

    __slots__ = ("_row", "badges", "points", "totals")

    def __init__(self, row: StoredUser, totals: Mapping[str, int]) -> None:
        self._row, self.totals = row, totals
        progress = cast(Progress, row)
        self.points, self.badges = progress.points, progress.badges

    def __getattr__(self, name: str) -> Any:
        """Everything else of a progress."""
        return getattr(self._row, name)


def events_of(recount: Recount, row: StoredUser | UserRow, read: StoredEvents) -> Sequence[Event] | None:
    """The user's events that are needed, as they were when the row was stored.

    None if one of them is not on the day that it has in the user's zones, as when clocks are changed otherwise than was known.
    """
    events = read.active(row.user_id, row.revision, recording=recount.reads_recording)
    if recount.reads_days:
        zones = row.progress.zones if isinstance(row, UserRow) else row.row.progress.zones
        if any(event.occurred_at and zones.day(event.occurred_at) != event.day for event in events):
            return None
    return events
