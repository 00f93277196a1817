"""Streaks: the length and status of each, when it would end, and why each of its newest days counts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta

from laurels.engine.adding import calendar_of
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.judge import length_of, read_streak_of, today_of
from laurels.engine.progress import Progress
from laurels.engine.streaks import Streak, marks
from laurels.engine.zones import end_of_day, zone
from laurels.present.base import Answer, UtcTime

STREAK_DAYS = 14
"""How many of the newest days (or weeks, or months) an answer explains by default."""

_NO_DAYS = Days()


class StreakDay(Answer, frozen=True):
    """Why a day counts: credited, frozen, excused, paused, missed, or still open. A week or month is named by its first day.

    Where days of a streak start later than at midnight, a day is named by the date on which it starts.
    """

    day: date
    why: Literal["credited", "frozen", "excused", "paused", "missed", "open"]


class UserStreak(Answer, frozen=True):
    """A user's streak as it is now.

    `endsAt` is the time, in UTC, at which it ends unless another event comes, and `endsAtLocal` the same in the user's time
    zone; both are null when no streak is running. `days` are the newest ones, newest first.

    `neededDays` is how many different days each week or month needs, and `doneDays` how many the current one has, up to that
    number; both are null for a streak without such a number.
    """

    name: str
    title: Annotated[str, Meta(description="The name for people")]
    unit: Annotated[Literal["day", "week", "month"], Meta(description="The unit of the lengths and of `days`")]
    length: Annotated[int, Meta(ge=0, description="Credited days (or weeks, or months) of the current run")]
    status: Literal["active", "at_risk", "frozen", "paused", "ended", "none"]
    since: date | None
    ends_at: UtcTime | None
    ends_at_local: UtcTime | None
    longest: int
    longest_from: date | None
    longest_to: date | None
    total_days: int
    last_day: date | None
    freezes: Annotated[int, Meta(ge=0, description="Freezes left")]
    needed_days: int | None
    done_days: int | None
    days: list[StreakDay]


class UserStreaks(Answer, frozen=True):
    """All streaks of the catalog, for one user."""

    streaks: list[UserStreak]


def streak_length(catalog: Catalog, progress: Progress, name: str, now: datetime) -> int:
    """The current length of a streak."""
    streak = catalog.streaks[name]
    return length_of(streak, progress, today_of(streak, progress, now))


def user_streaks(catalog: Catalog, progress: Progress, now: datetime, days: int = STREAK_DAYS) -> list[UserStreak]:
    """All streaks of the catalog at this time, each with its newest `days` units; a retired one if it has any day."""
    shown = [one for one in catalog.streaks.values() if not one.retired or one.name in progress.days]
    return [_user_streak(streak, progress, now, days) for streak in shown]


def _user_streak(streak: Streak, progress: Progress, now: datetime, count: int) -> UserStreak:
    zones, days = progress.zones, progress.days.get(streak.name, _NO_DAYS)
    today = today_of(streak, progress, now)
    reading = read_streak_of(streak, progress, today)
    last_day = None if reading.ends is None else streak.first_day(reading.ends + 1) - 1
    ends_at = None if last_day is None else end_of_day(last_day, zones.at(now), streak.day_starts)
    marked = marks(streak, days, reading, calendar_of(streak, progress), today, count)
    return UserStreak(
        name=streak.name,
        title=streak.title,
        unit=streak.unit_name,
        length=reading.length,
        status=reading.status,
        since=_date(streak, reading.start),
        ends_at=ends_at,
        ends_at_local=ends_at.astimezone(zone(zones.at(now))) if ends_at else None,
        longest=reading.longest,
        longest_from=_date(streak, reading.longest_start),
        longest_to=_date(streak, reading.longest_end),
        total_days=reading.total,
        last_day=_date(streak, reading.last),
        freezes=reading.freezes,
        needed_days=streak.days if streak.days > 1 else None,
        done_days=_done_days(streak, progress, days, max(streak.unit(today), days.last)) if streak.days > 1 else None,
        days=[StreakDay(day=date.fromordinal(streak.first_day(unit)), why=why) for unit, why in marked],
    )


def _done_days(streak: Streak, progress: Progress, credited: Days, unit: int) -> int:
    """How many days of a unit count so far; as many as needed once it is credited."""
    return streak.days if unit in credited else streak.days_reached(progress.partial.get(streak.name, {}), unit)


def _date(streak: Streak, unit: int | None) -> date | None:
    return None if unit is None else date.fromordinal(streak.first_day(unit))
