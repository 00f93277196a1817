"""What one hostile session does to others: it sends the most expensive reads as fast as its rate allows, on several connections.

Meanwhile another user's profile is read, and the app sends events, one after the other. Each run compares the medians with
those of the same server when no one attacks.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median

from bench.community import SEED
from bench.engines import Site
from bench.figures import Figure
from bench.load import serving
from bench.options import Options
from laurels.http.events import PATH as EVENTS
from laurels.http.leaderboards import MAX_FRIENDS, MAX_LINES_BY_SESSION
from laurels.http.leaderboards import PATH as LEADERBOARDS
from laurels.http.profile import MAX_DAYS, PATH
from laurels.service.profiles import INCLUDES

CONNECTIONS = 6
MOST = 3.0
PAUSE = 0.01
AFTER_REFUSAL = 0.25
"""How long the attacker waits after a 429, in seconds: less than Retry-After says."""

QUIET = "the same server in the same run, when no one attacks"
REFUSED = 429


@dataclass(slots=True)
class Times:
    """How long requests took, in milliseconds."""

    profile: list[float] = field(default_factory=list)
    event: list[float] = field(default_factory=list)


class Client:
    """A connection that sends one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, request: bytes) -> int:
        """The status of the response, once all of it has arrived."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        await self._reader.readexactly(length)
        return int(head.split(None, 2)[1])


def hostile(site: Site, options: Options) -> list[Figure]:
    """The medians of profiles and events next to one hostile session."""
    profile = site.figure("another user's profile next to a hostile session: p50", "ms", QUIET, MOST, most=True)
    event = site.figure("an event next to a hostile session: p50", "ms", QUIET, MOST, most=True)
    with serving("laurels", site.copy("hostile"), site.folder) as server:
        for run in range(options.runs):
            quiet, attacked = asyncio.run(_run(server.port, site, options.seconds, run))
            profile.add(median(attacked.profile), median(quiet.profile))
            event.add(median(attacked.event), median(quiet.event))
    return [profile, event]


async def _run(port: int, site: Site, seconds: float, run: int) -> tuple[Times, Times]:
    """The times of others without and with the attack."""
    attacker, *others = site.community.tokens()[run:]
    quiet = await _others(port, site, others, seconds, f"quiet-{run}")
    async with _attack(port, attacker, site.user_ids):
        return quiet, await _others(port, site, others, seconds, f"attacked-{run}")


async def _others(port: int, site: Site, tokens: Sequence[str], seconds: float, name: str) -> Times:
    """Read profiles and send events, in turn."""
    times, end = Times(), time.perf_counter() + seconds
    users, key, number = site.user_ids, site.community.key, 0
    async with _client(port) as client:
        for token in cycle(tokens):
            if time.perf_counter() > end:
                return times
            number += 1
            body = {"userId": users[number % len(users)], "id": f"{name}-{number}", "type": "message.sent"}
            times.profile.append(await _timed(client, _get(PATH, token)))
            times.event.append(await _timed(client, _post(EVENTS, key, body)))
            await asyncio.sleep(PAUSE)
    return times


async def _timed(client: Client, request: bytes) -> float:
    start = time.perf_counter()
    status = await client.send(request)
    if status != 200:
        raise RuntimeError(f"a request of another user was answered with {status}")
    return (time.perf_counter() - start) * 1000


@asynccontextmanager
async def _attack(port: int, token: str, users: Sequence[str]) -> AsyncIterator[None]:
    """Meanwhile, send expensive reads on several connections."""
    tasks = [asyncio.create_task(_attacker(port, token, users, number)) for number in range(CONNECTIONS)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [one for one in results if isinstance(one, Exception)]
    if failed:
        raise failed[0]


async def _attacker(port: int, token: str, users: Sequence[str], number: int) -> None:
    async with _client(port) as client:
        for path in _expensive(users, random.Random(SEED + number)):
            if await client.send(_get(path, token)) == REFUSED:
                await asyncio.sleep(AFTER_REFUSAL)


def _expensive(users: Sequence[str], rng: random.Random) -> Iterator[str]:
    """The most expensive reads of a session, without end."""
    while True:
        friends = ",".join(rng.choices(users, k=MAX_FRIENDS))
        yield f"{LEADERBOARDS}/points?friends={friends}"
        yield f"{LEADERBOARDS}/points?limit={MAX_LINES_BY_SESSION}&around={rng.choice(users)}"
        yield f"{PATH}?include={','.join(INCLUDES)}&days={MAX_DAYS}"


@asynccontextmanager
async def _client(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


def _get(path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nCookie: laurels-session={token}\r\n\r\n".encode()


def _post(path: str, key: str, body: dict[str, str]) -> bytes:
    text = json.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    ).encode()
