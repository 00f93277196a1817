"""POST /api/gamification/events: one event or an array, each with its own result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import post
from litestar.response import Response

from laurels.commands.events import Recorded
from laurels.engine.events import Event
from laurels.errors import InvalidInput, LaurelsError
from laurels.http.answers import Answer, Receive, Scope, json_answer
from laurels.http.context import Context, HttpRequest, context_of
from laurels.http.openapi import (
    BODY_PROBLEMS,
    BY_KEY,
    STORE_PROBLEMS,
    operation,
    problems,
    ref,
    shows,
    takes,
)
from laurels.http.problems import BodyTooLarge, answer_for, problem_of
from laurels.http.requests import decode, invalid, read_body
from laurels.present.shapes import EventIn, EventResult, EventResults

PATH = "/api/gamification/events"
MAX_EVENTS = 1000

Item = Event | EventResult
"""An event to record, or the result of an item that could not be read as one."""


class Identity(msgspec.Struct, rename="camel"):
    """Which event an item speaks of, whatever else is wrong with it."""

    id: Any = None
    user_id: Any = None


EVENT_EXAMPLE = {"userId": "ada", "id": "message-42", "type": "message.sent"}
ANSWER_EXAMPLE = {
    "recorded": 1,
    "duplicates": 0,
    "rejected": 0,
    "results": [
        {
            "id": "message-42",
            "userId": "ada",
            "status": "recorded",
            "awards": [{"id": "message_100", "name": "Century Club", "icon": "💬", "points": 100}],
            "points": {"before": 50, "after": 150},
            "level": {"before": 1, "after": 2, "title": "Beginner"},
            "rank": {"before": 7, "after": 4},
        }
    ],
}

BODY = {"oneOf": [ref(EventIn), {"type": "array", "items": ref(EventIn), "maxItems": MAX_EVENTS}]}
SEVERAL = [EVENT_EXAMPLE, {**EVENT_EXAMPLE, "id": "message-43", "quantity": 3}]

_one = msgspec.json.Decoder(EventIn)
_many = msgspec.json.Decoder(list[EventIn])
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_identity = msgspec.json.Decoder(Identity)


@post(
    PATH,
    status_code=200,
    opt=operation(
        "recordEvents",
        "Record what users did",
        "events",
        security=BY_KEY,
        body=takes(BODY, {"one": EVENT_EXAMPLE, "several": SEVERAL}),
        answers=shows(EventResults, "What became of each event, in the order sent", ANSWER_EXAMPLE)
        | problems("unauthorized", *BODY_PROBLEMS, *STORE_PROBLEMS),
    ),
)
async def post_events(request: HttpRequest) -> Response[bytes]:
    """Record one event, or an array of up to 1,000.

    Each item has its own result, in order: recorded, duplicate (the original answer again), or rejected with a
    problem; one bad item never spoils the others. The answer comes when all that was recorded is durable.
    """
    return (await record_events(context_of(request), request.scope, request.receive)).response()


async def record_events(context: Context, scope: Scope, receive: Receive) -> Answer:
    """The answer to an events request; any error becomes its problem."""
    try:
        key = await context.require_key(scope)
        text = await read_body(scope, receive, context.settings.body_limit)
        if text.lstrip()[:1] == b"[":
            items = read_events(text, context.settings.events_limit)
            context.key_rate.charge(key, len(items) - 1)
            results = await _record_array(context, items)
        else:
            results = [await _record_single(context, decode(_one, text).event())]
    except Exception as error:  # noqa: BLE001  # answer_for logs what nobody expected
        return answer_for(error)
    statuses = [result.status for result in results]
    return json_answer(
        EventResults(
            recorded=statuses.count("recorded"),
            duplicates=statuses.count("duplicate"),
            rejected=statuses.count("rejected"),
            results=results,
        )
    )


async def _record_single(context: Context, event: Event) -> EventResult:
    """The result of an event that came alone. Raises InvalidInput where it breaks a limit."""
    (answer,) = await context.laurels.record_many([event])
    if type(answer) is InvalidInput:
        raise answer
    return _result(context, event, answer, "")


async def _record_array(context: Context, items: Sequence[Item]) -> list[EventResult]:
    """The results of all items, in order."""
    answers = iter(await context.laurels.record_many([item for item in items if isinstance(item, Event)]))
    return [
        _result(context, item, next(answers), f"/{index}") if isinstance(item, Event) else item
        for index, item in enumerate(items)
    ]


def _result(context: Context, event: Event, answer: Recorded | LaurelsError, pointer: str) -> EventResult:
    if isinstance(answer, Recorded):
        return context.laurels.views.event_result(answer)
    return _rejected((event.id, event.user_id), answer, pointer)


def read_events(text: bytes, limit: int) -> list[Item]:
    """The items of an array; a wrong one becomes its own rejected result. Raises BadRequest, BodyTooLarge."""
    try:
        events = _many.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raws = decode(_raw, text)
        _check_count(len(raws), limit)  # before each of a million wrong items gets a problem of its own
        return [_read_item(raw, f"/{index}") for index, raw in enumerate(raws)]
    _check_count(len(events), limit)
    return [event.event() for event in events]


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise BodyTooLarge(f"the array has {count} events, and this server takes {limit}; send it in parts")


def _read_item(raw: msgspec.Raw, pointer: str) -> Item:
    try:
        return _one.decode(raw).event()
    except msgspec.ValidationError as error:
        return _rejected(_identity_of(raw), invalid(error), pointer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _rejected((None, None), InvalidInput("", f"is not JSON: {error}"), pointer)


def _identity_of(raw: msgspec.Raw) -> tuple[str | None, str | None]:
    """The id and user id of an item that is not a valid event, as far as they can be read."""
    try:
        found = _identity.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    return _text(found.id), _text(found.user_id)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _rejected(identity: tuple[str | None, str | None], error: LaurelsError, pointer: str) -> EventResult:
    event_id, user_id = identity
    return EventResult(id=event_id, user_id=user_id, status="rejected", problem=problem_of(error, prefix=pointer))
