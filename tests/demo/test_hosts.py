"""A demo answers to names of this machine only, so that no foreign site can point its own name here and read the key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from laurels.auth.keys import create_key
from laurels.demo.hosts import is_host_of
from laurels.demo.visit import Keys, leave, prepare
from laurels.server.app import create_app
from laurels.service.opening import database_of_file, existing
from laurels.settings import ServerSettings, Settings
from tests.support.app import App, client_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost", "localhost:8000", "127.0.0.1", "127.0.0.1:1", "127.0.0.2:80", "[::1]", "[::1]:65535"],
)
def test_names_of_this_machine_are_answered(host: str) -> None:
    assert is_host_of(host, "127.0.0.1")
    assert is_host_of(host, "0.0.0.0")


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io",
        ),
        *("evil.example@localhost", "localhost@evil.example", "localhost/evil", "localhost:evil", "localhost:99999"),
        *("[::1", "::1", "localhost.", "evil.localhost", "localhost evil.example", "localhost, evil.example"),
    ],
)
def test_other_names_are_refused_wherever_the_demo_listens(host: str) -> None:
    assert not is_host_of(host, "127.0.0.1")
    assert not is_host_of(host, "0.0.0.0")


def test_addresses_are_answered_only_if_other_machines_may_come() -> None:
    assert not is_host_of("192.0.2.7:8000", "127.0.0.1")
    assert not is_host_of("demo.example", "localhost")
    assert is_host_of("demo.localhost:8000", "demo.localhost")
    assert is_host_of("192.0.2.7:8000", "0.0.0.0")
    assert is_host_of("[2001:db8::7]:8000", "::")
    assert is_host_of("Demo.example:8000", "demo.example")
    assert not is_host_of("evil.example", "demo.example")


async def test_a_foreign_name_gets_421_at_every_address_of_a_demo(home: App) -> None:
    app = create_app(home.laurels, Settings(), playground=home.key)
    async with client_of(app, "http://evil.example:8000") as client:
        for path in ("/playground", "/", "/livez", "/console/sign-in", "/openapi.json", "/nothing"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["type"]) == (421, "/problems/wrong-host"), path
            assert "localhost" in answer.json()["detail"]
            assert home.key not in answer.text
        local = await client.get("/playground", headers={"host": "localhost:8000"})
        assert home.key in local.text


async def test_a_server_that_is_no_demo_answers_at_any_name(home: App) -> None:
    app = create_app(home.laurels, Settings(server=ServerSettings(host="127.0.0.1")))
    async with client_of(app, "http://app.example") as client:
        assert (await client.get("/livez")).status_code == 200


async def _active(file: Path) -> list[str]:
    async with existing(database_of_file(file)) as store:
        return [key.name for key in await store.keys() if key.revoked_at is None]


async def test_only_the_keys_of_the_latest_run_work_and_none_after_it(tmp_path: Path) -> None:
    file = tmp_path / "demo.db"
    database = database_of_file(file)
    first = await prepare(database)
    async with existing(database) as store:
        await create_key(store, "demo-mine", datetime(2026, 3, 2, tzinfo=UTC))

    second = await prepare(database)  # the first run was killed

    names = await _active(file)
    assert isinstance(second, Keys)
    assert first != second
    assert len(names) == 3
    assert "demo-mine" in names
    await leave(database, ())
    assert await _active(file) == ["demo-mine"]
