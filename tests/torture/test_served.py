"""Servers of several processes over one database: what was written through one is read through any, and kills lose nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels.engine.catalog import Catalog
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from tests.support import LASTING_ENGINES, badge, catalog_text, count, sql
from tests.support.app import PROFILE, SESSIONS, USERS, event
from tests.support.serving import Served, Server

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.parametrize("engine", LASTING_ENGINES)]

CATALOG = catalog_text(
    metrics={"notes": count("note")},
    points=[{"id": "note", "events": ["note"], "amount": 1}],
    badges=[badge(f"notes-{n}", n, metric="notes", at_least=n) for n in (1, 5, 20)],
)
NAMES = [f"user-{number}" for number in range(5)]
ROUNDS = 20


@pytest.fixture
async def served(database: str, tmp_path: Path) -> Served:
    (tmp_path / "catalog.toml").write_text(CATALOG)  # nobody else waits
    one = Served(database, tmp_path)
    await one.prepare()
    return one


@asynccontextmanager
async def serving(served: Served, **settings: Any) -> AsyncIterator[Server]:
    """A server that is stopped with SIGTERM at the end, so that its workers stop too."""
    async with served.server(**settings) as server:
        try:
            yield server
        finally:
            assert await server.stop() == 0


# ---- what is read after a write ---------------------------------------------------------------


async def test_every_process_shows_a_user_their_own_last_write_at_once(served: Served, tmp_path: Path) -> None:
    settings = {"catalog": tmp_path / "catalog.toml"}
    async with serving(served, **settings) as one, serving(served, workers=2, **settings) as other:
        await asyncio.gather(*(_write_and_read([one, other], name) for name in NAMES))


async def _write_and_read(servers: list[Server], name: str) -> None:
    dice = random.Random(name)
    points = 0
    for number in range(ROUNDS):
        points += 1 + {1: 1, 5: 5, 20: 20}.get(number + 1, 0)
        called = f"{name} the {number}th"
        writer = dice.choice(servers)
        answer = await writer.send(event(name, "note", f"note-{number}"))
        assert answer.json()["recorded"] == 1, answer.text
        await writer.client.put(f"{USERS}/{name}", json={"name": called}, headers=writer.by_key)
        cookie = await dice.choice(servers).sign_in(name)
        for reader in dice.choices(servers, k=3):
            shown = (await reader.client.get(PROFILE, headers=cookie)).json()
            by_key = (await reader.client.get(f"{USERS}/{name}/profile", headers=reader.by_key)).json()
            for profile in (shown, by_key):
                assert profile["points"] == points
                (mine,) = [line for line in profile["leaderboard"] if line["userId"] == name]
                assert (mine["points"], mine["name"]) == (points, called)
        ended = await dice.choice(servers).client.delete(f"{SESSIONS}", headers=cookie)
        assert ended.status_code == 204, ended.text
        assert (await dice.choice(servers).client.get(PROFILE, headers=cookie)).status_code == 401


# ---- workers that are killed ------------------------------------------------------------------


async def test_workers_killed_under_load_lose_nothing_that_was_acknowledged(served: Served, tmp_path: Path) -> None:
    over = asyncio.Event()
    answers: list[Any] = []
    async with serving(served, workers=2, catalog=tmp_path / "catalog.toml") as server:
        clients = [asyncio.create_task(_send(server, client, over, answers)) for client in range(8)]
        killed = await _kill_workers(server, 5)
        over.set()
        await asyncio.gather(*clients)
    assert killed == 5
    async with Laurels.open(served.database, Catalog.parse(CATALOG)) as laurels:
        stored = {(user, name) for user, name in await sql(laurels.store, "SELECT user_id, event_id FROM events")}
        firsts = Counter((one["userId"], one["id"]) for one in answers if one["status"] == "recorded")
        acknowledged = {(one["userId"], one["id"]) for one in answers}
        assert {one["status"] for one in answers} == {"recorded", "duplicate"}
        assert acknowledged == stored  # all were sent until they were acknowledged, and nothing else is there
        assert max(firsts.values()) == 1
        admin = Admin(laurels)
        assert [found async for name in admin.users() for found in await admin.verify(name)] == []
    await served.check_books()


async def _send(server: Server, client: int, over: asyncio.Event, answers: list[Any]) -> None:
    """Send portion after portion, each until it is acknowledged; every event is two clients' own."""
    dice = random.Random(client)
    number = 0
    while not over.is_set() or number < 20:
        portion = [
            event(f"user-{(number + place) % 30}", "note", f"{client // 2}-{number}-{place}")
            for place in range(1 + (number + client // 2) % 20)
        ]
        dice.shuffle(portion)
        answers += await _until_acknowledged(server, portion)
        number += 1


async def _until_acknowledged(server: Server, portion: list[Any]) -> list[Any]:
    while True:
        with contextlib.suppress(httpx2.TransportError):
            answer = await server.send(portion)
            if answer.status_code == 200:
                return answer.json()["results"]
            assert answer.status_code == 503, answer.text
        await asyncio.sleep(0.05)


async def _kill_workers(server: Server, times: int) -> int:
    """Kill one of the server's workers, again and again, each time when two are there; how often."""
    dice = random.Random(times)
    killed = 0
    while killed < times:
        await asyncio.sleep(dice.uniform(0.05, 0.4))
        workers = _workers_of(server.process.pid)
        if len(workers) == 2:
            os.kill(dice.choice(workers), signal.SIGKILL)
            killed += 1
    return killed


def _workers_of(parent: int) -> list[int]:
    """The processes that serve, of those that this one began."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    with contextlib.suppress(FileNotFoundError):
        return [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    return []
