"""The clock of a sandbox on SQLite."""

from __future__ import annotations

from datetime import timedelta

from laurels.storage.sqlite.connections import Connections, translated
from laurels.storage.sqlite.driver import changed

CLOCK_OFFSET = "SELECT clock_offset FROM sandbox"
SET_CLOCK_OFFSET = """
INSERT INTO sandbox (only_row, clock_offset) VALUES (1, ?)
ON CONFLICT (only_row) DO UPDATE SET clock_offset = excluded.clock_offset
"""
MOVE_CLOCK_OFFSET = "UPDATE sandbox SET clock_offset = ? WHERE clock_offset = ?"
MICROSECOND = timedelta(microseconds=1)


class Sandbox(Connections):
    """How far the clock of a sandbox is ahead of the machine's."""

    async def clock_offset(self) -> timedelta | None:
        with translated:
            row = self._reader.execute(CLOCK_OFFSET).fetchone()
        return row[0] * MICROSECOND if row else None

    async def set_clock_offset(self, offset: timedelta) -> None:
        await self._in_transaction(lambda writer: writer.execute(SET_CLOCK_OFFSET, (offset // MICROSECOND,)))

    async def move_clock_offset(self, before: timedelta, after: timedelta) -> bool:
        offsets = (after // MICROSECOND, before // MICROSECOND)
        return await self._in_transaction(lambda writer: changed(writer, MOVE_CLOCK_OFFSET, offsets))
