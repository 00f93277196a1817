"""/static/: scripts, styles and images of the pages; any site may load the elements' script."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from laurels.engine.values import plain
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.parameters import in_query, name_in_path
from laurels.http.problems import NoSuchPage
from laurels.http.requests import header
from laurels.http.responses import Headers, Response

PATH = "/static/"
OWNERS = ("site", "console", "demo")
"""The packages that have pages, each with its own `templates` and `static`. A file name is used by one of them only."""

TYPES = {"js": b"text/javascript; charset=utf-8", "css": b"text/css; charset=utf-8", "svg": b"image/svg+xml"}

IMMUTABLE: Headers = [(b"cache-control", b"public, max-age=31536000, immutable")]
CACHED_BRIEFLY: Headers = [(b"cache-control", b"public, max-age=600")]
FOR_ALL: Headers = [(b"access-control-allow-origin", b"*")]
"""A module script loads across origins only with CORS; these files hold no personal data."""


@plain
class File:
    """A file as served. `version` is a hash of its content."""

    body: bytes
    content_type: bytes
    version: str


@cache
def files() -> dict[str, File]:
    """Every file in the `static` of OWNERS, by name; read once."""
    package = resources.files("laurels")
    return {entry.name: _read(entry) for owner in OWNERS for entry in package.joinpath(owner, "static").iterdir()}


def _read(entry: Traversable) -> File:
    body = entry.read_bytes()
    return File(body, TYPES[entry.name.rpartition(".")[2]], hashlib.sha256(body).hexdigest()[:16])


def address(name: str) -> str:
    """A file's URL for our own pages: it changes with the content, so browsers may cache it forever."""
    return f"{PATH}{name}?v={files()[name].version}"


@endpoint("GET", PATH + "{name}", access=PUBLIC, parameters=[name_in_path("name"), in_query("v")], uses_store=False)
async def static_file(request: Request[None, None]) -> Response:
    """Serve a script, a style or an image."""
    file = files().get(request.path["name"])
    if file is None:
        raise NoSuchPage
    scope = request.scope
    tag = f'"{file.version}"'
    caching = IMMUTABLE if scope["query_string"] == f"v={file.version}".encode() else CACHED_BRIEFLY
    headers: Headers = [*FOR_ALL, *caching, (b"etag", tag.encode())]
    if header(scope, b"if-none-match") == tag:
        return Response(304, headers)
    return Response(200, [(b"content-type", file.content_type), *headers], file.body)


ENDPOINTS = (static_file,)
