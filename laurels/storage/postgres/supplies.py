"""How many copies of badges with a limited supply are taken, on PostgreSQL.

Only a transaction that takes or frees a copy locks the badge's row, after all that it decides and writes. It decided with the
number that it had read, so it takes a copy only if one is still there, and is begun again otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from laurels.storage.columns import SUPPLIES
from laurels.storage.contract import UNBOUND, OtherRevision, RevisionKey
from laurels.storage.postgres.connections import Connections
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, Connection, Overtaken

ALL_SUPPLIES = f"SELECT {SUPPLIES} FROM supplies"
COUNTED = """
SELECT ids.badge, count(DISTINCT user_id) FROM unnest($1::text[], $2::text[]) AS ids (id, badge)
JOIN awards ON awards.badge = ids.id GROUP BY ids.badge
"""
MOVE = """
UPDATE supplies SET taken = taken + $2::bigint WHERE badge = $1 AND ($2::bigint < 0 OR taken + $2::bigint <= $3::bigint)
RETURNING 1
"""
KEY = "SELECT number, digest FROM catalog_revisions ORDER BY number DESC LIMIT 1"
FORGET = "DELETE FROM supplies"
ADD = "INSERT INTO supplies (badge, taken) SELECT * FROM unnest($1::text[], $2::bigint[])"
WAIT_FOR_COPIES = "LOCK TABLE supplies IN EXCLUSIVE MODE"
"""Waits for transactions that have taken or freed copies; what others do later is added to what is counted then."""


async def read_supplies(connection: Connection) -> dict[str, int]:
    """How many copies of each limited badge are taken."""
    return {row[0]: row[1] for row in await connection.fetch(ALL_SUPPLIES)}


async def counted(connection: Connection, ids: Mapping[str, str]) -> dict[str, int]:
    """The number of users with an award of each badge; `ids` gives the current id of each id."""
    if not ids:
        return {}
    rows = await connection.fetch(COUNTED, [*ids], [*ids.values()], timeout=LONG_STATEMENT_SECONDS)
    return {row[0]: row[1] for row in rows}


async def count_again(connection: Connection, ids: Mapping[str, str]) -> None:
    """Store what the awards say, for these badges and no others."""
    found = dict.fromkeys(ids.values(), 0) | await counted(connection, ids)
    await connection.execute(FORGET)
    await connection.execute(ADD, [*found], [*found.values()])


async def move(connection: Connection, copies: Mapping[str, tuple[int, int]]) -> None:
    """Take and free copies. Raises Overtaken if others took the last one meanwhile.

    In the order of the badges, so that two processes that lock the same rows cannot deadlock.
    """
    for badge, (change, supply) in sorted(copies.items()):
        if await connection.fetchval(MOVE, badge, change, supply) is None:
            raise Overtaken(f"another process took the last copy of the badge '{badge}'")


class Supplies(Connections):
    """Reading and counting copies."""

    async def supplies(self) -> Mapping[str, int]:
        return await self._pool.run(read_supplies)

    async def counted_supplies(self, ids: Mapping[str, str]) -> tuple[Mapping[str, int], Mapping[str, int]]:
        async def read(connection: Connection) -> tuple[Mapping[str, int], Mapping[str, int]]:
            return await read_supplies(connection), await counted(connection, ids)

        return await self._snapshot(read)

    async def count_supplies(self, ids: Mapping[str, str], key: RevisionKey) -> None:
        async def count(connection: Connection) -> None:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(WAIT_FOR_COPIES, timeout=LONG_STATEMENT_SECONDS)
                row = await connection.fetchrow(KEY)
                if ((row[0], row[1]) if row else UNBOUND) != key:
                    raise OtherRevision
                await count_again(connection, ids)

        await self._pool.run(count, self._patience)
