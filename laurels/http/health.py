"""/livez and /readyz: whether the process runs, and whether it can serve. Open to all; they say nothing of anybody."""

from __future__ import annotations

from importlib import metadata

from litestar import get
from litestar.response import Response

from laurels.errors import Overloaded
from laurels.http.answers import json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import STORE_PROBLEMS, operation, problems, shows
from laurels.present.shapes import Health

VERSION = metadata.version("laurels")
OK = Health(status="ok", version=VERSION)
EXAMPLE = {"status": "ok", "version": VERSION}


@get(
    "/livez",
    opt=operation("livez", "The process runs", "health", answers=shows(Health, "It does", EXAMPLE)),
)
async def livez() -> Response[bytes]:
    """Answer without asking the database."""
    return json_answer(OK).response()


@get(
    "/readyz",
    opt=operation(
        "readyz",
        "The process can serve",
        "health",
        answers=shows(Health, "It can", EXAMPLE) | problems(*STORE_PROBLEMS),
    ),
)
async def readyz(request: HttpRequest) -> Response[bytes]:
    """Ask the database, compare its schema, and say no while shutting down."""
    laurels = context_of(request).laurels
    if laurels.group_commit.closed:
        raise Overloaded("shutting down")
    await laurels.store.ready()
    return json_answer(OK).response()
