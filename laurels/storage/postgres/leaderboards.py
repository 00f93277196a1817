"""Leaderboards on PostgreSQL: lines in order, teams, and closing periods.

The functions take the connection of a transaction or a snapshot. A key is (partition, period).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from laurels.engine.ranking import FIRST_TIME_LEVEL, TOTAL_LEVEL, WITHIN, Move, Place, Ties, around, numbered, order
from laurels.storage.codec import board_rule_of, closing_of, maybe_micros, notification_columns, standing_of, to_micros
from laurels.storage.columns import BOARD_RULES, CLOSINGS, LINE, OUTBOX
from laurels.storage.contract import (
    BoardRuleRow,
    ClosedPeriodRow,
    LeaderboardLines,
    LeaderboardRequest,
    NotificationRow,
    OtherRevision,
    OwnRule,
    RevisionKey,
    Standing,
    Teams,
    TeamsRequest,
)
from laurels.storage.postgres import ranking, standings
from laurels.storage.postgres.catalogs import WAIT_FOR_CATALOG, read_key
from laurels.storage.postgres.closings import PARTS, all_closings, close, unclosed
from laurels.storage.postgres.connections import Connections, insert_all
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, Connection, write
from laurels.storage.postgres.standings import STANDINGS_OF, lock_of, places_by_user
from laurels.storage.standings import (
    ERASED_USER,
    Ends,
    Key,
    closing_notifications,
    closing_request,
    ends_of,
    hidden,
    own_partitions,
    partitions_of_teams,
    place_of,
    shown,
    teams_of,
)

LINES = f"""
SELECT {LINE}
FROM standings s LEFT JOIN users u ON u.user_id = s.user_id
WHERE s.board = $1 AND s.period = $2
"""
LINES_OF = f"{LINES} AND s.user_id = ANY($3)"
FIRST = f"{LINES} ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT %d"
"""Numbers of lines are filled in: a plan that is made for any number reads a tenth of the leaderboard."""

AFTER = f"""
{LINES} AND (s.sort_key, s.reached_at, s.user_id) > ($3, $4, $5) ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT %d
"""
BEFORE = f"""
{LINES} AND (s.sort_key, s.reached_at, s.user_id) < ($3, $4, $5)
ORDER BY s.sort_key DESC, s.reached_at DESC, s.user_id DESC LIMIT %d
"""
OPEN_STANDINGS_OF = f"""
{STANDINGS_OF} AND NOT EXISTS (
    SELECT 1 FROM closings c WHERE c.period = standings.period AND c.board = split_part(standings.board, '{WITHIN}', 1)
)
"""
LOCK_PERIOD = "SELECT pg_advisory_xact_lock($1, $2)"
CLOSING = f"SELECT {CLOSINGS} FROM closings WHERE board = $1 AND period = $2"
COMPLETE_CLOSING = "UPDATE closings SET starts_at = $1, ends_at = $2, rule = $3 WHERE board = $4 AND period = $5"
SORT_KEYS = f"""
SELECT min(sort_key), max(sort_key) FROM standings
WHERE period = $1 AND (board = $2 OR (board > $2 || '{WITHIN}' AND board < $2 || '{chr(ord(WITHIN) + 1)}'))
"""
UNOWNED = f"""
SELECT s.user_id, s.board, s.period FROM standings s LEFT JOIN users u ON u.user_id = s.user_id
WHERE u.user_id IS NULL AND s.user_id < '{ERASED_USER}' LIMIT $1
"""
ALL_BOARD_RULES = f"SELECT {BOARD_RULES} FROM board_rules ORDER BY board"
SAVE_BOARD_RULE = f"""
INSERT INTO board_rules ({BOARD_RULES}) VALUES ($1, $2, $3)
ON CONFLICT (board) DO UPDATE SET rule = excluded.rule, recomputed_at = excluded.recomputed_at
WHERE excluded.recomputed_at IS NULL OR excluded.rule = board_rules.rule
"""
IS_NOTIFIED = "SELECT notified_at IS NOT NULL FROM closings WHERE board = $1 AND period = $2"
SET_NOTIFIED = """
UPDATE closings SET notified_at = $3 WHERE board = $1 AND period = $2 AND notified_at IS NULL RETURNING 1
"""
CLOSINGS_OF = f"SELECT {CLOSINGS} FROM closings WHERE board = $1 ORDER BY closed_at DESC, period DESC LIMIT $2"
LOCK_USERS = "SELECT user_id FROM users WHERE user_id = ANY($1) ORDER BY user_id FOR NO KEY UPDATE"
NEXT_REVISIONS = "UPDATE users SET revision = revision + 1 WHERE user_id = ANY($1) RETURNING user_id, revision"
ADD_NOTIFICATIONS = insert_all(OUTBOX)


def _teams(*, mean: bool, highest: bool) -> str:
    down = "DESC" if highest else "ASC"
    ahead = f"total / members {down}, (total % members)::float8 / members {down}" if mean else f"total {down}"
    return f"""
    WITH teams AS (
        SELECT t.board AS part, sum(t.amount)::bigint AS members, coalesce((
            SELECT sum(n.amount)::bigint FROM tallies n
            WHERE n.board = t.board AND n.period = $1 AND n.level = {TOTAL_LEVEL} AND n.under = 0 AND n.node = 0
        ), 0) AS total FROM tallies t
        WHERE t.level = {FIRST_TIME_LEVEL - 1} AND t.period = $1 AND t.board > $2 AND t.board < $3 GROUP BY t.board
    ), ranked AS (
        SELECT rank() OVER (ORDER BY {ahead}) AS rank, part, total, members,
            row_number() OVER (ORDER BY {ahead}, part) AS number, sum(members) OVER ()::bigint AS of_all,
            count(*) OVER () AS teams FROM teams
    ) SELECT rank, part, total, members, of_all, teams FROM ranked WHERE number <= $4 OR part = ANY($5::text[]) ORDER BY number
    """


TEAMS = {(mean, highest): _teams(mean=mean, highest=highest) for mean in (False, True) for highest in (False, True)}
"""By whether the score is the mean, and whether the highest comes first. A mean is compared by its whole part, then by the rest
as a floating-point number, which differs for different rests of any number of members.
"""


class Leaderboards(Connections):
    """Reading leaderboards, and closing their periods."""

    async def listing(self, request: LeaderboardRequest) -> LeaderboardLines:
        return await self._snapshot(lambda connection: listing(connection, request))

    async def rank(self, board: str, period: str, user_id: str, ties: Ties = "first") -> tuple[int | None, int]:
        return await self._pool.run(lambda connection: ranking.rank_of_user(connection, (board, period), user_id, ties))

    async def standings_of(self, user_id: str) -> Mapping[Key, Place]:
        found = await self._pool.run(lambda connection: open_standings(connection, [user_id]))
        return found[user_id]

    async def teams(self, request: TeamsRequest) -> Teams:
        values = (*partitions_of_teams(request), request.limit, own_partitions(request))
        return teams_of(request, await self._rows(TEAMS[request.mean, request.highest], *values))

    async def parts(self, prefix: str, period: str, limit: int, *, hidden: bool = False) -> Sequence[str]:
        return [row[0] for row in await self._rows(PARTS, prefix, period, limit, hidden)]

    async def close_period(
        self,
        board: str,
        period: str,
        at: datetime,
        catalog: RevisionKey | None = None,
        own: OwnRule = (None, None, None),
    ) -> bool:
        starts_at, ends_at, rule = own
        row = ClosedPeriodRow(board, period, at, None, starts_at, ends_at, rule)

        async def closing(connection: Connection) -> bool:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(WAIT_FOR_CATALOG)
                if catalog and await read_key(connection) != catalog:
                    raise OtherRevision
                await connection.execute(LOCK_PERIOD, self._locks.periods, lock_of((board, period)))
                return await close(connection, row)

        return await self._pool.run(closing, self._patience)

    async def notify_closing(self, board: str, period: str, top: int, ties: Ties, at: datetime) -> bool:
        request = closing_request(board, period, ties, top)

        async def notify(connection: Connection) -> bool:
            async with connection.transaction():
                return await _notify_closing(connection, request, top, at)

        return await self._pool.run(notify, self._patience)

    async def closings(self, board: str, limit: int) -> Sequence[ClosedPeriodRow]:
        return [closing_of(row) for row in await self._rows(CLOSINGS_OF, board, limit)]

    async def closing(self, board: str, period: str) -> ClosedPeriodRow | None:
        found = await self._rows(CLOSING, board, period)
        return closing_of(found[0]) if found else None

    async def all_closings(self) -> Sequence[ClosedPeriodRow]:
        return await self._pool.run(all_closings)

    async def complete_closing(self, row: ClosedPeriodRow) -> None:
        bounds = (maybe_micros(row.starts_at), maybe_micros(row.ends_at))
        await self._pool.run(
            lambda connection: connection.execute(COMPLETE_CLOSING, *bounds, row.rule, row.board, row.period)
        )

    async def sort_keys(self, board: str, period: str) -> tuple[int, int] | None:
        ((least, most),) = await self._rows(SORT_KEYS, period, board)
        return None if least is None else (least, most)

    async def correct_standings(self, moves: Sequence[Move]) -> None:
        async def correct(connection: Connection) -> None:
            async with connection.transaction():
                await standings.correct(connection, moves)

        await self._pool.run(correct, self._patience)

    async def unowned_standings(self, limit: int) -> Sequence[tuple[str, str, str]]:
        return [(user_id, board, period) for user_id, board, period in await self._rows(UNOWNED, limit)]

    async def board_rules(self) -> Sequence[BoardRuleRow]:
        return [board_rule_of(row) for row in await self._rows(ALL_BOARD_RULES)]

    async def save_board_rule(self, row: BoardRuleRow) -> None:
        values = (row.board, row.rule, maybe_micros(row.recomputed_at))
        await self._pool.run(lambda connection: connection.execute(SAVE_BOARD_RULE, *values))

    async def is_closed(self, board: str, period: str) -> bool:
        return bool(await self._value(IS_NOTIFIED, board, period))

    async def periods(self) -> Sequence[tuple[str, str]]:
        return await self._pool.run(unclosed)

    async def wrong_tallies(self) -> int:
        return await self._value(ranking.WRONG_TALLIES, timeout=LONG_STATEMENT_SECONDS)

    async def rebuild_tallies(self) -> None:
        async def rebuild(connection: Connection) -> None:
            async with connection.transaction():
                await ranking.rebuild_tallies(connection)

        await self._pool.run(rebuild, self._patience)


async def _notify_closing(connection: Connection, request: LeaderboardRequest, top: int, at: datetime) -> bool:
    """Notify the users in the first `top` ranks among the requested lines of a closed period, once."""
    if await connection.fetchval(SET_NOTIFIED, request.board, request.period, to_micros(at)) is None:
        return False
    notifications = closing_notifications(request, await listing(connection, request), top)
    users = sorted(notification.user_id for notification in notifications)
    await connection.execute(LOCK_USERS, users)
    revisions = dict(await connection.fetch(NEXT_REVISIONS, users))
    rows = (
        NotificationRow(
            notification.user_id, revisions[notification.user_id], 0, at, notification.type, notification.data
        )
        for notification in notifications
        if notification.user_id in revisions
    )
    await write(connection, ADD_NOTIFICATIONS, map(notification_columns, rows))
    return True


async def open_standings(connection: Connection, users: Sequence[str]) -> dict[str, dict[Key, Place]]:
    """The places of users by partition and period, without those in closed periods."""
    return places_by_user(users, await connection.fetch(OPEN_STANDINGS_OF, users))


async def closed_standings(connection: Connection, user_id: str) -> dict[Key, Place]:
    """A user's places in closed periods, by partition and period."""
    found = (await open_standings(connection, [user_id]))[user_id]
    places = places_by_user([user_id], await connection.fetch(STANDINGS_OF, [user_id]))[user_id]
    return {key: place for key, place in places.items() if key not in found}


def first_lines(found: Iterable[Any]) -> list[Standing]:
    """The first lines of a leaderboard that ranks equal scores by who reached them first, from LINE."""
    return [standing_of(row, number) for number, row in enumerate(found, start=1)]


async def listing(connection: Connection, request: LeaderboardRequest) -> LeaderboardLines:
    """The requested lines."""
    key = (request.board, request.period)
    if request.only is not None:
        found = await connection.fetch(LINES_OF, *key, [*dict.fromkeys(request.only)])
        lines = (await _ranked(connection, key, found, request.ties))[: request.limit]
        previous = following = None
    else:
        lines, (previous, following) = await _consecutive(connection, key, request)
    me = next((line for line in lines if line.place.user_id == request.me), None)
    me_hidden = False
    if me is None and request.me is not None:
        row, me_hidden = await _line_of(connection, key, request.me)
        me = next(iter(await _ranked(connection, key, [row] if row else [], request.ties)), None)
    ranked = await connection.fetchval(ranking.RANKED, *key)
    return LeaderboardLines(lines, me, ranked, following, previous, me_hidden)


async def _line_of(connection: Connection, key: Key, user_id: str) -> tuple[Any, bool]:
    """The row of a user, and whether it is among those of hidden users."""
    row = await connection.fetchrow(LINES_OF, *key, [user_id])
    of_hidden = None if row else await connection.fetchrow(LINES_OF, *hidden(key), [user_id])
    return row or of_hidden, of_hidden is not None


async def _ranked(connection: Connection, key: Key, found: Sequence[Any], ties: Ties) -> list[Standing]:
    """Lines of any users, in order, each with its rank."""
    found = sorted(found, key=lambda row: order(place_of(row)))
    places = [place_of(row) for row in found]
    numbers = await ranking.ranks_by_tallies(connection, key, places, ties)
    return [*map(standing_of, found, await ranking.with_gaps(connection, key, places, ties, numbers))]


async def _consecutive(connection: Connection, key: Key, request: LeaderboardRequest) -> tuple[list[Standing], Ends]:
    """Consecutive lines, and where to continue: only the rank of the first line is counted."""
    found, follows = await _rows(connection, key, request)
    if not found:
        return [], ends_of(request, [], 0, follows=False)
    places = [place_of(row) for row in found]
    ordinal = rank = 1
    if request.after or request.before or request.around is not None:
        (ordinal,) = await ranking.ranks_by_tallies(connection, key, places[:1], "first")
        ties = request.ties
        (rank,) = [ordinal] if ties == "first" else await ranking.ranks_by_tallies(connection, key, places[:1], ties)
    numbers = numbered(places, request.ties, ordinal, rank)
    lines = shown(found, await ranking.with_gaps(connection, key, places, request.ties, numbers))
    return lines, ends_of(request, places, ordinal, follows=follows)


async def _rows(connection: Connection, key: Key, request: LeaderboardRequest) -> tuple[list[Any], bool]:
    """Consecutive rows of the leaderboard, and whether others may follow."""
    if request.around is not None:
        row = await connection.fetchrow(LINES_OF, *key, [request.around])
        own = row or await connection.fetchrow(LINES_OF, *hidden(key), [request.around])
        if own is None:
            return [], False
        place = order(place_of(own))
        before = await connection.fetch(BEFORE % request.limit, *key, *place)
        following = await connection.fetch(AFTER % request.limit, *key, *place)
        rows = around(before[::-1], row, following, request.limit)
        return rows, bool(following) and (rows[-1] != following[-1] or len(following) == request.limit)
    if request.before:
        found = await connection.fetch(BEFORE % request.limit, *key, *order(request.before))
        return found[::-1], True
    if request.after:
        found = await connection.fetch(AFTER % request.limit, *key, *order(request.after))
    else:
        found = await connection.fetch(FIRST % request.limit, *key)
    return found, len(found) == request.limit
