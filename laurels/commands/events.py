"""Events: recording one, once, and taking one back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from laurels.commands.unit_of_work import (
    NOTHING,
    REVERSED,
    Needs,
    StoredOutcome,
    UnitOfWork,
    read_outcome,
    standing,
    stored_outcome,
)
from laurels.engine.events import Event, effective_instant
from laurels.engine.judge import judge, reverse
from laurels.engine.progress import Outcome
from laurels.engine.values import plain
from laurels.errors import EventConflict
from laurels.storage.codec import pack_data
from laurels.storage.contract import AdjustmentRow, EventRow, UserRow

REVERSAL = "reversal:"
"""A reversal's act id is this and the event's id, so that an event is taken back once."""


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
    """The answer for an act that was told: whether it was new, and what it changed."""

    adjustment: AdjustmentRow
    duplicate: bool
    outcome: StoredOutcome = NOTHING


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
        event = self.event
        # First of all, so that a duplicate, too, brings its user under today's rules.
        user = work.user(event.user_id, self.at)
        known = work.event(event.user_id, event.id)
        if known:
            return _answer_again(known, event)
        moment = effective_instant(event, self.at, work.context.late_window)
        zones = user.progress.zones
        day, today = zones.day(moment), zones.day(self.at)
        dated = Event(event.user_id, event.id, event.type, moment, event.quantity, event.data, day, today - day)
        if event.id in user.progress.manual.awaited:
            return self._reversed_already(work, user, dated)
        outcome = judge(work.context.catalog, user.progress, dated, today)
        kept = stored_outcome(outcome)
        changed = work.save(user, outcome, self.at, dated)
        work.save_event(changed, dated, event.occurred_at, self.at, kept)
        return Recorded(dated, duplicate=False, outcome=kept)

    def _reversed_already(self, work: UnitOfWork, user: UserRow, dated: Event) -> Recorded:
        """The event of a reversal that came first: it is kept, and earns nothing."""
        manual = replace(user.progress.manual, awaited=user.progress.manual.awaited - {dated.id})
        changed = work.save(user, Outcome(replace(user.progress, manual=manual)), self.at)
        work.save_event(changed, dated, self.event.occurred_at, self.at, REVERSED)
        return Recorded(dated, duplicate=False, outcome=REVERSED)


@plain
class ReverseEvent:
    """Take an event back, with all it led to. Answers Told; twice is harmless, and before its event it holds."""

    user_id: str
    event_id: str
    at: datetime
    reason: str
    actor: str
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> Applied:
        user = work.user(self.user_id, self.at)
        adjustment_id = REVERSAL + self.event_id
        known = next(
            (
                row
                for row in work.adjustments(self.user_id)
                if row.adjustment_id == adjustment_id and row.undone_by is None
            ),
            None,
        )
        if known:
            return Applied(known, duplicate=True)
        row = work.event(self.user_id, self.event_id)
        others = [event for event in standing(work.history(self.user_id)) if event.id != self.event_id]
        outcome = self._taken_back(work, user, row, others)
        occurred_at = row.event.occurred_at if row else None
        changed = work.save(user, outcome, self.at, counts_at=work.as_paid(self.user_id, occurred_at), events=others)
        if row:
            work.mark_event(row, changed.revision)
        data: Mapping[str, str] = {"event": self.event_id}
        act = AdjustmentRow(
            self.user_id, adjustment_id, changed.revision, self.at, "reversal", data, self.reason, self.actor, None
        )
        work.save_adjustment(act)
        return Applied(act, duplicate=False, outcome=stored_outcome(outcome))

    def _taken_back(self, work: UnitOfWork, user: UserRow, row: EventRow | None, others: list[Event]) -> Outcome:
        if row is None:
            manual = replace(user.progress.manual, awaited=user.progress.manual.awaited | {self.event_id})
            return Outcome(replace(user.progress, manual=manual))
        return reverse(work.context.catalog, user.progress, others, self.event_id, self.at)


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
    kept = read_outcome(known)
    if kept.points is None:
        return Recorded(known.event, duplicate=True, outcome=kept)
    return Recorded(
        known.event, duplicate=True, outcome=kept, rank_before=known.rank_before, rank_after=known.rank_after
    )
