"""Headers of every response that keep browsers from guessing its type, sharing its window, or going on without https."""

from __future__ import annotations

from laurels.http.responses import HTML, Headers, Scope

FOR_ALL: Headers = ((b"x-content-type-options", b"nosniff"),)
FOR_PAGES: Headers = (
    *FOR_ALL,
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    (b"referrer-policy", b"same-origin"),
)
OVER_HTTPS: Headers = ((b"strict-transport-security", b"max-age=31536000"),)
"""For a year, and for this host name only: names below it may be other services."""


def hardened(scope: Scope, headers: Headers) -> Headers:
    """The headers of a response, with those that harden it."""
    more = FOR_PAGES if HTML in headers else FOR_ALL
    return [*headers, *more, *OVER_HTTPS] if scope.get("scheme") == "https" else [*headers, *more]
