"""Exports: everything that is stored about one user, a page of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Exports(Protocol):
    """Reading the rows of a user, table by table."""

    async def user_rows(
        self, table: str, user_id: str, after: Sequence[Any] | None, most: int
    ) -> Sequence[tuple[Any, ...]]:
        """The next rows of a user, in the order of their keys: values in the order of the table's columns.

        `table` is one of TABLES_OF_USERS, `after` the last row of the page before (None: the first page).
        """
        ...
