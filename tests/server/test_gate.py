"""Overload on a real wire: who is slow, silent, too many or too much is refused, and the others are answered meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels.server.gate import IDLE_SECONDS
from laurels.settings import LimitSettings, Settings
from tests.support.app import CATALOG, EVENTS, check_problem, event, open_app
from tests.support.files import opened
from tests.support.serving import SECONDS, Served, Server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def served(tmp_path: Path) -> Served:
    one = Served(f"sqlite:///{tmp_path / 'laurels.db'}", tmp_path)
    await one.prepare()
    return one


class Wire:
    """A connection on which any bytes can be sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes, pause: float = 0) -> None:
        """All parts, with a pause after each, as long as the server listens."""
        for part in parts:
            try:
                self.writer.write(part)
                await self.writer.drain()
            except ConnectionError:
                return
            await asyncio.sleep(pause)

    async def rest(self) -> bytes:
        """All that still comes until the server hangs up."""
        came = b""
        with contextlib.suppress(ConnectionError):
            while some := await asyncio.wait_for(self.reader.read(65536), SECONDS):
                came += some
        return came


@asynccontextmanager
async def wire(server: Server) -> AsyncIterator[Wire]:
    url = server.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def check_refusal(came: bytes, status: int, code: str) -> None:
    """Whether the last that came is a problem document of this kind, and says that the connection ends."""
    head, _, body = came.rpartition(b"\r\n\r\n")
    head = head[head.rindex(b"HTTP/1.1 ") :]
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in head
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    check_problem(problem, status)
    assert problem["type"] == f"/problems/{code}"


@contextmanager
def locked(served: Served) -> Iterator[None]:
    """The database is slow: another connection holds its lock."""
    with opened(served.folder / "laurels.db") as connection:
        connection.set_busy_timeout(10_000)  # the server may be writing
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def head_of_events(server: Server, length: int) -> bytes:
    return (
        f"POST {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: {server.by_key['authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def answered(server: Server, status: int) -> None:
    """Ask until it is answered like this."""
    for _ in range(20 * SECONDS):
        if (await server.client.get(CATALOG)).status_code == status:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"never {status}")


# ---- slow and silent --------------------------------------------------------------------------


async def test_a_body_that_does_not_arrive_is_408_and_others_are_answered(served: Served) -> None:
    async with served.server(receive_seconds=1) as server, wire(server) as slow:
        rest = asyncio.create_task(slow.rest())
        for part in [head_of_events(server, 1000), *[b" "] * 100]:
            await slow.send(part, pause=0.1)
            assert (await server.send(event("ada"))).status_code == 200
            if rest.done():
                break

        check_refusal(await rest, 408, "too-slow")


@pytest.mark.parametrize(
    "begun",
    [b"GET /livez HTTP/1.1\r\n", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /", b"POST /livez HTTP/1.1\r\nContent-Le"],
)
async def test_a_head_that_does_not_end_is_408(served: Served, begun: bytes) -> None:
    async with served.server(receive_seconds=1) as server, wire(server) as slow:
        await slow.send(begun)

        check_refusal(await slow.rest(), 408, "too-slow")


@pytest.mark.parametrize("part", [b"", b"\r\n"])
async def test_a_connection_without_a_request_is_closed(served: Served, part: bytes) -> None:
    async with served.server(receive_seconds=1) as server, wire(server) as silent:
        await silent.send(*[part] * 30, pause=0.1)

        assert await silent.rest() == b""


async def test_an_unread_body_does_not_hold_a_connection(served: Served) -> None:
    async with served.server(receive_seconds=1) as server, wire(server) as slow:
        await slow.send(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n" % EVENTS.encode())
        rest = asyncio.create_task(slow.rest())
        await slow.send(*[b" "] * 30, pause=0.1)

        came = await rest
        assert came.count(b"HTTP/1.1 ") == 1
        assert b" 401 " in came


async def test_a_client_that_reads_no_responses_is_disconnected(served: Served) -> None:
    async with served.server(receive_seconds=1, limits_requests=1) as server, wire(server) as deaf:
        asked = asyncio.create_task(deaf.send(b"GET /docs/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1000))
        await answered(server, 503)  # it holds the one place
        await answered(server, 200)  # it does so no longer
        asked.cancel()


async def test_a_slow_client_that_is_within_its_time_is_answered(served: Served) -> None:
    body = json.dumps(event("ada")).encode()
    async with served.server(receive_seconds=30) as server, wire(server) as slow:
        message = head_of_events(server, len(body)).replace(b"Host", b"Connection: close\r\nHost") + body
        await slow.send(*[message[at : at + 40] for at in range(0, len(message), 40)], pause=0.05)

        assert b'"recorded":1' in await slow.rest()


# ---- too large, and nonsense ------------------------------------------------------------------


async def test_a_head_without_end_is_431(served: Served) -> None:
    async with served.server() as server, wire(server) as endless:
        await endless.send(b"GET /livez HTTP/1.1\r\nCookie: ", *[b"x" * 65536] * 100)

        came = await endless.rest()
        assert not came or check_refusal(came, 431, "head-too-large") is None


async def test_endless_trailers_are_refused(served: Served) -> None:
    head = f"POST {EVENTS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n0\r\n".encode()
    async with served.server() as server, wire(server) as endless:
        sending = asyncio.create_task(endless.send(head, *[b"x-%d: y\r\n" % number * 1000 for number in range(1000)]))

        assert b" 401 " in await endless.rest()
        sending.cancel()


async def test_a_request_that_is_not_http_is_400(served: Served) -> None:
    async with served.server() as server, wire(server) as strange:
        await strange.send(b"\x16\x03\x01 nonsense\r\n\r\n")

        check_refusal(await strange.rest(), 400, "malformed")


# ---- too many ---------------------------------------------------------------------------------


async def test_beyond_its_requests_a_process_refuses_fast_is_alive_and_answers_what_it_took(served: Served) -> None:
    async with served.server(limits_requests=4, queue_seconds=600) as server:
        with locked(served):
            sent = [asyncio.create_task(server.send(event("ada", event_id=f"{number}"))) for number in range(20)]
            pending = set(sent)
            while len(pending) > 4:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for refused in [one.result() for one in done]:
                    check_problem(refused.json(), 503)
                    assert refused.json()["type"] == "/problems/overloaded"
                    assert int(refused.headers["retry-after"]) >= 1
            assert (await server.client.get(CATALOG)).status_code == 503
            assert [(await server.client.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]
        answers = [await one for one in sent]
        assert (await server.client.get(CATALOG)).status_code == 200

    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [503] * 16
    await served.check_books()


async def test_idle_connections_make_room_for_requests(served: Served) -> None:
    async with served.server(limits_requests=4, limits_streams=0) as server, contextlib.AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(wire(server)) for _ in range(30)]
        await asyncio.sleep(2 * IDLE_SECONDS)
        for _ in range(5):
            async with httpx2.AsyncClient(base_url=server.client.base_url, trust_env=False) as fresh:
                assert (await fresh.get("/livez")).status_code == 200
                assert (await fresh.get(CATALOG)).status_code == 200
        await asyncio.sleep(0.1)
        kept = [one for one in silent if not one.reader.at_eof()]

    assert len(kept) < 4


# ---- too much ---------------------------------------------------------------------------------


async def test_a_single_body_always_has_room_and_releases_it() -> None:
    async with open_app(settings=Settings(limits=LimitSettings(all_bodies_bytes=1024))) as home:
        for number in range(3):
            assert (await home.send(event("ada", event_id=f"{number}", data={"a": "x" * 2000}))).status_code == 200


def peak(server: Server) -> int:
    """The most memory that the server ever had, in bytes (Linux)."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def four_megabytes(sender: int) -> bytes:
    """A thousand events with four kilobytes of data each."""
    data: Any = {f"k{number}": "x" * 30 for number in range(100)}
    return json.dumps(
        [event(f"u{sender}", event_id=f"{sender}-{number}", data=data) for number in range(1000)]
    ).encode()


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc to tell memory")
async def test_memory_is_bounded_for_any_input(served: Served) -> None:
    async with served.server(
        limits_all_bodies_bytes=8 * 1024 * 1024, limits_body_bytes=8 * 1024 * 1024, queue_seconds=600
    ) as server:
        body, headers = four_megabytes(0), {**server.by_key, "content-type": "application/json"}
        assert (await server.client.post(EVENTS, content=body, headers=headers)).status_code == 200
        before, statuses = peak(server), list[int]()

        async def flood(sender: int) -> None:
            for _ in range(4):
                answer = await server.client.post(EVENTS, content=four_megabytes(sender), headers=headers)
                statuses.append(answer.status_code)

        with locked(served):
            senders = [asyncio.create_task(flood(1 + sender)) for sender in range(32)]
            while len(statuses) < 32 * 4 - 16:
                assert (await server.client.get("/livez")).status_code == 200
                await asyncio.sleep(0.05)
        await asyncio.gather(*senders)
        after = peak(server)

    assert set(statuses) == {200, 503}
    assert after - before < 128 * 1024 * 1024  # the flood has 500 MB, and a byte of JSON becomes about five of memory
