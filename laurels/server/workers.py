"""Serves from several worker processes, under a supervisor that replaces each that dies."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from laurels.engine.catalog import Catalog
from laurels.errors import LaurelsError, SettingsError
from laurels.http.responses import Application
from laurels.server.app import create_app
from laurels.server.run import address_of, allow_connections, listen, log_to_stderr, quiet_collector, server_config
from laurels.service.opening import given_catalog, laurels_over, serving, store_of
from laurels.service.processes import end_with_parent
from laurels.service.rules import OnDifference
from laurels.settings import Settings
from laurels.storage import is_in_memory

log = logging.getLogger(__name__)

STEADY_SECONDS = 60
"""A worker that ends sooner than this after its start counts as a crash."""

START_SECONDS = 60
"""How long a worker may take to answer for the first time: on a slow or busy machine, its imports take many seconds."""

LONGEST_WAIT = 30
"""The most seconds that a worker is missing before it is replaced."""


def serve_from_workers(
    settings: Settings, catalog: Catalog | None, ready: Callable[[str], None], on_difference: OnDifference = "follow"
) -> bool:
    """Supervise the workers until stopped. Returns False if one failed. The database is migrated here, once.

    `ready` is called with the address. A worker gets the settings through the pipe that starts it, so that no secret is in
    its arguments or its environment.
    """
    if is_in_memory(settings.database.url.reveal()):
        raise SettingsError("several workers cannot share a database in memory; use sqlite:///FILE, or --workers 1")
    allow_connections(settings)
    asyncio.run(_migrate(settings, catalog, on_difference))
    config = server_config(partial(worker_app, settings), settings, factory=True)
    with listen(settings.server.host, settings.server.port) as listening:
        ready(address_of(listening))
        supervisor = Supervisor(config, [listening])
        supervisor.run()
    # A negative exit code is a signal: the supervisor replaces such a worker, unless it is stopping too.
    return not any((process.exitcode or 0) > 0 for process in supervisor.processes)


@dataclass(slots=True)
class _Life:
    """What is known of one worker.

    `crashes`: how many in a row, up to its predecessor, ended soon after their start. `has_answered`: whether it has started.
    """

    begun: float
    crashes: int = 0
    has_answered: bool = False
    replace_at: float | None = None


class Supervisor(Multiprocess):
    """Replaces each worker that ends or hangs, with a line in the log.

    The first is replaced at once. Each further one that ends soon after its start is replaced after twice the time of the one
    before, up to LONGEST_WAIT, so that what fails again and again costs little.
    """

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._lives: dict[Process, _Life] = {}

    def keep_subprocess_alive(self) -> None:
        """Check all workers; called twice a second."""
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            life = self._lives.setdefault(worker, _Life(time.monotonic()))
            if life.replace_at is not None:
                if time.monotonic() >= life.replace_at:
                    self._replace(place, life)
            elif worker.is_alive(timeout=self.config.timeout_worker_healthcheck):
                life.has_answered = True
            elif life.has_answered or worker.exitcode is not None or time.monotonic() > life.begun + START_SECONDS:
                self._end(worker, life)
        self._lives = {worker: life for worker, life in self._lives.items() if worker in self.processes}

    def _end(self, worker: Process, life: _Life) -> None:
        """End a worker that does not answer, and decide when it is replaced."""
        hung = worker.exitcode is None
        worker.kill()
        worker.join()
        if worker.exitcode == STARTUP_FAILURE and not life.crashes:
            log.error("worker %s could not start, so the server stops", worker.pid)
            self.should_exit.set()
            return
        now = time.monotonic()
        life.crashes = life.crashes + 1 if now - life.begun < STEADY_SECONDS else 1
        wait = min(2 ** (life.crashes - 2), LONGEST_WAIT) if life.crashes > 1 else 0
        life.replace_at = now + wait
        reason = "hung and was killed" if hung else _ending(worker.exitcode or 0)
        log.warning("worker %s %s; it is replaced %s", worker.pid, reason, f"in {wait} s" if wait else "now")

    def _replace(self, place: int, life: _Life) -> None:
        worker = Process(self.config, self.sockets)
        worker.start()
        self.processes[place] = worker
        self._lives[worker] = _Life(time.monotonic(), life.crashes)


def _ending(code: int) -> str:
    """How a process ended, in words: 'was ended by SIGKILL'."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


async def _migrate(settings: Settings, catalog: Catalog | None, on_difference: OnDifference) -> None:
    async with serving(settings, catalog, on_difference):
        return


def worker_app(settings: Settings) -> Application:
    """The application of one worker, made in its own process. On shutdown it finishes queued writes and closes the database."""
    log_to_stderr(settings.log.level, settings.log.format)
    end_with_parent()
    try:
        catalog = given_catalog(settings.catalog.file)
        laurels = laurels_over(store_of(settings.database), settings, catalog, "follow", serves=True)
    except LaurelsError as error:
        log.error("a worker cannot start: %s", error)  # noqa: TRY400  # the message is enough
        sys.exit(STARTUP_FAILURE)
    app = create_app(laurels, settings, laurels.close)
    quiet_collector()
    return app
