"""Copying all rows of one database into another, whatever their engines."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from functools import partial
from typing import Any

import msgspec

from laurels.engine.values import plain
from laurels.errors import StoreError
from laurels.storage.checking import READERS, Reader, check
from laurels.storage.codec import Columns
from laurels.storage.columns import BATCH, TABLES, USERS
from laurels.storage.contract import Batch, Rows, Store
from laurels.storage.secrets import Keyring

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows progress: given a label and the number of rows, gives a function that takes the number of rows done."""

ERASE_AT, EXCLUDED = map(USERS.columns.index, ("erase_at", "excluded"))

_encode = msgspec.msgpack.Encoder().encode


@plain
class Erased:
    """What became of users since a backup: the tombstones of those who were erased and of those who are to be, with the times.

    The times are microseconds. `keyring` has the keys that made the tombstones.
    """

    tombstones: Mapping[bytes, int]
    keyring: Keyring
    pending: Mapping[bytes, int] = field(default_factory=dict[bytes, int])

    def when(self, user_id: str) -> int | None:
        """When this user was erased."""
        return self._found(self.tombstones, user_id)

    def due(self, user_id: str) -> int | None:
        """When this user is to be erased."""
        return self._found(self.pending, user_id)

    def _found(self, times: Mapping[bytes, int], user_id: str) -> int | None:
        found = (times.get(digest) for digest in self.keyring.tombstones_of(user_id))
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

    The tables in `without` stay empty. Of users `erased` since, the erasures are unfinished in the copy; those who are to be
    erased since are marked so there, without sessions. `readers` read each row before it is written. Raises NotEmpty, and
    StoreError for a row that cannot be read, or if what is read back differs from what was written.
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
    """The rows of a database, with tombstones of users erased since, and an unfinished erasure for each of them who is there.

    Users who are to be erased are marked, if they are not yet, and have no sessions.
    """

    def __init__(self, rows: Rows, erased: Erased) -> None:
        self.counts = dict(rows.counts)
        self._rows = rows
        self._erased = erased
        self._marked = set[str]()

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
                rows = list(map(self._with_mark, rows)) if self._erased.pending else rows  # noqa: PLW2901
            if table == "sessions":
                stay = [row for row in rows if row[0] not in self._marked]
                self.counts[table] -= len(rows) - len(stay)
                rows = stay  # noqa: PLW2901
            yield table, rows
        changed["tombstones"] = {digest: (digest, at) for digest, at in self._erased.tombstones.items()} | changed[
            "tombstones"
        ]
        for table, found in changed.items():
            self.counts[table] = len(found)
            in_order = [found[key] for key in sorted(found)]
            for start in range(0, len(in_order), BATCH):
                yield table, in_order[start : start + BATCH]

    def _with_mark(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """The row of a user, marked if an erasure is pending since the backup."""
        due = self._erased.due(row[0])
        if due is None or row[ERASE_AT] is not None:
            return row
        self._marked.add(row[0])
        changed = {ERASE_AT: due, EXCLUDED: 1}
        return tuple(changed.get(place, value) for place, value in enumerate(row))


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
