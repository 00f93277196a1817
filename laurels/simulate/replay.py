"""Replays the history of a database under a candidate catalog. Only reads: nothing is stored, and servers may run meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import perf_counter

from laurels.engine.catalog import Catalog
from laurels.errors import PlanOutdated
from laurels.service.core import Core
from laurels.simulate.replay_totals import Replay, SideTotals, period_start, periods_of, unit_for
from laurels.simulate.replaying import History, Replayed, replayed, within
from laurels.storage.contract import Loaded, LoadRequest, StoredUser
from laurels.storage.secrets import Keyring

PAGE = 500
"""How many users are listed at once."""

TOGETHER = 5000
"""About how many revisions of users are read at once with everything that belongs to them."""

BUCKETS, ALL = 10_000, 100

FROM_THE_BEGINNING = (
    "Both sides count the history from the beginning, the candidate as if it had always been in force. What it would pay and "
    "award from its apply on is what 'laurels catalog plan' says."
)


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What is replayed: from one time up to another, and a percentage of the users. `progress` is called with users done."""

    since: datetime | None = None
    until: datetime | None = None
    sample: int = ALL
    progress: Callable[[int], None] | None = None


def is_sampled(user_id: str, percent: int) -> bool:
    """Whether a user belongs to a sample. It follows from the id alone, so that a sample has the same users every time."""
    number = int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:8])
    return number % BUCKETS < percent * BUCKETS // ALL


class _Replaying:
    """One replay."""

    def __init__(self, core: Core, candidate: Catalog, options: ReplayOptions, now: datetime, keyring: Keyring) -> None:
        self._core, self._options, self._keyring = core, options, keyring
        self._present, self._candidate = core.catalog, candidate.as_written
        self.at = min(now, options.until) if options.until else now
        self.sides = SideTotals(self._present), SideTotals(self._candidate)
        self._base = core.rules.in_force.revision
        self.users = self.all_users = self.events = self.unlike_stored = 0
        self.more = self.fewer = self.higher = self.lower = 0

    async def run(self) -> None:
        """Read all users. Raises PlanOutdated if another catalog is put in force meanwhile."""
        async for batch in self._batches():
            names = frozenset(row.user_id for row in batch)
            if names:
                request = LoadRequest(names, frozenset(), self._present.rules, in_full=names, ranks=False)
                loaded = await self._core.store.load(request)
                if loaded.catalog[0] != self._base[0]:
                    raise PlanOutdated("another catalog was put in force during the replay; start it again")
                await asyncio.to_thread(self._add, loaded)
            if self._options.progress:
                self._options.progress(self.all_users)

    async def _batches(self) -> AsyncIterator[Sequence[StoredUser]]:
        """The users of the sample, in batches that are small enough to be read with everything that belongs to them."""
        after = ""
        while page := await self._core.store.users_after(after, PAGE):
            batch, revisions = list[StoredUser](), 0
            for row in page:
                self.all_users += 1
                if not is_sampled(row.user_id, self._options.sample):
                    continue
                if batch and revisions + row.revision > TOGETHER:
                    yield batch
                    batch, revisions = [], 0
                batch.append(row)
                revisions += row.revision
            yield batch
            after = page[-1].user_id

    def _add(self, loaded: Loaded) -> None:
        for name, user in loaded.users.items():
            if user.erase_at is None:
                rows = loaded.histories.get(name, ()), loaded.adjustments.get(name, ())
                self._add_user(History(user, *rows, loaded.amnesties))

    def _add_user(self, whole: History) -> None:
        history = within(whole, self._options.since, self._options.until)
        before, after = (self._replayed(catalog, history) for catalog in (self._present, self._candidate))
        for side, user in zip(self.sides, (before, after), strict=True):
            side.add(user, self.at)
        self.users += 1
        self.events += len(history.events)
        stored, now = whole.user.progress, before.progress
        self.unlike_stored += (stored.points, stored.badges) != (now.points, now.badges)
        points = before.progress.points, after.progress.points
        levels = self._present.levels.number(points[0]), self._candidate.levels.number(points[1])
        self.more += points[0] < points[1]
        self.fewer += points[0] > points[1]
        self.higher += levels[0] < levels[1]
        self.lower += levels[0] > levels[1]

    def _replayed(self, catalog: Catalog, history: History) -> Replayed:
        held = {catalog.renames.badge(badge) for badge in history.user.progress.badges}
        none_left = [badge for badge in _taken(self._present, catalog) if badge not in held]
        return replayed(catalog, history, self._keyring, self.at, none_left)


def _taken(present: Catalog, catalog: Catalog) -> Iterable[str]:
    """The limited badges whose copies users have taken under the catalog in force: who has one is known."""
    known = {catalog.renames.badge(badge.id) for badge in present.badges}
    return [badge for badge in catalog.limited if badge in known]


async def replay(core: Core, candidate: Catalog, options: ReplayOptions) -> Replay:
    """Replay the history under the catalog in force and under a candidate. Raises PlanOutdated."""
    began = perf_counter()
    await core.rules.follow()
    made = _Replaying(core, candidate, options, await core.now(), await core.store.keyring())
    await made.run()
    days = {day for side in made.sides for day in side.days}
    unit = unit_for(days)
    periods = periods_of(unit, days)
    present, after = (side.side(periods, partial(period_start, unit)) for side in made.sides)
    return Replay(
        at=made.at,
        since=options.since,
        until=options.until,
        sample=options.sample,
        users=made.users,
        all_users=made.all_users,
        events=made.events,
        unit=unit,
        periods=periods,
        more=made.more,
        fewer=made.fewer,
        higher=made.higher,
        lower=made.lower,
        unlike_stored=0 if options.since or options.until else made.unlike_stored,
        present=present,
        candidate=after,
        notes=_notes(core.catalog, candidate, options, made.users, made.all_users),
        seconds=round(perf_counter() - began, 3),
    )


def _notes(present: Catalog, candidate: Catalog, options: ReplayOptions, users: int, all_users: int) -> list[str]:
    """How the numbers came about, in sentences."""
    found = [FROM_THE_BEGINNING]
    if options.sample < ALL:
        chosen = f"{users:,} of {all_users:,}"
        found.append(f"A sample of {options.sample} % of the users by a hash of their ids, always the same: {chosen}.")
    if options.since or options.until:
        ends = (("from", options.since), ("until", options.until))
        span = " ".join(f"{word} {at:%Y-%m-%d %H:%M} UTC" for word, at in ends if at)
        found.append(f"Only events and adjustments {span} are counted.")
    known = [*_taken(present, candidate)]
    if known:
        found.append(f"Limited badges are held by those who have a copy now: {', '.join(known)}.")
    new = [badge for badge in candidate.limited if badge not in known]
    if new:
        found.append(f"New limited badges are counted for all who qualify, whatever the supply: {', '.join(new)}.")
    if candidate.timed:
        names = ", ".join(badge.id for badge in candidate.timed)
        found.append(f"Badges that passing time can earn are dated to the instant at which it did: {names}.")
    return found
