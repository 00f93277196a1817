"""The community report, computed user by user from rows that the caller reads. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from statistics import median

from laurels.commands.rows import named_now
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.judge import read_streak_of, today_of
from laurels.engine.progress import Progress
from laurels.present.reports import (
    BadgeTiming,
    CommunityReport,
    DailyAwards,
    DailyPoints,
    DailyUsers,
    LevelUsers,
    RetentionCohort,
    StreakLengths,
    StreakLengthUsers,
)
from laurels.storage.contract import AwardRow, ReportUser, UserRow

DAYS = 90
"""How many days the daily charts show, including today."""

COHORTS = 12
"""How many weeks the retention chart shows, including this one."""

WEEK = 7


class ReportFold:
    """Adds up users, in any order, at one point in time. Users who are outdated are counted as they are stored."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self._catalog = catalog
        self._now = now
        self._today = now.toordinal()
        self._first_day = self._today - DAYS + 1
        self._this_week = monday(self._today)
        self._first_week = self._this_week - WEEK * (COHORTS - 1)
        self._sampled = 0
        self._active = Counter[int]()
        self._awards = Counter[tuple[int, str]]()
        self._points = Counter[tuple[int, str, str]]()
        self._levels = Counter[int]()
        self._current: dict[str, Counter[int]] = {name: Counter() for name in catalog.streaks}
        self._longest: dict[str, Counter[int]] = {name: Counter() for name in catalog.streaks}
        self._cohorts: dict[int, Counter[int]] = defaultdict(Counter)
        self._first_awards = Counter[str]()
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def add(self, entry: ReportUser) -> None:
        """Count one user."""
        self._sampled += 1
        progress = named_now(entry.user, self._catalog).progress
        self._levels[self._catalog.levels.number(progress.points)] += 1
        self._add_activity(active_days(self._catalog, progress))
        self._add_streaks(progress)
        self._add_awards(entry.user, entry.awards)
        for paid in entry.paid:
            if self._first_day <= paid.day <= self._today:
                self._points[paid.day, paid.reason, paid.ref] += paid.amount

    def _add_activity(self, days: Days) -> None:
        self._active.update(days.within(self._first_day, self._today))
        if not days.bits:
            return
        week = monday(days.first)
        if self._first_week <= week <= self._this_week:
            last = self._this_week + WEEK - 1
            self._cohorts[week].update({(monday(day) - week) // WEEK for day in days.within(week, last)})

    def _add_streaks(self, progress: Progress) -> None:
        for name, streak in self._catalog.streaks.items():
            reading = read_streak_of(streak, progress, today_of(streak, progress, self._now))
            if reading.status != "none":
                self._current[name][reading.length] += 1
                self._longest[name][reading.longest] += 1

    def _add_awards(self, user: UserRow, awards: Iterable[AwardRow]) -> None:
        joined = user.progress.joined_at or user.created_at
        in_order = sorted(awards, key=lambda award: (award.awarded_at, award.revision))
        for award in in_order:
            day, badge = award.awarded_at.toordinal(), self._catalog.renames.badge(award.badge)
            if self._first_day <= day <= self._today:
                self._awards[day, badge] += 1
            self._seconds[badge].append(max(0.0, (award.awarded_at - joined).total_seconds()))
        if in_order:
            self._first_awards[self._catalog.renames.badge(in_order[0].badge)] += 1

    def report(self, users: int) -> CommunityReport:
        """The charts. `users` is the number of all users, counted or not."""
        days = range(self._first_day, self._today + 1)
        levels = self._catalog.levels.all
        return CommunityReport(
            computed_at=self._now,
            users=users,
            sampled=self._sampled,
            active=[DailyUsers(day=date.fromordinal(day), users=self._active[day]) for day in days],
            awards=[
                DailyAwards(day=date.fromordinal(day), badge=badge, awards=count)
                for (day, badge), count in sorted(self._awards.items())
            ],
            points=[
                DailyPoints(day=date.fromordinal(day), reason=reason, ref=ref, points=points)
                for (day, reason, ref), points in sorted(self._points.items())
            ],
            levels=[
                LevelUsers(level=level.number, title=level.title, users=self._levels[level.number]) for level in levels
            ],
            streaks=[
                StreakLengths(streak=name, current=_lengths(self._current[name]), longest=_lengths(self._longest[name]))
                for name in self._catalog.streaks
            ],
            retention=[self._cohort(week) for week in range(self._first_week, self._this_week + 1, WEEK)],
            badges=[self._timing(badge.id) for badge in self._catalog.badges],
        )

    def _cohort(self, week: int) -> RetentionCohort:
        since = self._cohorts[week]
        active = [since[number] for number in range((self._this_week - week) // WEEK + 1)]
        return RetentionCohort(week=date.fromordinal(week), users=since[0], active=active)

    def _timing(self, badge: str) -> BadgeTiming:
        seconds = self._seconds[badge]
        middle = median(seconds) if seconds else None
        return BadgeTiming(badge=badge, holders=len(seconds), first=self._first_awards[badge], median_seconds=middle)


def active_days(catalog: Catalog, progress: Progress) -> Days:
    """The days on which a user did anything that counts for a daily streak or as a distinct day."""
    days = Days()
    for name, of_name in progress.days.items():
        streak = catalog.streaks.get(name)
        if name in catalog.metrics or (streak and streak.cadence == "daily"):
            days |= of_name
    return days


def monday(day: int) -> int:
    """The Monday of this day's week. Days are numbered from 0001-01-01, which was a Monday."""
    return day - (day - 1) % WEEK


def _lengths(counted: Counter[int]) -> list[StreakLengthUsers]:
    return [StreakLengthUsers(length=length, users=users) for length, users in sorted(counted.items())]
