"""Limited supply: how many users may have a badge at once, and which of them get the copies.

This is the one exception to independence of the order: copies go in the order in which transactions are committed. Whether the
condition of a badge holds never depends on it; only whether there is a copy does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping

NO_BADGES: frozenset[str] = frozenset()


class Copies:
    """The copies of limited badges in one transaction.

    `limited` are the badges with their supply; `taken` how many copies were taken when it began.
    """

    def __init__(self, limited: Mapping[str, int], taken: Mapping[str, int]) -> None:
        self._limited = limited
        self._taken = taken
        self._changes = Counter[str]()

    def left(self, badge: str) -> int:
        """How many copies of a limited badge are left; 0 also if users have more than its supply."""
        taken = self._taken.get(badge, 0) + self._changes[badge]
        return max(0, self._limited[badge] - taken)

    def none_left(self, held: Container[str]) -> Collection[str]:
        """The badges of which no copy is left for a user who has these badges: their own copies stay theirs."""
        return [badge for badge in self._limited if badge not in held and not self.left(badge)]

    def move(self, before: Iterable[str], after: Iterable[str]) -> None:
        """Take and free copies for a user who had some badges before, and has others after."""
        self._changes.update(badge for badge in after if badge in self._limited)
        self._changes.subtract(badge for badge in before if badge in self._limited)

    @property
    def taken(self) -> dict[str, int]:
        """How many copies of each limited badge are taken now."""
        return {badge: self._taken.get(badge, 0) + self._changes[badge] for badge in self._limited}

    @property
    def changes(self) -> dict[str, tuple[int, int]]:
        """Badge -> how many more of its copies are taken than when the transaction began (below 0: fewer), and its supply."""
        return {badge: (change, self._limited[badge]) for badge, change in self._changes.items() if change}


def none_left(limited: Mapping[str, int], taken: Mapping[str, int]) -> frozenset[str]:
    """The limited badges of which all copies are taken."""
    if not limited:
        return NO_BADGES
    return frozenset(badge for badge, supply in limited.items() if taken.get(badge, 0) >= supply)


def fit(changes: Mapping[str, tuple[int, int]], taken: Mapping[str, int]) -> bool:
    """Whether there are still enough copies for changes that were computed when fewer may have been taken."""
    return all(more <= 0 or taken.get(badge, 0) + more <= supply for badge, (more, supply) in changes.items())
