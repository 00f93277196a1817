"""The copies of limited badges in a plan: they go to users in the order of their ids, as when a plan is applied."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from laurels.engine.catalog import Catalog
from laurels.engine.progress import Progress
from laurels.engine.supply import Copies
from laurels.service.core import Core


class PlannedCopies:
    """How many copies are taken as the plan goes on.

    `taken` is by the fingerprint of a catalog: under the one in force, for users who would come under it first, and under the
    following one.
    """

    def __init__(self, present: Catalog, following: Catalog) -> None:
        self._present, self._following = present, following
        self.taken: dict[str, Mapping[str, int]] = {present.rules: {}, following.rules: {}}
        self.warnings: list[str] = []

    async def read(self, core: Core) -> None:
        """Begin with the copies that are taken now."""
        limited = self._following.limited
        if not self._present.limited and not limited:
            return
        stored, counted = await core.store.counted_supplies(self._following.limited_ids)
        self.taken = {self._present.rules: stored, self._following.rules: counted}
        self.warnings = [
            f"badges '{badge}': {counted[badge]:,} users have it, more than its supply of {supply:,}; they keep it"
            for badge, supply in limited.items()
            if counted.get(badge, 0) > supply
        ]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Computing users without counting what they take."""
        before = dict(self.taken)
        yield
        self.taken = before

    def none_left(self, progress: Progress) -> Collection[str]:
        """The badges of which no copy is left for a user under the following catalog."""
        return self._copies.none_left(progress.badges) if self._following.limited else ()

    def move(self, before: Progress, after: Progress) -> None:
        """Count what a user takes and frees under the following catalog."""
        if after is not before and self._following.limited:
            copies = self._copies
            copies.move(before.badges, after.badges)
            self.taken[self._following.rules] = copies.taken

    @property
    def _copies(self) -> Copies:
        return Copies(self._following.limited, self.taken[self._following.rules])
