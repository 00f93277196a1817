"""The revisions of the catalog on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from laurels.engine.catalog import Catalog
from laurels.engine.succession import NOTHING_IN_USE, Ids, InUse
from laurels.storage import codec
from laurels.storage.columns import CATALOG_REVISIONS, TABLES_OF_BOARDS
from laurels.storage.contract import UNBOUND, AskAboutIds, AuditOf, CatalogRow, CatalogState, DecideCatalog, RevisionKey
from laurels.storage.postgres.closings import all_closings, close, unclosed
from laurels.storage.postgres.connections import Connections, insert, save_audit, setting
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, Connection
from laurels.storage.postgres.supplies import count_again

KEY = "SELECT number, digest FROM catalog_revisions ORDER BY number DESC LIMIT 1"
ALL_REVISIONS = f"SELECT {CATALOG_REVISIONS} FROM catalog_revisions ORDER BY number"
NEWEST = f"SELECT {CATALOG_REVISIONS} FROM catalog_revisions ORDER BY number DESC LIMIT 1"
SAVE = f"{insert(CATALOG_REVISIONS)} ON CONFLICT (number) DO UPDATE SET {setting(CATALOG_REVISIONS, 'excluded')}"
FILLED = """
UPDATE catalog_revisions SET filled = $3, filled_at = $4
WHERE number = $1 AND digest = $2 AND filled IS NOT NULL AND filled_at IS NULL
"""
IS_USED = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM tombstones)"
RULES_OF_USERS = "SELECT rules FROM users GROUP BY rules ORDER BY count(*) DESC, rules"
RULES_OF_NEWEST = """
SELECT rules FROM events JOIN users USING (user_id) ORDER BY recorded_at DESC, user_id LIMIT 1
"""
WAIT_FOR_CHANGES = "LOCK TABLE users, catalog_revisions IN EXCLUSIVE MODE"
"""Waits for transactions that have locked users, and makes others wait before they read which revision is in force."""

WAIT_FOR_CATALOG = "LOCK TABLE catalog_revisions IN ROW SHARE MODE"
"""Makes a transaction without users wait for one that changes the catalog, and the other way round."""


HOLDERS = "SELECT badge, count(*) FROM awards WHERE badge = ANY($1::text[]) GROUP BY badge"
WITH_BYTES = """
SELECT user_id, progress FROM users WHERE user_id > $1 AND position($2::bytea in progress) > 0 ORDER BY user_id LIMIT 50
"""
HAS_LINES = """
SELECT EXISTS (SELECT 1 FROM standings WHERE board = $1)
    OR EXISTS (SELECT 1 FROM standings WHERE board >= $1 || '/' AND board < $1 || '0')
    OR EXISTS (SELECT 1 FROM closings WHERE board = $1)
"""
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


async def read_state(connection: Connection, ask: AskAboutIds | None = None) -> CatalogState:
    """What decides about the next revision."""
    row = await connection.fetchrow(NEWEST)
    is_used = bool(await connection.fetchval(IS_USED))
    periods = (await unclosed(connection), await all_closings(connection)) if ask else ((), ())
    if row is None:
        return CatalogState(None, is_used, await _judged_by(connection), NOTHING_IN_USE, *periods)
    newest = codec.catalog_of(row)
    in_use = await _in_use(connection, ask(newest)) if ask else NOTHING_IN_USE
    return CatalogState(newest, is_used, None, in_use, *periods)


async def _in_use(connection: Connection, ids: Ids) -> InUse:
    """What is stored under these ids."""
    held = await connection.fetch(HOLDERS, [*ids.badges], timeout=LONG_STATEMENT_SECONDS) if ids.badges else ()
    return InUse(
        badges={row[0]: row[1] for row in held},
        streaks=frozenset([name for name in ids.streaks if await _has_days(connection, name)]),
        boards=frozenset([name for name in ids.boards if await connection.fetchval(HAS_LINES, name)]),
    )


async def _has_days(connection: Connection, streak: str) -> bool:
    """Whether any user has days of a streak. Reads users until it finds one."""
    after, head = "", codec.head_of_days(streak)
    while rows := await connection.fetch(WITH_BYTES, after, head, timeout=LONG_STATEMENT_SECONDS):
        if any(codec.has_days(progress, streak) for _, progress in rows):
            return True
        after = rows[-1][0]
    return False


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

    async def catalog_state(self, ask: AskAboutIds | None = None) -> CatalogState:
        return await self._snapshot(lambda connection: read_state(connection, ask))

    async def catalog_revisions(self) -> Sequence[CatalogRow]:
        return [codec.catalog_of(row) for row in await self._rows(ALL_REVISIONS)]

    async def note_filled(self, revision: RevisionKey, users: int, at: datetime | None = None) -> None:
        values = (*revision, users, codec.maybe_micros(at))
        await self._pool.run(lambda connection: connection.execute(FILLED, *values))

    async def change_catalog(self, decide: DecideCatalog, ask: AskAboutIds, audit_of: AuditOf | None = None) -> None:
        async def change(connection: Connection) -> None:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(WAIT_FOR_CHANGES, timeout=LONG_STATEMENT_SECONDS)
                decided = decide(await read_state(connection, ask))
                if decided is not None:
                    await connection.execute(SAVE, *codec.catalog_columns(decided.revision))
                    await save_audit(connection, [audit_of(decided.revision)] if audit_of else ())
                    for row in decided.closed:
                        await close(connection, row)
                    catalog = Catalog.parse(decided.revision.text)
                    await count_again(connection, catalog.limited_ids)
                    for earlier, current in catalog.renames.boards.items():
                        await _rename_board(connection, earlier, current)

        await self._pool.run(change, self._patience)
