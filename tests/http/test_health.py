"""/livez and /readyz: whether the process runs, and whether it can serve."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from laurels.server.app import create_app
from laurels.service.laurels import Laurels
from laurels.settings import Settings
from laurels.storage import open_store
from laurels.storage.sqlite import driver
from tests.support import sql
from tests.support.app import App, client_of

pytestmark = pytest.mark.anyio

OK = {"status": "ok", "version": metadata.version("laurels")}


async def test_a_healthy_process_says_so_to_anybody(home: App) -> None:
    alive, ready = await home.client.get("/livez"), await home.client.get("/readyz")

    rules = {"catalog": None, "catalogDiffers": False}
    assert (alive.status_code, alive.json()) == (200, OK)
    assert (ready.status_code, ready.json()) == (200, {**OK, "database": f"SQLite {driver.version()}", **rules})
    assert alive.headers["cache-control"] == ready.headers["cache-control"] == "no-store"


async def test_readiness_names_the_version_of_the_database(database: str) -> None:
    store = open_store(database)
    await store.migrate()
    laurels = Laurels(store)
    async with client_of(create_app(laurels, Settings())) as client:
        ready = await client.get("/readyz")
    await laurels.close()

    assert re.fullmatch(r"(SQLite 3\.\d+\.\d+|PostgreSQL \d+\.\d+)", ready.json()["database"])


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_head_is_enough(home: App, path: str) -> None:
    answer = await home.client.head(path)

    assert (answer.status_code, answer.content) == (200, b"")


async def not_ready(home: App, problem: str) -> None:
    answer = await home.client.get("/readyz")

    assert (answer.status_code, answer.json()["type"]) == (503, f"/problems/{problem}")
    assert int(answer.headers["retry-after"]) > 0
    assert (await home.client.get("/livez")).status_code == 200


async def test_an_unmigrated_database_is_not_ready(tmp_path: Path) -> None:
    laurels = Laurels(open_store(f"sqlite:///{tmp_path / 'empty.db'}"))
    async with client_of(create_app(laurels, Settings())) as client:
        answer = await client.get("/readyz")
        await laurels.store.migrate()
        migrated = await client.get("/readyz")
    await laurels.close()

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/wrong-schema")
    assert migrated.status_code == 200


async def test_a_database_of_a_newer_version_is_not_ready(filed: App) -> None:
    await sql(filed.laurels.store, "INSERT INTO migrations (name, checksum) VALUES ('9999_future', 'x')")

    await not_ready(filed, "wrong-schema")


async def test_a_process_that_shuts_down_is_not_ready(filed: App) -> None:
    await filed.laurels.group_commit.close()

    await not_ready(filed, "overloaded")


async def test_a_closed_database_is_not_ready(filed: App) -> None:
    await filed.laurels.store.close()

    await not_ready(filed, "store-unavailable")
