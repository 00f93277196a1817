"""Erasing users on SQLite: the transaction that makes a user invisible, and the parts in which the rest is deleted."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from laurels.storage import codec
from laurels.storage.columns import ERASED_AT_ONCE, ERASED_IN_PARTS, EVENTS, TABLES, UNFINISHED_ERASURES
from laurels.storage.contract import (
    ERASED_TOGETHER,
    EventKey,
    NamingTable,
    PendingErasure,
    RowKey,
    SearchedEvents,
    UnfinishedErasure,
)
from laurels.storage.erased_names import NAMING, greatest_key, in_details, in_undos
from laurels.storage.keyrings import OtherKeys
from laurels.storage.secrets import Keyring
from laurels.storage.sqlite.audit import forget
from laurels.storage.sqlite.connections import empty_log, insert, translated
from laurels.storage.sqlite.driver import Connection
from laurels.storage.sqlite.keyrings import Keyrings, is_erased

ERASE = [f"DELETE FROM {table} WHERE user_id = ?" for table in ERASED_AT_ONCE]
ADD_TOMBSTONE = "INSERT INTO tombstones (user_hash, erased_at) VALUES (?, ?) ON CONFLICT (user_hash) DO NOTHING"
PENDING = "SELECT user_id, name, erase_at FROM users WHERE erase_at <= ? ORDER BY erase_at, user_id LIMIT ?"
TOMBSTONES = "SELECT user_hash, erased_at FROM tombstones"
ERASED_AFTER = "SELECT EXISTS (SELECT 1 FROM tombstones WHERE erased_at > ?)"
EVER = -(2**63)
"""Before every time that can be stored."""

ERASE_PART = [
    f"DELETE FROM {name} WHERE user_id = ?1 AND ({key}) IN (SELECT {key} FROM {name} WHERE user_id = ?1 ORDER BY {key} LIMIT ?2)"
    for name in ERASED_IN_PARTS
    for key in [", ".join(TABLES[name].key[1:])]
]
ADD_UNFINISHED = f"{insert(UNFINISHED_ERASURES)} ON CONFLICT (user_id) DO UPDATE SET rows_left = excluded.rows_left"
UNFINISHED = f"SELECT {UNFINISHED_ERASURES} FROM unfinished_erasures ORDER BY erased_at, user_id"
HAS_ROWS_LEFT = "SELECT rows_left FROM unfinished_erasures WHERE user_id = ?"
NO_ROWS_LEFT = "UPDATE unfinished_erasures SET rows_left = 0 WHERE user_id = ?"
FINISHED = "DELETE FROM unfinished_erasures WHERE user_id = ? AND rows_left = 0"
LAST_EVENT = """
SELECT user_id, event_id FROM events WHERE (user_id, event_id) > (?, ?) ORDER BY user_id, event_id LIMIT 1 OFFSET ?
"""
EVENTS_NAMING = f"""
SELECT {EVENTS} FROM events WHERE (user_id, event_id) > (?, ?) AND (user_id, event_id) <= (?, ?)
AND EXISTS (SELECT 1 FROM json_each(?) AS text WHERE instr(data, text.value) > 0) ORDER BY user_id, event_id
"""
FILE_BYTES = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
LATEST = 2**62
LAST_NAMING = {
    name: f"SELECT {key} FROM {table.name} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT 1 OFFSET ?"
    for name, (table, _) in NAMING.items()
    for key, marks in [(", ".join(table.key), ", ".join("?" * table.key_length))]
}
WITHIN = {
    name: f"({key}) > ({marks}) AND ({key}) <= ({marks})"
    for name, (table, _) in NAMING.items()
    for key, marks in [(", ".join(table.key), ", ".join("?" * table.key_length))]
}
REPLACE_NAMES = {
    name: [
        f"UPDATE {table.name} SET {column} = (SELECT value FROM json_each(?) WHERE key = {column}) WHERE {WITHIN[name]} "
        f"AND {column} IN (SELECT key FROM json_each(?)) AND {column} IS NOT {principal}"
        for column, principal in columns
    ]
    for name, (table, columns) in NAMING.items()
}
REPLACE_IN_DETAILS = f"UPDATE audit SET detail = replace(detail, ?, ?) WHERE {WITHIN['audit']} AND instr(detail, ?) > 0"
REPLACE_IN_UNDOS = f"""
UPDATE adjustments SET data = replace(data, ?, ?)
WHERE {WITHIN["adjustments"]} AND undone_by IS NOT NULL AND instr(data, ?) > 0 AND instr(data, ?) = 0
"""
LAST_USER = "SELECT user_id FROM users WHERE user_id > ? ORDER BY user_id LIMIT 1 OFFSET ?"
GROUPS_NAMING = """
SELECT user_id, groups FROM users WHERE user_id > ? AND user_id <= ?
AND EXISTS (SELECT 1 FROM json_each(?) AS text WHERE instr(groups, text.value) > 0)
"""
AFTER_ALL = ("\U0010ffff\U0010ffff", "")


def erase(connection: Connection, user_id: str, user_hash: bytes, at: datetime) -> None:
    """Delete a user's rows that others may see, and the first part of the others, and store what remains to be done."""
    for statement in ERASE:
        connection.execute(statement, (user_id,))
    connection.execute(ADD_TOMBSTONE, (user_hash, codec.to_micros(at)))
    forget(connection, user_id, user_hash)
    gone = _erase_part(connection, user_id, ERASED_TOGETHER)
    connection.execute(ADD_UNFINISHED, (user_id, codec.to_micros(at), int(not gone)))


def _erase_part(connection: Connection, user_id: str, most: int) -> bool:
    """Delete at most this many rows. Returns whether none is left."""
    for statement in ERASE_PART:
        connection.execute(statement, (user_id, most))
        most -= connection.changes()
        if not most:
            return False
    return True


class Erasures(Keyrings):
    """Deleting what is left of erased users."""

    async def tombstones(self) -> Mapping[bytes, datetime]:
        with translated:
            return {digest: codec.from_micros(at) for digest, at in self._reader.execute(TOMBSTONES)}

    async def is_erased(self, user_id: str) -> bool:
        def look(keyring: Keyring) -> bool:
            with translated:
                return is_erased(self._reader, keyring, user_id)

        try:
            return look(await self.keyring())
        except OtherKeys:
            return look(await self._write(self._other_keyring))

    async def pending_erasures(self, limit: int, until: datetime | None = None) -> Sequence[PendingErasure]:
        latest = codec.to_micros(until) if until else LATEST
        with translated:
            return [codec.pending_of(row) for row in self._reader.execute(PENDING, (latest, limit))]

    async def unfinished_erasures(self) -> Sequence[UnfinishedErasure]:
        with translated:
            return [
                UnfinishedErasure(user_id, codec.from_micros(at), bool(left))
                for user_id, at, left in self._reader.execute(UNFINISHED)
            ]

    async def erase_part(self, user_id: str, most: int = ERASED_TOGETHER) -> bool:
        def erase(writer: Connection) -> bool:
            row = writer.execute(HAS_ROWS_LEFT, (user_id,)).fetchone()
            if row is None or not row[0]:
                return True
            gone = _erase_part(writer, user_id, most)
            if gone:
                writer.execute(NO_ROWS_LEFT, (user_id,))
            return gone

        return await self._in_transaction(erase)

    async def search_events(self, texts: Collection[str], after: EventKey, most: int) -> SearchedEvents:
        return await self._in_background(partial(_search, texts=texts, after=after, most=most))

    async def replace_names(
        self, table: NamingTable, references: Mapping[str, str], after: RowKey, most: int
    ) -> RowKey | None:
        def replace(writer: Connection) -> RowKey | None:
            last = writer.execute(LAST_NAMING[table], (*after, most - 1)).fetchone()
            within, names = (*after, *(last or greatest_key(NAMING[table][0]))), json.dumps(references)
            for statement in REPLACE_NAMES[table]:
                writer.execute(statement, (names, *within, names))
            for old, new in in_details(references) if table == "audit" else ():
                writer.execute(REPLACE_IN_DETAILS, (old, new, *within, old))
            for old, new, but in in_undos(references) if table == "adjustments" else ():
                writer.execute(REPLACE_IN_UNDOS, (old, new, *within, old, but))
            return last

        return await self._in_transaction(replace)

    async def groups_naming(
        self, texts: Collection[str], after: str, most: int
    ) -> tuple[Mapping[str, Sequence[str]], str | None]:
        def read(connection: Connection) -> tuple[Mapping[str, Sequence[str]], str | None]:
            row = connection.execute(LAST_USER, (after, most - 1)).fetchone()
            last = row[0] if row else None
            found = connection.execute(GROUPS_NAMING, (after, last or AFTER_ALL[0], json.dumps([*texts]))).fetchall()
            return {user_id: tuple(groups.split(codec.GROUP_SEPARATOR)) for user_id, groups in found}, last

        return await self._in_background(read)

    async def end_erasures(self, user_ids: Collection[str]) -> None:
        keys = [(user_id,) for user_id in user_ids]
        await self._in_transaction(lambda writer: writer.executemany(FINISHED, keys))

    async def clean_files(self) -> bool:
        if self._path is None:
            return True
        async with self._separate() as separate:
            return await separate.run(lambda cursor: empty_log(cursor.connection))

    async def needs_rewriting(self, since: datetime | None) -> bool:
        if self._path is None:
            return False
        after = codec.to_micros(since) if since else EVER
        return await self._in_background(lambda reader: bool(reader.execute(ERASED_AFTER, (after,)).fetchone()[0]))

    async def rewrite_files(self, most_bytes: int | None = None) -> bool:
        if self._path is None:
            return False
        async with self._separate() as separate:
            return await separate.run(lambda cursor: _rewrite(cursor.connection, most_bytes))


def _search(connection: Connection, texts: Collection[str], after: EventKey, most: int) -> SearchedEvents:
    """Read events in the order of their keys."""
    last = connection.execute(LAST_EVENT, (*after, most - 1)).fetchone()
    rows = connection.execute(EVENTS_NAMING, (*after, *(last or AFTER_ALL), json.dumps([*texts]))).fetchall()
    return SearchedEvents([codec.event_of(row) for row in rows], last)


def _rewrite(connection: Connection, most_bytes: int | None) -> bool:
    """Write all pages again. When SQLite moves rows between pages, copies of them stay between the rows of the old page.

    `secure_delete` overwrites rows, and not such copies. The copy that VACUUM makes is a file of its own, not in memory.
    """
    (size,) = connection.execute(FILE_BYTES).fetchone()
    if most_bytes is not None and size > most_bytes:
        return False
    connection.execute("PRAGMA temp_store = FILE").fetchall()
    connection.execute("VACUUM")
    return True
