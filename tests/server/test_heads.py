"""Heads of requests on a real wire: their size, their number of hosts and credentials, and the log of malformed ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from laurels.server.gate import HEAD_LIMIT
from tests.server.test_gate import check_refusal, wire
from tests.support.app import USERS
from tests.support.serving import Served, Server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def served(tmp_path: Path) -> Served:
    one = Served(f"sqlite:///{tmp_path / 'laurels.db'}", tmp_path)
    await one.prepare()
    return one


@pytest.fixture
async def server(served: Served) -> AsyncIterator[Server]:
    async with served.server() as one:
        yield one


async def answer(server: Server, head: bytes) -> bytes:
    """All that comes back until the connection ends."""
    async with wire(server) as one:
        await one.send(head)
        return await one.rest()


def request(path: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/{version}", *headers, "Connection: close", "", ""]).encode()


@pytest.mark.parametrize("hosts", [[], ["Host: a", "Host: a"], ["Host: a", "host: b"]])
async def test_a_request_with_no_host_or_two_is_refused(server: Server, hosts: list[str]) -> None:
    check_refusal(await answer(server, request("/livez", *hosts)), 400, "malformed")
    good = request("/livez", "Host: x").replace(b"Connection: close\r\n", b"")
    came = await answer(server, good + request("/livez", *hosts))
    assert came.startswith(b"HTTP/1.1 200 ")
    check_refusal(came, 400, "malformed")


async def test_http_1_0_needs_no_host_and_may_not_send_two(server: Server) -> None:
    assert (await answer(server, request("/livez", version="1.0"))).startswith(b"HTTP/1.1 200 ")
    check_refusal(await answer(server, request("/livez", "Host: a", "Host: b", version="1.0")), 400, "malformed")


async def test_two_headers_with_credentials_are_refused(server: Server) -> None:
    session = await server.sign_in("ada")
    one, other = f"Authorization: {server.by_key['authorization']}", "Authorization: Bearer laurels_session_x"
    for path in (f"{USERS}/ada", "/api/gamification/profile", "/api/gamification/leaderboards"):
        came = await answer(server, request(path, "Host: x", one, other, f"Cookie: {session['cookie']}"))
        assert b" 400 " in came.split(b"\r\n")[0]
        assert b"/problems/malformed" in came


def head_of(size: int) -> bytes:
    """A request whose path and headers have this size."""
    others = len("/livez") + len("host: x\r\n") + len("connection: close\r\n") + len("cookie: \r\n")
    return request("/livez", "Host: x", "Cookie: " + "c" * (size - others))


@pytest.mark.parametrize("before", [b"", request("/livez", "Host: x").replace(b"Connection: close\r\n", b"")])
async def test_the_limit_of_a_head_is_exact_however_it_arrives(server: Server, before: bytes) -> None:
    for size, status in ((HEAD_LIMIT, b" 200 "), (HEAD_LIMIT + 1, b" 431 "), (HEAD_LIMIT + 6000, b" 431 ")):
        came = await answer(server, before + head_of(size))
        assert status in came[came.rindex(b"HTTP/1.1 ") :].split(b"\r\n")[0], size


@pytest.mark.parametrize("size", [HEAD_LIMIT, HEAD_LIMIT + 1, HEAD_LIMIT + 6000])
async def test_the_limit_of_a_head_is_exact_when_another_request_ends_in_its_first_piece(
    server: Server, size: int
) -> None:
    head = head_of(size)
    before = request("/livez", "Host: x").replace(b"Connection: close\r\n", b"")
    async with wire(server) as one:
        await one.send(before + head[:6000], head[6000:], pause=0.1)
        came = await one.rest()
    status = b" 200 " if size <= HEAD_LIMIT else b" 431 "
    assert status in came[came.rindex(b"HTTP/1.1 ") :].split(b"\r\n")[0]


async def test_malformed_requests_write_a_line_a_second_with_the_address(served: Served, server: Server) -> None:
    for number in range(100):
        assert b" 400 " in await answer(server, b"nonsense %d\r\n\r\n" % number)
    upgrade = request("/livez", "Host: x", "Upgrade: websocket").replace(b"close", b"upgrade")
    for _ in range(20):
        async with wire(server) as one:
            await one.send(upgrade)
            assert b" 200 " in await one.reader.readline()

    lines = served.log.read_text().splitlines()
    assert not [line for line in lines if "Invalid HTTP request received" in line and "127.0.0.1" not in line]
    assert not [line for line in lines if "upgrade" in line.lower()]
    about = [line for line in lines if "malformed requests were refused; the last one, from 127.0.0.1" in line]
    assert 1 <= len(about) <= 60
