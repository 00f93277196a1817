"""Two servers with different catalog files on one database: under load, the ledger is the one that a single server writes."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from laurels.storage import open_store
from tests.support import ENGINES, LASTING_ENGINES, badge, catalog_text, count, sql
from tests.support.app import PROFILE, event
from tests.support.serving import SECONDS, Served, Server

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", LASTING_ENGINES)]

USERS = [f"user-{number}" for number in range(12)]


def written(folder: Path, name: str, points: int) -> Path:
    """A catalog file in which the first message pays these points, and each message one."""
    text = catalog_text(
        metrics={"messages": count("message")},
        badges=[badge("first", points, metric="messages", at_least=1)],
        points=[{"id": "message", "events": ["message"], "amount": 1}],
    )
    (folder / name).write_text(text, "utf-8")
    return folder / name


async def load(servers: list[Server]) -> None:
    """Each user signs in, reads the profile and sends messages, alternating between the servers."""

    async def use(place: int, user: str) -> None:
        for number in range(5):
            server = servers[(place + number) % len(servers)]
            session = await server.sign_in(user)
            assert (await server.client.get(PROFILE, headers=session)).status_code == 200
            assert (await server.send(event(user, "message", f"m-{number}"))).status_code == 200
            assert (await server.client.get(PROFILE, headers=session)).status_code == 200

    await asyncio.gather(*(use(place, user) for place, user in enumerate(USERS)))


async def ran(*arguments: str) -> int:
    """The exit code of a Python program."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    return await asyncio.wait_for(process.wait(), SECONDS)


async def ledger_of(database: str) -> list[tuple[object, ...]]:
    store = open_store(database)
    rows = await sql(
        store, "SELECT user_id, amount, reason, ref, catalog FROM ledger ORDER BY user_id, revision, position"
    )
    await store.close()
    return [tuple(row) for row in rows]


async def test_two_servers_leave_the_ledger_as_one_would(database: str, engine: str, tmp_path: Path) -> None:
    own, foreign = written(tmp_path, "own.toml", 5), written(tmp_path, "foreign.toml", 500)
    served = Served(database, tmp_path)
    await served.prepare()
    async with AsyncExitStack() as running:
        servers = [await running.enter_async_context(served.server(catalog=own))]
        await servers[0].send(event("first", "message", "m"))
        servers.append(await running.enter_async_context(served.server(catalog=foreign)))
        await load(servers)
        assert [(await one.client.get("/readyz")).json()["catalogDiffers"] for one in servers] == [False, True]
    assert "foreign.toml" in served.log.read_text("utf-8")
    await served.check_books()

    (tmp_path / "alone").mkdir()
    with ENGINES[engine](tmp_path / "alone") as alone:
        single = Served(alone, tmp_path)
        await single.prepare()
        async with single.server(catalog=own) as server:
            await server.send(event("first", "message", "m"))
            await load([server])
        assert await ledger_of(database) == await ledger_of(alone)


async def test_running_servers_use_an_applied_catalog_at_once(database: str, tmp_path: Path) -> None:
    own, other = written(tmp_path, "own.toml", 5), written(tmp_path, "other.toml", 7)
    served = Served(database, tmp_path)
    await served.prepare()
    async with AsyncExitStack() as running:
        servers = [await running.enter_async_context(served.server(catalog=own)) for _ in range(2)]
        for server in servers:
            await server.send(event(f"before-{server.process.pid}", "message", "m"))
        command = ("-m", "laurels", "catalog", "apply", str(other), "--database", database)
        assert await ran(*command) == 0
        for server in servers:
            await server.send(event(f"then-{server.process.pid}", "message", "m"))
    paid = [(amount, catalog) for _, amount, _, ref, catalog in await ledger_of(database) if ref == "first"]
    assert sorted(paid) == [(5, 1), (5, 1), (7, 2), (7, 2)]


@pytest.mark.parametrize("workers", [1, 2])
async def test_only_a_server_for_development_applies_its_file(database: str, tmp_path: Path, workers: int) -> None:
    own, other = written(tmp_path, "own.toml", 5), written(tmp_path, "other.toml", 7)
    served = Served(database, tmp_path)
    await served.prepare()
    async with served.server(catalog=own) as server:
        await server.send(event("ada", "message", "m"))
    async with served.server("--dev", catalog=other, workers=workers) as server:
        await server.send(event("bob", "message", "m"))
    paid = [(amount, catalog) for _, amount, _, ref, catalog in await ledger_of(database) if ref == "first"]
    assert paid == [(5, 1), (7, 2)]
