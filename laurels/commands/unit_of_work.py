"""UnitOfWork: the rows of one transaction as loaded and as its commands change them, and what is to be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, Protocol

from laurels.commands.context import DecisionContext
from laurels.commands.copies import UserCopies
from laurels.commands.former import former_states
from laurels.commands.needed import HistoryNeeded
from laurels.commands.ordering import Histories, ordering
from laurels.commands.outcomes import StoredOutcome, pack
from laurels.commands.rank_changes import RankChanges
from laurels.commands.references import rows_with_references, with_references
from laurels.commands.rows import (
    CountsAt,
    active_events,
    amnesty_days,
    counted_again,
    dated,
    default_instant,
    earned,
    earned_after,
    in_no_period,
    manual_state_of,
    repaid_awards,
    reversed_before,
)
from laurels.engine.elapsing import as_of, is_due
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.judge import rebuild, rejudge
from laurels.engine.occurrence import Shift
from laurels.engine.progress import SPEND, ManualState, Outcome, Progress
from laurels.engine.pseudonyms import check_new_id
from laurels.engine.scoring import CLOCKS_APART, Earned, counted, days_counted, values_counted
from laurels.engine.zones import Zones
from laurels.errors import ErasurePending, UserErased
from laurels.storage.contract import (
    AdjustmentRow,
    AwardRow,
    Changes,
    EventRow,
    LedgerRow,
    Loaded,
    NotificationRow,
    UserRow,
)

Needs = Literal["row", "adjustments", "all"]
"""What must be loaded of a user: the row; also the adjustments; or also all events, awards, ledger entries and standings."""


class Command(Protocol):
    """One change of one user. `at` is when it was accepted."""

    @property
    def user_id(self) -> str: ...

    @property
    def event_id(self) -> str | None:
        """The id of the event it may record or reverse."""
        ...

    @property
    def needs(self) -> Needs:
        """What must be loaded of the user."""
        ...

    def apply(self, work: UnitOfWork) -> object:
        """Apply it and return its answer, or raise a LaurelsError before anything is changed."""
        ...


class UnitOfWork:
    """One transaction: rows as loaded and as its commands have changed them so far, and what is to be written."""

    def __init__(self, context: DecisionContext, found: Loaded) -> None:
        self.context, self.found = context, found
        self._users: dict[str, UserRow] = {}
        self._events: dict[tuple[str, str], EventRow] = {}
        self._marked: dict[tuple[str, str], EventRow] = {}
        self._erased: set[str] = set(found.erased)
        self._changes = Changes()
        self.audit, self.signed_out = self._changes.audit, self._changes.signed_out
        self._rank_changes = RankChanges(context.catalog, found)
        self.copies = UserCopies(context.catalog, found)
        self._unordered: set[str] = set()
        self._retroactive: set[tuple[str, str]] = set()
        self._earned_by_events: set[tuple[str, str]] = set()
        self._earned_before: dict[tuple[str, str], int] = {}
        self._silent: set[str] = set()

    # ---- reading ------------------------------------------------------------------------------

    def user(self, user_id: str, now: datetime) -> UserRow:
        """The user as this transaction has them, under the rules and amnesties in force.

        Raises UserErased, ErasurePending, InvalidInput. A new user (see `is_known`) waits for events that were reversed before,
        and has the revision of the last reversal, or 0.
        """
        known = self._users.get(user_id) or self.found.users.get(user_id)
        if known and known.erase_at:
            raise ErasurePending(known.erase_at)
        return self.any_user(user_id, now)

    def any_user(self, user_id: str, now: datetime) -> UserRow:
        """As `user`, also with a user whose erasure is pending."""
        if user_id in self._erased:
            raise UserErased
        if user_id in self._users:
            return self._users[user_id]
        found = self.found.users.get(user_id)
        rules, amnesties = self.context.catalog.rules, self.found.amnesty_count
        if found is None:
            check_new_id(user_id)
            revision, awaited = reversed_before(self.adjustments(user_id))
            manual = ManualState(awaited=awaited, amnesty=amnesty_days(self.found.amnesties, ()))
            fresh = Progress(zones=Zones(default=self.context.default_zone), manual=manual, board_days={}, as_of=now)
            return UserRow(user_id, None, now, revision, rules, fresh, (), amnesties)
        if found.rules == rules and found.amnesties == amnesties:
            return self._elapsed(found, now) if self.context.catalog.timed else found
        return self._updated(found, now)

    def is_known(self, user_id: str) -> bool:
        """Whether there is such a user. A reversal alone makes none: it waits for its event."""
        return user_id in self._users or user_id in self.found.users

    def _elapsed(self, found: UserRow, now: datetime) -> UserRow:
        """The user with the time up to now, saved if passing time earned them something."""
        catalog, progress = self.context.catalog, as_of(self.context.catalog, found.progress, now, found.earned)
        if not is_due(catalog, progress, now):
            return replace(found, progress=progress)
        outcome = rejudge(catalog, found.progress, progress, now, (), self.copies.none_left(progress))
        self.read_in_order(found.user_id, awarded=[award.badge for award in outcome.awards])
        return self.save(found, outcome, now)

    def _updated(self, found: UserRow, now: datetime) -> UserRow:
        """Bring a user under the amnesties and rules in force, and save them."""
        catalog, progress = self.context.catalog, as_of(self.context.catalog, found.progress, now, found.earned)
        manual = progress.manual
        if found.rules != catalog.rules:  # adjustments may name what has another name or days now
            progress = self._renamed(found) if catalog.renames else progress
            manual = manual_state_of(self.adjustments(found.user_id), manual, progress.zones, catalog)
        manual = replace(manual, amnesty=amnesty_days(self.found.amnesties, found.groups))
        excused = replace(progress, manual=manual)
        named = {catalog.renames.badge(badge): at for badge, at in found.earned.items()}
        current = replace(found, rules=catalog.rules, amnesties=self.found.amnesty_count, earned=named)
        none_left = self.copies.none_left(progress)
        if found.rules == catalog.rules:
            return self.save(current, rejudge(catalog, progress, excused, now, (), none_left), now)
        events = active_events(self.dated_history(found.user_id, progress.zones))
        outcome = rebuild(catalog, excused, events, now, none_left=none_left)
        if self.context.is_silent_for(found.rules):
            outcome = replace(outcome, notifications=())
            self._silent.add(found.user_id)
        return self.save(current, outcome, now, counts_at=in_no_period, events=events)

    def _renamed(self, found: UserRow) -> Progress:
        """The user's progress under current names, with their awards. Of two ids of one badge, the earlier award stays."""
        renames, kept = self.context.catalog.renames, dict[str, AwardRow]()
        rows = sorted(self.found.awards.get(found.user_id, ()), key=lambda row: row.revision)
        for row in rows:
            kept.setdefault(renames.badge(row.badge), row)
        self._changes.revoked += [(row.user_id, row.badge) for row in rows if kept.get(row.badge) is not row]
        self._changes.awards += [replace(row, badge=badge) for badge, row in kept.items() if row.badge != badge]
        return renames.progress(found.progress, {badge: row.points for badge, row in kept.items()})

    def event(self, user_id: str, event_id: str) -> EventRow | None:
        """The recorded event, from before this transaction or from it."""
        identity = (user_id, event_id)
        if user_id in self._erased:
            return None
        return self._events.get(identity) or self._marked.get(identity) or self.found.events.get(identity)

    def history(self, user_id: str) -> list[EventRow]:
        """Every event of the user, with those of this transaction, as recorded. Only for a command that loads everything."""
        own = {**self._marked, **self._events}
        recorded = [row for identity, row in own.items() if identity[0] == user_id]
        new = {row.event.id for row in recorded}
        found = self.found.histories.get(user_id, ()) if user_id not in self._erased else ()
        others = rows_with_references(
            self.context.catalog, self.found.keyring, (row for row in found if row.event.id not in new)
        )
        return sorted(others + recorded, key=lambda row: row.revision)

    def with_references(self, event: Event) -> Event:
        """The event with references to the users that it names, as it is stored; see `references.py`."""
        return with_references(self.context.catalog, self.found.keyring, event)

    def adjustments(self, user_id: str) -> list[AdjustmentRow]:
        """Every adjustment of the user, with those of this transaction, in the order of their revisions."""
        rows = {row.adjustment_id: row for row in self.found.adjustments.get(user_id, ())}
        rows |= {row.adjustment_id: row for row in self._changes.adjustments if row.user_id == user_id}
        return sorted(rows.values(), key=lambda row: row.revision)

    def awards(self, user_id: str) -> dict[str, int]:
        """The points that each awarded badge paid, by badge. Only for a command that loads everything."""
        return {badge: row.points for badge, row in self.award_rows(user_id).items()}

    def award_rows(self, user_id: str) -> dict[str, AwardRow]:
        """The user's awards by badge. Only for a command that loads everything."""
        changes = self._changes
        revoked = {badge for of_user, badge in changes.revoked if of_user == user_id}
        found = {row.badge: row for row in self.found.awards.get(user_id, ()) if row.badge not in revoked}
        return found | {row.badge: row for row in changes.awards if row.user_id == user_id}

    def ledger(self, user_id: str) -> list[LedgerRow]:
        """Every ledger entry of the user, with those of this transaction. Only for a command that loads everything."""
        new = [row for row in self._changes.ledger if row.user_id == user_id]
        return [*(self.found.ledgers.get(user_id, ()) if user_id not in self._erased else ()), *new]

    # ---- writing ------------------------------------------------------------------------------

    def save(
        self,
        user: UserRow,
        outcome: Outcome,
        now: datetime,
        event: Event | None = None,
        counts_at: CountsAt | None = None,
        events: Iterable[Event] | None = None,
    ) -> UserRow:
        """Save a user with what a command changed. `event` is the event that caused it, for the awards and the ledger.

        `counts_at` gives the instant at which a ledger entry counts within periods of leaderboards (None: in none). By
        default that is when the event occurred, or now. With `events`, all active ones, the scores are computed again.
        """
        if self.context.catalog.limited:
            self.copies.change(user, outcome.progress.badges)
        revision = user.revision + 1
        counting = counts_at or default_instant(event, now)
        taken = counting
        if outcome.revoked or outcome.repaid:
            taken, active = self._taking_back(user.user_id, event)
            events = active if events is None else events
        instants = [
            (taken if entry.reason == "catalog" and entry.ref in outcome.corrected else counting)(entry)
            for entry in outcome.entries
        ]
        progress = self._scored(user.user_id, outcome, instants, event, events, now)
        named, since = (user.user_id, user.name, user.created_at), earned_after(user, outcome, event, now)
        under = (user.rules, progress, user.groups, user.amnesties, user.visibility)
        changed = UserRow(*named, revision, *under, since, user.erase_at)
        self._rank_changes.note(changed, now)
        self._users[user.user_id] = changed
        if outcome.awards and counts_at is in_no_period:
            self._retroactive |= {(user.user_id, award.badge) for award in outcome.awards}
            self._unordered.add(user.user_id)
        self._save_outcome(changed, outcome, instants, event.id if event else None, now)
        return changed

    def _save_outcome(
        self,
        user: UserRow,
        outcome: Outcome,
        instants: Sequence[datetime | None],
        event_id: str | None,
        now: datetime,
    ) -> None:
        """The awards, ledger entries and notifications of an outcome, with the user's newest revision."""
        changes, revision, catalog = self._changes, user.revision, self.context.number
        for badge in outcome.revoked:
            changes.awards = [row for row in changes.awards if (row.user_id, row.badge) != (user.user_id, badge)]
            changes.revoked.append((user.user_id, badge))
        if outcome.repaid:
            self._save_awards_again(user.user_id, repaid_awards(self.award_rows(user.user_id), outcome))
        for award in outcome.awards:
            changes.awards.append(AwardRow(user.user_id, award.badge, revision, now, award.points, event_id, catalog))
        for position, (entry, instant) in enumerate(zip(outcome.entries, instants, strict=True)):
            what = (entry.amount, entry.reason, entry.ref, event_id)
            changes.ledger.append(LedgerRow(user.user_id, revision, position, now, *what, instant, catalog))
        for position, notification in enumerate(outcome.notifications):
            row = NotificationRow(user.user_id, revision, position, now, notification.type, notification.data)
            changes.notifications.append(row)

    def _scored(
        self,
        user_id: str,
        outcome: Outcome,
        instants: Sequence[datetime | None],
        event: Event | None,
        events: Iterable[Event] | None,
        now: datetime,
    ) -> Progress:
        """The progress with its scores for leaderboards brought up to date."""
        catalog, progress = self.context.catalog, outcome.progress
        new = [Earned(entry.amount, at) for entry, at in zip(outcome.entries, instants, strict=True) if at]
        if events is None:
            scores = counted(catalog, progress.scores, event, new, now)
            board_days = days_counted(catalog, progress, event, now) if event else progress.board_days
            within = values_counted(catalog, progress.values_within, event, now) if event else progress.values_within
            if (scores, board_days, within) == (progress.scores, progress.board_days, progress.values_within):
                return progress
            return replace(progress, scores=scores, board_days=board_days, values_within=within)
        return self._recounted(progress, events, [*earned(self.ledger(user_id)), *new], now)

    def _recounted(
        self, progress: Progress, events: Iterable[Event], entries: Sequence[Earned], now: datetime
    ) -> Progress:
        """The progress with all that depends on instants counted again, from all active events and the whole ledger."""
        return counted_again(self.context.catalog, progress, list(events), entries, now - CLOCKS_APART)

    def save_event(
        self, user: UserRow, event: Event, sent_at: datetime | None, now: datetime, outcome: StoredOutcome
    ) -> None:
        """Save an event that this user's newest revision recorded. One that was reversed before it arrived has no effect."""
        reversed_by = user.revision if outcome.reversed else None
        self._events[user.user_id, event.id] = EventRow(
            event, sent_at, now, user.revision, pack(outcome), reversed_by=reversed_by
        )

    def mark_event(self, row: EventRow, reversed_by: int | None) -> None:
        """Mark an event as reversed by a revision, or as active again (None)."""
        self._replace_event(replace(row, reversed_by=reversed_by))

    def dated_history(self, user_id: str, zones: Zones, before: Zones | None = None) -> list[EventRow]:
        """`history` with each event on its day in these zones, and saved so. `before` are the zones until now, if others."""
        history = self.history(user_id)
        rows = [dated(row, zones, before or zones) for row in history]
        for old, new in zip(history, rows, strict=True):
            if new is not old:
                self._replace_event(new)
        return rows

    def _replace_event(self, marked: EventRow) -> None:
        identity = (marked.event.user_id, marked.event.id)
        if identity in self._events:
            self._events[identity] = marked
        else:
            self._marked[identity] = marked

    def save_adjustment(self, row: AdjustmentRow, *, was: str | None = None) -> None:
        """Save an adjustment, or save it again as undone. `was` is the id that it had until now, if it gets another one."""
        changes = self._changes
        changes.renamed += [(row.user_id, was, row.revision, row.adjustment_id)] if was else []
        changes.adjustments = [
            one for one in changes.adjustments if (one.user_id, one.adjustment_id) != (row.user_id, row.adjustment_id)
        ]
        changes.adjustments.append(row)

    def save_award_again(self, award: AwardRow, earned_at: datetime) -> None:
        """Let an award that this transaction made be one that was there before, earned at this instant."""
        changes = self._changes
        same = (award.user_id, award.badge)
        changes.awards = [award if (row.user_id, row.badge) == same else row for row in changes.awards]
        if any((row.user_id, row.badge) == same for row in changes.awards):
            user = self._users[award.user_id]
            self._earned_before[same] = micros(earned_at)
            self._users[award.user_id] = replace(user, earned={**user.earned, award.badge: micros(earned_at)})

    def as_paid(self, user_id: str, otherwise: Mapping[str, datetime | None] | datetime | None) -> CountsAt:
        """Points that are taken back, or given again, count at the instant of the original entry, so in the same period.

        `otherwise` is for entries without an original: one instant, or one for each `ref`. Only for a command that loads
        everything.
        """
        instants = {
            self.context.catalog.renames.badge(entry.ref): entry.counts_at
            for entry in self.ledger(user_id)
            if entry.reason not in ("rule", "boost", "adjustment", SPEND)
        }
        if isinstance(otherwise, Mapping):
            return lambda entry: None if entry.reason == SPEND else instants.get(entry.ref, otherwise.get(entry.ref))
        return lambda entry: None if entry.reason == SPEND else instants.get(entry.ref, otherwise)

    def _taking_back(self, user_id: str, event: Event | None) -> tuple[CountsAt, list[Event]]:
        """When the points of lost badges count, which the ledger tells, and all active events: scores shrink only from these."""
        is_unread = user_id in self.found.users and user_id not in self.found.ledgers
        if is_unread and user_id not in self._erased:
            raise HistoryNeeded(frozenset({user_id}))
        return self.as_paid(user_id, None), [*active_events(self.history(user_id)), *([event] if event else [])]

    def erase(self, user_id: str, now: datetime) -> None:
        """Remove everything of this user, with the rows of this transaction."""
        if user_id not in self._erased:
            self.copies.change(self._users.get(user_id) or self.found.users.get(user_id), ())
        self._erased.add(user_id)
        self._users.pop(user_id, None)
        self._unordered.discard(user_id)
        self._rank_changes.forget(user_id)
        self._events = {identity: row for identity, row in self._events.items() if identity[0] != user_id}
        self._marked = {identity: row for identity, row in self._marked.items() if identity[0] != user_id}
        self._changes.forget(user_id)
        self._changes.erased.append((user_id, now))

    def read_in_order(self, user_id: str, awarded: Iterable[str] = ()) -> None:
        """Read the user's events in order of occurrence when all commands are done: which of them decide may have changed.

        `awarded` are badges that events on other days earned, each of which gets the event that decides.
        """
        self._unordered.add(user_id)
        self._earned_by_events |= {(user_id, badge) for badge in awarded}

    def changes(self) -> Changes:
        """All that is to be written. Raises HistoryNeeded if users must be loaded in full for it."""
        changes = self._changes
        unordered = sorted(self._unordered & self._users.keys())
        missing = [name for name in unordered if name in self.found.users and name not in self.found.histories]
        if missing:
            raise HistoryNeeded(frozenset(missing))
        for user_id in unordered:
            self._order(user_id)
        changes.users = list(self._users.values())
        changes.events = list(self._events.values())
        changes.marked = list(self._marked.values())
        changes.copies = self.copies.changes if self.context.catalog.limited else {}
        changes.former = former_states(self.found, changes, self._rank_changes.latest, self.context.catalog.renames)
        for user_id in self._rank_changes:
            moves = self._rank_changes.moves(user_id)
            changes.moves += moves
            if moves and user_id in self._users and user_id not in self._silent:
                changes.next_notifications[user_id] = self._next_notification(user_id)
        changes.tops = self.context.catalog.tops if changes.moves else {}
        return changes

    def _order(self, user_id: str) -> None:
        """Put the events of a user in order of occurrence, and save what follows with the user's newest revision."""
        user, now = self._users[user_id], self._rank_changes.latest(user_id)
        after = active_events(self.history(user_id))
        histories = self._histories(user_id, after)
        found = ordering(self.context.catalog, user, histories, now)
        self._save_awards_again(user_id, found.awards)
        changes = self._changes
        changes.ledger = [
            replace(row, counts_at=found.paid[row.ref])
            if row.user_id == user_id and row.reason == "badge" and row.ref in found.paid and row.counts_at
            else row
            for row in changes.ledger
        ]
        self._move(user, found.moved, now)
        progress = self._recounted(user.progress, after, earned(self.ledger(user_id)), now)
        known = {badge: at for (of_user, badge), at in self._earned_before.items() if of_user == user_id}
        dates = {badge: min(at, known.get(badge, at)) for badge, at in found.earned.items()}
        changed = replace(user, progress=progress, earned={**user.earned, **dates})
        self._rank_changes.note(changed, now)
        self._users[user_id] = changed

    def _histories(self, user_id: str, after: list[Event]) -> Histories:
        changes = self._changes
        known = () if user_id in self._erased else self.found.histories.get(user_id, ())
        stored = self.found.users.get(user_id)
        progress, begun = (stored.progress, stored.revision) if stored else (Progress(), 0)
        return Histories(
            before=active_events(known),
            after=after,
            zones_before=progress.zones if known else None,
            joined_before=progress.joined_at,
            held_before=progress.badges,
            awards=[*self.award_rows(user_id).values()],
            fresh=frozenset(row.badge for row in changes.awards if row.user_id == user_id and row.revision > begun),
            retroactive={badge for of_user, badge in self._retroactive if of_user == user_id},
            by_events={badge for of_user, badge in self._earned_by_events if of_user == user_id},
            ledger=self.ledger(user_id),
            new=[row for row in changes.ledger if row.user_id == user_id],
        )

    def _save_awards_again(self, user_id: str, awards: Sequence[AwardRow]) -> None:
        """Replace awards by the same ones with another deciding event."""
        changes = self._changes
        again = {row.badge for row in awards}
        changes.revoked += [(user_id, badge) for badge in again if (user_id, badge) not in changes.revoked]
        changes.awards = [row for row in changes.awards if row.user_id != user_id or row.badge not in again]
        changes.awards += awards

    def _move(self, user: UserRow, moved: Sequence[tuple[str, Shift]], now: datetime) -> None:
        """Add the entries for points that count at another instant: what they take from one they add to the other."""
        ledger, new = self._changes.ledger, (user.user_id, user.revision)
        position = max((row.position for row in ledger if (row.user_id, row.revision) == new), default=-1) + 1
        for ref, shift in moved:
            for amount, counts_at in ((-shift.amount, shift.since), (shift.amount, shift.to)):
                ledger.append(LedgerRow(*new, position, now, amount, "moved", ref, None, counts_at))
                position += 1

    def _next_notification(self, user_id: str) -> tuple[int, int, datetime]:
        """The revision, position and instant of one more notification of this user."""
        revision = self._users[user_id].revision
        taken = [
            row.position for row in self._changes.notifications if (row.user_id, row.revision) == (user_id, revision)
        ]
        return revision, max(taken, default=-1) + 1, self._rank_changes.latest(user_id)

    def check_standings(self, user: UserRow, now: datetime) -> bool:
        """Compare a user's stored standings with what follows from their row, and correct them. Returns whether they were wrong.

        Those of a user whom this transaction changed are corrected in any case. Only for a command that loads everything.
        """
        self._rank_changes.check(user, now)
        return user.user_id not in self._users and bool(self._rank_changes.moves(user.user_id))


def identities(commands: Iterable[Command]) -> frozenset[tuple[str, str]]:
    """The event identities (user_id, event_id) that these commands may write or reverse."""
    return frozenset((command.user_id, command.event_id) for command in commands if command.event_id is not None)
