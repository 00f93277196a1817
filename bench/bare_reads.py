"""A floor of reading on PostgreSQL: the statements of a profile through the same driver, without anything else.

`python -m bench.bare_reads ADDRESS SECONDS` looks up a session and then reads a view, one user after the other, on
each of several connections at once, and prints how many users it read per second. It reads each user with own statements;
Laurels lets waiting requests share a statement, so it may be faster than this floor.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time

import asyncpg
import uvloop

from bench.community import SEED
from bench.machine import pin, processors
from laurels.present.profiles import RANKED_IN_PROFILE
from laurels.storage.contract import ALL_TIME, CONNECTIONS, POINTS_BOARD
from laurels.storage.postgres.access import SESSION_ENDS
from laurels.storage.postgres.records import PROFILES


async def measure(address: str, seconds: float) -> float:
    """Users read per second."""
    pool = await asyncpg.create_pool(
        address, min_size=CONNECTIONS, max_size=CONNECTIONS, server_settings={"search_path": "laurels", "jit": "off"}
    )
    people = [tuple(row) for row in await pool.fetch("SELECT user_id, token_hash FROM bench.people")]
    connections = [await pool.acquire() for _ in range(CONNECTIONS)]
    await asyncio.gather(
        *(_read(one, people, time.perf_counter() + 0.3) for one in connections)
    )  # the statements' plans
    start = time.perf_counter()
    counts = await asyncio.gather(*(_read(one, people, start + seconds) for one in connections))
    rate = sum(counts) / (time.perf_counter() - start)
    pool.terminate()
    return rate


async def _read(connection: asyncpg.pool.PoolConnectionProxy, people: list[tuple[str, bytes]], until: float) -> int:
    rng, count, view = random.Random(SEED), 0, PROFILES % RANKED_IN_PROFILE
    while time.perf_counter() < until:
        user_id, token_hash = rng.choice(people)
        (session,) = await connection.fetch(SESSION_ENDS, [user_id], [token_hash])
        found = await connection.fetch(view, POINTS_BOARD, ALL_TIME, [user_id])
        assert session["user_id"] == found[0]["user_id"]
        count += 1
    return count


def measure_apart(address: str, seconds: float) -> float:
    """`measure` in a separate process, on the processor where the server runs."""
    command = [sys.executable, "-m", "bench.bare_reads", address, str(seconds)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout)


if __name__ == "__main__":
    pin(processors()[0])
    print(uvloop.run(measure(sys.argv[1], float(sys.argv[2]))))
