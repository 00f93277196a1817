"""Exports on SQLite: the rows of a user, table by table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from laurels.storage.columns import TABLES, TABLES_OF_USERS
from laurels.storage.sqlite.connections import Connections
from laurels.storage.sqlite.driver import Connection

FIRST_ROWS = {
    name: f"SELECT {TABLES[name]} FROM {name} WHERE user_id = ? ORDER BY {', '.join(TABLES[name].key)} LIMIT ?"
    for name in TABLES_OF_USERS
}
NEXT_ROWS = {
    name: f"SELECT {TABLES[name]} FROM {name} WHERE user_id = ? AND ({key}) > ({marks}) ORDER BY {key} LIMIT ?"
    for name in TABLES_OF_USERS
    for key in [", ".join(TABLES[name].key)]
    for marks in [", ".join("?" * TABLES[name].key_length)]
}


class Exports(Connections):
    """Reading the rows of a user."""

    async def user_rows(
        self, table: str, user_id: str, after: Sequence[Any] | None, most: int
    ) -> Sequence[tuple[Any, ...]]:
        key = () if after is None else after[: TABLES[table].key_length]
        statement = FIRST_ROWS[table] if after is None else NEXT_ROWS[table]
        return await self._in_background(partial(_rows, statement, (user_id, *key, most)))


def _rows(statement: str, values: Sequence[Any], connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(statement, values).fetchall()
