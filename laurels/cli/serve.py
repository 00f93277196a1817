"""`laurels serve`: the HTTP API, in one process or several."""

from __future__ import annotations

import logging
import os
from typing import Annotated

from cyclopts import Parameter

from laurels.cli import OK, REJECTED
from laurels.cli.options import Options, read
from laurels.cli.output import say
from laurels.configuration import unknown_variables
from laurels.server.run import log_to_stderr, serve_until_stopped
from laurels.server.workers import serve_from_workers
from laurels.service.laurels import Laurels
from laurels.service.opening import given_catalog, serving
from laurels.service.rules import OnDifference
from laurels.settings import Settings

log = logging.getLogger(__name__)

_NONE_GIVEN = Options()


Dev = Annotated[
    bool,
    Parameter(
        negative=(), help="put the catalog file in force where the database has another catalog", show_default=False
    ),
]


def serve(options: Options = _NONE_GIVEN, *, dev: Dev = False) -> int:
    """Serve the HTTP API until stopped with Ctrl-C or SIGTERM; running requests are answered and waiting events written.

    The database is created and migrated before the first request. Its catalog is used, whatever the catalog file says, except
    with --dev and in a sandbox.
    """
    settings, _ = read(options)
    catalog = given_catalog(settings.catalog.file)
    on_difference: OnDifference = "apply" if dev else "follow"
    log_to_stderr(settings.log.level, settings.log.format)
    for name, suggestion in unknown_variables(Settings, os.environ).items():
        log.warning("the variable %s is not a setting: %s", name, suggestion)

    def greet(address: str) -> None:
        say(f"Laurels serves {settings.database} on {address}")

    async def ready(_: Laurels, address: str) -> None:
        greet(address)

    if settings.server.workers > 1:
        return OK if serve_from_workers(settings, catalog, greet, on_difference) else REJECTED
    serve_until_stopped(serving(settings, catalog, on_difference), settings, ready)
    return OK
