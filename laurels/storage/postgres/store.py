"""The store on PostgreSQL: few round trips a transaction, whatever its size.

A transaction locks its users in the order of their ids, reads what else it needs, decides, and writes each table in one
statement. Anything that passes (a conflict, a lost connection, a failover) is met by doing the whole again: `decide` is
pure, and what a lost connection leaves in doubt is settled by the identity of events and acts.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import asyncpg

from laurels.engine.leaderboards import MOST_TOLD
from laurels.engine.ranking import Ranks, Ties
from laurels.errors import InvalidInput, MigrationError, NotEmpty, StoreError, StoreUnavailable, UserNotFound
from laurels.storage import rows
from laurels.storage.codec import maybe_instant, to_micros, tombstone
from laurels.storage.contract import (
    ALL_TIME,
    BEGINNING,
    CONNECTIONS,
    POINTS_BOARD,
    AdjustmentRow,
    AmnestyRow,
    AwardRow,
    Batch,
    Changes,
    ClosedPeriodRow,
    Counts,
    Cursor,
    Decide,
    EventRow,
    HistoryRows,
    KeyRow,
    LeaderboardLines,
    LeaderboardRequest,
    LedgerRow,
    Loaded,
    LoadRequest,
    MaintenanceRun,
    NotificationRow,
    PointsPaid,
    ProfileView,
    ReportUser,
    Rows,
    Teams,
    TeamsRequest,
    UserRow,
    UserSample,
    UserSnapshot,
)
from laurels.storage.migrate import load_migrations, pending
from laurels.storage.postgres import leaderboards as boards
from laurels.storage.postgres import statements as sql
from laurels.storage.postgres.batching import Together
from laurels.storage.postgres.pool import (
    LONG_STATEMENT_SECONDS,
    LOOK_SECONDS,
    SCHEMA,
    WRITE_SECONDS,
    Connection,
    Lines,
    Overtaken,
    write,
)
from laurels.storage.tables import BATCH, TABLES

T = TypeVar("T")

BOARD = (POINTS_BOARD, ALL_TIME)

LOCK_SPACE = 0x1A07E1
"""The first key of our advisory locks, to tell them from those of others in the same database."""

MIGRATING = -1
BUCKETS = 64
"""A new user's lock is one of so many: creating users shares it, erasing one has it alone."""

_DOUBT = "whether this was written is not known; send it again: by its id it counts once"


class PostgresStore:
    """The contract of `storage/base.py` on one PostgreSQL database, shared with any number of processes."""

    engine = "PostgreSQL"

    def __init__(self, address: str, connections: int = CONNECTIONS, patience: float = WRITE_SECONDS) -> None:
        """A store at this address; it connects when it is first used, over at most so many connections.

        `patience` is how many seconds a transaction keeps trying while the server is away.
        """
        self._migrations = load_migrations("laurels.storage.postgres")
        self._lines = Lines(address, connections)
        self._patience = patience
        self._secret: bytes | None = None
        self._views = Together(self._ask_views)
        self._sessions = Together(self._ask_sessions)
        self._key_names = Together(self._ask_key_names)

    # ---- life ---------------------------------------------------------------------------------

    async def migrate(self) -> list[str]:
        long = LONG_STATEMENT_SECONDS

        async def run(connection: Connection) -> list[str]:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK_SPACE, MIGRATING, timeout=long)
                # Asked first, for even IF NOT EXISTS needs the right to make one.
                if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", SCHEMA):
                    await connection.execute(f"CREATE SCHEMA {SCHEMA}")
                await connection.execute(
                    'CREATE TABLE IF NOT EXISTS migrations (name TEXT COLLATE "C" NOT NULL PRIMARY KEY, checksum TEXT NOT NULL)'
                )
                missing = pending(self._migrations, await self._applied(connection))
                for migration in missing:
                    await connection.execute(migration.sql, timeout=long)
                    await connection.execute(
                        "INSERT INTO migrations (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
                    )
                await connection.execute(sql.ADD_SECRET, secrets.token_bytes(32))
            return [migration.name for migration in missing]

        return await self._lines.run(run, self._patience)

    @staticmethod
    async def _applied(connection: Connection) -> dict[str, str]:
        return dict(await connection.fetch("SELECT name, checksum FROM migrations"))

    async def ready(self) -> None:
        async def look(connection: Connection) -> None:
            if await connection.fetchval("SELECT to_regclass('migrations')") is None:
                raise MigrationError("the database is empty; run 'laurels migrate'")
            missing = pending(self._migrations, await self._applied(connection))
            if missing:
                raise MigrationError(f"the migration '{missing[0].name}' has not run; run 'laurels migrate'")

        await self._lines.run(look)

    async def close(self) -> None:
        await self._lines.close()

    # ---- writing ------------------------------------------------------------------------------

    async def change(self, asked: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        tried: list[tuple[Changes, Mapping[str, Ranks]]] = []  # what was sent to be committed
        alone: set[str] = set()  # users without a row who are to be erased, as an attempt found out

        async def attempt(connection: Connection) -> Mapping[str, Ranks]:
            async with connection.transaction(isolation="read_committed"):
                found = await self._find(connection, asked, alone)
                if tried:
                    # Again: the first look may have waited for the very transaction in doubt, and not seen its new users.
                    found = await self._find(connection, asked, alone)
                    if _has_landed(tried[-1][0], found):
                        return tried[-1][1]
                changes = decide(found)
                ranks = await self._save(connection, changes, found, alone, measure=asked.ranks)
                tried.append((changes, ranks))
            return ranks

        try:
            return await self._lines.run(attempt, self._patience)
        except StoreUnavailable as error:
            if tried:
                raise StoreUnavailable(f"{error}; {_DOUBT}") from error
            raise

    async def _find(self, connection: Connection, asked: LoadRequest, alone: set[str]) -> Loaded:
        locked = await connection.fetch(sql.LOCK_USERS, sorted(asked.users))
        users = {row[0]: rows.user_of(row) for row in locked}
        erased = await self._erased(connection, asked.users - users.keys(), alone)
        known = [identity for identity in asked.events if identity[0] in users]
        found = await connection.fetch(sql.EVENTS, [user for user, _ in known], [event for _, event in known])
        amnesties = await self._read_amnesties(connection) if found[0][0] else []
        events = [rows.event_of(row[1:]) for row in found if row[1] is not None]
        whole = [user_id for user_id, user in users.items() if user_id in asked.in_full or user.rules != asked.rules]
        told = [*{*whole, *(asked.with_adjustments & users.keys())}]
        return Loaded(
            users=users,
            events={(row.event.user_id, row.event.id): row for row in events},
            erased=erased,
            adjustments=await self._read_adjustments(connection, told) if told else {},
            histories=await self._read_events(connection, whole) if whole else {},
            awards=await self._read_awards(connection, whole) if whole else {},
            ledgers=await self._read_ledgers(connection, whole) if whole else {},
            standings=await boards.standings(connection, whole) if whole else {},
            amnesties=amnesties,
            amnesty_count=rows.amnesty_count(amnesties),
        )

    async def _erased(self, connection: Connection, missing: frozenset[str], alone: set[str]) -> frozenset[str]:
        """Those of the users without a row who were erased.

        Until this transaction ends nobody else erases one of them; nor makes one of those to be locked alone.
        """
        if not missing:
            return frozenset()
        locks = _locks(missing, alone)
        await connection.execute(sql.LOCK_NEW, LOCK_SPACE, [*locks], [*locks.values()])
        secret = await self._read_secret(connection)
        hashes = {tombstone(secret, user_id): user_id for user_id in missing}
        found = await connection.fetch(sql.ERASED, [*hashes])
        return frozenset(hashes[row[0]] for row in found)

    async def _read_secret(self, connection: Connection) -> bytes:
        if self._secret is None:
            self._secret = await connection.fetchval(sql.SECRET)
        assert self._secret is not None
        return self._secret

    async def _save(
        self, connection: Connection, changes: Changes, found: Loaded, alone: set[str], *, measure: bool
    ) -> Mapping[str, Ranks]:
        erased = [user_id for user_id, _ in changes.erased]
        leaving = await boards.leaving(connection, erased) if erased else ()
        moves = await boards.taken(connection, [*leaving, *changes.moves])
        measured: boards.Measured = await boards.ranks(connection, moves, changes.tops) if measure and moves else {}
        ranks = boards.own(measured)
        if changes.erased:
            await self._erase(connection, changes.erased, found, alone)
        await self._save_users(connection, changes.users, found)
        await write(connection, sql.ADD_EVENTS, (rows.event_columns(row, ranks) for row in changes.events))
        await write(
            connection,
            sql.MARK_EVENTS,
            ((row.reversed_by, row.event.user_id, row.event.id) for row in changes.marked),
        )
        await write(connection, sql.SAVE_ACTS, map(rows.adjustment_columns, changes.adjustments))
        await write(connection, sql.DROP_AWARDS, changes.revoked)
        await write(connection, sql.ADD_AWARDS, map(rows.award_columns, changes.awards))
        await write(connection, sql.ADD_ENTRIES, map(rows.entry_columns, changes.ledger))
        notifications = [*changes.notifications, *rows.rank_notifications(changes, measured)]
        await write(connection, sql.ADD_MOMENTS, map(rows.notification_columns, notifications))
        if moves:
            await boards.save(connection, moves)  # last, for others wait for these rows until the commit
        return ranks

    @staticmethod
    async def _save_users(connection: Connection, users: Iterable[UserRow], found: Loaded) -> None:
        """Write users who were there, and add the others in the order of their ids."""
        in_order = sorted(users, key=lambda user: user.user_id)
        new = [rows.user_columns(user) for user in in_order if user.user_id not in found.users]
        try:
            await write(connection, sql.ADD_USERS, new)
        except asyncpg.UniqueViolationError as error:
            raise Overtaken("another process made the same user at the same time") from error
        known = (rows.user_columns(user) for user in in_order if user.user_id in found.users)
        await write(connection, sql.SAVE_USERS, known)

    async def _erase(
        self, connection: Connection, erased: Sequence[tuple[str, datetime]], found: Loaded, alone: set[str]
    ) -> None:
        names = [user_id for user_id, _ in erased]
        missing = {name for name in names if name not in found.users}
        if missing - alone:
            alone |= missing  # a shared lock that became one's own would wait for another's that wants the same
            raise Overtaken("a user without a row is to be erased, which needs a lock of its own from the start")
        if missing and await connection.fetchval(sql.ANY_USER, [*missing]):
            raise Overtaken("another process made a user who is to be erased")
        for statement in sql.ERASE:
            await connection.execute(statement, names)
        secret = await self._read_secret(connection)
        gone = {tombstone(secret, user_id): to_micros(at) for user_id, at in erased}
        await write(connection, sql.ADD_TOMBSTONES, gone.items())

    # ---- reading ------------------------------------------------------------------------------

    async def user(self, user_id: str) -> UserRow | None:
        row = await self._lines.run(lambda connection: connection.fetchrow(sql.USER, user_id))
        return rows.user_of(row) if row else None

    async def users(self, user_ids: Sequence[str]) -> Mapping[str, UserRow]:
        found = await self._lines.run(lambda connection: connection.fetch(sql.SOME_USERS, user_ids))
        return {row[0]: rows.user_of(row) for row in found}

    async def profile_view(self, user_id: str, limit: int) -> ProfileView:
        return await self._views((user_id, limit))

    async def _ask_views(self, keys: Sequence[tuple[str, int]]) -> Sequence[ProfileView]:
        asked = [*{user_id for user_id, _ in keys}]
        most = max(limit for _, limit in keys)
        found = await self._lines.run(lambda connection: connection.fetch(sql.VIEWS % most, *BOARD, asked))
        users = {row[1]: rows.user_of(row[1:]) for row in found if row[0] == "user"}
        columns = ("user_id", "name", "points", "revision", "reached_at", "visibility", "excluded")
        lines = [tuple(row[name] for name in columns) for row in found if row[0] == "line"]
        top = boards.top(sorted(lines, key=lambda line: (line[3], line[4], line[0])))
        count = next(row["amnesties"] for row in found if row[0] == "amnesties")
        return [
            ProfileView(users.get(user_id), top if limit == most else top[:limit], count) for user_id, limit in keys
        ]

    async def listing(self, asked: LeaderboardRequest) -> LeaderboardLines:
        async def read(connection: Connection) -> LeaderboardLines:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await boards.listing(connection, asked)

        return await self._lines.run(read)

    async def close_period(self, board: str, period: str, at: datetime) -> bool:
        async def close(connection: Connection) -> bool:
            async with connection.transaction():
                return await boards.close(connection, (board, period), at)

        return await self._lines.run(close, self._patience)

    async def notify_closing(self, board: str, period: str, top: int, ties: Ties, at: datetime) -> bool:
        async def tell(connection: Connection) -> bool:
            async with connection.transaction():
                asked = LeaderboardRequest(board, period, ties, MOST_TOLD if top else 0)
                return await boards.tell(connection, asked, top, at)

        return await self._lines.run(tell, self._patience)

    async def teams(self, asked: TeamsRequest) -> Teams:
        return await self._lines.run(lambda connection: boards.teams(connection, asked))

    async def closings(self, board: str, limit: int) -> Sequence[ClosedPeriodRow]:
        found = await self._lines.run(lambda connection: connection.fetch(sql.CLOSINGS, board, limit))
        return [rows.closing_of(row) for row in found]

    async def is_closed(self, board: str, period: str) -> bool:
        return bool(await self._value(sql.CLOSED, board, period))

    async def periods(self) -> Sequence[tuple[str, str]]:
        found = await self._lines.run(lambda connection: connection.fetch(sql.PERIODS))
        return [(board, period) for board, period in found]

    async def secret(self) -> bytes:
        return await self._lines.run(self._read_secret)

    async def rank(self, board: str, period: str, user_id: str, ties: Ties = "first") -> tuple[int | None, int]:
        return await self._lines.run(lambda connection: boards.rank(connection, (board, period), user_id, ties))

    async def event(self, user_id: str, event_id: str) -> EventRow | None:
        row = await self._lines.run(lambda connection: connection.fetchrow(sql.EVENT, user_id, event_id))
        return rows.event_of(row) if row else None

    async def awards(self, user_id: str) -> Sequence[AwardRow]:
        found = await self._lines.run(lambda connection: self._read_awards(connection, [user_id]))
        return found[user_id]

    async def history(self, user_id: str, limit: int, before: int | None = None) -> HistoryRows:
        async def read(connection: Connection) -> HistoryRows:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                newest = 2**62 if before is None else before
                revisions = [row[0] for row in await connection.fetch(sql.REVISIONS, user_id, newest, limit)]
                if not revisions:
                    return HistoryRows()
                span = (user_id, revisions[-1], revisions[0])
                return HistoryRows(
                    [rows.event_of(row) for row in await connection.fetch(sql.EVENTS_WITHIN, *span)],
                    [rows.award_of(row) for row in await connection.fetch(sql.AWARDS_WITHIN, *span)],
                    [rows.entry_of(row) for row in await connection.fetch(sql.ENTRIES_WITHIN, *span)],
                    [rows.adjustment_of(row) for row in await connection.fetch(sql.ACTS_WITHIN, *span)],
                )

        return await self._lines.run(read)

    async def newest_notification(self, user_id: str) -> Cursor:
        row = await self._lines.run(lambda connection: connection.fetchrow(sql.NEWEST_MOMENT, user_id))
        return (row[0], row[1]) if row else BEGINNING

    async def notifications(self, after: Mapping[str, Cursor], limit: int) -> Sequence[NotificationRow]:
        revisions, positions = [one for one, _ in after.values()], [one for _, one in after.values()]
        found = await self._lines.run(
            lambda connection: connection.fetch(sql.NEXT_MOMENTS, [*after], revisions, positions, limit)
        )
        return [rows.notification_of(row) for row in found]

    async def user_snapshot(self, user_id: str) -> UserSnapshot | None:
        async def read(connection: Connection) -> UserSnapshot | None:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                row = await connection.fetchrow(sql.USER, user_id)
                if row is None:
                    return None
                return UserSnapshot(
                    user=rows.user_of(row),
                    events=(await self._read_events(connection, [user_id]))[user_id],
                    adjustments=(await self._read_adjustments(connection, [user_id]))[user_id],
                    awards=(await self._read_awards(connection, [user_id]))[user_id],
                    ledger=(await self._read_ledgers(connection, [user_id]))[user_id],
                    standings=(await boards.standings(connection, [user_id]))[user_id],
                    amnesties=await self._read_amnesties(connection),
                )

        return await self._lines.run(read)

    @staticmethod
    async def _read_events(connection: Connection, users: Sequence[str]) -> Mapping[str, list[EventRow]]:
        found = await connection.fetch(sql.EVENTS_OF, users)
        return _by_user(users, ((row[0], rows.event_of(row)) for row in found))

    @staticmethod
    async def _read_adjustments(connection: Connection, users: Sequence[str]) -> Mapping[str, list[AdjustmentRow]]:
        return _by_user(
            users, ((row[0], rows.adjustment_of(row)) for row in await connection.fetch(sql.ACTS_OF, users))
        )

    @staticmethod
    async def _read_awards(connection: Connection, users: Sequence[str]) -> Mapping[str, list[AwardRow]]:
        return _by_user(users, ((row[0], rows.award_of(row)) for row in await connection.fetch(sql.AWARDS_OF, users)))

    @staticmethod
    async def _read_ledgers(connection: Connection, users: Sequence[str]) -> Mapping[str, list[LedgerRow]]:
        return _by_user(users, ((row[0], rows.entry_of(row)) for row in await connection.fetch(sql.LEDGER_OF, users)))

    @staticmethod
    async def _read_amnesties(connection: Connection) -> list[AmnestyRow]:
        return [rows.amnesty_of(row) for row in await connection.fetch(sql.ALL_AMNESTIES)]

    # ---- everybody ----------------------------------------------------------------------------

    async def user_ids(self, after: str, limit: int) -> Sequence[str]:
        found = await self._lines.run(lambda connection: connection.fetch(sql.USER_IDS, after, limit))
        return [row[0] for row in found]

    async def wrong_tallies(self) -> int:
        return await self._value(sql.WRONG_TALLIES, timeout=LONG_STATEMENT_SECONDS)

    async def rebuild_tallies(self) -> None:
        async def rebuild(connection: Connection) -> None:
            async with connection.transaction():
                await boards.rebuild_tallies(connection)

        await self._lines.run(rebuild, self._patience)

    async def amnesties(self) -> Sequence[AmnestyRow]:
        return await self._lines.run(self._read_amnesties)

    async def add_amnesty(self, amnesty: AmnestyRow) -> None:
        await self._value(sql.ADD_AMNESTY, *rows.amnesty_columns(amnesty))

    async def lift_amnesty(
        self, amnesty_id: str, at: datetime, actor: str | None = None, reason: str | None = None
    ) -> bool:
        return await self._end(sql.LIFT_AMNESTY, at, amnesty_id, actor, reason)

    async def clock_offset(self) -> timedelta | None:
        offset = await self._value(sql.CLOCK_OFFSET)
        return None if offset is None else timedelta(microseconds=offset)

    async def set_clock_offset(self, offset: timedelta) -> None:
        await self._value(sql.SET_CLOCK_OFFSET, offset // timedelta(microseconds=1))

    async def move_clock_offset(self, before: timedelta, after: timedelta) -> bool:
        offsets = [offset // timedelta(microseconds=1) for offset in (after, before)]
        attempts = count()

        async def move(connection: Connection) -> bool:
            again = next(attempts) > 0
            return await connection.fetchval(sql.MOVE_CLOCK_OFFSET, *offsets, again) is not None

        return await self._lines.run(move)

    async def counts(self) -> Counts:
        users, events, awards, sessions, newest = await self._lines.run(
            lambda connection: _one(connection, sql.COUNTS, timeout=LONG_STATEMENT_SECONDS)
        )
        return Counts(users, events, awards, sessions, maybe_instant(newest))

    async def days_without_events(self, first: int, last: int) -> Sequence[int]:
        async def look(connection: Connection) -> Sequence[int]:
            missing, after = set(range(first, last + 1)), ("", "")
            while missing:  # each search goes on where the one before found a day, so no event is read twice
                row = await connection.fetchrow(
                    sql.NEXT_EVENT_OF_DAYS, *after, [*missing], timeout=LONG_STATEMENT_SECONDS
                )
                if row is None:
                    break
                missing.discard(row[2])
                after = (row[0], row[1])
            return sorted(missing)

        return await self._lines.run(look)

    # ---- what operators look at ---------------------------------------------------------------

    async def badge_holders(self) -> Mapping[str, int]:
        return dict(await self._look(lambda connection: connection.fetch(sql.BADGE_HOLDERS)))

    async def find_users(self, text: str, limit: int) -> Sequence[UserRow]:
        async def find(connection: Connection) -> Sequence[UserRow]:
            span = (text, rows.end_of_prefix(text))
            found = await connection.fetch(sql.USERS_BY_ID, *span, limit)
            if len(found) < limit:
                found += await connection.fetch(sql.USERS_BY_NAME, *span, limit - len(found))
            return [rows.user_of(row) for row in found]

        return await self._look(find)

    async def sample(self, most: int) -> UserSample:
        async def choose(connection: Connection) -> UserSample:
            users = await connection.fetchval(sql.COUNT["users"])
            return UserSample([row[0] for row in await connection.fetch(sql.SAMPLE, most)], users)

        return await self._look(choose)

    async def community_report(self, user_ids: Sequence[str]) -> Sequence[ReportUser]:
        async def look(connection: Connection) -> Sequence[ReportUser]:
            found = [rows.user_of(row) for row in await connection.fetch(sql.SURVEYED, user_ids)]
            users = [user.user_id for user in found]
            awards = await self._read_awards(connection, users)
            lines = await connection.fetch(sql.PAID, users)
            paid = _by_user(users, ((row[0], PointsPaid(*row[1:])) for row in lines))
            return [ReportUser(user, awards[user.user_id], paid[user.user_id]) for user in found]

        return await self._look(look)

    async def newest_adjustments(
        self, limit: int, before: tuple[datetime, str, str] | None = None
    ) -> Sequence[AdjustmentRow]:
        behind = (to_micros(before[0]), *before[1:]) if before else (2**62, "", "")
        found = await self._lines.run(lambda connection: connection.fetch(sql.NEWEST_ACTS, *behind, limit))
        return [rows.adjustment_of(row) for row in found]

    async def maintenance_runs(self) -> Sequence[MaintenanceRun]:
        found = await self._lines.run(lambda connection: connection.fetch(sql.ALL_UPKEEP))
        return [rows.maintenance_run_of(row) for row in found]

    async def save_maintenance_run(self, note: MaintenanceRun) -> None:
        await self._value(sql.SAVE_UPKEEP, *rows.maintenance_run_columns(note))

    async def _look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """A long reading as of one moment, which the server ends when it takes too long."""

        async def look(connection: Connection) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(sql.WITHIN_SECONDS % LOOK_SECONDS)
                return await work(connection)

        return await self._lines.run(look)

    # ---- keys and sessions --------------------------------------------------------------------

    async def add_key(self, key: KeyRow) -> None:
        async def insert(connection: Connection) -> None:
            try:
                made = (key.key_hash, key.name, key.hint, to_micros(key.created_at), None)
                await connection.execute(sql.ADD_KEY, *made)
            except asyncpg.UniqueViolationError:
                message = f"a living key is named '{key.name}'; revoke it or choose another name"
                raise InvalidInput("name", message) from None

        await self._lines.run(insert)

    async def key_name(self, key_hash: bytes) -> str | None:
        return await self._key_names(key_hash)

    async def _ask_key_names(self, hashes: Sequence[bytes]) -> Sequence[str | None]:
        found = await self._lines.run(lambda connection: connection.fetch(sql.KEY_NAMES, [*{*hashes}]))
        names: dict[bytes, str] = dict(found)
        return [names.get(key_hash) for key_hash in hashes]

    async def keys(self) -> Sequence[KeyRow]:
        found = await self._lines.run(lambda connection: connection.fetch(sql.ALL_KEYS))
        return [rows.key_of(row) for row in found]

    async def revoke_key(self, name: str, at: datetime) -> bool:
        return await self._end(sql.REVOKE_KEY, at, name)

    async def add_session(self, user_id: str, token_hash: bytes, created_at: datetime, expires_at: datetime) -> None:
        async def insert(connection: Connection) -> None:
            now = to_micros(created_at)
            async with connection.transaction():
                if not await connection.fetchval(sql.KEEP_USER, user_id):
                    raise UserNotFound
                await connection.execute(sql.DROP_EXPIRED, user_id, now)
                await connection.execute(sql.ADD_SESSION, user_id, token_hash, now, to_micros(expires_at))

        await self._lines.run(insert)

    async def has_session(self, user_id: str, token_hash: bytes, now: datetime) -> bool:
        expires_at = await self._sessions((user_id, token_hash))
        return expires_at is not None and expires_at > to_micros(now)

    async def _ask_sessions(self, keys: Sequence[tuple[str, bytes]]) -> Sequence[int | None]:
        asked = [*{*keys}]
        found = await self._lines.run(
            lambda connection: connection.fetch(
                sql.SESSIONS, [user for user, _ in asked], [token for _, token in asked]
            )
        )
        ends: dict[tuple[str, bytes], int] = {(user_id, token): end for user_id, token, end in found}
        return [ends.get(key) for key in keys]

    async def end_session(self, user_id: str, token_hash: bytes) -> None:
        await self._value(sql.END_SESSION, user_id, token_hash)

    async def sign_out(self, session_hash: bytes, expires_at: datetime, now: datetime) -> None:
        await self._value(sql.FORGET_SIGNED_OUT, to_micros(now))
        await self._value(sql.SIGN_OUT, session_hash, to_micros(expires_at))

    async def is_signed_out(self, session_hash: bytes) -> bool:
        return await self._value(sql.IS_SIGNED_OUT, session_hash) is not None

    # ---- moving house -------------------------------------------------------------------------

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[Rows]:
        async with (
            self._lines.hold() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            counts = {
                name: await connection.fetchval(count, timeout=LONG_STATEMENT_SECONDS)
                for name, count in sql.COUNT.items()
            }
            yield _Rows(connection, counts)

    async def fill(self, batches: AsyncIterator[Batch]) -> None:
        async with self._lines.hold() as connection, connection.transaction():
            await connection.execute(sql.LOCK_ALL)
            if await connection.fetchval(sql.HOLDS_ANY):
                raise NotEmpty
            for statement in sql.DROP_OF_EACH:
                await connection.execute(statement)
            async for table, lines in batches:
                await _copy_in(connection, table, lines)
            await connection.execute(sql.MAKE_TALLIES, timeout=LONG_STATEMENT_SECONDS)
            await connection.execute(sql.ANALYZE, timeout=LONG_STATEMENT_SECONDS)
        self._secret = None

    # ---- inside -------------------------------------------------------------------------------

    async def _end(self, statement: str, at: datetime, name: str, *more: str | None) -> bool:
        """Run a statement that ends what lives under this name; whether it did."""
        attempts = count()

        async def end(connection: Connection) -> bool:
            again = next(attempts) > 0
            return await connection.fetchval(statement, to_micros(at), name, again, *more) is not None

        return await self._lines.run(end)

    async def _value(self, statement: str, *values: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """The first value that one statement gives; None without any."""
        return await self._lines.run(lambda connection: connection.fetchval(statement, *values, timeout=timeout))


class _Rows:
    """All rows, from the snapshot of the connection's transaction."""

    def __init__(self, connection: Connection, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self._connection = connection

    async def batches(self) -> AsyncIterator[Batch]:
        for table, statement in sql.ALL_ROWS.items():
            cursor = await self._connection.cursor(statement, timeout=LONG_STATEMENT_SECONDS)
            while found := await cursor.fetch(BATCH, timeout=LONG_STATEMENT_SECONDS):
                yield table, [tuple(row) for row in found]


async def _copy_in(connection: Connection, table: str, lines: Sequence[rows.Columns]) -> None:
    try:
        await connection.copy_records_to_table(table, records=lines, columns=TABLES[table].columns)
    except asyncpg.CharacterNotInRepertoireError as error:
        message = f"a text in {table} holds what PostgreSQL cannot keep, as the character U+0000: {error}"
        raise StoreError(message) from error


async def _one(connection: Connection, statement: str, *values: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109
    """The one row that a statement always gives."""
    row = await connection.fetchrow(statement, *values, timeout=timeout)
    assert row is not None
    return row


def _by_user(users: Sequence[str], found: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {user_id: [] for user_id in users}
    for user_id, row in found:
        grouped[user_id].append(row)
    return grouped


def _locks(users: Iterable[str], alone: set[str]) -> dict[int, bool]:
    """The buckets of these users, in the one order in which everybody takes them, and whether to take each alone."""
    buckets = {user_id: zlib.crc32(user_id.encode()) % BUCKETS for user_id in users}
    taken_alone = {buckets[user_id] for user_id in buckets.keys() & alone}
    return {bucket: bucket in taken_alone for bucket in sorted({*buckets.values()})}


def _has_landed(changes: Changes, found: Loaded) -> bool:
    """Whether these changes, whose commit is in doubt, were committed.

    All of their events and acts must be there as they were written: one alone may be another process's, of the same moment
    where a clock stands still. Without any there is nothing to count twice, and deciding again is harmless.
    """
    events = [(row, found.events.get((row.event.user_id, row.event.id))) for row in changes.events]
    return (
        bool(changes.events or changes.adjustments)
        and all(known and _same_recording(known, row) for row, known in events)
        and all(act in found.adjustments.get(act.user_id, ()) for act in changes.adjustments)
    )


def _same_recording(one: EventRow, other: EventRow) -> bool:
    return (one.revision, one.recorded_at) == (other.revision, other.recorded_at)
