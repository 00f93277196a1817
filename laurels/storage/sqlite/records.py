"""The records of users on SQLite: reading rows, events, awards, ledgers, adjustments and notifications."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from laurels.storage import codec
from laurels.storage.columns import ADJUSTMENTS, AWARDS, COUNTED_EVENT, EVENTS, LEDGER, OUTBOX, USERS
from laurels.storage.contract import (
    BEGINNING,
    AdjustmentRow,
    AwardRow,
    Cursor,
    EventRow,
    HistoryRows,
    LedgerRow,
    NotificationRow,
    ProfileView,
    RevisionKey,
    Standing,
    UserDetails,
    UserRow,
    UserSnapshot,
)
from laurels.storage.packed_users import PackedEvents, PackedUser
from laurels.storage.sqlite.catalogs import read_in_force
from laurels.storage.sqlite.connections import Connections, translated
from laurels.storage.sqlite.driver import Connection
from laurels.storage.sqlite.leaderboards import closed_standings, first_lines, open_standings, rank_of_user
from laurels.storage.sqlite.ranking import count_ranked
from laurels.storage.standings import POINTS

NEWEST = 2**62
"""After every revision."""

READ_INLINE = 500
"""A user with more revisions than this is read in a thread: it takes longer than starting one, and no other task could run."""

INLINE_ENTRIES = 100
"""The same for a page of the history with more entries than this."""

REVISION = "SELECT revision FROM users WHERE user_id = ?"
USER = f"SELECT {USERS} FROM users WHERE user_id = ?"
SOME_USERS = f"SELECT {USERS} FROM users WHERE user_id IN (SELECT value FROM json_each(?))"
USERS_AFTER = f"SELECT {USERS} FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?"
CHANGED_SINCE = """
SELECT user_id FROM users AS u
WHERE created_at >= ?1
    OR (SELECT recorded_at FROM events WHERE user_id = u.user_id ORDER BY revision DESC LIMIT 1) >= ?1
    OR user_id IN (SELECT user_id FROM adjustments WHERE at >= ?1)
    OR (
        SELECT at FROM ledger
        WHERE user_id = u.user_id AND (catalog IS NULL OR catalog < ?3)
        ORDER BY revision DESC, position DESC LIMIT 1
    ) >= ?1
ORDER BY user_id LIMIT ?2
"""
"""Only the newest rows of each user are read: by time, all events would be, or each of them would have one more index."""

EVENTS_OF_TYPES = f"""
SELECT {COUNTED_EVENT}, NULL FROM events
WHERE user_id BETWEEN ?1 AND ?2 AND type IN (SELECT value FROM json_each(?3))
ORDER BY user_id
"""
EVENTS_OF_TYPES_WITH_DATA = EVENTS_OF_TYPES.replace("NULL", "data")
USER_IDS = "SELECT user_id FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?"
ARE_UNDER_OTHER_RULES = "SELECT EXISTS (SELECT 1 FROM users WHERE rules <> ?)"
EVENT = f"SELECT {EVENTS} FROM events WHERE user_id = ? AND event_id = ?"
EVENTS_WITHIN = f"SELECT {EVENTS} FROM events WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision"
AWARDS_WITHIN = f"SELECT {AWARDS} FROM awards WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision, badge"
LEDGER_WITHIN = (
    f"SELECT {LEDGER} FROM ledger WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision, position"
)
ADJUSTMENTS_WITHIN = (
    f"SELECT {ADJUSTMENTS} FROM adjustments WHERE user_id = ? AND revision BETWEEN ? AND ? ORDER BY revision"
)
REVISIONS = """
SELECT revision FROM (
    SELECT revision FROM (
        SELECT revision FROM events WHERE user_id = :user AND revision < :before ORDER BY revision DESC LIMIT :limit
    )
    UNION SELECT revision FROM awards WHERE user_id = :user AND revision < :before
    UNION SELECT revision FROM (
        SELECT DISTINCT revision FROM ledger WHERE user_id = :user AND revision < :before ORDER BY revision DESC LIMIT :limit
    )
    UNION SELECT revision FROM (
        SELECT revision FROM adjustments WHERE user_id = :user AND revision < :before ORDER BY revision DESC LIMIT :limit
    )
) ORDER BY revision DESC LIMIT :limit
"""
"""Each part stops after a page: without its own limit, it would read the whole history. Awards are at most one for each badge."""

NEWEST_NOTIFICATION = """
SELECT revision, position FROM outbox WHERE user_id = ? ORDER BY revision DESC, position DESC LIMIT 1
"""
NEXT_NOTIFICATIONS = f"""
SELECT {OUTBOX} FROM outbox WHERE user_id = ? AND (revision, position) > (?, ?) ORDER BY revision, position LIMIT ?
"""


def read_events(connection: Connection, user_id: str, first: int = 0, last: int = NEWEST) -> list[EventRow]:
    """The user's events of these revisions, oldest first."""
    return [codec.event_of(row) for row in connection.execute(EVENTS_WITHIN, (user_id, first, last))]


def read_awards(connection: Connection, user_id: str, first: int = 0, last: int = NEWEST) -> list[AwardRow]:
    """The user's awards of these revisions, oldest first."""
    return [codec.award_of(row) for row in connection.execute(AWARDS_WITHIN, (user_id, first, last))]


def read_ledger(connection: Connection, user_id: str, first: int = 0, last: int = NEWEST) -> list[LedgerRow]:
    """The user's ledger entries of these revisions, oldest first."""
    return [codec.entry_of(row) for row in connection.execute(LEDGER_WITHIN, (user_id, first, last))]


def read_adjustments(connection: Connection, user_id: str, first: int = 0, last: int = NEWEST) -> list[AdjustmentRow]:
    """The user's adjustments of these revisions, oldest first."""
    return [codec.adjustment_of(row) for row in connection.execute(ADJUSTMENTS_WITHIN, (user_id, first, last))]


def read_event(connection: Connection, user_id: str, event_id: str) -> EventRow | None:
    """An event as recorded; None if it was not."""
    row = connection.execute(EVENT, (user_id, event_id)).fetchone()
    return codec.event_of(row) if row else None


def read_history(connection: Connection, user_id: str, limit: int, before: int | None) -> HistoryRows:
    """All rows of the newest `limit` revisions below `before` that have a row."""
    values = {"user": user_id, "before": NEWEST if before is None else before, "limit": limit}
    revisions = [row[0] for row in connection.execute(REVISIONS, values)]
    if not revisions:
        return HistoryRows()
    span = (user_id, revisions[-1], revisions[0])
    return HistoryRows(
        read_events(connection, *span),
        read_awards(connection, *span),
        read_ledger(connection, *span),
        read_adjustments(connection, *span),
    )


@dataclass(frozen=True, slots=True)
class _Shared:
    """The part of a profile that is the same for all users, at one version of the database."""

    version: tuple[int, int, int]
    top: Sequence[Standing]
    amnesty_count: int
    catalog: RevisionKey


def read_snapshot(connection: Connection, user_id: str) -> UserSnapshot | None:
    """Everything about one user; None if there is no such user."""
    row = connection.execute(USER, (user_id,)).fetchone()
    if row is None:
        return None
    catalog, amnesties, _ = read_in_force(connection)
    return UserSnapshot(
        user=codec.user_of(row),
        events=read_events(connection, user_id),
        adjustments=read_adjustments(connection, user_id),
        awards=read_awards(connection, user_id),
        ledger=read_ledger(connection, user_id),
        standings=open_standings(connection, user_id),
        amnesties=amnesties,
        catalog=catalog,
        closed=closed_standings(connection, user_id),
    )


class Records(Connections):
    """Reading what is stored about users."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self._shared: _Shared | None = None
        self._without_news: tuple[tuple[int, int], Mapping[str, Cursor]] | None = None

    async def user(self, user_id: str) -> UserRow | None:
        with translated:
            row = self._reader.execute(USER, (user_id,)).fetchone()
        return codec.user_of(row) if row else None

    async def users(self, user_ids: Sequence[str]) -> Mapping[str, UserRow]:
        with self._snapshot as connection:
            found = connection.execute(SOME_USERS, (json.dumps([*user_ids]),)).fetchall()
        return {row[0]: codec.user_of(row) for row in found}

    async def users_after(self, after: str, limit: int) -> Sequence[PackedUser]:
        found = await self._in_background(lambda connection: connection.execute(USERS_AFTER, (after, limit)).fetchall())
        return [PackedUser(row) for row in found]

    async def users_changed_since(self, at: datetime, limit: int, before: int) -> Sequence[str]:
        found = await self._in_background(
            lambda connection: connection.execute(CHANGED_SINCE, (codec.to_micros(at), limit, before)).fetchall()
        )
        return [user_id for (user_id,) in found]

    async def events_of_types(self, first: str, last: str, types: Collection[str], *, data: bool) -> PackedEvents:
        statement, values = EVENTS_OF_TYPES_WITH_DATA if data else EVENTS_OF_TYPES, (first, last, json.dumps([*types]))
        return PackedEvents(
            await self._in_background(lambda connection: connection.execute(statement, values).fetchall())
        )

    async def user_ids(self, after: str, limit: int) -> Sequence[str]:
        with translated:
            return [row[0] for row in self._reader.execute(USER_IDS, (after, limit))]

    async def are_under_other_rules(self, rules: str) -> bool:
        found = await self._in_background(
            lambda connection: connection.execute(ARE_UNDER_OTHER_RULES, (rules,)).fetchone()
        )
        return bool(found[0])

    async def profile_view(self, user_id: str, limit: int) -> ProfileView:
        with self._snapshot as connection:
            row = connection.execute(USER, (user_id,)).fetchone()
            shared = self._read_shared(connection, limit)
        return ProfileView(codec.user_of(row) if row else None, shared.top, shared.amnesty_count, shared.catalog)

    def _read_shared(self, connection: Connection, limit: int) -> _Shared:
        """The part that is the same for all users, read again only after a commit of any process."""
        version = (*self._version(connection), limit)
        if self._shared is None or self._shared.version != version:
            top = first_lines(connection, POINTS, limit)
            catalog, _, count = read_in_force(connection)
            self._shared = _Shared(version, top, count, catalog)
        return self._shared

    async def event(self, user_id: str, event_id: str) -> EventRow | None:
        with translated:
            return read_event(self._reader, user_id, event_id)

    async def awards(self, user_id: str) -> Sequence[AwardRow]:
        with translated:
            return read_awards(self._reader, user_id)

    async def history(self, user_id: str, limit: int, before: int | None = None) -> HistoryRows:
        if limit > INLINE_ENTRIES:
            return await self._in_turn(partial(read_history, user_id=user_id, limit=limit, before=before))
        with self._snapshot as connection:
            return read_history(connection, user_id, limit, before)

    async def user_details(self, user_id: str, lines: int, limit: int, before: int | None = None) -> UserDetails | None:
        with self._snapshot as connection:
            row = connection.execute(USER, (user_id,)).fetchone()
            if row is None:
                return None
            shared, awards = self._read_shared(connection, lines), read_awards(connection, user_id)
            events = [read_event(connection, user_id, award.event_id) for award in awards if award.event_id]
            return UserDetails(
                user=codec.user_of(row),
                top=shared.top,
                amnesty_count=shared.amnesty_count,
                rank=rank_of_user(connection, POINTS, user_id, "first"),
                ranked=count_ranked(connection, POINTS),
                awards=awards,
                award_events={event.event.id: event for event in events if event},
                history=read_history(connection, user_id, limit, before),
                catalog=shared.catalog,
            )

    async def newest_notification(self, user_id: str) -> Cursor:
        with translated:
            return self._reader.execute(NEWEST_NOTIFICATION, (user_id,)).fetchone() or BEGINNING

    async def notifications(self, after: Mapping[str, Cursor], limit: int) -> Sequence[NotificationRow]:
        with self._snapshot as connection:
            request = (self._version(connection), after)
            if request == self._without_news:
                return ()
            found = [
                codec.notification_of(row)
                for user_id, cursor in after.items()
                for row in connection.execute(NEXT_NOTIFICATIONS, (user_id, *cursor, limit))
            ]
            self._without_news = None if found else (request[0], dict(after))
        return found

    async def user_snapshot(self, user_id: str) -> UserSnapshot | None:
        with self._snapshot as connection:
            row = connection.execute(REVISION, (user_id,)).fetchone()
            if row is None:
                return None
            if row[0] <= READ_INLINE:
                return read_snapshot(connection, user_id)
        return await self._in_background(partial(read_snapshot, user_id=user_id))
