"""Times of scenarios: a time of TOML in the scenario's zone, and how far the clock moves."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from laurels.engine.events import check_instant
from laurels.engine.values import plain
from laurels.errors import InvalidInput

UNITS = {"week": 7 * 86_400, "day": 86_400, "hour": 3600, "minute": 60, "second": 1}
_PART = re.compile(r"(\d{1,6}) (week|day|hour|minute|second)s?")
_DURATION = re.compile(rf"{_PART.pattern}(?: {_PART.pattern})*")


@plain
class Duration:
    """How far the clock moves: days of the calendar, which may have 23 or 25 hours, and seconds."""

    days: int
    seconds: int

    def after(self, at: datetime, zone: ZoneInfo) -> datetime:
        """The time this much later: the same time of day some days later, and then the seconds. UTC."""
        if self.days:
            local = at.astimezone(zone).replace(tzinfo=None) + timedelta(days=self.days)
            at = local.replace(tzinfo=zone)
        return at.astimezone(UTC) + timedelta(seconds=self.seconds)


def duration(field: str, text: str) -> Duration:
    """A duration such as '1 day 2 hours'. Raises InvalidInput, which names the field."""
    if not _DURATION.fullmatch(text):
        raise InvalidInput(field, f"must be a duration such as '1 day', '2 hours' or '1 day 30 minutes', not '{text}'")
    days = seconds = 0
    for number, unit in _PART.findall(text):
        if unit in ("week", "day"):
            days += int(number) * (UNITS[unit] // UNITS["day"])
        else:
            seconds += int(number) * UNITS[unit]
    return Duration(days, seconds)


def instant(field: str, value: Any, zone: ZoneInfo) -> datetime:
    """A date and time of TOML, or the text of one, in UTC; without an offset, in this zone. Raises InvalidInput."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        raise InvalidInput(field, "must be a date and time, such as 2026-03-01T09:00:00 or 2026-03-01T09:00:00Z")
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    check_instant(field, value)
    return value.astimezone(UTC)


def day(field: str, value: Any) -> date:
    """A date of TOML, or the text of one. Raises InvalidInput."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise InvalidInput(field, "must be a date such as 2026-03-01")
    return value
