"""Slow requests of one caller, or of callers without any credential, leave places and memory for all others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from laurels.settings import LimitSettings
from tests.support import ENGINES, LASTING_ENGINES
from tests.support.app import EVENTS, PROFILE, event
from tests.support.serving import Served, Server

pytestmark = pytest.mark.anyio

VISIBILITY = "/api/gamification/visibility"
SIGN_IN = "/console/sign-in"
FORM = "application/x-www-form-urlencoded"

Held = list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


@pytest.fixture(params=LASTING_ENGINES)
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    with ENGINES[request.param](tmp_path) as database:
        one = Served(database, tmp_path)
        await one.prepare()
        yield one


@asynccontextmanager
async def held(server: Server, number: int, message: bytes, address: str = "127.0.0.1") -> AsyncIterator[Held]:
    """This number of connections from this address of the machine, each of which has sent this incomplete request."""
    url, open_ones = server.client.base_url, Held()
    try:
        for _ in range(number):
            reader, writer = await asyncio.open_connection(url.host, url.port, local_addr=(address, 0))
            open_ones.append((reader, writer))
            writer.write(message)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        yield open_ones
    finally:
        for _, writer in open_ones:
            writer.close()
        for _, writer in open_ones:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def first_lines(open_ones: Held, expected: int = 0) -> list[bytes]:
    """The first lines of the responses that have come, half a second after this many have: a busy machine may take longer."""

    async def first(reader: asyncio.StreamReader) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await reader.readline()
        return b""

    tasks = [asyncio.create_task(first(reader)) for reader, _ in open_ones]
    for _ in range(400):
        if sum(task.done() for task in tasks) >= expected:
            break
        await asyncio.sleep(0.05)
    await asyncio.wait(tasks, timeout=0.5)
    for task in tasks:
        task.cancel()
    lines = await asyncio.gather(*tasks, return_exceptions=True)
    return [line for line in lines if isinstance(line, bytes) and line]


async def check_others_are_answered(server: Server, session: dict[str, str], times: int = 10) -> None:
    """Whether the app's events and another user's profile are answered."""
    for number in range(times):
        sent = await server.send(event("bob", event_id=f"e{number}"))
        read = await server.client.get(PROFILE, headers=session)
        assert (sent.status_code, read.status_code) == (200, 200)


def request(method: str, path: str, length: int, *headers: str, content_type: str = "application/json") -> bytes:
    """The head of a request."""
    lines = (f"{method} {path} HTTP/1.1", "Host: laurels.test", f"Content-Type: {content_type}", *headers)
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


async def test_nine_slow_bodies_of_a_session_hold_up_no_one(served: Served) -> None:
    most = LimitSettings().body_bytes
    async with served.server() as server:
        ada, bob = await server.sign_in("ada"), await server.sign_in("bob")
        large = request("PUT", VISIBILITY, most, f"Cookie: {ada['cookie']}") + b" " * (most - 1)
        async with held(server, 9, large) as attack:
            await check_others_are_answered(server, bob)
            statuses = await first_lines(attack, 9)
        small = request("PUT", VISIBILITY, 8000, f"Cookie: {ada['cookie']}") + b" " * 7999
        async with held(server, 40, small) as attack:
            await check_others_are_answered(server, bob)
            refused = await first_lines(attack, 40 - LimitSettings().session_requests)

    assert [line.split()[1] for line in statuses] == [b"413"] * 9
    assert [line.split()[1] for line in refused] == [b"429"] * (40 - LimitSettings().session_requests)


@pytest.mark.parametrize("with_cookie", [False, True])
async def test_a_thousand_connections_without_credentials_hold_up_no_one(served: Served, with_cookie: bool) -> None:
    async with served.server() as server:
        session = await server.sign_in("bob")
        form = await server.client.get(SIGN_IN)
        cookie = "; ".join(f"{name}={value}" for name, value in form.cookies.items())
        assert cookie
        headers = [f"Cookie: {cookie}"] if with_cookie else []
        slow = request("POST", SIGN_IN, 65_536, *headers, content_type=FORM) + b"k"
        async with held(server, 1010, slow) as attack:
            await check_others_are_answered(server, session)
            expected = 1010 - LimitSettings().public_requests // 2 if with_cookie else 1010
            came = await first_lines(attack, expected)

    assert [line.split()[1] for line in came] == [b"503" if with_cookie else b"403"] * expected


@asynccontextmanager
async def slow_sign_ins(server: Server, number: int, *headers: str, address: str = "127.0.0.1") -> AsyncIterator[Held]:
    """This number of sign-ins from this address, whose forms never end."""
    form = await server.client.get(SIGN_IN, headers={"x-forwarded-for": "192.0.2.250"})
    cookie = "; ".join(f"{name}={value}" for name, value in form.cookies.items())
    slow = request("POST", SIGN_IN, 65_536, f"Cookie: {cookie}", *headers, content_type=FORM) + b"k"
    async with held(server, number, slow, address) as attack:
        await first_lines(attack)
        yield attack


async def statuses_of_strangers(server: Server, address: str) -> list[int]:
    """The statuses of what callers at an address may ask without any credential."""
    paths = (SIGN_IN, "/leaderboards", "/api/gamification/catalog", "/docs")
    sent = {"x-forwarded-for": address}
    return [(await server.client.get(path, headers=sent)).status_code for path in paths]


async def test_one_address_leaves_places_for_strangers_at_others(served: Served) -> None:
    async with served.server() as server:
        async with slow_sign_ins(server, 40, address="127.0.0.2"):
            assert await statuses_of_strangers(server, "192.0.2.1") == [200] * 4
        forged = [f"X-Forwarded-For: 192.0.2.{number}" for number in range(40)]
        async with contextlib.AsyncExitStack() as stack:
            for one in forged:
                await stack.enter_async_context(slow_sign_ins(server, 1, one, address="127.0.0.2"))
            assert await statuses_of_strangers(server, "192.0.2.1") == [200] * 4


async def test_a_network_of_ipv6_addresses_is_one_address(served: Served) -> None:
    async with served.server() as server, contextlib.AsyncExitStack() as stack:
        for number in range(40):
            forwarded = f"X-Forwarded-For: 2001:db8:0:1::{number:x}"
            await stack.enter_async_context(slow_sign_ins(server, 1, forwarded))
        assert await statuses_of_strangers(server, "2001:db8:0:1::ffff") == [503] * 4
        assert await statuses_of_strangers(server, "2001:db8:0:2::1") == [200] * 4


async def test_a_valid_credential_needs_no_place_of_strangers(served: Served) -> None:
    catalog, sessions = "/api/gamification/catalog", "/api/gamification/sessions"
    async with served.server() as server, contextlib.AsyncExitStack() as stack:
        session = await server.sign_in("bob")
        for number in range(7):
            forwarded = f"X-Forwarded-For: 192.0.2.{number}"
            await stack.enter_async_context(slow_sign_ins(server, 20, forwarded))
        forged = {"cookie": f"{session['cookie'][:-4]}AAAA"}
        answers = [
            await server.client.delete(sessions),
            await server.client.delete(sessions, headers=forged),
            await server.client.get(catalog, headers=server.by_key),
            await server.client.get(catalog, headers=session),
            await server.client.delete(sessions, headers=session),
            await server.client.get(PROFILE, headers=session),
        ]

    assert [answer.status_code for answer in answers] == [503, 503, 200, 200, 204, 401]


async def test_responses_that_no_one_reads_hold_up_no_one(served: Served) -> None:
    async with served.server() as server:
        session = await server.sign_in("bob")
        unread = b"GET /docs/openapi.json HTTP/1.1\r\nHost: laurels.test\r\n\r\n" * 100
        async with held(server, 300, unread):
            await check_others_are_answered(server, session)


async def test_slow_bodies_of_a_key_leave_memory_and_places_for_sessions(served: Served) -> None:
    async with served.server(limits_requests=16, limits_all_bodies_bytes=64 * 1024) as server:
        session = await server.sign_in("bob")
        key = f"Authorization: {server.by_key['authorization']}"
        slow = request("POST", EVENTS, 40_000, key) + b" " * 30_000
        async with held(server, 16, slow) as attack:
            assert {line.split()[1] for line in await first_lines(attack)} == {b"503"}
            answer = await server.client.put(VISIBILITY, json={"visibility": "public"}, headers=session)
            read = await server.client.get(PROFILE, headers=session)

    assert (answer.status_code, read.status_code) == (200, 200)


async def test_streams_take_no_places_of_their_session(served: Served) -> None:
    async with served.server(limits_session_requests=2) as server:
        session = await server.sign_in("bob")
        stream = f"GET /api/gamification/stream HTTP/1.1\r\nHost: x\r\nCookie: {session['cookie']}\r\n\r\n".encode()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(5):
                one = await stack.enter_async_context(held(server, 1, stream))
                assert b" 200 " in await one[0][0].readline()
            await check_others_are_answered(server, session, 1)
