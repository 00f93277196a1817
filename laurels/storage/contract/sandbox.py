"""The clock of a sandbox: a database whose time can be moved."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol


class Sandbox(Protocol):
    """How far the clock of a sandbox is ahead of the machine's."""

    async def clock_offset(self) -> timedelta | None:
        """How far the sandbox's clock is ahead of the machine's; None if the database is not a sandbox."""
        ...

    async def set_clock_offset(self, offset: timedelta) -> None:
        """Make the database a sandbox whose clock is this far ahead."""
        ...

    async def move_clock_offset(self, before: timedelta, after: timedelta) -> bool:
        """Change the offset from `before` to `after`.

        False, with nothing changed, if the offset is no longer `before` or the database is not a sandbox.
        """
        ...
