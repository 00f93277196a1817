"""Plans: what putting a catalog in force would do over all users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from laurels.engine.plans import Effect
from laurels.engine.progress import Change
from laurels.present.base import Answer, Points, UtcTime
from laurels.present.changes import NumberChange

Basis = Literal["nothing", "progress", "events"]
"""What a plan was made from: nothing, as no rule changes; the stored progress of users; or their events."""


PayKey = Literal["points", "badges"]
"""The key of the catalog under which something pays."""

PastPolicy = Literal["keep", "recompute"]
"""What a change of pay means for what was paid before."""


class PlannedBadge(Answer, frozen=True):
    """How many users gain a badge, and how many lose it.

    `unqualified` are those who have it and do not meet its new condition. `noneLeft` are those who qualify for a badge of limited
    supply and get no copy.
    """

    badge: str
    gained: int
    lost: int
    unqualified: int
    none_left: int


class PlannedPoints(Answer, frozen=True):
    """All users' points before and after, what is paid and taken for that, and how many users have more or fewer then."""

    before: Points
    after: Points
    paid: Points
    taken: Points
    more: int
    fewer: int


class PlannedPay(Answer, frozen=True):
    """A point rule or a badge that pays something else, and what it has paid all users under each choice of its `past`.

    `keep` is what it has paid if that stays, `recompute` what it has paid if the change counts for all the past, and `users` how
    many users have another number under each. `chosen` is what the catalog says. Badges and levels that depend on points are
    not part of these numbers.
    """

    key: PayKey
    id: str
    chosen: PastPolicy
    keep: Points
    recompute: Points
    users: int


class PlannedLevel(Answer, frozen=True):
    """How many users are on a level before and after."""

    level: int
    before: int
    after: int


class PlannedLevels(Answer, frozen=True):
    """How many users reach a higher level, and how many a lower one. `users` has each level that anyone has before or after."""

    higher: int
    lower: int
    users: list[PlannedLevel]


class PlannedStreak(Answer, frozen=True):
    """How many users have a longer streak today, how many a shorter one, and of how many only the longest run changes."""

    streak: str
    longer: int
    shorter: int
    longest_only: int


class PlannedLeaderboard(Answer, frozen=True):
    """How many lines a leaderboard gains and loses in its open periods, and how many have another score.

    What else moves, a rank because of the lines of others, follows from these.
    """

    leaderboard: str
    joined: int
    left: int
    changed: int


class PlannedLength(Answer, frozen=True):
    """A streak of one user: its length today, and that of its longest run, before and after."""

    streak: str
    length: NumberChange
    longest: NumberChange


class PlannedLine(Answer, frozen=True):
    """A line of one user on a leaderboard: the score before and after; null where there is no line.

    `within` is the value of a leaderboard that ranks users apart, and '' of any other one.
    """

    leaderboard: str
    period: str
    within: str
    before: int | None
    after: int | None


class PlannedUser(Answer, frozen=True):
    """What changes for one user."""

    user_id: str
    gained: list[str]
    lost: list[str]
    points: NumberChange
    level: NumberChange
    streaks: list[PlannedLength]
    leaderboards: list[PlannedLine]
    unqualified: list[str]


class CatalogPlan(Answer, frozen=True):
    """What putting a catalog in force would do over all users. Nothing was changed.

    `base` is the number of the revision in force, null if there is none; `rules` the fingerprint of the new catalog;
    `differences` says in words how it differs. `basis` is what the plan was made from, and `fromEvents` how many users were
    computed from their events in any case. `outdated` users were not read since the last revision or amnesty: they come under
    the new catalog directly. `pay` has what pays something else, with the totals under each choice of its `past`. `seconds` is
    how long the plan took, `applySeconds` about how long bringing all users under the catalog takes. `mostAffected` are at most
    ten users. `silent`: users are not notified. `token` stands for all of this when the catalog is applied.
    """

    base: int | None
    rules: str
    at: UtcTime
    differences: list[str]
    warnings: list[str]
    basis: Basis
    users: int
    affected: int
    outdated: int
    from_events: int
    badges: list[PlannedBadge]
    points: PlannedPoints
    pay: list[PlannedPay]
    levels: PlannedLevels
    streaks: list[PlannedStreak]
    leaderboards: list[PlannedLeaderboard]
    most_affected: list[PlannedUser]
    seconds: float
    apply_seconds: float
    silent: bool
    token: str


def planned_user(effect: Effect) -> PlannedUser:
    """What changes for one user."""
    return PlannedUser(
        user_id=effect.user_id,
        gained=[*effect.gained],
        lost=[*effect.lost],
        points=_number(effect.points),
        level=_number(effect.level),
        streaks=[
            PlannedLength(streak=name, length=_number(one.length), longest=_number(one.longest))
            for name, one in effect.streaks.items()
        ],
        leaderboards=[
            PlannedLine(leaderboard=board, period=period, within=value, before=line.before, after=line.after)
            for (board, period, value), line in effect.lines.items()
        ],
        unqualified=[*effect.unqualified],
    )


CHANGE_COLUMNS = ("userId", "change", "of", "period", "before", "after")
"""The columns of `change_rows`."""


def change_rows(user: PlannedUser) -> Iterable[tuple[str, str, str, str, int | None, int | None]]:
    """Everything that changes for a user, one row for each change: a table of all users fits into one file."""
    name = user.user_id
    yield from ((name, "badge gained", badge, "", 0, 1) for badge in user.gained)
    yield from ((name, "badge lost", badge, "", 1, 0) for badge in user.lost)
    for what, number in (("points", user.points), ("level", user.level)):
        if number.before != number.after:
            yield name, what, "", "", number.before, number.after
    for streak in user.streaks:
        for what, number in (("streak", streak.length), ("longest streak", streak.longest)):
            if number.before != number.after:
                yield name, what, streak.streak, "", number.before, number.after
    for line in user.leaderboards:
        yield name, "leaderboard", line.leaderboard, line.period, line.before, line.after
    yield from ((name, "condition not met", badge, "", None, None) for badge in user.unqualified)


def _number(change: Change) -> NumberChange:
    return NumberChange(before=change.before, after=change.after)
