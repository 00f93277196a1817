"""The clock of a sandbox on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from laurels.storage.postgres.connections import Connections
from laurels.storage.postgres.pool import Connection

CLOCK_OFFSET = "SELECT clock_offset FROM sandbox"
SET_CLOCK_OFFSET = """
INSERT INTO sandbox (only_row, clock_offset) VALUES (1, $1)
ON CONFLICT (only_row) DO UPDATE SET clock_offset = excluded.clock_offset
"""
MOVE_CLOCK_OFFSET = """
UPDATE sandbox SET clock_offset = $1 WHERE clock_offset = $2 OR $3::boolean AND clock_offset = $1 RETURNING 1
"""
"""$3 says that this is a retry: a lost connection leaves in doubt whether the first attempt was committed."""

MICROSECOND = timedelta(microseconds=1)


class Sandbox(Connections):
    """How far the clock of a sandbox is ahead of the machine's."""

    async def clock_offset(self) -> timedelta | None:
        offset = await self._value(CLOCK_OFFSET)
        return None if offset is None else offset * MICROSECOND

    async def set_clock_offset(self, offset: timedelta) -> None:
        await self._value(SET_CLOCK_OFFSET, offset // MICROSECOND)

    async def move_clock_offset(self, before: timedelta, after: timedelta) -> bool:
        offsets = (after // MICROSECOND, before // MICROSECOND)
        attempts = count()

        async def move(connection: Connection) -> bool:
            again = next(attempts) > 0
            return await connection.fetchval(MOVE_CLOCK_OFFSET, *offsets, again) is not None

        return await self._pool.run(move)
