"""Times as text (RFC 3339, read so that no time ever moves to the next day) and as microseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from laurels.errors import InvalidInput

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|(60))(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d)",
    re.ASCII,
)
_LEAP_SECOND = re.compile(r":60(?:\.\d+)?")


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_EPOCH_DAY = EPOCH.toordinal()
_DAY_MICROS = timedelta(days=1) // MICROSECOND


def micros(instant: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (instant - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant in UTC, from microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def midnight(day: int) -> int:
    """The beginning of a day in UTC, the same for all users, in microseconds since 1970."""
    return (day - _EPOCH_DAY) * _DAY_MICROS


def read_instant(field: str, text: str) -> datetime:
    """A time in the format of RFC 3339, with its offset.

    Digits after the microseconds are cut off, never rounded, because rounding up can reach the next day. A leap second
    (23:59:60 UTC) is read as the last microsecond before it. Raises InvalidInput, which names this field.
    """
    found = _RFC_3339.fullmatch(text)
    if found is not None:
        leap = found[1] is not None
        try:
            # fromisoformat cuts off what follows the microseconds.
            instant = datetime.fromisoformat((_LEAP_SECOND.sub(":59.999999", text, 1) if leap else text).upper())
            if not leap or _ends_a_day(instant):
                return instant
        except (ValueError, OverflowError):
            pass  # such as 30 February
    raise InvalidInput(field, "must be a time with its offset from UTC (RFC 3339), such as 2026-03-01T09:00:00Z")


def _ends_a_day(instant: datetime) -> bool:
    utc = instant.astimezone(UTC)
    return (utc.hour, utc.minute) == (23, 59)
