"""A plan of a catalog as a response: sent while it is made, one at a time in a process, and ended with the connection."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from laurels.errors import LaurelsError, Overloaded
from laurels.http.context import Context
from laurels.http.responses import END, Headers, Receive, Response, Scope, Send
from laurels.present.plans import CatalogPlan
from laurels.service.planning import BegunPlan

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 1.0
"""How often a plan says how far it is."""

RETRY_SECONDS = 10
"""When to try again while this process makes another plan."""


def check_free(context: Context) -> None:
    """Raise Overloaded while this process makes another plan."""
    if context.plans.locked():
        raise Overloaded("another plan is being made; try again when it is done", RETRY_SECONDS)


class PlanStream(Response, ABC):
    """What is sent of a plan while it is made. `begun` is set before it is called, and `of` to the number of users.

    A kind of stream says what it sends at the end, and may override `beginning` and `progress`.
    """

    __slots__ = ("_context", "begun", "done", "of")

    begun: BegunPlan

    def __init__(self, context: Context, headers: Headers) -> None:
        super().__init__(200, headers)
        self._context = context
        self.done = self.of = 0

    def note(self, done: int) -> None:
        """Remember how many users are done."""
        self.done = done

    def beginning(self) -> Iterable[bytes]:
        """What is sent at once."""
        return ()

    def progress(self) -> Iterable[bytes]:
        """What is sent about once a second."""
        return ()

    @abstractmethod
    def end(self, made: CatalogPlan | Exception) -> Iterable[bytes]:
        """What is sent last: the plan, or what ended it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until the plan is made, the client is gone, or the server stops."""
        async with self._context.plans:
            making = asyncio.create_task(self._made())
            scope.get("state", {})[END] = making.cancel
            async with _ended_with(receive, making):
                await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers]})
                await _send_all(send, self.beginning())
                while not (await asyncio.wait([making], timeout=PROGRESS_SECONDS))[0]:
                    await _send_all(send, self.progress())
                if not making.cancelled():
                    await _send_all(send, self.end(making.result()))
                await send({"type": "http.response.body", "body": b""})

    async def _made(self) -> CatalogPlan | Exception:
        try:
            return await self.begun.finish()
        except LaurelsError as error:
            return error
        except Exception as error:
            log.exception("a plan of a catalog failed")
            return error


async def _send_all(send: Send, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})


@asynccontextmanager
async def _ended_with(receive: Receive, making: asyncio.Task[CatalogPlan | Exception]) -> AsyncIterator[None]:
    """Meanwhile, end the plan when the client disconnects; afterwards, in any case."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        making.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        making.cancel()
        await asyncio.gather(watcher, making, return_exceptions=True)
