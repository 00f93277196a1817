"""`laurels serve`: the HTTP API, in one process or several."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import msgspec
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from laurels.cli import OK, REJECTED
from laurels.cli.options import Options, read
from laurels.cli.output import say
from laurels.engine.catalog import Catalog
from laurels.errors import LaurelsError, SettingsError
from laurels.http.responses import Application
from laurels.server.app import create_app
from laurels.server.run import (
    address_of,
    allow_connections,
    listen,
    log_to_stderr,
    quiet_collector,
    serve_until_stopped,
    server_config,
)
from laurels.service.laurels import Laurels
from laurels.service.opening import laurels_over, read_catalog, serving
from laurels.settings import Settings
from laurels.storage import open_store, without_password

WORKER_SETTINGS = "LAURELS_WORKER_SETTINGS"
"""The variable in which the parent hands its settings, as JSON, to the processes that serve."""

log = logging.getLogger(__name__)

_NONE_GIVEN = Options()


def serve(options: Options = _NONE_GIVEN) -> int:
    """Serve the HTTP API until told to stop (Ctrl-C or SIGTERM); then answer what runs and write what waits.

    The database is made, and its schema brought up to date, before the first request.
    """
    settings, _ = read(options)
    catalog = read_catalog(settings.catalog)
    log_to_stderr(settings.log_level)
    if settings.workers > 1:
        return _serve_by_several(settings, catalog)

    async def ready(_: Laurels, address: str) -> None:
        say(_greeting(settings, address))

    serve_until_stopped(serving(settings, catalog), settings, ready)
    return OK


def _greeting(settings: Settings, address: str) -> str:
    return f"Laurels serves {without_password(settings.database)} on {address}"


# ---- several processes ------------------------------------------------------------------------


def _serve_by_several(settings: Settings, catalog: Catalog) -> int:
    """Supervise the workers, and start anew any that dies. The database is brought up to date here, once."""
    if settings.database in ("sqlite://", "sqlite:///:memory:"):
        raise SettingsError("several workers cannot share a database in memory; use sqlite:///FILE, or --workers 1")
    allow_connections(settings)
    asyncio.run(_prepare(settings, catalog))
    os.environ[WORKER_SETTINGS] = msgspec.json.encode(settings).decode()
    config = server_config("laurels.cli.serve:worker_app", settings, factory=True)
    with listen(settings.host, settings.port) as listening:
        say(_greeting(settings, address_of(listening)))
        supervisor = Multiprocess(config, [listening])
        supervisor.run()
    # A worker that a signal ended would have been started anew, had we not been told to stop in that very moment.
    failed = any((process.exitcode or 0) > 0 for process in supervisor.processes)
    return REJECTED if failed else OK


async def _prepare(settings: Settings, catalog: Catalog) -> None:
    async with serving(settings, catalog):
        return


def worker_app() -> Application:
    """The application of one worker, made in its own process; on shutdown it writes what waits and closes the database."""
    settings = msgspec.json.decode(os.environ[WORKER_SETTINGS], type=Settings)
    log_to_stderr(settings.log_level)
    try:
        catalog = read_catalog(settings.catalog)
        laurels = laurels_over(open_store(settings.database, settings.connections), settings, catalog)
    except LaurelsError as error:
        log.error("a worker cannot start: %s", error)  # noqa: TRY400  # the message says all
        sys.exit(STARTUP_FAILURE)
    app = create_app(laurels, settings, laurels.close)
    quiet_collector()
    return app
