"""A wire to a PostgreSQL server that can be cut: at any time, or exactly around a commit."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

T = TypeVar("T")

READY = b"Z"
COMPLETE = b"C"
SUSPENDED = b"s"
QUERY = b"Q"


@dataclass(frozen=True)
class Cut:
    """Where to cut a connection, once.

    before  when a client sends this statement; it never reaches the server
    late    the same, but the statement reaches the server some time later, when the client has given it up for lost
    after   when the server has done the statement of this tag; its answer never reaches the client. A statement of which
            only the first row was asked for has the tag 'suspended'

    With `last`, the server seems to be gone from then on.
    """

    when: Literal["before", "late", "after"]
    what: str = "COMMIT"
    last: bool = False


LATE_SECONDS = 0.3

_FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
LAST_WORDS = b"E" + (4 + len(_FIELDS)).to_bytes(4, "big") + _FIELDS
"""What a server that shuts down says to a client that asked for nothing, before it hangs up."""

Ends = tuple[asyncio.StreamWriter, asyncio.StreamWriter]
"""The writers of one connection: to the client, and to the server."""


class Wire:
    """A proxy on a free port of this machine alone, in a thread of its own."""

    def __init__(self, address: str) -> None:
        self.server = address
        self._to = urlsplit(address)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._listening: asyncio.Server | None = None
        self._ends: set[Ends] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self.armed: deque[Cut] = deque()
        self.refusing = False
        self.cuts = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening = self._do(asyncio.start_server(self._carry, "127.0.0.1", 0))
        return self

    def __exit__(self, *_: object) -> None:
        self.refusing = True
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        assert self._listening
        self._listening.close()
        self._hang_up(list(self._ends))
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @property
    def address(self) -> str:
        """The server's address by way of this wire."""
        assert self._listening
        host, port = self._listening.sockets[0].getsockname()[:2]
        rest = {name: values[-1] for name, values in parse_qs(self._to.query).items() if name != "host"}
        user = self._to.username or "postgres"
        query = urlencode({**rest, "sslmode": "disable"})
        return self._to._replace(netloc=f"{user}@{host}:{port}", query=query).geturl()

    async def has_cut(self) -> None:
        """Return when something was cut."""
        while not self.cuts:  # noqa: ASYNC110  # the wire lives in another thread
            await asyncio.sleep(0.01)

    def refuse(self) -> None:
        """From now on the server seems to be gone."""
        self.refusing = True
        self.cut_all()

    def accept(self) -> None:
        self.refusing = False

    def cut_all(self) -> None:
        self._loop.call_soon_threadsafe(lambda: self._hang_up(list(self._ends)))

    def tell_all(self, message: bytes) -> None:
        """Send this to every client, as if the server had."""

        def send() -> None:
            for client, _ in self._ends:
                client.write(message)

        self._loop.call_soon_threadsafe(send)

    def cut_one(self, dice: random.Random) -> None:
        """Cut some connection, wherever it is."""

        def cut() -> None:
            if self._ends:
                self._hang_up([dice.choice([*self._ends])])

        self._loop.call_soon_threadsafe(cut)

    def _hang_up(self, ends: list[Ends]) -> None:
        for pair in ends:
            self.cuts += not self.refusing
            for end in pair:
                end.transport.abort()

    # ---- one connection -----------------------------------------------------------------------

    async def _carry(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            server, to_server = await self._dial()
        except OSError:
            to_client.transport.abort()
            return
        pair = (to_client, to_server)
        self._ends.add(pair)
        ways = [
            asyncio.create_task(self._to_server(client, pair)),
            asyncio.create_task(self._to_client(server, to_client)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        self._ends.discard(pair)
        for end in pair:
            end.transport.abort()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.refusing:
            raise ConnectionRefusedError
        port = self._to.port or 5432
        folder = parse_qs(self._to.query).get("host", [""])[-1]
        if folder.startswith("/"):
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self._to.hostname, port)

    async def _to_server(self, client: asyncio.StreamReader, ends: Ends) -> None:
        to_client, to_server = ends
        async for kind, message in messages(client, greeting=True):
            cut = self._armed_for(message[5:], "before", "late") if kind == QUERY else None
            if cut and cut.when == "before":
                return
            if cut:
                to_client.transport.abort()
                await asyncio.sleep(LATE_SECONDS)
            to_server.write(message)
            await to_server.drain()
            if cut:
                await asyncio.sleep(LATE_SECONDS)  # it has been read by then; and if it has not, that is a cut before

    async def _to_client(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        cut = None
        async for kind, message in messages(server, greeting=False):
            if kind in (COMPLETE, SUSPENDED):
                cut = cut or self._armed_for(message[5:] or b"suspended", "after")
            if cut is None and not client.transport.is_closing():
                client.write(message)
                await client.drain()
            elif cut and kind == READY:  # by now it is done, whatever the answer would have said
                return

    def _armed_for(self, text: bytes, *when: str) -> Cut | None:
        """The next cut, if it is for here; then it is taken."""
        if not self.armed or self.armed[0].when not in when or not text.startswith(self.armed[0].what.encode()):
            return None
        cut = self.armed.popleft()
        self.cuts += 1
        self.refusing = self.refusing or cut.last
        return cut


async def messages(stream: asyncio.StreamReader, *, greeting: bool) -> AsyncIterator[tuple[bytes, bytes]]:
    """Message after message, each with its kind; a client's first has none. It ends with the connection."""
    try:
        if greeting:
            size = await stream.readexactly(4)
            yield b"", size + await stream.readexactly(int.from_bytes(size) - 4)
        while True:
            head = await stream.readexactly(5)
            yield head[:1], head + await stream.readexactly(int.from_bytes(head[1:]) - 4)
    except (asyncio.IncompleteReadError, ConnectionError):
        return
