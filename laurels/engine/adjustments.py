"""Telling: what an admin or the user says beside the events (grants, revocations, adjustments, freezes, pauses, repairs).

Each is a dated act that stands until it is undone. What is told of a user is a fold over the acts that stand, so undoing one
is folding the others anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from laurels.engine.badges import Badge
from laurels.engine.days import Days
from laurels.engine.events import MAX_NUMBER
from laurels.engine.progress import LedgerEntry, ManualState, Progress
from laurels.engine.streaks import Calendar, Reading, Streak
from laurels.errors import AdjustmentRefused

QUOTA_DAYS = 365


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One thing told. `kind` is one of these; `data` says the rest, as JSON.

    grant, revocation   badge
    adjustment          amount, negative to take away
    freezes             streak, count, day (ISO date on which they are given)
    pause               streak ('' for all), first, last (ISO dates, both included)
    repair              streak, first, last
    reversal            event (its id)
    exclusion           nothing more: from all leaderboards
    """

    kind: str
    data: Mapping[str, Any]


def manual_state_of(adjustments: Iterable[Adjustment], before: ManualState) -> ManualState:
    """What the standing sayings amount to, in their order; what no saying carries stays as it was before."""
    adjusted = 0
    granted: dict[str, None] = {}
    barred: set[str] = set()
    pauses: dict[str, Days] = {}
    repairs: dict[str, Days] = {}
    grants: dict[str, tuple[tuple[int, int], ...]] = {}
    excluded = False
    for adjustment in adjustments:
        data = adjustment.data
        if adjustment.kind == "points":
            adjusted += data["amount"]
        elif adjustment.kind == "grant":
            granted[data["badge"]] = None
            barred.discard(data["badge"])
        elif adjustment.kind == "revocation":
            granted.pop(data["badge"], None)
            barred.add(data["badge"])
        elif adjustment.kind == "freezes":
            given = (day_from(data["day"]), data["count"])
            grants[data["streak"]] = (*grants.get(data["streak"], ()), given)
        elif adjustment.kind == "exclusion":
            excluded = True
        elif adjustment.kind in ("pause", "repair"):
            kept = pauses if adjustment.kind == "pause" else repairs
            span = Days.span(day_from(data["first"]), day_from(data["last"]))
            kept[data["streak"]] = kept.get(data["streak"], Days()) | span
    return ManualState(
        adjusted,
        frozenset(granted),
        frozenset(barred),
        before.awaited,
        pauses,
        repairs,
        grants,
        before.amnesty,
        excluded,
    )


def with_manual_state(
    badges: Iterable[Badge], progress: Progress, manual: ManualState
) -> tuple[Progress, list[LedgerEntry]]:
    """The progress with this told of it, and what that does to the points; streaks and due badges are settled after.

    A badge is given where it is granted and missing, and taken where it is barred, or where its grant is gone and its
    condition is not met.
    """
    entries: list[LedgerEntry] = []
    if manual.adjusted != progress.manual.adjusted:
        entries.append(LedgerEntry(manual.adjusted - progress.manual.adjusted, "adjustment", "points"))
    kept = dict(progress.badges)
    for badge in badges:
        ungranted = badge.id in kept and badge.id in progress.manual.granted and badge.id not in manual.granted
        gone = badge.id in manual.barred or (ungranted and not badge.condition.met(without(progress, badge)))
        if badge.id in kept and gone:
            paid = kept.pop(badge.id)
            entries.append(LedgerEntry(-paid, "revocation", badge.id))
        elif badge.id in manual.granted and badge.id not in kept:
            kept[badge.id] = min(badge.points, MAX_NUMBER - progress.points)
            entries.append(LedgerEntry(kept[badge.id], "grant", badge.id))
    return replace(progress, badges=kept, manual=manual), [entry for entry in entries if entry.amount]


def without(progress: Progress, badge: Badge) -> Progress:
    """The progress less this badge and its points: a badge does not stand on itself."""
    kept = {one: paid for one, paid in progress.badges.items() if one != badge.id}
    return replace(progress, badges=kept, points=progress.points - progress.badges.get(badge.id, 0))


def gap_around(
    streak: Streak, credited: Days, reading: Reading, calendar: Calendar, day: int, today: int
) -> tuple[int, int]:
    """The first and last day of the gap that holds this missed day, between credited units or up to yesterday's.

    Raises ActRefused where the day was not missed.
    """
    unit = streak.unit(day)
    missed = reading.last is not None and credited.first < unit < max(streak.unit(today), reading.last)
    if not missed or unit in credited or unit in reading.frozen or calendar.holds(unit):
        raise AdjustmentRefused(f"{date.fromordinal(day)} was not missed, so there is nothing to repair")
    first = last = unit
    while first - 1 not in credited:
        first -= 1
    while last + 1 not in credited and last + 1 < streak.unit(today):
        last += 1
    return streak.first_day(first), streak.first_day(last + 1) - 1


def check_pause(streak: Streak, adjustments: Iterable[Adjustment], first: int, last: int, today: int) -> None:
    """Whether a user may pause this streak for these days by themselves. Raises ActRefused, which says why not."""
    if first < today:
        raise AdjustmentRefused("a pause must begin today or later; ask an admin for a day that has passed")
    taken = sum(
        day_from(said.data["last"]) - day_from(said.data["first"]) + 1
        for said in adjustments
        if said.kind == "pause"
        and said.data["streak"] == streak.name
        and said.data.get("own")
        and day_from(said.data["last"]) > first - QUOTA_DAYS
    )
    left = streak.pause_days - taken
    if last - first + 1 > left:
        raise AdjustmentRefused(
            f"only {max(left, 0)} of {streak.pause_days} days of pause are left in {QUOTA_DAYS} days"
        )


def check_repair(streak: Streak, last: int, today: int) -> None:
    """Whether a user may repair a gap that ended on day `last` by themselves. Raises ActRefused."""
    if not streak.repair_days:
        raise AdjustmentRefused(f"the streak '{streak.name}' can be repaired by an admin only")
    if today - last > streak.repair_days:
        raise AdjustmentRefused(f"a gap can be repaired until {streak.repair_days} days after its end")


def day_from(text: str) -> int:
    """The day of an ISO date."""
    return date.fromisoformat(text).toordinal()
