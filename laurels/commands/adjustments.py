"""Telling: what an admin or a user says beside the events, each under an id so that it counts once, and undoing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from laurels.commands.events import Told
from laurels.commands.unit_of_work import Desk, Needs, kept_of, standing, told_by
from laurels.engine.adjustments import Saying, check_pause, check_repair, day_from, gap_around, tell
from laurels.engine.days import Days
from laurels.engine.events import MAX_NUMBER
from laurels.engine.judge import calendar_of, rebuild, rejudge
from laurels.engine.streaks import Streak, read
from laurels.errors import (
    ActConflict,
    ActNotFound,
    ActRefused,
    BadgeNotFound,
    InvalidInput,
    StreakNotFound,
    UserNotFound,
)
from laurels.storage.contract import ActRow, UserRow

MAX_PAUSE_AWAY = 3660
"""How many days from today a pause may begin or end: a set of days takes a bit for each day in between."""

UNDONE = "undone"
"""Under which name the data of an act say who undid it."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Say something of a user, once under its act id. Answers Told (of a repeat: the act as it was told).

    `own` says that the user speaks, and not an admin: only pauses and repairs, and only as far as the catalog allows.
    Raises UserNotFound, UserErased, BadgeNotFound, StreakNotFound, ActConflict (the same id for something else), ActRefused.
    """

    user_id: str
    act_id: str
    saying: Saying
    at: datetime
    reason: str
    actor: str
    own: bool = False
    event_id: None = None

    def apply(self, desk: Desk) -> Told:
        user = desk.user(self.user_id, self.at)
        if not user.revision:
            raise UserNotFound
        acts = desk.acts(self.user_id)
        asked = dict(self.saying.data)
        known = next((row for row in acts if row.act_id == self.act_id), None)
        if known:
            if known.kind != self.saying.kind or known.data.get("asked") != asked:
                raise ActConflict
            return Told(known, duplicate=True)
        data = {**self._resolved(desk, user, acts), "asked": asked}
        act = ActRow(
            self.user_id, self.act_id, user.revision + 1, self.at, self.saying.kind, data, self.reason, self.actor, None
        )
        desk.save_act(act)
        said_at = self.at if self.needs == "all" else None
        return Told(act, duplicate=False, kept=_retell(desk, user, self.at, said_at=said_at))

    @property
    def needs(self) -> Needs:
        """A revocation takes points back from where they were paid, so it must see all of the ledger."""
        return "all" if self.saying.kind == "revocation" else "acts"

    def _resolved(self, desk: Desk, user: UserRow, acts: list[ActRow]) -> Mapping[str, Any]:
        """The saying's data, checked against the catalog and the user's days, with its dates filled in."""
        data, catalog = self.saying.data, desk.house.catalog
        today = user.progress.zones.day(self.at)
        if self.saying.kind in ("grant", "revocation") and catalog.badge(data["badge"]) is None:
            raise BadgeNotFound(f"the catalog has no badge '{data['badge']}'")
        if self.saying.kind == "adjustment":
            _check_amount(user.progress.points, data["amount"])
        if self.saying.kind == "freezes":
            _streak(catalog.streaks, data["streak"])
            return {**data, "day": _iso(today)}
        if self.saying.kind == "pause":
            return self._pause(desk, acts, today)
        if self.saying.kind == "repair":
            return self._repair(desk, user, today)
        return data

    def _pause(self, desk: Desk, acts: list[ActRow], today: int) -> Mapping[str, Any]:
        data = self.saying.data
        first, last = day_from(data["first"]), day_from(data["last"])
        if last < first:
            raise InvalidInput("last", "must not lie before 'first'")
        for name, day in (("first", first), ("last", last)):
            if abs(day - today) > MAX_PAUSE_AWAY:
                raise InvalidInput(f"{name}", f"must lie within {MAX_PAUSE_AWAY} days of today")
        if data["streak"] or self.own:
            streak = _streak(desk.house.catalog.streaks, data["streak"])
            if self.own:
                sayings = [Saying(row.kind, row.data) for row in acts if row.undone_by is None]
                check_pause(streak, sayings, first, last, today)
        return {**data, "own": self.own}

    def _repair(self, desk: Desk, user: UserRow, today: int) -> Mapping[str, Any]:
        streak = _streak(desk.house.catalog.streaks, self.saying.data["streak"])
        credited = user.progress.days.get(streak.name, Days())
        calendar = calendar_of(streak, user.progress)
        reading = read(streak, credited, user.progress.folds.get(streak.name), calendar, today)
        first, last = gap_around(streak, credited, reading, calendar, day_from(self.saying.data["day"]), today)
        if self.own:
            check_repair(streak, last, today)
        return {**self.saying.data, "first": _iso(first), "last": _iso(last)}


@dataclass(frozen=True, slots=True)
class Undo:
    """Undo an act that was told, or a reversal. Answers Told; twice is harmless. Raises ActNotFound, UserErased.

    When, why and by whom stays with the act, under UNDONE.
    """

    user_id: str
    act_id: str
    at: datetime
    reason: str = ""
    actor: str = ""
    event_id: None = None
    needs: Needs = "all"

    def apply(self, desk: Desk) -> Told:
        user = desk.user(self.user_id, self.at)
        act = next((row for row in desk.acts(self.user_id) if row.act_id == self.act_id), None)
        if act is None:
            raise ActNotFound
        if act.undone_by is not None:
            return Told(act, duplicate=True)
        why = {"at": self.at.isoformat(), "reason": self.reason, "actor": self.actor}
        undone = replace(act, undone_by=user.revision + 1, data={**act.data, UNDONE: why})
        desk.save_act(undone)
        if act.kind != "reversal":
            return Told(undone, duplicate=False, kept=_retell(desk, user, self.at, said_at=act.at))
        return Told(undone, duplicate=False, kept=self._stands_again(desk, user, act.data["event"]))

    def _stands_again(self, desk: Desk, user: UserRow, event_id: str) -> Any:
        """Let a reversed event count again, or stop waiting for it."""
        row = next((row for row in desk.history(self.user_id) if row.event.id == event_id), None)
        told = replace(user.progress.told, awaited=user.progress.told.awaited - {event_id})
        events = standing(desk.history(self.user_id))
        if row:
            events = [one.event for one in desk.history(self.user_id) if one.reversed_by is None or one is row]
            desk.mark_event(row, None)
        outcome = rebuild(desk.house.catalog, replace(user.progress, told=told), events, self.at, restored=event_id)
        occurred_at = row.event.occurred_at if row else None
        desk.save(user, outcome, self.at, counts_at=lambda _: occurred_at, events=events)
        return kept_of(outcome)


def _retell(desk: Desk, user: UserRow, at: datetime, *, said_at: datetime | None = None) -> Any:
    """Fold all acts that stand, and settle what follows.

    `said_at` is when an act was told that is taken back now, or takes something back: what that moves counts as it did before.
    """
    catalog, progress = desk.house.catalog, user.progress
    told = told_by(desk.acts(user.user_id), progress.told)
    after, entries = tell(catalog.badges, progress, told)
    outcome = rejudge(catalog, progress, after, at, entries)
    if said_at is None:
        desk.save(user, outcome, at)
    else:
        events = standing(desk.history(user.user_id))
        desk.save(user, outcome, at, counts_at=desk.as_paid(user.user_id, said_at), events=events)
    return kept_of(outcome)


def _check_amount(points: int, amount: int) -> None:
    if points + amount < min(points, 0) or points + amount > MAX_NUMBER:
        least, most = -max(points, 0), MAX_NUMBER - points
        raise ActRefused(f"it would leave {points + amount} points; give between {least} and {most}, and not 0")


def _streak(streaks: Mapping[str, Streak], name: str) -> Streak:
    if name not in streaks:
        raise StreakNotFound(f"the catalog has no streak '{name}'; known are {', '.join(streaks)}")
    return streaks[name]


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()
