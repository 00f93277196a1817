"""Limits of a metric: a cap per day, the best days within a window, and one event per interval of the clock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from laurels.engine.parsing import Table

MOST_DAYS = 366
"""The longest window, in days."""

_WINDOW = re.compile("([1-9][0-9]{0,2}) days?")
_INTERVAL = re.compile("(?:([1-9][0-9]{0,3}) )?(minute|hour|day)s?")
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
A_DAY = _MINUTES["day"]
_MINUTE = 60_000_000


def turn(minutes: int, at: int, day: int, values: Iterable[str]) -> str:
    """What of all events of an interval with these values is the same: the number of the interval, and the values.

    minutes  the length of an interval; A_DAY: the user's day
    at       an instant, in microseconds since 1970, UTC; intervals begin at midnight in UTC
    """
    return json.dumps([day if minutes == A_DAY else at // (minutes * _MINUTE), *values])


def read_window(table: Table) -> int | None:
    """The key `within`, in days; None without it."""
    if not table.has("within"):
        return None
    text = table.text("within")
    found = _WINDOW.fullmatch(text)
    days = int(found[1]) if found else 0
    if 1 <= days <= MOST_DAYS:
        return days
    if text:
        table.fault("within", f"must be from '1 day' to '{MOST_DAYS} days', not '{text}'", 'write within = "7 days"')
    return None


def read_interval(table: Table) -> int | None:
    """The key `once_per`, in minutes; None without it."""
    if not table.has("once_per"):
        return None
    text = table.text("once_per")
    found = _INTERVAL.fullmatch(text)
    minutes = int(found[1] or 1) * _MINUTES[found[2]] if found else 0
    if found and (minutes < A_DAY or found[2] == "day") and minutes and A_DAY % minutes == 0:
        return minutes
    if text:
        what = f"must be a number of minutes or hours that divides a day, or 'day', not '{text}'"
        table.fault("once_per", what, 'write once_per = "10 minutes", "hour" or "day"')
    return None


_FITTING = {
    "cap_per_day": ("count", "sum"),
    "within": ("count", "sum", "distinct_days"),
    "once_per": ("count",),
}
"""The kinds of metrics that each of these keys is for."""

_ONCE = "has no meaning for kind '{}': a late event would replace the amount that counts, and the number could fall"
_COOLDOWN = "is not offered, because it would need every instant of every event, also of those that do not count"


def check_limits(table: Table, kind: str) -> None:
    """Add a fault for each limit that does not fit the kind of a metric, or another limit."""
    for key, kinds in _FITTING.items():
        if table.has(key) and kind not in kinds:
            reads_amount = key == "once_per" and kind in ("sum", "last")
            what = _ONCE.format(kind) if reads_amount else f"has no meaning for kind '{kind}'"
            table.fault(key, what, f"take it out, or use kind {', '.join(map(repr, kinds))}")
    for key in ("cap_per_day", "within"):
        if table.has(key) and table.has("once_per"):
            table.fault("once_per", f"does not go with '{key}'", "take one of them out, or define two metrics")
    if table.has("per") and not table.has("once_per"):
        fix = "write once_per = \"day\"; to count each value once for all time, use kind 'distinct'"
        table.fault("per", "has no meaning without once_per", fix)
    if table.has("cooldown"):
        table.asked.add("cooldown")
        table.fault("cooldown", _COOLDOWN, 'write once_per = "10 minutes", which counts one event of each interval')
