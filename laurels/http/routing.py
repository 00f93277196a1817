"""From a method and a path to an endpoint: paths without a placeholder by a dict, all others by the number of their segments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial

from laurels.engine.values import plain
from laurels.http.access import PUBLIC
from laurels.http.endpoint import NO_VALUES, PLACEHOLDER, Endpoint, Request
from laurels.http.problems import NoSuchPage, method_not_allowed
from laurels.http.responses import Response, Scope
from laurels.http.security import note_refused_origin

EVERY_METHOD = "*"


async def _no_such_page(_: Request[None, None]) -> None:
    raise NoSuchPage


NOT_FOUND = Endpoint(method=EVERY_METHOD, path="(not found)", handler=_no_such_page, access=PUBLIC, uses_store=False)
"""The endpoint of every path that has none."""


@plain
class Address:
    """The endpoints at one path, by method, and the one that refuses all other methods."""

    path: str
    endpoints: Mapping[str, Endpoint]
    refusal: Endpoint

    def endpoint(self, method: str) -> Endpoint:
        """The endpoint that answers this method."""
        return self.endpoints.get(method, self.refusal)


class Routes:
    """All addresses of an application."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        """Raises ValueError if two endpoints have the same method and path."""
        by_path: dict[str, dict[str, Endpoint]] = {}
        for one in endpoints:
            if by_path.setdefault(one.path, {}).setdefault(one.method, one) is not one:
                raise ValueError(f"{one.label} is declared twice")
        self.addresses = [_address(path, of_path) for path, of_path in by_path.items()]
        self._exact = {one.path: one for one in self.addresses if "{" not in one.path}
        self._patterns: dict[int, list[tuple[re.Pattern[str], Address]]] = {}
        for one in self.addresses:
            if "{" in one.path:
                self._patterns.setdefault(one.path.count("/"), []).append((_pattern(one.path), one))

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """The endpoint for a path that is still percent-encoded, and the segments in place of its placeholders.

        A slash at the end changes nothing. An empty segment matches nothing.
        """
        address = self._exact.get(path)
        if address is not None:
            return address.endpoint(method), NO_VALUES
        for pattern, one in self._patterns.get(path.count("/"), ()):
            found = pattern.fullmatch(path)
            if found is not None:
                return one.endpoint(method), found.groupdict()
        if path.endswith("/") and path != "/":
            return self.find(method, path[:-1]) if not path.endswith("//") else (NOT_FOUND, NO_VALUES)
        return NOT_FOUND, NO_VALUES


def route_path(scope: Scope) -> str:
    """The path of a request as it was sent, so still encoded, and below the prefix at which the application is mounted.

    An id may contain a slash, which only the encoded path distinguishes from one between segments.
    """
    raw = scope.get("raw_path")
    path: str = raw.decode("latin-1") if raw else scope["path"]
    root: str = scope.get("root_path", "")
    if root and (path == root or path.startswith(root + "/")):
        return path[len(root) :] or "/"
    return path


def _pattern(path: str) -> re.Pattern[str]:
    parts = PLACEHOLDER.split(path)
    named = [f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)]
    return re.compile("".join(named))


def _address(path: str, declared: Mapping[str, Endpoint]) -> Address:
    """An address with what HTTP asks of each: a HEAD for every GET, OPTIONS, and a refusal that names the methods."""
    endpoints = dict(declared)
    if "GET" in declared:
        endpoints["HEAD"] = declared["GET"]
    allow = ", ".join(sorted({*endpoints, "OPTIONS"})).encode()

    async def options(request: Request[None, None]) -> Response:
        await note_refused_origin(request)  # a preflight of an origin that is listed was answered before
        return Response(204, [(b"allow", allow)])

    async def refuse(_: Request[None, None]) -> Response:
        return method_not_allowed(allow)

    shared = all(endpoint.cross_origin for endpoint in declared.values())
    common = partial(Endpoint, path=path, access=PUBLIC, uses_store=False, cross_origin=shared)
    endpoints["OPTIONS"] = common(method="OPTIONS", handler=options)
    return Address(path, endpoints, common(method=EVERY_METHOD, handler=refuse))
