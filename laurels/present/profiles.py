"""The profile: what a user sees of themselves, with the contract's eleven fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from msgspec import Meta

from laurels.commands.events import Recorded
from laurels.engine.catalog import Catalog
from laurels.engine.leaderboards import POINTS
from laurels.engine.ranking import HIDDEN, Place
from laurels.engine.scoring import places
from laurels.engine.validity import expired
from laurels.present.badge_details import BadgeDetails
from laurels.present.badges import BadgeInfo, EarnedBadge, NextBadge, badge_info
from laurels.present.base import Answer, Points, SparseAnswer
from laurels.present.copies import BadgeCopies
from laurels.present.history import History
from laurels.present.point_kinds import KindBalance
from laurels.present.presentation import ANONYMOUS, Presentation
from laurels.present.secret_badges import locked_badges
from laurels.present.streaks import UserStreak, streak_length
from laurels.storage.contract import ALL_TIME, Standing, UserRow

LEADERS = 5
"""How many leaders a profile shows."""

RANKED_IN_PROFILE = 10
"""The lowest rank that a profile shows as `userRank`."""


class Leader(Answer, frozen=True):
    """One of the top users by points."""

    user_id: str
    name: Annotated[str, Meta(description=f"The display name, or '{ANONYMOUS}' if there is none")]
    points: Points
    level: int
    title: str


class UserRank(Answer, frozen=True):
    """The exact rank among all users with points. `rank` is null for a user without points.

    In the profile of a user who may not read the leaderboard `points`, it is null, and no user is ranked.
    """

    rank: int | None
    ranked_users: int


class Profile(SparseAnswer, frozen=True):
    """What a user sees: the contract's eleven fields, and those that were requested with `include`.

    In JSON, `balance` and the fields after it are left out unless they were requested.
    """

    badges: Annotated[list[BadgeInfo], Meta(description="The badges the user has earned, in the catalog's order")]
    points: Annotated[int, Meta(description="Total accumulated points")]
    level: Annotated[int, Meta(description="The level, from 1")]
    title: Annotated[str, Meta(description="The level's title")]
    next_level: Annotated[int, Meta(description="Points needed to reach the next level")]
    progress: Annotated[int, Meta(ge=0, le=100, description="Percentage toward the next level")]
    streak: Annotated[int, Meta(ge=0, description="Consecutive days of login up to today")]
    badge_awarded: Annotated[str | None, Meta(description="The streak badge that this request awarded")]
    leaderboard: Annotated[list[Leader], Meta(max_length=5, description="The top users by points")]
    user_rank: Annotated[int | None, Meta(description="The user's rank, from 1; null when not among the top 10")]
    available_badges: Annotated[list[BadgeInfo], Meta(description="The badges not yet earned")]
    balance: Annotated[
        int | None,
        Meta(description="The points that can be spent; below 0 if spent points were taken back"),
    ] = None
    rank: UserRank | None = None
    next: Sequence[NextBadge] = ()
    toward: Sequence[NextBadge] = ()
    streaks: Sequence[UserStreak] = ()
    history: History | None = None
    earned: Sequence[EarnedBadge] = ()
    details: Sequence[BadgeDetails] = ()
    copies: Sequence[BadgeCopies] = ()
    kinds: Sequence[KindBalance] = ()


def streak_badge(catalog: Catalog, recorded: Recorded) -> str | None:
    """The streak badge that an event awarded; of several, the one with the most points."""
    if recorded.duplicate or not recorded.outcome.awards:
        return None
    awarded = dict(recorded.outcome.awards)
    earned = [badge for badge in catalog.badges if badge.id in awarded and badge.streaks]
    return max(earned, key=lambda badge: badge.points).id if earned else None


class _Top(NamedTuple):
    """The first lines of the points leaderboard as the store returned them, as leaders, and as ranks by user id."""

    lines: Sequence[Standing]
    leaders: list[Leader]
    ranks: Mapping[str, int]


class ProfileMaker:
    """Makes profiles. Badges, and leaders for as long as the store returns the same lines, are made once for all profiles."""

    def __init__(self, context: Presentation) -> None:
        self.context = context
        self._catalog = context.catalog
        locked = locked_badges(context.catalog)
        self._badges = [(badge.id, badge_info(badge), locked.get(badge.id)) for badge in context.catalog.badges]
        self._expiring = [badge for badge in context.catalog.badges if badge.valid_for]
        self._board = context.catalog.boards[POINTS]
        self._top = _Top((), [], {})

    def profile(
        self,
        row: UserRow,
        top: Sequence[Standing],
        now: datetime,
        badge_awarded: str | None = None,
        *,
        for_operators: bool = False,
    ) -> Profile:
        """The contract's eleven fields. `top` are the first RANKED_IN_PROFILE lines of the points leaderboard.

        Secret badges that the user does not have are locked, except `for_operators`.
        """
        progress = row.progress
        level = self._catalog.levels.read(progress.points)
        first = self._top if self._top.lines is top else self._read_top(top)
        may_read = self._board.may_be_read_by(row.groups)
        earned = progress.badges
        over = expired(self._expiring, progress, row.earned, now) if self._expiring else ()
        return Profile(
            badges=[info for badge_id, info, _ in self._badges if badge_id in earned and badge_id not in over],
            points=progress.points,
            level=level.level.number,
            title=level.level.title,
            next_level=level.next_level,
            progress=level.progress,
            streak=streak_length(self._catalog, progress, self._catalog.login_streak, now),
            badge_awarded=badge_awarded,
            leaderboard=self._leaders(first, row) if may_read else [],
            user_rank=self._rank(first, row, now) if may_read else None,
            available_badges=[
                info if for_operators or badge_id in over else locked
                for badge_id, info, locked in self._badges
                if (badge_id not in earned or badge_id in over) and locked is not None
            ],
        )

    def _read_top(self, lines: Sequence[Standing]) -> _Top:
        leaders = [self._leader(line) for line in lines[:LEADERS]]
        self._top = _Top(lines, leaders, {line.place.user_id: line.rank for line in lines})
        return self._top

    def _leaders(self, top: _Top, row: UserRow) -> list[Leader]:
        """The leaders, the same for all readers, except that a user with a pseudonym sees their own name."""
        rank = top.ranks.get(row.user_id, LEADERS + 1)
        if rank > LEADERS or self._visibility(row) != "pseudonym":
            return top.leaders
        own = self._leader(top.lines[rank - 1], row.user_id)
        return [*top.leaders[: rank - 1], own, *top.leaders[rank:]]

    def _leader(self, line: Standing, reader: str | None = None) -> Leader:
        level = self._catalog.levels.read(line.points).level
        user_id, name = self.context.name_on(self._board, line, reader)
        return Leader(user_id=user_id, name=name, points=line.points, level=level.number, title=level.title)

    def _rank(self, top: _Top, row: UserRow, now: datetime) -> int | None:
        """The rank, if it is at most RANKED_IN_PROFILE. A hidden user, who has no line, gets the rank they would have."""
        if self._visibility(row) != "hidden" or row.erase_at is not None:
            return top.ranks.get(row.user_id)
        of_user = places(self._catalog, row.user_id, row.progress, row.groups, row.visibility, now)
        place = of_user.get((POINTS + HIDDEN, ALL_TIME))
        if place is None:
            return None
        rank = 1 + sum(_order(line.place) < _order(place) for line in top.lines)
        return rank if rank <= RANKED_IN_PROFILE else None

    def _visibility(self, row: UserRow) -> str:
        return self._board.visibility_of(row.visibility)


def _order(place: Place) -> tuple[int, int, str]:
    return place.sort_key, place.reached_at, place.user_id
