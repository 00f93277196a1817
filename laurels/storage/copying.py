"""Copying all rows of one database into another, whatever their engines."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import msgspec

from laurels.engine.values import plain
from laurels.errors import StoreError
from laurels.storage.checking import READERS, Reader, check
from laurels.storage.codec import Columns
from laurels.storage.columns import BATCH, TABLES
from laurels.storage.contract import Batch, Rows, Store
from laurels.storage.secrets import Keyring

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows progress: given a label and the number of rows, gives a function that takes the number of rows done."""

_encode = msgspec.msgpack.Encoder().encode


@plain
class Erased:
    """Users who were erased since: their tombstones, with the time of each in microseconds, and the keys that made them."""

    tombstones: Mapping[bytes, int]
    keyring: Keyring

    def when(self, user_id: str) -> int | None:
        """When this user was erased."""
        found = (self.tombstones.get(digest) for digest in self.keyring.tombstones_of(user_id))
        return next((at for at in found if at is not None), None)


async def copy(
    source: Store,
    target: Store,
    progress: Progress,
    without: Collection[str] = (),
    erased: Erased | None = None,
    readers: Mapping[str, Reader] = READERS,
) -> Mapping[str, int]:
    """Copy a snapshot of `source` into the empty `target`, and read it back. Returns the number of rows of each table.

    The tables in `without` stay empty. `erased` are users erased since: in the copy their erasures are unfinished. `readers`
    read each row before it is written. Raises NotEmpty, and StoreError for a row that cannot be read, or if what is read back
    differs from what was written.
    """
    async with source.rows() as everything:
        some = _Some(everything, without)
        rows = WithErasures(some, erased) if erased else some
        with progress("Copying", sum(rows.counts.values())) as update:
            written = Reading(rows, update, partial(check, readers=readers))
            await target.fill(written.batches())
    async with target.rows() as rows:
        with progress("Reading back", sum(rows.counts.values())) as update:
            found = Reading(rows, update)
            async for _ in found.batches():
                pass
    if wrong := [table for table in TABLES if written.digest(table) != found.digest(table)]:
        raise StoreError(
            f"what was read back is not what was written, in {', '.join(wrong)}; make sure that no one else writes to "
            "that database, and copy again into an empty one"
        )
    return rows.counts


class _Some:
    """The rows of a database, except those of some tables."""

    def __init__(self, rows: Rows, without: Collection[str]) -> None:
        self.counts = {name: 0 if name in without else count for name, count in rows.counts.items()}
        self._rows = rows
        self._without = without

    async def batches(self) -> AsyncIterator[Batch]:
        async for table, rows in self._rows.batches():
            if table not in self._without:
                yield table, rows


class WithErasures:
    """The rows of a database, with tombstones of users erased since, and an unfinished erasure for each of them who is there."""

    def __init__(self, rows: Rows, erased: Erased) -> None:
        self.counts = dict(rows.counts)
        self._rows = rows
        self._erased = erased

    async def batches(self) -> AsyncIterator[Batch]:
        """The batches; the two tables that are changed come last. Their counts are right after that."""
        changed: dict[str, dict[Any, tuple[Any, ...]]] = {"tombstones": {}, "unfinished_erasures": {}}
        added = changed["unfinished_erasures"]
        async for table, rows in self._rows.batches():
            if table in changed:
                changed[table] |= {row[0]: row for row in rows}
                continue
            if table == "users":
                at = {row[0]: self._erased.when(row[0]) for row in rows}
                added |= {
                    user_id: (user_id, erased_at, 1) for user_id, erased_at in at.items() if erased_at is not None
                }
            yield table, rows
        changed["tombstones"] = {digest: (digest, at) for digest, at in self._erased.tombstones.items()} | changed[
            "tombstones"
        ]
        for table, found in changed.items():
            self.counts[table] = len(found)
            in_order = [found[key] for key in sorted(found)]
            for start in range(0, len(in_order), BATCH):
                yield table, in_order[start : start + BATCH]


class Reading:
    """Passes on the batches of a database, counts their rows, and computes a digest of each table."""

    def __init__(
        self, rows: Rows, update: Callable[[int], None], check: Callable[[str, Sequence[Columns]], None] | None = None
    ) -> None:
        """`update` is called after each batch with the number of rows passed on, `check` before each is passed on."""
        self._check = check
        self._rows = rows
        self._update = update
        self._digests = {table: hashlib.blake2b(digest_size=32) for table in TABLES}

    def digest(self, table: str) -> bytes:
        """The digest of this table: equal for equal rows, whatever the engine and its batches."""
        return self._digests[table].digest()

    async def batches(self) -> AsyncIterator[Batch]:
        """The batches. Raises StoreError if their rows are not as many as the database counts."""
        done = 0
        async for table, rows in self._rows.batches():
            if self._check:
                self._check(table, rows)
            self._digests[table].update(b"".join(map(_encode, rows)))
            done += len(rows)
            yield table, rows
            self._update(done)
        if done != (counted := sum(self._rows.counts.values())):
            raise StoreError(f"{done} rows were read, but the database counts {counted}; it is damaged")
