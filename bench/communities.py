"""What one more community in a schema of its own costs a PostgreSQL database: `python -m bench.communities`.

Figures of docs/scaling.md. The schemas are made in a database that is dropped at the end. Not part of `make bench`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence

import asyncpg

from bench import postgres
from laurels.engine.events import Event
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.contract import Store

DATABASE = "laurels_communities"
NUMBERS = (1, 10, 50)
ROUNDS = 7
EVENTS = 100
"""Events of a round, one after the other: all in one community, or in each community in turn."""

SCHEMA_BYTES = """
SELECT sum(pg_relation_size(oid))::bigint, count(*) FILTER (WHERE relkind = 'r'), count(*) FILTER (WHERE relkind = 'i')
FROM pg_class WHERE relkind IN ('r', 'i', 't') AND relnamespace = to_regnamespace($1)
"""
DATABASE_BYTES = "SELECT pg_database_size(current_database())"
CATALOG_BYTES = """
SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared
"""
CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'laurels%'"
)


async def measure() -> None:
    """Add communities step by step, and print the figures after each step."""
    address = postgres.database(DATABASE)
    stores: list[Store] = []
    connection = await asyncpg.connect(address)
    empty = await connection.fetchval(DATABASE_BYTES), await connection.fetchval(CATALOG_BYTES)
    say(f"an empty database: {kilobytes(empty[0])}, of which system catalogs {kilobytes(empty[1])}")
    for number in NUMBERS:
        seconds: list[float] = []
        while len(stores) < number:
            store = open_store(address, connections=1, schema=f"community_{len(stores)}")
            began = time.perf_counter()
            await store.migrate()
            seconds.append(time.perf_counter() - began)
            stores.append(store)
        await report(connection, stores, seconds, empty)
    for store in stores:
        await store.close()
    await connection.close()


async def report(
    connection: asyncpg.Connection, stores: Sequence[Store], seconds: Sequence[float], empty: Sequence[int]
) -> None:
    """Print the figures of this number of communities."""
    number = len(stores)
    grown = await connection.fetchval(DATABASE_BYTES) - empty[0], await connection.fetchval(CATALOG_BYTES) - empty[1]
    size, tables, indexes = await connection.fetchrow(SCHEMA_BYTES, f"community_{number - 1}")
    say(f"{number} communities:")
    say(f"  migrating one: median {statistics.median(seconds) * 1000:.0f} ms, slowest {max(seconds) * 1000:.0f} ms")
    say(f"  a schema: {tables} tables, {indexes} indexes, {kilobytes(size)} without users")
    say(
        f"  the database grew by {kilobytes(grown[0] / number)} for each, its system catalogs by {kilobytes(grown[1] / number)}"
    )
    ratios = await rates(stores)
    say(f"  connections with one for each community: {await connection.fetchval(CONNECTIONS)}")
    low, median, high = min(ratios), statistics.median(ratios), max(ratios)
    say(f"  an event when each goes to the next community, against one community: {median:.2f} ({low:.2f}..{high:.2f})")


async def rates(stores: Sequence[Store]) -> list[float]:
    """Seconds for EVENTS spread over all communities, divided by the seconds for as many in the first; interleaved."""
    homes = [Laurels(store) for store in stores]
    ratios: list[float] = []
    for turn in range(-1, ROUNDS):  # the first warms the connections up
        spread = await _record(
            [homes[number % len(homes)] for number in range(max(EVENTS, len(homes)))], f"s{len(homes)}-{turn}"
        )
        alone = await _record([homes[0]] * max(EVENTS, len(homes)), f"a{len(homes)}-{turn}")
        if turn >= 0:
            ratios.append(spread / alone)
    return ratios


async def _record(homes: Sequence[Laurels], name: str) -> float:
    began = time.perf_counter()
    for number, home in enumerate(homes):
        await home.record(Event("ada", f"{name}-{number}", "message.sent"))
    return time.perf_counter() - began


def kilobytes(size: float) -> str:
    """A number of bytes for people."""
    return f"{size / 1000:,.0f} kB"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def _main() -> None:
    drop = f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"
    await postgres.run(postgres.server(), drop, f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    try:
        await measure()
    finally:
        await postgres.run(postgres.server(), drop)


if __name__ == "__main__":
    with postgres.stopped_in_the_end():
        asyncio.run(_main())
