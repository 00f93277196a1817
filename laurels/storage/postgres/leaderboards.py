"""Leaderboards on PostgreSQL: standings, the tallies that make their ranks cheap, and reading lines of them.

The functions take the connection of a transaction or a snapshot. A key is (board, period).
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from laurels.engine.leaderboards import Board
from laurels.engine.ranking import (
    HIDDEN,
    TEAM,
    WITHIN,
    Move,
    Place,
    Ranks,
    Ties,
    around,
    gaps_before,
    joined,
    numbered,
    order,
    ranks_of,
    tallied,
)
from laurels.storage import rows
from laurels.storage.codec import to_micros
from laurels.storage.contract import (
    ALL_TIME,
    POINTS_BOARD,
    LeaderboardLines,
    LeaderboardRequest,
    Standing,
    Teams,
    TeamsRequest,
)
from laurels.storage.postgres import statements as sql
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, Connection, write

Key = tuple[str, str]
Measured = Mapping[Key, Mapping[str, Ranks]]
POINTS = (POINTS_BOARD, ALL_TIME)
HIDDEN_POINTS = (POINTS_BOARD + HIDDEN, ALL_TIME)

PERIOD_LOCKS = 0x1A07E2
"""The first key of the locks that a late move shares and that who closes the period has alone."""

GAPS_LOCK = 0x1A07E3
"""Whoever leaves gaps in closed periods has it alone: the next equal must still be there to bear one."""

# ---- writing ----------------------------------------------------------------------------------


async def save(connection: Connection, moves: Iterable[Move]) -> None:
    """Write the places that changed, and the net change of every tally that they cross, in one order everywhere."""
    tallies: Counter[tuple[str, str, int, int, int, int]] = Counter()
    gone: list[tuple[str, str, str]] = []
    stay: list[tuple[str, str, str, int, int]] = []
    for move in moves:
        key, part = (move.board, move.period), _part(move.user_id)
        for node, amount in tallied(move.board, move.before) if move.before else ():
            tallies[(*key, *node, part)] -= amount
        for node, amount in tallied(move.board, move.after) if move.after else ():
            tallies[(*key, *node, part)] += amount
        if move.after:
            stay.append((move.user_id, *key, move.after.sort_key, move.after.reached_at))
        else:
            gone.append((move.user_id, *key))
    await write(connection, sql.DROP_STANDINGS, gone)
    await write(connection, sql.SAVE_STANDINGS, stay)
    net = [(*node, amount) for node, amount in sorted(tallies.items()) if amount]
    await write(connection, sql.SAVE_TALLIES, net)
    await write(connection, sql.DROP_EMPTY_TALLIES, [row[:-1] for row in net if row[-1] < 0])


async def taken(connection: Connection, moves: Sequence[Move]) -> Sequence[Move]:
    """The moves that are to be made: in closed periods nobody moves, and late ones start where the user stands in truth.

    A late move waits for whoever is just closing its period, and then is left out.
    """
    late = [move for move in moves if move.late]
    if not late:
        return moves
    closed = await _closed(connection, {base(move.board, move.period) for move in late})
    of_late = [(move.user_id, move.board, move.period) for move in late]
    found = await connection.fetch(sql.STANDINGS_AT, *map(list, zip(*of_late, strict=True)))
    places = {tuple(row[:3]): Place(row[3], row[4], row[0]) for row in found}
    made: list[Move] = []
    for move in moves:
        if not move.late:
            made.append(move)
        elif base(move.board, move.period) not in closed:
            before = places.get((move.user_id, move.board, move.period))
            if before != move.after:
                made.append(replace(move, before=before))
    return made


async def _closed(connection: Connection, keys: Collection[Key]) -> set[Key]:
    """Which of these periods are closed. Nobody closes another of them until this transaction ends."""
    await connection.execute(sql.LOCK_PERIODS, PERIOD_LOCKS, sorted({_lock(key) for key in keys}))
    found = await connection.fetch(sql.CLOSED_OF, [board for board, _ in keys], [period for _, period in keys])
    return {(board, period) for board, period in found}


async def leaving(connection: Connection, users: Sequence[str]) -> list[Move]:
    """The moves of users who leave every board. In closed periods nobody takes the place, so that no rank changes.

    They go in the order of their ids: so the gap that one leaves is handed on by the next who leaves too.
    """
    found = _by_user(users, await connection.fetch(sql.STANDINGS_OF, users))
    closed = await _closed(connection, {base(*key) for places in found.values() for key in places})
    if closed:
        await connection.execute(sql.LOCK_GAPS, GAPS_LOCK)
    moves: list[Move] = []
    for user_id in sorted(users):
        await _leave_gaps(connection, user_id, [key for key in found[user_id] if base(*key) in closed])
        for key, place in found[user_id].items():
            moves.append(Move(user_id, *key, place, None))
            if base(*key) in closed:
                nobody = Place(place.sort_key, place.reached_at, rows.ERASED_USER + secrets.token_hex(8))
                moves.append(Move(nobody.user_id, *key, None, nobody))
    return moves


async def _leave_gaps(connection: Connection, user_id: str, keys: Sequence[Key]) -> None:
    """Note ahead of the next equals, who may be hidden, that somebody stood there, and what was noted ahead of them."""
    asked = [(partition, period, board) for partition, period in keys for board in [base(partition, period)[0]]]
    of_users = [(*key, int(key[0] == key[2])) for key in asked if key[0] in (key[2], key[2] + HIDDEN)]
    if of_users:  # who is hidden took no rank
        await connection.execute(sql.LEAVE_GAPS, user_id, *map(list, zip(*of_users, strict=True)))


async def close(connection: Connection, key: Key, at: datetime) -> bool:
    """Close a period for good, when nobody moves in it; False where it was closed before."""
    await connection.execute(sql.LOCK_PERIOD, PERIOD_LOCKS, _lock(key))
    return await connection.fetchval(sql.CLOSE, *key, to_micros(at)) is not None


async def tell(connection: Connection, asked: LeaderboardRequest, top: int, at: datetime) -> bool:
    """Tell those of the first `top` ranks among the lines asked for, of a closed period, once."""
    if await connection.fetchval(sql.TOLD, asked.board, asked.period, to_micros(at)) is None:
        return False
    listed = await listing(connection, asked)
    lines = rows.in_front(listed.lines, top)
    users = sorted(line.place.user_id for line in lines)
    await connection.execute(sql.LOCK_USERS, users)
    revisions = dict(await connection.fetch(sql.NEXT_REVISIONS, users))
    notifications = (
        rows.closing_notification(line, asked, listed.ranked, revisions[line.place.user_id], at)
        for line in lines
        if line.place.user_id in revisions
    )
    await write(connection, sql.ADD_MOMENTS, map(rows.notification_columns, notifications))
    return True


def base(partition: str, period: str) -> Key:
    """The board that a seat is a part of, and the period."""
    return partition.partition(WITHIN)[0], period


def _lock(key: Key) -> int:
    return zlib.crc32(WITHIN.join(key).encode()) - 2**31


async def ranks(connection: Connection, moves: Iterable[Move], tops: Mapping[str, Board]) -> Measured:
    """The ranks before and after these moves, none of which is written yet, on these boards and on that of all points.

    Beside the last, under its own key, those of its hidden users.
    """
    of_boards: dict[Key, list[Move]] = {POINTS: []}
    hidden: list[Move] = []
    for move in moves:
        if (move.board, move.period) == HIDDEN_POINTS:
            hidden.append(move)
        elif move.board in tops or (move.board, move.period) == POINTS:
            of_boards.setdefault((move.board, move.period), []).append(move)
    measured = {
        key: await _ranks_of(connection, key, of_board, tops[key[0]].ties if key[0] in tops else "first")
        for key, of_board in of_boards.items()
    }
    measured[HIDDEN_POINTS] = await _ranks_of_hidden(connection, POINTS, of_boards[POINTS], hidden)
    return measured


def own(measured: Measured) -> Mapping[str, Ranks]:
    """Of what was measured, the ranks by points that users read of themselves."""
    return joined(measured.get(POINTS, {}), measured.get(HIDDEN_POINTS, {}))


async def _ranks_of(connection: Connection, key: Key, moves: Sequence[Move], ties: Ties) -> Mapping[str, Ranks]:
    ahead = await _ahead_of(connection, key, moves, ties)
    return ranks_of(moves, ahead, ties, await _holders(connection, key, _places(moves)) if ties == "dense" else None)


async def _ranks_of_hidden(
    connection: Connection, key: Key, moves: Sequence[Move], hidden: Sequence[Move]
) -> Mapping[str, Ranks]:
    """The ranks that these would have, who take none, on a board that ranks equal scores by who reached them first."""
    return ranks_of(moves, await _ahead_of(connection, key, hidden, "first"), hidden=hidden)


async def _ahead_of(connection: Connection, key: Key, moves: Sequence[Move], ties: Ties) -> dict[Place, int]:
    places = [*_places(moves)]
    return {place: rank - 1 for place, rank in zip(places, await _ranks(connection, key, places, ties), strict=True)}


def _places(moves: Iterable[Move]) -> set[Place]:
    return {place for move in moves for place in (move.before, move.after) if place}


async def _holders(connection: Connection, key: Key, places: Iterable[Place]) -> dict[int, int]:
    """How many stand at the score of each of these places."""
    return dict(await connection.fetch(sql.HOLDERS, *key, [*{place.sort_key for place in places}]))


async def rebuild_tallies(connection: Connection) -> None:
    """Make all tallies anew from the standings, while nobody writes either."""
    await connection.execute(sql.LOCK_BOARDS)
    await connection.execute("DELETE FROM tallies", timeout=LONG_STATEMENT_SECONDS)
    await connection.execute(sql.MAKE_TALLIES, timeout=LONG_STATEMENT_SECONDS)


def _by_user(users: Sequence[str], found: Iterable[Any]) -> dict[str, dict[Key, Place]]:
    places: dict[str, dict[Key, Place]] = {user_id: {} for user_id in users}
    for user_id, board, period, sort_key, reached_at in found:
        places[user_id][board, period] = Place(sort_key, reached_at, user_id)
    return places


def _part(user_id: str) -> int:
    return hashlib.sha256(user_id.encode()).digest()[0] % sql.PARTS


# ---- reading ----------------------------------------------------------------------------------


async def standings(connection: Connection, users: Sequence[str]) -> dict[str, dict[Key, Place]]:
    """The places of users, by board and period, but for those in periods that somebody closed."""
    return _by_user(users, await connection.fetch(sql.OPEN_STANDINGS_OF, users))


async def rank(connection: Connection, key: Key, user_id: str, ties: Ties) -> tuple[int | None, int]:
    """A user's rank (None: unranked), and how many stand on the board, in one statement."""
    better, ranked = await connection.fetchrow(sql.RANK[ties], *key, user_id, key[0] + HIDDEN)
    return (None if better is None else better + 1), ranked


async def teams(connection: Connection, asked: TeamsRequest) -> Teams:
    """The teams asked for, with their totals and members."""
    mine = [asked.board + TEAM + name for name in asked.mine]
    statement = sql.TEAMS[asked.mean, asked.highest]
    return rows.teams_of(asked, await connection.fetch(statement, *rows.partitions_of_teams(asked), asked.limit, mine))


async def listing(connection: Connection, asked: LeaderboardRequest) -> LeaderboardLines:
    """The lines asked for."""
    key = (asked.board, asked.period)
    if asked.only is not None:
        some = await _of_users(connection, key, [*dict.fromkeys(asked.only)], asked.ties)
        lines, next_lines = some[: asked.limit], None
    else:
        lines, next_lines = await _following(connection, key, asked)
    me = next((line for line in lines if line.place.user_id == asked.me), None)
    if me is None and asked.me is not None:
        mine = [row] if (row := await _line_of(connection, key, asked.me)) else []
        me = next(iter(await _shown(connection, key, mine, asked.ties)), None)
    return LeaderboardLines(lines, me, await connection.fetchval(sql.RANKED, *key), next_lines)


def top(found: Iterable[Any]) -> list[Standing]:
    """The first lines of a board that ranks equal scores by who reached them first, from LINE columns."""
    return [rows.standing_of(row, number) for number, row in enumerate(found, start=1)]


async def _of_users(connection: Connection, key: Key, users: Sequence[str], ties: Ties) -> list[Standing]:
    return await _shown(connection, key, await connection.fetch(sql.LINES_OF, *key, users), ties)


async def _line_of(connection: Connection, key: Key, user_id: str) -> Any:
    """The row of a user, who may be hidden."""
    hidden = (key[0] + HIDDEN, key[1])
    return await connection.fetchrow(sql.LINES_OF, *key, [user_id]) or await connection.fetchrow(
        sql.LINES_OF, *hidden, [user_id]
    )


async def _shown(connection: Connection, key: Key, found: Sequence[Any], ties: Ties) -> list[Standing]:
    found = sorted(found, key=lambda row: order(_place(row)))
    places = [_place(row) for row in found]
    numbers = await _ranks(connection, key, places, ties)
    return [*map(rows.standing_of, found, await _with_gaps(connection, key, places, ties, numbers))]


async def _following(
    connection: Connection, key: Key, asked: LeaderboardRequest
) -> tuple[list[Standing], Place | None]:
    """Lines that follow one another on the board, and where to go on: only up to the first of them is counted."""
    found = await _rows(connection, key, asked)
    if not found:
        return [], None
    places = [_place(row) for row in found]
    ahead, shown = 0, 1
    if asked.after or asked.around is not None:
        (ahead,) = await _ahead(connection, key, places[:1])
        (shown,) = [ahead + 1] if asked.ties == "first" else await _ranks(connection, key, places[:1], asked.ties)
    numbers = numbered(places, asked.ties, ahead + 1, shown)
    lines = rows.standings_shown(found, await _with_gaps(connection, key, places, asked.ties, numbers))
    return lines, _next(asked, places)


def _next(asked: LeaderboardRequest, places: Sequence[Place]) -> Place | None:
    """Behind which of these places to go on; None where they are the last."""
    return places[-1] if asked.around is None and len(places) == asked.limit else None


async def _rows(connection: Connection, key: Key, asked: LeaderboardRequest) -> list[Any]:
    if asked.around is not None:
        row = await connection.fetchrow(sql.LINES_OF, *key, [asked.around])
        seen = row or await _line_of(connection, key, asked.around)
        if seen is None:
            return []
        place = order(_place(seen))
        before = await connection.fetch(sql.BEFORE % asked.limit, *key, *place)
        following = await connection.fetch(sql.BEHIND % asked.limit, *key, *place)
        return around(before[::-1], row, following, asked.limit)
    if asked.after:
        return await connection.fetch(sql.BEHIND % asked.limit, *key, *order(asked.after))
    return await connection.fetch(sql.FIRST % asked.limit, *key)


async def _with_gaps(
    connection: Connection, key: Key, places: Sequence[Place], ties: Ties, numbers: Sequence[int]
) -> list[int]:
    gaps = await _gaps(connection, key, places, ties)
    return [number + gap for number, gap in zip(numbers, gaps, strict=True)]


async def _gaps(connection: Connection, key: Key, places: Sequence[Place], ties: Ties) -> list[int]:
    """How many of nobody's places lie ahead of these, in their order, among their equals; such are in closed periods alone."""
    if ties != "first" or key[1] == ALL_TIME or not places:
        return [0] * len(places)
    ends = [number for place in (places[0], places[-1]) for number in (place.sort_key, place.reached_at)]
    return gaps_before(places, await connection.fetch(sql.GAPS, *key, *ends))


async def _ranks(connection: Connection, key: Key, places: Sequence[Place], ties: Ties) -> list[int]:
    if ties == "first":
        return [ahead + 1 for ahead in await _ahead(connection, key, places)]
    if not places:
        return []
    found = await connection.fetch(sql.BETTER[ties], *key, *_columns(places))
    return [row[0] + 1 for row in found]


async def _ahead(connection: Connection, key: Key, places: Sequence[Place]) -> list[int]:
    """How many stand ahead of each place."""
    if not places:
        return []
    return [row[0] for row in await connection.fetch(sql.BETTER["first"], *key, *_columns(places))]


def _columns(places: Sequence[Place]) -> tuple[list[int], list[int], list[str]]:
    return (
        [place.sort_key for place in places],
        [place.reached_at for place in places],
        [place.user_id for place in places],
    )


def _place(row: Any) -> Place:
    return Place(row[3], row[4], row[0])
