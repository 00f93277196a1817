"""The pure half of leaderboards, the same for every engine: partitions, which moves to rank, and what they add to tallies.

A standing is stored under a partition: the leaderboard's id, or that id followed by WITHIN and a part of it (its hidden users,
or one team). A key is (partition, period).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from laurels.engine.leaderboards import MAX_NOTIFIED, Board
from laurels.engine.notifications import Finisher, Notification, of_closing
from laurels.engine.ranking import HIDDEN, LEAST_NODE, TEAM, WITHIN, Move, Place, Ranks, Ties, joined, tallied
from laurels.storage.codec import Columns, standing_of
from laurels.storage.contract import (
    ALL_TIME,
    POINTS_BOARD,
    LeaderboardLines,
    LeaderboardRequest,
    Standing,
    Team,
    Teams,
    TeamsRequest,
)

Key = tuple[str, str]
Measured = Mapping[Key, Mapping[str, Ranks]]
"""The ranks of users before and after a transaction, by key and user."""

Node = TypeVar("Node", bound=tuple[Any, ...])

POINTS = (POINTS_BOARD, ALL_TIME)
HIDDEN_POINTS = (POINTS_BOARD + HIDDEN, ALL_TIME)

ERASED_USER = "\U0010ffffnobody-"
"""The prefix of the placeholders of erased users in closed periods: they sort after all other users of the same time."""

AFTER_ALL = "\U0010ffff"
"""Appended to a text: sorts after all names that begin with it."""

AFTER_PARTS = f"{WITHIN}{AFTER_ALL}"
"""Appended to a leaderboard's id: sorts after all its partitions, and before any other leaderboard's."""


def base(key: Key) -> Key:
    """The key of the leaderboard that a partition belongs to."""
    return key[0].partition(WITHIN)[0], key[1]


def is_correction(move: Move, stored: Place | None, *, exists: bool) -> bool:
    """Whether to make a move that corrects a line: not if the line has changed since it was compared, or its user was erased."""
    is_due = stored == move.before if exists else move.after is None
    return is_due and stored != move.after


def part_with_ranks(partition: str) -> str | None:
    """The partition whose ranks a user of this one has: without hidden users; None for a team, whose lines have no order."""
    return None if TEAM in partition else partition.removesuffix(HIDDEN)


def hidden(key: Key) -> Key:
    """The key under which the hidden users of a leaderboard are stored."""
    return key[0] + HIDDEN, key[1]


def place_of(row: Columns) -> Place:
    """The place of a line, from LINE."""
    return Place(row[3], row[4], row[0])


def places_of(moves: Iterable[Move]) -> set[Place]:
    """The places that these moves leave and reach."""
    return {place for move in moves for place in (move.before, move.after) if place}


def to_rank(moves: Iterable[Move], tops: Mapping[str, Board]) -> tuple[dict[Key, list[Move]], list[Move]]:
    """The moves whose ranks are computed, by key: on these leaderboards and on that of all points; then its hidden users'."""
    of_boards: dict[Key, list[Move]] = {POINTS: []}
    of_hidden: list[Move] = []
    for move in moves:
        key = (move.board, move.period)
        if key == HIDDEN_POINTS:
            of_hidden.append(move)
        elif move.board in tops or key == POINTS:
            of_boards.setdefault(key, []).append(move)
    return of_boards, of_hidden


def own_ranks(measured: Measured) -> Mapping[str, Ranks]:
    """The ranks by points that users read about themselves."""
    return joined(measured.get(POINTS, {}), measured.get(HIDDEN_POINTS, {}))


def tally_changes(
    moves: Iterable[Move], node_of: Callable[[Move, tuple[int, int, int]], Node]
) -> list[tuple[Any, ...]]:
    """The net change of every tally that these moves cross: node and amount, sorted. `node_of` gives a node's full key."""
    tallies: Counter[Node] = Counter()
    for move in moves:
        for node, amount in tallied(move.board, move.before) if move.before else ():
            tallies[node_of(move, node)] -= amount
        for node, amount in tallied(move.board, move.after) if move.after else ():
            tallies[node_of(move, node)] += amount
    return [(*node, amount) for node, amount in sorted(tallies.items()) if amount]


def shown(found: Sequence[Columns], ranks: Sequence[int]) -> list[Standing]:
    """Lines with their ranks, without the placeholders of erased users, which only count."""
    return [standing_of(row, rank) for row, rank in zip(found, ranks, strict=True) if row[2] is not None]


Ends = tuple[Place | None, Place | None]
"""The places before which, and after which, a page continues."""

START = Place(LEAST_NODE, 0, "")
"""Before every other place."""


def ends_of(request: LeaderboardRequest, places: Sequence[Place], ordinal: int, *, follows: bool) -> Ends:
    """Where to continue from consecutive lines, the first of which has this rank without ties.

    Without any lines, a cursor led past the last or the first one, and leads back.
    """
    if places:
        return places[0] if ordinal > 1 else None, places[-1] if follows else None
    back = request.after
    return replace(back, user_id=f"{back.user_id}\x01") if back else None, START if request.before else None


def partitions_of_teams(request: TeamsRequest) -> tuple[str, str, str]:
    """The period, and the partitions between which those of the leaderboard's teams lie."""
    first = request.board + TEAM
    return request.period, first, first[:-1] + chr(ord(WITHIN) + 1)


def own_partitions(request: TeamsRequest) -> list[str]:
    """The partitions of the reader's own teams."""
    return [request.board + TEAM + name for name in request.mine]


def teams_of(request: TeamsRequest, found: Sequence[Columns]) -> Teams:
    """Teams, from their (rank, partition, total, members, members of all teams, number of all teams)."""
    prefix = request.board + TEAM
    lines = [Team(rank, part.removeprefix(prefix), total, members) for rank, part, total, members, *_ in found]
    return Teams(lines, *found[0][4:]) if found else Teams(lines, 0)


def closing_request(board: str, period: str, ties: Ties, top: int) -> LeaderboardRequest:
    """The lines of a closed period among which users may be notified."""
    return LeaderboardRequest(board, period, ties, MAX_NOTIFIED if top else 0)


def closing_notifications(request: LeaderboardRequest, found: LeaderboardLines, top: int) -> list[Notification]:
    """Notifications of the users in the first `top` ranks of a closed period."""
    finishers = (Finisher(line.place.user_id, line.rank, line.excluded) for line in found.lines)
    return of_closing(request.board, request.period, top, finishers, found.ranked)
