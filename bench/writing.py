"""The cost of writing: single events and batches, one user with all events, an import, and reads while events are written."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench import pgbench
from bench.community import NOON, Community, community
from bench.engines import Engine, Site
from bench.figures import Figure
from bench.load import MIXED, POST, Load, Server, put_load, serving
from bench.options import Options
from bench.reading import BARE, BODY, read_script, typical_profile
from bench.replay import replay_apart, traced
from bench.serve import SIZES
from bench.steady import measure as measure_steadily
from bench.stream import as_bodies, stream, user_ids, write_bodies
from laurels.engine.events import Event
from laurels.engine.judge import judge
from laurels.http.events import PATH
from laurels.http.profile import PATH as PROFILE_PATH
from laurels.service.laurels import Laurels

JUDGED = 10_000
SAME_SQL = "a bare loop that issues the same SQL through the same driver, in transactions of the same sizes"
PGBENCH = "`pgbench`, 64 clients, a transaction for each event: lock and read the user, look for the event, write both"
FLOOR_EVENTS = 8_000
"""How many events of a run the floor replays; its rate does not depend on the number."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way of sending events: how many to a request, on how many connections, of how many users (0: all of them)."""

    name: str
    size: int
    connections: int
    events_per_second: int
    aim: float | None
    users: int = 0


SINGLES = Way("single events, 64 clients", 1, 64, 16_000, 0.5)
BATCHES = Way("events in batches of 500", 500, 4, 32_000, 0.7)
AIM_OF_BATCHES_ON_POSTGRESQL = 0.6
HOT = Way("single events of one user, 64 clients", 1, 64, 16_000, None, 1)


def singles(site: Site, options: Options) -> list[Figure]:
    """One event to a request, 64 clients at once; then two workers, and the latency at half of the rate."""
    figures = _writes(SINGLES, site, options)
    if site.is_postgresql and pgbench.is_there():
        figure = site.figure("single events, against `pgbench`", "/s", PGBENCH)
        for rate in figures[0].ours:
            figure.add(rate, pgbench.transactions(site.copy("ours"), pgbench.WRITE, 64, options.seconds))
        figures.append(figure)
    return [*figures, _by_two(SINGLES, site, options, figures[0]), *_steady(site, options, median(figures[0].ours) / 2)]


def batches(site: Site, options: Options) -> list[Figure]:
    """500 events to a request."""
    way = replace(BATCHES, aim=AIM_OF_BATCHES_ON_POSTGRESQL) if site.is_postgresql else BATCHES
    return _writes(way, site, options)


def hot(site: Site, options: Options) -> list[Figure]:
    """All events are of one user, so each changes the same row."""
    figures = _writes(HOT, site, options)
    return [*figures, _by_two(HOT, site, options, figures[0])]


def _writes(way: Way, site: Site, options: Options) -> list[Figure]:
    """A first run shows how large the transactions are; then the bare loop and Laurels take turns.

    Each run has different events. The bare loop writes into a copy with the same earlier events as the one in which they were
    traced, so that every statement finds the same rows.
    """
    figure = site.figure(way.name, "/s", SAME_SQL, way.aim)
    per_transaction = site.figure(f"{way.name}: events to a transaction", "")
    parts = [_part(way, site, options.seconds, f"run {number}") for number in range(options.runs + 1)]
    with serving("laurels", site.copy("ours"), site.folder) as server:
        _checked(way, site, server, parts[0], options.seconds)
    sizes = json.loads((site.folder / SIZES).read_text("utf-8"))
    per_transaction.add(sum(sizes) / len(sizes))
    sizes = _first(sizes, FLOOR_EVENTS)
    steps = traced(site.copy("traced"), parts[1:], sizes)
    with serving("laurels", site.copy("ours"), site.folder) as server:
        for part, of_part in zip(parts[1:], steps, strict=True):
            (site.folder / "steps").write_bytes(pickle.dumps(of_part))
            floor = sum(sizes) / replay_apart(site.copy("floor"), site.folder / "steps")
            figure.add(_checked(way, site, server, part, options.seconds).per_second * way.size, floor)
    return [figure, per_transaction]


def _part(way: Way, site: Site, seconds: float, name: str) -> list[Event]:
    """Enough events for a run."""
    users = site.user_ids[: way.users] if way.users else site.user_ids
    return list(stream(users, int(way.events_per_second * seconds), f"{way.name}: {name}"))


def _first(sizes: Sequence[int], events: int) -> list[int]:
    """The first transactions that together have this many events; at least one."""
    taken: list[int] = []
    for size in sizes:
        if sum(taken) >= events:
            break
        taken.append(size)
    return taken


def _checked(way: Way, site: Site, server: Server, part: Sequence[Event], seconds: float) -> Load:
    """Send these events to a server on a copy of the site; all acknowledged ones must be stored."""
    bodies = site.folder / "bodies"
    write_bodies(bodies, part, way.size)
    before = _events_in(site)
    load = put_load(
        server, POST % {"key": site.community.key, "bodies": bodies, "path": PATH}, seconds, way.connections
    )
    recorded = _events_in(site) - before
    if recorded < load.requests * way.size:
        raise RuntimeError(
            f"{load.requests * way.size} events were acknowledged and {recorded} are stored; make the stream longer"
        )
    return load


def _events_in(site: Site) -> int:
    async def count() -> int:
        async with Laurels.open(site.copy("ours")) as laurels:
            return (await laurels.store.counts()).events

    return asyncio.run(count())


def _by_two(way: Way, site: Site, options: Options, by_one: Figure) -> Figure:
    """The same with two workers, with the load generator and the database on the same two processors."""
    figure = site.figure(f"{way.name}, two workers", "/s", "one worker in the same run, on one processor alone")
    with serving("laurels", site.copy("ours"), site.folder, 2) as server:
        for number, one in enumerate(by_one.ours):
            part = _part(way, site, options.seconds, f"two workers, run {number}")
            figure.add(_checked(way, site, server, part, options.seconds).per_second * way.size, one)
    return figure


def _steady(site: Site, options: Options, rate: float) -> list[Figure]:
    """The latency of single events at a steady rate; the schedule continues while an event waits."""
    middle = site.figure("single event at half of one worker's peak: p50", "ms")
    worst = site.figure("single event at half of one worker's peak: p99", "ms")
    head = f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {site.community.key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    seconds = max(options.seconds, 2)
    with serving("laurels", site.copy("ours"), site.folder) as server:
        for number in range(options.starts):
            part = stream(site.user_ids, int(rate * seconds), f"steady {number}")
            requests = [(head % len(body)).encode() + body for body in as_bodies(part, 1)]
            found = measure_steadily(server.port, rate, seconds, requests, site.folder)
            middle.add(found.p50)
            worst.add(found.p99)
    return [middle, worst]


def mixed(site: Site, options: Options) -> list[Figure]:
    """Nine profile reads to one event, on the same worker."""
    one = site.community
    figure = site.figure("nine profile reads to one event, 64 clients", "/s", BARE)
    words = {"key": one.key, "tokens": one.tokens_file, "bodies": site.folder / "bodies"}
    script = MIXED % {**words, "path": PATH, "read_path": PROFILE_PATH, "reads": 0.9}
    with serving("laurels", site.copy("ours"), site.folder) as server:
        (site.folder / BODY).write_bytes(typical_profile(one, server))
        with serving("floor", str(site.folder / BODY), site.folder) as bare:
            for number in range(options.runs):
                part = stream(site.user_ids, int(5_000 * options.seconds), f"mixed {number}")
                write_bodies(site.folder / "bodies", list(part), 1)
                floor = put_load(bare, read_script(one), options.seconds, 64).per_second
                figure.add(put_load(server, script, options.seconds, 64).per_second, floor)
    return [figure]


def importing(engine: Engine, options: Options) -> list[Figure]:
    """An import of a history into an empty database by `laurels record`, on all processors."""
    figure = Figure(f"import of {options.imported:,} events by `laurels record`", "/s", engine=engine.name)
    one = community(JUDGED)
    with tempfile.TemporaryDirectory() as name, engine.empty() as address:
        file = Path(name) / "events.jsonl"
        write_bodies(file, list(stream(user_ids(one.database), options.imported)), 1)
        command = [sys.executable, "-m", "laurels", "record", str(file), "--any-age", "--json", "--database", address]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=True)
        figure.add(options.imported / (time.perf_counter() - start))
    assert json.loads(done.stdout)["recorded"] == options.imported
    return [figure]


# ---- without a database -----------------------------------------------------------------------


def judging(options: Options) -> list[Figure]:
    """The engine alone: decisions per second, for users with a history."""
    figure = Figure("judge alone", "events/s", aim=100_000)
    one = community(JUDGED)
    users = user_ids(one.database)[:1000]
    events = list(stream(users, 100_000))
    for _ in range(options.runs):
        figure.add(asyncio.run(_judge(one, users, events)))
    return [figure]


async def _judge(one: Community, users: Sequence[str], events: Sequence[Event]) -> float:
    async with Laurels.open(f"sqlite:///{one.database}", clock=lambda: NOON) as laurels:
        rows = [await laurels.store.user(user_id) for user_id in users]
    progress = {row.user_id: row.progress for row in rows if row}
    dated = [_dated(event, progress[event.user_id].zones.day(event.occurred_at or NOON)) for event in events]
    today = {user_id: one.zones.day(NOON) for user_id, one in progress.items()}
    start = time.perf_counter()
    for event in dated:
        user_id = event.user_id
        progress[user_id] = judge(laurels.catalog, progress[user_id], event, today[user_id]).progress
    return len(events) / (time.perf_counter() - start)


def _dated(event: Event, day: int) -> Event:
    return Event(event.user_id, event.id, event.type, event.occurred_at, event.quantity, event.data, day)
