"""POST /api/gamification/events: one event or an array, each with its own result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from laurels.engine.events import Event
from laurels.errors import InvalidInput, LaurelsError
from laurels.http.access import by_key
from laurels.http.bodies import PROBLEMS, json_body, ref
from laurels.http.context import Context, Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import Json
from laurels.http.problems import BodyTooLarge, problem_of
from laurels.http.requests import decode, invalid, read_body, shortened
from laurels.http.responses import Receive, Scope
from laurels.present.events import EventIn, EventResult, EventResults
from laurels.settings import Settings

PATH = "/api/gamification/events"

Item = Event | EventResult
"""An event to record, or the result of an item that could not be read as one."""


class Identity(msgspec.Struct, rename="camel"):
    """The ids of an item, even if the rest of it is wrong."""

    id: Any = None
    user_id: Any = None


EVENT_EXAMPLE = {"userId": "ada", "id": "message-42", "type": "message.sent"}
RESULTS_EXAMPLE = {
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

SEVERAL = [EVENT_EXAMPLE, {**EVENT_EXAMPLE, "id": "message-43", "quantity": 3}]

_one = msgspec.json.Decoder(EventIn)
_many = msgspec.json.Decoder(list[EventIn])
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_identity = msgspec.json.Decoder(Identity)


class EventsBody:
    """One event, or an array of up to `events_limit`. A wrong item of an array becomes its own rejected result."""

    types: Sequence[type] = (EventIn,)
    problems = PROBLEMS

    async def read(self, context: Context, scope: Scope, receive: Receive, limit: int) -> Event | list[Item]:
        """See Body."""
        text = await read_body(scope, receive, limit)
        if text.lstrip()[:1] == b"[":
            return read_events(text, context.settings.limits.events)
        return decode(_one, text).event()

    def described(self, settings: Settings, limit: int) -> Json:
        """See Body."""
        several = {"type": "array", "items": ref(EventIn), "maxItems": settings.limits.events}
        examples = {"one": EVENT_EXAMPLE, "several": SEVERAL}
        return json_body({"oneOf": [ref(EventIn), several]}, examples, limit)


@endpoint(
    "POST",
    PATH,
    access=by_key("events:write"),
    in_languages=True,
    operation=Operation("recordEvents", "Record events", "events"),
    body=EventsBody(),
    result=Result(EventResults, "The result of each event, in the order sent", RESULTS_EXAMPLE),
)
async def post_events(request: Request[Key, Event | list[Item]]) -> EventResults:
    """Record one event, or an array of events.

    Each item has its own result, in order: recorded, duplicate (the original result again), or rejected with a problem; a
    rejected item does not affect the others. The response is sent when all recorded events are durable. To a key without
    the scope `users:read` it does not say what the events changed.
    """
    context, body = request.context, request.body
    if isinstance(body, Event):
        results = [await _record_single(context, body)]
    else:
        context.key_rate.charge(request.caller.name, len(body) - 1)
        results = await _record_array(context, body)
    if "users:read" not in request.caller.scopes:
        results = [_without_changes(result) for result in results]
    statuses = [result.status for result in results]
    return EventResults(
        recorded=statuses.count("recorded"),
        duplicates=statuses.count("duplicate"),
        rejected=statuses.count("rejected"),
        results=results,
    )


async def _record_single(context: Context, event: Event) -> EventResult:
    """The result of an event that was sent alone. Raises InvalidInput if it breaks a limit."""
    (answer,) = await context.laurels.record_many([event])
    if type(answer) is InvalidInput:
        raise answer
    return _result(event, answer, "")


async def _record_array(context: Context, items: Sequence[Item]) -> list[EventResult]:
    """The results of all items, in order."""
    answers = iter(await context.laurels.record_many([item for item in items if isinstance(item, Event)]))
    return [
        _result(item, next(answers), f"/{index}") if isinstance(item, Event) else item
        for index, item in enumerate(items)
    ]


def _result(event: Event, answer: EventResult | LaurelsError, pointer: str) -> EventResult:
    if isinstance(answer, EventResult):
        return answer
    return _rejected((event.id, event.user_id), answer, pointer)


def _without_changes(result: EventResult) -> EventResult:
    """What a key may know that only records: nothing about the user."""
    return EventResult(
        id=result.id,
        user_id=result.user_id,
        status=result.status,
        ignored=result.ignored,
        counted=result.counted,
        problem=result.problem,
    )


def read_events(text: bytes, limit: int) -> list[Item]:
    """The items of an array; a wrong one becomes its own rejected result. Raises BadRequest, BodyTooLarge."""
    try:
        events: list[Item] = [event.event() for event in _many.decode(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidInput):
        raws = decode(_raw, text)
        _check_count(len(raws), limit)  # first, so that a million wrong items do not each get a problem
        return [_read_item(raw, f"/{index}") for index, raw in enumerate(raws)]
    _check_count(len(events), limit)
    return events


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise BodyTooLarge(f"the array has {count} events, and this server accepts {limit}; send it in parts")


def _read_item(raw: msgspec.Raw, pointer: str) -> Item:
    try:
        return _one.decode(raw).event()
    except msgspec.ValidationError as error:
        return _rejected(_identity_of(raw), invalid(error), pointer)
    except InvalidInput as error:
        return _rejected(_identity_of(raw), error, pointer)
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
    event_id, user_id = (text if text is None else shortened(text) for text in identity)
    return EventResult(id=event_id, user_id=user_id, status="rejected", problem=problem_of(error, prefix=pointer))


ENDPOINTS = (post_events,)
