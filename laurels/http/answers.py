"""Answers as plain values: what the hot paths send straight to ASGI, and the others through the framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Response

from laurels.engine.values import plain

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Scope = Mapping[str, Any]
Headers = list[tuple[bytes, bytes]]

END = "laurels.end"
"""Where the state of a request that is answered without end holds what ends it."""

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")

encode = msgspec.json.Encoder().encode


@plain
class Answer:
    """A whole response: status, headers in lower case, body."""

    status: int
    headers: Headers
    body: bytes

    async def send(self, send: Send) -> None:
        """Write it to an ASGI server."""
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    def response(self) -> Response[bytes]:
        """The same through the framework, which adds the charset to texts."""
        content_type = next((value.decode() for name, value in self.headers if name == b"content-type"), None)
        response = Response(self.body, status_code=self.status, media_type=content_type)
        for name, value in self.headers:
            if name != b"content-type":
                response.headers[name.decode()] = value.decode()
        return response


def json_answer(content: object, *, status: int = 200, headers: Headers | None = None) -> Answer:
    """A shape as JSON. What belongs to a user is never stored on the way."""
    return Answer(status, [JSON, *(headers or [NO_STORE])], encode(content))
