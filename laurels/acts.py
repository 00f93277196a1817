"""Acts: everything that changes a user. Each is applied to a Desk, which holds what one transaction found and will write.

An act either raises one of our errors before it touches the desk, or it is done whole. Nothing here reads a clock or a
database, so a transaction can be tried again from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from laurels.engine.catalog import Catalog
from laurels.engine.days import Zones
from laurels.engine.events import Event, effective_moment
from laurels.engine.judge import judge, refold, rejudge
from laurels.engine.leaderboards import Place, place
from laurels.engine.progress import Outcome, Progress
from laurels.errors import EventConflict, UserErased, ZoneChangeTooSoon
from laurels.storage.base import AwardRow, Changes, EventRow, Found, LedgerRow, MomentRow, Moved, UserRow
from laurels.storage.codec import pack_data, to_micros


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of an outcome, so that a duplicate gets the original answer: pairs are (before, after)."""

    awards: tuple[tuple[str, int], ...] = ()
    points: tuple[int, int] | None = None
    level: tuple[int, int] | None = None
    streaks: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer for one event: whether it was new, and what it changed when it was."""

    event: Event
    duplicate: bool
    kept: Kept
    rank_before: int | None = None
    rank_after: int | None = None


@dataclass(frozen=True, slots=True)
class House:
    """What the house has decided for every act: the catalog, and the settings that bear on a decision."""

    catalog: Catalog
    default_zone: str = "UTC"
    late_window: timedelta | None = timedelta(days=30)


class Desk:
    """One transaction: rows as found, as changed by the acts so far, and what is to be written."""

    def __init__(self, house: House, found: Found) -> None:
        self.house = house
        self._found = found
        self._users: dict[str, UserRow] = {}
        self._events: dict[tuple[str, str], EventRow] = {}
        self._erased: set[str] = set(found.erased)
        self._changes = Changes()

    def user(self, user_id: str, now: datetime) -> UserRow:
        """The user as of now: as found and made anew under today's rules, or fresh. Raises UserErased."""
        if user_id in self._erased:
            raise UserErased
        if user_id in self._users:
            return self._users[user_id]
        found = self._found.users.get(user_id)
        if found is None:
            zones = Zones(default=self.house.default_zone)
            return UserRow(user_id, None, now, 0, self.house.catalog.rules, Progress(zones=zones))
        if found.rules == self.house.catalog.rules:
            return found
        outcome = refold(self.house.catalog, found.progress, self._found.histories[user_id], now)
        return self.save(replace(found, rules=self.house.catalog.rules), outcome, now)

    def event(self, user_id: str, event_id: str) -> EventRow | None:
        """The event as recorded, before this transaction or in it."""
        identity = (user_id, event_id)
        return self._events.get(identity) or (None if user_id in self._erased else self._found.events.get(identity))

    def save(
        self,
        user: UserRow,
        outcome: Outcome,
        now: datetime,
        event: Event | None = None,
        sent_at: datetime | None = None,
    ) -> UserRow:
        """Write what an act made of this user, and the event that caused it."""
        revision = user.revision + 1
        changed = UserRow(user.user_id, user.name, user.created_at, revision, user.rules, outcome.progress)
        self._users[user.user_id] = changed
        event_id = event.id if event else None
        if event:
            row = EventRow(event, sent_at, now, revision, _to_kept(outcome))
            self._events[user.user_id, event.id] = row
        changes = self._changes
        for award in outcome.awards:
            changes.awards.append(AwardRow(user.user_id, award.badge, revision, now, award.points, event_id))
        for position, entry in enumerate(outcome.entries):
            changes.ledger.append(
                LedgerRow(user.user_id, revision, position, now, entry.amount, entry.reason, entry.ref, event_id)
            )
        for position, moment in enumerate(outcome.moments):
            changes.moments.append(MomentRow(user.user_id, revision, position, now, moment.type, moment.data))
        return changed

    def erase(self, user_id: str, now: datetime) -> None:
        """Take away all of this user, this transaction's rows too."""
        self._erased.add(user_id)
        self._users.pop(user_id, None)
        self._events = {identity: row for identity, row in self._events.items() if identity[0] != user_id}
        changes = self._changes
        changes.awards = [row for row in changes.awards if row.user_id != user_id]
        changes.ledger = [row for row in changes.ledger if row.user_id != user_id]
        changes.moments = [row for row in changes.moments if row.user_id != user_id]
        changes.erased.append((user_id, now))

    def changes(self) -> Changes:
        """All that is to be written."""
        changes = self._changes
        changes.users = list(self._users.values())
        changes.events = list(self._events.values())
        for user_id in {*self._users, *(user_id for user_id, _ in changes.erased)}:
            before = _place(self._found.users.get(user_id))
            after = _place(self._users.get(user_id))
            if before != after:
                changes.moved[user_id] = Moved(before, after)
        return changes


class Act(Protocol):
    """One thing to do to one user. `at` is when it was accepted."""

    @property
    def user_id(self) -> str: ...

    @property
    def event_id(self) -> str | None:
        """The id of the event it may write."""
        ...

    def apply(self, desk: Desk) -> object:
        """Do it, and answer; or raise a LaurelsError before touching the desk."""
        ...


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Record an event, once. Answers Recorded; raises EventConflict, UserErased, EventTooLate, EventTooEarly."""

    event: Event
    at: datetime

    @property
    def user_id(self) -> str:
        return self.event.user_id

    @property
    def event_id(self) -> str:
        return self.event.id

    def apply(self, desk: Desk) -> Recorded:
        event = self.event
        known = desk.event(event.user_id, event.id)
        if known:
            return _answer_again(known, event)
        user = desk.user(event.user_id, self.at)
        moment = effective_moment(event, self.at, desk.house.late_window)
        zones = user.progress.zones
        dated = Event(event.user_id, event.id, event.type, moment, event.quantity, event.data, zones.day(moment))
        outcome = judge(desk.house.catalog, user.progress, dated, zones.day(self.at))
        desk.save(user, outcome, self.at, dated, event.occurred_at)
        return Recorded(dated, duplicate=False, kept=_kept(outcome))


@dataclass(frozen=True, slots=True)
class UpdateUser:
    """Set what the app knows of a user; what is UNSET stays.

    Answers the UserRow; raises UserErased, InvalidInput, ZoneChangeTooSoon. With `lenient_zone`, a zone change that comes
    too soon is left out instead.
    """

    user_id: str
    at: datetime
    name: str | msgspec.UnsetType | None = msgspec.UNSET
    time_zone: str | msgspec.UnsetType = msgspec.UNSET
    joined_at: datetime | msgspec.UnsetType | None = msgspec.UNSET
    lenient_zone: bool = False
    event_id: None = None

    def apply(self, desk: Desk) -> UserRow:
        user = desk.user(self.user_id, self.at)
        progress = user.progress
        zones = self._zones(progress.zones)
        joined_at = progress.joined_at if self.joined_at is msgspec.UNSET else self.joined_at
        name = user.name if self.name is msgspec.UNSET else self.name
        if user.revision and (zones, joined_at, name) == (progress.zones, progress.joined_at, user.name):
            return user
        changed = replace(progress, zones=zones, joined_at=joined_at)
        outcome = rejudge(desk.house.catalog, progress, changed, self.at)
        return desk.save(replace(user, name=name), outcome, self.at)

    def _zones(self, zones: Zones) -> Zones:
        if self.time_zone is msgspec.UNSET:
            return zones
        try:
            return zones.changed(self.time_zone, self.at)
        except ZoneChangeTooSoon:
            if self.lenient_zone:
                return zones
            raise


@dataclass(frozen=True, slots=True)
class RefreshUser:
    """Make a user anew under today's rules, where they were made under others. Answers None; raises UserErased."""

    user_id: str
    at: datetime
    event_id: None = None

    def apply(self, desk: Desk) -> None:
        desk.user(self.user_id, self.at)


@dataclass(frozen=True, slots=True)
class EraseUser:
    """Erase every trace of a user, for good. Answers None; erasing twice, or nobody, is harmless."""

    user_id: str
    at: datetime
    event_id: None = None

    def apply(self, desk: Desk) -> None:
        desk.erase(self.user_id, self.at)


_decode_kept = msgspec.json.Decoder(Kept).decode
_encode_kept = msgspec.json.Encoder().encode


def read_kept(row: EventRow) -> Kept:
    """What the event changed when it was recorded."""
    return _decode_kept(row.outcome) if row.outcome else NOTHING


NOTHING = Kept()


def _kept(outcome: Outcome) -> Kept:
    if not outcome.awards and not outcome.streaks and outcome.points is None:
        return NOTHING
    return Kept(
        awards=tuple((award.badge, award.points) for award in outcome.awards),
        points=(outcome.points.before, outcome.points.after) if outcome.points else None,
        level=(outcome.level.before, outcome.level.after) if outcome.level else None,
        streaks={name: (change.before, change.after) for name, change in outcome.streaks.items()},
    )


def _to_kept(outcome: Outcome) -> bytes | None:
    kept = _kept(outcome)
    return None if kept is NOTHING else _encode_kept(kept)


def _answer_again(known: EventRow, event: Event) -> Recorded:
    """The original answer, if this is the same event; its sender may leave a time out both times, but not once."""
    same = (
        known.event.type == event.type
        and known.event.quantity == event.quantity
        and known.sent_at == event.occurred_at
        and pack_data(known.event.data) == pack_data(event.data)
    )
    if not same:
        raise EventConflict
    kept = read_kept(known)
    if kept.points is None:
        return Recorded(known.event, duplicate=True, kept=kept)
    return Recorded(known.event, duplicate=True, kept=kept, rank_before=known.rank_before, rank_after=known.rank_after)


def _place(user: UserRow | None) -> Place | None:
    if user is None or user.progress.reached_at is None:
        return None
    return place(user.progress.points, to_micros(user.progress.reached_at), user.user_id)


def identities(acts: Iterable[Act]) -> frozenset[tuple[str, str]]:
    """The event identities that these acts may write."""
    return frozenset((act.user_id, act.event_id) for act in acts if act.event_id is not None)
