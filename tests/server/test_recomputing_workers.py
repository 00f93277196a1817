"""Worker processes recompute leaderboards whose rule has changed, and say so until they are right."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from tests.support import catalog
from tests.support.serving import SECONDS, Served, Server

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", ["sqlite-file", "postgresql"])]

USERS = {f"user{number:02}": number + 1 for number in range(30)}
RIGHT = [(1, "user00", 1), (2, "user01", 2), (3, "user02", 3)]


def rules(order: str) -> Catalog:
    return catalog(
        metrics={"m": {"kind": "sum", "events": ["m"]}},
        points=[],
        leaderboards=[{"id": "b", "by": "metric", "of": "m", "period": "year", "order": order}],
    )


async def fill(database: str) -> None:
    async with Laurels.open(database, rules("highest")) as laurels:
        for user_id, quantity in USERS.items():
            await laurels.record(Event(user_id, "e", "m", None, quantity))


async def page(server: Server) -> dict[str, Any]:
    """The first lines, by whichever worker accepts a new connection."""
    headers = {**server.by_key, "connection": "close"}
    answer = await server.client.get("/api/gamification/leaderboards/b", params={"limit": 3}, headers=headers)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.content)


async def until_right(server: Server) -> None:
    """Read until no process says that it recomputes; whenever none does, the lines are right."""
    right = 0
    async with asyncio.timeout(SECONDS):
        while right < 10:
            shown = await page(server)
            right = 0 if shown.get("recomputing") else right + 1
            if right:
                lines = [(line["rank"], line["userId"], line["score"]) for line in shown["standings"]]
                assert lines == RIGHT
            await asyncio.sleep(0.02)


async def recomputed(database: str) -> bool:
    store = open_store(database)
    found = {row.board: row.recomputed_at for row in await store.board_rules()}
    await store.close()
    return found["b"] is not None


async def test_workers_recompute_leaderboards_after_another_process_applied_a_catalog(
    database: str, tmp_path: Path
) -> None:
    served = Served(database, tmp_path)
    await served.prepare()
    await fill(database)
    async with served.server("--workers", "2") as server:
        assert (await page(server))["standings"][0]["userId"] == "user29"
        store = open_store(database)
        await Admin(Laurels(store)).apply_catalog(rules("lowest"), "because", "a test")
        await store.close()
        await until_right(server)
        assert await recomputed(database)


async def test_workers_go_on_with_what_was_not_recomputed_before_a_restart(database: str, tmp_path: Path) -> None:
    served = Served(database, tmp_path)
    await served.prepare()
    await fill(database)
    async with Laurels.open(database) as laurels:
        await Admin(laurels).apply_catalog(rules("lowest"), "because", "a test")
        await laurels.period_rules.apply()
        assert laurels.core.recomputing == {"b"}
    assert not await recomputed(database)
    async with served.server("--workers", "2") as server:
        await until_right(server)
        assert await recomputed(database)
