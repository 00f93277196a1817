"""Adjustments: changing a user by hand, once under an id, and undoing such a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from laurels.commands.audit import Draft
from laurels.commands.events import Applied, balance_change, columns_of, kind_changes
from laurels.commands.lost_badges import lost_badges, save_as_they_were, with_lost_badges
from laurels.commands.outcomes import StoredOutcome, stored_outcome
from laurels.commands.rereading import read_again
from laurels.commands.rows import active_adjustments, active_events, manual_state_of
from laurels.commands.unit_of_work import Needs, UnitOfWork
from laurels.engine.adjust import AdjustedUser, with_manual_state
from laurels.engine.adjustments import Adjustment, Reversal
from laurels.engine.judge import rebuild, rejudge
from laurels.engine.own_history import APART, HIDDEN_KINDS
from laurels.engine.progress import LostBadge
from laurels.errors import AdjustmentConflict, AdjustmentNotFound, UserNotFound
from laurels.storage.contract import AdjustmentRow, Principal, Source, UserRow

UNDONE = "undone"
"""The key under which the data of an adjustment say who undid it, when and why. The principal is in `principal`."""

ASKED = "asked"
"""The key under which the data of an adjustment hold what was sent, to recognize it when it is sent again."""


@dataclass(frozen=True, slots=True)
class ApplyAdjustment:
    """Apply an adjustment, once under its id. Answers Applied; for the same id again, the stored adjustment.

    `own`: users apply it to themselves, within what the kind and the catalog allow.
    Raises UserNotFound, UserErased, BadgeNotFound, StreakNotFound, AdjustmentConflict (the same id for something else),
    AdjustmentRefused, InvalidInput.
    """

    user_id: str
    adjustment_id: str
    adjustment: Adjustment
    at: datetime
    reason: str
    actor: str
    own: bool = False
    source: Source | None = None
    event_id: None = None

    @property
    def needs(self) -> Needs:
        """What the adjustment must have loaded."""
        return self.adjustment.needs()

    def apply(self, work: UnitOfWork) -> Applied:
        user = work.user(self.user_id, self.at)
        if not work.is_known(self.user_id):
            raise UserNotFound
        adjustment_id = self._stored_id(work)
        stored = find_adjustment(work, self.user_id, adjustment_id)
        asked = self.adjustment.data()
        if stored:
            if stored.kind != self.adjustment.kind or stored.data.get(ASKED) != asked:
                raise AdjustmentConflict
            return Applied(stored, duplicate=True)
        row = AdjustmentRow(
            self.user_id,
            adjustment_id,
            user.revision + 1,
            self.at,
            self.adjustment.kind,
            {**self._resolved(work, user), ASKED: asked},
            self.reason,
            self.actor,
            None,
            *columns_of(self.source),
        )
        awards = work.award_rows(self.user_id) if self.needs == "all" else {}
        work.save_adjustment(row)
        counts_from = self.at if self.needs == "all" else None
        outcome = _fold_again(work, user, self.at, counts_from)
        row = with_lost_badges(row, work, user, awards, outcome.revoked)
        work.save_adjustment(row)
        return _applied(row, work, user, outcome, self.at)

    def _stored_id(self, work: UnitOfWork) -> str:
        """The id, or for users another one if it is that of an adjustment that they must not know of."""
        hidden = find_adjustment(work, self.user_id, self.adjustment_id) if self.own else None
        return APART + self.adjustment_id if hidden and hidden.kind in HIDDEN_KINDS else self.adjustment_id

    def _resolved(self, work: UnitOfWork, user: UserRow) -> Mapping[str, Any]:
        progress = user.progress
        pauses = [row.data for row in active_adjustments(work.adjustments(self.user_id)) if row.kind == "pause"]
        caller = "user" if self.own else "app"
        today = progress.zones.open_day(self.at)
        who = (caller, self.at, work.copies.none_left(progress))
        return self.adjustment.resolved(AdjustedUser(work.context.catalog, progress, pauses, today, *who))


@dataclass(frozen=True, slots=True)
class UndoAdjustment:
    """Undo an adjustment or a reversal. Answers Applied; undoing twice changes nothing.

    Raises AdjustmentNotFound, UserErased. The time, reason and actor of the undo are stored in its data, under UNDONE.
    """

    user_id: str
    adjustment_id: str
    at: datetime
    reason: str = ""
    actor: str = ""
    principal: Principal | None = None
    audit: Draft | None = None
    event_id: None = None
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> Applied:
        user = work.user(self.user_id, self.at)
        stored = find_adjustment(work, self.user_id, self.adjustment_id)
        if stored is None:
            raise AdjustmentNotFound
        if stored.undone_by is not None:
            return Applied(stored, duplicate=True)
        why: dict[str, Any] = {"at": self.at.isoformat(), "reason": self.reason, "actor": self.actor}
        if self.principal:
            why["principal"] = {"kind": self.principal.kind, "name": self.principal.name}
        undone = replace(stored, undone_by=user.revision + 1, data={**stored.data, UNDONE: why})
        work.save_adjustment(undone)
        if self.audit:
            self.audit.write(work, {"kind": stored.kind})
        if not work.is_known(self.user_id):
            return Applied(undone, duplicate=False)
        if stored.kind == Reversal.kind:
            outcome = self._restore(work, user, stored)
        else:
            outcome = _fold_again(work, user, self.at, stored.at, lost_badges(stored, work))
        save_as_they_were(stored, work)
        return _applied(undone, work, user, outcome, self.at)

    def _restore(self, work: UnitOfWork, user: UserRow, reversal: AdjustmentRow) -> StoredOutcome:
        """Let a reversed event count again, or stop waiting for it."""
        event_id = reversal.data["event"]
        history = work.history(self.user_id)
        row = next((row for row in history if row.event.id == event_id), None)
        manual = replace(user.progress.manual, awaited=user.progress.manual.awaited - {event_id})
        events = [event_row.event for event_row in history if event_row.reversed_by is None or event_row is row]
        if row:
            work.mark_event(row, None)
            work.read_in_order(self.user_id)
        progress, lost = replace(user.progress, manual=manual), lost_badges(reversal, work)
        none_left = work.copies.none_left(progress)
        outcome = rebuild(work.context.catalog, progress, events, self.at, event_id, lost, none_left=none_left)
        occurred_at = row.event.occurred_at if row else None
        work.save(user, outcome, self.at, counts_at=lambda _: occurred_at, events=events)
        return stored_outcome(outcome)


def _applied(row: AdjustmentRow, work: UnitOfWork, user: UserRow, outcome: StoredOutcome, at: datetime) -> Applied:
    """What an adjustment, or undoing it, changed for a user; `user` is from before."""
    balance, kinds = balance_change(work, user, at), kind_changes(work, user, at)
    return Applied(row, duplicate=False, outcome=outcome, balance=balance, kinds=kinds)


def find_adjustment(work: UnitOfWork, user_id: str, adjustment_id: str) -> AdjustmentRow | None:
    """The adjustment that is stored under this id."""
    return next((row for row in work.adjustments(user_id) if row.adjustment_id == adjustment_id), None)


def _fold_again(
    work: UnitOfWork, user: UserRow, at: datetime, counts_from: datetime | None, lost: Sequence[LostBadge] = ()
) -> StoredOutcome:
    """Fold all active adjustments, and settle what follows. `lost` are badges that an adjustment took which is undone.

    `counts_from` is set when points are taken back: they count in the periods in which they were paid, and points without a
    ledger entry of their own at this instant.
    """
    catalog, progress = work.context.catalog, user.progress
    manual = manual_state_of(work.adjustments(user.user_id), progress.manual, progress.zones, catalog)
    none_left = work.copies.none_left(progress)
    after, entries = with_manual_state(catalog, progress, manual, lost, none_left)
    if after.zones != progress.zones:
        return stored_outcome(read_again(work, user, after, at, entries)[1])
    outcome = rejudge(catalog, progress, after, at, entries, none_left)
    if counts_from is None:
        work.save(user, outcome, at)
    else:
        events = active_events(work.history(user.user_id))
        work.save(user, outcome, at, counts_at=work.as_paid(user.user_id, counts_from), events=events)
    return stored_outcome(outcome)
