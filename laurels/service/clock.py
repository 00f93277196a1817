"""The time as one Laurels sees it: the machine's, or, in a sandbox, the time to which it was moved."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

from laurels.errors import NotASandbox
from laurels.storage.contract import Store

Clock = Callable[[], datetime]
"""Returns the current time, with a time zone."""


def utc_now() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


_pretended: ContextVar[datetime | None] = ContextVar("pretended", default=None)


class DatabaseClock:
    """The clock of one database. Only a sandbox has an offset, so the offset is not read from any other database."""

    def __init__(self, store: Store, machine: Clock) -> None:
        self._store = store
        self.machine = machine
        self._sandbox: bool | None = None

    async def now(self) -> datetime:
        """The current time; in a sandbox, with its offset, or the time set by `pretend`."""
        if self._sandbox is None:
            await self.is_sandbox()
        if not self._sandbox:
            return self.machine()
        pretended = _pretended.get()
        return pretended or self.machine() + (await self._store.clock_offset() or timedelta())

    async def is_sandbox(self) -> bool:
        """Whether the database was a sandbox when this process first asked, or this process made it one."""
        if self._sandbox is None:
            self._sandbox = await self._store.clock_offset() is not None
        return self._sandbox

    async def set_offset(self, offset: timedelta) -> None:
        """Make the database a sandbox whose clock is this far ahead of the machine's."""
        await self._store.set_clock_offset(offset)
        self._sandbox = True

    @contextmanager
    def pretend(self, at: datetime) -> Generator[None]:
        """In a sandbox, make everything that this task does happen at this time. Raises NotASandbox otherwise."""
        if not self._sandbox:
            raise NotASandbox
        token = _pretended.set(at)
        try:
            yield
        finally:
            _pretended.reset(token)
