"""The revisions of the catalog on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from laurels.engine.catalog import Catalog
from laurels.storage import codec
from laurels.storage.columns import CATALOG_REVISIONS, TABLES_OF_BOARDS
from laurels.storage.contract import UNBOUND, CatalogRow, CatalogState, DecideCatalog, RevisionKey
from laurels.storage.postgres.connections import Connections, insert, setting
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, Connection

KEY = "SELECT number, digest FROM catalog_revisions ORDER BY number DESC LIMIT 1"
ALL_REVISIONS = f"SELECT {CATALOG_REVISIONS} FROM catalog_revisions ORDER BY number"
NEWEST = f"SELECT {CATALOG_REVISIONS} FROM catalog_revisions ORDER BY number DESC LIMIT 1"
SAVE = f"{insert(CATALOG_REVISIONS)} ON CONFLICT (number) DO UPDATE SET {setting(CATALOG_REVISIONS, 'excluded')}"
IS_USED = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM tombstones)"
RULES_OF_USERS = "SELECT rules FROM users GROUP BY rules ORDER BY count(*) DESC, rules"
RULES_OF_NEWEST = """
SELECT rules FROM events JOIN users USING (user_id) ORDER BY recorded_at DESC, user_id LIMIT 1
"""
WAIT_FOR_CHANGES = "LOCK TABLE users, catalog_revisions IN EXCLUSIVE MODE"
"""Waits for transactions that have locked users, and makes others wait before they read which revision is in force."""

WAIT_FOR_CATALOG = "LOCK TABLE catalog_revisions IN ROW SHARE MODE"
"""Makes a transaction without users wait for one that changes the catalog, and the other way round."""


HOLDERS = "SELECT badge, count(*) FROM awards GROUP BY badge"
PERIODS_OF_BOARD = """
SELECT period FROM tallies WHERE board = $1 OR (board >= $1 || '/' AND board < $1 || '0')
UNION SELECT period FROM closings WHERE board = $1
"""
"""The periods that a leaderboard has under this id. '/' begins the partitions of one; '0' is the next character."""

RENAME_BOARD = """
UPDATE {} SET board = $2 || substr(board, length($1) + 1)
WHERE (board = $1 OR (board >= $1 || '/' AND board < $1 || '0')) AND period <> ALL($3::text[])
"""
RENAME_RULE = """
UPDATE board_rules SET board = $2 WHERE board = $1 AND NOT EXISTS (SELECT 1 FROM board_rules WHERE board = $2)
"""


async def read_key(connection: Connection) -> RevisionKey:
    """The key of the revision in force."""
    row = await connection.fetchrow(KEY)
    return (row[0], row[1]) if row else UNBOUND


async def read_state(connection: Connection, *, to_change: bool = False) -> CatalogState:
    """What decides about the next revision; `to_change`: with the holders of badges."""
    row = await connection.fetchrow(NEWEST)
    is_used = bool(await connection.fetchval(IS_USED))
    if row:
        counts = await connection.fetch(HOLDERS, timeout=LONG_STATEMENT_SECONDS) if to_change else ()
        return CatalogState(codec.catalog_of(row), is_used, holders={row[0]: row[1] for row in counts})
    return CatalogState(None, is_used, await _judged_by(connection))


async def _judged_by(connection: Connection) -> str | None:
    """The rules under which users were last judged."""
    found = [row[0] for row in await connection.fetch(RULES_OF_USERS, timeout=LONG_STATEMENT_SECONDS)]
    if len(found) > 1:
        newest: str | None = await connection.fetchval(RULES_OF_NEWEST, timeout=LONG_STATEMENT_SECONDS)
        return newest or found[0]
    return found[0] if found else None


async def _rename_board(connection: Connection, earlier: str, current: str) -> None:
    """Store what is stored under an earlier id of a leaderboard under its current one, where that has nothing yet."""
    taken = [row[0] for row in await connection.fetch(PERIODS_OF_BOARD, current)]
    for table in TABLES_OF_BOARDS:
        await connection.execute(RENAME_BOARD.format(table), earlier, current, taken, timeout=LONG_STATEMENT_SECONDS)
    await connection.execute(RENAME_RULE, earlier, current)


class Catalogs(Connections):
    """Reading and changing the revisions of the catalog."""

    async def catalog_key(self) -> RevisionKey:
        return await self._pool.run(read_key)

    async def catalog_state(self) -> CatalogState:
        return await self._snapshot(read_state)

    async def catalog_revisions(self) -> Sequence[CatalogRow]:
        return [codec.catalog_of(row) for row in await self._rows(ALL_REVISIONS)]

    async def change_catalog(self, decide: DecideCatalog) -> None:
        async def change(connection: Connection) -> None:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(WAIT_FOR_CHANGES, timeout=LONG_STATEMENT_SECONDS)
                revision = decide(await read_state(connection, to_change=True))
                if revision is not None:
                    await connection.execute(SAVE, *codec.catalog_columns(revision))
                    for earlier, current in Catalog.parse(revision.text).renames.boards.items():
                        await _rename_board(connection, earlier, current)

        await self._pool.run(change, self._patience)
