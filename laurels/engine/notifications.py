"""Which notifications follow from leaderboards: who climbed into the first ranks, and who was in them when a period closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from laurels.engine.leaderboards import Board
from laurels.engine.ranking import Ranks, rank_changes
from laurels.engine.values import plain


@plain
class Notification:
    """What a user is notified of, before it has a place in the outbox."""

    user_id: str
    type: str
    data: Mapping[str, Any]


@plain
class Finisher:
    """A line of a leaderboard at the time its period closed. `excluded` is whether the user is excluded now."""

    user_id: str
    rank: int
    excluded: bool


def of_climbing(
    measured: Mapping[tuple[str, str], Mapping[str, Ranks]], tops: Mapping[str, Board]
) -> list[Notification]:
    """Notifications of users who climbed in or into the first ranks of a leaderboard.

    `measured` has the ranks of users before and after a transaction, by leaderboard and period. `tops` are the leaderboards
    that notify; the hidden users of one have a key of their own, so they are notified of nothing.
    """
    return [
        Notification(user_id, kind, {"board": board, "period": period, "before": ranks.before, "rank": ranks.after})
        for (board, period), of_board in measured.items()
        if board in tops
        for user_id, ranks in of_board.items()
        for kind in rank_changes(ranks, tops[board].notify_top)
    ]


def of_closing(board: str, period: str, top: int, lines: Iterable[Finisher], ranked: int) -> list[Notification]:
    """Notifications of the users in the first `top` ranks of a closed period in which `ranked` users have a rank.

    Users who are excluded now are left out.
    """
    return [
        Notification(
            line.user_id,
            "leaderboard.closed",
            {"board": board, "period": period, "rank": line.rank, "ranked": ranked},
        )
        for line in lines
        if line.rank <= top and not line.excluded
    ]
