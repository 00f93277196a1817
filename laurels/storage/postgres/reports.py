"""What operators look at across all users, and the log of maintenance, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from laurels.engine.events import MAX_NUMBER
from laurels.engine.progress import SPEND
from laurels.storage import codec
from laurels.storage.columns import DAY_OF_ENTRY, MAINTENANCE_RUNS, USERS
from laurels.storage.contract import (
    Counts,
    MaintenanceRun,
    PointsPaid,
    ReportUser,
    UserRow,
    UserSample,
)
from laurels.storage.postgres.connections import Connections, by_user, insert
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, Connection
from laurels.storage.postgres.records import read_awards
from laurels.storage.prefixes import end_of_prefix

COUNTS = """
SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM events), (SELECT count(*) FROM awards),
    (SELECT count(*) FROM sessions), (SELECT max(recorded_at) FROM events)
"""
NEXT_EVENT_OF_DAYS = """
SELECT user_id, event_id, day FROM events WHERE (user_id, event_id) > ($1, $2) AND day = ANY($3::integer[])
ORDER BY user_id, event_id LIMIT 1
"""
EVENT_TYPES = "SELECT type, count(*) FROM events GROUP BY type"
BADGE_HOLDERS = "SELECT badge, count(*) FROM awards GROUP BY badge"
USERS_BY_ID = f"SELECT {USERS} FROM users WHERE user_id >= $1 AND user_id < $2 ORDER BY user_id LIMIT $3"
USERS_BY_NAME = f"""
SELECT {USERS} FROM users WHERE strpos(lower(name), lower($1)) > 0 AND NOT (user_id >= $1 AND user_id < $2)
ORDER BY name COLLATE "C", user_id LIMIT $3
"""
COUNT_USERS = "SELECT count(*) FROM users"
SAMPLE = "SELECT user_id FROM users ORDER BY hashtextextended(user_id, 0), user_id LIMIT $1"
REPORTED_USERS = f"SELECT {USERS} FROM users WHERE user_id = ANY($1) ORDER BY user_id"
PAID = f"""
SELECT user_id, {DAY_OF_ENTRY} AS day, reason, ref, least(sum(amount), {MAX_NUMBER})::bigint FROM ledger
WHERE user_id = ANY($1) AND reason <> '{SPEND}'
GROUP BY user_id, day, reason, ref ORDER BY user_id, day, reason COLLATE "C", ref COLLATE "C"
"""
ALL_RUNS = f"SELECT {MAINTENANCE_RUNS} FROM maintenance_runs ORDER BY task"
SAVE_RUN = f"""
{insert(MAINTENANCE_RUNS)} ON CONFLICT (task) DO UPDATE SET at = excluded.at, outcome = excluded.outcome
"""


class Reports(Connections):
    """Reads across all users, and the log of maintenance."""

    async def counts(self) -> Counts:
        async def read(connection: Connection) -> Any:
            return await connection.fetchrow(COUNTS, timeout=LONG_STATEMENT_SECONDS)

        users, events, awards, sessions, newest = await self._pool.run(read)
        return Counts(users, events, awards, sessions, codec.maybe_instant(newest))

    async def days_without_events(self, first: int, last: int) -> Sequence[int]:
        async def find(connection: Connection) -> Sequence[int]:
            missing, after = set(range(first, last + 1)), ("", "")
            while missing:  # each search continues where the last one found a day, so no event is read twice
                row = await connection.fetchrow(NEXT_EVENT_OF_DAYS, *after, [*missing], timeout=LONG_STATEMENT_SECONDS)
                if row is None:
                    break
                missing.discard(row[2])
                after = (row[0], row[1])
            return sorted(missing)

        return await self._pool.run(find)

    async def event_types(self) -> Mapping[str, int]:
        async def read(connection: Connection) -> Any:
            return await connection.fetch(EVENT_TYPES, timeout=LONG_STATEMENT_SECONDS)

        return dict(await self._pool.run(read))

    async def badge_holders(self) -> Mapping[str, int]:
        return dict(await self._report(lambda connection: connection.fetch(BADGE_HOLDERS)))

    async def find_users(self, text: str, limit: int) -> Sequence[UserRow]:
        async def find(connection: Connection) -> Sequence[UserRow]:
            span = (text, end_of_prefix(text))
            found = await connection.fetch(USERS_BY_ID, *span, limit)
            if len(found) < limit:
                found += await connection.fetch(USERS_BY_NAME, *span, limit - len(found))
            return [codec.user_of(row) for row in found]

        return await self._report(find)

    async def sample(self, most: int) -> UserSample:
        async def choose(connection: Connection) -> UserSample:
            users = await connection.fetchval(COUNT_USERS)
            return UserSample([row[0] for row in await connection.fetch(SAMPLE, most)], users)

        return await self._report(choose)

    async def community_report(self, user_ids: Sequence[str]) -> Sequence[ReportUser]:
        async def read(connection: Connection) -> Sequence[ReportUser]:
            found = [codec.user_of(row) for row in await connection.fetch(REPORTED_USERS, user_ids)]
            users = [user.user_id for user in found]
            awards = await read_awards(connection, users)
            rows = await connection.fetch(PAID, users)
            paid = by_user(users, ((row[0], PointsPaid(*row[1:])) for row in rows))
            return [ReportUser(user, awards[user.user_id], paid[user.user_id]) for user in found]

        return await self._report(read)

    async def maintenance_runs(self) -> Sequence[MaintenanceRun]:
        return [codec.maintenance_run_of(row) for row in await self._rows(ALL_RUNS)]

    async def save_maintenance_run(self, run: MaintenanceRun) -> None:
        await self._value(SAVE_RUN, *codec.maintenance_run_columns(run))
