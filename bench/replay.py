"""The floor of writing: exactly the SQL that Laurels issues for a stream of events, without anything else.

`traced` lets Laurels record the stream into a copy of the database, in transactions of given sizes, and logs every
statement with its parameters. `python -m bench.replay ADDRESS STEPS` issues the same statements again, on
another copy of the same database, in a bare loop through the same driver, and prints how many seconds that took: no HTTP,
no JSON, no decisions. Several parts of a stream are replayed in the order in which they were traced.
"""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import uvloop

from bench.community import NOON
from bench.machine import pin, processors
from laurels.engine.events import Event
from laurels.service.laurels import Laurels
from laurels.storage.sqlite import driver

Step = tuple[str, str, Any]
"""The driver's method, the statement, its parameters."""

_steps: list[Step] = []
"""The statements logged so far."""


class TracedSQLite(apsw.Connection):
    """A connection that logs the statements that it executes."""

    def execute(self, sql: str, parameters: Any = (), /) -> apsw.Cursor:
        """Log it, and execute it."""
        _steps.append(("execute", sql, parameters))
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> apsw.Cursor:
        """Log it, and execute it."""
        rows = list(parameters)
        _steps.append(("executemany", sql, rows))
        return super().executemany(sql, rows)


class TracedPostgreSQL(asyncpg.Connection):
    """The same for asyncpg."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """Log it, and execute it."""
        _steps.append(("execute", query, args))
        return await super().execute(query, *args, **options)

    async def fetch(self, query: str, *args: Any, **options: Any) -> list[Any]:
        """Log it, and execute it."""
        _steps.append(("fetch", query, args))
        return await super().fetch(query, *args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        """Log it, and execute it."""
        _steps.append(("fetchrow", query, args))
        return await super().fetchrow(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        """Log it, and execute it."""
        _steps.append(("fetchval", query, args))
        return await super().fetchval(query, *args, **options)


def traced(address: str, parts: Sequence[Sequence[Event]], sizes: Sequence[int]) -> list[list[Step]]:
    """Record each part's events in transactions of these sizes, and return every statement that each part took."""
    connection, create_pool = apsw.Connection, asyncpg.create_pool
    apsw.Connection = TracedSQLite  # type: ignore[misc]
    asyncpg.create_pool = lambda *given, **named: create_pool(*given, connection_class=TracedPostgreSQL, **named)  # type: ignore[assignment]
    try:
        return asyncio.run(_record(address, parts, sizes))
    finally:
        apsw.Connection, asyncpg.create_pool = connection, create_pool  # type: ignore[assignment,misc]


async def _record(address: str, parts: Sequence[Sequence[Event]], sizes: Sequence[int]) -> list[list[Step]]:
    """The statements of the writing connection; of SQLite's opening, only the settings, which each part needs again."""
    _steps.clear()
    found: list[list[Step]] = []
    async with Laurels.open(address, clock=lambda: NOON) as laurels:
        opening = {sql: (name, sql, given) for name, sql, given in _steps if sql.startswith("PRAGMA")}
        for part in parts:
            stream = iter(part)
            _steps.clear()
            for size in sizes:
                await laurels.record_many(list(islice(stream, size)))
            found.append([*opening.values(), *_steps])
    _steps.clear()
    return found


def replay(address: str, steps: Sequence[Step]) -> float:
    """Seconds that the statements take, without opening and closing."""
    if address.startswith("sqlite"):
        return _replay_on_sqlite(address.removeprefix("sqlite:///"), steps)
    return uvloop.run(_replay_on_postgresql(address, steps))


def _replay_on_sqlite(database: str, steps: Sequence[Step]) -> float:
    connection = driver.connect(Path(database))
    one, many = connection.execute, connection.executemany
    start = time.perf_counter()
    for name, sql, parameters in steps:
        if name == "executemany":
            many(sql, parameters)
        else:
            one(sql, parameters).fetchall()
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


async def _replay_on_postgresql(address: str, steps: Sequence[Step]) -> float:
    connection = await asyncpg.connect(address, server_settings={"search_path": "laurels", "jit": "off"})
    start = time.perf_counter()
    for name, sql, parameters in steps:
        await getattr(connection, name)(sql, *parameters)
    seconds = time.perf_counter() - start
    await connection.close()
    return seconds


def replay_apart(address: str, steps_file: Path) -> float:
    """`replay` in a separate process, on the processor where the server runs."""
    command = [sys.executable, "-m", "bench.replay", address, str(steps_file)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout)


if __name__ == "__main__":
    pin(processors()[0])
    print(replay(sys.argv[1], pickle.loads(Path(sys.argv[2]).read_bytes())))
