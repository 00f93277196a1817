"""GET /api/gamification/stream: what happens to the caller, as it happens, as server-sent events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from litestar import get
from litestar.response import Response

from laurels.delivery.listeners import Listener
from laurels.errors import LaurelsError, Unauthorized
from laurels.http.answers import END, Answer, Headers, Receive, Scope, Send, encode
from laurels.http.context import Context, HttpRequest, context_of
from laurels.http.openapi import BY_SESSION, STORE_PROBLEMS, Answers, operation, problems, ref
from laurels.http.problems import InvalidParameter
from laurels.http.profile import NEXT_HEADERS, PREFETCH_HEADERS, PREFETCH_MARKS
from laurels.http.requests import header, session_request, text_of
from laurels.present.shapes import NotificationMessage
from laurels.storage.contract import Cursor

PATH = "/api/gamification/stream"

HEARTBEAT_SECONDS = 15
"""How often a comment says that the line stands, and the session is looked at anew."""

RETRY_MILLISECONDS = 2000
"""After which time a browser connects again."""

HEADERS: Headers = [(b"cache-control", b"no-store"), (b"vary", b"Cookie"), (b"x-accel-buffering", b"no")]
CONTENT_TYPE = b"text/event-stream"

LAST_EVENT_ID = b"last-event-id"
ID = re.compile(r"([0-9]{1,18})-([0-9]{1,9})")
NOTHING_YET = "0-0"
"""Says the same as BEGINNING of the storage: no revision is 0."""

EXAMPLE = {
    "id": "12-0",
    "type": "badge.earned",
    "at": "2026-03-01T09:00:00Z",
    "badge": {"id": "first_agent", "name": "Agent Creator", "icon": "🤖", "points": 50},
    "data": {"badge": "first_agent", "points": 50},
}


def _streams() -> Answers:
    content = {
        "text/event-stream": {"schema": ref(NotificationMessage), "examples": {"data of a moment": {"value": EXAMPLE}}}
    }
    return {
        "200": {"description": "Events named `moment`, each with an `id` and this as its `data`", "content": content}
    }


def _resumes(name: str, place: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "description": "Go on behind this id; without it, with what happens from now on",
        "schema": {"type": "string", "pattern": f"^{ID.pattern}$"},
        "example": "12-0",
    }


@get(
    PATH,
    opt=operation(
        "streamMoments",
        "What happens to the caller, as it happens",
        "moments",
        security=BY_SESSION,
        parameters=[_resumes("Last-Event-ID", "header"), _resumes("lastEventId", "query")],
        answers=_streams() | problems("unauthorized", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def get_stream(request: HttpRequest) -> Response[bytes]:
    """Listen: server-sent events that never end by themselves, until the session does.

    Each badge, level, streak and place that the caller gains or loses comes within a second, whichever process recorded it. A
    browser that connects again says with `Last-Event-ID` what it heard last, and misses nothing. Listening is no login.
    """
    context, scope = context_of(request), cast(Scope, request.scope)
    caller = await context.caller(scope)
    asked = last_heard(scope)
    if only_looks(scope):
        return Answer(200, [(b"content-type", CONTENT_TYPE), *HEADERS], b"").response()
    newest = await context.laurels.newest_notification(caller.user_id)
    # An id from beyond, as of a database before it was restored, would wait for what never comes.
    listener = context.listeners.join(caller.user_id, newest if asked is None else min(asked, newest))
    return _Endless(_Stream(context, listener))


def last_heard(scope: Scope) -> Cursor | None:
    """Which moment the client heard last; None for one that is new. Raises InvalidParameter."""
    in_header = header(scope, LAST_EVENT_ID)
    name, said = ("Last-Event-ID", in_header) if in_header else ("lastEventId", text_of(scope, "lastEventId"))
    if said is None:
        return None
    found = ID.fullmatch(said)
    if found is None:
        raise InvalidParameter(
            name,
            f"must be the id of a moment, such as 12-0, or {NOTHING_YET} for all; leave it out to hear what comes from now on",
        )
    return int(found[1]), int(found[2])


def only_looks(scope: Scope) -> bool:
    """Whether nobody is going to listen: a HEAD, or a prefetch."""
    return bool(scope.get("laurels.head")) or any(
        name in NEXT_HEADERS or (name in PREFETCH_HEADERS and any(mark in value.lower() for mark in PREFETCH_MARKS))
        for name, value in scope["headers"]
    )


class _Stream:
    """One answer without end."""

    def __init__(self, context: Context, listener: Listener) -> None:
        self._context = context
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell all until the client or the session is gone, or the server stops."""
        listener = self._listener
        scope["state"][END] = listener.end
        try:
            async with _watching(receive, listener):
                content_type = (b"content-type", CONTENT_TYPE + b"; charset=utf-8")
                await send({"type": "http.response.start", "status": 200, "headers": [content_type, *HEADERS]})
                # The id alone is no event, but whoever is cut off before the first one goes on from here.
                await _say(send, b"retry: %d\nid: %d-%d\n\n" % (RETRY_MILLISECONDS, *max(listener.after, (0, 0))))
                await self._tell(scope, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._context.listeners.leave(listener)

    async def _tell(self, scope: Scope, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        beat_at = clock() + HEARTBEAT_SECONDS
        while not self._listener.ended:
            portion = await self._listener.wait(beat_at - clock())
            if portion:
                await _say(send, b"".join(map(event, portion)))
            if clock() >= beat_at:
                await _say(send, b":\n\n")
                if not await self._lives(scope):
                    return
                beat_at = clock() + HEARTBEAT_SECONDS

    async def _lives(self, scope: Scope) -> bool:
        """Whether the session still does; where the database is away, it is given the benefit of the doubt."""
        try:
            await self._context.chain.caller(session_request(scope))
        except Unauthorized:
            return False
        except LaurelsError:
            pass
        return True


class _Endless(Response[bytes]):
    """An answer through the framework that is written as it comes."""

    def __init__(self, stream: _Stream) -> None:
        super().__init__(b"")
        self._stream = stream

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """The stream itself: it writes its own headers."""
        return self._stream


@asynccontextmanager
async def _watching(receive: Receive, listener: Listener) -> AsyncIterator[None]:
    """Meanwhile, end the listening when the client goes away."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        listener.end()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


def event(moment: NotificationMessage) -> bytes:
    """A moment on the wire. JSON has no line break in it."""
    return b"id: %b\nevent: moment\ndata: %b\n\n" % (moment.id.encode(), encode(moment))


async def _say(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})
