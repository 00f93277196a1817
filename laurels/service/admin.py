"""Admin: changes by hand (adjustments, reversals, amnesties), rebuilding and verifying users, and a sandbox's clock.

Every change by hand has a date, a reason and an actor, counts once under its id, and can be undone.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from laurels.commands.adjustments import ApplyAdjustment, UndoAdjustment
from laurels.commands.audit import Draft
from laurels.commands.events import REVERSAL, Applied, ReverseEvent
from laurels.commands.unit_of_work import Command
from laurels.commands.users import RebuildUser
from laurels.engine.adjustments import Adjustment, Reversal, parse_adjustment
from laurels.engine.catalog import Catalog
from laurels.engine.events import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_EVENT_ID,
    MAX_NAME,
    MAX_REASON,
    MAX_USER_ID,
    check_text,
)
from laurels.engine.own_history import APART
from laurels.engine.zones import zone
from laurels.errors import (
    AdjustmentConflict,
    AmnestyNotFound,
    InvalidInput,
    LaurelsError,
    NotASandbox,
    SessionNotFound,
    UserErased,
    UserNotFound,
)
from laurels.present.adjustments import AdjustmentResult, ReversalResult, adjustment_result
from laurels.present.amnesties import Amnesty, amnesty
from laurels.present.catalog import AppliedCatalog, CatalogRevision, catalog_revision
from laurels.present.erasures import PendingUser
from laurels.present.plans import CatalogPlan, PlannedUser
from laurels.present.sessions import UserSession, id_of_session, user_session
from laurels.present.verification import Comparison, Difference
from laurels.service.applying import apply_proposal
from laurels.service.audit import audit_row
from laurels.service.closed_lines import fix_lines
from laurels.service.exports import export
from laurels.service.laurels import Laurels
from laurels.service.past_changes import PastChanges
from laurels.service.plan_tokens import read_token
from laurels.service.planning import INFLATION, PlanOptions, plan_catalog
from laurels.service.reversals import reverse_many
from laurels.service.revisions import Proposal, parsed
from laurels.service.verify import compare_user, verify_user
from laurels.storage.contract import AmnestyRow, Source

MAX_AMNESTY_DAYS = 366
PAGE = 500
MOST_SESSIONS = 1000
"""The most sessions of a user that are listed."""

ALL_SESSIONS = 2**31 - 1

MAX_CLOCK_AHEAD = timedelta(days=36_525)
"""How far ahead of the machine's clock a sandbox's clock may be: a century, so that no computed date overflows."""


class Admin(PastChanges):
    """Changes that operators and back ends make by hand. Every method may raise StoreUnavailable and Overloaded."""

    def __init__(self, laurels: Laurels, source: Source | None = None) -> None:
        """Use this Laurels, which the caller closes.

        `source` says whose changes these are; None: those of the program, which `Laurels.open` got. Its principal is stored
        with every change. The `actor` of a method is only what the principal says about who did it.
        """
        self._laurels = laurels
        self._core = laurels.core
        self._source = source or laurels.core.source
        self._parts = (self._core, laurels.period_rules, self._source)

    # ---- one user -----------------------------------------------------------------------------

    async def adjust(
        self,
        user_id: str,
        adjustment_id: str,
        kind: str,
        data: dict[str, Any],
        reason: str,
        actor: str,
        *,
        own: bool = False,
    ) -> AdjustmentResult:
        """Apply an adjustment of this kind. The same id again changes nothing, and is answered as a duplicate.

        `own`: the user does it, which allows pauses and repairs within the catalog's limits. Raises InvalidInput,
        UserNotFound, UserErased, BadgeNotFound, StreakNotFound, AdjustmentConflict (the same id for something else) and
        AdjustmentRefused (the user's points, days or quota do not allow it).
        """
        check_text("userId", user_id, MAX_USER_ID)
        check_text("id", adjustment_id, MAX_EVENT_ID)
        for prefix in (REVERSAL, APART):
            if adjustment_id.startswith(prefix):
                raise InvalidInput("id", f"ids that begin with '{prefix}' are reserved; choose another")
        adjustment = check_adjustment(kind, data, reason, actor, own=own)
        now = await self._core.now()
        what, why = (user_id, adjustment_id, adjustment), (reason, actor, own, self._source)
        result = await self._result(ApplyAdjustment(*what, now, *why))
        await self._log_applied(result, kind, user_id, adjustment_id)
        return result

    async def reverse(self, user_id: str, event_id: str, reason: str, actor: str) -> AdjustmentResult:
        """Reverse an event: metrics, days, badges, points, level and ranks become as if it had not happened.

        Safe to repeat. An event that arrives after its reversal is stored without any effect; until then the reversal is
        "pending", and makes no user. Raises InvalidInput, UserErased.
        """
        check_text("userId", user_id, MAX_USER_ID)
        check_text("eventId", event_id, MAX_EVENT_ID)
        _check_why(reason, actor)
        why = (reason, actor, self._source)
        result = await self._result(ReverseEvent(user_id, event_id, await self._core.now(), *why))
        await self._log_applied(result, Reversal.kind, user_id, REVERSAL + event_id)
        return result

    async def reverse_many(
        self, events: Sequence[tuple[str, str]], reason: str, actor: str
    ) -> list[ReversalResult | LaurelsError]:
        """Reverse many events, each given as (user id, event id), with one reason and actor. Safe to repeat.

        Returns for each, in order, what it did, or the error that kept it from being done. The events of one user are reversed
        at once, which is as fast as reversing one; what changed is in the user's last result. Raises InvalidInput for the reason
        and the actor. After StoreUnavailable or Overloaded, some may have been reversed: send all again.
        """
        _check_why(reason, actor)
        results = await reverse_many(self._core, events, reason, actor, self._source)
        applied = sum(isinstance(one, ReversalResult) and not one.duplicate for one in results)
        if applied:
            await self._core.security.adjusted(self._source, "adjustment.reversals", None, events=str(applied))
        return results

    async def undo(
        self, user_id: str, adjustment_id: str, reason: str | None = None, actor: str | None = None
    ) -> AdjustmentResult:
        """Undo an adjustment, or the reversal of an event ('reversal:' and the event's id). The history shows who and why.

        Safe to repeat. Raises InvalidInput, AdjustmentNotFound, UserErased.
        """
        _check_given(reason, actor)
        now = await self._core.now()
        why = (reason or "", actor or "", self._source.principal)
        said = {"adjustment": adjustment_id, "reason": reason, "actor": actor}
        draft = Draft(audit_row(self._source, now, "adjustment.undone", ("user", user_id), **said))
        command = UndoAdjustment(user_id, adjustment_id, now, *why, draft)
        return adjustment_result(self._core.shown, cast(Applied, await self._core.run_audited(command, draft)))

    async def _log_applied(self, result: AdjustmentResult, kind: str, user_id: str, adjustment_id: str) -> None:
        """Write an adjustment to the security log. In the audit, the adjustment is a row of its own."""
        if result.status in ("applied", "pending"):
            await self._core.security.adjusted(self._source, f"adjustment.{kind}", user_id, adjustment=adjustment_id)

    async def _result(self, command: Command) -> AdjustmentResult:
        return adjustment_result(self._core.shown, cast(Applied, await self._core.run(command)))

    async def rebuild(self, user_id: str) -> bool:
        """Rebuild a user from events, adjustments and ledger, and correct lines in closed periods that nothing explains.

        Returns whether anything differed.

        Raises UserNotFound, UserErased.
        """
        differed = cast(bool, await self._core.run(RebuildUser(user_id, await self._core.now())))
        return await fix_lines(self._core, user_id) or differed

    async def verify(self, user_id: str) -> list[Difference]:
        """How a user's stored state differs from a rebuild of it. Raises UserNotFound.

        A user whose progress was made under other rules, or before an amnesty, is brought up to date first, as by any read.
        """
        return (await verify_user(self._core, user_id)).differences

    async def compare(self, user_id: str) -> Comparison | None:
        """The same as `verify` without writing anything; None for a user who is outdated.

        It also says whether anything was recorded later than the clock's time, as the header Laurels-Now allows in a sandbox.
        """
        return await compare_user(self._core, user_id)

    # ---- the sessions of a user ---------------------------------------------------------------

    async def sessions(self, user_id: str) -> list[UserSession]:
        """The sessions of a user that have not ended, newest first, at most 1000.

        Raises InvalidInput, UserNotFound, UserErased.
        """
        check_text("userId", user_id, MAX_USER_ID)
        try:
            await self._core.user(user_id)
        except UserNotFound:
            raise await self._missing(user_id) from None
        rows = await self._core.store.sessions(user_id, await self._core.now(), MOST_SESSIONS)
        return list(map(user_session, rows))

    async def end_sessions(
        self, user_id: str, session_id: str | None = None, reason: str | None = None, actor: str | None = None
    ) -> int:
        """End all sessions of a user, or one, at once for all processes. Returns how many had not expired.

        Raises InvalidInput, UserNotFound, UserErased, and SessionNotFound for an id that none of the sessions has.
        """
        check_text("userId", user_id, MAX_USER_ID)
        _check_given(reason, actor)
        store, now = self._core.store, await self._core.now()
        said = {"session": session_id, "reason": reason, "actor": actor}
        note = audit_row(self._source, now, "user.signed_out", ("user", user_id), **said)
        try:
            token_hash = None if session_id is None else await self._session(user_id, session_id, now)
            ended = await store.end_sessions(user_id, now, token_hash, note)
        except UserNotFound:
            raise await self._missing(user_id) from None
        if ended:
            await self._core.security.note(replace(note, detail={**note.detail, "sessions": ended}))
        return ended

    async def _session(self, user_id: str, session_id: str, now: datetime) -> bytes:
        """The hash of the token of a session. Raises UserNotFound, SessionNotFound."""
        await self._core.user(user_id)
        for row in await self._core.store.sessions(user_id, now, ALL_SESSIONS):
            if id_of_session(row.token_hash) == session_id:
                return row.token_hash
        raise SessionNotFound

    async def _missing(self, user_id: str) -> LaurelsError:
        """The error for a user without a row."""
        return UserErased() if await self._core.store.is_erased(user_id) else UserNotFound()

    async def pending_erasures(self) -> list[PendingUser]:
        """The users who are to be erased, with who asked for it: at most 1000, those who are first due first."""
        return await self._laurels.erasures.pending()

    # ---- all users ----------------------------------------------------------------------------

    async def amnesties(self) -> list[Amnesty]:
        """All amnesties, lifted ones too, oldest first."""
        return [amnesty(row) for row in await self._core.store.amnesties()]

    async def add_amnesty(
        self, first: date, last: date, reason: str, actor: str, group: str | None = None, amnesty_id: str | None = None
    ) -> Amnesty:
        """Excuse the days from `first` to `last`, both included, for everyone or for one group.

        It writes one row, however many users there are; each user is brought up to date when next read or written. The
        same `amnesty_id` again counts once; without one, a new id is made. Raises InvalidInput, AdjustmentConflict (the
        same id for something else).
        """
        _check_why(reason, actor)
        if not 0 <= (last - first).days < MAX_AMNESTY_DAYS:
            raise InvalidInput("last", f"must lie on or after the first day, at most {MAX_AMNESTY_DAYS} days in all")
        if not FIRST_YEAR <= first.year <= LAST_YEAR:
            raise InvalidInput("first", f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
        if group is not None:
            check_text("group", group, MAX_NAME)
        if amnesty_id is not None:
            check_text("id", amnesty_id, MAX_EVENT_ID)
        named = amnesty_id or f"{first.isoformat()}-{secrets.token_hex(4)}"
        now = await self._core.now()
        days = (first.toordinal(), last.toordinal())
        row = AmnestyRow(named, *days, group, reason, actor, now, None, principal=self._source.principal)
        said = {"first": first.isoformat(), "last": last.isoformat(), "group": group, "reason": reason, "actor": actor}
        note = audit_row(self._source, now, "amnesty.added", ("amnesty", named), **said)
        if await self._core.store.add_amnesty(row, note):
            await self._core.security.note(note)
        return amnesty(row if amnesty_id is None else await self._as_stored(row))

    async def _as_stored(self, row: AmnestyRow) -> AmnestyRow:
        """The stored amnesty with this one's id. Raises AdjustmentConflict if it is for other days or another group."""
        stored = next(one for one in await self._core.store.amnesties() if one.amnesty_id == row.amnesty_id)
        if (stored.first_day, stored.last_day, stored.for_group) != (row.first_day, row.last_day, row.for_group):
            raise AdjustmentConflict
        return stored

    async def lift_amnesty(self, amnesty_id: str, reason: str | None = None, actor: str | None = None) -> None:
        """Require the days of an amnesty again. Reason and actor are stored if they are given.

        Raises InvalidInput, and AmnestyNotFound if no amnesty with this id is in force.
        """
        _check_given(reason, actor)
        now, principal = await self._core.now(), self._source.principal
        note = audit_row(self._source, now, "amnesty.lifted", ("amnesty", amnesty_id), reason=reason, actor=actor)
        if not await self._core.store.lift_amnesty(amnesty_id, now, actor, reason, principal, note):
            raise AmnestyNotFound
        await self._core.security.note(note)

    async def users(self) -> AsyncIterator[str]:
        """All user ids, by code point, read in pages while other tasks and processes write."""
        async for page in self.pages():
            for user_id in page:
                yield user_id

    async def pages(self, after: str = "", last: str | None = None) -> AsyncIterator[Sequence[str]]:
        """The user ids after `after`, up to and including `last` (None: all), by code point, a few hundred at a time."""
        while page := await self._core.store.user_ids(after, PAGE):
            within = [user_id for user_id in page if last is None or user_id <= last]
            if within:
                yield within
            if len(within) < len(page):
                return
            after = page[-1]

    async def export_user(self, user_id: str) -> AsyncIterator[bytes]:
        """Everything that is stored about a user, as one JSON document in pieces, read a few hundred rows at a time.

        Its shape is `UserExport`. What is written meanwhile may be in it or not. Raises InvalidInput, UserNotFound.
        """
        async for piece in export(self._laurels, user_id):
            yield piece

    # ---- the catalog --------------------------------------------------------------------------

    async def plan_catalog(
        self,
        catalog: Catalog,
        *,
        each: Callable[[PlannedUser], None] | None = None,
        progress: Callable[[int], None] | None = None,
        inflation: int = INFLATION,
        silent: bool = False,
    ) -> CatalogPlan:
        """What `apply_catalog` would do over all users, storing nothing. Users are read in pieces while others write.

        `each` is called for every affected user, in the order of their ids, and `progress` with how many users are done. The
        plan warns if the points of all users grow by more than `inflation` percent. `silent` must be what `apply_catalog` gets.
        Raises what that would raise, and PlanOutdated if another catalog is put in force meanwhile.
        """
        options = PlanOptions(each, progress, inflation, silent)
        return await plan_catalog(self._core, catalog, self._source.principal, options)

    async def apply_catalog(
        self, catalog: Catalog, reason: str, actor: str, *, plan: str | None = None, silent: bool = False
    ) -> AppliedCatalog:
        """Put a catalog in force for all processes, as the next revision of the database's catalog.

        Each user is brought under it when next read or written, or by `rebuild`. The text of the revision in force again
        changes nothing. While there is no user, the new catalog replaces that revision. Raises InvalidInput, CatalogError for
        a catalog that must not follow the one in force, and CatalogDiffers for a database of an earlier version whose users
        were judged under other rules: see `adopt_catalog`.

        Users are notified of what they get or lose by it, whenever they are brought under it; with `silent` they are not. A
        user who comes under several revisions at once is not notified if one of them is silent.

        `plan` is the token of a plan: PlanOutdated is raised if it was of another catalog or for another `silent`, or another
        catalog was put in force since. What was recorded since does not matter; the result names the users who moved. All users
        are then to be brought under the catalog: `fill` does it, and so does any server in the background.
        """
        _check_why(reason, actor)
        by = (actor, reason, self._source.principal)
        token = read_token(await self._core.store.keyring(), plan) if plan is not None else None
        return await apply_proposal(
            *self._parts, Proposal(catalog, await self._core.now(), *by, plan=token, silent=silent)
        )

    async def rollback_catalog(
        self, number: int, reason: str, actor: str, *, plan: str | None = None, silent: bool = False
    ) -> AppliedCatalog:
        """Put the catalog of an earlier revision in force again, as the next revision; otherwise as `apply_catalog`.

        Badges that users earned since stay. Raises InvalidInput if there is no such revision.
        """
        return await self.apply_catalog(await self.catalog_of(number), reason, actor, plan=plan, silent=silent)

    async def catalog_of(self, number: int) -> Catalog:
        """The catalog of a revision. Raises InvalidInput if there is none, and CatalogError if this version cannot read it."""
        row = next((row for row in await self._core.store.catalog_revisions() if row.number == number), None)
        if row is None:
            raise InvalidInput("revision", f"there is no revision {number}; 'laurels catalog history' lists all")
        return parsed(row)

    async def fill(self, progress: Callable[[int], None] | None = None) -> None:
        """Bring all users under the catalog in force, so that leaderboards are right and badges are awarded at once.

        `progress` is called with how many users are done. It can be repeated: users who are up to date do not change.
        """
        await self._laurels.period_rules.fill(progress)

    async def adopt_catalog(self, catalog: Catalog, reason: str, actor: str) -> AppliedCatalog:
        """Store the catalog of a database of an earlier version, which stored none, as its first revision.

        Users who were judged under other rules are brought under it when next read or written. Raises InvalidInput,
        CatalogError, and CatalogDiffers if the database has another catalog already.
        """
        _check_why(reason, actor)
        by = (actor, reason, self._source.principal)
        return await apply_proposal(
            *self._parts, Proposal(catalog, await self._core.now(), *by, adopts=True, only_first=True)
        )

    async def catalog_revisions(self) -> list[CatalogRevision]:
        """All revisions of the database's catalog, oldest first; the last one is in force."""
        return [catalog_revision(row) for row in await self._core.store.catalog_revisions()]

    # ---- the clock of a sandbox ---------------------------------------------------------------

    async def move_clock(self, to: datetime | None = None, by: timedelta = timedelta()) -> datetime:
        """Make this database a sandbox, and set its clock to a time, or move it by a duration. Returns the new time.

        Only for test databases. A server must be restarted to see that its database has become a sandbox.
        """
        machine = self._core.clock.machine()
        offset = await self._core.store.clock_offset() or timedelta()
        moved = (to - machine if to else offset) + by
        await self._core.clock.set_offset(moved)
        return machine + moved

    async def advance_clock(self, days: int = 0, hours: float = 0, time_zone: str = "UTC") -> datetime:
        """Move a sandbox's clock forward: by calendar days in this time zone, to the same time of day, then by hours.

        Two calls at the same time move it twice. It never moves back, because past events would then lie in the
        future. Returns the new time. Raises NotASandbox, and InvalidInput for an unknown zone or a time too far ahead.
        """
        core = self._core
        if not await core.clock.is_sandbox():
            raise NotASandbox
        where = zone(time_zone)
        while (offset := await core.store.clock_offset()) is not None:
            if offset + timedelta(days=days, hours=hours) > MAX_CLOCK_AHEAD:
                most = MAX_CLOCK_AHEAD.days
                raise InvalidInput("days" if days else "hours", f"a clock may be at most {most} days ahead")
            machine = core.clock.machine()
            moved = _later(machine + offset, days, where) + timedelta(hours=hours)
            if await core.store.move_clock_offset(offset, moved - machine):
                return moved
        raise NotASandbox


def _later(at: datetime, days: int, where: ZoneInfo) -> datetime:
    """The same time of day some days later, in UTC; a time that the zone's clocks skip is read as if they had not."""
    local = at.astimezone(where).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=where).astimezone(UTC) if days else at


def _check_why(reason: str, actor: str) -> None:
    check_text("reason", reason, MAX_REASON)
    check_text("actor", actor, MAX_NAME)


def _check_given(reason: str | None, actor: str | None) -> None:
    """Check a reason and an actor, each of which may be missing."""
    for name, text, longest in (("reason", reason, MAX_REASON), ("actor", actor, MAX_NAME)):
        if text is not None:
            check_text(name, text, longest)


def check_adjustment(kind: str, data: dict[str, Any], reason: str, actor: str, *, own: bool = False) -> Adjustment:
    """The adjustment that `Admin.adjust` would apply, complete and valid. Raises InvalidInput, which names the field."""
    _check_why(reason, actor)
    return parse_adjustment(kind, data, "user" if own else "app")
