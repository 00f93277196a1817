"""The listeners of a process, and the one task that reads new notifications for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from laurels.errors import LaurelsError, Overloaded
from laurels.present.notifications import NotificationMessage
from laurels.service.laurels import NOTIFICATIONS_PAGE, Laurels
from laurels.storage.contract import Cursor

log = logging.getLogger(__name__)

POLL_SECONDS = 0.3
"""Time between two reads of new notifications, while a listener waits."""

CATCH_UP_SECONDS = 0.01
"""The same while a listener is more than a page behind."""

STREAMS_PER_USER = 32
"""The most streams of one user in a process, so that one user cannot take the places of all others."""

RETRY_SECONDS = 5
"""`Retry-After` of a refused stream, in seconds."""


class Listener:
    """One stream of a user's notifications.

    The next page is read only after the last one was taken, so a slow client holds at most one page in memory.
    """

    def __init__(self, user_id: str, after: Cursor) -> None:
        """`after`: the cursor of the last notification received."""
        self.user_id = user_id
        self.after = after
        self.ended = False
        self._page: asyncio.Future[Sequence[NotificationMessage]] | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for notifications."""
        return self._page is not None and not self._page.done()

    async def wait(self, seconds: float) -> Sequence[NotificationMessage]:
        """The next notifications, in order; none after a timeout of `seconds`, or when it has ended."""
        if self.ended:
            return ()
        self._page = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._page], timeout=seconds)
        page, self._page = self._page, None
        return page.result() if page.done() else ()

    def deliver(self, after: Cursor, page: Sequence[NotificationMessage]) -> None:
        """Pass on a page up to the cursor `after`, from which nothing may be left to pass on. Only while it waits."""
        assert self._page is not None
        self.after = after
        if page:
            self._page.set_result(page)

    def end(self) -> None:
        """End it at once."""
        self.ended = True
        if self._page is not None and not self._page.done():
            self._page.set_result(())


class Listeners:
    """All listeners of this process.

    The transactions of one user are serial, and each writes its notifications under a higher revision. So a client that has
    received all up to a cursor has missed none before it, whichever process wrote them.
    """

    def __init__(self, laurels: Laurels, limit: int) -> None:
        """Listeners over this Laurels, at most `limit` at a time."""
        self._laurels = laurels
        self._limit = limit
        self._all: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._failing = False

    def __len__(self) -> int:
        """The number of listeners."""
        return len(self._all)

    def join(self, user_id: str, after: Cursor) -> Listener:
        """Add a listener. Raises Overloaded when the process or the user has too many."""
        if self._closed or len(self._all) >= self._limit:
            raise Overloaded("this process has no room for another stream", RETRY_SECONDS)
        if sum(listener.user_id == user_id for listener in self._all) >= STREAMS_PER_USER:
            raise Overloaded(
                f"this user has {STREAMS_PER_USER} open streams in this process already; close one", RETRY_SECONDS
            )
        listener = Listener(user_id, after)
        self._all.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        return listener

    def leave(self, listener: Listener) -> None:
        """Remove a listener. Safe to repeat."""
        self._all.discard(listener)

    async def close(self) -> None:
        """End all streams, and accept no more."""
        self._closed = True
        for listener in self._all:
            listener.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _poll(self) -> None:
        while self._all:
            more = False
            try:
                more = await self._deliver()
                self._failing = False
            except Exception as error:  # noqa: BLE001  # no error may end the task that all streams need
                self._report(error)
            await asyncio.sleep(CATCH_UP_SECONDS if more else POLL_SECONDS)

    async def _deliver(self) -> bool:
        """Read once for all waiting listeners, and deliver. Returns whether a user's page was full, so that more may follow."""
        waiting = [listener for listener in self._all if listener.waits]
        after: dict[str, Cursor] = {}
        for listener in waiting:
            after[listener.user_id] = min(listener.after, after.get(listener.user_id, listener.after))
        if not after:
            return False
        found = await self._laurels.notifications(after, NOTIFICATIONS_PAGE)
        for listener in waiting:
            page = [(cursor, message) for cursor, message in found.get(listener.user_id, ()) if cursor > listener.after]
            if page and listener.waits:
                listener.deliver(page[-1][0], [message for _, message in page if message])
        return any(len(page) >= NOTIFICATIONS_PAGE for page in found.values())

    def _report(self, error: Exception) -> None:
        """Log the first of a series of failures; the task tries again several times a second."""
        if not self._failing:
            known = isinstance(error, LaurelsError)
            log.warning("notifications cannot be read; trying again: %s", error, exc_info=None if known else error)
        self._failing = True
