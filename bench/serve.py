"""A server in separate processes: `python -m bench.serve laurels ADDRESS NOTES WORKERS` or `... floor BODY NOTES WORKERS`.

One worker pins itself to one processor; several share all of them. It listens on a free port of the loopback, prints the
port, and serves until SIGTERM. Both applications run under the same server, configured as by `laurels serve`. In the folder
NOTES, each of several workers writes a file when it starts; a single worker of Laurels writes the sizes of its transactions when
it ends.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from uvicorn import Server
from uvicorn.supervisors import Multiprocess

from bench.community import NOON
from bench.machine import pin, processors
from laurels.engine.ranking import Ranks
from laurels.http.profile import PRIVATE
from laurels.http.responses import JSON
from laurels.server.app import create_app
from laurels.server.run import quiet_collector, server_config
from laurels.service.clock import utc_now
from laurels.service.laurels import Laurels
from laurels.settings import ServerSettings, Settings
from laurels.storage import open_store
from laurels.storage.contract import Decide, LoadRequest

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

ARGUMENTS = "LAURELS_BENCH_SERVE"
"""The environment variable with which the parent passes its arguments to its workers."""

SIZES = "sizes"
READY = "ready-"


def bare(body: bytes) -> Application:
    """Answers every request with the same bytes and headers as a profile, and does nothing else."""
    headers = [JSON, *PRIVATE, (b"content-length", b"%d" % len(body))]

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def _live(receive: Any, send: Any) -> None:
    """Acknowledge startup and shutdown."""
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


def product(address: str, notes: Path) -> Application:
    """The application of Laurels at NOON. At the end, it writes the sizes of its transactions."""
    store = open_store(address)
    started = utc_now()
    laurels = Laurels(store, clock=lambda: NOON + (utc_now() - started))
    sizes: list[int] = []
    change = store.change

    async def counted(asked: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        sizes.append(len(asked.events))
        return await change(asked, decide)

    async def close() -> None:
        await laurels.close()
        _write(notes / SIZES, sizes)

    store.change = counted  # type: ignore[method-assign]
    return create_app(laurels, Settings(), close)


def _write(file: Path, sizes: list[int]) -> None:
    file.write_text(json.dumps(sizes), "utf-8")


def application(kind: str, what: str, notes: str) -> Application:
    """The requested application."""
    app = product(what, Path(notes)) if kind == "laurels" else bare(Path(what).read_bytes())
    quiet_collector()
    return app


def worker_app() -> Application:
    """The application of one of several workers."""
    kind, what, notes = json.loads(os.environ[ARGUMENTS])
    app = application(kind, what, notes)
    (Path(notes) / f"{READY}{os.getpid()}").touch()
    return app


def main(kind: str, what: str, notes: str, workers: str) -> None:
    """Serve until a signal stops it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.set_inheritable(True)
    port = listener.getsockname()[1]
    if int(workers) == 1:
        pin(processors()[0])
        app = application(kind, what, notes)
        print(port, flush=True)
        Server(server_config(app, Settings())).run(sockets=[listener])
    else:
        os.environ[ARGUMENTS] = json.dumps([kind, what, notes])
        config = server_config(
            "bench.serve:worker_app", Settings(server=ServerSettings(workers=int(workers))), factory=True
        )
        print(port, flush=True)
        Multiprocess(config, [listener]).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
