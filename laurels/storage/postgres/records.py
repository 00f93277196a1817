"""The records of users on PostgreSQL: reading rows, events, awards, ledgers, adjustments and notifications."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from laurels.storage import codec
from laurels.storage.columns import ADJUSTMENTS, AWARDS, COUNTED_EVENT, EVENTS, LEDGER, OUTBOX, USERS
from laurels.storage.contract import (
    BEGINNING,
    CONNECTIONS,
    SCHEMA,
    AdjustmentRow,
    AwardRow,
    Cursor,
    EventRow,
    HistoryRows,
    LedgerRow,
    NotificationRow,
    ProfileView,
    UserDetails,
    UserRow,
    UserSnapshot,
)
from laurels.storage.packed_users import PackedEvents, PackedUser
from laurels.storage.postgres.amnesties import AMNESTY_COUNT, read_amnesties
from laurels.storage.postgres.batching import Batcher
from laurels.storage.postgres.catalogs import KEY, read_key
from laurels.storage.postgres.connections import Connections, by_user, by_user_decoded
from laurels.storage.postgres.leaderboards import FIRST, closed_standings, first_lines, open_standings
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, WRITE_SECONDS, Connection
from laurels.storage.postgres.ranking import rank_of_user
from laurels.storage.standings import POINTS

NEWEST = 2**62
"""After every revision."""

USER = f"SELECT {USERS} FROM users WHERE user_id = $1"
SOME_USERS = f"SELECT {USERS} FROM users WHERE user_id = ANY($1)"
USERS_AFTER = f"SELECT {USERS} FROM users WHERE user_id > $1 ORDER BY user_id LIMIT $2"
CHANGED_SINCE = """
SELECT user_id FROM users AS u
WHERE created_at >= $1
    OR (SELECT recorded_at FROM events WHERE user_id = u.user_id ORDER BY revision DESC LIMIT 1) >= $1
    OR user_id IN (SELECT user_id FROM adjustments WHERE at >= $1)
    OR (
        SELECT at FROM ledger
        WHERE user_id = u.user_id AND (catalog IS NULL OR catalog < $3)
        ORDER BY revision DESC, position DESC LIMIT 1
    ) >= $1
ORDER BY user_id LIMIT $2
"""
"""Only the newest rows of each user are read: by time, all events would be, or each of them would have one more index."""

EVENTS_OF_TYPES = f"""
SELECT {COUNTED_EVENT}, NULL FROM events
WHERE user_id BETWEEN $1 AND $2 AND type = ANY($3)
ORDER BY user_id
"""
EVENTS_OF_TYPES_WITH_DATA = EVENTS_OF_TYPES.replace("NULL", "data")
USER_IDS = "SELECT user_id FROM users WHERE user_id > $1 ORDER BY user_id LIMIT $2"
ARE_UNDER_OTHER_RULES = "SELECT EXISTS (SELECT 1 FROM users WHERE rules <> $1)"
PROFILES = f"""
SELECT 'user' AS kind, {USERS} FROM users WHERE user_id = ANY($3)
UNION ALL
SELECT 'line', line.user_id, name, NULL, NULL, 0, sort_key, '', points, reached_at, ''::bytea, NULL, 0, visibility, excluded,
    NULL, NULL
FROM ({FIRST}) AS line
UNION ALL
SELECT 'in force', '', NULL, NULL, NULL, 0, coalesce(c.number, 0), coalesce(c.digest, ''), 0, NULL, ''::bytea, NULL,
    ({AMNESTY_COUNT}), NULL, 0, NULL, NULL
FROM (SELECT) AS one LEFT JOIN ({KEY}) AS c ON true
"""
"""Some users, the first lines of a leaderboard, the key of the catalog's revision and the amnesty count, from one snapshot, each
kind in the columns of a user (a line's sort key in that of the revision, a digest in that of the rules).
"""

EVENT = f"SELECT {EVENTS} FROM events WHERE user_id = $1 AND event_id = $2"
SOME_EVENTS = f"SELECT {EVENTS} FROM events WHERE user_id = $1 AND event_id = ANY($2)"
EVENTS_OF = f"SELECT {EVENTS} FROM events WHERE user_id = ANY($1) ORDER BY user_id, revision"
EVENTS_WITHIN = f"SELECT {EVENTS} FROM events WHERE user_id = $1 AND revision BETWEEN $2 AND $3 ORDER BY revision"
AWARDS_OF = f"SELECT {AWARDS} FROM awards WHERE user_id = ANY($1) ORDER BY user_id, revision, badge"
AWARDS_WITHIN = (
    f"SELECT {AWARDS} FROM awards WHERE user_id = $1 AND revision BETWEEN $2 AND $3 ORDER BY revision, badge"
)
LEDGER_OF = f"SELECT {LEDGER} FROM ledger WHERE user_id = ANY($1) ORDER BY user_id, revision, position"
LEDGER_WITHIN = (
    f"SELECT {LEDGER} FROM ledger WHERE user_id = $1 AND revision BETWEEN $2 AND $3 ORDER BY revision, position"
)
ADJUSTMENTS_OF = f"SELECT {ADJUSTMENTS} FROM adjustments WHERE user_id = ANY($1) ORDER BY user_id, revision"
ADJUSTMENTS_WITHIN = (
    f"SELECT {ADJUSTMENTS} FROM adjustments WHERE user_id = $1 AND revision BETWEEN $2 AND $3 ORDER BY revision"
)
REVISIONS = """
SELECT revision FROM (
    (SELECT revision FROM events WHERE user_id = $1 AND revision < $2 ORDER BY revision DESC LIMIT $3)
    UNION SELECT revision FROM awards WHERE user_id = $1 AND revision < $2
    UNION (SELECT DISTINCT revision FROM ledger WHERE user_id = $1 AND revision < $2 ORDER BY revision DESC LIMIT $3)
    UNION (SELECT revision FROM adjustments WHERE user_id = $1 AND revision < $2 ORDER BY revision DESC LIMIT $3)
) AS filled ORDER BY revision DESC LIMIT $3
"""
"""Each part stops after a page: without its own limit, it would read the whole history. Awards are at most one for each badge."""

NEWEST_NOTIFICATION = """
SELECT revision, position FROM outbox WHERE user_id = $1 ORDER BY revision DESC, position DESC LIMIT 1
"""
NEXT_NOTIFICATIONS = f"""
SELECT next.* FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS requested (user_id, revision, position), LATERAL (
    SELECT {OUTBOX} FROM outbox o
    WHERE o.user_id = requested.user_id AND (o.revision, o.position) > (requested.revision, requested.position)
    ORDER BY o.revision, o.position LIMIT $4
) AS next ORDER BY 1, 2, 3
"""
"""Each user's own, by the key of the outbox."""


async def read_events(connection: Connection, users: Sequence[str]) -> Mapping[str, list[EventRow]]:
    """All events of users, oldest first."""
    found = await connection.fetch(EVENTS_OF, users)
    return await by_user_decoded(users, found, codec.event_of)


async def read_awards(connection: Connection, users: Sequence[str]) -> Mapping[str, list[AwardRow]]:
    """All awards of users, oldest first."""
    found = await connection.fetch(AWARDS_OF, users)
    return by_user(users, ((row[0], codec.award_of(row)) for row in found))


async def read_ledgers(connection: Connection, users: Sequence[str]) -> Mapping[str, list[LedgerRow]]:
    """All ledger entries of users, oldest first."""
    found = await connection.fetch(LEDGER_OF, users)
    return await by_user_decoded(users, found, codec.entry_of)


async def read_adjustments(connection: Connection, users: Sequence[str]) -> Mapping[str, list[AdjustmentRow]]:
    """All adjustments of users, oldest first."""
    found = await connection.fetch(ADJUSTMENTS_OF, users)
    return by_user(users, ((row[0], codec.adjustment_of(row)) for row in found))


async def read_profiles(connection: Connection, keys: Sequence[tuple[str, int]]) -> Sequence[ProfileView]:
    """The profile of each (user id, number of first lines), in one statement."""
    distinct = [*{user_id for user_id, _ in keys}]
    most = max(limit for _, limit in keys)
    found = await connection.fetch(PROFILES % most, *POINTS, distinct)
    users = {row[1]: codec.user_of(row[1:]) for row in found if row[0] == "user"}
    columns = ("user_id", "name", "points", "revision", "reached_at", "visibility", "excluded")
    lines = [tuple(row[name] for name in columns) for row in found if row[0] == "line"]
    top = first_lines(sorted(lines, key=lambda line: (line[3], line[4], line[0])))
    in_force = next(row for row in found if row[0] == "in force")
    shared = (in_force["amnesties"], (in_force["revision"], in_force["rules"]))
    return [ProfileView(users.get(user_id), top if limit == most else top[:limit], *shared) for user_id, limit in keys]


async def read_history(connection: Connection, user_id: str, limit: int, before: int | None) -> HistoryRows:
    """All rows of the newest `limit` revisions below `before` that have a row."""
    first = NEWEST if before is None else before
    revisions = [row[0] for row in await connection.fetch(REVISIONS, user_id, first, limit)]
    if not revisions:
        return HistoryRows()
    span = (user_id, revisions[-1], revisions[0])
    return HistoryRows(
        [codec.event_of(row) for row in await connection.fetch(EVENTS_WITHIN, *span)],
        [codec.award_of(row) for row in await connection.fetch(AWARDS_WITHIN, *span)],
        [codec.entry_of(row) for row in await connection.fetch(LEDGER_WITHIN, *span)],
        [codec.adjustment_of(row) for row in await connection.fetch(ADJUSTMENTS_WITHIN, *span)],
    )


class Records(Connections):
    """Reading what is stored about users."""

    def __init__(
        self, address: str, connections: int = CONNECTIONS, patience: float = WRITE_SECONDS, schema: str = SCHEMA
    ) -> None:
        super().__init__(address, connections, patience, schema)
        self._profiles = Batcher(self._read_profiles)

    async def user(self, user_id: str) -> UserRow | None:
        row = await self._pool.run(lambda connection: connection.fetchrow(USER, user_id))
        return codec.user_of(row) if row else None

    async def users(self, user_ids: Sequence[str]) -> Mapping[str, UserRow]:
        return {row[0]: codec.user_of(row) for row in await self._rows(SOME_USERS, user_ids)}

    async def users_after(self, after: str, limit: int) -> Sequence[PackedUser]:
        return [PackedUser(row) for row in await self._rows(USERS_AFTER, after, limit)]

    async def users_changed_since(self, at: datetime, limit: int, before: int) -> Sequence[str]:
        values = (codec.to_micros(at), limit, before)
        found = await self._pool.run(
            lambda connection: connection.fetch(CHANGED_SINCE, *values, timeout=LONG_STATEMENT_SECONDS)
        )
        return [row[0] for row in found]

    async def events_of_types(self, first: str, last: str, types: Collection[str], *, data: bool) -> PackedEvents:
        statement = EVENTS_OF_TYPES_WITH_DATA if data else EVENTS_OF_TYPES
        return PackedEvents(await self._rows(statement, first, last, [*types]))

    async def user_ids(self, after: str, limit: int) -> Sequence[str]:
        return [row[0] for row in await self._rows(USER_IDS, after, limit)]

    async def are_under_other_rules(self, rules: str) -> bool:
        return await self._value(ARE_UNDER_OTHER_RULES, rules, timeout=LONG_STATEMENT_SECONDS)

    async def profile_view(self, user_id: str, limit: int) -> ProfileView:
        return await self._profiles((user_id, limit))

    async def _read_profiles(self, keys: Sequence[tuple[str, int]]) -> Sequence[ProfileView]:
        return await self._pool.run(lambda connection: read_profiles(connection, keys))

    async def event(self, user_id: str, event_id: str) -> EventRow | None:
        row = await self._pool.run(lambda connection: connection.fetchrow(EVENT, user_id, event_id))
        return codec.event_of(row) if row else None

    async def awards(self, user_id: str) -> Sequence[AwardRow]:
        return (await self._pool.run(lambda connection: read_awards(connection, [user_id])))[user_id]

    async def history(self, user_id: str, limit: int, before: int | None = None) -> HistoryRows:
        return await self._snapshot(lambda connection: read_history(connection, user_id, limit, before))

    async def user_details(self, user_id: str, lines: int, limit: int, before: int | None = None) -> UserDetails | None:
        async def read(connection: Connection) -> UserDetails | None:
            (view,) = await read_profiles(connection, [(user_id, lines)])
            if view.user is None:
                return None
            rank, ranked = await rank_of_user(connection, POINTS, user_id, "first")
            awards = (await read_awards(connection, [user_id]))[user_id]
            ids = [award.event_id for award in awards if award.event_id]
            events = [codec.event_of(row) for row in await connection.fetch(SOME_EVENTS, user_id, ids)]
            return UserDetails(
                user=view.user,
                top=view.top,
                amnesty_count=view.amnesty_count,
                catalog=view.catalog,
                rank=rank,
                ranked=ranked,
                awards=awards,
                award_events={event.event.id: event for event in events},
                history=await read_history(connection, user_id, limit, before),
            )

        return await self._snapshot(read)

    async def newest_notification(self, user_id: str) -> Cursor:
        row = await self._pool.run(lambda connection: connection.fetchrow(NEWEST_NOTIFICATION, user_id))
        return (row[0], row[1]) if row else BEGINNING

    async def notifications(self, after: Mapping[str, Cursor], limit: int) -> Sequence[NotificationRow]:
        revisions, positions = [one for one, _ in after.values()], [one for _, one in after.values()]
        found = await self._rows(NEXT_NOTIFICATIONS, [*after], revisions, positions, limit)
        return [codec.notification_of(row) for row in found]

    async def user_snapshot(self, user_id: str) -> UserSnapshot | None:
        async def read(connection: Connection) -> UserSnapshot | None:
            row = await connection.fetchrow(USER, user_id)
            if row is None:
                return None
            return UserSnapshot(
                user=codec.user_of(row),
                events=(await read_events(connection, [user_id]))[user_id],
                adjustments=(await read_adjustments(connection, [user_id]))[user_id],
                awards=(await read_awards(connection, [user_id]))[user_id],
                ledger=(await read_ledgers(connection, [user_id]))[user_id],
                standings=(await open_standings(connection, [user_id]))[user_id],
                amnesties=await read_amnesties(connection),
                catalog=await read_key(connection),
                closed=await closed_standings(connection, user_id),
            )

        return await self._snapshot(read)
