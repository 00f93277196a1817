"""Leaderboards: lines in order, ranks, teams, and closing periods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from laurels.engine.leaderboards import Visibility
from laurels.engine.ranking import Move, Place, Ties
from laurels.engine.values import plain
from laurels.storage.contract.catalogs import RevisionKey
from laurels.storage.contract.closings import ClosedPeriodRow

POINTS_BOARD = "points"
ALL_TIME = "all"


@plain
class Standing:
    """One line of a leaderboard. `points` are all points of the user, whatever the leaderboard counts.

    `visibility` is what the user chose (None: nothing), `excluded` whether the user is excluded now.
    """

    rank: int
    place: Place
    name: str | None
    points: int
    visibility: Visibility | None = None
    excluded: bool = False


@plain
class LeaderboardRequest:
    """Which lines of a leaderboard to read, within a period: the first ones, unless one of the next four is given.

    board, period, ties  the leaderboard and the period, and which rank equal scores show
    limit                the most lines to read
    after                only lines after this place, even if no user has it now
    before               the last lines before this place
    around               lines before and after this user's line, and that line; none if the user is not ranked
    only                 the lines of these users, with their ranks on the whole leaderboard
    me                   a user whose own line is read too
    """

    board: str
    period: str
    ties: Ties = "first"
    limit: int = 10
    after: Place | None = None
    around: str | None = None
    only: Sequence[str] | None = None
    me: str | None = None
    before: Place | None = None


@plain
class LeaderboardLines:
    """Lines of a leaderboard, from one snapshot. `me` is the line of the requested user, `ranked` the number of ranked users.

    `next` is the place after which to continue, `previous` the place before which; None at the end on that side, and for lines
    that are not consecutive.
    A hidden user has a line of their own in `me` and `around`, with the rank they would have, and takes no one's rank;
    `me_hidden` says that `me` is such a line.
    """

    lines: Sequence[Standing]
    me: Standing | None
    ranked: int
    next: Place | None = None
    previous: Place | None = None
    me_hidden: bool = False


@plain
class TeamsRequest:
    """Which teams of a leaderboard to read, within a period: the first `limit`, and the reader's own.

    mean     whether a team's score is the mean of its members' scores, otherwise their sum
    highest  whether the highest score comes first; teams of equal score share a rank and are sorted by name
    """

    board: str
    period: str
    limit: int
    mine: Sequence[str] = ()
    mean: bool = False
    highest: bool = True


@plain
class Team:
    """A team: its rank, the sum of its members' scores, and the number of members who have a score."""

    rank: int
    name: str
    total: int
    members: int


@plain
class Teams:
    """Teams of a leaderboard in order, the number of members of all its teams, and the number of its teams."""

    lines: Sequence[Team]
    members: int
    ranked: int = 0


@plain
class BoardRuleRow:
    """The rule under which the open standings of a leaderboard are.

    `recomputed_at` is when the last user was brought under it (None: users are still being recomputed).
    """

    board: str
    rule: str
    recomputed_at: datetime | None = None


OwnRule = tuple[datetime | None, datetime | None, str | None]
"""The bounds and the rule of a period that is being closed; see `ClosedPeriodRow`."""


class Leaderboards(Protocol):
    """Reading leaderboards, and closing their periods."""

    async def listing(self, request: LeaderboardRequest) -> LeaderboardLines:
        """Lines of a leaderboard in its order, from one snapshot. Users without a score are not on it."""
        ...

    async def rank(self, board: str, period: str, user_id: str, ties: Ties = "first") -> tuple[int | None, int]:
        """The user's exact rank (None: not ranked) and the number of ranked users, from one snapshot."""
        ...

    async def standings_of(self, user_id: str) -> Mapping[tuple[str, str], Place]:
        """A user's places by partition and period, without those in closed periods."""
        ...

    async def teams(self, request: TeamsRequest) -> Teams:
        """Teams that have a score. Reads all teams of the leaderboard without blocking other work."""
        ...

    async def parts(self, prefix: str, period: str, limit: int, *, hidden: bool = False) -> Sequence[str]:
        """The partitions whose names begin with this text and that have lines, sorted; `hidden`: also those of hidden users."""
        ...

    async def close_period(
        self,
        board: str,
        period: str,
        at: datetime,
        catalog: RevisionKey | None = None,
        own: OwnRule = (None, None, None),
    ) -> bool:
        """Close a period for good, with its own bounds and rule: from now on no standing in it changes.

        False if it was closed before.

        `catalog` is the revision that says when the period ends (None: any); raises OtherRevision if it is not in force.
        When this returns, every transaction that changed a standing in it has ended.
        """
        ...

    async def notify_closing(self, board: str, period: str, top: int, ties: Ties, at: datetime) -> bool:
        """Notify the users in the first `top` ranks of a closed period, each once, with 'leaderboard.closed'.

        Users who share a rank are all notified, up to the engine's limit of users; excluded users are not. False if this
        was done before.
        """
        ...

    async def closings(self, board: str, limit: int) -> Sequence[ClosedPeriodRow]:
        """The closed periods of a leaderboard, the last closed first."""
        ...

    async def closing(self, board: str, period: str) -> ClosedPeriodRow | None:
        """A closed period; None if it is not closed."""
        ...

    async def all_closings(self) -> Sequence[ClosedPeriodRow]:
        """The closed periods of all leaderboards, sorted by leaderboard and period."""
        ...

    async def complete_closing(self, row: ClosedPeriodRow) -> None:
        """Store the bounds and the rule of a closed period."""
        ...

    async def sort_keys(self, board: str, period: str) -> tuple[int, int] | None:
        """The smallest and the largest sort key in a period, hidden users and teams included; None without standings."""
        ...

    async def correct_standings(self, moves: Sequence[Move]) -> None:
        """Make these moves also in closed periods.

        A user's move is made if the stored place is still the one before the move, that of another id if it removes the line.
        """
        ...

    async def unowned_standings(self, limit: int) -> Sequence[tuple[str, str, str]]:
        """Up to `limit` (user id, board, period) of standings of users who do not exist, placeholders left out."""
        ...

    async def board_rules(self) -> Sequence[BoardRuleRow]:
        """The rules under which the open standings of leaderboards are."""
        ...

    async def save_board_rule(self, row: BoardRuleRow) -> None:
        """Store the rule of a leaderboard. `recomputed_at` is stored only if the stored rule is still the same or none is."""
        ...

    async def is_closed(self, board: str, period: str) -> bool:
        """Whether this period is closed and the users in its first ranks were notified."""
        ...

    async def periods(self) -> Sequence[tuple[str, str]]:
        """Every (board, period) with a standing, hidden users and teams included, except those closed and notified, sorted.

        The time it takes grows with the number of leaderboards and periods, not with the number of teams or users.
        """
        ...

    async def wrong_tallies(self) -> int:
        """The number of tallies that differ from a recount of the standings."""
        ...

    async def rebuild_tallies(self) -> None:
        """Replace the tallies of all leaderboards by a recount of the standings."""
        ...
