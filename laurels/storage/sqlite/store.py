"""The store on SQLite: the SQL beside the rows it reads and writes.

One writer thread holds the writing connection; each batch is one `BEGIN IMMEDIATE` transaction. Reads run inline on a
connection of their own: they take some microseconds, and handing them to a thread would cost several times that.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from laurels.engine.events import Event
from laurels.engine.leaderboards import (
    FIRST_TIME_LEVEL,
    KEY_SHIFTS,
    TIME_SHIFTS,
    Place,
    finest_time,
    nodes,
    place,
    ranges_ahead,
)
from laurels.errors import (
    InvalidInput,
    MigrationError,
    NotEmpty,
    SettingsError,
    StoreError,
    StoreUnavailable,
    UserNotFound,
)
from laurels.storage.base import (
    ALL_TIME,
    POINTS_BOARD,
    ActRow,
    AmnestyRow,
    Asked,
    AwardRow,
    Batch,
    Changes,
    Counts,
    Decide,
    EventRow,
    Found,
    KeyRow,
    LedgerRow,
    Moved,
    Page,
    Ranks,
    Rows,
    Standing,
    UserRow,
    View,
    Whole,
)
from laurels.storage.codec import (
    from_micros,
    maybe_micros,
    maybe_moment,
    pack_data,
    pack_progress,
    pack_zones,
    to_micros,
    tombstone,
    unpack_data,
    unpack_progress,
    unpack_zones,
)
from laurels.storage.migrate import load_migrations, pending
from laurels.storage.tables import OF_THE_ENGINE, TABLES

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

USER_COLUMNS = """
user_id, name, zones, joined_at, created_at, revision, rules, points, reached_at, progress, groups, amnesties
"""
EVENT_COLUMNS = """
user_id, event_id, revision, type, occurred_at, sent_at, recorded_at, day, quantity, data, outcome, rank_before, rank_after,
late_by, reversed_by
"""
ACT_COLUMNS = "user_id, act_id, revision, at, kind, data, reason, actor, undone_by"
AMNESTY_COLUMNS = "amnesty_id, first_day, last_day, for_group, reason, actor, created_at, lifted_at"

USER = f"SELECT {USER_COLUMNS} FROM users WHERE user_id = ?"
EVENT = f"SELECT {EVENT_COLUMNS} FROM events WHERE user_id = ? AND event_id = ?"
EVENTS_OF_USER = f"SELECT {EVENT_COLUMNS} FROM events WHERE user_id = ? ORDER BY revision"
NEXT_EVENT_OF_DAYS = """
SELECT user_id, event_id, day FROM events WHERE (user_id, event_id) > (?, ?) AND day IN ({})
ORDER BY user_id, event_id LIMIT 1
"""
TOP = """
SELECT s.user_id, u.name, -s.sort_key, s.reached_at
FROM standings s JOIN users u ON u.user_id = s.user_id
WHERE s.board = ? AND s.period = ?
ORDER BY s.sort_key, s.reached_at, s.user_id
LIMIT ? OFFSET ?
"""
RANKED = "SELECT coalesce(sum(amount), 0) FROM tallies WHERE board = ? AND period = ? AND level = ? AND under = 0"
AHEAD_IN_NODES = " + ".join(
    [
        "(SELECT coalesce(sum(amount), 0) FROM tallies "
        f"WHERE board = ? AND period = ? AND level = {level} AND under = ? AND node BETWEEN ? AND ?)"
        for level in range(len(KEY_SHIFTS) + len(TIME_SHIFTS))
    ]
)
AHEAD = f"""
SELECT {AHEAD_IN_NODES} + (
    SELECT count(*) FROM standings
    WHERE board = ? AND period = ? AND sort_key = ? AND reached_at >= ? AND (reached_at, user_id) < (?, ?)
)
"""
SAVE_USER = f"""
INSERT INTO users ({USER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (user_id) DO UPDATE SET
    name = excluded.name, zones = excluded.zones, joined_at = excluded.joined_at, revision = excluded.revision,
    rules = excluded.rules, points = excluded.points, reached_at = excluded.reached_at, progress = excluded.progress,
    groups = excluded.groups, amnesties = excluded.amnesties
"""
SAVE_EVENT = f"INSERT INTO events ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
MARK_EVENT = "UPDATE events SET reversed_by = ? WHERE user_id = ? AND event_id = ?"
SAVE_AWARD = "INSERT INTO awards (user_id, badge, revision, awarded_at, points, event_id) VALUES (?, ?, ?, ?, ?, ?)"
SAVE_LEDGER = """
INSERT INTO ledger (user_id, revision, position, at, amount, reason, ref, event_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
SAVE_MOMENT = "INSERT INTO outbox (user_id, revision, position, at, type, data) VALUES (?, ?, ?, ?, ?, ?)"
DROP_AWARD = "DELETE FROM awards WHERE user_id = ? AND badge = ?"
SAVE_ACT = f"""
INSERT INTO acts ({ACT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (user_id, act_id) DO UPDATE SET
    revision = excluded.revision, at = excluded.at, kind = excluded.kind, data = excluded.data,
    reason = excluded.reason, actor = excluded.actor, undone_by = excluded.undone_by
"""
ACTS_OF_USER = f"SELECT {ACT_COLUMNS} FROM acts WHERE user_id = ? ORDER BY revision"
AMNESTIES = f"SELECT {AMNESTY_COLUMNS} FROM amnesties ORDER BY created_at, amnesty_id"
SAVE_STANDING = """
INSERT INTO standings (user_id, board, period, sort_key, reached_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user_id, board, period) DO UPDATE SET sort_key = excluded.sort_key, reached_at = excluded.reached_at
"""
DROP_STANDING = "DELETE FROM standings WHERE user_id = ? AND board = ? AND period = ?"
SAVE_TALLY = """
INSERT INTO tallies (board, period, level, under, node, amount) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (board, period, level, under, node) DO UPDATE SET amount = amount + excluded.amount
"""
DROP_EMPTY_TALLY = (
    "DELETE FROM tallies WHERE board = ? AND period = ? AND level = ? AND under = ? AND node = ? AND amount = 0"
)
TABLES_OF_USERS = ("events", "acts", "awards", "ledger", "outbox", "standings", "sessions", "users")
TRUE_TALLIES = " UNION ALL ".join(
    [
        f"SELECT {level} AS level, 0 AS under, sort_key >> {shift} AS node, count(*) AS amount FROM standings "
        f"WHERE board = '{POINTS_BOARD}' AND period = '{ALL_TIME}' GROUP BY node"
        for level, shift in enumerate(KEY_SHIFTS)
    ]
    + [
        f"SELECT {FIRST_TIME_LEVEL + level} AS level, sort_key AS under, reached_at >> {shift} AS node, count(*) AS amount "
        f"FROM standings WHERE board = '{POINTS_BOARD}' AND period = '{ALL_TIME}' GROUP BY under, node"
        for level, shift in enumerate(TIME_SHIFTS)
    ]
)
SAVE_TRUE_TALLIES = f"""
INSERT INTO tallies (board, period, level, under, node, amount) SELECT ?, ?, level, under, node, amount FROM ({TRUE_TALLIES})
"""
STORED_TALLIES = f"""
SELECT level, under, node, amount FROM tallies WHERE board = '{POINTS_BOARD}' AND period = '{ALL_TIME}'
"""
WRONG_TALLIES = "SELECT count(*) FROM (SELECT * FROM ({}) EXCEPT SELECT * FROM ({}))"
HISTORY_REVISIONS = """
SELECT revision FROM (
    SELECT revision FROM events WHERE user_id = :user AND revision < :before
    UNION SELECT revision FROM awards WHERE user_id = :user AND revision < :before
    UNION SELECT revision FROM ledger WHERE user_id = :user AND revision < :before
    UNION SELECT revision FROM acts WHERE user_id = :user AND revision < :before
) ORDER BY revision DESC LIMIT :limit
"""

ROWS_OF_BATCH = 2000
"""How many rows are read or written together when a database moves: some megabytes at most."""

GROUP_SEPARATOR = "\n"  # no name of a group may hold a control character

_json = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class _Shared:
    """What every reader sees alike, as of one version of the database."""

    version: tuple[int, int, int]
    top: Sequence[Standing]
    amnesty_count: int


class SQLiteStore:
    """The contract of `storage/base.py` on one SQLite file, or in memory."""

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

    async def change(self, asked: Asked, decide: Decide) -> Mapping[str, Ranks]:
        return await self._write(lambda: self._change(asked, decide))

    def _change(self, asked: Asked, decide: Decide) -> Mapping[str, Ranks]:
        with self._transaction() as connection:
            changes = decide(self._find(connection, asked))
            return self._save(connection, changes, measure=asked.ranks)

    def _find(self, connection: sqlite3.Connection, asked: Asked) -> Found:
        users: dict[str, UserRow] = {}
        erased: set[str] = set()
        for user_id in asked.users:
            row = connection.execute(USER, (user_id,)).fetchone()
            if row is not None:
                users[user_id] = _user(row)
            elif self._is_erased(connection, user_id):
                erased.add(user_id)
        events: dict[tuple[str, str], EventRow] = {}
        for identity in asked.events:
            if identity[0] in users and (row := connection.execute(EVENT, identity).fetchone()):
                events[identity] = _event(row)
        amnesties, count = self._read_amnesties(connection)
        whole = [user_id for user_id, user in users.items() if user_id in asked.whole or user.rules != asked.rules]
        return Found(
            users=users,
            events=events,
            erased=frozenset(erased),
            acts={user_id: self._read_acts(connection, user_id) for user_id in {*whole, *asked.told}},
            histories={user_id: self._read_events(connection, user_id) for user_id in whole},
            awards={user_id: self._read_awards(connection, user_id, 0, 2**62) for user_id in whole},
            balances={user_id: self._read_balance(connection, user_id) for user_id in whole},
            amnesties=amnesties,
            amnesty_count=count,
        )

    @staticmethod
    def _read_events(connection: sqlite3.Connection, user_id: str) -> list[EventRow]:
        return [_event(row) for row in connection.execute(EVENTS_OF_USER, (user_id,))]

    @staticmethod
    def _read_acts(connection: sqlite3.Connection, user_id: str) -> list[ActRow]:
        return [_act(row) for row in connection.execute(ACTS_OF_USER, (user_id,))]

    @staticmethod
    def _read_balance(connection: sqlite3.Connection, user_id: str) -> int:
        sql = "SELECT coalesce(sum(amount), 0) FROM ledger WHERE user_id = ?"
        return connection.execute(sql, (user_id,)).fetchone()[0]

    @staticmethod
    def _read_amnesties(connection: sqlite3.Connection) -> tuple[list[AmnestyRow], int]:
        rows = [_amnesty(row) for row in connection.execute(AMNESTIES)]
        return rows, len(rows) + sum(row.lifted_at is not None for row in rows)

    def _is_erased(self, connection: sqlite3.Connection, user_id: str) -> bool:
        digest = (tombstone(self._read_secret(connection), user_id),)
        return connection.execute("SELECT 1 FROM tombstones WHERE user_hash = ?", digest).fetchone() is not None

    def _read_secret(self, connection: sqlite3.Connection) -> bytes:
        if self._secret is None:
            (self._secret,) = connection.execute("SELECT value FROM secrets WHERE name = 'tombstones'").fetchone()
        assert self._secret is not None
        return self._secret

    def _save(self, connection: sqlite3.Connection, changes: Changes, *, measure: bool) -> Mapping[str, Ranks]:
        moved = {user_id: changes.moved[user_id] for user_id in sorted(changes.moved)}
        before = {user_id: self._rank_of(connection, move.before) for user_id, move in moved.items()} if measure else {}
        for user_id, at in changes.erased:
            self._erase(connection, user_id, at)
        self._save_standings(connection, moved)
        after = {user_id: self._rank_of(connection, move.after) for user_id, move in moved.items()} if measure else {}
        ranks = {user_id: Ranks(before[user_id], after[user_id]) for user_id in before}
        connection.executemany(SAVE_USER, map(_user_columns, changes.users))
        connection.executemany(SAVE_EVENT, [_event_columns(event, ranks) for event in changes.events])
        self._save_told(connection, changes)
        if changes.awards:
            connection.executemany(SAVE_AWARD, map(_award_columns, changes.awards))
        if changes.ledger:
            connection.executemany(SAVE_LEDGER, map(_ledger_columns, changes.ledger))
        if changes.moments:
            connection.executemany(
                SAVE_MOMENT,
                [
                    (m.user_id, m.revision, m.position, to_micros(m.at), m.type, _json(m.data).decode())
                    for m in changes.moments
                ],
            )
        return ranks

    @staticmethod
    def _save_told(connection: sqlite3.Connection, changes: Changes) -> None:
        """Write acts, and what they take back; most transactions have none."""
        for row in changes.marked:
            connection.execute(MARK_EVENT, (row.reversed_by, row.event.user_id, row.event.id))
        for act in changes.acts:
            connection.execute(SAVE_ACT, _act_columns(act))
        for award in changes.revoked:
            connection.execute(DROP_AWARD, award)

    def _save_standings(self, connection: sqlite3.Connection, moved: Mapping[str, Moved]) -> None:
        """Write the places that changed, and the net change of every tally that they cross."""
        tallies: Counter[tuple[int, int, int]] = Counter()
        for user_id, move in moved.items():
            if move.before:
                tallies.subtract(nodes(move.before))
            if move.after:
                tallies.update(nodes(move.after))
                place = (user_id, POINTS_BOARD, ALL_TIME, move.after.sort_key, move.after.reached_at)
                connection.execute(SAVE_STANDING, place)
            else:
                connection.execute(DROP_STANDING, (user_id, POINTS_BOARD, ALL_TIME))
        net = [(POINTS_BOARD, ALL_TIME, *node, amount) for node, amount in sorted(tallies.items()) if amount]
        connection.executemany(SAVE_TALLY, net)
        connection.executemany(DROP_EMPTY_TALLY, [row[:-1] for row in net if row[-1] < 0])

    def _erase(self, connection: sqlite3.Connection, user_id: str, at: datetime) -> None:
        for table in TABLES_OF_USERS:
            connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))
        connection.execute(
            "INSERT INTO tombstones (user_hash, erased_at) VALUES (?, ?) ON CONFLICT (user_hash) DO NOTHING",
            (tombstone(self._read_secret(connection), user_id), to_micros(at)),
        )

    @staticmethod
    def _rank_of(connection: sqlite3.Connection, place: Place | None) -> int | None:
        if place is None:
            return None
        board = (POINTS_BOARD, ALL_TIME)
        values: list[Any] = []
        for ahead in ranges_ahead(place):
            values += (*board, ahead.under, ahead.low, ahead.high)
        values += (*board, place.sort_key, finest_time(place), place.reached_at, place.user_id)
        return connection.execute(AHEAD, values).fetchone()[0] + 1

    # ---- reading ------------------------------------------------------------------------------

    async def user(self, user_id: str) -> UserRow | None:
        with _translated:
            row = self._reader.execute(USER, (user_id,)).fetchone()
        return _user(row) if row else None

    async def view(self, user_id: str, limit: int) -> View:
        with self._snapshot as connection:
            row = connection.execute(USER, (user_id,)).fetchone()
            shared = self._shared(connection, limit)
        return View(_user(row) if row else None, shared.top, shared.amnesty_count)

    def _shared(self, connection: sqlite3.Connection, limit: int) -> _Shared:
        """What every reader sees alike, read anew only when anybody, in any process, has committed since."""
        version = (connection.execute("PRAGMA data_version").fetchone()[0], self._commits, limit)
        if self._cache is None or self._cache.version != version:
            top = self._read_top(connection, limit, 0)
            self._cache = _Shared(version, top, self._read_amnesties(connection)[1])
        return self._cache

    async def top(self, limit: int, after: int = 0) -> Sequence[Standing]:
        with _translated:
            return self._read_top(self._reader, limit, after)

    @staticmethod
    def _read_top(connection: sqlite3.Connection, limit: int, after: int) -> Sequence[Standing]:
        rows = connection.execute(TOP, (POINTS_BOARD, ALL_TIME, limit, after)).fetchall()
        return [
            Standing(after + index, user_id, name, score, from_micros(reached_at))
            for index, (user_id, name, score, reached_at) in enumerate(rows, start=1)
        ]

    async def rank(self, user_id: str) -> tuple[int | None, int]:
        with self._snapshot as connection:
            row = connection.execute("SELECT points, reached_at FROM users WHERE user_id = ?", (user_id,)).fetchone()
            ranked = connection.execute(RANKED, (POINTS_BOARD, ALL_TIME, FIRST_TIME_LEVEL - 1)).fetchone()[0]
            mine = place(row[0], row[1] or 0, user_id) if row else None
            return self._rank_of(connection, mine), ranked

    async def event(self, user_id: str, event_id: str) -> EventRow | None:
        with _translated:
            row = self._reader.execute(EVENT, (user_id, event_id)).fetchone()
        return _event(row) if row else None

    async def awards(self, user_id: str) -> Sequence[AwardRow]:
        with _translated:
            return self._read_awards(self._reader, user_id, 0, 2**62)

    @staticmethod
    def _read_awards(connection: sqlite3.Connection, user_id: str, first: int, last: int) -> list[AwardRow]:
        rows = connection.execute(
            "SELECT user_id, badge, revision, awarded_at, points, event_id FROM awards "
            "WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision, badge",
            (user_id, first, last),
        )
        return [
            AwardRow(user, badge, revision, from_micros(at), points, event)
            for user, badge, revision, at, points, event in rows
        ]

    async def history(self, user_id: str, limit: int, before: int | None = None) -> Page:
        asked = {"user": user_id, "before": 2**62 if before is None else before, "limit": limit}
        with self._snapshot as connection:
            revisions = [row[0] for row in connection.execute(HISTORY_REVISIONS, asked)]
            if not revisions:
                return Page()
            span = (user_id, revisions[-1], revisions[0])
            events = connection.execute(
                f"SELECT {EVENT_COLUMNS} FROM events WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision",
                span,
            )
            ledger = connection.execute(
                "SELECT user_id, revision, position, at, amount, reason, ref, event_id FROM ledger "
                "WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision, position",
                span,
            )
            acts = connection.execute(
                f"SELECT {ACT_COLUMNS} FROM acts WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision", span
            )
            return Page(
                [_event(row) for row in events.fetchall()],
                self._read_awards(connection, *span),
                [_ledger(row) for row in ledger.fetchall()],
                [_act(row) for row in acts.fetchall()],
            )

    async def whole(self, user_id: str) -> Whole | None:
        with self._snapshot as connection:
            row = connection.execute(USER, (user_id,)).fetchone()
            if row is None:
                return None
            standing = connection.execute(
                "SELECT sort_key, reached_at FROM standings WHERE user_id = ? AND board = ? AND period = ?",
                (user_id, POINTS_BOARD, ALL_TIME),
            ).fetchone()
            return Whole(
                user=_user(row),
                events=self._read_events(connection, user_id),
                acts=self._read_acts(connection, user_id),
                awards=self._read_awards(connection, user_id, 0, 2**62),
                balance=self._read_balance(connection, user_id),
                place=Place(standing[0], standing[1], user_id) if standing else None,
                amnesties=self._read_amnesties(connection)[0],
            )

    async def user_ids(self, after: str, limit: int) -> Sequence[str]:
        with _translated:
            rows = self._reader.execute(
                "SELECT user_id FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?", (after, limit)
            )
            return [row[0] for row in rows]

    async def wrong_tallies(self) -> int:
        with self._snapshot as connection:
            (missing,) = connection.execute(WRONG_TALLIES.format(TRUE_TALLIES, STORED_TALLIES)).fetchone()
            (extra,) = connection.execute(WRONG_TALLIES.format(STORED_TALLIES, TRUE_TALLIES)).fetchone()
            return missing + extra

    async def rebuild_boards(self) -> None:
        def rebuild(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM standings WHERE board = ? AND period = ?", (POINTS_BOARD, ALL_TIME))
            connection.execute(
                "INSERT INTO standings (user_id, board, period, sort_key, reached_at) "
                "SELECT user_id, ?, ?, -points, reached_at FROM users WHERE points > 0",
                (POINTS_BOARD, ALL_TIME),
            )
            connection.execute("DELETE FROM tallies WHERE board = ? AND period = ?", (POINTS_BOARD, ALL_TIME))
            connection.execute(SAVE_TRUE_TALLIES, (POINTS_BOARD, ALL_TIME))

        await self._write(lambda: self._in_transaction(rebuild))

    # ---- amnesties and the sandbox's clock ----------------------------------------------------

    async def amnesties(self) -> Sequence[AmnestyRow]:
        with _translated:
            return self._read_amnesties(self._reader)[0]

    async def add_amnesty(self, amnesty: AmnestyRow) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"INSERT INTO amnesties ({AMNESTY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    amnesty.amnesty_id,
                    amnesty.first_day,
                    amnesty.last_day,
                    amnesty.for_group,
                    amnesty.reason,
                    amnesty.actor,
                    to_micros(amnesty.created_at),
                ),
            )

        await self._write(lambda: self._in_transaction(insert))

    async def lift_amnesty(self, amnesty_id: str, at: datetime) -> bool:
        def lift(connection: sqlite3.Connection) -> bool:
            statement = "UPDATE amnesties SET lifted_at = ? WHERE amnesty_id = ? AND lifted_at IS NULL"
            return connection.execute(statement, (to_micros(at), amnesty_id)).rowcount == 1

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

    async def counts(self) -> Counts:
        with self._snapshot as connection:
            users, events, awards, sessions = (
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("users", "events", "awards", "sessions")
            )
            newest = connection.execute("SELECT max(recorded_at) FROM events").fetchone()[0]
        return Counts(users, events, awards, sessions, maybe_moment(newest))

    async def quiet_days(self, first: int, last: int) -> Sequence[int]:
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
            rows = self._reader.execute(
                "SELECT key_hash, name, hint, created_at, revoked_at FROM api_keys ORDER BY created_at"
            )
            return [
                KeyRow(key, name, hint, from_micros(made), maybe_moment(gone)) for key, name, hint, made, gone in rows
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
        apart = _Apart(connection)
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

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not isinstance(error, sqlite3.DatabaseError):
            return
        if "closed database" in str(error):
            raise StoreUnavailable("the store is closed") from error
        if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)):
            raise StoreError(f"SQLite refused: {error}") from error
        raise StoreUnavailable(f"SQLite cannot: {error}") from error


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
    """A connection in a thread of its own. Work that was begun is finished before it closes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._thread = ThreadPoolExecutor(1, "laurels-apart")

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _translated:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self.connection)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self.connection.close)
        self._thread.shutdown()


class _Rows:
    """All rows, from the snapshot that the connection apart has open."""

    def __init__(self, apart: _Apart, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self._apart = apart

    async def batches(self) -> AsyncIterator[Batch]:
        for name, table in TABLES.items():
            select = f"SELECT {', '.join(table.columns)} FROM {name} ORDER BY {', '.join(table.key)}"
            cursor = await self._apart.run(partial(_select, select))
            while rows := await self._apart.run(lambda _, cursor=cursor: cursor.fetchmany(ROWS_OF_BATCH)):
                yield name, rows


def _begin_reading(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Take a snapshot, and count the rows of each table in it."""
    connection.execute("BEGIN")
    return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}


def _select(select: str, connection: sqlite3.Connection) -> sqlite3.Cursor:
    return connection.execute(select)


def _begin_filling(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table in TABLES.keys() - OF_THE_ENGINE:
        if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
            raise NotEmpty
    for table in OF_THE_ENGINE:
        connection.execute(f"DELETE FROM {table}")


def _insert(table: str, rows: Sequence[tuple[Any, ...]], connection: sqlite3.Connection) -> None:
    columns = TABLES[table].columns
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


def _end_filling(connection: sqlite3.Connection) -> None:
    connection.execute(SAVE_TRUE_TALLIES, (POINTS_BOARD, ALL_TIME))
    connection.execute("COMMIT")


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


# ---- rows -------------------------------------------------------------------------------------


def _user(row: tuple[Any, ...]) -> UserRow:
    user_id, name, zones, joined_at, created_at, revision, rules, points, reached_at, progress, groups, amnesties = row
    unpacked = unpack_progress(progress, points, maybe_moment(reached_at), unpack_zones(zones), maybe_moment(joined_at))
    of_groups = tuple(groups.split(GROUP_SEPARATOR)) if groups else ()
    return UserRow(user_id, name, from_micros(created_at), revision, rules, unpacked, of_groups, amnesties)


def _user_columns(user: UserRow) -> tuple[Any, ...]:
    progress = user.progress
    return (
        user.user_id,
        user.name,
        pack_zones(progress.zones),
        maybe_micros(progress.joined_at),
        to_micros(user.created_at),
        user.revision,
        user.rules,
        progress.points,
        maybe_micros(progress.reached_at),
        pack_progress(progress),
        GROUP_SEPARATOR.join(user.groups) or None,
        user.amnesties,
    )


def _event(row: tuple[Any, ...]) -> EventRow:
    user_id, event_id, revision, kind, occurred_at, sent_at, recorded_at, day, quantity, data, *rest = row
    outcome, before, after, late_by, reversed_by = rest
    return EventRow(
        event=Event(user_id, event_id, kind, from_micros(occurred_at), quantity, unpack_data(data), day, late_by),
        sent_at=maybe_moment(sent_at),
        recorded_at=from_micros(recorded_at),
        revision=revision,
        outcome=outcome.encode() if outcome else None,
        rank_before=before,
        rank_after=after,
        reversed_by=reversed_by,
    )


def _event_columns(row: EventRow, ranks: Mapping[str, Ranks]) -> tuple[Any, ...]:
    event = row.event
    assert event.occurred_at is not None
    moved = ranks.get(event.user_id) if row.outcome else None
    return (
        event.user_id,
        event.id,
        row.revision,
        event.type,
        to_micros(event.occurred_at),
        maybe_micros(row.sent_at),
        to_micros(row.recorded_at),
        event.day,
        event.quantity,
        pack_data(event.data),
        row.outcome.decode() if row.outcome else None,
        moved.before if moved else None,
        moved.after if moved else None,
        event.late_by,
        row.reversed_by,
    )


def _act(row: tuple[Any, ...]) -> ActRow:
    user_id, act_id, revision, at, kind, data, reason, actor, undone_by = row
    return ActRow(user_id, act_id, revision, from_micros(at), kind, unpack_data(data) or {}, reason, actor, undone_by)


def _act_columns(act: ActRow) -> tuple[Any, ...]:
    return (
        act.user_id,
        act.act_id,
        act.revision,
        to_micros(act.at),
        act.kind,
        pack_data(act.data),
        act.reason,
        act.actor,
        act.undone_by,
    )


def _amnesty(row: tuple[Any, ...]) -> AmnestyRow:
    amnesty_id, first, last, group, reason, actor, created_at, lifted_at = row
    return AmnestyRow(amnesty_id, first, last, group, reason, actor, from_micros(created_at), maybe_moment(lifted_at))


def _award_columns(award: AwardRow) -> tuple[Any, ...]:
    return (award.user_id, award.badge, award.revision, to_micros(award.awarded_at), award.points, award.event_id)


def _ledger(row: tuple[Any, ...]) -> LedgerRow:
    user_id, revision, position, at, amount, reason, ref, event_id = row
    return LedgerRow(user_id, revision, position, from_micros(at), amount, reason, ref, event_id)


def _ledger_columns(entry: LedgerRow) -> tuple[Any, ...]:
    return (
        entry.user_id,
        entry.revision,
        entry.position,
        to_micros(entry.at),
        entry.amount,
        entry.reason,
        entry.ref,
        entry.event_id,
    )
