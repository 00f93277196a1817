"""What follows a good request on its connection and is no HTTP: the good one is answered, then 400, then the end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.server.test_gate import check_refusal, head_of_events, locked, wire
from tests.support.app import event
from tests.support.serving import Served, Server

pytestmark = pytest.mark.anyio

BROKEN = [
    b"x",
    b"}",
    b"\x00",
    b"\x16\x03\x01\x02",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nContent-Length: many\r\n\r\n",
    b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n",
]


@pytest.fixture
async def served(tmp_path: Path) -> Served:
    one = Served(f"sqlite:///{tmp_path / 'laurels.db'}", tmp_path)
    await one.prepare()
    return one


def good(server: Server, event_id: str) -> bytes:
    body = json.dumps(event("ada", event_id=event_id)).encode()
    return head_of_events(server, len(body)) + body


def no_traceback(served: Served) -> bool:
    return "Traceback" not in served.log.read_text()


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_good_request_before_a_broken_one_is_answered(served: Served, broken: bytes) -> None:
    async with served.server() as server:
        for number, pause in enumerate([None, 0, 0.3]):
            async with wire(server) as one:
                if pause is None:
                    await one.send(good(server, f"{number}") + broken)
                else:
                    await one.send(good(server, f"{number}"), broken, pause=pause)
                came = await one.rest()

            assert came.count(b"HTTP/1.1 ") == 2
            assert came.startswith(b"HTTP/1.1 200 ")
            assert b'"recorded":1' in came
            check_refusal(came, 400, "malformed")
        assert await server.stop() == 0
    assert no_traceback(served)


async def test_every_good_request_before_a_broken_one_is_answered_in_order(served: Served) -> None:
    async with served.server() as server:
        for number, broken in enumerate(BROKEN):
            async with wire(server) as one:
                await one.send(b"".join(good(server, f"{number}-{place}") for place in range(5)) + broken)
                came = await one.rest()

            assert came.count(b"HTTP/1.1 200 ") == came.count(b'"recorded":1') == 5
            check_refusal(came, 400, "malformed")
            at = [came.index(b'"id":"%d-%d"' % (number, place)) for place in range(5)]
            assert at == sorted(at)
    assert no_traceback(served)


async def test_a_good_request_that_takes_long_is_answered_before_the_refusal(served: Served) -> None:
    async with served.server(receive_seconds=1) as server, wire(server) as one:
        with locked(served):
            await one.send(good(server, "1") + b"}", b"more of it" * 1000, pause=1.5)
        came = await one.rest()

    assert came.count(b"HTTP/1.1 ") == 2
    assert b'"recorded":1' in came
    check_refusal(came, 400, "malformed")
    assert no_traceback(served)


async def test_a_request_with_connection_close_is_answered_and_what_follows_is_ignored(served: Served) -> None:
    async with served.server() as server, wire(server) as one:
        await one.send(good(server, "1").replace(b"Host", b"Connection: close\r\nHost") + b"}")
        came = await one.rest()

    assert came.count(b"HTTP/1.1 ") == 1
    assert b'"recorded":1' in came
    assert no_traceback(served)


async def test_a_stream_that_is_followed_by_garbage_ends(served: Served) -> None:
    async with served.server() as server, wire(server) as one:
        cookie = (await server.sign_in("ada"))["cookie"]
        path = "/api/gamification/stream"
        await one.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
        came = await one.reader.readuntil(b"\r\n\r\n")
        assert came.startswith(b"HTTP/1.1 200 ")
        await one.send(b"nonsense\r\n\r\n")

        check_refusal(await one.rest(), 400, "malformed")
    assert no_traceback(served)


async def test_a_client_that_leaves_while_several_of_its_requests_run_leaves_no_traceback(served: Served) -> None:
    async with served.server() as server:
        with locked(served):
            async with wire(server) as one:
                await one.send(good(server, "1") + good(server, "2") + good(server, "3"))
                await asyncio.sleep(0.3)
            await asyncio.sleep(0.3)
        assert (await server.send(event("ben"))).status_code == 200
        assert await server.stop() == 0
    assert no_traceback(served)
