"""Laurels: the facade. Servers, commands and apps use it; its parts read, decide and write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from laurels.commands.audit import Draft
from laurels.commands.context import DecisionContext
from laurels.commands.events import Recorded, RecordEvent
from laurels.commands.unit_of_work import Command
from laurels.commands.users import UpdateUser
from laurels.engine.catalog import Catalog
from laurels.engine.events import (
    MAX_NAME,
    MAX_USER_ID,
    Event,
    check_event,
    check_instant,
    check_text,
)
from laurels.engine.leaderboards import VISIBILITIES, Visibility
from laurels.engine.names import clean_name
from laurels.engine.numbers import whole
from laurels.errors import InvalidInput, LaurelsError
from laurels.present.badges import Explanation
from laurels.present.entitlements import Entitlements
from laurels.present.events import EventResult, event_result
from laurels.present.history import History
from laurels.present.leaderboards import ClosedPeriods, LeaderboardInfo, LeaderboardList, LeaderboardPage
from laurels.present.notifications import NotificationMessage, notification_message
from laurels.present.overviews import UserOverview
from laurels.present.profiles import Profile, UserRank
from laurels.present.streaks import STREAK_DAYS, UserStreaks
from laurels.present.users import User, user
from laurels.service.audit import audit_row
from laurels.service.clock import Clock, DatabaseClock, utc_now
from laurels.service.closing import PeriodCloser
from laurels.service.computing import Unbound
from laurels.service.core import Core
from laurels.service.erasures import Erasures, check_erasure
from laurels.service.group_commit import BATCH_LIMIT, QUEUE_LIMIT, QUEUE_SECONDS, GroupCommit
from laurels.service.leaderboards import LeaderboardReader
from laurels.service.past import PastReader, begin_recording
from laurels.service.period_rules import PeriodRules
from laurels.service.profiles import HISTORY_PAGE, ProfileReader
from laurels.service.readable_notifications import with_readable
from laurels.service.rules import OnDifference, Rules
from laurels.settings import DatabaseSettings, DatabaseUrl, SchemaName
from laurels.storage import open_store
from laurels.storage.contract import (
    CONNECTIONS,
    LIBRARY,
    POINTS_BOARD,
    SCHEMA,
    Cursor,
    Principal,
    Source,
    Store,
    UserRow,
)

NOTIFICATIONS_PAGE = 100
LATE_WINDOW = timedelta(days=30)


class Laurels:
    """Badges, points, levels, streaks and leaderboards for the users of one app.

        async with Laurels.open("sqlite:///laurels.db") as laurels:
            await laurels.record(Event("ada", "e-1", "agent.created"))
            print(await laurels.profile("ada"))

    Every method may raise StoreUnavailable, and every method that writes Overloaded.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog | None = None,
        *,
        default_zone: str = "UTC",
        late_window: timedelta | None = LATE_WINDOW,
        erase_after: timedelta = timedelta(),
        queue_limit: int = QUEUE_LIMIT,
        batch_limit: int = BATCH_LIMIT,
        queue_seconds: float = QUEUE_SECONDS,
        clock: Clock = utc_now,
        on_difference: OnDifference = "raise",
        database: str | None = None,
        schema: str = SCHEMA,
        secret_file: str = "",
        principal: Principal | None = None,
    ) -> None:
        """Use an opened store, which `close` closes. The parameters mean the same as for `open`.

        `database` is the store's address, `schema` its schema, and `secret_file` the file with its keys. With
        them, very long histories are computed in a process of its own, which opens the database, too; without, or in memory, in
        a thread.

        What `open` raises is raised by the first call that needs the catalog, or by `follow_catalog`.
        """
        self.store, self.clock = store, clock
        of_database = DatabaseClock(store, clock)
        source = Source(principal) if principal else LIBRARY
        self.rules = Rules(store, of_database, catalog, on_difference)
        default_zone = str(default_zone)  # a subclass of str, as settings and frameworks have, cannot be stored

        def context_in_force() -> DecisionContext:
            return self.rules.in_force.context(default_zone, late_window)

        async def switch(other: Exception) -> None:
            await (self.rules.bind() if isinstance(other, Unbound) else self.rules.follow())

        limits = (queue_limit, batch_limit, queue_seconds)
        opened_apart = DatabaseSettings(DatabaseUrl(database), 1, SchemaName(schema), secret_file) if database else None
        self.group_commit = GroupCommit(store, context_in_force, *limits, switch, opened_apart)
        self.core = Core(store, self.rules, of_database, self.group_commit, default_zone, source)
        self.period_rules = PeriodRules(self.core)
        self._closer = PeriodCloser(self.core)
        self.erasures = Erasures(self.core, self._closer, erase_after)
        self._leaderboards = LeaderboardReader(self.core, self._closer, self.period_rules)
        self._profiles, self._past = ProfileReader(self.core), PastReader(self.core)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: str = "sqlite:///laurels.db",
        catalog: Catalog | None = None,
        *,
        default_zone: str = "UTC",
        late_window: timedelta | None = LATE_WINDOW,
        erase_after: timedelta = timedelta(),
        connections: int = CONNECTIONS,
        schema: str = SCHEMA,
        secret_file: str = "",
        queue_limit: int = QUEUE_LIMIT,
        batch_limit: int = BATCH_LIMIT,
        queue_seconds: float = QUEUE_SECONDS,
        clock: Clock = utc_now,
        on_difference: OnDifference = "raise",
        principal: Principal | None = None,
    ) -> AsyncIterator[Laurels]:
        """Open a database and bring its schema up to date; at the end, write what is queued, and close it.

        catalog        what can be earned; None: the database's catalog, and for a new database the default one
        default_zone   IANA time zone for users without one
        late_window    how old an event may be when it arrives; None: any age
        erase_after    how long `erase_user` hides a user before erasing them; 0: erase at once
        connections    PostgreSQL: the most connections at a time
        schema         PostgreSQL: the schema of the tables, one for each community in a database
        secret_file    the file with the keys of the database; '': the database has a secret of its own
        queue_limit    how many events and other changes may wait to be written; then Overloaded is raised
        batch_limit    how many of them share a transaction
        queue_seconds  how long one may wait until its transaction begins; then Overloaded is raised
        clock          returns the current time
        on_difference  what to do if users of the database are judged by another catalog: "raise" CatalogDiffers, "follow"
                       the database's, or "apply" the given one, as a sandbox always does
        principal      who is stored with changes by hand; None: Principal("library", ""), a program without a name

        The catalog belongs to the database: the first user binds the given one, `Admin.apply_catalog` replaces it, and all
        processes follow. Raises CatalogDiffers.
        """
        laurels = cls(
            open_store(database, connections, schema, secret_file=secret_file),
            catalog,
            default_zone=default_zone,
            late_window=late_window,
            erase_after=erase_after,
            queue_limit=queue_limit,
            batch_limit=batch_limit,
            queue_seconds=queue_seconds,
            clock=clock,
            on_difference=on_difference,
            database=database,
            schema=schema,
            secret_file=secret_file,
            principal=principal,
        )
        try:
            await laurels.start()
            await laurels.erase_due()
            yield laurels
        finally:
            await laurels.close()

    @property
    def catalog(self) -> Catalog:
        """The catalog in force, as this process last read it; within `in_language`, with its texts in that language."""
        return self.core.shown

    async def start(self) -> None:
        """Update the schema, prepare, and go on with what another process left. `open` calls it. Raises what `open` raises."""
        await self.store.migrate()
        await self.prepare()
        await begin_recording(self.store, self.now)
        await self.period_rules.apply()
        self.period_rules.start()
        await self.erasures.resume()

    async def prepare(self) -> None:
        """Read what must be known before the first call: keys, clock and catalog. A sandbox takes the given catalog.

        `open` calls it. Raises CatalogDiffers, CatalogError if this version cannot read the database's catalog, and SettingsError
        if the keys of the database are in another file.
        """
        await self.store.keyring()
        if await self.sandboxed():
            self.rules.on_difference = "apply"
        await self.follow_catalog()

    async def follow_catalog(self) -> None:
        """Put the newest revision of the database's catalog in force here. Every read and write of a user does this, too.

        Raises CatalogDiffers, and CatalogError if this version cannot read that revision.
        """
        await self.rules.follow()

    async def close(self) -> None:
        """Write what is queued, and close the database."""
        await self.period_rules.stop()
        await self.erasures.stop()
        await self.group_commit.close()
        self.core.security.flush()
        await self.store.close()

    # ---- the clock ----------------------------------------------------------------------------

    async def now(self) -> datetime:
        """The current time; in a sandbox, the time to which its clock was moved, or the one set by `pretend`."""
        return await self.core.now()

    async def sandboxed(self) -> bool:
        """Whether the database was a sandbox when this process opened it, or this process made it one."""
        return await self.core.clock.is_sandbox()

    async def set_clock_offset(self, offset: timedelta) -> None:
        """Make the database a sandbox whose clock is this far ahead of the machine's."""
        await self.core.clock.set_offset(offset)

    def pretend(self, at: datetime) -> AbstractContextManager[None]:
        """In a sandbox, make everything that this task does happen at this time. Raises NotASandbox otherwise."""
        return self.core.clock.pretend(at)

    # ---- events -------------------------------------------------------------------------------

    async def record(self, event: Event) -> EventResult:
        """Record an event. It is durable when this returns; a duplicate gets the original answer.

        Raises InvalidInput (EventTooLate, EventTooEarly), EventConflict, UserErased.
        """
        (answer,) = await self.record_many([event])
        if isinstance(answer, LaurelsError):
            raise answer
        return answer

    async def record_many(self, events: Sequence[Event], *, ranks: bool = True) -> list[EventResult | LaurelsError]:
        """Record events in one transaction. Returns for each, in order, what it changed or why it was refused.

        An event that is refused does not affect the others. `ranks=False` does not compute the rank before and after,
        which imports do not need. Raises Overloaded and StoreUnavailable; then send them all again, and those that were
        written are duplicates.
        """
        now = await self.now()
        commands: list[Command] = []
        refused: dict[int, LaurelsError] = {}
        for index, event in enumerate(events):
            if type(event.quantity) is not int:  # 2.0 is 2, as over HTTP
                event = replace(event, quantity=whole(event.quantity) or event.quantity)  # noqa: PLW2901
            try:
                check_event(event)
            except InvalidInput as error:
                refused[index] = error
            else:
                commands.append(RecordEvent(event, now))
        answers = await self.group_commit.submit(commands, ranks=ranks) if commands else []
        results = self._results(answers)
        if not refused:
            return results
        recorded = iter(results)
        return [refused[index] if index in refused else next(recorded) for index in range(len(events))]

    def _results(self, answers: Sequence[object]) -> list[EventResult | LaurelsError]:
        catalog = self.core.shown
        return [
            event_result(catalog, answer) if isinstance(answer, Recorded) else cast(LaurelsError, answer)
            for answer in answers
        ]

    # ---- users --------------------------------------------------------------------------------

    async def update_user(
        self,
        user_id: str,
        *,
        name: str | msgspec.UnsetType | None = msgspec.UNSET,
        time_zone: str | msgspec.UnsetType = msgspec.UNSET,
        joined_at: datetime | msgspec.UnsetType | None = msgspec.UNSET,
        groups: Sequence[str] | msgspec.UnsetType = msgspec.UNSET,
        visibility: Visibility | msgspec.UnsetType | None = msgspec.UNSET,
        lenient_zone: bool = False,
        source: Source | None = None,
    ) -> User:
        """Create or change a user; what is left out stays. With `lenient_zone`, a zone change that is too soon is ignored.

        With `source`, a change is a row of the audit.
        Raises InvalidInput, ZoneChangeTooSoon, UserErased, and then changes nothing.
        """
        check_text("userId", user_id, MAX_USER_ID)
        if isinstance(joined_at, datetime):
            check_instant("joinedAt", joined_at)
            joined_at = joined_at.astimezone(UTC)
        if isinstance(name, str):
            name = clean_name(name)
        if not isinstance(groups, msgspec.UnsetType):
            for group in groups:
                check_text("groups", group, MAX_NAME)
            groups = tuple(sorted(set(groups)))
        if visibility not in (*VISIBILITIES, None, msgspec.UNSET):
            choices = ", ".join(VISIBILITIES)
            raise InvalidInput("visibility", f"must be one of {choices}, or null for each leaderboard's default")
        now = await self.now()
        said = (name, time_zone, joined_at, groups, visibility, lenient_zone)
        if source is None:
            return user(self.catalog, cast(UserRow, await self.core.run(UpdateUser(user_id, now, *said))), now)
        draft = Draft(audit_row(source, now, "user.changed", ("user", user_id)))
        row = await self.core.run_audited(UpdateUser(user_id, now, *said, draft), draft)
        return user(self.catalog, cast(UserRow, row), now)

    async def user(self, user_id: str) -> User:
        """A user as stored. Raises UserNotFound, InvalidInput."""
        await self.follow_catalog()
        return user(self.catalog, await self.core.user(user_id), await self.now())

    async def erase_user(
        self, user_id: str, source: Source | None = None, reason: str | None = None, *, at_once: bool = False
    ) -> datetime | None:
        """Erase a user for good: later events are refused. No row of the user is left when this returns. Safe to repeat.

        Where Laurels was opened with `erase_after`, and without `at_once`, the user is hidden instead, their sessions end, and
        they are erased after that time, which is returned. Until then `restore_user` undoes it. The user cannot be read nor
        changed meanwhile (ErasurePending), except by `overview` and `Admin.export_user`.

        Then, in the background, the user's id is replaced in the data of other users' events. A long history is deleted in
        parts, between which others write. If the process ends meanwhile, this goes on after the next start. The audit says that
        it was done, by `source` or this program, with a keyed hash instead of the id. Raises InvalidInput.
        """
        check_erasure(user_id, reason)
        return await self.erasures.erase(user_id, source, reason, after=timedelta() if at_once else None)

    async def restore_user(self, user_id: str, source: Source | None = None, reason: str | None = None) -> bool:
        """Undo a pending erasure: all but sessions is as before. Returns whether one was pending.

        Raises InvalidInput, UserNotFound, UserErased.
        """
        check_erasure(user_id, reason)
        return await self.erasures.restore(user_id, source, reason)

    async def erase_due(self) -> int:
        """Erase the users whose pending erasures are due. Returns how many this call erased. A server calls it every minute."""
        return await self.erasures.erase_due()

    async def history(self, user_id: str, limit: int = HISTORY_PAGE, before: int | None = None) -> History:
        """What happened to a user, newest first, `limit` entries to a page. Raises UserNotFound, InvalidInput."""
        return await self._profiles.history(user_id, limit, before)

    async def profile(
        self,
        user_id: str,
        *,
        login: bool = False,
        include: Collection[str] = (),
        days: int = STREAK_DAYS,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> Profile:
        """What a user sees.

        With `login`, this is the user's daily login: it may award a streak badge, and creates a user who does not exist.
        `include` adds any of rank, next, toward, streaks, history, earned and details; `days` is how many days a streak explains.
        Raises InvalidInput, UserNotFound (without `login`) and UserErased (with it).

        With `as_of`, it is what a read at that time answered, a UserProfile; `known_at` adds what is known of it since. Raises
        UserNotFound also for a user who did not exist then, and PastNotStored.
        """
        if as_of is not None or known_at is not None:
            return await self._past.profile(user_id, as_of, known_at, include, days, login=login)
        return await self._profiles.profile(user_id, login=login, include=include, days=days)

    async def overview(
        self,
        user_id: str,
        *,
        days: int = STREAK_DAYS,
        limit: int = HISTORY_PAGE,
        before: int | None = None,
        refresh: bool = True,
    ) -> UserOverview:
        """Everything about one user, from one snapshot. `limit` and `before` select the page of the history.

        Without `refresh` nothing is written, and an outdated user is as stored, under current names. Raises UserNotFound,
        InvalidInput.
        """
        return await self._profiles.overview(user_id, days=days, limit=limit, before=before, refresh=refresh)

    async def streaks(self, user_id: str, days: int = STREAK_DAYS) -> UserStreaks:
        """All streaks of a user, and why each of the newest `days` days counts. Raises UserNotFound, InvalidInput."""
        return await self._profiles.streaks(user_id, days)

    async def entitlements(self, user_id: str) -> Entitlements:
        """What a user has unlocked at present, and by which levels and badges. Raises UserNotFound, InvalidInput."""
        return await self._profiles.entitlements(user_id)

    async def explain(self, user_id: str, badge_id: str) -> Explanation:
        """Why a user has a badge, or what is missing. Raises UserNotFound, BadgeNotFound, InvalidInput."""
        return await self._profiles.explain(user_id, badge_id)

    # ---- leaderboards -------------------------------------------------------------------------

    async def rank(self, user_id: str) -> UserRank:
        """A user's exact rank by points. A user who does not exist is unranked. Raises InvalidInput."""
        return await self._profiles.rank(user_id)

    async def leaderboards(self, readable_by: str | None = None) -> LeaderboardList:
        """All leaderboards of the catalog, each with its current period; with `readable_by`, those that this user may read.

        The empty text stands for a reader who is no user.
        """
        return await self._leaderboards.all(readable_by)

    async def find_leaderboard(self, board: str, readable_by: str | None = None) -> LeaderboardInfo:
        """A leaderboard of the catalog, also a retired one, by any of its ids.

        `readable_by` as for `leaderboard`. Raises LeaderboardNotFound.
        """
        return await self._leaderboards.info(board, readable_by)

    async def leaderboard(
        self,
        board: str = POINTS_BOARD,
        period: str = "current",
        *,
        limit: int | None = None,
        after: str | None = None,
        before: str | None = None,
        around: str | None = None,
        friends: Sequence[str] | None = None,
        me: str | None = None,
        within: str | None = None,
        readable_by: str | None = None,
    ) -> LeaderboardPage:
        """Lines of a leaderboard within a period: 'current', 'previous' or a key such as '2026-W47'.

        They are the first lines, those after a cursor (`after`: the `next` of an earlier answer) or before one (`before`: its
        `previous`), those around a user, or those of `friends`. `limit` is how many; by default 10, or all friends. `me` is
        the reader, whose own line is added. `within` is the value of a leaderboard that ranks users apart; by default the
        reader's, or the first one with lines. With `readable_by`, a leaderboard that this user may not read does not exist.
        Raises LeaderboardNotFound, PeriodNotFound, InvalidInput.
        """
        lines: Any = {"limit": limit, "after": after, "before": before, "around": around, "friends": friends, "me": me}
        return await self._leaderboards.page(board, period, within=within, readable_by=readable_by, **lines)

    async def closings(self, board: str, limit: int = 10, readable_by: str | None = None) -> ClosedPeriods:
        """The closed periods of a leaderboard, newest first. `readable_by` as for `leaderboard`. Raises LeaderboardNotFound."""
        return await self._leaderboards.closings(board, limit, readable_by)

    async def close_periods(self) -> list[tuple[str, str]]:
        """Close every period that is due, and notify the users in front. Returns the (leaderboard, period) closed by this call.

        No rank depends on when this is called: a due period takes no events, and reading it closes it, too. Calling it
        notifies users even if no one reads the leaderboard.
        """
        return await self._closer.close_all()

    # ---- notifications ------------------------------------------------------------------------

    async def newest_notification(self, user_id: str) -> Cursor:
        """The cursor of a user's newest notification; those after it happen from now on."""
        return await self.store.newest_notification(user_id)

    async def notifications(
        self, after: Mapping[str, Cursor], limit: int = NOTIFICATIONS_PAGE
    ) -> Mapping[str, Sequence[tuple[Cursor, NotificationMessage | None]]]:
        """The next notifications of these users, by user, each with its cursor: for each user at most `limit` after theirs.

        None takes the place of one about a leaderboard that the user may not read now.
        """
        found: dict[str, list[tuple[Cursor, NotificationMessage | None]]] = {}
        for row, may_be_read in await with_readable(self.core, await self.store.notifications(after, limit)):
            message = notification_message(self.catalog, row) if may_be_read else None
            found.setdefault(row.user_id, []).append(((row.revision, row.position), message))
        return found
