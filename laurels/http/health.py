"""/livez and /readyz: whether the process runs, and whether it can serve. Open to all; they reveal nothing else."""

from __future__ import annotations

from importlib import metadata

from laurels.errors import Overloaded
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.present.health import Health, Readiness

VERSION = metadata.version("laurels")
OK = Health(status="ok", version=VERSION)
EXAMPLE = {"status": "ok", "version": VERSION}


@endpoint(
    "GET",
    "/livez",
    access=PUBLIC,
    operation=Operation("livez", "Check liveness", "health"),
    result=Result(Health, "The process runs", EXAMPLE),
    uses_store=False,
    always=True,
)
async def livez(_: Request[None, None]) -> Health:
    """Answer without asking the database."""
    return OK


@endpoint(
    "GET",
    "/readyz",
    access=PUBLIC,
    operation=Operation("readyz", "Check readiness", "health"),
    result=Result(
        Readiness,
        "The process can serve",
        {**EXAMPLE, "database": "SQLite 3.54.1", "catalog": 1, "catalogDiffers": False},
    ),
    always=True,
)
async def readyz(request: Request[None, None]) -> Readiness:
    """Ask the database, compare its schema and read its catalog. While shutting down, the answer is 503."""
    laurels = request.context.laurels
    if laurels.group_commit.closed:
        raise Overloaded("shutting down")
    database = await laurels.store.ready()
    await laurels.follow_catalog()
    rules = laurels.rules
    return Readiness(
        status="ok",
        version=VERSION,
        database=database,
        catalog=rules.number,
        catalog_differs=bool(rules.difference),
    )


ENDPOINTS = (livez, readyz)
