"""Runs the server in this process, for `laurels serve` and `laurels demo`; the socket, the logs, the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from uvicorn import Server

from laurels.errors import SettingsError
from laurels.server.app import create_app
from laurels.server.gate import SPARE_CONNECTIONS, GateConfig
from laurels.service.laurels import Laurels
from laurels.settings import Settings

BACKLOG = 2048
NEW_OBJECTS = 50_000
"""How many new objects start a garbage collection; a few megabytes."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle. Longer than the minute of common proxies, which would else reuse a closed connection."""

SPARE_FILES = 100
"""The most files that a process has open besides its connections."""

DRAIN_SECONDS = 30
"""How long running requests may take to finish when the server stops."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Connections wait in it until a server accepts them.

    Raises SettingsError if the port is taken, or the address is not one of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        fix = "choose another with --port, or 0 for a free one" if host in ("127.0.0.1", "::1", "localhost") else ""
        reason = f"cannot listen on {host}, port {port}: {error.strerror or error}"
        raise SettingsError(f"{reason}; {fix}" if fix else reason) from error
    listening.set_inheritable(True)
    return listening


def is_free(host: str, port: int) -> bool:
    """Whether the port is free now."""
    try:
        listen(host, port).close()
    except SettingsError:
        return False
    return True


def address_of(listening: socket.socket) -> str:
    """The address to open in a browser; the local one for a socket that listens on all addresses."""
    host, port = str(listening.getsockname()[0]), int(listening.getsockname()[1])
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_config(app: Callable[..., object] | str, settings: Settings, *, factory: bool = False) -> GateConfig:
    """How uvicorn runs the application."""
    return GateConfig(
        app,
        factory=factory,
        host=settings.server.host,
        port=settings.server.port,
        workers=settings.server.workers,
        loop="auto" if sys.platform == "win32" else "uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        connections_limit=settings.limits.requests + settings.limits.streams,
        receive_seconds=settings.server.receive_seconds,
    )


def allow_connections(settings: Settings) -> None:
    """Raise the limit of open files to the number of connections, as far as the system allows, also for child processes."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # not on Windows

    needed = settings.limits.requests + settings.limits.streams + SPARE_CONNECTIONS + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < needed:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else min(needed, hard), hard)
        )


def quiet_collector() -> None:
    """Run the garbage collector less often, and exclude from it what exists before the first request.

    With its defaults it took 7 to 10 % of the time of a server that writes events; no hot path makes reference cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


Ready = Callable[[Laurels, str], Awaitable[None]]
"""Called when requests are accepted, with the facade and the address."""


def serve_until_stopped(
    opened: AbstractAsyncContextManager[Laurels], settings: Settings, ready: Ready, *, playground: str | None = None
) -> None:
    """Serve from this process until SIGINT or SIGTERM; then finish running requests and queued writes, and close the database.

    `playground` is the key of a demo's playground.
    """

    async def run() -> None:
        async with opened as laurels:
            with listen(settings.server.host, settings.server.port) as listening:
                server = _Server(server_config(create_app(laurels, settings, playground=playground), settings))
                quiet_collector()
                server.when_ready = partial(ready, laurels, address_of(listening))
                await server.serve([listening])

    allow_connections(settings)
    with asyncio.Runner(loop_factory=server_config("", settings).get_loop_factory()) as runner:
        runner.run(run())


class _Server(Server):
    """A uvicorn server that calls `when_ready`, and that returns when a signal stops it.

    Without this, uvicorn raises the signal again, which would kill the process before the database is closed.
    """

    when_ready: Callable[[], Awaitable[None]]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self.when_ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


class JsonLines(logging.Formatter):
    """Each record as one JSON object; the fields of a security event are members of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: Mapping[str, str] = getattr(record, "fields", {})
        line = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({**line, **fields})


def log_to_stderr(level: str, form: Literal["text", "json"] = "text") -> None:
    """Log to standard error: Laurels from `level` on, uvicorn from warnings on. `form`: as text, or as JSON lines."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    if form == "json":
        logging.getLogger().handlers[0].setFormatter(JsonLines())
    logging.getLogger("uvicorn").setLevel("DEBUG" if level == "debug" else "WARNING")
