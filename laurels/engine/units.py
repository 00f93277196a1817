"""Units: what a streak counts, which are days, weeks from any weekday, or calendar months. Each has a number, without gaps.

A day's number is `date.toordinal()`; day 1 was a Monday. A month's number is its year times 12 plus 0 to 11.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

Cadence = Literal["daily", "weekly", "monthly"]
Unit = Literal["day", "week", "month"]

UNITS: dict[Cadence, Unit] = {"daily": "day", "weekly": "week", "monthly": "month"}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK, MONTHS = 7, 12
SHORTEST = {"weekly": WEEK, "monthly": 28}
"""How many days each unit has at least."""


_FIRST_WEEK, _FIRST_DAY = 100_000, 600_000
"""Above all months until the year 8333, and above all weeks; since 1970, no week and no day is below them."""


def cadence_of(unit: int) -> Cadence:
    """What kind of unit has this number, as far as events can be dated: their ranges do not overlap."""
    if unit < _FIRST_WEEK:
        return "monthly"
    return "weekly" if unit < _FIRST_DAY else "daily"


def week_of(day: int, starts: str) -> int:
    """The week that holds a day, where weeks begin on the weekday `starts`."""
    return (day - 1 + _ahead(starts)) // WEEK


def first_of_week(week: int, starts: str) -> int:
    """The first day of a week."""
    return week * WEEK + 1 - _ahead(starts)


def month_of(day: int) -> int:
    """The month that holds a day."""
    on = date.fromordinal(day)
    return on.year * MONTHS + on.month - 1


def first_of_month(month: int) -> int:
    """The first day of a month."""
    year, index = divmod(month, MONTHS)
    return date(year, index + 1, 1).toordinal()


def _ahead(starts: str) -> int:
    """How many days before a Monday a week begins that holds it: 0 to 6, so that no week has a number below 0."""
    return -WEEKDAYS.index(starts) % WEEK
