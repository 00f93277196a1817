"""Copying: all rows out of one database and into another, whatever their engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Batch = tuple[str, Sequence[tuple[Any, ...]]]
"""Some rows of a table: its name in `storage/columns.py`, and the values of each row in the order of its columns."""


class Rows(Protocol):
    """All rows of a database, from one snapshot. Values are int, str, bytes and None on every engine."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of rows of each table."""
        ...

    def batches(self) -> AsyncIterator[Batch]:
        """Every row once: table by table, sorted by key, in batches of a few megabytes at most."""
        ...


class Copying(Protocol):
    """Reading and writing whole databases."""

    def rows(self) -> AbstractAsyncContextManager[Rows]:
        """All that is stored, from one snapshot. Neither this nor concurrent writers wait for the other."""
        ...

    async def fill(self, batches: AsyncIterator[Batch]) -> None:
        """Write all rows of another database in one transaction, and count the tallies from them.

        Nothing is written if an error occurs, `batches` raises, or the process ends early. No one else may use the database at
        the same time; other writers wait or fail. Raises NotEmpty if it has any row except its own secret and maintenance
        runs: those of the other database replace them, so that users erased there stay erased.
        """
        ...
