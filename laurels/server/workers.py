"""Serves from several worker processes, under a supervisor that replaces each that dies."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from functools import partial

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from laurels.engine.catalog import Catalog
from laurels.errors import LaurelsError, SettingsError
from laurels.http.responses import Application
from laurels.server.app import create_app
from laurels.server.run import address_of, allow_connections, listen, log_to_stderr, quiet_collector, server_config
from laurels.service.opening import laurels_over, read_catalog, serving
from laurels.service.processes import end_with_parent
from laurels.settings import Settings
from laurels.storage import open_store

log = logging.getLogger(__name__)


def serve_from_workers(settings: Settings, catalog: Catalog, ready: Callable[[str], None]) -> bool:
    """Supervise the workers until stopped. Returns False if one failed. The database is migrated here, once.

    `ready` is called with the address. A worker gets the settings through the pipe that starts it, so that no secret is in
    its arguments or its environment.
    """
    if settings.database.url.reveal() in ("sqlite://", "sqlite:///:memory:"):
        raise SettingsError("several workers cannot share a database in memory; use sqlite:///FILE, or --workers 1")
    allow_connections(settings)
    asyncio.run(_migrate(settings, catalog))
    config = server_config(partial(worker_app, settings), settings, factory=True)
    with listen(settings.server.host, settings.server.port) as listening:
        ready(address_of(listening))
        supervisor = Multiprocess(config, [listening])
        supervisor.run()
    # A negative exit code is a signal: the supervisor replaces such a worker, unless it is stopping too.
    return not any((process.exitcode or 0) > 0 for process in supervisor.processes)


async def _migrate(settings: Settings, catalog: Catalog) -> None:
    async with serving(settings, catalog):
        return


def worker_app(settings: Settings) -> Application:
    """The application of one worker, made in its own process. On shutdown it finishes queued writes and closes the database."""
    log_to_stderr(settings.log.level)
    end_with_parent()
    try:
        catalog = read_catalog(settings.catalog.file)
        store = open_store(settings.database.url.reveal(), settings.database.connections)
        laurels = laurels_over(store, settings, catalog)
    except LaurelsError as error:
        log.error("a worker cannot start: %s", error)  # noqa: TRY400  # the message is enough
        sys.exit(STARTUP_FAILURE)
    app = create_app(laurels, settings, laurels.close)
    quiet_collector()
    return app
