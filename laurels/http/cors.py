"""Sharing with pages of other origins (CORS): only with those that the operator lists, and with their visitor's cookie."""

from __future__ import annotations

import re
from typing import Any

from laurels.http.answers import Answer, Headers, Scope, Send
from laurels.http.requests import header
from laurels.settings import origins_in

OWN = re.compile(r"/(console|playground)(/|$)", re.DOTALL)
"""What is shared with nobody: what operators see, and the page that holds the demo's key."""

ALLOW_ORIGIN = b"access-control-allow-origin"
VARY = b"vary"
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE"),
    (b"access-control-allow-headers", b"Content-Type, Authorization, Laurels-Now, X-Purpose, Last-Event-ID"),
    (b"access-control-max-age", b"600"),
]
SHARED: Headers = [
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-expose-headers", b"Retry-After, RateLimit, RateLimit-Policy"),
]


class Cors:
    """Lets the pages of some origins read our answers."""

    def __init__(self, origins: str) -> None:
        """`origins` as the setting has them; empty: nobody. Raises SettingsError."""
        self.origins = {one.encode() for one in origins_in(origins)}

    def preflight(self, scope: Scope) -> Answer | None:
        """The answer to a browser that asks before it sends; None for any other request, and for origins that are not listed."""
        if scope["method"] != "OPTIONS" or header(scope, b"access-control-request-method") is None:
            return None
        origin = self._listed(scope)
        if origin is None:
            return None
        return Answer(204, [(ALLOW_ORIGIN, origin), *SHARED, *PREFLIGHT, (VARY, b"Origin")], b"")

    def shared(self, scope: Scope, send: Send) -> Send:
        """`send` for this request, which says who may read the answer."""
        if OWN.match(scope["path"]):
            return send
        origin = self._listed(scope)

        async def send_shared(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _with_origin(message.get("headers", ()), origin)}
            await send(message)

        return send_shared

    def _listed(self, scope: Scope) -> bytes | None:
        if OWN.match(scope["path"]):
            return None
        origin = (header(scope, b"origin") or "").encode("latin-1")
        return origin if origin in self.origins else None


def _with_origin(headers: Any, origin: bytes | None) -> Headers:
    """These headers for a reader of this origin (None: one that is not listed); a cache must keep them for this one alone."""
    said: Headers = [(bytes(name).lower(), bytes(value)) for name, value in headers]
    varies = [value for name, value in said if name == VARY]
    kept = [(name, value) for name, value in said if name != VARY and not (origin and name == ALLOW_ORIGIN)]
    kept.append((VARY, b", ".join([*varies, b"Origin"])))
    return [*kept, (ALLOW_ORIGIN, origin), *SHARED] if origin else kept
