"""Events: recording one, once, and reversing one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from laurels.commands.lost_badges import with_lost_badges
from laurels.commands.outcomes import NOTHING, REVERSED, StoredOutcome, outcome_again, stored_outcome
from laurels.commands.rows import active_adjustments, active_events
from laurels.commands.unit_of_work import Needs, UnitOfWork
from laurels.engine.adjustments import Reversal
from laurels.engine.events import Event, effective_instant
from laurels.engine.judge import judge, reverse
from laurels.engine.progress import Outcome
from laurels.engine.values import plain
from laurels.storage.contract import AdjustmentRow, AwardRow, EventRow, UserRow

REVERSAL = "reversal:"
"""The id of a reversal is this and the event's id, so that an event is reversed once."""


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

    `balance` is (before, after), for a user who has spent points and whose balance changed.
    """

    adjustment: AdjustmentRow
    duplicate: bool
    outcome: StoredOutcome = NOTHING
    balance: tuple[int, int] | None = None


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
            return _duplicate(replace(stored, event=work.with_references(stored.event)), event)
        occurred_at = effective_instant(event, self.at, work.context.late_window)
        zones = user.progress.zones
        day, today = zones.day(occurred_at), zones.day(self.at)
        dated = Event(
            event.user_id, event.id, event.type, occurred_at, event.quantity, event.data, day, today - day, self.at
        )
        if event.id in user.progress.manual.awaited:
            return self._record_reversed(work, user, dated)
        outcome = judge(work.context.catalog, user.progress, dated, today)
        answer = stored_outcome(outcome)
        changed = work.save(user, outcome, self.at, dated)
        work.save_event(changed, dated, event.occurred_at, self.at, answer)
        return Recorded(dated, duplicate=False, outcome=answer)

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

    Reversing twice changes nothing. A reversal may come before its event, which then earns nothing. Raises UserErased.
    """

    user_id: str
    event_id: str
    at: datetime
    reason: str
    actor: str
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> Applied:
        user = work.user(self.user_id, self.at)
        adjustment_id = REVERSAL + self.event_id
        active = active_adjustments(work.adjustments(self.user_id))
        stored = next((row for row in active if row.adjustment_id == adjustment_id), None)
        if stored:
            return Applied(stored, duplicate=True)
        row, awards = work.event(self.user_id, self.event_id), work.award_rows(self.user_id)
        others = [event for event in active_events(work.history(self.user_id)) if event.id != self.event_id]
        outcome = self._outcome(work, user, row, others, awards)
        occurred_at = row.event.occurred_at if row else None
        changed = work.save(user, outcome, self.at, counts_at=work.as_paid(self.user_id, occurred_at), events=others)
        if row:
            work.mark_event(row, changed.revision)
        reversal = AdjustmentRow(
            self.user_id,
            adjustment_id,
            changed.revision,
            self.at,
            Reversal.kind,
            Reversal(self.event_id).data(),
            self.reason,
            self.actor,
            None,
        )
        reversal = with_lost_badges(reversal, work, user, awards, outcome.revoked)
        work.save_adjustment(reversal)
        balance = balance_change(work, user, self.at)
        return Applied(reversal, duplicate=False, outcome=stored_outcome(outcome), balance=balance)

    def _outcome(
        self,
        work: UnitOfWork,
        user: UserRow,
        row: EventRow | None,
        others: list[Event],
        awards: Mapping[str, AwardRow],
    ) -> Outcome:
        if row is None:
            manual = replace(user.progress.manual, awaited=user.progress.manual.awaited | {self.event_id})
            return Outcome(replace(user.progress, manual=manual))
        earned = [badge for badge, award in awards.items() if award.event_id == self.event_id]
        return reverse(work.context.catalog, user.progress, others, self.event_id, self.at, earned)


def balance_change(work: UnitOfWork, before: UserRow, at: datetime) -> tuple[int, int] | None:
    """The balance before and now, for a user who has spent points and whose balance changed."""
    old, new = before.progress, work.user(before.user_id, at).progress
    has_spent = old.manual.spent or new.manual.spent
    return (old.balance, new.balance) if has_spent and old.balance != new.balance else None


def _duplicate(stored: EventRow, event: Event) -> Recorded:
    """The original answer for an event that was sent again. Raises EventConflict."""
    outcome = outcome_again(stored, event)
    if outcome.points is None:
        return Recorded(stored.event, duplicate=True, outcome=outcome)
    return Recorded(
        stored.event, duplicate=True, outcome=outcome, rank_before=stored.rank_before, rank_after=stored.rank_after
    )
