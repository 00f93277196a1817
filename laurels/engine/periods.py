"""Periods: the years, months, weeks, days and seasons of leaderboards, as instants, in a stated zone.

A period has a key ('2026', '2026-11', '2026-W47', '2026-11-24', the name of a season; 'all' for all time). It contains the
instants from its start up to its end, without the end, so every instant is in exactly one period of a kind.

A key identifies one period for good. If a period has closed and the catalog now has other bounds under the same key, that is
another period: its key is followed by its first day ('2026-W46~2026-11-15').
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from laurels.engine.values import plain
from laurels.engine.zones import day_of, first_instant

Kind = Literal["all", "year", "month", "week", "day", "season"]
KINDS: tuple[Kind, ...] = ("all", "year", "month", "week", "day", "season")

ALL_TIME = "all"
WEEK = timedelta(days=7)
AGAIN = "~"
"""Between a key that has been used before and the first day of the period that has it now."""

MIDDLE_OF_WEEK = 3
"""A week belongs to the year that holds its middle day, the fourth: for weeks that begin on Monday, as in ISO 8601."""

EXAMPLE_KEYS: dict[Kind, str] = {"year": "2026", "month": "2026-11", "week": "2026-W47", "day": "2026-11-24"}

_KEYS = {
    "year": re.compile(r"(\d{4})"),
    "month": re.compile(r"(\d{4})-(\d{2})"),
    "week": re.compile(r"(\d{4})-W(\d{2})"),
    "day": re.compile(r"(\d{4})-(\d{2})-(\d{2})"),
}


@plain
class Period:
    """One period. `start` and `end` are instants in UTC (None: without bound); days are the dates between them."""

    key: str
    start: datetime | None = None
    end: datetime | None = None
    first_day: int = 0
    last_day: int = date.max.toordinal()

    def contains(self, instant: datetime) -> bool:
        """Whether this instant is in it."""
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)


ALWAYS = Period(ALL_TIME)


@dataclass(frozen=True, slots=True)
class Periods:
    """All periods of one kind. `week_start` is 0 for Monday; `seasons` are (name, first day, last day), oldest first.

    `reused` are keys of periods that closed with other bounds than these would have.
    """

    kind: Kind = "all"
    zone: str = "UTC"
    week_start: int = 0
    seasons: tuple[tuple[str, int, int], ...] = ()
    reused: frozenset[str] = frozenset()

    def at(self, instant: datetime) -> Period | None:
        """The period of an instant; None between seasons."""
        if self.kind == "all":
            return ALWAYS
        day = day_of(instant, self.zone)
        period = self._of_day(day)
        if period is None or period.contains(instant):
            return period
        # Where clocks are set back over midnight, a date occurs twice; the instant decides.
        return self._of_day(day + 1 if period.end and instant >= period.end else day - 1)

    def latest_before(self, instant: datetime) -> Period | None:
        """The newest period that had ended at this instant."""
        if self.kind == "season":
            ended = [season for season in self.all_seasons() if season.end and season.end <= instant]
            return ended[-1] if ended else None
        current = self.at(instant)
        return self.before(current) if current else None

    def before(self, period: Period) -> Period | None:
        """The period before this one; None if there is none."""
        if self.kind == "season":
            earlier = [season for season in self.seasons if season[2] < period.first_day]
            return self._period(*earlier[-1]) if earlier else None
        return None if period.start is None else self._of_day(period.first_day - 1)

    def named(self, key: str) -> Period | None:
        """The period of this key; None if no period of this kind has it."""
        if self.kind == "all":
            return ALWAYS if key == ALL_TIME else None
        if self.kind == "season":
            return next((season for season in self.all_seasons() if season.key == key), None)
        try:
            period = self._of_day(_day_in(self.kind, self.week_start, key.partition(AGAIN)[0]))
        except (ValueError, OverflowError):
            return None
        return period if period and period.key == key else None

    def all_seasons(self) -> list[Period]:
        """The seasons as periods, oldest first."""
        return [self._period(*season) for season in self.seasons]

    def _of_day(self, day: int) -> Period | None:
        if self.kind == "season":
            found = next((season for season in self.seasons if season[1] <= day <= season[2]), None)
            return self._period(*found) if found else None
        return self._period(*_dates(self.kind, self.week_start, day))

    def _period(self, key: str, first: int, last: int) -> Period:
        if key in self.reused:
            key = f"{key}{AGAIN}{date.fromordinal(first).isoformat()}"
        return _period(key, first, last, self.zone)


@lru_cache(maxsize=4096)
def _day_in(kind: Kind, week_start: int, key: str) -> int:
    """A day of the period of this key; ValueError if no period can have it. Cached, because each event looks up many keys."""
    found = _KEYS[kind].fullmatch(key)
    if found is None:
        raise ValueError(key)
    return _first_day(kind, week_start, *map(int, found.groups()))


def _first_day(kind: Kind, week_start: int, year: int, month_or_week: int = 1, day: int = 1) -> int:
    if kind != "week":
        return date(year, month_or_week, day).toordinal()
    fourth_of_january = date(year, 1, 1 + MIDDLE_OF_WEEK)  # is in week 1
    return _monday_like(fourth_of_january, week_start).toordinal() + 7 * (month_or_week - 1)


@lru_cache(maxsize=4096)
def _dates(kind: Kind, week_start: int, day: int) -> tuple[str, int, int]:
    """The key, the first and the last day of the period that holds this day."""
    on = date.fromordinal(day)
    if kind == "day":
        return on.isoformat(), day, day
    if kind == "week":
        first = _monday_like(on, week_start)
        middle = first + timedelta(days=MIDDLE_OF_WEEK)
        number = (middle.timetuple().tm_yday - 1) // 7 + 1
        return f"{middle.year:04}-W{number:02}", first.toordinal(), first.toordinal() + 6
    if kind == "month":
        first = on.replace(day=1)
        return f"{on:%Y-%m}", first.toordinal(), _next_month(first).toordinal() - 1
    return f"{on.year:04}", date(on.year, 1, 1).toordinal(), date(on.year, 12, 31).toordinal()


def _monday_like(on: date, week_start: int) -> date:
    return on - timedelta(days=(on.weekday() - week_start) % 7)


def _next_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


@lru_cache(maxsize=4096)
def _period(key: str, first: int, last: int, zone: str) -> Period:
    return Period(key, first_instant(first, zone), first_instant(last + 1, zone), first, last)
