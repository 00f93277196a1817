"""Responses as plain values: a status, headers and a body, written straight to the ASGI server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Scope = Mapping[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]
Headers = Sequence[Header]

END = "laurels.end"
"""The key in the ASGI state under which an endless response stores the function that ends it."""

JSON: Header = (b"content-type", b"application/json")
HTML: Header = (b"content-type", b"text/html; charset=utf-8")
NO_STORE: Header = (b"cache-control", b"no-store")

WITHOUT_BODY = (204, 304)
"""Statuses whose responses have neither a body nor a length (RFC 9110, sections 15.3.5 and 15.4.5)."""

encode = msgspec.json.Encoder().encode


class Response:
    """A whole response: status, headers in lower case, body. A HEAD gets all headers of the GET, and no body."""

    __slots__ = ("body", "headers", "status")

    endless = False
    """Whether it lasts until the client or the session is gone."""

    def __init__(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # an ASGI application
        """Write it to an ASGI server."""
        headers = [*self.headers]
        if self.status not in WITHOUT_BODY:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self.body})


class PiecewiseResponse(Response):
    """A response whose body is sent in pieces while it is made: its length is not known, and a failure ends the connection."""

    __slots__ = ("_more",)

    def __init__(self, status: int, headers: Headers, first: bytes, more: AsyncIterator[bytes]) -> None:
        super().__init__(status, headers, first)
        self._more = more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # an ASGI application
        """Write it to an ASGI server, as fast as the client reads."""
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers]})
        if scope["method"] != "HEAD":
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            async for piece in self._more:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
