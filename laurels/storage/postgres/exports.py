"""Exports on PostgreSQL: the rows of a user, table by table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from laurels.storage.columns import TABLES, TABLES_OF_USERS
from laurels.storage.postgres.connections import Connections

FIRST_ROWS = {
    name: f"SELECT {TABLES[name]} FROM {name} WHERE user_id = $1 ORDER BY {', '.join(TABLES[name].key)} LIMIT $2"
    for name in TABLES_OF_USERS
}
NEXT_ROWS = {
    name: f"SELECT {TABLES[name]} FROM {name} WHERE user_id = $1 AND ({key}) > ({marks}) ORDER BY {key} LIMIT $2"
    for name in TABLES_OF_USERS
    for key in [", ".join(TABLES[name].key)]
    for marks in [", ".join(f"${number + 3}" for number in range(TABLES[name].key_length))]
}


class Exports(Connections):
    """Reading the rows of a user."""

    async def user_rows(
        self, table: str, user_id: str, after: Sequence[Any] | None, most: int
    ) -> Sequence[tuple[Any, ...]]:
        key = () if after is None else after[: TABLES[table].key_length]
        statement = FIRST_ROWS[table] if after is None else NEXT_ROWS[table]
        return [tuple(row) for row in await self._rows(statement, user_id, most, *key)]
