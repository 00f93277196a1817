"""Plans: what another catalog would change for one user, and whether what is stored of the user is enough to say so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from datetime import datetime

from laurels.engine.adding import later
from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.fingerprints import fingerprint
from laurels.engine.former_units import in_present_units
from laurels.engine.holding import losers, repayments
from laurels.engine.judge import read_streak_of, rejudge, today_of
from laurels.engine.levels import Levels
from laurels.engine.progress import Change, Progress, entries_of
from laurels.engine.ranking import HIDDEN, WITHIN, Place, value_of
from laurels.engine.scoring import Key
from laurels.engine.values import plain


@plain
class StreakChange:
    """A streak before and after: its length today, and that of its longest run."""

    length: Change
    longest: Change


@plain
class LineChange:
    """The score of a line of a leaderboard, before and after; None: there is no line."""

    before: int | None
    after: int | None


Line = tuple[str, str, str]
"""A leaderboard, a period, and the value of a leaderboard that ranks users apart ('' of any other one)."""


@plain
class Side:
    """A user under one catalog: the progress and the places, by partition and period."""

    catalog: Catalog
    progress: Progress
    places: Mapping[Key, Place]


@plain
class Effect:
    """What another catalog changes for a user. What stays the same is left out.

    gained, lost  badges, with the points that they pay or had paid
    streaks       by their names under the new catalog; those that it does not have, by their names before
    lines         the user's lines on leaderboards
    unqualified   badges that the user keeps although their new condition does not hold
    none_left     badges whose condition holds, but of which no copy is left
    """

    user_id: str
    points: Change
    level: Change
    gained: Mapping[str, int] = field(default_factory=dict[str, int])
    lost: Mapping[str, int] = field(default_factory=dict[str, int])
    streaks: Mapping[str, StreakChange] = field(default_factory=dict[str, StreakChange])
    lines: Mapping[Line, LineChange] = field(default_factory=dict[Line, LineChange])
    unqualified: tuple[str, ...] = ()
    none_left: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether nothing changes that anyone can see."""
        same = self.points.before == self.points.after and self.level.before == self.level.after
        return same and not (self.gained or self.lost or self.streaks or self.lines)

    @property
    def weight(self) -> tuple[int, int, int, int]:
        """How much changes, to find the users who are affected most: points, then badges, levels, and the rest."""
        points, level = self.points.after - self.points.before, self.level.after - self.level.before
        return abs(points), len(self.gained) + len(self.lost), abs(level), len(self.streaks) + len(self.lines)


def suffices(present: Catalog, following: Catalog) -> bool:
    """Whether the stored progress of users is enough to say what a catalog changes, without their events.

    It is if only badges, levels and texts differ: what is counted from events is then the same under both.
    """
    same = _counting(present) == _counting(following) and present.renames == following.renames
    known = following.chains.keys() <= present.chains.keys() and following.counted.keys() <= present.counted.keys()
    return same and known


def _counting(catalog: Catalog) -> str:
    """A fingerprint of everything in a catalog that is computed from events."""
    return fingerprint(Levels((), ()), catalog.metrics, catalog.streaks, catalog.versions, (), catalog.boards)


def possibly_due(present: Catalog, following: Catalog) -> tuple[Badge, ...]:
    """The badges that users who are up to date under the present catalog may be due under the following one.

    An unchanged condition is met under both or neither, unless it depends on points or on other badges.
    """
    before = {badge.id: (repr(badge.condition), badge.retired) for badge in present.badges}
    return tuple(
        badge
        for badge in following.badges
        if badge in following.settling or before.get(badge.id) != (repr(badge.condition), badge.retired)
    )


def keeps_badges(following: Catalog, progress: Progress, candidates: tuple[Badge, ...]) -> bool:
    """Whether it is certain, from few fields of the progress, that a catalog for which it `suffices` changes no badge of a user.

    `candidates` are `possibly_due`. If this is False, `progress_under` says what changes.
    """
    held = progress.badges
    if any(badge.id not in held and badge.due(progress) for badge in candidates) or repayments(following, progress):
        return False
    return not any(
        badge.id in held and (badge in following.settling or not badge.condition.met(progress))
        for badge in following.losing
    )


def progress_under(
    following: Catalog,
    progress: Progress,
    now: datetime,
    candidates: tuple[Badge, ...],
    none_left: Collection[str] = (),
    counted: Progress | None = None,
) -> Progress | None:
    """The progress under a catalog for which it `suffices`; None if the user's ledger is needed to tell.

    `progress` must be under the catalog in force and the newest amnesties. `candidates` are `possibly_due`.
    `none_left` are limited badges of which no copy is left for the user. If the progress does not suffice, `counted` is the
    same with what differs counted again, and the badges that this concerns are candidates, too.
    """
    counted = progress if counted is None else counted
    if progress.board_days is None:
        return None  # an earlier version stored it: the days of leaderboards are read from the events
    held, paid = progress.badges, counted.earned - progress.earned
    if repayments(following, counted):
        return None  # the ledger tells in which period it paid
    due = any(badge.id not in held and badge.due(counted) and badge.id not in none_left for badge in candidates)
    if not due and not (following.losing and losers(following, counted)):
        if not paid:
            return counted
        after = replace(counted, reached_at=later(progress.reached_at, now))
    elif following.points_boards and any(badge.id in held for badge in candidates):
        return None  # awarding one badge dates the others again, and their points may move to another period
    else:
        entries = entries_of(paid, "catalog", following.rules)
        before = in_present_units(following, progress)
        after = rejudge(following, before, counted, now, entries, none_left).progress
    # Points that add up to 0 are on no leaderboard unless the ledger has some that count.
    return after if after.points or after.earned == progress.earned else None


def changed_conditions(present: Catalog, following: Catalog) -> tuple[Badge, ...]:
    """The badges of a catalog that are under another condition before, by their new ids."""
    before = {following.renames.badge(badge.id): repr(badge.condition) for badge in present.badges}
    return tuple(badge for badge in following.badges if before.get(badge.id, "") not in ("", repr(badge.condition)))


def unqualified(changed: tuple[Badge, ...], progress: Progress) -> tuple[str, ...]:
    """The badges that a user has and whose new condition does not hold. `changed` are `changed_conditions`."""
    held = progress.badges
    return tuple([badge.id for badge in changed if badge.id in held and not badge.condition.met(progress)])


def without_copy(catalog: Catalog, progress: Progress) -> tuple[str, ...]:
    """The limited badges that a user is due and was not awarded: no copy was left."""
    return tuple([badge.id for badge in catalog.settling if badge.supply and badge.due(progress)])


def effect(
    user_id: str, before: Side, after: Side, now: datetime, *, events: bool, changed: tuple[Badge, ...]
) -> Effect:
    """What changes for a user. `events`: what is counted from events may differ, too. `changed` are `changed_conditions`."""
    old, new = before.progress, after.progress
    badges = {after.catalog.renames.badge(badge): paid for badge, paid in old.badges.items()}
    return Effect(
        user_id=user_id,
        points=Change(old.points, new.points),
        level=Change(before.catalog.levels.number(old.points), after.catalog.levels.number(new.points)),
        gained={badge: paid for badge, paid in new.badges.items() if badge not in badges},
        lost={badge: paid for badge, paid in badges.items() if badge not in new.badges},
        streaks=_streaks(before, after, now) if events else {},
        lines=_lines(before, after),
        unqualified=unqualified(changed, new),
        none_left=without_copy(after.catalog, new),
    )


def _streaks(before: Side, after: Side, now: datetime) -> dict[str, StreakChange]:
    renames = after.catalog.renames
    old = {renames.streak(name): lengths for name, lengths in _lengths(before, now).items()}
    new = _lengths(after, now)
    found: dict[str, StreakChange] = {}
    for name in {**old, **new}:
        (length, longest), (length_after, longest_after) = old.get(name, (0, 0)), new.get(name, (0, 0))
        if (length, longest) != (length_after, longest_after):
            found[name] = StreakChange(Change(length, length_after), Change(longest, longest_after))
    return found


def _lengths(side: Side, now: datetime) -> dict[str, tuple[int, int]]:
    """The length today and that of the longest run, of each streak of which the user has days."""
    progress = side.progress
    return {
        name: (read_streak_of(streak, progress, today_of(streak, progress, now)).length, progress.longest(name))
        for name, streak in side.catalog.streaks.items()
        if name in progress.days
    }


def _lines(before: Side, after: Side) -> dict[Line, LineChange]:
    """The lines whose score differs, by the ids of leaderboards under the new catalog, sorted."""
    if before.places is after.places:
        return {}
    old, new = _scores(before, after.catalog.renames.boards), _scores(after, {})
    lines = sorted({**old, **new})
    return {line: LineChange(old.get(line), new.get(line)) for line in lines if old.get(line) != new.get(line)}


def _scores(side: Side, names: Mapping[str, str]) -> dict[Line, int]:
    """The score of each line. A user in several teams has the same one in each of them, and is on one line."""
    found: dict[Line, int] = {}
    for (partition, period), place in side.places.items():
        board = side.catalog.boards.get(partition.partition(WITHIN)[0])
        if board:
            value = value_of(partition.removesuffix(HIDDEN))
            found[names.get(board.id, board.id), period, value] = board.score(place.sort_key)
    return found
