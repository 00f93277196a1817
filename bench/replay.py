"""The floor of writing: exactly the SQL that Laurels issues for a stream of events, with nothing around it.

`traced` lets Laurels itself record the stream into a copy of the database, in transactions of given sizes, and notes every
statement with its parameters as it goes by. `python -m bench.replay DATABASE STEPS` issues the same statements again, on
another copy of the same database, in a bare loop, and prints how many seconds that took: no HTTP, no JSON, no decisions.
"""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bench.community import NOON
from bench.machine import pin, processors
from laurels.app import Laurels
from laurels.engine.events import Event

Step = tuple[bool, str, Any]
"""Whether it is an `executemany`, the statement, its parameters."""


class Tracing(sqlite3.Connection):
    """A connection that notes what it is asked to execute."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.steps: list[Step] = []

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """As ever, and noted."""
        self.steps.append((False, sql, parameters))
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """As ever, and noted."""
        rows = list(parameters)
        self.steps.append((True, sql, rows))
        return super().executemany(sql, rows)


async def _record(database: Path, events: Sequence[Event], sizes: Sequence[int], opened: list[Tracing]) -> list[Step]:
    """The writing connection's statements for these events; of its opening, only the settings."""
    stream = iter(events)
    async with Laurels.open(f"sqlite:///{database}", clock=lambda: NOON) as laurels:
        writer = opened[0]
        settings = [step for step in writer.steps if step[1].startswith("PRAGMA")]
        writer.steps.clear()
        for size in sizes:
            await laurels.record_many(list(islice(stream, size)))
        return settings + writer.steps


def traced(database: Path, events: Sequence[Event], sizes: Sequence[int]) -> list[Step]:
    """Record the events in transactions of these sizes, and return every statement that this took."""
    opened: list[Tracing] = []
    connect = sqlite3.connect

    def tracing(*arguments: Any, **options: Any) -> Tracing:
        connection = connect(*arguments, factory=Tracing, **options)
        opened.append(connection)
        return connection

    sqlite3.connect = tracing  # type: ignore[assignment]
    try:
        return asyncio.run(_record(database, events, sizes, opened))
    finally:
        sqlite3.connect = connect


def replay(database: Path, steps: Sequence[Step]) -> float:
    """Seconds that the statements take, without opening and closing."""
    connection = sqlite3.connect(database, isolation_level=None, cached_statements=256)
    one, many = connection.execute, connection.executemany
    start = time.perf_counter()
    for is_many, sql, parameters in steps:
        if is_many:
            many(sql, parameters)
        else:
            one(sql, parameters).fetchall()
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def replay_apart(database: Path, steps_file: Path) -> float:
    """`replay` in a process of its own, on the processor where the server runs."""
    command = [sys.executable, "-m", "bench.replay", str(database), str(steps_file)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout)


if __name__ == "__main__":
    pin(processors()[0])
    print(replay(Path(sys.argv[1]), pickle.loads(Path(sys.argv[2]).read_bytes())))
