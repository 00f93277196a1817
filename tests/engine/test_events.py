from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from laurels.engine.events import MAX_NUMBER, Event, check_event, effective_instant
from laurels.errors import EventTooEarly, EventTooLate, InvalidInput
from tests.support import at

GOOD = Event("ada", "e-1", "message.sent")
NOW = at("2026-03-01T12:00")
MONTH = timedelta(days=30)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"user_id": "x" * 200, "id": "x" * 200, "type": "x" * 100},
        {"user_id": "Zoë 🙂", "id": " "},
        {"quantity": MAX_NUMBER},
        {"occurred_at": datetime(1970, 1, 1, tzinfo=UTC)},
        {"occurred_at": datetime(9998, 12, 31, tzinfo=UTC)},
        {"data": {}},
    ],
)
def test_events_within_the_limits_are_accepted(change: dict[str, Any]) -> None:
    check_event(replace(GOOD, **change))


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"user_id": ""}, "userId", "1 to 200 characters, not 0"),
        ({"user_id": "x" * 201}, "userId", "1 to 200 characters, not 201"),
        ({"id": "x" * 201}, "id", "1 to 200"),
        ({"id": "laurels:login:2026-01-05"}, "id", "made by Laurels"),
        ({"type": "x" * 101}, "type", "1 to 100"),
        ({"type": "a\nb"}, "type", "control characters"),
        ({"user_id": "a\0"}, "userId", "control characters"),
        ({"user_id": "\x9b"}, "userId", "control characters"),
        ({"user_id": "\ud800"}, "userId", "surrogates"),
        ({"quantity": 0}, "quantity", "whole number from 1"),
        ({"quantity": MAX_NUMBER + 1}, "quantity", "9007199254740991"),
        ({"quantity": True}, "quantity", "whole number"),
        ({"quantity": 1.0}, "quantity", "whole number"),
        ({"occurred_at": datetime(2026, 3, 1, 9)}, "occurredAt", "offset"),  # noqa: DTZ001
        ({"occurred_at": datetime(1969, 12, 31, tzinfo=UTC)}, "occurredAt", "1970 and 9998"),
        ({"occurred_at": datetime(9999, 1, 1, tzinfo=UTC)}, "occurredAt", "1970 and 9998"),
    ],
)
def test_an_event_beyond_a_limit_is_refused_with_its_field(change: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        check_event(replace(GOOD, **change))
    assert caught.value.field == field


def happens(instant: datetime | None, late_window: timedelta | None = MONTH) -> datetime:
    return effective_instant(replace(GOOD, occurred_at=instant), NOW, late_window)


def test_an_event_without_a_time_happens_now() -> None:
    assert happens(None) == NOW


@pytest.mark.parametrize("ahead", [timedelta(microseconds=1), timedelta(minutes=5)])
def test_an_event_up_to_five_minutes_ahead_happens_now(ahead: timedelta) -> None:
    assert happens(NOW + ahead) == NOW


def test_an_event_further_ahead_is_refused() -> None:
    with pytest.raises(EventTooEarly, match="more than 5 minutes in the future"):
        happens(NOW + timedelta(minutes=5, microseconds=1))


def test_a_late_event_keeps_its_own_time_within_the_window() -> None:
    assert happens(NOW - MONTH) == NOW - MONTH


def test_an_event_before_the_late_window_is_refused() -> None:
    with pytest.raises(EventTooLate, match="more than 30 days back"):
        happens(NOW - MONTH - timedelta(microseconds=1))


def test_without_a_late_window_no_event_is_too_late() -> None:
    assert happens(at("1970-01-01"), None) == at("1970-01-01")


def test_the_effective_instant_is_in_utc() -> None:
    instant = happens(datetime(2026, 3, 1, 13, 30, tzinfo=timezone(timedelta(hours=2))))
    assert (instant, instant.tzinfo) == (at("2026-03-01T11:30"), UTC)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id": 5}, "id"),
        ({"user_id": None}, "userId"),
        ({"type": b"a"}, "type"),
        ({"occurred_at": "now"}, "occurredAt"),
    ],
)
def test_a_field_of_another_type_is_named_too(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_event(replace(Event("ada", "e", "a"), **wrong))
    assert caught.value.field == field
