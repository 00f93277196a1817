"""Events: recording one, once, and reversing one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from laurels.commands.lost_badges import with_lost_badges
from laurels.commands.needed import HistoryNeeded
from laurels.commands.outcomes import NOTHING, REVERSED, StoredOutcome, outcome_again, stored_outcome
from laurels.commands.references import with_stored_references
from laurels.commands.rows import active_adjustments, active_events
from laurels.commands.unit_of_work import Needs, UnitOfWork
from laurels.engine.adjustments import Reversal
from laurels.engine.events import OWN_PREFIX, Event, effective_instant
from laurels.engine.judge import judge, reverse
from laurels.engine.occurrence import is_out_of_order, with_caps_reached
from laurels.engine.progress import Outcome
from laurels.engine.sequences import Stages, advanced, stages_of
from laurels.engine.values import plain
from laurels.storage.contract import AdjustmentRow, AwardRow, EventRow, Principal, Source, UserRow
from laurels.storage.secrets import Keyring

REVERSAL = "reversal:"
"""The id of a reversal is this and the event's id, so that an event is reversed once."""

UNDONE_REVERSAL = f"{OWN_PREFIX}undone:"
"""How the id of an undone reversal begins whose event was reversed again; its revision and the event's id follow."""


@plain
class Recorded:
    """The answer for one event: whether it was new, and what it changed when it was."""

    event: Event
    duplicate: bool
    outcome: StoredOutcome
    rank_before: int | None = None
    rank_after: int | None = None


@plain
class Applied:
    """The answer for an adjustment: whether it was new, and what it changed.

    `balance` is (before, after), for a user who has spent points and whose balance changed; `kinds` has the same of each other
    kind of points of which the balance changed. `pending` is whether it reverses an
    event that has not arrived.
    """

    adjustment: AdjustmentRow
    duplicate: bool
    outcome: StoredOutcome = NOTHING
    balance: tuple[int, int] | None = None
    pending: bool = False
    kinds: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


@plain
class RecordEvent:
    """Record an event, once. Answers Recorded; raises EventConflict, UserErased, EventTooLate, EventTooEarly."""

    event: Event
    at: datetime
    needs: Needs = "row"

    @property
    def user_id(self) -> str:
        return self.event.user_id

    @property
    def event_id(self) -> str:
        return self.event.id

    def apply(self, work: UnitOfWork) -> Recorded:
        event = work.with_references(self.event)
        # The user is read first, so that a duplicate also brings its user under the rules in force.
        user = work.user(event.user_id, self.at)
        stored = work.event(event.user_id, event.id)
        if stored:
            return _duplicate(replace(stored, event=work.with_references(stored.event)), event, work.found.keyring)
        occurred_at = effective_instant(event, self.at, work.context.late_window)
        zones = user.progress.zones
        day, today = zones.day(occurred_at), zones.day(self.at)
        dated = Event(
            event.user_id, event.id, event.type, occurred_at, event.quantity, event.data, day, today - day, self.at
        )
        if event.id in user.progress.manual.awaited:
            return self._record_reversed(work, user, dated)
        catalog = work.context.catalog
        none_left = work.copies.none_left(user.progress) if catalog.limited else ()
        stages = self._stages(work, user, dated) if catalog.chains else None
        outcome = judge(catalog, user.progress, dated, today, none_left, stages)
        if is_out_of_order(catalog, user.progress, user.earned, dated, outcome):
            work.read_in_order(event.user_id)
        outcome = with_caps_reached(catalog, user.progress, dated, outcome)
        answer = stored_outcome(outcome)
        changed = work.save(user, outcome, self.at, dated)
        work.save_event(changed, dated, event.occurred_at, self.at, answer)
        return Recorded(dated, duplicate=False, outcome=answer)

    def _stages(self, work: UnitOfWork, user: UserRow, dated: Event) -> Stages | None:
        """The stages of conditions in order after this event; None if there are none for which it may count."""
        rules = work.context.catalog.rule_indexes.get(dated.type)
        if rules is None or not rules.chains:
            return None
        known = advanced(rules.chains, user.progress, dated)
        if known is not None:
            return known
        return stages_of(work.context.catalog.chains, [*_all_active(work, dated.user_id), dated])

    def _record_reversed(self, work: UnitOfWork, user: UserRow, dated: Event) -> Recorded:
        """Record an event that was reversed before it arrived: it is stored and earns nothing."""
        manual = replace(user.progress.manual, awaited=user.progress.manual.awaited - {dated.id})
        changed = work.save(user, Outcome(replace(user.progress, manual=manual)), self.at)
        work.save_event(changed, dated, self.event.occurred_at, self.at, REVERSED)
        return Recorded(dated, duplicate=False, outcome=REVERSED)


@plain
class LoggedIn:
    """The answer for a login: what recording it changed, and the user's row after it."""

    recorded: Recorded
    user: UserRow


@plain
class LogIn:
    """Record a login, once, and answer with the user's row, so that a profile needs no second read.

    Answers LoggedIn; raises the same errors as RecordEvent.
    """

    event: Event
    at: datetime
    needs: Needs = "row"

    @property
    def user_id(self) -> str:
        return self.event.user_id

    @property
    def event_id(self) -> str:
        return self.event.id

    def apply(self, work: UnitOfWork) -> LoggedIn:
        recorded = RecordEvent(self.event, self.at).apply(work)
        return LoggedIn(recorded, work.user(self.user_id, self.at))


@plain
class ReverseEvent:
    """Reverse an event, with everything it led to. Answers Applied.

    Reversing twice changes nothing. A reversal may come before its event, which then earns nothing: it is pending. One for a
    user who is not known makes none. Raises UserErased.
    """

    user_id: str
    event_id: str
    at: datetime
    reason: str
    actor: str
    source: Source | None = None
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> Applied:
        why = (self.at, self.reason, self.actor, self.source)
        return ReverseEvents(self.user_id, (self.event_id,), *why).apply(work)[0]


@plain
class ReverseEvents:
    """Reverse several events of one user at once, as ReverseEvent does one after the other. Answers a list of Applied.

    There is one for each id, in order. The last one that is new has the outcome of all. Raises UserErased.
    """

    user_id: str
    event_ids: tuple[str, ...]
    at: datetime
    reason: str
    actor: str
    source: Source | None = None
    event_id: None = None
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> list[Applied]:
        user = work.user(self.user_id, self.at)
        active = active_adjustments(work.adjustments(self.user_id))
        stored = {row.adjustment_id: Applied(row, duplicate=True) for row in active}
        new = [name for name in dict.fromkeys(self.event_ids) if REVERSAL + name not in stored]
        undone = self._undone(work, new)
        reverse_some = self._reverse if work.is_known(self.user_id) else self._wait
        made = reverse_some(work, user, new) if new else {}
        for row in undone:  # after the new reversals, which take their ids
            work.save_adjustment(row, was=REVERSAL + row.data["event"])
        answers: list[Applied] = []
        for name in self.event_ids:
            fresh = made.pop(name, None)
            if fresh:
                stored[REVERSAL + name] = Applied(fresh.adjustment, duplicate=True)
            answers.append(fresh or stored[REVERSAL + name])
        return answers

    def _undone(self, work: UnitOfWork, new: Sequence[str]) -> list[AdjustmentRow]:
        """Earlier reversals of these events, which were undone, under ids of their own: they are what was true then."""
        ids = {REVERSAL + name for name in new}
        return [
            replace(row, adjustment_id=f"{UNDONE_REVERSAL}{row.revision}:{row.data['event']}")
            for row in work.adjustments(self.user_id)
            if row.adjustment_id in ids and row.undone_by is not None
        ]

    def _wait(self, work: UnitOfWork, user: UserRow, new: Sequence[str]) -> dict[str, Applied]:
        """Store reversals of a user who is not known. The user's first event, or whatever else makes the user, reads them."""
        made: dict[str, Applied] = {}
        for revision, name in enumerate(new, start=user.revision + 1):
            work.save_adjustment(self._adjustment(name, revision))
            made[name] = Applied(self._adjustment(name, revision), duplicate=False, pending=True)
        return made

    def _reverse(self, work: UnitOfWork, user: UserRow, new: Sequence[str]) -> dict[str, Applied]:
        """Reverse events that were not reversed before, each with a revision of its own. Returns the answers by event id."""
        wanted, history = set(new), work.history(self.user_id)
        awards = work.award_rows(self.user_id)
        rows = {row.event.id: row for row in history if row.event.id in wanted}
        others = [event for event in active_events(history) if event.id not in wanted]
        gone = [rows[name].event for name in new if name in rows]
        outcome = self._outcome(work, user, gone, wanted - rows.keys(), others, awards)
        last = replace(user, revision=user.revision + len(new) - 1)
        occurred = {name: row.event.occurred_at for name, row in rows.items()}
        work.save(last, outcome, self.at, counts_at=work.as_paid(self.user_id, occurred), events=others)
        if gone:
            work.read_in_order(self.user_id)
        made: dict[str, Applied] = {}
        for revision, name in enumerate(new, start=user.revision + 1):
            if name in rows:
                work.mark_event(rows[name], revision)
            reversal = with_lost_badges(self._adjustment(name, revision), work, user, awards, outcome.revoked)
            work.save_adjustment(reversal)
            made[name] = Applied(reversal, duplicate=False, pending=name not in rows)
        balance = balance_change(work, user, self.at)
        kinds = kind_changes(work, user, self.at)
        made[new[-1]] = replace(made[new[-1]], outcome=stored_outcome(outcome), balance=balance, kinds=kinds)
        return made

    def _outcome(
        self,
        work: UnitOfWork,
        user: UserRow,
        gone: Sequence[Event],
        awaited: set[str],
        others: Sequence[Event],
        awards: Mapping[str, AwardRow],
    ) -> Outcome:
        progress = user.progress
        if awaited:
            progress = replace(progress, manual=replace(progress.manual, awaited=progress.manual.awaited | awaited))
        if not gone:
            return Outcome(progress)
        ids = {event.id for event in gone}
        earned = [badge for badge, award in awards.items() if award.event_id in ids]
        none_left = work.copies.none_left(progress)
        return reverse(work.context.catalog, progress, others, gone, self.at, earned, none_left)

    def _adjustment(self, event_id: str, revision: int) -> AdjustmentRow:
        data = Reversal(event_id).data()
        what = (self.user_id, REVERSAL + event_id, revision, self.at, Reversal.kind, data)
        return AdjustmentRow(*what, self.reason, self.actor, None, *columns_of(self.source))


def columns_of(source: Source | None) -> tuple[Principal | None, str | None, str | None]:
    """What a row of an adjustment stores of its source: principal, address and id of the request."""
    return (source.principal, source.address, source.request_id) if source else (None, None, None)


def balance_change(work: UnitOfWork, before: UserRow, at: datetime) -> tuple[int, int] | None:
    """The balance before and now, for a user who has spent points and whose balance changed."""
    old, new = before.progress, work.user(before.user_id, at).progress
    has_spent = old.manual.spent or new.manual.spent
    return (old.balance, new.balance) if has_spent and old.balance != new.balance else None


def kind_changes(work: UnitOfWork, before: UserRow, at: datetime) -> Mapping[str, tuple[int, int]]:
    """The balance before and now of each kind of points of which it changed."""
    kinds = work.context.catalog.kinds
    if not kinds:
        return {}
    old, new = before.progress, work.user(before.user_id, at).progress
    both = {name: (kind.balance(old), kind.balance(new)) for name, kind in kinds.items()}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _all_active(work: UnitOfWork, user_id: str) -> Sequence[Event]:
    """Every event of a user that counts. Raises HistoryNeeded if the transaction did not load them."""
    if user_id in work.found.users and user_id not in work.found.histories:
        raise HistoryNeeded(frozenset({user_id}))
    return active_events(work.history(user_id))


def _duplicate(stored: EventRow, event: Event, keyring: Keyring) -> Recorded:
    """The original answer for an event that was sent again. Raises EventConflict."""
    if event.data and stored.event.data and event.data != stored.event.data:
        event = replace(event, data=with_stored_references(event.data, stored.event.data, keyring))
    outcome = outcome_again(stored, event)
    if outcome.points is None:
        return Recorded(stored.event, duplicate=True, outcome=outcome)
    return Recorded(
        stored.event, duplicate=True, outcome=outcome, rank_before=stored.rank_before, rank_after=stored.rank_after
    )
