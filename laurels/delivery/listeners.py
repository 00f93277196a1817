"""Who listens to what happens to a user, and the one task of a process that asks for all of them together."""

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
"""How often new moments are asked for while anybody waits for some."""

SOON_SECONDS = 0.01
"""The same where somebody has a long way to catch up, and has hardly taken what came."""

MOST_OF_USER = 32
"""How many of a user's pages may listen to one process, so that nobody takes the places of all others."""

COMES_AGAIN = 5
"""In how many seconds one who found no place should try again."""


class Listener:
    """One who listens to a user's moments.

    Nobody asks for more on their behalf before they have taken what came, so one who is slow holds one portion at most.
    """

    def __init__(self, user_id: str, after: Cursor) -> None:
        """`after` is what they heard last."""
        self.user_id = user_id
        self.after = after
        self.ended = False
        self._portion: asyncio.Future[Sequence[NotificationMessage]] | None = None

    @property
    def waits(self) -> bool:
        """Whether they want more."""
        return self._portion is not None and not self._portion.done()

    async def wait(self, seconds: float) -> Sequence[NotificationMessage]:
        """The next moments, in order; none when so many seconds have passed, or it ended."""
        if self.ended:
            return ()
        self._portion = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._portion], timeout=seconds)
        portion, self._portion = self._portion, None
        return portion.result() if portion.done() else ()

    def hear(self, after: Cursor, portion: Sequence[NotificationMessage]) -> None:
        """Take a portion whose last moment stands at `after`. Only for one who waits."""
        assert self._portion is not None
        self.after = after
        self._portion.set_result(portion)

    def end(self) -> None:
        """Let them stop at once."""
        self.ended = True
        if self._portion is not None and not self._portion.done():
            self._portion.set_result(())


class Listeners:
    """All who listen in this process.

    The transactions of one user follow one another, and each writes its moments under a higher revision: so whoever has heard up
    to a cursor has missed nothing before it, whichever process wrote it.
    """

    def __init__(self, laurels: Laurels, most: int) -> None:
        """Listeners over this Laurels, at most so many at a time."""
        self._laurels = laurels
        self._most = most
        self._all: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._away = False

    def __len__(self) -> int:
        """How many listen."""
        return len(self._all)

    def join(self, user_id: str, after: Cursor) -> Listener:
        """One more. Raises Overloaded where there is no place."""
        if self._closed or len(self._all) >= self._most:
            raise Overloaded("as many pages listen to this process as it has places for", COMES_AGAIN)
        if sum(one.user_id == user_id for one in self._all) >= MOST_OF_USER:
            raise Overloaded(f"{MOST_OF_USER} pages of this user listen to this process already", COMES_AGAIN)
        listener = Listener(user_id, after)
        self._all.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask_again_and_again())
        return listener

    def leave(self, listener: Listener) -> None:
        """One less; twice is harmless."""
        self._all.discard(listener)

    async def close(self) -> None:
        """End all that is heard, for good."""
        self._closed = True
        for listener in self._all:
            listener.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _ask_again_and_again(self) -> None:
        while self._all:
            more = False
            try:
                more = await self._ask()
                self._away = False
            except Exception as error:  # noqa: BLE001  # whatever it is, those who listen must hear what comes later
                self._report(error)
            await asyncio.sleep(SOON_SECONDS if more else POLL_SECONDS)

    async def _ask(self) -> bool:
        """Ask once for all who wait, and tell them; whether somebody's moments filled a portion, so that more may follow."""
        waiting = [one for one in self._all if one.waits]
        after: dict[str, Cursor] = {}
        for one in waiting:
            after[one.user_id] = min(one.after, after.get(one.user_id, one.after))
        if not after:
            return False
        found = await self._laurels.notifications(after, NOTIFICATIONS_PAGE)
        for one in waiting:
            portion = [told for told in found.get(one.user_id, ()) if told[0] > one.after]
            if portion and one.waits:
                one.hear(portion[-1][0], [shape for _, shape in portion])
        return any(len(of_user) >= NOTIFICATIONS_PAGE for of_user in found.values())

    def _report(self, error: Exception) -> None:
        """Say once, and not three times a second, that moments cannot be read."""
        if not self._away:
            known = isinstance(error, LaurelsError)
            log.warning("moments cannot be read, and will be later: %s", error, exc_info=None if known else error)
        self._away = True
