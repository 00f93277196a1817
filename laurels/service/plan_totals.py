"""The totals of a plan: what is added up over all users, in memory that does not grow with them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from laurels.engine.pay_changes import PayChange, Under
from laurels.engine.plans import Effect
from laurels.present.plans import (
    PastPolicy,
    PlannedBadge,
    PlannedLeaderboard,
    PlannedLevel,
    PlannedLevels,
    PlannedPay,
    PlannedPoints,
    PlannedStreak,
    PlannedUser,
    planned_user,
)

MOST_AFFECTED = 10
"""How many of the users who are affected most a plan names."""


class PlanTotals:
    """Adds up what changes for each user. `level_of` is the level at a number of points, before."""

    def __init__(self, level_of: Callable[[int], int]) -> None:
        self._level_of = level_of
        self._on_level, self._moved = Counter[int](), Counter[int]()
        self.users = self.affected = self.outdated = self.from_events = 0
        self._before = self._paid = self._taken = self._more = self._fewer = 0
        self._higher = self._lower = 0
        self._gained, self._lost, self._unqualified = Counter[str](), Counter[str](), Counter[str]()
        self._none_left = Counter[str]()
        self._streaks: Counter[tuple[str, str]] = Counter()
        self._lines: Counter[tuple[str, str]] = Counter()
        self._pay: list[list[int]] = []
        self._most: list[tuple[Any, int, Effect]] = []

    def add_unaffected(self, points: int) -> None:
        """Count a user for whom nothing changes."""
        self.users += 1
        self._before += points
        self._on_level[self._level_of(points)] += 1

    def add(self, effect: Effect) -> bool:
        """Count a user. Returns whether anything changes for them."""
        self.add_unaffected(effect.points.before)
        self._unqualified.update(effect.unqualified)
        self._none_left.update(effect.none_left)
        if effect.is_nothing:
            return False
        self.affected += 1
        self._add_numbers(effect)
        self._gained.update(effect.gained.keys())
        self._lost.update(effect.lost.keys())
        for name, one in effect.streaks.items():
            grown = one.length.after - one.length.before
            self._streaks[name, "longer" if grown > 0 else "shorter" if grown else "longest_only"] += 1
        for (board, *_), line in effect.lines.items():
            self._lines[board, "joined" if line.before is None else "left" if line.after is None else "changed"] += 1
        self._note_most(effect)
        return True

    def add_pay(self, paid: Sequence[Under]) -> None:
        """Count what each change of pay has paid a user, under either choice."""
        self._pay = self._pay or [[0, 0, 0] for _ in paid]
        for sums, (keep, recompute) in zip(self._pay, paid, strict=True):
            sums[0] += keep
            sums[1] += recompute
            sums[2] += keep != recompute

    def pay(self, changes: Sequence[PayChange]) -> list[PlannedPay]:
        """The totals of these changes of pay."""
        sums = self._pay or [[0, 0, 0]] * len(changes)
        return [
            PlannedPay(
                key=change.key,
                id=change.id,
                chosen=cast(PastPolicy, change.chosen),
                keep=keep,
                recompute=recompute,
                users=users,
            )
            for change, (keep, recompute, users) in zip(changes, sums, strict=True)
        ]

    def _add_numbers(self, effect: Effect) -> None:
        points, level = effect.points.after - effect.points.before, effect.level.after - effect.level.before
        self._paid += max(0, points)
        self._taken += max(0, -points)
        self._more += points > 0
        self._fewer += points < 0
        self._higher += level > 0
        self._lower += level < 0
        self._moved[effect.level.before] -= 1
        self._moved[effect.level.after] += 1

    def _note_most(self, effect: Effect) -> None:
        """Remember the users who are affected most; of equal ones, those who come first by id."""
        entry = (effect.weight, -self.affected, effect)  # no two have the same number, so that effects are not compared
        if len(self._most) < MOST_AFFECTED:
            heapq.heappush(self._most, entry)
        else:
            heapq.heappushpop(self._most, entry)

    def warnings(self, inflation: int) -> list[str]:
        """What stands out in the totals, losses first. `inflation` is by how many percent the points may grow."""
        found: list[str] = []
        for badge, holders in sorted(self._lost.items()):
            lose = "1 user loses it" if holders == 1 else f"{holders:,} users lose it"
            found.append(f"badges '{badge}': {lose}, with its points")
        if self._lower:
            users = "1 user falls" if self._lower == 1 else f"{self._lower:,} users fall"
            found.append(f"levels: {users} to a lower level")
        for badge, holders in sorted(self._unqualified.items()):
            one, many = "1 user who has it does", f"{holders:,} users who have it do"
            keeps = f"{one if holders == 1 else many} not meet the new condition, and {'keeps' if holders == 1 else 'keep'} it"
            found.append(f"badges '{badge}': {keeps}")
        for badge, waiting in sorted(self._none_left.items()):
            users, gained = "1 user qualifies" if waiting == 1 else f"{waiting:,} users qualify", self._gained[badge]
            gets = f"{gained:,} more get a copy" if gained != 1 else "1 more gets a copy"
            found.append(f"badges '{badge}': {users} and find none left; {gets}, in the order of the users' ids")
        after = self._before + self._paid - self._taken
        if after > self._before and (after - self._before) * 100 > inflation * max(self._before, 0):
            grown = f"by {(after - self._before) * 100 / self._before:.1f} %" if self._before > 0 else "from nothing"
            found.append(f"the points of all users grow {grown}, from {self._before:,} to {after:,}")
        return found

    # ---- results ------------------------------------------------------------------------------

    @property
    def badges(self) -> list[PlannedBadge]:
        """The badges that users gain, lose or do not qualify for, by id."""
        return [
            PlannedBadge(
                badge=badge,
                gained=self._gained[badge],
                lost=self._lost[badge],
                unqualified=self._unqualified[badge],
                none_left=self._none_left[badge],
            )
            for badge in sorted({*self._gained, *self._lost, *self._unqualified, *self._none_left})
        ]

    @property
    def points(self) -> PlannedPoints:
        """The points of all users."""
        after = self._before + self._paid - self._taken
        return PlannedPoints(
            before=self._before,
            after=after,
            paid=self._paid,
            taken=self._taken,
            more=self._more,
            fewer=self._fewer,
        )

    @property
    def levels(self) -> PlannedLevels:
        """The levels of all users."""
        users = [
            PlannedLevel(level=level, before=self._on_level[level], after=self._on_level[level] + self._moved[level])
            for level in sorted({*self._on_level, *self._moved})
        ]
        return PlannedLevels(
            higher=self._higher, lower=self._lower, users=[one for one in users if one.before or one.after]
        )

    @property
    def streaks(self) -> list[PlannedStreak]:
        """The streaks that change, by name."""
        names = sorted({name for name, _ in self._streaks})
        return [
            PlannedStreak(
                streak=name, **{how: self._streaks[name, how] for how in ("longer", "shorter", "longest_only")}
            )
            for name in names
        ]

    @property
    def leaderboards(self) -> list[PlannedLeaderboard]:
        """The leaderboards whose lines change, by id."""
        names = sorted({name for name, _ in self._lines})
        return [
            PlannedLeaderboard(
                leaderboard=name, **{how: self._lines[name, how] for how in ("joined", "left", "changed")}
            )
            for name in names
        ]

    @property
    def most_affected(self) -> list[PlannedUser]:
        """The users who are affected most, first the most."""
        return [planned_user(effect) for *_, effect in sorted(self._most, key=lambda one: one[:2], reverse=True)]
