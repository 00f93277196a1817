"""A server may leave out parts of what it serves, and answer at some host names only."""

from __future__ import annotations

import httpx2
import pytest

from laurels.server.app import PARTS, create_app
from laurels.settings import HostName, Part, ServerSettings, Settings
from tests.support.app import App, client_of

pytestmark = pytest.mark.anyio

ADDRESSES = {
    "api": "/api/gamification/catalog",
    "pages": "/leaderboards",
    "console": "/console/sign-in",
    "docs": "/docs",
}


@pytest.mark.parametrize("part", ADDRESSES)
async def test_a_server_serves_only_the_parts_that_it_is_told(home: App, part: str) -> None:
    app = create_app(home.laurels, Settings(server=ServerSettings(parts=(Part(part),))))
    async with client_of(app) as client:
        found = {name: (await client.get(path)).status_code for name, path in ADDRESSES.items()}
        assert found == {name: 200 if name == part else 404 for name in ADDRESSES}
        for path in ("/livez", "/readyz", "/static/page.css"):
            assert (await client.get(path)).status_code == 200


def test_every_address_belongs_to_a_part() -> None:
    assert set(PARTS) == set(ADDRESSES)
    assert set(ServerSettings().parts) == set(PARTS)


@pytest.mark.parametrize("text", ["", "admin", "API"])
def test_an_unknown_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="choose from api, pages, console and docs"):
        Part(text)


async def test_only_the_host_names_of_the_setting_are_answered_and_health_checks_at_all(home: App) -> None:
    hosts = (HostName("app.example"), HostName("[::1]"))
    app = create_app(home.laurels, Settings(server=ServerSettings(hosts=hosts)))
    async with client_of(app, "http://10.0.0.7:8000") as client:

        async def at(host: str, path: str = "/api/gamification/catalog") -> httpx2.Response:
            return await client.get(path, headers={"host": host})

        for host in ("app.example", "APP.example:8000", "[::1]:8000"):
            assert (await at(host)).status_code == 200, host
        for host in ("evil.example", "app.example.evil.example", "app.example@evil.example", "10.0.0.7:8000", "::1"):
            refused = await at(host)
            assert (refused.status_code, refused.json()["type"]) == (421, "/problems/wrong-host"), host
        for path in ("/", "/console/sign-in", "/docs", "/nowhere"):
            assert (await at("evil.example", path)).status_code == 421
        assert (await at("10.0.0.7:8000", "/livez")).status_code == 200
        assert (await at("10.0.0.7:8000", "/readyz")).status_code == 200


@pytest.mark.parametrize(
    "text", ["", "app.example:80", "https://app.example", "-app.example", "app..example", "*.example"]
)
def test_what_is_no_host_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        HostName(text)
