"""A server in a process of its own: `python -m bench.serve laurels DATABASE STATS` or `... floor BODY`.

It pins itself to one processor, listens on a free port of the loopback, prints the port, and serves until it is told to
end. Both applications run under the same server, set up as `laurels serve` does it.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from uvicorn import Server

from bench.community import NOON
from bench.machine import pin, processors
from laurels.app import Laurels, utc_now
from laurels.cli.serving import quiet_collector, server_config
from laurels.http.profile import PRIVATE
from laurels.http.server import create_app
from laurels.settings import Settings
from laurels.storage import open_store
from laurels.storage.base import Asked, Decide, Ranks

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def bare(body: bytes) -> Application:
    """Answers every request with the same bytes and headers as a profile, and does nothing else."""
    headers = [*PRIVATE, (b"content-length", b"%d" % len(body))]

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def _live(receive: Any, send: Any) -> None:
    """Say yes to the beginning and to the end."""
    for moment in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{moment}.complete"})


def product(database: Path, stats: Path) -> Application:
    """Laurels as it is served, at noon of the community's day. When it ends, it writes the sizes of its transactions."""
    store = open_store(f"sqlite:///{database}")
    started = utc_now()
    laurels = Laurels(store, clock=lambda: NOON + (utc_now() - started))
    sizes: list[int] = []
    change = store.change

    async def counted(asked: Asked, decide: Decide) -> Mapping[str, Ranks]:
        sizes.append(len(asked.events))
        return await change(asked, decide)

    async def close() -> None:
        await laurels.close()
        _write(stats, sizes)

    store.change = counted  # type: ignore[method-assign]
    return create_app(laurels, Settings(), close)


def _write(stats: Path, sizes: list[int]) -> None:
    stats.write_text(json.dumps(sizes), "utf-8")


def main(kind: str, *arguments: str) -> None:
    """Serve until a signal says to end."""
    pin(processors()[0])
    paths = [Path(argument) for argument in arguments]
    app = product(paths[0], paths[1]) if kind == "laurels" else bare(paths[0].read_bytes())
    quiet_collector()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    Server(server_config(app, Settings())).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
