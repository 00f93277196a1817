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
from laurels.engine.progress import LedgerEntry, Progress, Told
from laurels.engine.streaks import Calendar, Reading, Streak
from laurels.errors import ActRefused

QUOTA_DAYS = 365


@dataclass(frozen=True, slots=True)
class Saying:
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


def told_of(sayings: Iterable[Saying], before: Told) -> Told:
    """What the standing sayings amount to, in their order; what no saying carries stays as it was before."""
    adjusted = 0
    granted: dict[str, None] = {}
    barred: set[str] = set()
    pauses: dict[str, Days] = {}
    repairs: dict[str, Days] = {}
    grants: dict[str, tuple[tuple[int, int], ...]] = {}
    excluded = False
    for saying in sayings:
        data = saying.data
        if saying.kind == "adjustment":
            adjusted += data["amount"]
        elif saying.kind == "grant":
            granted[data["badge"]] = None
            barred.discard(data["badge"])
        elif saying.kind == "revocation":
            granted.pop(data["badge"], None)
            barred.add(data["badge"])
        elif saying.kind == "freezes":
            given = (day_from(data["day"]), data["count"])
            grants[data["streak"]] = (*grants.get(data["streak"], ()), given)
        elif saying.kind == "exclusion":
            excluded = True
        elif saying.kind in ("pause", "repair"):
            kept = pauses if saying.kind == "pause" else repairs
            span = Days.span(day_from(data["first"]), day_from(data["last"]))
            kept[data["streak"]] = kept.get(data["streak"], Days()) | span
    return Told(
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


def tell(badges: Iterable[Badge], progress: Progress, told: Told) -> tuple[Progress, list[LedgerEntry]]:
    """The progress with this told of it, and what that does to the points; streaks and due badges are settled after.

    A badge is given where it is granted and missing, and taken where it is barred, or where its grant is gone and its
    condition is not met.
    """
    entries: list[LedgerEntry] = []
    if told.adjusted != progress.told.adjusted:
        entries.append(LedgerEntry(told.adjusted - progress.told.adjusted, "adjustment", "points"))
    kept = dict(progress.badges)
    for badge in badges:
        ungranted = badge.id in kept and badge.id in progress.told.granted and badge.id not in told.granted
        gone = badge.id in told.barred or (ungranted and not badge.condition.met(without(progress, badge)))
        if badge.id in kept and gone:
            paid = kept.pop(badge.id)
            entries.append(LedgerEntry(-paid, "revocation", badge.id))
        elif badge.id in told.granted and badge.id not in kept:
            kept[badge.id] = min(badge.points, MAX_NUMBER - progress.points)
            entries.append(LedgerEntry(kept[badge.id], "grant", badge.id))
    return replace(progress, badges=kept, told=told), [entry for entry in entries if entry.amount]


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
        raise ActRefused(f"{date.fromordinal(day)} was not missed, so there is nothing to repair")
    first = last = unit
    while first - 1 not in credited:
        first -= 1
    while last + 1 not in credited and last + 1 < streak.unit(today):
        last += 1
    return streak.first_day(first), streak.first_day(last + 1) - 1


def check_pause(streak: Streak, sayings: Iterable[Saying], first: int, last: int, today: int) -> None:
    """Whether a user may pause this streak for these days by themselves. Raises ActRefused, which says why not."""
    if first < today:
        raise ActRefused("a pause must begin today or later; ask an admin for a day that has passed")
    taken = sum(
        day_from(said.data["last"]) - day_from(said.data["first"]) + 1
        for said in sayings
        if said.kind == "pause"
        and said.data["streak"] == streak.name
        and said.data.get("own")
        and day_from(said.data["last"]) > first - QUOTA_DAYS
    )
    left = streak.pause_days - taken
    if last - first + 1 > left:
        raise ActRefused(f"only {max(left, 0)} of {streak.pause_days} days of pause are left in {QUOTA_DAYS} days")


def check_repair(streak: Streak, last: int, today: int) -> None:
    """Whether a user may repair a gap that ended on day `last` by themselves. Raises ActRefused."""
    if not streak.repair_days:
        raise ActRefused(f"the streak '{streak.name}' can be repaired by an admin only")
    if today - last > streak.repair_days:
        raise ActRefused(f"a gap can be repaired until {streak.repair_days} days after its end")


def day_from(text: str) -> int:
    """The day of an ISO date."""
    return date.fromisoformat(text).toordinal()
