"""How many copies of badges with a limited supply are taken, on SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping

from laurels.storage.columns import SUPPLIES
from laurels.storage.contract import UNBOUND, OtherRevision, RevisionKey
from laurels.storage.sqlite.connections import Connections, insert, translated
from laurels.storage.sqlite.driver import Connection

ALL_SUPPLIES = f"SELECT {SUPPLIES} FROM supplies"
COUNTED = """
SELECT ids.value, count(DISTINCT user_id) FROM json_each(?) AS ids JOIN awards ON badge = ids.key GROUP BY ids.value
"""
MOVE = "UPDATE supplies SET taken = taken + ? WHERE badge = ?"
KEY = "SELECT number, digest FROM catalog_revisions ORDER BY number DESC LIMIT 1"
FORGET = "DELETE FROM supplies"
ADD = insert(SUPPLIES)


def read_supplies(connection: Connection) -> dict[str, int]:
    """How many copies of each limited badge are taken."""
    return dict(connection.execute(ALL_SUPPLIES))


def counted(connection: Connection, ids: Mapping[str, str]) -> dict[str, int]:
    """The number of users with an award of each badge; `ids` gives the current id of each id."""
    return dict(connection.execute(COUNTED, (json.dumps(ids),))) if ids else {}


def count_again(connection: Connection, ids: Mapping[str, str]) -> None:
    """Store what the awards say, for these badges and no others."""
    found = dict.fromkeys(ids.values(), 0) | counted(connection, ids)
    connection.execute(FORGET)
    connection.executemany(ADD, found.items())


def move(connection: Connection, copies: Mapping[str, tuple[int, int]]) -> None:
    """Take and free copies. There are enough: they were read in the same transaction."""
    connection.executemany(MOVE, [(change, badge) for badge, (change, _) in copies.items()])


class Supplies(Connections):
    """Reading and counting copies."""

    async def supplies(self) -> Mapping[str, int]:
        with translated:
            return read_supplies(self._reader)

    async def counted_supplies(self, ids: Mapping[str, str]) -> tuple[Mapping[str, int], Mapping[str, int]]:
        return await self._in_background(lambda connection: (read_supplies(connection), counted(connection, ids)))

    async def count_supplies(self, ids: Mapping[str, str], key: RevisionKey) -> None:
        def count(writer: Connection) -> None:
            if (writer.execute(KEY).fetchone() or UNBOUND) != key:
                raise OtherRevision
            count_again(writer, ids)

        await self._in_transaction(count)
