"""The cost of leaderboards in the storage: exact ranks, the first page, the lines around a user, and moving a user.

Client and server are on one machine, over unix sockets; SQLite has no server, and runs in the process. The floors
are bare SQL through the same driver, without any tallies, and a Redis sorted set of the same scores.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from typing import Any

import apsw
import asyncpg
import uvloop

from bench import redis
from bench.community import NOON, SEED
from bench.engines import Site
from bench.figures import Figure
from bench.options import Options
from laurels.commands.rank_changes import places_of
from laurels.engine.catalog import Catalog
from laurels.engine.ranking import Move, Place
from laurels.service.laurels import Laurels
from laurels.storage.codec import to_micros
from laurels.storage.contract import ALL_TIME, POINTS_BOARD, Changes, LeaderboardRequest, Loaded, LoadRequest

BOARD = (POINTS_BOARD, ALL_TIME)
PAGE = 10
AROUND = 11
SIDE = AROUND // 2
READS = 200
COUNTS = 3
"""Counting all users ahead takes long, so it is done less often."""

UPDATES = 100

COUNTING = "one count(*) over all users ahead"
BARE_QUESTION = "`SELECT 1` through the same driver"
BARE_PAGE = "a bare statement for the same lines through the same driver"
BARE_AROUND = "bare statements through the same driver: a count(*) over all users ahead, and the lines on both sides"
BARE_UPDATE = "a bare transaction through the same driver: lock and read the user, update both rows; without tallies"
RANK_AIM = 3
SORTED_SET = "of a Redis sorted set with the same scores, which is in memory only"

COUNT = """
SELECT count(*) FROM standings
WHERE board = $1 AND period = $2 AND (sort_key, reached_at, user_id) < ($3, $4, $5)
"""
AT = """
SELECT sort_key, reached_at, user_id FROM standings WHERE board = $1 AND period = $2
ORDER BY sort_key, reached_at, user_id LIMIT 1 OFFSET $3
"""
RANKED = "SELECT count(*) FROM standings WHERE board = $1 AND period = $2"
SCORES = "SELECT user_id, -sort_key FROM standings WHERE board = $1 AND period = $2"
LINE = """
SELECT s.user_id, u.name, u.points, s.sort_key, s.reached_at FROM standings s LEFT JOIN users u ON u.user_id = s.user_id
WHERE s.board = $1 AND s.period = $2
"""
TOP = f"{LINE} ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT {PAGE}"
BEFORE = f"""
{LINE} AND (s.sort_key, s.reached_at, s.user_id) < ($3, $4, $5)
ORDER BY s.sort_key DESC, s.reached_at DESC, s.user_id DESC LIMIT {SIDE}
"""
FROM_HERE = f"""
{LINE} AND (s.sort_key, s.reached_at, s.user_id) >= ($3, $4, $5)
ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT {SIDE + 1}
"""
USER = "SELECT user_id, name, revision, points, reached_at, progress FROM users WHERE user_id = $1"
SAVE_USER = "UPDATE users SET revision = revision + 1, points = points + 1, reached_at = $2 WHERE user_id = $1"
SAVE_STANDING = """
UPDATE standings SET sort_key = sort_key - 1, reached_at = $2 WHERE user_id = $1 AND board = $3 AND period = $4
"""

Work = Callable[[], Awaitable[Any]]


class Bare:
    """The site's database through the store's driver, without anything else."""

    def __init__(self, connection: apsw.Connection | asyncpg.Connection) -> None:
        self._connection = connection

    async def ask(self, statement: str, *values: int | str) -> Sequence[Any]:
        """All rows."""
        if isinstance(self._connection, apsw.Connection):
            numbered = {str(number): value for number, value in enumerate(values, start=1)}
            return self._connection.execute(statement, numbered).fetchall()
        return await self._connection.fetch(statement, *values)

    async def move(self, user_id: str) -> None:
        """One transaction that gives a user a point."""
        begin, lock = ("BEGIN IMMEDIATE", "") if isinstance(self._connection, apsw.Connection) else ("BEGIN", _LOCK)
        await self.ask(begin)
        await self.ask(USER + lock, user_id)
        await self.ask(SAVE_USER, user_id, to_micros(NOON))
        await self.ask(SAVE_STANDING, user_id, to_micros(NOON), *BOARD)
        await self.ask("COMMIT")


_LOCK = " FOR NO KEY UPDATE"


@asynccontextmanager
async def _bare(site: Site, address: str) -> AsyncIterator[Bare]:
    if site.is_postgresql:
        server = await asyncpg.connect(address, server_settings={"search_path": "laurels", "jit": "off"})
        try:
            yield Bare(server)
        finally:
            await server.close()
    else:
        with closing(apsw.Connection(address.removeprefix("sqlite:///"))) as file:
            file.execute("PRAGMA synchronous = FULL")
            yield Bare(file)


def ranks(site: Site, options: Options) -> list[Figure]:
    """All measures of a leaderboard of this site, against each floor, run by run."""
    return uvloop.run(_measure(site, options, site.copy("ours")))


async def _measure(site: Site, options: Options, copy: str) -> list[Figure]:
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(_bare(site, site.address))
        laurels = await stack.enter_async_context(Laurels.open(site.address, clock=lambda: NOON))
        scores = [(user_id, score) for user_id, score in await bare.ask(SCORES, *BOARD)]
        there = redis.is_there()
        sorted_set = await stack.enter_async_context(redis.board(scores)) if there else None
        reads = await _reads(laurels, bare, sorted_set)
        if site.is_postgresql:
            reads.append(_question(bare, reads[1]))
        figures = [figure for read in reads for figure in await _taken(site, options, read)]
        return [*figures, *await _updates(site, options, copy, sorted_set)]


# ---- reading ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """One read: by Laurels, and by each floor. `bare_times` is how often the bare SQL runs in a run."""

    name: str
    ours: Work
    bare: Work
    against: str
    sorted_set: Work | None
    command: str
    bare_times: int
    aim: float | None = None


async def _reads(laurels: Laurels, bare: Bare, sorted_set: redis.Redis | None) -> list[Read]:
    ((ranked,),) = await bare.ask(RANKED, *BOARD)
    found: list[Read] = []
    offsets = {"top": 0, "middle": ranked // 2, "bottom": ranked - 1}
    places: dict[str, Place] = {}
    for where, offset in offsets.items():
        (place,) = [Place(*row) for row in await bare.ask(AT, *BOARD, offset)]
        places[where] = place
        read = _rank_of(laurels, bare, sorted_set, f"exact rank at the {where} of the board", place)
        assert await read.ours() == (offset + 1, ranked)
        found.append(read)
    page, around = _page(laurels, bare, sorted_set), _around(laurels, bare, sorted_set, places["middle"], ranked // 2)
    assert [line.place.user_id for line in (await page.ours()).lines] == [row[0] for row in await page.bare()]
    lines, (_, bare_lines) = (await around.ours()).lines, await around.bare()
    assert [line.place.user_id for line in lines] == bare_lines
    return [*found, page, around]


def _question(bare: Bare, middle: Read) -> Read:
    """A rank compared with `SELECT 1`, the cost of the driver and the socket alone."""
    return replace(
        middle,
        name=f"{middle.name}, against `SELECT 1`",
        bare=lambda: bare.ask("SELECT 1"),
        against=BARE_QUESTION,
        sorted_set=None,
        bare_times=READS,
        aim=None,
    )


def _rank_of(laurels: Laurels, bare: Bare, sorted_set: redis.Redis | None, name: str, place: Place) -> Read:
    values = (place.sort_key, place.reached_at, place.user_id)
    return Read(
        name,
        lambda: laurels.store.rank(*BOARD, place.user_id),
        lambda: bare.ask(COUNT, *BOARD, *values),
        COUNTING,
        (lambda: sorted_set.ask("ZREVRANK", redis.KEY, place.user_id)) if sorted_set else None,
        f"ZREVRANK {SORTED_SET}",
        COUNTS,
        RANK_AIM,
    )


def _page(laurels: Laurels, bare: Bare, sorted_set: redis.Redis | None) -> Read:
    return Read(
        f"the first {PAGE} lines of the board",
        lambda: laurels.store.listing(LeaderboardRequest(*BOARD, limit=PAGE)),
        lambda: bare.ask(TOP, *BOARD),
        BARE_PAGE,
        (lambda: sorted_set.ask("ZREVRANGE", redis.KEY, 0, PAGE - 1, "WITHSCORES")) if sorted_set else None,
        f"ZREVRANGE WITHSCORES {SORTED_SET}",
        READS,
    )


def _around(laurels: Laurels, bare: Bare, sorted_set: redis.Redis | None, place: Place, ahead: int) -> Read:
    values = (place.sort_key, place.reached_at, place.user_id)

    async def by_bare_sql() -> tuple[int, list[str]]:
        ((count,),) = await bare.ask(COUNT, *BOARD, *values)
        before = await bare.ask(BEFORE, *BOARD, *values)
        following = await bare.ask(FROM_HERE, *BOARD, *values)
        return count, [row[0] for row in (*before[::-1], *following)]

    async def by_sorted_set() -> Any:
        assert sorted_set is not None
        rank = await sorted_set.ask("ZREVRANK", redis.KEY, place.user_id)
        return await sorted_set.ask("ZREVRANGE", redis.KEY, rank - SIDE, rank + SIDE, "WITHSCORES")

    assert ahead >= SIDE
    return Read(
        f"{AROUND} lines around a user in the middle of the board",
        lambda: laurels.store.listing(LeaderboardRequest(*BOARD, limit=AROUND, around=place.user_id)),
        by_bare_sql,
        BARE_AROUND,
        by_sorted_set if sorted_set else None,
        f"ZREVRANK and ZREVRANGE WITHSCORES {SORTED_SET}",
        COUNTS,
    )


async def _taken(site: Site, options: Options, read: Read) -> list[Figure]:
    against_sql = site.figure(read.name, "µs", read.against)
    against_redis = site.figure(f"{read.name}, against Redis", "µs", read.command, read.aim, most=True)
    for work in (read.ours, read.bare, read.sorted_set):
        if work:
            await _microseconds(work, COUNTS)  # the statements' plans
    for _ in range(options.runs):
        bare = await _microseconds(read.bare, read.bare_times)
        ours = await _microseconds(read.ours, READS)
        against_sql.add(ours, bare)
        if read.sorted_set:
            against_redis.add(ours, await _microseconds(read.sorted_set, READS))
    return [against_sql, against_redis] if read.sorted_set else [against_sql]


async def _microseconds(work: Work, times: int) -> float:
    """How long one call takes, on average."""
    start = time.perf_counter()
    for _ in range(times):
        await work()
    return (time.perf_counter() - start) / times * 1e6


# ---- writing ----------------------------------------------------------------------------------


async def _updates(site: Site, options: Options, address: str, sorted_set: redis.Redis | None) -> list[Figure]:
    """Give a point to each of some random users, each in a separate transaction, in a copy."""
    name = "a score update, each a durable transaction"
    against_sql = site.figure(name, "µs", BARE_UPDATE)
    against_redis = site.figure(f"{name}, against Redis", "µs", f"ZADD {SORTED_SET}: no disk to wait for")
    rng = random.Random(SEED)
    async with _bare(site, address) as bare, Laurels.open(address, clock=lambda: NOON) as laurels:
        ways: list[Callable[[str], Awaitable[Any]]] = [lambda user_id: _move(laurels, user_id), bare.move]
        if sorted_set:
            ways.append(lambda user_id: sorted_set.ask("ZADD", redis.KEY, "INCR", 1, user_id))
        for number in range(options.runs + 1):
            taken: list[float] = []
            for way in ways:
                users = iter(rng.sample(site.user_ids, UPDATES))
                taken.append(await _microseconds(lambda way=way, users=users: way(next(users)), UPDATES))
            if number:  # the first warms up
                against_sql.add(taken[0], taken[1])
                for other in taken[2:]:
                    against_redis.add(taken[0], other)
    return [against_sql, against_redis] if sorted_set else [against_sql]


async def _move(laurels: Laurels, user_id: str) -> None:
    """Give a user a point, and so another place on the leaderboard of all points."""

    def decide(found: Loaded) -> Changes:
        row = found.users[user_id]
        progress = replace(row.progress, points=row.progress.points + 1, reached_at=NOON)
        moved = replace(row, revision=row.revision + 1, progress=progress)
        before, after = (places_of(_CATALOG, one, NOON).get(BOARD) for one in (row, moved))
        return Changes(users=[moved], moves=[Move(user_id, *BOARD, before, after)])

    asked = LoadRequest(frozenset((user_id,)), frozenset(), _CATALOG.rules, ranks=False)
    await laurels.store.change(asked, decide)


_CATALOG = Catalog.default()
