"""Events: recording one, once, and taking one back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from laurels.commands.unit_of_work import NOTHING, REVERSED, Desk, Kept, Needs, kept_of, read_kept, standing
from laurels.engine.events import Event, effective_moment
from laurels.engine.judge import judge, reverse
from laurels.engine.progress import Outcome
from laurels.engine.values import plain
from laurels.errors import EventConflict
from laurels.storage.codec import pack_data
from laurels.storage.contract import ActRow, EventRow, UserRow

REVERSAL = "reversal:"
"""A reversal's act id is this and the event's id, so that an event is taken back once."""


@plain
class Recorded:
    """The answer for one event: whether it was new, and what it changed when it was."""

    event: Event
    duplicate: bool
    kept: Kept
    rank_before: int | None = None
    rank_after: int | None = None


@plain
class Told:
    """The answer for an act that was told: whether it was new, and what it changed."""

    act: ActRow
    duplicate: bool
    kept: Kept = NOTHING


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

    def apply(self, desk: Desk) -> Recorded:
        event = self.event
        # First of all, so that a duplicate, too, brings its user under today's rules.
        user = desk.user(event.user_id, self.at)
        known = desk.event(event.user_id, event.id)
        if known:
            return _answer_again(known, event)
        moment = effective_moment(event, self.at, desk.house.late_window)
        zones = user.progress.zones
        day, today = zones.day(moment), zones.day(self.at)
        dated = Event(event.user_id, event.id, event.type, moment, event.quantity, event.data, day, today - day)
        if event.id in user.progress.told.awaited:
            return self._reversed_already(desk, user, dated)
        outcome = judge(desk.house.catalog, user.progress, dated, today)
        kept = kept_of(outcome)
        changed = desk.save(user, outcome, self.at, dated)
        desk.save_event(changed, dated, event.occurred_at, self.at, kept)
        return Recorded(dated, duplicate=False, kept=kept)

    def _reversed_already(self, desk: Desk, user: UserRow, dated: Event) -> Recorded:
        """The event of a reversal that came first: it is kept, and earns nothing."""
        told = replace(user.progress.told, awaited=user.progress.told.awaited - {dated.id})
        changed = desk.save(user, Outcome(replace(user.progress, told=told)), self.at)
        desk.save_event(changed, dated, self.event.occurred_at, self.at, REVERSED)
        return Recorded(dated, duplicate=False, kept=REVERSED)


@plain
class ReverseEvent:
    """Take an event back, with all it led to. Answers Told; twice is harmless, and before its event it holds."""

    user_id: str
    event_id: str
    at: datetime
    reason: str
    actor: str
    needs: Needs = "all"

    def apply(self, desk: Desk) -> Told:
        user = desk.user(self.user_id, self.at)
        act_id = REVERSAL + self.event_id
        known = next((row for row in desk.acts(self.user_id) if row.act_id == act_id and row.undone_by is None), None)
        if known:
            return Told(known, duplicate=True)
        row = desk.event(self.user_id, self.event_id)
        others = [event for event in standing(desk.history(self.user_id)) if event.id != self.event_id]
        outcome = self._taken_back(desk, user, row, others)
        occurred_at = row.event.occurred_at if row else None
        changed = desk.save(user, outcome, self.at, counts_at=desk.as_paid(self.user_id, occurred_at), events=others)
        if row:
            desk.mark_event(row, changed.revision)
        data: Mapping[str, str] = {"event": self.event_id}
        act = ActRow(self.user_id, act_id, changed.revision, self.at, "reversal", data, self.reason, self.actor, None)
        desk.save_act(act)
        return Told(act, duplicate=False, kept=kept_of(outcome))

    def _taken_back(self, desk: Desk, user: UserRow, row: EventRow | None, others: list[Event]) -> Outcome:
        if row is None:
            told = replace(user.progress.told, awaited=user.progress.told.awaited | {self.event_id})
            return Outcome(replace(user.progress, told=told))
        return reverse(desk.house.catalog, user.progress, others, self.event_id, self.at)


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
