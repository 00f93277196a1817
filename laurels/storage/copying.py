"""Moving house: all that one database holds into another one, whatever their engines."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager

import msgspec

from laurels.errors import StoreError
from laurels.storage.contract import Batch, Rows, Store
from laurels.storage.tables import TABLES

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows how far it is: given a label and the number of rows, gives what is told how many are done."""

_encode = msgspec.msgpack.Encoder().encode


async def copy(source: Store, target: Store, progress: Progress) -> Mapping[str, int]:
    """Copy all that `source` holds at this moment into the empty `target`, and read it back; how many rows each table has.

    Raises NotEmpty, and StoreError where what is read back is not what was written.
    """
    async with source.rows() as rows:
        with progress("Copying", sum(rows.counts.values())) as update:
            written = Reading(rows, update)
            await target.fill(written.batches())
    async with target.rows() as rows:
        with progress("Reading back", sum(rows.counts.values())) as update:
            found = Reading(rows, update)
            async for _ in found.batches():
                pass
    if wrong := [table for table in TABLES if written.digest(table) != found.digest(table)]:
        raise StoreError(
            f"what was read back is not what was written, in {', '.join(wrong)}; let nobody else write to that database, "
            "and copy again into an empty one"
        )
    return rows.counts


class Reading:
    """Hands on the batches of a database, counts them, and keeps a digest of each table."""

    def __init__(self, rows: Rows, update: Callable[[int], None]) -> None:
        """`update` is told after each batch how many rows were handed on."""
        self._rows = rows
        self._update = update
        self._digests = {table: hashlib.blake2b(digest_size=32) for table in TABLES}

    def digest(self, table: str) -> bytes:
        """What was handed on of this table: equal for equal rows, whatever the engine and its batches."""
        return self._digests[table].digest()

    async def batches(self) -> AsyncIterator[Batch]:
        """The batches. Raises StoreError where they are not as many rows as the database counts."""
        done = 0
        async for table, rows in self._rows.batches():
            self._digests[table].update(b"".join(map(_encode, rows)))
            done += len(rows)
            yield table, rows
            self._update(done)
        if done != (counted := sum(self._rows.counts.values())):
            raise StoreError(f"{done} rows were read where the database counts {counted}; it is damaged")
