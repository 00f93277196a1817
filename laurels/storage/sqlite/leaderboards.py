"""Leaderboards on SQLite: lines in order, teams, and closing periods.

The functions take the connection of a transaction or a snapshot. A key is (partition, period).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from laurels.engine.ranking import FIRST_TIME_LEVEL, TOTAL_LEVEL, WITHIN, Move, Place, Ties, around, numbered, order
from laurels.storage.codec import (
    board_rule_of,
    closing_of,
    maybe_micros,
    notification_columns,
    standing_of,
    standings_of,
    to_micros,
)
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
from laurels.storage.sqlite import ranking, standings
from laurels.storage.sqlite.catalogs import read_key
from laurels.storage.sqlite.closings import all_closings, base, close, parts, unclosed
from laurels.storage.sqlite.connections import Connections, insert, translated
from laurels.storage.sqlite.driver import Connection, changed
from laurels.storage.sqlite.standings import STANDING, STANDINGS_OF
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

INLINE_LINES = 200
INLINE_FRIENDS = 50
"""More lines, or more friends, are read in a thread: it takes longer than handing the read over, and no other task could run."""

LINES = f"""
SELECT {LINE} FROM standings s LEFT JOIN users u ON u.user_id = s.user_id
WHERE s.board = ? AND s.period = ?
"""
LINE_OF = f"{LINES} AND s.user_id = ?"
FIRST = f"{LINES} ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT ?"
AFTER = f"""
{LINES} AND (s.sort_key, s.reached_at, s.user_id) > (?, ?, ?) ORDER BY s.sort_key, s.reached_at, s.user_id LIMIT ?
"""
BEFORE = f"""
{LINES} AND (s.sort_key, s.reached_at, s.user_id) < (?, ?, ?)
ORDER BY s.sort_key DESC, s.reached_at DESC, s.user_id DESC LIMIT ?
"""
IS_NOTIFIED = "SELECT notified_at IS NOT NULL FROM closings WHERE board = ? AND period = ?"
CLOSING = f"SELECT {CLOSINGS} FROM closings WHERE board = ? AND period = ?"
COMPLETE_CLOSING = "UPDATE closings SET starts_at = ?, ends_at = ?, rule = ? WHERE board = ? AND period = ?"
SORT_KEYS = f"""
SELECT min(sort_key), max(sort_key) FROM standings
WHERE period = ? AND (board = ? OR (board > ? || '{WITHIN}' AND board < ? || '{chr(ord(WITHIN) + 1)}'))
"""
UNOWNED = f"""
SELECT s.user_id, s.board, s.period FROM standings s LEFT JOIN users u ON u.user_id = s.user_id
WHERE u.user_id IS NULL AND s.user_id < '{ERASED_USER}' LIMIT ?
"""
ALL_BOARD_RULES = f"SELECT {BOARD_RULES} FROM board_rules ORDER BY board"
SAVE_BOARD_RULE = f"""
{insert(BOARD_RULES)} ON CONFLICT (board) DO UPDATE SET rule = excluded.rule, recomputed_at = excluded.recomputed_at
WHERE excluded.recomputed_at IS NULL OR excluded.rule = board_rules.rule
"""
SET_NOTIFIED = "UPDATE closings SET notified_at = ? WHERE board = ? AND period = ? AND notified_at IS NULL"
CLOSINGS_OF = f"SELECT {CLOSINGS} FROM closings WHERE board = ? ORDER BY closed_at DESC, period DESC LIMIT ?"
NEXT_REVISION = "UPDATE users SET revision = revision + 1 WHERE user_id = ? RETURNING revision"
ADD_NOTIFICATION = insert(OUTBOX)


OPEN_STANDINGS = f"""
{STANDINGS_OF} AND NOT EXISTS (
    SELECT 1 FROM closings c WHERE c.period = standings.period
    AND c.board = {base("standings.board")}
)
"""


def _teams(*, mean: bool, highest: bool) -> str:
    down = "DESC" if highest else "ASC"
    ahead = f"total / members {down}, (total % members) * 1.0 / members {down}" if mean else f"total {down}"
    return f"""
    WITH teams AS MATERIALIZED (
        SELECT t.board AS part, sum(t.amount) AS members, coalesce((
            SELECT n.amount FROM tallies n
            WHERE n.board = t.board AND n.period = t.period AND n.level = {TOTAL_LEVEL} AND n.under = 0 AND n.node = 0
        ), 0) AS total FROM tallies t
        WHERE t.level = {FIRST_TIME_LEVEL - 1} AND t.period = ? AND t.board > ? AND t.board < ? GROUP BY t.board
    ), ranked AS (
        SELECT rank() OVER (ORDER BY {ahead}) AS rank, part, total, members,
            row_number() OVER (ORDER BY {ahead}, part) AS number, sum(members) OVER () AS of_all,
            count(*) OVER () AS teams FROM teams
    ) SELECT rank, part, total, members, of_all, teams FROM ranked
    WHERE number <= ? OR part IN (SELECT value FROM json_each(?)) ORDER BY number
    """


TEAMS = {(mean, highest): _teams(mean=mean, highest=highest) for mean in (False, True) for highest in (False, True)}
"""By whether the score is the mean, and whether the highest comes first. A mean is compared by its whole part, then by the rest
as a floating-point number, which differs for different rests of any number of members.
"""


class Leaderboards(Connections):
    """Reading leaderboards, and closing their periods."""

    async def listing(self, request: LeaderboardRequest) -> LeaderboardLines:
        if _is_wide(request):
            return await self._in_turn(partial(listing, request=request))
        with self._snapshot as connection:
            return listing(connection, request)

    async def rank(self, board: str, period: str, user_id: str, ties: Ties = "first") -> tuple[int | None, int]:
        with self._snapshot as connection:
            key = (board, period)
            return rank_of_user(connection, key, user_id, ties), ranking.count_ranked(connection, key)

    async def standings_of(self, user_id: str) -> Mapping[Key, Place]:
        with translated:
            return open_standings(self._reader, user_id)

    async def teams(self, request: TeamsRequest) -> Teams:
        values = (*partitions_of_teams(request), request.limit, json.dumps(own_partitions(request)))
        found = await self._in_turn(
            lambda connection: connection.execute(TEAMS[request.mean, request.highest], values).fetchall()
        )
        return teams_of(request, found)

    async def parts(self, prefix: str, period: str, limit: int, *, hidden: bool = False) -> Sequence[str]:
        with self._snapshot as connection:
            return parts(connection, prefix, period, limit, hidden=hidden)

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

        def closing(writer: Connection) -> bool:
            if catalog and read_key(writer) != catalog:
                raise OtherRevision
            return close(writer, row)

        return await self._in_transaction(closing)

    async def notify_closing(self, board: str, period: str, top: int, ties: Ties, at: datetime) -> bool:
        request = closing_request(board, period, ties, top)
        return await self._in_transaction(partial(_notify_closing, request=request, top=top, at=at))

    async def closings(self, board: str, limit: int) -> Sequence[ClosedPeriodRow]:
        with translated:
            return [closing_of(row) for row in self._reader.execute(CLOSINGS_OF, (board, limit))]

    async def closing(self, board: str, period: str) -> ClosedPeriodRow | None:
        with translated:
            row = self._reader.execute(CLOSING, (board, period)).fetchone()
        return closing_of(row) if row else None

    async def all_closings(self) -> Sequence[ClosedPeriodRow]:
        return await self._in_background(all_closings)

    async def complete_closing(self, row: ClosedPeriodRow) -> None:
        values = (maybe_micros(row.starts_at), maybe_micros(row.ends_at), row.rule, row.board, row.period)
        await self._in_transaction(lambda writer: writer.execute(COMPLETE_CLOSING, values))

    async def sort_keys(self, board: str, period: str) -> tuple[int, int] | None:
        with translated:
            least, most = self._reader.execute(SORT_KEYS, (period, board, board, board)).fetchone()
        return None if least is None else (least, most)

    async def correct_standings(self, moves: Sequence[Move]) -> None:
        await self._in_transaction(lambda writer: standings.correct(writer, moves))

    async def unowned_standings(self, limit: int) -> Sequence[tuple[str, str, str]]:
        return await self._in_background(lambda connection: connection.execute(UNOWNED, (limit,)).fetchall())

    async def board_rules(self) -> Sequence[BoardRuleRow]:
        with translated:
            return [board_rule_of(row) for row in self._reader.execute(ALL_BOARD_RULES)]

    async def save_board_rule(self, row: BoardRuleRow) -> None:
        values = (row.board, row.rule, maybe_micros(row.recomputed_at))
        await self._in_transaction(lambda writer: writer.execute(SAVE_BOARD_RULE, values))

    async def is_closed(self, board: str, period: str) -> bool:
        with translated:
            row = self._reader.execute(IS_NOTIFIED, (board, period)).fetchone()
        return bool(row and row[0])

    async def periods(self) -> Sequence[tuple[str, str]]:
        return await self._in_background(unclosed)

    async def wrong_tallies(self) -> int:
        with self._snapshot as connection:
            return ranking.wrong_tallies(connection)

    async def rebuild_tallies(self) -> None:
        await self._in_transaction(ranking.rebuild_tallies)


def _is_wide(request: LeaderboardRequest) -> bool:
    """Whether reading these lines may take some milliseconds. A dense rank counts all better scores."""
    return request.limit > INLINE_LINES or len(request.only or ()) > INLINE_FRIENDS or request.ties == "dense"


def _notify_closing(connection: Connection, request: LeaderboardRequest, top: int, at: datetime) -> bool:
    """Notify the users in the first `top` ranks among the requested lines of a closed period, once."""
    if not changed(connection, SET_NOTIFIED, (to_micros(at), request.board, request.period)):
        return False
    for notification in closing_notifications(request, listing(connection, request), top):
        (revision,) = connection.execute(NEXT_REVISION, (notification.user_id,)).fetchone()
        row = NotificationRow(notification.user_id, revision, 0, at, notification.type, notification.data)
        connection.execute(ADD_NOTIFICATION, notification_columns(row))
    return True


def open_standings(connection: Connection, user_id: str) -> dict[Key, Place]:
    """A user's places by partition and period, without those in closed periods."""
    return standings_of(connection.execute(OPEN_STANDINGS, (user_id,)))


def closed_standings(connection: Connection, user_id: str) -> dict[Key, Place]:
    """A user's places in closed periods, by partition and period."""
    found = open_standings(connection, user_id)
    places = standings_of(connection.execute(STANDINGS_OF, (user_id,)))
    return {key: place for key, place in places.items() if key not in found}


def first_lines(connection: Connection, key: Key, limit: int) -> list[Standing]:
    """The first lines of a leaderboard that ranks equal scores by who reached them first."""
    found = connection.execute(FIRST, (*key, limit))
    return [standing_of(row, number) for number, row in enumerate(found, start=1)]


def listing(connection: Connection, request: LeaderboardRequest) -> LeaderboardLines:
    """The requested lines."""
    key = (request.board, request.period)
    me, me_hidden = _line_of(connection, key, request.me) if request.me is not None else (None, False)
    lines, (previous, following) = _lines(connection, key, request)
    return LeaderboardLines(
        lines=lines,
        next=following,
        previous=previous,
        me=_standing(connection, key, me, request.ties) if me else None,
        ranked=ranking.count_ranked(connection, key),
        me_hidden=me_hidden,
    )


def rank_of_user(connection: Connection, key: Key, user_id: str, ties: Ties) -> int | None:
    """A user's rank, or for a hidden user the rank they would have; None if not ranked."""
    row = connection.execute(STANDING, (user_id, *key)).fetchone()
    row = row or connection.execute(STANDING, (user_id, *hidden(key))).fetchone()
    return ranking.shown_rank(connection, key, Place(row[0], row[1], user_id), ties) if row else None


def _standing(connection: Connection, key: Key, row: Any, ties: Ties) -> Standing:
    return standing_of(row, ranking.shown_rank(connection, key, place_of(row), ties))


def _lines(connection: Connection, key: Key, request: LeaderboardRequest) -> tuple[list[Standing], Ends]:
    """The lines, and where to continue."""
    if request.only is not None:
        found = connection.executemany(LINE_OF, ((*key, user_id) for user_id in dict.fromkeys(request.only))).fetchall()
        found = sorted(found, key=lambda row: order(place_of(row)))[: request.limit]
        ranks = ranking.shown_ranks(connection, key, [place_of(row) for row in found], request.ties)
        return [*map(standing_of, found, ranks)], (None, None)
    found, follows = _consecutive(connection, key, request)
    if not found:
        return [], ends_of(request, [], 0, follows=False)
    places = [place_of(row) for row in found]
    ordinal = rank = 1
    if request.after or request.before or request.around is not None:
        ordinal = ranking.count_ahead(connection, key, places[0]) + 1
        ties = request.ties
        rank = ordinal if ties == "first" else ranking.rank_by_tallies(connection, key, places[0], ties)
    numbers = numbered(places, request.ties, ordinal, rank)
    gaps = ranking.gaps(connection, key, places, request.ties)
    lines = shown(found, [number + gap for number, gap in zip(numbers, gaps, strict=True)])
    return lines, ends_of(request, places, ordinal, follows=follows)


def _line_of(connection: Connection, key: Key, user_id: str) -> tuple[Any, bool]:
    """The row of a user, and whether it is among those of hidden users."""
    row = connection.execute(LINE_OF, (*key, user_id)).fetchone()
    of_hidden = None if row else connection.execute(LINE_OF, (*hidden(key), user_id)).fetchone()
    return row or of_hidden, of_hidden is not None


def _consecutive(connection: Connection, key: Key, request: LeaderboardRequest) -> tuple[list[Any], bool]:
    """Consecutive rows of the leaderboard, and whether others may follow."""
    if request.around is not None:
        row = connection.execute(LINE_OF, (*key, request.around)).fetchone()
        own = row or connection.execute(LINE_OF, (*hidden(key), request.around)).fetchone()
        if own is None:
            return [], False
        at = (*key, *order(place_of(own)))
        before = connection.execute(BEFORE, (*at, request.limit)).fetchall()[::-1]
        following = connection.execute(AFTER, (*at, request.limit)).fetchall()
        rows = around(before, row, following, request.limit)
        return rows, bool(following) and (rows[-1] != following[-1] or len(following) == request.limit)
    if request.before:
        return connection.execute(BEFORE, (*key, *order(request.before), request.limit)).fetchall()[::-1], True
    if request.after:
        found = connection.execute(AFTER, (*key, *order(request.after), request.limit)).fetchall()
    else:
        found = connection.execute(FIRST, (*key, request.limit)).fetchall()
    return found, len(found) == request.limit
