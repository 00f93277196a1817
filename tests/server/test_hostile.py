"""One session that spends its whole rate on the most expensive reads does not hold up anyone else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import pytest

from laurels.http.leaderboards import MAX_FRIENDS
from tests.support import ENGINES, LASTING_ENGINES
from tests.support.app import LEADERBOARDS, PROFILE, event
from tests.support.serving import Served, Server

pytestmark = pytest.mark.anyio

COMMUNITY = 3000
TIMES = 60
ORDER_OF_MAGNITUDE = 10
CONNECTIONS = 6

EXPENSIVE = (
    f"{LEADERBOARDS}/points?friends={','.join(f'u{number * 7}' for number in range(MAX_FRIENDS))}",
    f"{LEADERBOARDS}/points?limit=100&around=u1500",
    f"{PROFILE}?include=balance,rank,next,toward,streaks,history,earned,details&days=366",
    "/api/gamification/streaks?days=366",
)


async def times_of_others(server: Server, session: dict[str, str], name: str) -> tuple[float, float]:
    """The medians of another user's profile and of the app's events, in seconds."""
    profiles, events = list[float](), list[float]()
    for number in range(TIMES):
        start = time.perf_counter()
        read = await server.client.get(PROFILE, headers=session)
        between = time.perf_counter()
        sent = await server.send(event("bob", event_id=f"{name}-{number}"))
        profiles.append(between - start)
        events.append(time.perf_counter() - between)
        assert (read.status_code, sent.status_code) == (200, 200)
        await asyncio.sleep(0.02)
    return median(profiles), median(events)


@asynccontextmanager
async def attack(server: Server, session: dict[str, str]) -> AsyncIterator[list[int]]:
    """Meanwhile, one session sends expensive reads on several connections, and hardly waits when it is refused."""
    statuses = list[int]()

    async def send() -> None:
        while True:
            for path in EXPENSIVE:
                status = (await server.client.get(path, headers=session)).status_code
                statuses.append(status)
                await asyncio.sleep(0.25 if status == 429 else 0)

    tasks = [asyncio.create_task(send()) for _ in range(CONNECTIONS)]
    try:
        yield statuses
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_others_are_answered_while_one_session_attacks(engine: str, tmp_path: Path) -> None:
    with ENGINES[engine](tmp_path) as database:
        served = Served(database, tmp_path)
        await served.prepare()
        async with served.server() as server:
            for first in range(0, COMMUNITY, 1000):
                users = range(first, first + 1000)
                events = [event(f"u{number}", event_id="e", quantity=1 + number % 300) for number in users]
                assert (await server.send(events)).status_code == 200
            ada, bob = await server.sign_in("ada"), await server.sign_in("bob")
            quiet = await times_of_others(server, bob, "quiet")
            async with attack(server, ada) as statuses:
                attacked = await times_of_others(server, bob, "attacked")

    assert set(statuses) == {200, 429}
    ratios = [during / before for during, before in zip(attacked, quiet, strict=True)]
    assert max(ratios) < ORDER_OF_MAGNITUDE, ratios
