"""What reading costs: profiles over HTTP, exact ranks, and what a worker holds in memory while it serves."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from statistics import median

from bench.community import NOON, SEED, Community, community
from bench.figures import Figure
from bench.load import READ, Server, put_load, serving
from bench.machine import memory_of
from bench.options import Options
from laurels.app import Laurels
from laurels.engine.leaderboards import Place
from laurels.http.profile import PATH
from laurels.storage.base import ALL_TIME, POINTS_BOARD

CONNECTIONS = 32
SAMPLE = 101

BARE = "a bare ASGI app that answers the same bytes under the same server"


def profiles(options: Options) -> list[Figure]:
    """Profile reads of one worker at each size, against the bare app, run by run; then the memory of each worker."""
    communities = [community(users) for users in options.users]
    reads = [Figure(f"profile reads, {one.users:,} users", "/s", BARE, 0.30) for one in communities]
    times = [Figure(f"processor time of a read, {one.users:,} users", "µs", BARE) for one in communities]
    memory = [Figure(f"memory of that worker, {one.users:,} users", "MB") for one in communities]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = [stack.enter_context(_laurels(one, folder)) for one in communities]
        bare = stack.enter_context(_bare(communities[0], servers[0], folder))
        scripts = [read_script(one) for one in communities]
        for server, script in zip(servers, scripts, strict=True):
            put_load(server, script, 1, CONNECTIONS)
        for _ in range(options.runs):
            floor = put_load(bare, scripts[0], options.seconds, CONNECTIONS)
            for index, server in enumerate(servers):
                ours = put_load(server, scripts[index], options.seconds, CONNECTIONS)
                reads[index].add(ours.per_second, floor.per_second)
                times[index].add(ours.microseconds_each, floor.microseconds_each)
        for figure, server in zip(memory, servers, strict=True):
            figure.add(memory_of(server.pid).own)
    return [*reads, *_growth(reads, communities), *times, *memory]


def framework(options: Options) -> list[Figure]:
    """The same profile through the framework's handler: with a slash at its end, the address misses the hot lane."""
    one = community(options.users[0])
    against = "the same profile in the hot lane"
    figures = [Figure("profile by the framework's handler", "/s", against), Figure("its processor time", "µs", against)]
    with tempfile.TemporaryDirectory() as folder, _laurels(one, folder) as server:
        assert server.get(PATH, cookie(one)) == server.get(PATH + "/", cookie(one))
        put_load(server, read_script(one, PATH + "/"), 1, CONNECTIONS)
        for _ in range(options.runs):
            lane = put_load(server, read_script(one), options.seconds, CONNECTIONS)
            handler = put_load(server, read_script(one, PATH + "/"), options.seconds, CONNECTIONS)
            figures[0].add(handler.per_second, lane.per_second)
            figures[1].add(handler.microseconds_each, lane.microseconds_each)
    return figures


def _laurels(one: Community, folder: str) -> AbstractContextManager[Server]:
    """A server of this community."""
    return serving("laurels", one.database, Path(folder) / f"stats-{one.users}")


def _bare(one: Community, server: Server, folder: str) -> AbstractContextManager[Server]:
    """A bare server whose only answer is a typical profile of this community."""
    body = Path(folder) / "body"
    body.write_bytes(typical_profile(one, server))
    return serving("floor", body)


def _growth(reads: list[Figure], communities: list[Community]) -> list[Figure]:
    """Each larger community against the smallest."""
    smallest = communities[0].users
    figures: list[Figure] = []
    for one, figure in list(zip(communities, reads, strict=True))[1:]:
        name = f"profile reads, {one.users:,} users against {smallest:,}"
        against = f"the reads at {smallest:,} users"
        figures.append(Figure(name, "/s", against, 0.90, list(figure.ours), list(reads[0].ours)))
    return figures


def read_script(one: Community, path: str = PATH) -> str:
    """Load that reads profiles of users drawn at random."""
    return READ % {"tokens": one.tokens_file, "path": path}


def cookie(one: Community) -> dict[str, str]:
    """The session of somebody."""
    return {"Cookie": f"laurels-session={one.tokens()[0]}"}


def typical_profile(one: Community, server: Server) -> bytes:
    """The profile whose length is the median of some drawn at random."""
    rng = random.Random(SEED)
    tokens = rng.sample(one.tokens(), SAMPLE)
    bodies = [server.get(PATH, {"Cookie": f"laurels-session={token}"}) for token in tokens]
    return sorted(bodies, key=len)[SAMPLE // 2]


# ---- ranks ------------------------------------------------------------------------------------

COUNT = """
SELECT count(*) FROM standings
WHERE board = ? AND period = ? AND (sort_key, reached_at, user_id) < (?, ?, ?)
"""


def ranks(options: Options) -> list[Figure]:
    """An exact rank at the top, in the middle and at the bottom of the board, against counting everybody ahead."""
    figures: list[Figure] = []
    for users in options.users:
        figures += asyncio.run(_ranks(community(users), options))
    return figures


async def _ranks(one: Community, options: Options) -> list[Figure]:
    counting = sqlite3.connect(one.database)
    figures: list[Figure] = []
    async with Laurels.open(f"sqlite:///{one.database}", clock=lambda: NOON) as laurels:
        for where, place in _places(counting).items():
            figure = Figure(f"exact rank, {where} of {one.users:,}", "µs", "one count(*) over everybody ahead")
            for _ in range(options.runs):
                floor = _microseconds(lambda place=place: _count(counting, place), 3)
                start = time.perf_counter()
                for _ in range(200):
                    rank = (await laurels.store.rank(place.user_id))[0]
                figure.add((time.perf_counter() - start) / 200 * 1e6, floor)
                assert rank == _count(counting, place) + 1
            figures.append(figure)
    counting.close()
    return figures


def _places(connection: sqlite3.Connection) -> dict[str, Place]:
    """The first, the middle and the last place of the board."""
    (ranked,) = connection.execute("SELECT count(*) FROM standings").fetchone()
    find = "SELECT sort_key, reached_at, user_id FROM standings WHERE board = ? AND period = ? ORDER BY 1, 2, 3 LIMIT 1 OFFSET ?"
    offsets = {"top": 0, "middle": ranked // 2, "bottom": ranked - 1}
    return {
        where: Place(*connection.execute(find, (POINTS_BOARD, ALL_TIME, offset)).fetchone())
        for where, offset in offsets.items()
    }


def _count(connection: sqlite3.Connection, place: Place) -> int:
    values = (POINTS_BOARD, ALL_TIME, place.sort_key, place.reached_at, place.user_id)
    return connection.execute(COUNT, values).fetchone()[0]


def _microseconds(work: Callable[[], object], times: int) -> float:
    """How long one call takes, the median of a few."""
    taken: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1e6)
    return median(taken)
