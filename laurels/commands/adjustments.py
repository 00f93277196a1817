"""Telling: what an admin or a user says beside the events, each under an id so that it counts once, and undoing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from laurels.commands.events import Applied
from laurels.commands.unit_of_work import Needs, UnitOfWork, manual_state_by, standing, stored_outcome
from laurels.engine.adjustments import Adjustment, check_pause, check_repair, day_from, gap_around, with_manual_state
from laurels.engine.days import Days
from laurels.engine.events import MAX_NUMBER
from laurels.engine.judge import calendar_of, rebuild, rejudge
from laurels.engine.streaks import Streak, read
from laurels.errors import (
    AdjustmentConflict,
    AdjustmentNotFound,
    AdjustmentRefused,
    BadgeNotFound,
    InvalidInput,
    StreakNotFound,
    UserNotFound,
)
from laurels.storage.contract import AdjustmentRow, UserRow

MAX_PAUSE_AWAY = 3660
"""How many days from today a pause may begin or end: a set of days takes a bit for each day in between."""

UNDONE = "undone"
"""Under which name the data of an act say who undid it."""


@dataclass(frozen=True, slots=True)
class ApplyAdjustment:
    """Say something of a user, once under its act id. Answers Told (of a repeat: the act as it was told).

    `own` says that the user speaks, and not an admin: only pauses and repairs, and only as far as the catalog allows.
    Raises UserNotFound, UserErased, BadgeNotFound, StreakNotFound, ActConflict (the same id for something else), ActRefused.
    """

    user_id: str
    adjustment_id: str
    adjustment: Adjustment
    at: datetime
    reason: str
    actor: str
    own: bool = False
    event_id: None = None

    def apply(self, work: UnitOfWork) -> Applied:
        user = work.user(self.user_id, self.at)
        if not user.revision:
            raise UserNotFound
        adjustments = work.adjustments(self.user_id)
        asked = dict(self.adjustment.data)
        known = next((row for row in adjustments if row.adjustment_id == self.adjustment_id), None)
        if known:
            if known.kind != self.adjustment.kind or known.data.get("asked") != asked:
                raise AdjustmentConflict
            return Applied(known, duplicate=True)
        data = {**self._resolved(work, user, adjustments), "asked": asked}
        act = AdjustmentRow(
            self.user_id,
            self.adjustment_id,
            user.revision + 1,
            self.at,
            self.adjustment.kind,
            data,
            self.reason,
            self.actor,
            None,
        )
        work.save_adjustment(act)
        said_at = self.at if self.needs == "all" else None
        return Applied(act, duplicate=False, outcome=_fold_again(work, user, self.at, said_at=said_at))

    @property
    def needs(self) -> Needs:
        """A revocation takes points back from where they were paid, so it must see all of the ledger."""
        return "all" if self.adjustment.kind == "revocation" else "acts"

    def _resolved(self, work: UnitOfWork, user: UserRow, adjustments: list[AdjustmentRow]) -> Mapping[str, Any]:
        """The saying's data, checked against the catalog and the user's days, with its dates filled in."""
        data, catalog = self.adjustment.data, work.context.catalog
        today = user.progress.zones.day(self.at)
        if self.adjustment.kind in ("grant", "revocation") and catalog.badge(data["badge"]) is None:
            raise BadgeNotFound(f"the catalog has no badge '{data['badge']}'")
        if self.adjustment.kind == "points":
            _check_amount(user.progress.points, data["amount"])
        if self.adjustment.kind == "freezes":
            _streak(catalog.streaks, data["streak"])
            return {**data, "day": _iso(today)}
        if self.adjustment.kind == "pause":
            return self._pause(work, adjustments, today)
        if self.adjustment.kind == "repair":
            return self._repair(work, user, today)
        return data

    def _pause(self, work: UnitOfWork, adjustments: list[AdjustmentRow], today: int) -> Mapping[str, Any]:
        data = self.adjustment.data
        first, last = day_from(data["first"]), day_from(data["last"])
        if last < first:
            raise InvalidInput("last", "must not lie before 'first'")
        for name, day in (("first", first), ("last", last)):
            if abs(day - today) > MAX_PAUSE_AWAY:
                raise InvalidInput(f"{name}", f"must lie within {MAX_PAUSE_AWAY} days of today")
        if data["streak"] or self.own:
            streak = _streak(work.context.catalog.streaks, data["streak"])
            if self.own:
                active = [Adjustment(row.kind, row.data) for row in adjustments if row.undone_by is None]
                check_pause(streak, active, first, last, today)
        return {**data, "own": self.own}

    def _repair(self, work: UnitOfWork, user: UserRow, today: int) -> Mapping[str, Any]:
        streak = _streak(work.context.catalog.streaks, self.adjustment.data["streak"])
        credited = user.progress.days.get(streak.name, Days())
        calendar = calendar_of(streak, user.progress)
        reading = read(streak, credited, user.progress.folds.get(streak.name), calendar, today)
        first, last = gap_around(streak, credited, reading, calendar, day_from(self.adjustment.data["day"]), today)
        if self.own:
            check_repair(streak, last, today)
        return {**self.adjustment.data, "first": _iso(first), "last": _iso(last)}


@dataclass(frozen=True, slots=True)
class UndoAdjustment:
    """Undo an act that was told, or a reversal. Answers Told; twice is harmless. Raises ActNotFound, UserErased.

    When, why and by whom stays with the act, under UNDONE.
    """

    user_id: str
    adjustment_id: str
    at: datetime
    reason: str = ""
    actor: str = ""
    event_id: None = None
    needs: Needs = "all"

    def apply(self, work: UnitOfWork) -> Applied:
        user = work.user(self.user_id, self.at)
        act = next((row for row in work.adjustments(self.user_id) if row.adjustment_id == self.adjustment_id), None)
        if act is None:
            raise AdjustmentNotFound
        if act.undone_by is not None:
            return Applied(act, duplicate=True)
        why = {"at": self.at.isoformat(), "reason": self.reason, "actor": self.actor}
        undone = replace(act, undone_by=user.revision + 1, data={**act.data, UNDONE: why})
        work.save_adjustment(undone)
        if act.kind != "reversal":
            return Applied(undone, duplicate=False, outcome=_fold_again(work, user, self.at, said_at=act.at))
        return Applied(undone, duplicate=False, outcome=self._count_again(work, user, act.data["event"]))

    def _count_again(self, work: UnitOfWork, user: UserRow, event_id: str) -> Any:
        """Let a reversed event count again, or stop waiting for it."""
        row = next((row for row in work.history(self.user_id) if row.event.id == event_id), None)
        manual = replace(user.progress.manual, awaited=user.progress.manual.awaited - {event_id})
        events = standing(work.history(self.user_id))
        if row:
            events = [one.event for one in work.history(self.user_id) if one.reversed_by is None or one is row]
            work.mark_event(row, None)
        outcome = rebuild(
            work.context.catalog, replace(user.progress, manual=manual), events, self.at, restored=event_id
        )
        occurred_at = row.event.occurred_at if row else None
        work.save(user, outcome, self.at, counts_at=lambda _: occurred_at, events=events)
        return stored_outcome(outcome)


def _fold_again(work: UnitOfWork, user: UserRow, at: datetime, *, said_at: datetime | None = None) -> Any:
    """Fold all acts that stand, and settle what follows.

    `said_at` is when an act was told that is taken back now, or takes something back: what that moves counts as it did before.
    """
    catalog, progress = work.context.catalog, user.progress
    manual = manual_state_by(work.adjustments(user.user_id), progress.manual)
    after, entries = with_manual_state(catalog.badges, progress, manual)
    outcome = rejudge(catalog, progress, after, at, entries)
    if said_at is None:
        work.save(user, outcome, at)
    else:
        events = standing(work.history(user.user_id))
        work.save(user, outcome, at, counts_at=work.as_paid(user.user_id, said_at), events=events)
    return stored_outcome(outcome)


def _check_amount(points: int, amount: int) -> None:
    if points + amount < min(points, 0) or points + amount > MAX_NUMBER:
        least, most = -max(points, 0), MAX_NUMBER - points
        raise AdjustmentRefused(f"it would leave {points + amount} points; give between {least} and {most}, and not 0")


def _streak(streaks: Mapping[str, Streak], name: str) -> Streak:
    if name not in streaks:
        raise StreakNotFound(f"the catalog has no streak '{name}'; known are {', '.join(streaks)}")
    return streaks[name]


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()
