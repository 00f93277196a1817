"""A streak: a run of consecutive days, and how it reads at a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from laurels.engine.days import Days
from laurels.engine.reading import Table

Status = Literal["active", "at_risk", "ended", "none"]


@dataclass(frozen=True, slots=True)
class Streak:
    """Which events keep a streak alive: one of them on each day."""

    name: str
    events: tuple[str, ...]
    where: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """A streak as read on one day.

    status  active: today has its event. at_risk: it stands, today's event is still to come.
            ended: a day closed without one. none: it never began.
    """

    length: int
    status: Status
    total_days: int
    last_day: int | None


def length(days: Days, today: int, skipped: Days) -> int:
    """The streak's length on `today`: it stands through today even if today has no event yet.

    After a journey westward the newest credited day can lie ahead of today; the run up to it counts.
    `skipped` are days that the user's calendar never had: they neither break nor count.
    """
    if days.last > today:
        return days.run_ending(days.last, skipped)
    standing = days.run_ending(today, skipped)
    if standing or today in days:
        return standing
    yesterday = today - 1
    while yesterday in skipped:
        yesterday -= 1
    return days.run_ending(yesterday, skipped)


def read(days: Days, today: int, skipped: Days) -> Reading:
    """The streak on `today`, with its status."""
    standing = length(days, today, skipped)
    if standing:
        status: Status = "active" if days.last >= today else "at_risk"
    else:
        status = "ended" if days.bits else "none"
    return Reading(standing, status, len(days), days.last if days.bits else None)


def read_streak(name: str, table: Table) -> Streak:
    """A [streaks.NAME] table."""
    streak = Streak(name=name, events=table.texts("events"), where=table.flat("where"))
    table.done()
    return streak
