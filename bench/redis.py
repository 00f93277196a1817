"""Another floor for leaderboards: a Redis sorted set with the same scores, in memory only, over its own socket.

The client speaks the protocol directly from the event loop, so that no library makes this floor slower. Redis breaks ties by
the name alone, so its ranks differ from ours among equal scores.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, cast

PROGRAM = "redis-server"
MISSING = (
    "there is no redis-server: leaderboards are not compared with a sorted set. Get it with: apt install redis-server"
)
KEY = "board"
START_SECONDS = 10
STOP_SECONDS = 30
LOADED_AT_ONCE = 1000


def is_there() -> bool:
    """Whether Redis is installed."""
    return shutil.which(PROGRAM) is not None


class Redis(asyncio.Protocol):
    """One connection, with one command at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[Any] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse the answer, once it is complete."""
        self._received += data
        try:
            answer, end = _parsed(self._received, 0)
        except ValueError:
            return  # the rest has not arrived
        assert end == len(self._received)
        assert self._answer is not None
        self._received = b""
        self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the command that waits for an answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("Redis has closed the connection"))

    async def ask(self, *words: str | int) -> Any:
        """The answer to a command."""
        assert self._transport is not None
        encoded = [str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)]
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(b"".join(parts))
        answer = await self._answer
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    async def load(self, scores: Iterable[tuple[str, int]]) -> None:
        """Add these users and scores to the sorted set."""
        stream = iter(scores)
        while some := list(islice(stream, LOADED_AT_ONCE)):
            await self.ask("ZADD", KEY, *(word for user_id, score in some for word in (score, user_id)))

    def close(self) -> None:
        """Close the connection."""
        if self._transport:
            self._transport.close()


def _parsed(data: bytes, at: int) -> tuple[Any, int]:
    """The value at this position, and the position after it. Raises ValueError while it is incomplete."""
    end = data.index(b"\r\n", at)
    kind, head, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind == b"*":
        values: list[Any] = []
        for _ in range(int(head)):
            value, at = _parsed(data, at)
            values.append(value)
        return values, at
    if kind == b"$" and int(head) >= 0:
        end = at + int(head)
        if len(data) < end + 2:
            raise ValueError("incomplete")
        return data[at:end], end + 2
    values_of = {b":": int, b"$": lambda _: None, b"-": lambda text: RuntimeError(text.decode())}
    return values_of.get(kind, bytes)(head), at


@asynccontextmanager
async def board(scores: Iterable[tuple[str, int]]) -> AsyncIterator[Redis]:
    """A connection to a server with these scores, stopped when the block ends."""
    with _server() as socket:
        _, connection = await asyncio.get_running_loop().create_unix_connection(Redis, str(socket))
        try:
            await connection.load(scores)
            yield connection
        finally:
            connection.close()


@contextmanager
def _server() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="laurels-bench-redis-") as folder:
        socket = Path(folder) / "redis.sock"
        settings: Sequence[str] = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no")
        process = subprocess.Popen([PROGRAM, *settings, "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{PROGRAM} does not start")
                time.sleep(0.01)
            yield socket
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
