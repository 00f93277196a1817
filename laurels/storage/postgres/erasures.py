"""Erasing users on PostgreSQL: the transaction that makes users invisible, and the parts in which the rest is deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from laurels.storage import codec
from laurels.storage.columns import ERASED_AT_ONCE, ERASED_IN_PARTS, EVENTS, TOMBSTONES, UNFINISHED_ERASURES
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
from laurels.storage.postgres.audit import forget
from laurels.storage.postgres.connections import insert_all
from laurels.storage.postgres.keyrings import Keyrings, erased_of
from laurels.storage.postgres.pool import Connection, write

ERASE = [f"DELETE FROM {table} WHERE user_id = ANY($1)" for table in ERASED_AT_ONCE]
ADD_TOMBSTONES = f"{insert_all(TOMBSTONES)} ON CONFLICT (user_hash) DO NOTHING"
PENDING = "SELECT user_id, name, erase_at FROM users WHERE erase_at <= $1 ORDER BY erase_at, user_id LIMIT $2"
LATEST = 2**62
ALL_TOMBSTONES = f"SELECT {TOMBSTONES} FROM tombstones"
ERASE_PART = [
    f"DELETE FROM {table} WHERE user_id = $1 AND ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE user_id = $1 LIMIT $2))"
    for table in ERASED_IN_PARTS
]
ADD_UNFINISHED = f"""
{insert_all(UNFINISHED_ERASURES)} ON CONFLICT (user_id) DO UPDATE SET rows_left = excluded.rows_left
"""
UNFINISHED = f"SELECT {UNFINISHED_ERASURES} FROM unfinished_erasures ORDER BY erased_at, user_id"
LOCK_UNFINISHED = "SELECT rows_left FROM unfinished_erasures WHERE user_id = $1 FOR UPDATE"
"""So that of two processes that delete a part, neither counts the rows of the other as gone before they are."""

NO_ROWS_LEFT = "UPDATE unfinished_erasures SET rows_left = 0 WHERE user_id = $1"
FINISHED = "DELETE FROM unfinished_erasures WHERE user_id = ANY($1) AND rows_left = 0"
LAST_EVENT = """
SELECT user_id, event_id FROM events WHERE (user_id, event_id) > ($1, $2) ORDER BY user_id, event_id OFFSET $3 LIMIT 1
"""
EVENTS_NAMING = f"""
SELECT {EVENTS} FROM events WHERE (user_id, event_id) > ($1, $2) AND ($3::text IS NULL OR (user_id, event_id) <= ($3, $4))
AND EXISTS (SELECT 1 FROM unnest($5::text[]) AS text WHERE strpos(data, text) > 0) ORDER BY user_id, event_id
"""


def _marks(number: int, first: int) -> str:
    return ", ".join(f"${mark}" for mark in range(first, first + number))


LAST_NAMING = {
    name: f"SELECT {key} FROM {table.name} WHERE ({key}) > ({_marks(many, 1)}) ORDER BY {key} LIMIT 1 OFFSET ${many + 1}"
    for name, (table, _) in NAMING.items()
    for key, many in [(", ".join(table.key), table.key_length)]
}
REPLACE_NAMES = {
    name: [
        f"UPDATE {table.name} SET {column} = n.reference FROM unnest($1::text[], $2::text[]) AS n (erased, reference) "
        f"WHERE ({key}) > ({_marks(many, 3)}) AND ({key}) <= ({_marks(many, 3 + many)}) "
        f"AND {column} = n.erased AND {column} IS DISTINCT FROM {principal}"
        for column, principal in columns
    ]
    for name, (table, columns) in NAMING.items()
    for key, many in [(", ".join(table.key), table.key_length)]
}
REPLACE_IN_DETAILS = """
UPDATE audit SET detail = replace(detail, $1, $2) WHERE audit_id > $3 AND audit_id <= $4 AND strpos(detail, $1) > 0
"""
REPLACE_IN_UNDOS = """
UPDATE adjustments SET data = replace(data, $1, $2) WHERE (user_id, adjustment_id) > ($4, $5)
AND (user_id, adjustment_id) <= ($6, $7) AND undone_by IS NOT NULL AND strpos(data, $1) > 0 AND strpos(data, $3) = 0
"""
LAST_USER = "SELECT user_id FROM users WHERE user_id > $1 ORDER BY user_id LIMIT 1 OFFSET $2"
GROUPS_NAMING = """
SELECT user_id, groups FROM users WHERE user_id > $1 AND user_id <= $2
AND EXISTS (SELECT 1 FROM unnest($3::text[]) AS text WHERE strpos(groups, text) > 0)
"""
AFTER_ALL = "\U0010ffff\U0010ffff"


async def erase(connection: Connection, users: Mapping[str, tuple[bytes, datetime]]) -> None:
    """Delete the rows of users, each given with a hash and the time, that others may see, and the first part of the others.

    What remains to be done is stored.
    """
    for statement in ERASE:
        await connection.execute(statement, [*users])
    await write(connection, ADD_TOMBSTONES, [(digest, codec.to_micros(at)) for digest, at in users.values()])
    await forget(connection, {user_id: digest for user_id, (digest, _) in users.items()})
    unfinished: list[tuple[str, int, int]] = []
    for user_id, (_, at) in users.items():
        gone = await _erase_part(connection, user_id, ERASED_TOGETHER)
        unfinished.append((user_id, codec.to_micros(at), int(not gone)))
    await write(connection, ADD_UNFINISHED, unfinished)


async def _erase_part(connection: Connection, user_id: str, most: int) -> bool:
    """Delete at most this many rows. Returns whether none is left."""
    for statement in ERASE_PART:
        done = await connection.execute(statement, user_id, most)
        most -= int(done.rpartition(" ")[2])
        if not most:
            return False
    return True


class Erasures(Keyrings):
    """Deleting what is left of erased users."""

    async def tombstones(self) -> Mapping[bytes, datetime]:
        return {digest: codec.from_micros(at) for digest, at in await self._rows(ALL_TOMBSTONES)}

    async def is_erased(self, user_id: str) -> bool:
        async def look(connection: Connection) -> bool:
            try:
                return bool(await erased_of(connection, await self._keyring_over(connection), [user_id]))
            except OtherKeys:
                return bool(await erased_of(connection, await self._other_keyring(connection), [user_id]))

        return await self._pool.run(look)

    async def pending_erasures(self, limit: int, until: datetime | None = None) -> Sequence[PendingErasure]:
        latest = codec.to_micros(until) if until else LATEST
        return [codec.pending_of(row) for row in await self._rows(PENDING, latest, limit)]

    async def unfinished_erasures(self) -> Sequence[UnfinishedErasure]:
        found = await self._rows(UNFINISHED)
        return [UnfinishedErasure(user_id, codec.from_micros(at), bool(left)) for user_id, at, left in found]

    async def erase_part(self, user_id: str, most: int = ERASED_TOGETHER) -> bool:
        async def erase(connection: Connection) -> bool:
            async with connection.transaction():
                if not await connection.fetchval(LOCK_UNFINISHED, user_id):
                    return True
                gone = await _erase_part(connection, user_id, most)
                if gone:
                    await connection.execute(NO_ROWS_LEFT, user_id)
                return gone

        return await self._pool.run(erase, self._patience)

    async def search_events(self, texts: Collection[str], after: EventKey, most: int) -> SearchedEvents:
        async def read(connection: Connection) -> SearchedEvents:
            row = await connection.fetchrow(LAST_EVENT, *after, most - 1)
            last = (row[0], row[1]) if row else None
            found = await connection.fetch(EVENTS_NAMING, *after, *(last or (None, None)), [*texts])
            return SearchedEvents([codec.event_of(one) for one in found], last)

        return await self._snapshot(read)

    async def replace_names(
        self, table: NamingTable, references: Mapping[str, str], after: RowKey, most: int
    ) -> RowKey | None:
        async def replace(connection: Connection) -> RowKey | None:
            async with connection.transaction():
                row = await connection.fetchrow(LAST_NAMING[table], *after, most - 1)
                last = tuple(row) if row else None
                within = (*after, *(last or greatest_key(NAMING[table][0])))
                for statement in REPLACE_NAMES[table]:
                    await connection.execute(statement, [*references], [*references.values()], *within)
                for old, new in in_details(references) if table == "audit" else ():
                    await connection.execute(REPLACE_IN_DETAILS, old, new, *within)
                for old, new, but in in_undos(references) if table == "adjustments" else ():
                    await connection.execute(REPLACE_IN_UNDOS, old, new, but, *within)
                return last

        return await self._pool.run(replace, self._patience)

    async def groups_naming(
        self, texts: Collection[str], after: str, most: int
    ) -> tuple[Mapping[str, Sequence[str]], str | None]:
        async def read(connection: Connection) -> tuple[Mapping[str, Sequence[str]], str | None]:
            last: str | None = await connection.fetchval(LAST_USER, after, most - 1)
            found = await connection.fetch(GROUPS_NAMING, after, AFTER_ALL if last is None else last, [*texts])
            return {user_id: tuple(groups.split(codec.GROUP_SEPARATOR)) for user_id, groups in found}, last

        return await self._snapshot(read)

    async def end_erasures(self, user_ids: Collection[str]) -> None:
        await self._pool.run(lambda connection: connection.execute(FINISHED, [*user_ids]), self._patience)

    async def clean_files(self) -> bool:
        return True  # autovacuum frees the space of deleted rows; docs/moving.md says how to overwrite it at once

    async def needs_rewriting(self, since: datetime | None) -> bool:  # noqa: ARG002
        return False

    async def rewrite_files(self, most_bytes: int | None = None) -> bool:  # noqa: ARG002
        return False  # VACUUM FULL would lock out reads; docs/moving.md says when to run it
