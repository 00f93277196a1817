"""The store on SQLite: the SQL beside the rows it reads and writes.

One writer thread holds the writing connection; each batch is one `BEGIN IMMEDIATE` transaction. Reads run inline on a
connection of their own: they take some microseconds, and handing them to a thread would cost several times that.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from heapq import nsmallest
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import unquote

from laurels.engine.leaderboards import MOST_TOLD
from laurels.engine.ranking import Ranks, Ties
from laurels.errors import (
    InvalidInput,
    MigrationError,
    NotEmpty,
    SettingsError,
    StoreError,
    StoreUnavailable,
    UserNotFound,
)
from laurels.storage import rows
from laurels.storage.codec import maybe_instant, to_micros, tombstone
from laurels.storage.contract import (
    ALL_TIME,
    BEGINNING,
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
    Standing,
    Teams,
    TeamsRequest,
    UserRow,
    UserSample,
    UserSnapshot,
)
from laurels.storage.migrate import load_migrations, pending
from laurels.storage.sqlite import leaderboards as boards
from laurels.storage.tables import BATCH, OF_EACH, TABLES, Table

T = TypeVar("T")

BUSY_SECONDS = 30.0
"""How long a writer waits for another process's transaction before it gives up."""

PRAGMAS = (
    "synchronous = FULL",
    "cache_size = -65536",
    "wal_autocheckpoint = 4000",
    "temp_store = MEMORY",
)
"""A commit outlives a power cut. 64 MB of cache. The log is copied into the database every
16 MB, not every 4: fewer, longer copies cost writers less."""

USER = f"SELECT {rows.USERS} FROM users WHERE user_id = ?"
SOME_USERS = f"SELECT {rows.USERS} FROM users WHERE user_id IN (SELECT value FROM json_each(?))"
EVENT = f"SELECT {rows.EVENTS} FROM events WHERE user_id = ? AND event_id = ?"
EVENTS_OF_USER = f"SELECT {rows.EVENTS} FROM events WHERE user_id = ? ORDER BY revision"
NEXT_EVENT_OF_DAYS = """
SELECT user_id, event_id, day FROM events WHERE (user_id, event_id) > (?, ?) AND day IN ({})
ORDER BY user_id, event_id LIMIT 1
"""
SAVE_USER = f"""
INSERT INTO users ({rows.USERS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (user_id) DO UPDATE SET
    zones = excluded.zones, joined_at = excluded.joined_at, revision = excluded.revision,
    rules = excluded.rules, points = excluded.points, reached_at = excluded.reached_at, progress = excluded.progress,
    groups = excluded.groups, amnesties = excluded.amnesties,
    visibility = excluded.visibility, excluded = excluded.excluded
"""
RENAME_USER = "UPDATE users SET name = ? WHERE user_id = ?"
"""Apart, for an event changes no name, and to set it again would rewrite its place in the index of names: a quarter more log."""

SAVE_EVENT = f"INSERT INTO events ({rows.EVENTS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
MARK_EVENT = "UPDATE events SET reversed_by = ? WHERE user_id = ? AND event_id = ?"
SAVE_AWARD = f"INSERT INTO awards ({rows.AWARDS}) VALUES (?, ?, ?, ?, ?, ?)"
SAVE_ENTRY = f"INSERT INTO ledger ({rows.LEDGER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
SAVE_MOMENT = f"INSERT INTO outbox ({rows.MOMENTS}) VALUES (?, ?, ?, ?, ?, ?)"
DROP_AWARD = "DELETE FROM awards WHERE user_id = ? AND badge = ?"
SAVE_ACT = f"""
INSERT INTO acts ({rows.ACTS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (user_id, act_id) DO UPDATE SET
    revision = excluded.revision, at = excluded.at, kind = excluded.kind, data = excluded.data,
    reason = excluded.reason, actor = excluded.actor, undone_by = excluded.undone_by
"""
NEWEST_MOMENT = "SELECT revision, position FROM outbox WHERE user_id = ? ORDER BY revision DESC, position DESC LIMIT 1"
MOMENTS = f"""
SELECT {rows.MOMENTS} FROM outbox WHERE user_id = ? AND (revision, position) > (?, ?) ORDER BY revision, position LIMIT ?
"""
LEDGER_OF_USER = f"SELECT {rows.LEDGER} FROM ledger WHERE user_id = ? ORDER BY revision, position"
ACTS_OF_USER = f"SELECT {rows.ACTS} FROM acts WHERE user_id = ? ORDER BY revision"
ALL_AMNESTIES = f"SELECT {rows.AMNESTIES} FROM amnesties ORDER BY created_at, amnesty_id"
SAVE_AMNESTY = f"""
INSERT INTO amnesties ({rows.AMNESTIES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (amnesty_id) DO NOTHING
"""
LIFT_AMNESTY = """
UPDATE amnesties SET lifted_at = ?, lifted_by = ?, lift_reason = ? WHERE amnesty_id = ? AND lifted_at IS NULL
"""
HISTORY_REVISIONS = """
SELECT revision FROM (
    SELECT revision FROM events WHERE user_id = :user AND revision < :before
    UNION SELECT revision FROM awards WHERE user_id = :user AND revision < :before
    UNION SELECT revision FROM ledger WHERE user_id = :user AND revision < :before
    UNION SELECT revision FROM acts WHERE user_id = :user AND revision < :before
) ORDER BY revision DESC LIMIT :limit
"""


HELD = "SELECT badge FROM awards"
"""Counted here: SQLite would sort all of them in memory, and take twice the time."""

USERS_BY_ID = f"SELECT {rows.USERS} FROM users WHERE user_id >= ? AND user_id < ? ORDER BY user_id LIMIT ?"
IDS_BY_NAME = """
SELECT user_id FROM users INDEXED BY users_by_name
WHERE contains(name, :text) AND NOT (user_id >= :first AND user_id < :end) ORDER BY name, user_id LIMIT :limit
"""
COUNT_USERS = "SELECT count(*) FROM users"
ALL_IDS = "SELECT user_id FROM users INDEXED BY users_by_name"
PAID = f"""
SELECT {rows.DAY_OF_ENTRY}, reason, ref, sum(amount) FROM ledger WHERE user_id = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
NEWEST_ACTS = f"""
SELECT {rows.ACTS} FROM acts WHERE (at, user_id, act_id) < (?, ?, ?) ORDER BY at DESC, user_id DESC, act_id DESC LIMIT ?
"""
SIGN_OUT = "INSERT INTO signed_out (session_hash, expires_at) VALUES (?, ?) ON CONFLICT (session_hash) DO NOTHING"
FORGET_SIGNED_OUT = "DELETE FROM signed_out WHERE expires_at <= ?"
SAVE_UPKEEP = f"""
INSERT INTO upkeep ({rows.UPKEEP}) VALUES (?, ?, ?)
ON CONFLICT (task) DO UPDATE SET at = excluded.at, outcome = excluded.outcome
"""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What every reader sees alike, as of one version of the database."""

    version: tuple[int, int, int]
    top: Sequence[Standing]
    amnesty_count: int


class SQLiteStore:
    """The contract of `storage/base.py` on one SQLite file, or in memory."""

    engine = "SQLite"

    def __init__(self, path: Path | None) -> None:
        """Open the file, making it where it is missing; None keeps everything in memory."""
        self._migrations = load_migrations("laurels.storage.sqlite")
        self._path = path
        self._thread = ThreadPoolExecutor(1, "laurels-writer") if path else None
        try:
            self._writer = _connect(path)
            self._reader = _connect(path) if path else self._writer
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot open {path}: {error}") from error
        self._snapshot = _Snapshot(self._reader)
        self._commits = 0
        self._cache: _Shared | None = None
        self._quiet: tuple[tuple[int, int], Mapping[str, Cursor]] | None = None
        self._secret: bytes | None = None
        self._closed = False

    @classmethod
    def from_address(cls, database: str) -> SQLiteStore:
        """The store of 'sqlite:///relative.db', 'sqlite:////absolute.db' or 'sqlite://' (in memory)."""
        rest = database.removeprefix("sqlite:")
        if rest in ("//", "///:memory:"):
            return cls(None)
        if not rest.startswith("///") or len(rest) == len("///"):
            raise SettingsError(f"'{database}' names no file; write 'sqlite:///laurels.db'")
        return cls(Path(unquote(rest.removeprefix("///"))))

    # ---- life ---------------------------------------------------------------------------------

    async def migrate(self) -> list[str]:
        return await self._write(self._migrate)

    def _migrate(self) -> list[str]:
        with self._transaction() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL)"
            )
            names: list[str] = []
            for migration in pending(self._migrations, self._applied(connection)):
                for statement in _statements(migration.sql):
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO migrations (name, checksum) VALUES (?, ?)", (migration.name, migration.checksum)
                )
                names.append(migration.name)
            connection.execute(
                "INSERT INTO secrets (name, value) VALUES ('tombstones', ?) ON CONFLICT (name) DO NOTHING",
                (secrets.token_bytes(32),),
            )
        return names

    @staticmethod
    def _applied(connection: sqlite3.Connection) -> dict[str, str]:
        return dict(connection.execute("SELECT name, checksum FROM migrations").fetchall())

    async def ready(self) -> None:
        with _translated:
            if not self._reader.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").fetchone():
                raise MigrationError("the database is empty; run 'laurels migrate'")
            missing = pending(self._migrations, self._applied(self._reader))
        if missing:
            raise MigrationError(f"the migration '{missing[0].name}' has not run; run 'laurels migrate'")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._thread:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
            self._thread.shutdown()
            self._reader.close()
        else:
            self._writer.close()

    # ---- writing ------------------------------------------------------------------------------

    async def change(self, asked: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        return await self._write(lambda: self._change(asked, decide))

    def _change(self, asked: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        with self._transaction() as connection:
            found = self._find(connection, asked)
            changes = decide(found)
            ranks = self._save(connection, changes, measure=asked.ranks)
            connection.executemany(RENAME_USER, rows.renamed(found, changes))
            return ranks

    def _find(self, connection: sqlite3.Connection, asked: LoadRequest) -> Loaded:
        users: dict[str, UserRow] = {}
        erased: set[str] = set()
        for user_id in asked.users:
            row = connection.execute(USER, (user_id,)).fetchone()
            if row is not None:
                users[user_id] = rows.user_of(row)
            elif self._is_erased(connection, user_id):
                erased.add(user_id)
        events: dict[tuple[str, str], EventRow] = {}
        for identity in asked.events:
            if identity[0] in users and (row := connection.execute(EVENT, identity).fetchone()):
                events[identity] = rows.event_of(row)
        amnesties, count = self._read_amnesties(connection)
        whole = [user_id for user_id, user in users.items() if user_id in asked.in_full or user.rules != asked.rules]
        return Loaded(
            users=users,
            events=events,
            erased=frozenset(erased),
            adjustments={
                user_id: self._read_adjustments(connection, user_id) for user_id in {*whole, *asked.with_adjustments}
            },
            histories={user_id: self._read_events(connection, user_id) for user_id in whole},
            awards={user_id: self._read_awards(connection, user_id, 0, 2**62) for user_id in whole},
            ledgers={user_id: self._read_ledger(connection, user_id) for user_id in whole},
            standings={user_id: boards.standings(connection, user_id) for user_id in whole},
            amnesties=amnesties,
            amnesty_count=count,
        )

    @staticmethod
    def _read_events(connection: sqlite3.Connection, user_id: str) -> list[EventRow]:
        return [rows.event_of(row) for row in connection.execute(EVENTS_OF_USER, (user_id,))]

    @staticmethod
    def _read_adjustments(connection: sqlite3.Connection, user_id: str) -> list[AdjustmentRow]:
        return [rows.adjustment_of(row) for row in connection.execute(ACTS_OF_USER, (user_id,))]

    @staticmethod
    def _read_ledger(connection: sqlite3.Connection, user_id: str) -> list[LedgerRow]:
        return [rows.entry_of(row) for row in connection.execute(LEDGER_OF_USER, (user_id,))]

    @staticmethod
    def _read_amnesties(connection: sqlite3.Connection) -> tuple[list[AmnestyRow], int]:
        amnesties = [rows.amnesty_of(row) for row in connection.execute(ALL_AMNESTIES)]
        return amnesties, rows.amnesty_count(amnesties)

    def _is_erased(self, connection: sqlite3.Connection, user_id: str) -> bool:
        digest = (tombstone(self._read_secret(connection), user_id),)
        return connection.execute("SELECT 1 FROM tombstones WHERE user_hash = ?", digest).fetchone() is not None

    def _read_secret(self, connection: sqlite3.Connection) -> bytes:
        if self._secret is None:
            (self._secret,) = connection.execute("SELECT value FROM secrets WHERE name = 'tombstones'").fetchone()
        assert self._secret is not None
        return self._secret

    def _save(self, connection: sqlite3.Connection, changes: Changes, *, measure: bool) -> Mapping[str, Ranks]:
        leaving = boards.leaving(connection, [user_id for user_id, _ in changes.erased])
        moves = boards.taken(connection, [*leaving, *changes.moves])
        measured: boards.Measured = boards.ranks(connection, moves, changes.tops) if measure and moves else {}
        ranks = boards.own(measured)
        boards.save(connection, moves)
        for user_id, at in changes.erased:
            self._erase(connection, user_id, at)
        connection.executemany(SAVE_USER, map(rows.user_columns, changes.users))
        connection.executemany(SAVE_EVENT, [rows.event_columns(event, ranks) for event in changes.events])
        self._save_told(connection, changes)
        if changes.awards:
            connection.executemany(SAVE_AWARD, map(rows.award_columns, changes.awards))
        if changes.ledger:
            connection.executemany(SAVE_ENTRY, map(rows.entry_columns, changes.ledger))
        notifications = [*changes.notifications, *rows.rank_notifications(changes, measured)]
        if notifications:
            connection.executemany(SAVE_MOMENT, map(rows.notification_columns, notifications))
        return ranks

    @staticmethod
    def _save_told(connection: sqlite3.Connection, changes: Changes) -> None:
        """Write acts, and what they take back; most transactions have none."""
        for row in changes.marked:
            connection.execute(MARK_EVENT, (row.reversed_by, row.event.user_id, row.event.id))
        for act in changes.adjustments:
            connection.execute(SAVE_ACT, rows.adjustment_columns(act))
        for award in changes.revoked:
            connection.execute(DROP_AWARD, award)

    def _erase(self, connection: sqlite3.Connection, user_id: str, at: datetime) -> None:
        for table in rows.TABLES_OF_USERS:
            connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))
        connection.execute(
            "INSERT INTO tombstones (user_hash, erased_at) VALUES (?, ?) ON CONFLICT (user_hash) DO NOTHING",
            (tombstone(self._read_secret(connection), user_id), to_micros(at)),
        )

    # ---- reading ------------------------------------------------------------------------------

    async def user(self, user_id: str) -> UserRow | None:
        with _translated:
            row = self._reader.execute(USER, (user_id,)).fetchone()
        return rows.user_of(row) if row else None

    async def users(self, user_ids: Sequence[str]) -> Mapping[str, UserRow]:
        with self._snapshot as connection:
            found = connection.execute(SOME_USERS, (json.dumps([*user_ids]),)).fetchall()
        return {row[0]: rows.user_of(row) for row in found}

    async def profile_view(self, user_id: str, limit: int) -> ProfileView:
        with self._snapshot as connection:
            row = connection.execute(USER, (user_id,)).fetchone()
            shared = self._shared(connection, limit)
        return ProfileView(rows.user_of(row) if row else None, shared.top, shared.amnesty_count)

    def _shared(self, connection: sqlite3.Connection, limit: int) -> _Shared:
        """What every reader sees alike, read anew only when anybody, in any process, has committed since."""
        version = (*self._version(connection), limit)
        if self._cache is None or self._cache.version != version:
            top = boards.first(connection, (POINTS_BOARD, ALL_TIME), limit)
            self._cache = _Shared(version, top, self._read_amnesties(connection)[1])
        return self._cache

    def _version(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """What differs whenever anybody, in any process, has committed since."""
        return connection.execute("PRAGMA data_version").fetchone()[0], self._commits

    async def listing(self, asked: LeaderboardRequest) -> LeaderboardLines:
        with self._snapshot as connection:
            return boards.listing(connection, asked)

    async def close_period(self, board: str, period: str, at: datetime) -> bool:
        return await self._write(lambda: self._in_transaction(partial(boards.close, key=(board, period), at=at)))

    async def notify_closing(self, board: str, period: str, top: int, ties: Ties, at: datetime) -> bool:
        asked = LeaderboardRequest(board, period, ties, MOST_TOLD if top else 0)
        return await self._write(lambda: self._in_transaction(partial(boards.tell, asked=asked, top=top, at=at)))

    async def teams(self, asked: TeamsRequest) -> Teams:
        return await self._aside(partial(boards.teams, asked=asked))

    async def closings(self, board: str, limit: int) -> Sequence[ClosedPeriodRow]:
        with _translated:
            return [rows.closing_of(row) for row in self._reader.execute(boards.CLOSINGS, (board, limit))]

    async def is_closed(self, board: str, period: str) -> bool:
        with _translated:
            return boards.is_closed(self._reader, (board, period))

    async def periods(self) -> Sequence[tuple[str, str]]:
        return await self._aside(lambda connection: connection.execute(boards.PERIODS).fetchall())

    async def secret(self) -> bytes:
        with _translated:
            return self._read_secret(self._reader)

    async def rank(self, board: str, period: str, user_id: str, ties: Ties = "first") -> tuple[int | None, int]:
        with self._snapshot as connection:
            key = (board, period)
            return boards.rank(connection, key, user_id, ties), boards.ranked(connection, key)

    async def event(self, user_id: str, event_id: str) -> EventRow | None:
        with _translated:
            row = self._reader.execute(EVENT, (user_id, event_id)).fetchone()
        return rows.event_of(row) if row else None

    async def awards(self, user_id: str) -> Sequence[AwardRow]:
        with _translated:
            return self._read_awards(self._reader, user_id, 0, 2**62)

    @staticmethod
    def _read_awards(connection: sqlite3.Connection, user_id: str, first: int, last: int) -> list[AwardRow]:
        found = connection.execute(
            f"SELECT {rows.AWARDS} FROM awards WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision, badge",
            (user_id, first, last),
        )
        return [rows.award_of(row) for row in found]

    async def history(self, user_id: str, limit: int, before: int | None = None) -> HistoryRows:
        asked = {"user": user_id, "before": 2**62 if before is None else before, "limit": limit}
        with self._snapshot as connection:
            revisions = [row[0] for row in connection.execute(HISTORY_REVISIONS, asked)]
            if not revisions:
                return HistoryRows()
            span = (user_id, revisions[-1], revisions[0])
            events = connection.execute(
                f"SELECT {rows.EVENTS} FROM events WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision",
                span,
            )
            ledger = connection.execute(
                f"SELECT {rows.LEDGER} FROM ledger "
                "WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision, position",
                span,
            )
            adjustments = connection.execute(
                f"SELECT {rows.ACTS} FROM acts WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision", span
            )
            return HistoryRows(
                [rows.event_of(row) for row in events.fetchall()],
                self._read_awards(connection, *span),
                [rows.entry_of(row) for row in ledger.fetchall()],
                [rows.adjustment_of(row) for row in adjustments.fetchall()],
            )

    async def newest_notification(self, user_id: str) -> Cursor:
        with _translated:
            return self._reader.execute(NEWEST_MOMENT, (user_id,)).fetchone() or BEGINNING

    async def notifications(self, after: Mapping[str, Cursor], limit: int) -> Sequence[NotificationRow]:
        with self._snapshot as connection:
            asked = (self._version(connection), after)
            if asked == self._quiet:
                return ()
            found = [
                rows.notification_of(row)
                for user_id, cursor in after.items()
                for row in connection.execute(MOMENTS, (user_id, *cursor, limit))
            ]
            self._quiet = None if found else (asked[0], dict(after))
        return found

    async def user_snapshot(self, user_id: str) -> UserSnapshot | None:
        with self._snapshot as connection:
            row = connection.execute(USER, (user_id,)).fetchone()
            if row is None:
                return None
            return UserSnapshot(
                user=rows.user_of(row),
                events=self._read_events(connection, user_id),
                adjustments=self._read_adjustments(connection, user_id),
                awards=self._read_awards(connection, user_id, 0, 2**62),
                ledger=self._read_ledger(connection, user_id),
                standings=boards.standings(connection, user_id),
                amnesties=self._read_amnesties(connection)[0],
            )

    async def user_ids(self, after: str, limit: int) -> Sequence[str]:
        with _translated:
            found = self._reader.execute(
                "SELECT user_id FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?", (after, limit)
            )
            return [row[0] for row in found]

    async def wrong_tallies(self) -> int:
        with self._snapshot as connection:
            return boards.wrong_tallies(connection)

    async def rebuild_tallies(self) -> None:
        await self._write(lambda: self._in_transaction(boards.rebuild_tallies))

    # ---- amnesties and the sandbox's clock ----------------------------------------------------

    async def amnesties(self) -> Sequence[AmnestyRow]:
        with _translated:
            return self._read_amnesties(self._reader)[0]

    async def add_amnesty(self, amnesty: AmnestyRow) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(SAVE_AMNESTY, rows.amnesty_columns(amnesty))

        await self._write(lambda: self._in_transaction(insert))

    async def lift_amnesty(
        self, amnesty_id: str, at: datetime, actor: str | None = None, reason: str | None = None
    ) -> bool:
        def lift(connection: sqlite3.Connection) -> bool:
            return connection.execute(LIFT_AMNESTY, (to_micros(at), actor, reason, amnesty_id)).rowcount == 1

        return await self._write(lambda: self._in_transaction(lift))

    async def clock_offset(self) -> timedelta | None:
        with _translated:
            row = self._reader.execute("SELECT clock_offset FROM sandbox").fetchone()
        return timedelta(microseconds=row[0]) if row else None

    async def set_clock_offset(self, offset: timedelta) -> None:
        def save(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO sandbox (only_row, clock_offset) VALUES (1, ?) "
                "ON CONFLICT (only_row) DO UPDATE SET clock_offset = excluded.clock_offset",
                (offset // timedelta(microseconds=1),),
            )

        await self._write(lambda: self._in_transaction(save))

    async def move_clock_offset(self, before: timedelta, after: timedelta) -> bool:
        def move(connection: sqlite3.Connection) -> bool:
            moved = connection.execute(
                "UPDATE sandbox SET clock_offset = ? WHERE clock_offset = ?",
                (after // timedelta(microseconds=1), before // timedelta(microseconds=1)),
            )
            return moved.rowcount == 1

        return await self._write(lambda: self._in_transaction(move))

    async def counts(self) -> Counts:
        def count(connection: sqlite3.Connection) -> Counts:
            users, events, awards, sessions = (
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("users", "events", "awards", "sessions")
            )
            newest = connection.execute("SELECT max(recorded_at) FROM events").fetchone()[0]
            return Counts(users, events, awards, sessions, maybe_instant(newest))

        return await self._aside(count)

    async def days_without_events(self, first: int, last: int) -> Sequence[int]:
        missing, after = set(range(first, last + 1)), ("", "")
        with self._snapshot as connection:
            while missing:  # each search goes on where the one before found a day, so no event is read twice
                wanted = ", ".join(map(str, missing))
                row = connection.execute(NEXT_EVENT_OF_DAYS.format(wanted), after).fetchone()
                if row is None:
                    break
                missing.discard(row[2])
                after = (row[0], row[1])
        return sorted(missing)

    # ---- what operators look at ---------------------------------------------------------------

    async def badge_holders(self) -> Mapping[str, int]:
        return await self._aside(lambda connection: Counter(row[0] for row in connection.execute(HELD)))

    async def find_users(self, text: str, limit: int) -> Sequence[UserRow]:
        def find(connection: sqlite3.Connection) -> list[UserRow]:
            span = (text, rows.end_of_prefix(text))
            found = connection.execute(USERS_BY_ID, (*span, limit)).fetchall()
            connection.create_function("contains", 2, _contains, deterministic=True)
            asked = {"text": text.casefold(), "first": span[0], "end": span[1], "limit": limit - len(found)}
            by_name = connection.execute(IDS_BY_NAME, asked).fetchall() if len(found) < limit else []
            found += [connection.execute(USER, user_id).fetchone() for user_id in by_name]
            return [rows.user_of(row) for row in found]

        return await self._aside(find)

    async def sample(self, most: int) -> UserSample:
        def choose(connection: sqlite3.Connection) -> UserSample:
            (users,) = connection.execute(COUNT_USERS).fetchone()
            ids = (row[0] for row in connection.execute(ALL_IDS))
            chosen = list(ids) if users <= most else nsmallest(most, ids, key=_hashed)
            return UserSample(chosen, users)

        return await self._aside(choose)

    async def community_report(self, user_ids: Sequence[str]) -> Sequence[ReportUser]:
        def look(connection: sqlite3.Connection) -> list[ReportUser]:
            found = (connection.execute(USER, (user_id,)).fetchone() for user_id in sorted(user_ids))
            return [self._read_surveyed(connection, rows.user_of(row)) for row in found if row]

        return await self._aside(look)

    def _read_surveyed(self, connection: sqlite3.Connection, user: UserRow) -> ReportUser:
        awards = self._read_awards(connection, user.user_id, 0, 2**62)
        return ReportUser(user, awards, [PointsPaid(*row) for row in connection.execute(PAID, (user.user_id,))])

    async def newest_adjustments(
        self, limit: int, before: tuple[datetime, str, str] | None = None
    ) -> Sequence[AdjustmentRow]:
        behind = (to_micros(before[0]), *before[1:]) if before else (2**62, "", "")
        with _translated:
            return [rows.adjustment_of(row) for row in self._reader.execute(NEWEST_ACTS, (*behind, limit))]

    async def maintenance_runs(self) -> Sequence[MaintenanceRun]:
        with _translated:
            found = self._reader.execute(f"SELECT {rows.UPKEEP} FROM upkeep ORDER BY task")
            return [rows.maintenance_run_of(row) for row in found]

    async def save_maintenance_run(self, note: MaintenanceRun) -> None:
        def save(connection: sqlite3.Connection) -> None:
            connection.execute(SAVE_UPKEEP, rows.maintenance_run_columns(note))

        await self._write(lambda: self._in_transaction(save))

    async def _aside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """A long reading as of one moment, apart from all others; in memory it is done at once, for there little is kept."""
        if self._path is None:
            with self._snapshot as connection:
                return work(connection)
        async with self._apart() as apart:
            return await apart.run(partial(_in_snapshot, work))

    # ---- keys and sessions --------------------------------------------------------------------

    async def add_key(self, key: KeyRow) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            living = "SELECT 1 FROM api_keys WHERE name = ? AND revoked_at IS NULL"
            if connection.execute(living, (key.name,)).fetchone():
                raise InvalidInput("name", f"a living key is named '{key.name}'; revoke it or choose another name")
            connection.execute(
                "INSERT INTO api_keys (key_hash, name, hint, created_at, revoked_at) VALUES (?, ?, ?, ?, NULL)",
                (key.key_hash, key.name, key.hint, to_micros(key.created_at)),
            )

        await self._write(lambda: self._in_transaction(insert))

    async def key_name(self, key_hash: bytes) -> str | None:
        with _translated:
            row = self._reader.execute(
                "SELECT name FROM api_keys WHERE key_hash = ? AND revoked_at IS NULL", (key_hash,)
            ).fetchone()
        return row[0] if row else None

    async def keys(self) -> Sequence[KeyRow]:
        with _translated:
            return [
                rows.key_of(row)
                for row in self._reader.execute(f"SELECT {rows.KEYS} FROM api_keys ORDER BY created_at, name")
            ]

    async def revoke_key(self, name: str, at: datetime) -> bool:
        def revoke(connection: sqlite3.Connection) -> bool:
            statement = "UPDATE api_keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL"
            return connection.execute(statement, (to_micros(at), name)).rowcount == 1

        return await self._write(lambda: self._in_transaction(revoke))

    async def add_session(self, user_id: str, token_hash: bytes, created_at: datetime, expires_at: datetime) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            if not connection.execute("SELECT 1 FROM users WHERE user_id = ?", (user_id,)).fetchone():
                raise UserNotFound
            now = to_micros(created_at)
            connection.execute("DELETE FROM sessions WHERE user_id = ? AND expires_at <= ?", (user_id, now))
            connection.execute(
                "INSERT INTO sessions (user_id, token_hash, created_at, expires_at) VALUES (?, ?, ?, ?)",
                (user_id, token_hash, now, to_micros(expires_at)),
            )

        await self._write(lambda: self._in_transaction(insert))

    async def has_session(self, user_id: str, token_hash: bytes, now: datetime) -> bool:
        with _translated:
            row = self._reader.execute(
                "SELECT expires_at FROM sessions WHERE user_id = ? AND token_hash = ?", (user_id, token_hash)
            ).fetchone()
        return row is not None and row[0] > to_micros(now)

    async def end_session(self, user_id: str, token_hash: bytes) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions WHERE user_id = ? AND token_hash = ?", (user_id, token_hash))

        await self._write(lambda: self._in_transaction(delete))

    async def sign_out(self, session_hash: bytes, expires_at: datetime, now: datetime) -> None:
        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(FORGET_SIGNED_OUT, (to_micros(now),))
            connection.execute(SIGN_OUT, (session_hash, to_micros(expires_at)))

        await self._write(lambda: self._in_transaction(keep))

    async def is_signed_out(self, session_hash: bytes) -> bool:
        with _translated:
            row = self._reader.execute("SELECT 1 FROM signed_out WHERE session_hash = ?", (session_hash,)).fetchone()
        return row is not None

    # ---- moving house -------------------------------------------------------------------------

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[Rows]:
        async with self._apart() as apart:
            yield _Rows(apart, await apart.run(_begin_reading))

    async def fill(self, batches: AsyncIterator[Batch]) -> None:
        async with self._apart() as apart:  # whatever ends it before its commit takes everything back
            await apart.run(_begin_filling)
            async for table, rows in batches:
                await apart.run(partial(_insert, table, rows))
            await apart.run(_end_filling)
            if self._path is None:
                apart.connection.backup(self._writer)
            self._commits += 1
            self._secret = None

    @asynccontextmanager
    async def _apart(self) -> AsyncIterator[_Apart]:
        """A connection for work that takes long; to a database in memory there is but one, so it is one to a copy."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        with _translated:
            connection = _connect(self._path)
            if self._path is None:
                self._writer.backup(connection)
        apart = _Apart(connection, self._path)
        try:
            yield apart
        finally:
            await apart.close()

    # ---- transactions -------------------------------------------------------------------------

    async def _write(self, work: Callable[[], T]) -> T:
        """Run `work` on the one writer: in its thread, or inline for a database in memory."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        with _translated:
            if self._thread is None:
                return work()
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._transaction() as connection:
            return work(connection)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it, durable when this ends, or nothing."""
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._commits += 1


def _connect(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        if path:
            _use_wal(connection)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log.

    Two processes that open a new file at once must try again by themselves: SQLite's busy timeout does not wait here.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


class _Translated:
    """Turns the driver's errors into ours. It stands around every read, where a generator would cost a microsecond."""

    def __init__(self, path: Path | None = None) -> None:
        """Errors name the database where `path` does."""
        self._which = f" use {path}" if path else ""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not isinstance(error, sqlite3.DatabaseError):
            return
        if "closed database" in str(error):
            raise StoreUnavailable("the store is closed") from error
        if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)):
            raise StoreError(f"SQLite refused: {error}") from error
        raise StoreUnavailable(f"SQLite cannot{self._which}: {error}") from error


_translated = _Translated()


class _Snapshot:
    """Several reads that see the same moment, with the driver's errors as ours."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        with _translated:
            self._connection.execute("BEGIN")
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _translated:
            self._connection.execute("COMMIT")
        _translated.__exit__(kind, error, trace)


class _Apart:
    """A connection in a thread of its own, with one cursor. Work that was begun is finished before it closes."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self.connection = connection
        self._cursor = connection.cursor()
        self._translated = _Translated(path)
        self._thread = ThreadPoolExecutor(1, "laurels-apart")

    async def run(self, work: Callable[[sqlite3.Cursor], T]) -> T:
        with self._translated:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._cursor)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        self._cursor.close()  # a cursor in the middle of its rows would keep the file open
        self.connection.close()


class _Rows:
    """All rows, from the snapshot that the connection apart has open."""

    def __init__(self, apart: _Apart, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self._apart = apart

    async def batches(self) -> AsyncIterator[Batch]:
        for name, table in TABLES.items():
            await self._apart.run(partial(_select, name, table))
            while rows := await self._apart.run(_next_batch):
                yield name, rows


def _in_snapshot(work: Callable[[sqlite3.Connection], T], cursor: sqlite3.Cursor) -> T:
    """What a reading of one moment finds; the connection is closed after it."""
    cursor.execute("BEGIN")
    return work(cursor.connection)


def _contains(name: str | None, text: str) -> bool:
    """Whether a name contains a text that is folded already, in any case."""
    return name is not None and text in name.casefold()


def _hashed(user_id: str) -> int:
    """A number that says nothing of the id, but is always the same for it."""
    return zlib.crc32(user_id.encode())


def _begin_reading(cursor: sqlite3.Cursor) -> Mapping[str, int]:
    """Take a snapshot, and count the rows of each table in it."""
    cursor.execute("BEGIN")
    return {name: cursor.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}


def _select(name: str, table: Table, cursor: sqlite3.Cursor) -> None:
    cursor.execute(f"SELECT {', '.join(table.columns)} FROM {name} ORDER BY {', '.join(table.key)}")


def _next_batch(cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
    return cursor.fetchmany(BATCH)


def _begin_filling(cursor: sqlite3.Cursor) -> None:
    cursor.execute("BEGIN IMMEDIATE")
    for table in TABLES.keys() - OF_EACH:
        if cursor.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
            raise NotEmpty
    for table in OF_EACH:
        cursor.execute(f"DELETE FROM {table}")


def _insert(table: str, rows: Sequence[tuple[Any, ...]], cursor: sqlite3.Cursor) -> None:
    columns = TABLES[table].columns
    marks = ", ".join("?" * len(columns))
    cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


def _end_filling(cursor: sqlite3.Cursor) -> None:
    cursor.execute(boards.MAKE_TALLIES)
    cursor.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit the transaction they must share."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if any(line.strip() and not line.strip().startswith("--") for line in statement.splitlines()):
        raise MigrationError("a migration ends in the middle of a statement")
