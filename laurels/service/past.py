"""Reading the past: what a read of a user's profile at an earlier time answered, and what is known about it since."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar, cast

from laurels.commands.corrections import corrected
from laurels.commands.former_catalogs import FormerCatalogs
from laurels.commands.past import PastUser, UserRecord, as_read
from laurels.engine.events import MAX_USER_ID, check_instant, check_text
from laurels.engine.values import plain
from laurels.errors import CatalogError, ErasurePending, InvalidInput, PastNotStored, UserNotFound
from laurels.present.badge_details import badge_details
from laurels.present.badges import badges_in_reach, earned_badges, next_badges
from laurels.present.history import history
from laurels.present.own_history import own_history
from laurels.present.past import UserProfile, past_profile
from laurels.present.point_kinds import kind_balances
from laurels.present.presentation import Presentation
from laurels.present.streaks import user_streaks
from laurels.service.computing import Task
from laurels.service.core import Core
from laurels.service.languages import in_readers_language
from laurels.service.long_histories import LONG
from laurels.storage.contract import (
    FIRST_FORMER_STATE,
    NOT_STARTED,
    AwardRow,
    CatalogRow,
    EventRow,
    HistoryRows,
    MaintenanceRun,
    Store,
    UserRow,
)

T = TypeVar("T")

PAST_INCLUDES = ("balance", "next", "toward", "streaks", "history", "earned", "details", "kinds")
"""What a profile of the past can include: all but what depends on other users."""

OF_OTHERS = ("rank", "copies")
"""What depends on other users."""

HISTORY_PAGE = 20


@plain
class SeenUser:
    """What a past profile is made from: the user, the awards with the events that earned them, and the newest page of history.

    `catalog` is the revision in force then.
    """

    row: UserRow
    awards: list[AwardRow]
    events: Mapping[str, EventRow]
    page: HistoryRows
    catalog: CatalogRow


async def stored_record(store: Store, user_id: str) -> UserRecord | None:
    """All that is stored about a user; None if there is no such user."""
    snapshot = await store.user_snapshot(user_id)
    if snapshot is None:
        return None
    former = [state for state in await store.former_states(user_id) if state.revision <= snapshot.user.revision]
    return UserRecord(snapshot, former, await store.keyring())


@dataclass(frozen=True, slots=True)
class ReadPast:
    """Reading a user as they were at `as_of`, by what was known at `known_at`."""

    user_id: str
    as_of: datetime
    known_at: datetime

    async def done_in(self, store: Store) -> SeenUser:
        """The user. Raises UserNotFound, ErasurePending, CatalogError, PastNotStored."""
        return await on_record(store, self.user_id, self.as_of, self._seen)

    def _seen(self, record: UserRecord, catalogs: FormerCatalogs) -> SeenUser:
        past = as_read(record, catalogs, self.as_of)
        if self.known_at > self.as_of:
            past = corrected(record, past, catalogs, self.as_of, self.known_at)
        return _seen(past, catalogs.row_at(self.as_of))


def _seen(past: PastUser, catalog: CatalogRow) -> SeenUser:
    earned_by = {award.event_id for award in past.awards}
    events = {row.event.id: row for row in past.events if row.event.id in earned_by}
    rows = (*past.events, *past.awards, *past.ledger, *past.adjustments)
    revisions = sorted({row.revision for row in rows}, reverse=True)[:HISTORY_PAGE]
    if not revisions:
        return SeenUser(past.row, list(past.awards), events, HistoryRows(), catalog)
    first = revisions[-1]
    page = HistoryRows(
        [row for row in past.events if row.revision >= first],
        [row for row in past.awards if row.revision >= first],
        [row for row in past.ledger if row.revision >= first],
        [row for row in past.adjustments if row.revision >= first],
    )
    return SeenUser(past.row, list(past.awards), events, page, catalog)


async def on_record(store: Store, user_id: str, since: datetime, work: Callable[[UserRecord, FormerCatalogs], T]) -> T:
    """What this work finds in all that is stored about a user, in a thread for a long history.

    `since` is the earliest time that it looks at. Raises UserNotFound also for a user who did not exist then, ErasurePending,
    CatalogError, PastNotStored.
    """
    record = await stored_record(store, user_id)
    if record is None:
        raise UserNotFound
    user = record.user
    if user.erase_at is not None:
        raise ErasurePending(user.erase_at)
    if since < user.created_at:
        raise UserNotFound(f"there was no such user before {user.created_at:%Y-%m-%dT%H:%M:%SZ}")
    earliest = await recorded_since(store, user)
    if since < earliest:
        raise PastNotStored(earliest)
    catalogs = FormerCatalogs(await store.catalog_revisions())
    if user.revision > LONG:
        return await asyncio.to_thread(work, record, catalogs)
    return work(record, catalogs)


async def recorded_since(store: Store, user: UserRow) -> datetime:
    """The earliest time of which everything about a user is stored."""
    run = await _first_run(store)
    return user.created_at if run is None else max(run.at, user.created_at)


async def begin_recording(store: Store, now: Callable[[], Awaitable[datetime]]) -> None:
    """In a database that had users before former states were stored: the past can be read from now on, if not already."""
    run = await _first_run(store)
    if run is not None and run.at == NOT_STARTED:
        await store.replace_maintenance_run(MaintenanceRun(FIRST_FORMER_STATE, await now(), {}), NOT_STARTED)


async def _first_run(store: Store) -> MaintenanceRun | None:
    return next((run for run in await store.maintenance_runs() if run.task == FIRST_FORMER_STATE), None)


class PastReader:
    """Reads profiles of the past."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def profile(
        self,
        user_id: str,
        as_of: datetime | None,
        known_at: datetime | None,
        include: Collection[str],
        days: int,
        *,
        login: bool = False,
    ) -> UserProfile:
        """See Laurels.profile."""
        if as_of is None:
            raise InvalidInput("knownAt", "needs 'asOf', the time of which it is; send both")
        if login:
            raise InvalidInput("asOf", "a read of the past is no login; leave out 'login'")
        check_include(include)
        check_text("userId", user_id, MAX_USER_ID)
        as_of, known_at = await checked_instants(self._core, as_of, known_at)
        seen = cast(SeenUser, await self.run(ReadPast(user_id, as_of, known_at), as_of))
        catalog = in_readers_language(FormerCatalogs([seen.catalog]).in_force(as_of).catalog)
        context = Presentation(catalog, await self._core.store.keyring())
        return past_profile(context, seen.row, as_of, _more(context, seen, as_of, include, days))

    async def run(self, task: Task, since: datetime) -> object:
        """The result of a task, in the process for very long histories if there is one. Raises PastNotStored."""
        try:
            found = await self._core.group_commit.read(task)
            return await task.done_in(self._core.store) if found is None else found
        except CatalogError:
            raise PastNotStored(readable_since(await self._core.store.catalog_revisions(), since)) from None


def readable_since(rows: Collection[CatalogRow], at: datetime) -> datetime:
    """When the oldest revision was applied from which on this version can read all of them."""
    earliest = at
    for row in sorted(rows, key=lambda row: row.number, reverse=True):
        try:
            FormerCatalogs([row]).in_force(row.applied_at)
        except CatalogError:
            break
        earliest = row.applied_at
    return earliest


def _more(
    context: Presentation, seen: SeenUser, now: datetime, include: Collection[str], days: int
) -> dict[str, object]:
    """What the profile includes beyond the contract."""
    catalog, row, progress = context.catalog, seen.row, seen.row.progress
    gone = frozenset(catalog.limited)  # who else had a copy then is not known: none is promised
    makers: dict[str, Callable[[], object]] = {
        "balance": lambda: progress.balance,
        "next": lambda: next_badges(catalog, progress, now, none_left=gone),
        "toward": lambda: badges_in_reach(catalog, progress, now, gone),
        "streaks": lambda: user_streaks(catalog, progress, now, days),
        "history": lambda: own_history(catalog.own_history, history(row, seen.page, HISTORY_PAGE)),
        "details": lambda: badge_details(catalog, progress),
        "earned": lambda: earned_badges(catalog, row, seen.awards, seen.events),
        "kinds": lambda: kind_balances(catalog, progress),
    }
    return {name: makers[name]() for name in include}


def check_include(include: Collection[str]) -> None:
    """Raise InvalidInput for what a profile of the past cannot include."""
    for name in include:
        if name in OF_OTHERS:
            raise InvalidInput(
                "include", f"'{name}' depends on other users, whose past is not read; leave it out with 'asOf'"
            )
        if name not in PAST_INCLUDES:
            raise InvalidInput("include", f"'{name}' is unknown; use any of {', '.join(PAST_INCLUDES)}")


async def checked_instants(
    core: Core, as_of: datetime, known_at: datetime | None, field: str = "asOf"
) -> tuple[datetime, datetime]:
    """The times in UTC; by default what is known at a time is what was recorded until then. Raises InvalidInput."""
    check_instant(field, as_of)
    now, as_of = await core.now(), as_of.astimezone(UTC)
    if as_of > now:
        raise InvalidInput(field, f"must not be in the future: it is {now:%Y-%m-%dT%H:%M:%SZ} now; leave it out")
    if known_at is None:
        return as_of, as_of
    check_instant("knownAt", known_at)
    known_at = known_at.astimezone(UTC)
    if known_at < as_of:
        raise InvalidInput("knownAt", "must not be before 'asOf'; leave it out for what was known then")
    if known_at > now:
        raise InvalidInput("knownAt", f"must not be in the future: it is {now:%Y-%m-%dT%H:%M:%SZ} now")
    return as_of, known_at
