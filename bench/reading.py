"""The cost of reading: profiles over HTTP at the peak and at half of it, and from a cold start."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median

from bench import bare_reads, pgbench
from bench.community import SEED, Community
from bench.engines import Site
from bench.figures import Figure
from bench.load import READ, Server, put_load, serving
from bench.machine import memory_of
from bench.options import Options
from bench.steady import measure as measure_steadily
from laurels.http.profile import PATH

CONNECTIONS = 32
SAMPLE = 101
BODY = "body"

BARE = "a bare ASGI app that answers the same bytes under the same server"
BARE_SQL = (
    "a bare loop through the same driver: a session, then a view, one user after the other on each of 8 connections"
)
PGBENCH = "`pgbench`, 8 clients, with a session, a user and ten lines of the board as separate statements"


def profiles(site: Site, options: Options) -> list[Figure]:
    """Profile reads of one worker, against each floor, run by run; then the latency at half of that rate, and the memory."""
    reads = site.figure("profile reads, one worker", "/s", BARE, 0.30)
    times = site.figure("processor time of the worker for one", "µs", BARE)
    floors = _floors_of_sql(site, options)
    with serving("laurels", site.address, site.folder) as server:
        (site.folder / BODY).write_bytes(typical_profile(site.community, server))
        with serving("floor", str(site.folder / BODY), site.folder) as bare:
            put_load(server, read_script(site.community), 1, CONNECTIONS)
            for _ in range(options.runs):
                floor = put_load(bare, read_script(site.community), options.seconds, CONNECTIONS)
                ours = put_load(server, read_script(site.community), options.seconds, CONNECTIONS)
                reads.add(ours.per_second, floor.per_second)
                times.add(ours.microseconds_each, floor.microseconds_each)
                for figure, measure in floors:
                    figure.add(ours.per_second, measure())
        memory = site.figure("memory of that worker", "MB")
        memory.add(memory_of(server.pid).own)
        latency = steady_reads(site, server, median(reads.ours) / 2, options)
    return [reads, times, *(figure for figure, _ in floors), *latency, memory]


def _floors_of_sql(site: Site, options: Options) -> list[tuple[Figure, Callable[[], float]]]:
    """Figures against SQL alone; not on SQLite, where a read has very little SQL."""
    if not site.is_postgresql:
        return []
    seconds = options.seconds
    sql = site.figure("profile reads, against bare SQL", "/s", BARE_SQL, 0.5)
    found: list[tuple[Figure, Callable[[], float]]] = [(sql, lambda: bare_reads.measure_apart(site.address, seconds))]
    if pgbench.is_there():
        figure = site.figure("profile reads, against `pgbench`", "/s", PGBENCH)
        found.append((figure, lambda: pgbench.transactions(site.address, pgbench.READ, 8, seconds)))
    return found


def by_two(site: Site, options: Options) -> list[Figure]:
    """Profile reads of two workers, with the load generator and the database on the same two processors."""
    figure = site.figure("profile reads, two workers", "/s", f"{BARE}, with two workers, too")
    script = read_script(site.community)
    with serving("laurels", site.address, site.folder, 2) as server:
        (site.folder / BODY).write_bytes(typical_profile(site.community, server))
        with serving("floor", str(site.folder / BODY), site.folder, 2) as bare:
            put_load(server, script, 1, CONNECTIONS)
            for _ in range(options.runs):
                floor = put_load(bare, script, options.seconds, CONNECTIONS).per_second
                figure.add(put_load(server, script, options.seconds, CONNECTIONS).per_second, floor)
    return [figure]


def steady_reads(site: Site, server: Server, rate: float, options: Options) -> list[Figure]:
    """The latency of profiles at a steady rate; the schedule continues while a request waits."""
    middle = site.figure("profile at half of one worker's peak: p50", "ms")
    worst = site.figure("profile at half of one worker's peak: p99", "ms", "", 20, most=True)
    requests = [
        f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nCookie: laurels-session={token}\r\n\r\n".encode()
        for token in site.community.tokens()
    ]
    rng, seconds = random.Random(SEED), max(options.seconds, 2)
    for _ in range(options.starts):
        drawn = rng.choices(requests, k=int(rate * seconds))
        found = measure_steadily(server.port, rate, seconds, drawn, site.folder)
        middle.add(found.p50)
        worst.add(found.p99)
    return [middle, worst]


def cold_starts(site: Site, options: Options) -> list[Figure]:
    """From the start of the process to its first profile; the caches of the system and of the database's server are warm."""
    figure = site.figure("cold start: from the process's start to its first profile", "s")
    for _ in range(options.starts):
        start = time.perf_counter()
        with serving("laurels", site.address, site.folder) as server:
            server.get(PATH, cookie(site.community))
            figure.add(time.perf_counter() - start)
    return [figure]


def read_script(one: Community, path: str = PATH) -> str:
    """Load that reads the profiles of random users."""
    return READ % {"tokens": one.tokens_file, "path": path}


def cookie(one: Community) -> dict[str, str]:
    """The session token of a random user."""
    return {"Cookie": f"laurels-session={one.tokens()[0]}"}


def typical_profile(one: Community, server: Server) -> bytes:
    """The profile of median length among those of some random users."""
    rng = random.Random(SEED)
    tokens = rng.sample(one.tokens(), SAMPLE)
    bodies = [server.get(PATH, {"Cookie": f"laurels-session={token}"}) for token in tokens]
    return sorted(bodies, key=len)[SAMPLE // 2]
