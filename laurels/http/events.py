"""POST /api/gamification/events: one event or an array, each with its own result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import post
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.response import Response

from laurels.acts import Recorded
from laurels.engine.events import Event
from laurels.errors import InvalidInput, LaurelsError
from laurels.http.answers import Answer, Receive, Scope, json_answer
from laurels.http.context import Context, HttpRequest, context_of
from laurels.http.openapi import BY_KEY, body, problems, ref, shows
from laurels.http.problems import BodyTooLarge, answer_for, problem_of
from laurels.http.requests import decode, invalid, read_body
from laurels.shapes import EventIn, EventResult, EventsAnswer

PATH = "/api/gamification/events"
MAX_EVENTS = 1000

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

BODY = Schema(
    one_of=[
        ref(EventIn),
        Schema(type=OpenAPIType.ARRAY, items=ref(EventIn), max_items=MAX_EVENTS),
    ]
)

_one = msgspec.json.Decoder(EventIn)
_many = msgspec.json.Decoder(list[EventIn])
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_anything = msgspec.json.Decoder()


@post(
    PATH,
    operation_id="recordEvents",
    summary="Record what users did",
    tags=["events"],
    status_code=200,
    security=BY_KEY,
    operation_class=body(
        BODY, {"one": EVENT_EXAMPLE, "several": [EVENT_EXAMPLE, {**EVENT_EXAMPLE, "id": "message-43", "quantity": 3}]}
    ),
    responses=shows(EventsAnswer, "What became of each event, in the order sent", ANSWER_EXAMPLE)
    | problems(400, 401, 413, 415, 422, 503),
)
async def post_events(request: HttpRequest) -> Response[bytes]:
    """Record one event, or an array of up to 1,000. Each item has its own result, in order: recorded, duplicate (the
    original answer again), or rejected with a problem; one bad item never spoils the others. The answer comes when all
    that was recorded is durable.
    """
    return (await record_events(context_of(request), request.scope, request.receive)).response()


async def record_events(context: Context, scope: Scope, receive: Receive) -> Answer:
    """The answer to an events request; any error becomes its problem."""
    try:
        await context.require_key(scope)
        text = await read_body(scope, receive, context.settings.body_limit)
        items = read_events(text, context.settings.events_limit)
        results = await _record(context, items)
    except Exception as error:  # noqa: BLE001  # answer_for logs what nobody expected
        return answer_for(error)
    counts = dict.fromkeys(("recorded", "duplicate", "rejected"), 0)
    for result in results:
        counts[result.status] += 1
    return json_answer(
        EventsAnswer(
            recorded=counts["recorded"], duplicates=counts["duplicate"], rejected=counts["rejected"], results=results
        )
    )


Item = Event | EventResult
"""An event to record, or the result of an item that could not be read as one."""


def read_events(text: bytes, limit: int) -> list[Item]:
    """The items of a body. A single event must be right; in an array, a wrong item becomes its own rejected result.

    Raises BadRequest, BodyTooLarge, and InvalidInput for what is neither an event nor an array.
    """
    if text.lstrip()[:1] != b"[":
        return [event_of(decode(_one, text))]
    try:
        items: list[Item] = [event_of(event) for event in _many.decode(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        items = [_read_item(raw, index) for index, raw in enumerate(decode(_raw, text))]
    if len(items) > limit:
        raise BodyTooLarge(f"the array has {len(items)} events, and this server takes {limit}; send it in parts")
    return items


def _read_item(raw: msgspec.Raw, index: int) -> Item:
    try:
        return event_of(_one.decode(raw))
    except msgspec.ValidationError as error:
        return _rejected(_identity(raw), invalid(error), index)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _rejected((None, None), InvalidInput("", f"is not JSON: {error}"), index)


def _identity(raw: msgspec.Raw) -> tuple[str | None, str | None]:
    """The id and user id of an item that is not a valid event, as far as they can be read."""
    item: Any = _anything.decode(raw)
    if not isinstance(item, dict):
        return None, None
    event_id, user_id = item.get("id"), item.get("userId")
    return event_id if isinstance(event_id, str) else None, user_id if isinstance(user_id, str) else None


def event_of(event: EventIn) -> Event:
    """An event as the facade takes it."""
    return Event(event.user_id, event.id, event.type, event.occurred_at, event.quantity, event.data)


async def _record(context: Context, items: Sequence[Item]) -> list[EventResult]:
    """The results of all items, in order."""
    views = context.laurels.views
    answers = iter(await context.laurels.record_many([item for item in items if isinstance(item, Event)]))
    results: list[EventResult] = []
    for index, item in enumerate(items):
        if isinstance(item, EventResult):
            results.append(item)
            continue
        answer = next(answers)
        if isinstance(answer, Recorded):
            results.append(views.event_result(answer))
        elif len(items) == 1 and type(answer) is InvalidInput:
            raise answer
        else:
            results.append(_rejected((item.id, item.user_id), answer, index))
    return results


def _rejected(identity: tuple[str | None, str | None], error: LaurelsError, index: int) -> EventResult:
    event_id, user_id = identity
    return EventResult(id=event_id, user_id=user_id, status="rejected", problem=problem_of(error, prefix=f"/{index}"))
