"""What operators look at across all users, and the log of maintenance, on SQLite."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nsmallest

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
from laurels.storage.prefixes import end_of_prefix
from laurels.storage.sqlite.connections import Connections, insert, translated
from laurels.storage.sqlite.driver import Connection
from laurels.storage.sqlite.records import USER, read_awards

COUNTS = """
SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM events), (SELECT count(*) FROM awards),
    (SELECT count(*) FROM sessions), (SELECT max(recorded_at) FROM events)
"""
NEXT_EVENT_OF_DAYS = """
SELECT user_id, event_id, day FROM events WHERE (user_id, event_id) > (?, ?) AND day IN ({})
ORDER BY user_id, event_id LIMIT 1
"""
HELD = "SELECT badge FROM awards"
EVENT_TYPES = "SELECT type FROM events"
"""Both are counted here: SQLite would sort all of them in memory, and take twice the time."""

USERS_BY_ID = f"SELECT {USERS} FROM users WHERE user_id >= ? AND user_id < ? ORDER BY user_id LIMIT ?"
IDS_BY_NAME = """
SELECT user_id FROM users INDEXED BY users_by_name
WHERE contains(name, :text) AND NOT (user_id >= :first AND user_id < :end) ORDER BY name, user_id LIMIT :limit
"""
COUNT_USERS = "SELECT count(*) FROM users"
ALL_IDS = "SELECT user_id FROM users INDEXED BY users_by_name"
PAID = f"""
SELECT {DAY_OF_ENTRY}, reason, ref, CAST(min(total(amount), {MAX_NUMBER}) AS integer) FROM ledger
WHERE user_id = ? AND reason <> '{SPEND}' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
ALL_RUNS = f"SELECT {MAINTENANCE_RUNS} FROM maintenance_runs ORDER BY task"
SAVE_RUN = f"""
{insert(MAINTENANCE_RUNS)} ON CONFLICT (task) DO UPDATE SET at = excluded.at, outcome = excluded.outcome
"""


class Reports(Connections):
    """Reads across all users, and the log of maintenance."""

    async def counts(self) -> Counts:
        users, events, awards, sessions, newest = await self._in_background(
            lambda connection: connection.execute(COUNTS).fetchone()
        )
        return Counts(users, events, awards, sessions, codec.maybe_instant(newest))

    async def days_without_events(self, first: int, last: int) -> Sequence[int]:
        missing, after = set(range(first, last + 1)), ("", "")
        with self._snapshot as connection:
            while missing:  # each search continues where the last one found a day, so no event is read twice
                day_list = ", ".join(map(str, missing))
                row = connection.execute(NEXT_EVENT_OF_DAYS.format(day_list), after).fetchone()
                if row is None:
                    break
                missing.discard(row[2])
                after = (row[0], row[1])
        return sorted(missing)

    async def event_types(self) -> Mapping[str, int]:
        return await self._in_background(lambda connection: Counter(row[0] for row in connection.execute(EVENT_TYPES)))

    async def badge_holders(self) -> Mapping[str, int]:
        return await self._in_background(lambda connection: Counter(row[0] for row in connection.execute(HELD)))

    async def find_users(self, text: str, limit: int) -> Sequence[UserRow]:
        def find(connection: Connection) -> list[UserRow]:
            span = (text, end_of_prefix(text))
            found = connection.execute(USERS_BY_ID, (*span, limit)).fetchall()
            connection.create_scalar_function("contains", _contains, 2, deterministic=True)
            values = {"text": text.casefold(), "first": span[0], "end": span[1], "limit": limit - len(found)}
            by_name = connection.execute(IDS_BY_NAME, values).fetchall() if len(found) < limit else []
            found += [connection.execute(USER, user_id).fetchone() for user_id in by_name]
            return [codec.user_of(row) for row in found]

        return await self._in_background(find)

    async def sample(self, most: int) -> UserSample:
        def choose(connection: Connection) -> UserSample:
            (users,) = connection.execute(COUNT_USERS).fetchone()
            ids = (row[0] for row in connection.execute(ALL_IDS))
            chosen = list(ids) if users <= most else nsmallest(most, ids, key=_hashed)
            return UserSample(chosen, users)

        return await self._in_background(choose)

    async def community_report(self, user_ids: Sequence[str]) -> Sequence[ReportUser]:
        def read(connection: Connection) -> list[ReportUser]:
            found = (connection.execute(USER, (user_id,)).fetchone() for user_id in sorted(user_ids))
            return [_read_reported(connection, codec.user_of(row)) for row in found if row]

        return await self._in_background(read)

    async def maintenance_runs(self) -> Sequence[MaintenanceRun]:
        with translated:
            return [codec.maintenance_run_of(row) for row in self._reader.execute(ALL_RUNS)]

    async def save_maintenance_run(self, run: MaintenanceRun) -> None:
        await self._in_transaction(lambda writer: writer.execute(SAVE_RUN, codec.maintenance_run_columns(run)))


def _read_reported(connection: Connection, user: UserRow) -> ReportUser:
    awards = read_awards(connection, user.user_id)
    return ReportUser(user, awards, [PointsPaid(*row) for row in connection.execute(PAID, (user.user_id,))])


def _contains(name: str | None, text: str) -> bool:
    """Whether a name contains a text, in any case; the text is in lower case already."""
    return name is not None and text in name.casefold()


def _hashed(user_id: str) -> int:
    """A number that is always the same for an id, and reveals nothing about it."""
    return zlib.crc32(user_id.encode())
