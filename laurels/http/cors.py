"""CORS: pages of the origins that the operator lists may read responses, with their visitor's cookie."""

from __future__ import annotations

from collections.abc import Iterable

from laurels.http.endpoint import AnyRequest
from laurels.http.requests import header
from laurels.http.responses import Headers, Response

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
    """Lets the pages of some origins read our responses."""

    def __init__(self, origins: Iterable[str]) -> None:
        """`origins` as browsers write them."""
        self.origins = {origin.encode() for origin in origins}

    def preflight(self, request: AnyRequest) -> Response | None:
        """The response to a preflight request; None for other requests, and for origins that are not listed."""
        scope = request.scope
        if scope["method"] != "OPTIONS" or header(scope, b"access-control-request-method") is None:
            return None
        return Response(204, PREFLIGHT) if self._listed(request) else None

    def shared(self, request: AnyRequest, headers: Headers) -> Headers:
        """The headers of a response with those of CORS. `Vary: Origin` is always there, so caches keep origins apart."""
        if not request.endpoint.cross_origin:
            return headers
        origin = self._listed(request)
        varies = [value for name, value in headers if name == VARY]
        other = [(name, value) for name, value in headers if name != VARY and not (origin and name == ALLOW_ORIGIN)]
        vary = [*other, (VARY, b", ".join([*varies, b"Origin"]))]
        return [*vary, (ALLOW_ORIGIN, origin), *SHARED] if origin else vary

    def _listed(self, request: AnyRequest) -> bytes | None:
        if not request.endpoint.cross_origin:
            return None
        origin = (header(request.scope, b"origin") or "").encode("latin-1")
        return origin if origin in self.origins else None
