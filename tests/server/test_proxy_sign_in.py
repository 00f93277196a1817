"""Signing in to the console through a real proxy, with the example of docs/console.md, and past it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.server.test_hardening import PROXIES, SNI, proxied
from tests.support.operator import SIGN_IN, Page
from tests.support.serving import Served

pytestmark = pytest.mark.anyio

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "console.md"
ANNA = {"cookie": "_oauth2_proxy=anna@example.com"}
NGINX = [parameter for parameter in PROXIES if parameter.values[0] == "nginx"]


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


@asynccontextmanager
async def accounts() -> AsyncIterator[str]:
    """The address of a service that answers as oauth2-proxy does: it knows people by the value of its cookie."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        known = re.search(r"_oauth2_proxy=([\w@.]+)", head)
        if not head.startswith("GET /oauth2/auth"):
            status, lines = "200 OK", ""
        elif known:
            status, lines = "202 Accepted", f"X-Auth-Request-Email: {known[1]}\r\nX-Auth-Request-Groups: all,staff\r\n"
        else:
            status, lines = "401 Unauthorized", ""
        body = "please sign in"
        writer.write(
            f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def continued(client: httpx2.AsyncClient, headers: dict[str, str]) -> dict[str, str]:
    """Continue as whom the proxy names; returns the headers of a browser with the session."""
    shown = await client.get(SIGN_IN, headers=headers, extensions=SNI)
    assert shown.status_code == 200, shown.text
    form = Page(shown.text).form()
    cookie = shown.headers["set-cookie"].partition(";")[0]
    sent = {**headers, "origin": "https://laurels.example.com", "cookie": f"{headers.get('cookie', '')}; {cookie}"}
    answer = await client.post(form.action, data=form.fields, headers=sent, extensions=SNI)
    assert answer.status_code == 303, answer.text
    return {"cookie": f"{headers.get('cookie', '')}; {answer.headers['set-cookie'].partition(';')[0]}"}


@pytest.mark.parametrize("name", NGINX)
async def test_nginx_signs_operators_in_and_no_client_can_name_one(name: str, tmp_path: Path) -> None:
    served = Served(f"sqlite:///{tmp_path / 'laurels.db'}", tmp_path)
    await served.prepare()
    (tmp_path / "laurels.toml").write_text(block("toml"), "utf-8")
    async with accounts() as oauth2, served.server() as server:
        text = block("nginx").replace("127.0.0.1:4180", oauth2)
        async with proxied(name, server, tmp_path, text) as client:

            async def get(path: str, **headers: str) -> httpx2.Response:
                sent = {key.replace("_", "-"): value for key, value in headers.items()}
                return await client.get(path, headers=sent, extensions=SNI)

            assert (await get("/console", x_forwarded_user="anna@example.com")).text == "please sign in"
            signed_in = await continued(client, ANNA)
            page = await get("/console/users", **signed_in)
            assert page.status_code == 200
            assert "anna@example.com" in page.text
            session = signed_in["cookie"].rpartition("; ")[2]
            assert (await get("/console/users", cookie=session)).text == "please sign in"
            other = await get("/console/users", cookie=f"_oauth2_proxy=bob@example.com; {session}")
            assert other.headers["location"].startswith(SIGN_IN)
            claimed = await get("/console/users", x_forwarded_user="anna@example.com", cookie="_oauth2_proxy=bob@b.c")
            assert claimed.headers["location"].startswith(SIGN_IN)
            staff = await continued(client, {"cookie": "_oauth2_proxy=bob@example.com", "x-forwarded-groups": "owners"})
            assert (await get("/console/amnesties", **staff)).status_code == 200
            assert (await get("/console/amnesties/lift?amnesty=x", **staff)).status_code == 403


async def test_a_server_believes_the_connection_and_no_header(tmp_path: Path) -> None:
    served = Served(f"sqlite:///{tmp_path / 'laurels.db'}", tmp_path)
    await served.prepare()
    named = {"x-forwarded-user": "anna@example.com"}
    settings = {"console_sign_in": "proxy", "console_proxy_header": "X-Forwarded-User"}
    owner = {"console_proxy_names_owner": "anna@example.com"}
    async with served.server(**settings, **owner, console_proxy_addresses="10.0.0.5") as server:
        for claim in (
            {},
            {"x-forwarded-for": "10.0.0.5"},
            {"x-forwarded-for": "10.0.0.5, 10.0.0.5", "forwarded": "for=10.0.0.5"},
        ):
            page = await server.client.get(SIGN_IN, headers={**named, **claim})
            assert "did not come through it" in Page(page.text).text
    async with served.server("--workers", "2", **settings, **owner, console_proxy_addresses="127.0.0.0/8") as server:
        for claim in ({}, {"x-forwarded-for": "192.0.2.7"}):
            page = await server.client.get(SIGN_IN, headers={**named, **claim})
            assert "Continue as anna@example.com" in Page(page.text).text
        twice = [("x-forwarded-user", "anna@example.com"), ("x-forwarded-user", "bob@example.com")]
        assert (await server.client.get(SIGN_IN, headers=twice)).status_code == 400
