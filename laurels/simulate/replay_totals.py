"""The totals of a replay: added up over all users, in memory that does not grow with them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

from laurels.engine.catalog import Catalog
from laurels.engine.judge import length_of, today_of
from laurels.present.base import Answer, UtcTime
from laurels.simulate.replaying import ADJUSTMENTS, BADGES, Replayed

Unit = Literal["day", "week", "month"]

MOST_DAYS, MOST_WEEKS = 31, 104
"""Up to how many days a replay is drawn by day, and up to how many weeks by week."""

EDGES = (0, 1, *(edge * 10**power for power in range(1, 15) for edge in (1, 5)))
"""Where the ranges of points begin: 0, 1, 10, 50, 100, 500, ..."""


class ReplayedSource(Answer, frozen=True):
    """What one source of points paid: a rule, all badges, or all adjustments; in all, and in each period."""

    source: str
    total: int
    paid: list[int]


class ReplayedLevel(Answer, frozen=True):
    """How many users are on a level at the end, and how many reached it, or a higher one, in each period."""

    level: int
    title: str
    users: int
    reached: list[int]


class ReplayedBadge(Answer, frozen=True):
    """How many users have a badge at the end, and how many earned it in each period."""

    badge: str
    name: str
    holders: int
    earned: list[int]


class PointsRange(Answer, frozen=True):
    """How many users have from `least` up to `most` points at the end."""

    least: int
    most: int
    users: int


class ReplayedStreak(Answer, frozen=True):
    """How many users have a running streak at the end, and the longest of them."""

    streak: str
    title: str
    active: int
    longest: int


class ReplaySide(Answer, frozen=True):
    """The history under one catalog."""

    name: str
    points: int
    sources: list[ReplayedSource]
    levels: list[ReplayedLevel]
    badges: list[ReplayedBadge]
    ranges: list[PointsRange]
    streaks: list[ReplayedStreak]


class Replay(Answer, frozen=True):
    """A replay: the history under the catalog in force, and under a candidate, each counted from the beginning.

    `periods` are the first days of the days, weeks or months (`unit`) that the lists have a number for. `users` were replayed of
    `all_users`; `sample` is the percentage that was asked for. `unlike_stored` is how many of them have other points or
    badges now than their history under the catalog in force gives, as after changes of rules. `more`, `fewer`: with more
    or fewer points under the candidate; `higher`, `lower`: on a higher or lower level.
    """

    at: UtcTime
    since: UtcTime | None
    until: UtcTime | None
    sample: int
    users: int
    all_users: int
    events: int
    unit: Unit
    periods: list[date]
    more: int
    fewer: int
    higher: int
    lower: int
    unlike_stored: int
    present: ReplaySide
    candidate: ReplaySide
    notes: list[str]
    seconds: float


class SideTotals:
    """Adds up the users of one side."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.points = 0
        self.days: set[date] = set()
        self._paid, self._reached, self._earned = (
            Counter[tuple[str, date]](),
            Counter[tuple[str, date]](),
            Counter[tuple[str, date]](),
        )
        self._levels, self._ranges, self._holders, self._active = (
            Counter[int](),
            Counter[int](),
            Counter[str](),
            Counter[str](),
        )
        self._longest: dict[str, int] = {}

    def add(self, user: Replayed, now: UtcTime) -> None:
        """Add a user."""
        points, levels = user.progress.points, self._catalog.levels
        self.points += points
        self._levels[levels.number(points)] += 1
        self._ranges[max(edge for edge in EDGES if edge <= max(points, 0))] += 1
        so_far, level = 0, levels.number(0)
        for paid in user.payments:
            day = paid.at.date()
            self.days.add(day)
            self._paid[paid.source, day] += paid.amount
            so_far += paid.amount
            reached = levels.number(so_far)
            for number in range(level + 1, reached + 1):
                self._reached[str(number), day] += 1
            level = max(level, reached)
        for badge, at in user.badges.items():
            self.days.add(at.date())
            self._holders[badge] += 1
            self._earned[badge, at.date()] += 1
        for name, streak in self._catalog.streaks.items():
            length = length_of(streak, user.progress, today_of(streak, user.progress, now))
            if length:
                self._active[name] += 1
                self._longest[name] = max(length, self._longest.get(name, 0))

    def side(self, periods: Sequence[date], period_of: Callable[[date], date]) -> ReplaySide:
        """The totals by these periods."""
        catalog = self._catalog

        def by_period(counted: Counter[tuple[str, date]]) -> Callable[[str], list[int]]:
            found: dict[str, Counter[date]] = defaultdict(Counter)
            for (name, day), number in counted.items():
                found[name][period_of(day)] += number
            return lambda name: [found[name][period] for period in periods]

        rules = [rule.id for rule in catalog.versions or catalog.point_rules if not rule.kind]
        sources = [*dict.fromkeys(rules), BADGES, ADJUSTMENTS]
        paid_by, reached_by, earned_by = map(by_period, (self._paid, self._reached, self._earned))
        paid = {source: paid_by(source) for source in sources}
        highest = max(self._levels, default=1)
        return ReplaySide(
            name=catalog.name,
            points=self.points,
            sources=[ReplayedSource(source=name, total=sum(numbers), paid=numbers) for name, numbers in paid.items()],
            levels=[
                ReplayedLevel(
                    level=one.number,
                    title=one.title,
                    users=self._levels[one.number],
                    reached=reached_by(str(one.number)),
                )
                for one in catalog.levels.all[: max(highest, 10)]
            ],
            badges=[
                ReplayedBadge(badge=one.id, name=one.name, holders=self._holders[one.id], earned=earned_by(one.id))
                for one in catalog.badges
            ],
            ranges=self._points_ranges(),
            streaks=[
                ReplayedStreak(
                    streak=name, title=one.title, active=self._active[name], longest=self._longest.get(name, 0)
                )
                for name, one in catalog.streaks.items()
                if not one.retired
            ],
        )

    def _points_ranges(self) -> list[PointsRange]:
        highest = max((edge for edge, users in self._ranges.items() if users), default=0)
        return [
            PointsRange(least=least, most=after - 1, users=self._ranges[least])
            for least, after in pairwise((*EDGES, 10 * EDGES[-1]))
            if least <= highest
        ]


def unit_for(days: set[date]) -> Unit:
    """By what a replay with these days is drawn."""
    length = (max(days) - min(days)).days + 1 if days else 1
    return "day" if length <= MOST_DAYS else "week" if length <= 7 * MOST_WEEKS else "month"


def period_start(unit: Unit, day: date) -> date:
    """The first day of the period of a day."""
    if unit == "day":
        return day
    return day - timedelta(days=day.weekday()) if unit == "week" else day.replace(day=1)


def periods_of(unit: Unit, days: set[date]) -> list[date]:
    """The first days of all periods from the first of these days to the last, also of those in which nothing happened."""
    if not days:
        return []
    found, last = [period_start(unit, min(days))], period_start(unit, max(days))
    while found[-1] < last:
        further = {"day": 1, "week": 7, "month": 31}[unit]
        found.append(period_start(unit, found[-1] + timedelta(days=further)))
    return found
