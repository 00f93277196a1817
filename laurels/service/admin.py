"""Admin: what repairs a history. Reversals, grants, freezes, pauses, amnesties, rebuilding and verifying.

Everything here is dated, says its reason and who did it, counts once under its id, and can be undone.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from laurels.commands.adjustments import ApplyAdjustment, UndoAdjustment
from laurels.commands.events import REVERSAL, Applied, ReverseEvent
from laurels.commands.rank_changes import places_of
from laurels.commands.rows import active_events, amnesty_days, earned, rebuilt_manual_state
from laurels.commands.users import RebuildUser, RefreshUser
from laurels.engine.adjustments import Adjustment, parse_adjustment
from laurels.engine.catalog import Catalog
from laurels.engine.events import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_EVENT_ID,
    MAX_NAME,
    MAX_USER_ID,
    check_text,
)
from laurels.engine.judge import rebuild
from laurels.engine.ranking import WITHIN
from laurels.engine.scoring import is_closed, recounted, still_open
from laurels.engine.zones import zone
from laurels.errors import AdjustmentConflict, AmnestyNotFound, InvalidInput, NotASandbox, UserNotFound
from laurels.service.laurels import Laurels
from laurels.storage.contract import AmnestyRow, UserSnapshot, amnesty_count

MAX_REASON = 500
MAX_AMNESTY_DAYS = 366
PAGE = 500
FARTHEST = timedelta(days=36_525)
"""How far ahead of the machine's a clock may be moved: a century, with room for what is reckoned from it."""
NEWEST_CLOSED = 1000
"""So many closed periods of a board are looked at, newest first: the older ones are closed by any clock."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which stored state differs from a rebuild. `user_id` is None for what is not one user's."""

    user_id: str | None
    what: str
    stored: str
    rebuilt: str


class Admin:
    """The acts of an admin on one Laurels. Every method may raise StoreUnavailable and Overloaded."""

    def __init__(self, laurels: Laurels) -> None:
        """Act on this Laurels; it stays the caller's to close."""
        self._laurels = laurels

    # ---- one user -----------------------------------------------------------------------------

    async def reverse(self, user_id: str, event_id: str, reason: str, actor: str) -> Applied:
        """Take an event back: metrics, days, badges, points, level and standing follow.

        Twice is harmless; before its event arrives, it holds. Raises InvalidInput, UserErased.
        """
        check_text("userId", user_id, MAX_USER_ID)
        check_text("eventId", event_id, MAX_EVENT_ID)
        _check_why(reason, actor)
        act = ReverseEvent(user_id, event_id, await self._laurels.now(), reason, actor)
        return cast(Applied, await self._laurels.do(act))

    async def tell(
        self,
        user_id: str,
        adjustment_id: str,
        kind: str,
        data: dict[str, Any],
        reason: str,
        actor: str,
        *,
        own: bool = False,
    ) -> Applied:
        """Say something of a user: kind and data as in `engine/adjustments.py`. The same id again answers as a duplicate.

        `own` says that the user speaks: a pause or a repair, as far as the catalog allows. Raises InvalidInput, UserNotFound,
        UserErased, BadgeNotFound, StreakNotFound, ActConflict (the same id for something else) and ActRefused (the user's
        points, days or quota do not allow it).
        """
        check_text("userId", user_id, MAX_USER_ID)
        check_text("id", adjustment_id, MAX_EVENT_ID)
        if adjustment_id.startswith(REVERSAL):
            raise InvalidInput("id", f"ids that begin with '{REVERSAL}' are those of reversals; choose another")
        adjustment = check_adjustment(kind, data, reason, actor, own=own)
        act = ApplyAdjustment(user_id, adjustment_id, adjustment, await self._laurels.now(), reason, actor, own)
        return cast(Applied, await self._laurels.do(act))

    async def undo(
        self, user_id: str, adjustment_id: str, reason: str | None = None, actor: str | None = None
    ) -> Applied:
        """Undo an act that was told, or a reversal; the history says why and by whom, where that is given.

        Twice is harmless. Raises InvalidInput, ActNotFound, UserErased.
        """
        _check_given(reason, actor)
        act = UndoAdjustment(user_id, adjustment_id, await self._laurels.now(), reason or "", actor or "")
        return cast(Applied, await self._laurels.do(act))

    # ---- everybody ----------------------------------------------------------------------------

    async def add_amnesty(
        self, first: date, last: date, reason: str, actor: str, group: str | None = None, amnesty_id: str | None = None
    ) -> AmnestyRow:
        """Excuse the days from `first` to `last` for everybody, or for a group.

        One row, whatever the number of users: each is brought under it when next read or written. The same `amnesty_id`
        again counts once; left out, one is made. Raises InvalidInput, ActConflict (the same id for something else).
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
        now = await self._laurels.now()
        row = AmnestyRow(named, first.toordinal(), last.toordinal(), group, reason, actor, now, None)
        await self._laurels.store.add_amnesty(row)
        return row if amnesty_id is None else await self._as_stored(row)

    async def _as_stored(self, row: AmnestyRow) -> AmnestyRow:
        """The amnesty that is stored under this one's id. Raises ActConflict where it excuses other days, or others."""
        kept = next(one for one in await self._laurels.store.amnesties() if one.amnesty_id == row.amnesty_id)
        if (kept.first_day, kept.last_day, kept.for_group) != (row.first_day, row.last_day, row.for_group):
            raise AdjustmentConflict
        return kept

    async def lift_amnesty(self, amnesty_id: str, reason: str | None = None, actor: str | None = None) -> None:
        """Let the days of an amnesty be required again; why and by whom is kept, where it is given.

        Raises InvalidInput, AmnestyNotFound where none of this id stands.
        """
        _check_given(reason, actor)
        if not await self._laurels.store.lift_amnesty(amnesty_id, await self._laurels.now(), actor, reason):
            raise AmnestyNotFound

    async def users(self) -> AsyncIterator[str]:
        """Every user's id, by code point, read in pages while others write."""
        async for page in self.pages():
            for user_id in page:
                yield user_id

    async def pages(self, after: str = "", last: str | None = None) -> AsyncIterator[Sequence[str]]:
        """The ids of users past `after`, up to `last` (None: all), by code point, some hundreds at a time."""
        while page := await self._laurels.store.user_ids(after, PAGE):
            within = [user_id for user_id in page if last is None or user_id <= last]
            if within:
                yield within
            if len(within) < len(page):
                return
            after = page[-1]

    async def rebuild(self, user_id: str) -> bool:
        """Make a user anew from events, acts and ledger; whether anything differed. Raises UserNotFound, UserErased."""
        return cast(bool, await self._laurels.do(RebuildUser(user_id, await self._laurels.now())))

    async def verify(self, user_id: str) -> list[Difference]:
        """Compare a user's stored state with a rebuild of it; nobody is changed. Raises UserNotFound.

        A user who was made under other rules, or before an amnesty, is brought under today's first, as any reading would.
        """
        laurels = self._laurels
        whole = await self._whole(user_id)
        if not self._is_current(whole):
            await laurels.do(RefreshUser(user_id, await laurels.now()))
            whole = await self._whole(user_id)
        return await self._differences(whole)

    async def compare(self, user_id: str) -> list[Difference] | None:
        """As `verify`, but nothing at all is written: None for a user whom it would first bring under today's rules."""
        whole = await self._whole(user_id)
        if not self._is_current(whole):
            return None
        return await self._differences(whole)

    async def _differences(self, whole: UserSnapshot) -> list[Difference]:
        """The differences, but for standings in periods that a process ahead of this one, or an older catalog, closed."""
        catalog, now, store = self._laurels.catalog, await self._laurels.now(), self._laurels.store
        found = differences(catalog, whole, now)
        if not any(one.what == "standings" for one in found):
            return found
        boards = {partition.partition(WITHIN)[0] for partition, _ in places_of(catalog, whole.user, now)}
        closed = {(board, row.period) for board in boards for row in await store.closings(board, NEWEST_CLOSED)}
        return differences(catalog, whole, now, closed)

    async def _whole(self, user_id: str) -> UserSnapshot:
        if (whole := await self._laurels.store.user_snapshot(user_id)) is None:
            raise UserNotFound
        return whole

    def _is_current(self, whole: UserSnapshot) -> bool:
        """Whether the user was made under today's catalog, and under every amnesty."""
        return (whole.user.rules, whole.user.amnesties) == (self._laurels.catalog.rules, amnesty_count(whole.amnesties))

    # ---- the clock of a sandbox ---------------------------------------------------------------

    async def move_clock(self, to: datetime | None = None, by: timedelta = timedelta()) -> datetime:
        """Make this database a sandbox, and set its clock to a moment, or on by so much. Answers the new moment.

        For databases of tests only: a server that was started before must be started again to see that it is a sandbox.
        """
        laurels = self._laurels
        real = laurels.clock()
        offset = await laurels.store.clock_offset() or timedelta()
        moved = (to - real if to else offset) + by
        await laurels.set_clock_offset(moved)
        return real + moved

    async def advance_clock(self, days: int = 0, hours: float = 0, time_zone: str = "UTC") -> datetime:
        """Move a sandbox's clock on: to the same time of the day so many days later in this zone, and on by so many hours.

        Two who do it at once move it twice; nobody moves it back, as what happened since would then lie ahead. Answers
        the new moment. Raises NotASandbox, and InvalidInput for an unknown zone or a moment too far ahead.
        """
        laurels = self._laurels
        if not await laurels.sandboxed():
            raise NotASandbox
        there = zone(time_zone)
        while (offset := await laurels.store.clock_offset()) is not None:
            if offset + timedelta(days=days, hours=hours) > FARTHEST:
                raise InvalidInput("days" if days else "hours", f"a clock may run {FARTHEST.days} days ahead at most")
            real = laurels.clock()
            moment = _later(real + offset, days, there) + timedelta(hours=hours)
            if await laurels.store.move_clock_offset(offset, moment - real):
                return moment
        raise NotASandbox


def _later(moment: datetime, days: int, there: ZoneInfo) -> datetime:
    """The same time of the day so many days later, in UTC; a time that its clocks skip is read as if they had not."""
    on_the_clock = moment.astimezone(there).replace(tzinfo=None) + timedelta(days=days)
    return on_the_clock.replace(tzinfo=there).astimezone(UTC) if days else moment


def differences(
    catalog: Catalog, whole: UserSnapshot, now: datetime, closed: Collection[tuple[str, str]] = ()
) -> list[Difference]:
    """In what the stored state of a user differs from one made anew from events, acts and ledger.

    `closed` are periods that somebody closed, of (board, period), though by this clock and catalog they are open.
    """
    stored = whole.user.progress
    history, adjustments = list(whole.events), list(whole.adjustments)
    told = rebuilt_manual_state(
        history, adjustments, replace(stored.manual, amnesty=amnesty_days(whole.amnesties, whole.user.groups))
    )
    badges = {award.badge: award.points for award in whole.awards}
    balance = sum(entry.amount for entry in whole.ledger)
    scores = recounted(catalog, active_events(history), earned(whole.ledger), now)
    stored = replace(stored, scores=still_open(catalog, stored.scores, now))
    truth = replace(stored, manual=told, badges=badges, points=balance, scores=scores)
    rebuilt = rebuild(catalog, truth, active_events(history), now).progress
    user_id = whole.user.user_id
    found = [
        Difference(user_id, name, *_shown(getattr(stored, name), getattr(rebuilt, name)))
        for name in ("totals", "days", "capped", "partial", "folds", "badges", "points", "manual", "scores")
        if getattr(stored, name) != getattr(rebuilt, name)
    ]
    if badges != rebuilt.badges:
        found.append(Difference(user_id, "awards", *_shown(badges, rebuilt.badges)))
    if balance != rebuilt.points:
        found.append(Difference(user_id, "sum of the ledger", str(balance), str(rebuilt.points)))
    standings = {key: place for key, place in whole.standings.items() if not is_closed(catalog, *key, now)}
    places = {
        (partition, period): place
        for (partition, period), place in places_of(catalog, whole.user, now).items()
        if (partition.partition(WITHIN)[0], period) not in closed
    }
    if standings != places:
        found.append(Difference(user_id, "standings", *_shown(standings, places)))
    return found


def _shown(stored: Any, rebuilt: Any) -> tuple[str, str]:
    """Two values that differ, as text; of mappings only what differs."""
    if not isinstance(stored, Mapping):
        return repr(stored), repr(rebuilt)
    old, new = cast(Mapping[str, Any], stored), cast(Mapping[str, Any], rebuilt)
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return _some(old, keys), _some(new, keys)


def _some(values: Mapping[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(f"{key}: {values[key]}" for key in keys if key in values) or "nothing"


def _check_why(reason: str, actor: str) -> None:
    check_text("reason", reason, MAX_REASON)
    check_text("actor", actor, MAX_NAME)


def _check_given(reason: str | None, actor: str | None) -> None:
    """As `_check_why`, of what is given."""
    for name, text, longest in (("reason", reason, MAX_REASON), ("actor", actor, MAX_NAME)):
        if text is not None:
            check_text(name, text, longest)


def check_adjustment(kind: str, data: dict[str, Any], reason: str, actor: str, *, own: bool = False) -> Adjustment:
    """The adjustment that `Admin.tell` would apply, complete and valid. Raises InvalidInput, which names the field."""
    _check_why(reason, actor)
    return parse_adjustment(kind, data, "user" if own else "app")
