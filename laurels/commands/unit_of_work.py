"""The Desk: one transaction's rows, as found, as the acts so far changed them, and what is to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

import msgspec

from laurels.engine.adjustments import Adjustment, manual_state_of
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.judge import rebuild, rejudge
from laurels.engine.progress import LedgerEntry, ManualState, Outcome, Progress
from laurels.engine.ranking import Move, Place
from laurels.engine.scoring import CLOCKS_APART, Earned, counted, is_closed, may_be_closed, places, recounted
from laurels.engine.values import plain
from laurels.engine.zones import Zones
from laurels.errors import UserErased
from laurels.storage.contract import (
    AdjustmentRow,
    AmnestyRow,
    AwardRow,
    Changes,
    EventRow,
    LedgerRow,
    Loaded,
    NotificationRow,
    UserRow,
)


@plain
class StoredOutcome:
    """What is stored of an outcome, so that a duplicate gets the original answer: pairs are (before, after)."""

    awards: tuple[tuple[str, int], ...] = ()
    points: tuple[int, int] | None = None
    level: tuple[int, int] | None = None
    streaks: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    revoked: tuple[str, ...] = ()
    reversed: bool = False


NOTHING = StoredOutcome()
REVERSED = StoredOutcome(reversed=True)

_decode_outcome = msgspec.json.Decoder(StoredOutcome).decode
_encode_outcome = msgspec.json.Encoder().encode


def stored_outcome(outcome: Outcome) -> StoredOutcome:
    """What is stored of this outcome; NOTHING where it changed nothing."""
    if not outcome.awards and not outcome.streaks and not outcome.revoked and outcome.points is None:
        return NOTHING
    return StoredOutcome(
        awards=tuple((award.badge, award.points) for award in outcome.awards),
        points=(outcome.points.before, outcome.points.after) if outcome.points else None,
        level=(outcome.level.before, outcome.level.after) if outcome.level else None,
        streaks={name: (change.before, change.after) for name, change in outcome.streaks.items()},
        revoked=outcome.revoked,
    )


def read_outcome(row: EventRow) -> StoredOutcome:
    """What the event changed when it was recorded."""
    return _decode_outcome(row.outcome) if row.outcome else NOTHING


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What the house has decided for every act: the catalog, and the settings that bear on a decision."""

    catalog: Catalog
    default_zone: str = "UTC"
    late_window: timedelta | None = timedelta(days=30)


Needs = Literal["row", "acts", "all"]


class Command(Protocol):
    """One thing to do to one user. `at` is when it was accepted."""

    @property
    def user_id(self) -> str: ...

    @property
    def event_id(self) -> str | None:
        """The id of the event it may write or take back."""
        ...

    @property
    def needs(self) -> Needs:
        """How much of the user must be found: the row, with the acts told, or all with every event, award and ledger entry."""
        ...

    def apply(self, work: UnitOfWork) -> object:
        """Do it, and answer; or raise a LaurelsError before touching the desk."""
        ...


class UnitOfWork:
    """One transaction: rows as found, as changed by the acts so far, and what is to be written."""

    def __init__(self, context: DecisionContext, found: Loaded) -> None:
        self.context = context
        self.found = found
        self._users: dict[str, UserRow] = {}
        self._events: dict[tuple[str, str], EventRow] = {}
        self._marked: dict[tuple[str, str], EventRow] = {}
        self._erased: set[str] = set(found.erased)
        self._changes = Changes()
        self._stood: dict[str, list[tuple[datetime, UserRow]]] = {}
        self._restood: set[str] = set()

    # ---- what is known ------------------------------------------------------------------------

    def user(self, user_id: str, now: datetime) -> UserRow:
        """The user as of now: as found, and made anew under today's rules and amnesties; or fresh. Raises UserErased."""
        if user_id in self._erased:
            raise UserErased
        if user_id in self._users:
            return self._users[user_id]
        found = self.found.users.get(user_id)
        rules, amnesties = self.context.catalog.rules, self.found.amnesty_count
        if found is None:
            zones = Zones(default=self.context.default_zone)
            manual = ManualState(amnesty=amnesty_days(self.found.amnesties, ()))
            fresh = Progress(zones=zones, manual=manual) if self.found.amnesties else Progress(zones=zones)
            return UserRow(user_id, None, now, 0, rules, fresh, (), amnesties)
        if found.rules == rules and found.amnesties == amnesties:
            return found
        return self._renewed(found, now)

    def _renewed(self, found: UserRow, now: datetime) -> UserRow:
        """The user under today's amnesties and rules; in memory and on the desk."""
        catalog, progress = self.context.catalog, found.progress
        manual = replace(progress.manual, amnesty=amnesty_days(self.found.amnesties, found.groups))
        excused = replace(progress, manual=manual)
        if found.rules == catalog.rules:
            outcome = rejudge(catalog, progress, excused, now)
        else:
            outcome = rebuild(catalog, excused, standing(self.history(found.user_id)), now)
        current = replace(found, rules=catalog.rules, amnesties=self.found.amnesty_count)
        if found.rules == catalog.rules:
            return self.save(current, outcome, now)
        events = standing(self.history(found.user_id))
        return self.save(current, outcome, now, counts_at=in_no_period, events=events)

    def event(self, user_id: str, event_id: str) -> EventRow | None:
        """The event as recorded, before this transaction or in it."""
        identity = (user_id, event_id)
        if user_id in self._erased:
            return None
        return self._events.get(identity) or self._marked.get(identity) or self.found.events.get(identity)

    def history(self, user_id: str) -> list[EventRow]:
        """Every event of the user, this transaction's too, in the order of recording. Only for an act that asked for it all."""
        own = {**self._marked, **self._events}
        recorded = [row for identity, row in own.items() if identity[0] == user_id]
        new = {row.event.id for row in recorded}
        found = self.found.histories.get(user_id, ()) if user_id not in self._erased else ()
        kept = [row for row in found if row.event.id not in new]
        return sorted(kept + recorded, key=lambda row: row.revision)

    def adjustments(self, user_id: str) -> list[AdjustmentRow]:
        """Every act told of the user, this transaction's too, in their order."""
        manual = {row.adjustment_id: row for row in self.found.adjustments.get(user_id, ())}
        manual |= {row.adjustment_id: row for row in self._changes.adjustments if row.user_id == user_id}
        return sorted(manual.values(), key=lambda row: row.revision)

    def awards(self, user_id: str) -> dict[str, int]:
        """Every badge awarded, with the points it paid, this transaction's too. Only for an act that asked for it all."""
        changes = self._changes
        gone = {badge for of_user, badge in changes.revoked if of_user == user_id}
        found = {row.badge: row.points for row in self.found.awards.get(user_id, ()) if row.badge not in gone}
        return found | {row.badge: row.points for row in changes.awards if row.user_id == user_id}

    def ledger(self, user_id: str) -> list[LedgerRow]:
        """Every entry of the user's ledger, this transaction's too. Only for an act that asked for it all."""
        new = [row for row in self._changes.ledger if row.user_id == user_id]
        return [*(self.found.ledgers.get(user_id, ()) if user_id not in self._erased else ()), *new]

    # ---- what changes -------------------------------------------------------------------------

    def save(
        self,
        user: UserRow,
        outcome: Outcome,
        now: datetime,
        event: Event | None = None,
        counts_at: CountsAt | None = None,
        events: Iterable[Event] | None = None,
    ) -> UserRow:
        """Write what an act made of this user. `event` is the one that caused it, for the awards and the ledger.

        `counts_at` says at which moment an entry counts within periods of leaderboards (None: in none); by itself, when
        the event occurred, or now. With `events`, all that stand, the scores of leaderboards are made anew.
        """
        revision = user.revision + 1
        counting = counts_at or _usual_moment(event, now)
        notifications = [counting(entry) for entry in outcome.entries]
        progress = self._scored(user.user_id, outcome, notifications, event, events, now)
        changed = UserRow(
            user.user_id,
            user.name,
            user.created_at,
            revision,
            user.rules,
            progress,
            user.groups,
            user.amnesties,
            user.visibility,
        )
        self._stands(changed, now)
        self._users[user.user_id] = changed
        event_id = event.id if event else None
        changes = self._changes
        for badge in outcome.revoked:
            changes.awards = [row for row in changes.awards if (row.user_id, row.badge) != (user.user_id, badge)]
            changes.revoked.append((user.user_id, badge))
        for award in outcome.awards:
            changes.awards.append(AwardRow(user.user_id, award.badge, revision, now, award.points, event_id))
        for position, (entry, moment) in enumerate(zip(outcome.entries, notifications, strict=True)):
            what = (entry.amount, entry.reason, entry.ref, event_id)
            changes.ledger.append(LedgerRow(user.user_id, revision, position, now, *what, moment))
        for position, moment in enumerate(outcome.notifications):
            changes.notifications.append(
                NotificationRow(user.user_id, revision, position, now, moment.type, moment.data)
            )
        return changed

    def _scored(
        self,
        user_id: str,
        outcome: Outcome,
        notifications: Sequence[datetime | None],
        event: Event | None,
        events: Iterable[Event] | None,
        now: datetime,
    ) -> Progress:
        """The progress with what leaderboards keep of it brought up to date."""
        catalog, progress = self.context.catalog, outcome.progress
        new = [Earned(entry.amount, at) for entry, at in zip(outcome.entries, notifications, strict=True) if at]
        if events is None:
            scores = counted(catalog, progress.scores, event, new, now)
        else:
            scores = recounted(catalog, events, [*earned(self.ledger(user_id)), *new], now - CLOCKS_APART)
        return progress if scores is progress.scores else replace(progress, scores=scores)

    def save_event(
        self, user: UserRow, event: Event, sent_at: datetime | None, now: datetime, kept: StoredOutcome
    ) -> None:
        """Write an event that this user's newest revision recorded. A reversed one stays without effect."""
        outcome = None if kept is NOTHING else _encode_outcome(kept)
        reversed_by = user.revision if kept.reversed else None
        self._events[user.user_id, event.id] = EventRow(
            event, sent_at, now, user.revision, outcome, reversed_by=reversed_by
        )

    def mark_event(self, row: EventRow, reversed_by: int | None) -> None:
        """Say that an event is taken back by a revision, or stands again (None)."""
        marked = replace(row, reversed_by=reversed_by)
        identity = (row.event.user_id, row.event.id)
        if identity in self._events:
            self._events[identity] = marked
        else:
            self._marked[identity] = marked

    def save_adjustment(self, row: AdjustmentRow) -> None:
        """Write an act, or write it again as undone."""
        changes = self._changes
        changes.adjustments = [
            act for act in changes.adjustments if (act.user_id, act.adjustment_id) != (row.user_id, row.adjustment_id)
        ]
        changes.adjustments.append(row)

    def as_paid(self, user_id: str, otherwise: datetime | None) -> CountsAt:
        """What is taken back counts when it was paid, so that no other period suffers, and what is given again likewise.

        `otherwise` is for what no earlier entry speaks of. Only for an act that asked for it all.
        """
        notifications = {
            entry.ref: entry.counts_at for entry in self.ledger(user_id) if entry.reason not in ("rule", "adjustment")
        }
        return lambda entry: notifications.get(entry.ref, otherwise)

    def erase(self, user_id: str, now: datetime) -> None:
        """Take away all of this user, this transaction's rows too."""
        self._erased.add(user_id)
        self._users.pop(user_id, None)
        self._stood.pop(user_id, None)
        self._events = {identity: row for identity, row in self._events.items() if identity[0] != user_id}
        self._marked = {identity: row for identity, row in self._marked.items() if identity[0] != user_id}
        self._changes.forget(user_id)
        self._changes.erased.append((user_id, now))

    def changes(self) -> Changes:
        """All that is to be written."""
        changes = self._changes
        changes.users = list(self._users.values())
        changes.events = list(self._events.values())
        changes.marked = list(self._marked.values())
        for user_id in self._stood:
            moves = self._moves(user_id)
            changes.moves += moves
            if moves and user_id in self._users:
                changes.next_notifications[user_id] = self._next_notification(user_id)
        changes.tops = self.context.catalog.tops if changes.moves else {}
        return changes

    def _next_notification(self, user_id: str) -> tuple[int, int, datetime]:
        """The revision, position and moment of one more moment of this user."""
        revision, last = self._users[user_id].revision, max(at for at, _ in self._stood[user_id])
        manual = [
            row.position for row in self._changes.notifications if (row.user_id, row.revision) == (user_id, revision)
        ]
        return revision, max(manual, default=-1) + 1, last

    def check_standings(self, user: UserRow, now: datetime) -> bool:
        """Compare a user's standings with what follows from their row, to mend them; whether they were wrong.

        Those of a user whom this transaction changed follow in any case. Only for an act that asked for it all.
        """
        self._restood.add(user.user_id)
        self._stands(user, now)
        return user.user_id not in self._users and bool(self._moves(user.user_id))

    def _stands(self, user: UserRow, now: datetime) -> None:
        """Note how a user stands at a moment. Periods close on whole seconds, so one note for each second is enough."""
        stood = self._stood.setdefault(user.user_id, [])
        if stood and stood[-1][0].replace(microsecond=0) == now.replace(microsecond=0):
            stood.pop()
        stood.append((now, user))

    def _moves(self, user_id: str) -> list[Move]:
        """What the acts on a user change on leaderboards. A user who is erased leaves them with all other rows.

        What was accepted before a period closed counts in it, whatever else came in the same transaction, in any order.
        """
        catalog, before = self.context.catalog, self.found.users.get(user_id)
        stood = self._stood[user_id]
        first, last = min(at for at, _ in stood), max(at for at, _ in stood)
        if before and user_id not in self._restood and all(_stands_alike(before, row) for _, row in stood):
            return []  # as most events leave it
        new: dict[tuple[str, str], Place] = {}
        for at, row in stood:
            closed = {key: place for key, place in new.items() if is_closed(catalog, *key, at)}
            new = closed | dict(places_of(catalog, row, at))
        old: dict[tuple[str, str], Place]
        if user_id in self.found.standings:  # as they really are, whatever rules or faults made them
            stored = self.found.standings[user_id]
            old = {key: place for key, place in stored.items() if not is_closed(catalog, *key, first)}
        else:
            old = dict(places_of(catalog, before, first)) if before else {}
        return [
            Move(user_id, *key, old.get(key), new.get(key), may_be_closed(catalog, *key, last))
            for key in {**old, **new}
            if old.get(key) != new.get(key)
        ]


CountsAt = Callable[[LedgerEntry], datetime | None]


def _usual_moment(event: Event | None, now: datetime) -> CountsAt:
    """What an event pays counts when it occurred; what was said counts now; what a new catalog pays counts in no period."""
    moment = event.occurred_at if event else now
    return lambda entry: None if entry.reason == "catalog" else moment


def in_no_period(_: LedgerEntry) -> None:
    """For what a new catalog pays or takes for the past."""


def _stands_as(user: UserRow) -> tuple[object, ...]:
    """All that a user's places follow from."""
    progress = user.progress
    read_off = (progress.folds, progress.days, progress.manual, progress.zones)  # the last two say what a run needs
    return progress.points, progress.reached_at, progress.scores, read_off, user.groups, user.visibility


def _stands_alike(before: UserRow, after: UserRow) -> bool:
    return before.rules == after.rules and _stands_as(before) == _stands_as(after)


def places_of(catalog: Catalog, user: UserRow, now: datetime) -> Mapping[tuple[str, str], Place]:
    """Where this user stands: by board and open period."""
    return places(catalog, user.user_id, user.progress, user.groups, user.visibility, now)


def earned(ledger: Iterable[LedgerRow]) -> list[Earned]:
    """What of a ledger counts within periods."""
    return [Earned(row.amount, row.counts_at) for row in ledger if row.counts_at is not None]


def standing(history: Iterable[EventRow]) -> list[Event]:
    """The events that nobody took back."""
    return [row.event for row in history if row.reversed_by is None]


def amnesty_days(amnesties: Sequence[AmnestyRow], groups: Sequence[str]) -> Days:
    """The days that amnesties excuse a user of these groups from."""
    days = Days()
    for amnesty in amnesties:
        if amnesty.lifted_at is None and (amnesty.for_group is None or amnesty.for_group in groups):
            days = days | Days.span(amnesty.first_day, amnesty.last_day)
    return days


def manual_state_by(adjustments: Iterable[AdjustmentRow], before: ManualState) -> ManualState:
    """What the acts that stand amount to."""
    return manual_state_of((Adjustment(row.kind, row.data) for row in adjustments if row.undone_by is None), before)


def identities(adjustments: Iterable[Command]) -> frozenset[tuple[str, str]]:
    """The event identities that these acts may write or take back."""
    return frozenset((act.user_id, act.event_id) for act in adjustments if act.event_id is not None)
