"""The revisions of the catalog on SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from laurels.engine.catalog import Catalog
from laurels.engine.succession import NOTHING_IN_USE, Ids, InUse
from laurels.storage import codec
from laurels.storage.columns import CATALOG_REVISIONS, TABLES_OF_BOARDS
from laurels.storage.contract import (
    UNBOUND,
    AmnestyRow,
    AskAboutIds,
    AuditOf,
    CatalogRow,
    CatalogState,
    DecideCatalog,
    RevisionKey,
    amnesty_count,
)
from laurels.storage.sqlite.amnesties import ALL_AMNESTIES
from laurels.storage.sqlite.closings import all_closings, close, unclosed
from laurels.storage.sqlite.connections import Connections, insert, save_audit, translated
from laurels.storage.sqlite.driver import Connection
from laurels.storage.sqlite.supplies import count_again

KEY = "SELECT number, digest FROM catalog_revisions ORDER BY number DESC LIMIT 1"
IN_FORCE = """
SELECT number, digest, EXISTS (SELECT 1 FROM amnesties) FROM catalog_revisions ORDER BY number DESC LIMIT 1
"""
"""The key of the newest revision, and whether there are amnesties: most databases have none, so no second statement is needed."""

ALL_REVISIONS = f"SELECT {CATALOG_REVISIONS} FROM catalog_revisions ORDER BY number"
NEWEST = f"SELECT {CATALOG_REVISIONS} FROM catalog_revisions ORDER BY number DESC LIMIT 1"
SAVE = f"""
{insert(CATALOG_REVISIONS)}
ON CONFLICT (number) DO UPDATE SET
    text = excluded.text, digest = excluded.digest, rules = excluded.rules,
    applied_at = excluded.applied_at, applied_by = excluded.applied_by, reason = excluded.reason,
    principal_kind = excluded.principal_kind, principal_name = excluded.principal_name,
    silent = excluded.silent, filled = excluded.filled, filled_at = excluded.filled_at, past = excluded.past
"""
FILLED = """
UPDATE catalog_revisions SET filled = ?3, filled_at = ?4
WHERE number = ?1 AND digest = ?2 AND filled IS NOT NULL AND filled_at IS NULL
"""
IS_USED = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM tombstones)"
RULES_OF_USERS = "SELECT rules FROM users GROUP BY rules ORDER BY count(*) DESC, rules"
RULES_OF_NEWEST = """
SELECT rules FROM events JOIN users USING (user_id) ORDER BY recorded_at DESC, user_id LIMIT 1
"""


HOLDERS = "SELECT badge, count(*) FROM awards WHERE badge IN (SELECT value FROM json_each(?)) GROUP BY badge"
WITH_BYTES = "SELECT progress FROM users WHERE instr(progress, ?) > 0"
HAS_LINES = """
SELECT EXISTS (SELECT 1 FROM standings WHERE board = ?1)
    OR EXISTS (SELECT 1 FROM standings WHERE board >= ?1 || '/' AND board < ?1 || '0')
    OR EXISTS (SELECT 1 FROM closings WHERE board = ?1)
"""
PERIODS_OF_BOARD = """
SELECT period FROM tallies WHERE board = ?1 OR (board >= ?1 || '/' AND board < ?1 || '0')
UNION SELECT period FROM closings WHERE board = ?1
"""
"""The periods that a leaderboard has under this id. '/' begins the partitions of one; '0' is the next character."""

RENAME_BOARD = """
UPDATE {} SET board = ?2 || substr(board, length(?1) + 1)
WHERE (board = ?1 OR (board >= ?1 || '/' AND board < ?1 || '0')) AND period NOT IN (SELECT value FROM json_each(?3))
"""
RENAME_RULE = "UPDATE OR IGNORE board_rules SET board = ?2 WHERE board = ?1"


def read_key(connection: Connection) -> RevisionKey:
    """The key of the revision in force."""
    return connection.execute(KEY).fetchone() or UNBOUND


def read_in_force(connection: Connection) -> tuple[RevisionKey, list[AmnestyRow], int]:
    """What is in force for all users: the key of the catalog's revision, all amnesties, oldest first, and their count."""
    found = connection.execute(IN_FORCE).fetchone()
    if found and not found[2]:
        return (found[0], found[1]), [], 0
    amnesties = [codec.amnesty_of(row) for row in connection.execute(ALL_AMNESTIES)]
    return (found[0], found[1]) if found else UNBOUND, amnesties, amnesty_count(amnesties)


def read_state(connection: Connection, ask: AskAboutIds | None = None) -> CatalogState:
    """What decides about the next revision."""
    row = connection.execute(NEWEST).fetchone()
    is_used = bool(connection.execute(IS_USED).fetchone()[0])
    periods = (unclosed(connection), all_closings(connection)) if ask else ((), ())
    if row is None:
        return CatalogState(None, is_used, _judged_by(connection), NOTHING_IN_USE, *periods)
    newest = codec.catalog_of(row)
    in_use = _in_use(connection, ask(newest)) if ask else NOTHING_IN_USE
    return CatalogState(newest, is_used, None, in_use, *periods)


def _in_use(connection: Connection, ids: Ids) -> InUse:
    """What is stored under these ids."""
    badges = connection.execute(HOLDERS, (json.dumps([*ids.badges]),)) if ids.badges else ()
    return InUse(
        badges=dict(badges),
        streaks=frozenset(name for name in ids.streaks if _has_days(connection, name)),
        boards=frozenset(name for name in ids.boards if connection.execute(HAS_LINES, (name,)).fetchone()[0]),
    )


def _has_days(connection: Connection, streak: str) -> bool:
    """Whether any user has days of a streak. Reads users until it finds one."""
    found = connection.execute(WITH_BYTES, (codec.head_of_days(streak),))
    try:
        return any(codec.has_days(progress, streak) for (progress,) in found)
    finally:
        found.close()


def _judged_by(connection: Connection) -> str | None:
    """The rules under which users were last judged."""
    found = [rules for (rules,) in connection.execute(RULES_OF_USERS)]
    if len(found) > 1 and (newest := connection.execute(RULES_OF_NEWEST).fetchone()):
        return newest[0]
    return found[0] if found else None


def _rename_board(writer: Connection, earlier: str, current: str) -> None:
    """Store what is stored under an earlier id of a leaderboard under its current one, where that has nothing yet."""
    taken = json.dumps([period for (period,) in writer.execute(PERIODS_OF_BOARD, (current,))])
    for table in TABLES_OF_BOARDS:
        writer.execute(RENAME_BOARD.format(table), (earlier, current, taken))
    writer.execute(RENAME_RULE, (earlier, current))


class Catalogs(Connections):
    """Reading and changing the revisions of the catalog."""

    async def catalog_key(self) -> RevisionKey:
        with translated:
            return read_key(self._reader)

    async def catalog_state(self, ask: AskAboutIds | None = None) -> CatalogState:
        return await self._in_background(lambda connection: read_state(connection, ask))

    async def catalog_revisions(self) -> Sequence[CatalogRow]:
        with translated:
            return [codec.catalog_of(row) for row in self._reader.execute(ALL_REVISIONS)]

    async def note_filled(self, revision: RevisionKey, users: int, at: datetime | None = None) -> None:
        values = (*revision, users, codec.maybe_micros(at))
        await self._in_transaction(lambda writer: writer.execute(FILLED, values))

    async def change_catalog(self, decide: DecideCatalog, ask: AskAboutIds, audit_of: AuditOf | None = None) -> None:
        def change(writer: Connection) -> None:
            decided = decide(read_state(writer, ask))
            if decided is not None:
                writer.execute(SAVE, codec.catalog_columns(decided.revision))
                save_audit(writer, [audit_of(decided.revision)] if audit_of else ())
                for row in decided.closed:
                    close(writer, row)
                catalog = Catalog.parse(decided.revision.text)
                count_again(writer, catalog.limited_ids)
                for earlier, current in catalog.renames.boards.items():
                    _rename_board(writer, earlier, current)

        await self._in_transaction(change)
