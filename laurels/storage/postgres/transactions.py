"""Transactions on PostgreSQL: a few round trips, whatever their size.

A transaction locks its users in the order of their ids, reads what else it needs, decides, and writes each table in one
statement. After a temporary failure (a conflict, a lost connection, a failover) all of it is done again: `decide` is pure, and
the identities of events and adjustments settle whether a commit in doubt was made.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg

from laurels.engine.notifications import of_climbing
from laurels.engine.ranking import Ranks
from laurels.errors import StoreUnavailable
from laurels.storage import codec
from laurels.storage.columns import (
    ADJUSTMENTS,
    AWARDS,
    EVENTS,
    FORMER_STATES,
    LEDGER,
    OUTBOX,
    USERS,
    WHO_ADJUSTED,
)
from laurels.storage.contract import UNBOUND, Changes, Decide, EventRow, Loaded, LoadRequest, UserRow, amnesty_count
from laurels.storage.former import former_state_columns
from laurels.storage.keyrings import OtherKeys
from laurels.storage.postgres import erasures, ranking, standings
from laurels.storage.postgres.amnesties import AMNESTY_COUNT, read_amnesties
from laurels.storage.postgres.catalogs import KEY
from laurels.storage.postgres.connections import arrays, insert_all, save_audit, setting
from laurels.storage.postgres.keyrings import Keyrings
from laurels.storage.postgres.leaderboards import open_standings
from laurels.storage.postgres.pool import Connection, Overtaken, write
from laurels.storage.postgres.records import read_adjustments, read_awards, read_events, read_ledgers
from laurels.storage.postgres.supplies import move, read_supplies
from laurels.storage.secrets import Keyring
from laurels.storage.standings import Measured, own_ranks

SOME_USERS = f"SELECT {USERS} FROM users WHERE user_id = ANY($1)"
LOCK_USERS = f"SELECT {USERS} FROM users WHERE user_id = ANY($1) ORDER BY user_id FOR NO KEY UPDATE"
"""In the order of their ids, so that two processes that lock the same users cannot deadlock."""

LOCK_NEW = """
SELECT CASE WHEN alone THEN pg_advisory_xact_lock($1, bucket) ELSE pg_advisory_xact_lock_shared($1, bucket) END
FROM unnest($2::integer[], $3::boolean[]) AS locks (bucket, alone)
"""
ANY_USER = "SELECT 1 FROM users WHERE user_id = ANY($1) LIMIT 1"
ERASED_OR_WAITING = """
SELECT (SELECT value FROM secrets WHERE name = 'fingerprint') AS fingerprint, NULL::bytea, NULL
UNION ALL SELECT NULL, user_hash, NULL FROM tombstones WHERE user_hash = ANY($1)
UNION ALL SELECT DISTINCT NULL::bytea, NULL::bytea, user_id FROM adjustments WHERE user_id = ANY($2)
"""
"""Of users without a row: the hashes of those who were erased, and the ids of those with reversals that wait for events.

With the fingerprint, because hashes that were made with a newer key would not be found.
"""

LOAD_EVENTS = f"""
SELECT a.amnesty_count, c.number, c.digest, e.* FROM ({AMNESTY_COUNT}) AS a (amnesty_count)
LEFT JOIN ({KEY}) AS c ON true LEFT JOIN (
    SELECT {EVENTS} FROM unnest($1::text[], $2::text[]) AS requested (user_id, event_id)
    JOIN events USING (user_id, event_id)
) AS e ON true
"""
"""The requested events, each with the amnesty count and the key of the catalog's revision; without any, one row with these.

It is read after the users are locked, so that no transaction goes on under a revision that was replaced meanwhile.
"""

ADD_USERS = insert_all(USERS)
SAVE_USERS = f"""
UPDATE users AS u SET {setting(USERS, "n", but=["created_at"])}
FROM {arrays(USERS)} AS n ({USERS}) WHERE u.user_id = n.user_id
"""
SIGN_OUT = "DELETE FROM sessions WHERE user_id = ANY($1)"
ADD_EVENTS = insert_all(EVENTS)
MARK_EVENTS = """
UPDATE events AS e SET reversed_by = n.reversed_by, day = n.day, late_by = n.late_by, data = n.data
FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[])
AS n (reversed_by, day, late_by, data, user_id, event_id)
WHERE e.user_id = n.user_id AND e.event_id = n.event_id
"""
SAVE_ADJUSTMENTS = f"""
{insert_all(ADJUSTMENTS)}
ON CONFLICT (user_id, adjustment_id) DO UPDATE SET {setting(ADJUSTMENTS, "excluded", but=WHO_ADJUSTED)}
"""
RENAME_ADJUSTMENTS = """
UPDATE adjustments AS a SET adjustment_id = n.name
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS n (user_id, adjustment_id, revision, name)
WHERE a.user_id = n.user_id AND a.adjustment_id = n.adjustment_id AND a.revision = n.revision
"""
"""With their revisions: only the stored rows that were read, and who made them stays with them."""
ADD_AWARDS = insert_all(AWARDS)
DROP_AWARDS = """
DELETE FROM awards AS a USING unnest($1::text[], $2::text[]) AS gone (user_id, badge)
WHERE a.user_id = gone.user_id AND a.badge = gone.badge
"""
ADD_ENTRIES = insert_all(LEDGER)
ADD_NOTIFICATIONS = insert_all(OUTBOX)
ADD_FORMER_STATES = insert_all(FORMER_STATES)

BUCKETS = 64
"""The number of locks for new users: adding users shares one of them. Erasing a user without a row, or reversing an event of
one, holds it alone."""

_DOUBT = "it is unknown whether this was written; send it again: with the same id it counts once"


class Transactions(Keyrings):
    """Changing users."""

    async def change(self, request: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        tried: list[tuple[Changes, Mapping[str, Ranks]]] = []  # what was sent to be committed
        alone: set[str] = set()  # users without a row who are to be erased, found by an earlier attempt

        async def attempt(connection: Connection) -> Mapping[str, Ranks]:
            try:
                return await attempt_with(connection, await self._keyring_over(connection))
            except OtherKeys:
                return await attempt_with(connection, await self._other_keyring(connection))

        async def attempt_with(connection: Connection, keyring: Keyring) -> Mapping[str, Ranks]:
            async with connection.transaction(isolation="read_committed"):
                found = await self._load(connection, request, alone, keyring)
                if tried:
                    # Twice: the first load may have waited for the very transaction in doubt, and not seen its new users.
                    found = await self._load(connection, request, alone, keyring)
                    if _was_committed(tried[-1][0], found):
                        return tried[-1][1]
                changes = decide(found)
                ranks = await self._save(connection, changes, found, alone, measure=request.ranks)
                tried.append((changes, ranks))
            return ranks

        try:
            return await self._pool.run(attempt, self._patience)
        except StoreUnavailable as error:
            if tried:
                raise StoreUnavailable(f"{error}; {_DOUBT}") from error
            raise

    async def load(self, request: LoadRequest) -> Loaded:
        keyring = await self.keyring()
        try:
            return await self._snapshot(lambda connection: self._load(connection, request, None, keyring))
        except OtherKeys:
            keyring = await self._pool.run(self._other_keyring)
            return await self._snapshot(lambda connection: self._load(connection, request, None, keyring))

    async def _load(
        self, connection: Connection, request: LoadRequest, alone: set[str] | None, keyring: Keyring
    ) -> Loaded:
        """Load what is requested, and lock the users; None for `alone` locks nothing."""
        rows = await connection.fetch(SOME_USERS if alone is None else LOCK_USERS, sorted(request.users))
        users = {row[0]: codec.user_of(row) for row in rows}
        erased, waiting = await self._without_row(connection, request.users - users.keys(), alone, keyring)
        known = [identity for identity in request.events if identity[0] in users]
        found = await connection.fetch(LOAD_EVENTS, [user for user, _ in known], [event for _, event in known])
        count, number, digest, *_ = found[0]
        amnesties = await read_amnesties(connection) if count else []
        events = [codec.event_of(row[3:]) for row in found if row[3] is not None]
        long = frozenset(name for name, user in users.items() if request.is_too_long(user))
        full = [name for name, user in users.items() if name not in long and request.needs_all_of(user)]
        adjusted = [*{*full, *(request.with_adjustments & users.keys()), *waiting}]
        return Loaded(
            users=users,
            events={(row.event.user_id, row.event.id): row for row in events},
            erased=erased,
            adjustments=await read_adjustments(connection, adjusted) if adjusted else {},
            histories=await read_events(connection, full) if full else {},
            awards=await read_awards(connection, full) if full else {},
            ledgers=await read_ledgers(connection, full) if full else {},
            standings=await open_standings(connection, full) if full else {},
            amnesties=amnesties,
            amnesty_count=amnesty_count(amnesties),
            catalog=(number, digest) if number else UNBOUND,
            keyring=keyring,
            long=long,
            supplies=await read_supplies(connection) if request.supplies else {},
        )

    async def _without_row(
        self, connection: Connection, missing: frozenset[str], alone: set[str] | None, keyring: Keyring
    ) -> tuple[frozenset[str], Sequence[str]]:
        """Those of the users without a row who were erased, and those with reversals that wait for their events.

        Until this transaction ends, no other transaction erases one of them or adds one of those in `alone`; None locks nothing.
        Raises OtherKeys if these keys cannot tell.
        """
        if not missing:
            return frozenset(), ()
        if alone is not None:
            locks = _locks(missing, alone)
            await connection.execute(LOCK_NEW, self._locks.users, [*locks], [*locks.values()])
        hashes = {digest: user_id for user_id in missing for digest in keyring.tombstones_of(user_id)}
        found = await connection.fetch(ERASED_OR_WAITING, [*hashes], [*missing])
        if not keyring.is_of(next((row[0] for row in found if row[0]), None)):
            raise OtherKeys
        return frozenset(hashes[row[1]] for row in found if row[1]), [row[2] for row in found if row[2]]

    async def _save(
        self, connection: Connection, changes: Changes, found: Loaded, alone: set[str], *, measure: bool
    ) -> Mapping[str, Ranks]:
        erased = [user_id for user_id, _ in changes.erased]
        leaving = await standings.leaving(connection, erased, self._locks) if erased else ()
        moves = await standings.to_make(connection, [*leaving, *changes.moves], self._locks)
        measured: Measured = await ranking.ranks(connection, moves, changes.tops) if measure and moves else {}
        ranks = own_ranks(measured)
        await save_audit(connection, changes.audit)
        if changes.erased:
            await self._erase(connection, changes.erased, found, alone)
        waiting = {row.user_id for row in changes.adjustments}.difference(
            found.users, (one.user_id for one in changes.users)
        )
        if waiting:
            await _hold_alone(connection, waiting, alone)
        if changes.signed_out:
            await connection.execute(SIGN_OUT, changes.signed_out)
        await _save_users(connection, changes.users, found)
        await write(connection, ADD_EVENTS, (codec.event_columns(row, ranks) for row in changes.events))
        await write(connection, MARK_EVENTS, map(codec.mark_columns, changes.marked))
        await write(connection, RENAME_ADJUSTMENTS, changes.renamed)
        await write(connection, SAVE_ADJUSTMENTS, map(codec.adjustment_columns, changes.adjustments))
        await write(connection, DROP_AWARDS, changes.revoked)
        await write(connection, ADD_AWARDS, map(codec.award_columns, changes.awards))
        await write(connection, ADD_ENTRIES, map(codec.entry_columns, changes.ledger))
        await write(connection, ADD_FORMER_STATES, map(former_state_columns, changes.former))
        notifications = [*changes.notifications, *changes.further(of_climbing(measured, changes.tops))]
        await write(connection, ADD_NOTIFICATIONS, map(codec.notification_columns, notifications))
        if changes.copies:
            await move(connection, changes.copies)
        if moves:
            await standings.save(connection, moves)  # last, because others wait for these rows until the commit
        return ranks

    async def _erase(
        self, connection: Connection, erased: Sequence[tuple[str, datetime]], found: Loaded, alone: set[str]
    ) -> None:
        missing = {name for name, _ in erased if name not in found.users}
        if missing:
            await _hold_alone(connection, missing, alone)
        gone = {user_id: (found.keyring.tombstone(user_id), at) for user_id, at in erased}
        await erasures.erase(connection, gone)


async def _hold_alone(connection: Connection, missing: set[str], alone: set[str]) -> None:
    """Make sure that no other transaction adds one of these users, who have no row. Raises Overtaken to begin again."""
    if missing - alone:
        alone |= missing  # upgrading a shared lock could deadlock with another process that does the same
        raise Overtaken("changing a user without a row needs an exclusive lock from the start")
    if await connection.fetchval(ANY_USER, [*missing]):
        raise Overtaken("another process added a user who has no row yet")


async def _save_users(connection: Connection, users: Iterable[UserRow], found: Loaded) -> None:
    """Update the users that were loaded, and add the others in the order of their ids."""
    in_order = sorted(users, key=lambda user: user.user_id)
    new = [codec.user_columns(user) for user in in_order if user.user_id not in found.users]
    try:
        await write(connection, ADD_USERS, new)
    except asyncpg.UniqueViolationError as error:
        raise Overtaken("another process added the same user at the same time") from error
    known = (codec.user_columns(user) for user in in_order if user.user_id in found.users)
    await write(connection, SAVE_USERS, known)


def _locks(users: Iterable[str], alone: set[str]) -> dict[int, bool]:
    """The buckets of these users, in the order in which every process takes them, and whether to take each alone."""
    buckets = {user_id: zlib.crc32(user_id.encode()) % BUCKETS for user_id in users}
    taken_alone = {buckets[user_id] for user_id in buckets.keys() & alone}
    return {bucket: bucket in taken_alone for bucket in sorted({*buckets.values()})}


def _was_committed(changes: Changes, found: Loaded) -> bool:
    """Whether these changes, whose commit is in doubt, were committed.

    All of their events and adjustments must be there as they were written: a single one may be another process's, with the same
    time if a clock stopped. Without any, nothing can be counted twice, and deciding again is harmless.
    """
    events = [(row, found.events.get((row.event.user_id, row.event.id))) for row in changes.events]
    return (
        bool(changes.events or changes.adjustments)
        and all(known and _same_recording(known, row) for row, known in events)
        and all(row in found.adjustments.get(row.user_id, ()) for row in changes.adjustments)
    )


def _same_recording(first: EventRow, other: EventRow) -> bool:
    return (first.revision, first.recorded_at) == (other.revision, other.recorded_at)
