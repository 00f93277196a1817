"""GET /api/gamification/stream: the caller's notifications, live, as server-sent events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from laurels.auth.chain import Caller
from laurels.delivery.listeners import Listener
from laurels.errors import LaurelsError, Unauthorized
from laurels.http.access import SESSION
from laurels.http.context import Context
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.languages import wanted_languages
from laurels.http.parameters import Parameter
from laurels.http.problems import InvalidParameter
from laurels.http.profile import is_prefetch
from laurels.http.requests import credentials, header, text_of
from laurels.http.responses import END, Headers, Receive, Response, Scope, Send, encode
from laurels.present.notifications import NotificationMessage, in_other_language
from laurels.storage.contract import Cursor

PATH = "/api/gamification/stream"

HEARTBEAT_SECONDS = 15
"""How often a comment keeps the connection open, and the session is verified again."""

RETRY_MILLISECONDS = 2000
"""How long a browser waits before it connects again."""

CONTENT_TYPE = "text/event-stream"
HEADERS: Headers = [
    (b"content-type", f"{CONTENT_TYPE}; charset=utf-8".encode()),
    (b"cache-control", b"no-store"),
    (b"vary", b"Cookie"),
    (b"x-accel-buffering", b"no"),
]

LAST_EVENT_ID = b"last-event-id"
ID = re.compile(r"([0-9]{1,18})-([0-9]{1,9})")
NOTHING_YET = "0-0"
"""The same as BEGINNING of the storage: no revision is 0."""

EXAMPLE = {
    "id": "12-0",
    "type": "badge.earned",
    "at": "2026-03-01T09:00:00Z",
    "badge": {"id": "first_agent", "name": "Agent Creator", "icon": "🤖", "points": 50},
    "data": {"badge": "first_agent", "points": 50},
}


def _resumes(name: str, place: Literal["header", "query"]) -> Parameter:
    return Parameter(
        name=name,
        place=place,
        description="Continue after this id; without it, only new notifications are sent",
        schema={"type": "string", "pattern": f"^{ID.pattern}$"},
        more={"example": "12-0"},
    )


@endpoint(
    "GET",
    PATH,
    access=SESSION,
    in_languages=True,
    operation=Operation("streamNotifications", "Stream your notifications", "notifications"),
    parameters=[_resumes("Last-Event-ID", "header"), _resumes("lastEventId", "query")],
    result=Result(
        NotificationMessage,
        "Events named `notification`, each with an `id` and this as its `data`",
        EXAMPLE,
        media_type=CONTENT_TYPE,
    ),
)
async def get_stream(request: Request[Caller, None]) -> Response:
    """Listen to server-sent events, until the session ends.

    Each badge, level, streak and rank that the caller gains or loses arrives within a second, from any process. A browser that
    reconnects sends `Last-Event-ID`, and misses nothing. Listening does not count as a login.
    """
    context, scope = request.context, request.scope
    last = last_received(scope)
    if is_prefetch(scope["method"], scope["headers"]):
        return Response(200, HEADERS)
    user_id = request.caller.user_id
    newest = await context.laurels.newest_notification(user_id)
    # An id beyond the newest, as after a restore of the database, would skip notifications: continue after the newest.
    return _Stream(context, context.listeners.join(user_id, newest if last is None else min(last, newest)))


def last_received(scope: Scope) -> Cursor | None:
    """The cursor of the last notification that the client received; None for a new client. Raises InvalidParameter."""
    in_header = header(scope, LAST_EVENT_ID)
    name, text = ("Last-Event-ID", in_header) if in_header else ("lastEventId", text_of(scope, "lastEventId"))
    if text is None:
        return None
    found = ID.fullmatch(text)
    if found is None:
        raise InvalidParameter(
            name,
            f"must be the id of a notification, such as 12-0, or {NOTHING_YET} for all; leave it out for new ones only",
        )
    return int(found[1]), int(found[2])


class _Stream(Response):
    """An endless response."""

    __slots__ = ("_context", "_listener")

    endless = True

    def __init__(self, context: Context, listener: Listener) -> None:
        super().__init__(200, HEADERS)
        self._context = context
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send notifications until the client or the session is gone, or the server stops."""
        listener = self._listener
        scope.get("state", {})[END] = listener.end  # servers without ASGI state cannot end it
        try:
            async with _watching(receive, listener):
                await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
                # An id alone is no event, but a client that is cut off before the first event continues from here.
                await _write(send, b"retry: %d\nid: %d-%d\n\n" % (RETRY_MILLISECONDS, *max(listener.after, (0, 0))))
                await self._notify(scope, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._context.listeners.leave(listener)

    async def _notify(self, scope: Scope, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        beat_at = clock() + HEARTBEAT_SECONDS
        while not self._listener.ended:
            page = self._in_language(scope, await self._listener.wait(beat_at - clock()))
            if page and not await self._is_signed_in(scope):
                return
            if page:
                await _write(send, b"".join(map(event, page)))
            if clock() >= beat_at:
                await _write(send, b":\n\n")
                if not await self._is_signed_in(scope):
                    return
                beat_at = clock() + HEARTBEAT_SECONDS

    def _in_language(self, scope: Scope, page: Sequence[NotificationMessage]) -> Sequence[NotificationMessage]:
        """Notifications with their names in the client's language. They were read for all clients, in that of the first one."""
        catalog = self._context.laurels.rules.catalog
        if not page or not catalog.other_languages:
            return page
        shown = catalog.in_language(*wanted_languages(scope))
        return [in_other_language(shown, message) for message in page]

    async def _is_signed_in(self, scope: Scope) -> bool:
        """Whether the session is still valid; if the database cannot be reached, it counts as valid."""
        try:
            await self._context.chain.caller(credentials(scope))
        except Unauthorized:
            return False
        except LaurelsError:
            pass
        return True


@asynccontextmanager
async def _watching(receive: Receive, listener: Listener) -> AsyncIterator[None]:
    """Meanwhile, end the listener when the client disconnects."""

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


def event(message: NotificationMessage) -> bytes:
    """A notification as a server-sent event. JSON has no line break in it."""
    return b"id: %b\nevent: notification\ndata: %b\n\n" % (message.id.encode(), encode(message))


async def _write(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})


ENDPOINTS = (get_stream,)
