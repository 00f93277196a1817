"""Event: one thing a user did, and the limits of its fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from laurels.engine.values import plain
from laurels.errors import EventTooEarly, EventTooLate, InvalidInput

MAX_NUMBER = 2**53 - 1
"""The largest whole number that every JSON parser represents exactly; totals and points stop here."""

MAX_USER_ID = 200
MAX_EVENT_ID = 200
MAX_TYPE = 100
MAX_NAME = 100
MAX_REASON = 500

MAX_DATA_LEVELS = 20
MAX_DATA_BYTES = 16 * 1024
LEAST_DATA_NUMBER, MOST_DATA_NUMBER = -(2**63), 2**64 - 1
"""Limits of an event's data, so that every database can store it and return it unchanged."""

OWN_PREFIX = "laurels:"
"""Event ids with this prefix are made by Laurels itself (the daily login of a profile request)."""

FIRST_YEAR, LAST_YEAR = 1970, 9998
"""In these years, every instant has a day in every zone, and every day has a next one."""

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that are unsafe in databases and terminals: control characters and lone surrogates."""

SKEW = timedelta(minutes=5)
"""How far a sender's clock may be ahead; such an event counts as happening now."""


@plain
class Event:
    """One thing a user did. Its identity is the pair (user_id, id): sent twice, it counts once.

    `occurred_at` is an aware datetime, or None for "now". `quantity` is how many (1 to 2^53 - 1). `data` is any JSON object;
    metrics may read it. `day` (a date's ordinal, see `days.py`) is set when the event is recorded: its date in the user's
    zone at that time. `late_by` is how many days before the day of recording that is, and `recorded_at` the time of recording.
    """

    user_id: str
    id: str
    type: str
    occurred_at: datetime | None = None
    quantity: int = 1
    data: Mapping[str, Any] | None = None
    day: int | None = None
    late_by: int = 0
    recorded_at: datetime | None = field(default=None, compare=False)


def check_event(event: Event) -> None:
    """Raise InvalidInput for the first field that breaks a limit. Does not compare with the clock."""
    check_text("userId", event.user_id, MAX_USER_ID)
    check_text("id", event.id, MAX_EVENT_ID)
    check_text("type", event.type, MAX_TYPE)
    if event.id.startswith(OWN_PREFIX):
        raise InvalidInput("id", f"ids that begin with '{OWN_PREFIX}' are made by Laurels; choose another")
    if type(event.quantity) is not int or not 1 <= event.quantity <= MAX_NUMBER:
        raise InvalidInput("quantity", f"must be a whole number from 1 to {MAX_NUMBER}")
    if event.occurred_at is not None:
        check_instant("occurredAt", event.occurred_at)
    if event.data is not None:
        check_data(event.data)


def check_text(field: str, text: object, longest: int) -> None:
    """Raise InvalidInput unless `text` has 1 to `longest` characters, and no control characters."""
    if not isinstance(text, str):
        raise InvalidInput(field, "must be a text")
    if not 1 <= len(text) <= longest:
        raise InvalidInput(field, f"must have 1 to {longest} characters, not {len(text)}")
    if not text.isprintable() and UNSAFE.search(text):
        raise InvalidInput(field, "must not hold control characters or unpaired surrogates")


def check_data(data: Mapping[str, Any]) -> None:
    """Raise InvalidInput unless `data` is a JSON object within the limits."""
    try:
        size = len(_encode(data).encode())
    except RecursionError:
        raise InvalidInput("data", f"must nest at most {MAX_DATA_LEVELS} levels") from None
    except (TypeError, ValueError):  # other types, NaN and infinity, lone surrogates, reference cycles
        raise InvalidInput("data", "must contain only JSON values") from None
    if size > MAX_DATA_BYTES:
        raise InvalidInput("data", f"must take at most {MAX_DATA_BYTES} bytes as JSON, not {size}")
    if type(data) is not dict:
        raise InvalidInput("data", "must be a JSON object")
    _check_json(data, MAX_DATA_LEVELS)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_PLAIN = frozenset({str, float, bool, type(None)})


def _check_json(value: Any, levels: int) -> None:
    """Check what the encoder does not: depth, keys that are not texts, tuples, numbers beyond 64 bits."""
    kind = cast(type[object], type(value))
    if kind is dict or kind is list:
        if levels == 0:
            raise InvalidInput("data", f"must nest at most {MAX_DATA_LEVELS} levels")
        if kind is dict and any(type(key) is not str for key in value):
            raise InvalidInput("data", "must have texts as keys")
        for item in value.values() if kind is dict else value:
            _check_json(item, levels - 1)
    elif kind is int:
        if not LEAST_DATA_NUMBER <= value <= MOST_DATA_NUMBER:
            raise InvalidInput("data", "must not contain a whole number beyond 64 bits")
    elif kind not in _PLAIN:
        raise InvalidInput("data", "must contain only JSON values")


def check_instant(field: str, instant: object) -> None:
    """Raise InvalidInput unless `instant` is an aware datetime in the years 1970 to 9998."""
    if not isinstance(instant, datetime):
        raise InvalidInput(field, "must be a datetime")
    if instant.tzinfo is None:
        raise InvalidInput(field, "must have an offset from UTC, such as '2026-03-01T09:00:00Z'")
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise InvalidInput(field, f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")


def effective_instant(event: Event, now: datetime, late_window: timedelta | None) -> datetime:
    """When the event counts as having happened, in UTC.

    No time, or one up to `SKEW` ahead, means `now`. Raises EventTooEarly for a later one, and EventTooLate for one before
    `now - late_window` (None: no limit).
    """
    instant = event.occurred_at
    if instant is None:
        return now
    instant = instant.astimezone(UTC)
    if instant > now:
        if instant - now > SKEW:
            raise EventTooEarly("occurredAt", "lies more than 5 minutes in the future; check the sender's clock")
        return now
    if late_window is not None and now - instant > late_window:
        raise EventTooLate("occurredAt", f"lies more than {late_window.days} days back, before the late window")
    return instant
