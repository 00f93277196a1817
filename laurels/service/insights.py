"""Insights: how rare badges are, charts of the community, and the status of this process. Slow answers are cached."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from importlib import metadata
from time import monotonic
from typing import Generic, TypeVar

import msgspec

from laurels.errors import LaurelsError
from laurels.present.health import MaintenanceResult, ProcessStatus
from laurels.present.reports import (
    BadgeRarity,
    CommunityReport,
    RarityReport,
    ReportProgress,
    UnknownType,
    unknown_types,
)
from laurels.service.laurels import Laurels
from laurels.service.report import ReportFold
from laurels.storage.contract import FIRST_FORMER_STATE, Counts

T = TypeVar("T")

log = logging.getLogger(__name__)

RARITY_USERS = 100
"""In a smaller community, a share would reveal something about people."""

RARITY_SECONDS = 300
REPORT_SECONDS = 600
COUNTS_SECONDS = 600
TYPES_SECONDS = 60
MOST_WAITED = 1.0
"""How many seconds a page waits for numbers that it can also show later."""
MOST_SAMPLED = 20_000

READ_AT_ONCE = 100
FOLD_AT_ONCE = 25
"""After this many users, other tasks get a turn: the event loop is blocked for a few milliseconds at most."""


class Insights:
    """What operators and visitors see beyond one user. Create one for a process, and close it before its Laurels."""

    def __init__(self, laurels: Laurels, rarity_users: int = RARITY_USERS, most_sampled: int = MOST_SAMPLED) -> None:
        """Insights over this Laurels.

        rarity_users  the fewest users from which the public sees how rare badges are
        most_sampled  the most users that the community report counts
        """
        self._laurels = laurels
        self._rarity_users = rarity_users
        self._most_sampled = most_sampled
        self._began = monotonic()
        self._report_progress = 0.0
        self._rarity = Cached(self._count_rarity, RARITY_SECONDS)
        self._report = Cached(self._make_report, REPORT_SECONDS)
        self._counts = Cached(self._count, COUNTS_SECONDS)
        self._types = Cached(self._count_types, TYPES_SECONDS)

    async def close(self) -> None:
        """Stop computing."""
        for cached in (self._rarity, self._report, self._counts, self._types):
            await cached.close()

    # ---- rarity -------------------------------------------------------------------------------

    async def rarity(self) -> RarityReport:
        """How many users have each badge, for operators. Shares are None in a community of fewer than `rarity_users`."""
        return await self._rarity.value()

    async def public_rarity(self) -> RarityReport:
        """The same for the public: without secret badges, and any number in a community of fewer than `rarity_users`."""
        secret = {badge.id for badge in self._laurels.catalog.badges if badge.secret}
        rarity = await self.rarity()
        if secret:
            badges = [badge for badge in rarity.badges if badge.id not in secret]
            rarity = msgspec.structs.replace(rarity, badges=badges)
        if rarity.users is not None and rarity.users >= self._rarity_users:
            return rarity
        badges = [BadgeRarity(id=badge.id, holders=None, share=None) for badge in rarity.badges]
        return RarityReport(computed_at=rarity.computed_at, users=None, badges=badges)

    async def _count_rarity(self) -> RarityReport:
        store = self._laurels.store
        holders, users = Counter[str](), (await store.sample(0)).users
        for badge, held in (await store.badge_holders()).items():
            holders[self._laurels.catalog.renames.badge(badge)] += held
        badges = [
            BadgeRarity(id=badge.id, holders=held, share=self._share(held, users))
            for badge in self._laurels.catalog.badges
            if not badge.retired
            for held in [holders[badge.id]]
        ]
        return RarityReport(computed_at=await self._laurels.now(), users=users, badges=badges)

    def _share(self, holders: int, users: int) -> float | None:
        if users < max(1, self._rarity_users):
            return None
        return min(1.0, holders / users)  # a user who joined between the two counts is only in the first

    # ---- the report ---------------------------------------------------------------------------

    async def community_report(self) -> CommunityReport | ReportProgress:
        """The newest charts of the community, without waiting; while the first ones are made, their progress."""
        report = self._report.newest()
        return report if report is not None else ReportProgress(progress=self._report_progress)

    async def full_report(self) -> CommunityReport:
        """The newest charts; waits for the first ones."""
        return await self._report.value()

    async def _make_report(self) -> CommunityReport:
        laurels = self._laurels
        self._report_progress = 0.0
        sample = await laurels.store.sample(self._most_sampled)
        ids, fold = sorted(sample.user_ids), ReportFold(laurels.rules.catalog, await laurels.now())
        for start in range(0, len(ids), READ_AT_ONCE):
            rows = await laurels.store.community_report(ids[start : start + READ_AT_ONCE])
            for number, row in enumerate(rows, start=1):
                fold.add(row)
                if number % FOLD_AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._report_progress = min(1.0, (start + READ_AT_ONCE) / len(ids))
        return fold.report(sample.users)

    async def unknown_types(self) -> list[UnknownType] | None:
        """The event types that no rule names, most frequent first; None while all events are read for the first time."""
        try:
            found = await asyncio.wait_for(self._types.value(), MOST_WAITED)
        except TimeoutError:
            return None
        return unknown_types(self._laurels.catalog, found)

    async def _count_types(self) -> Mapping[str, int]:
        return await self._laurels.store.event_types()

    # ---- the process --------------------------------------------------------------------------

    async def process_status(self) -> ProcessStatus:
        """The status of this process now, and the last maintenance runs."""
        group_commit = self._laurels.group_commit
        counts, rate = self._counts.newest(), group_commit.meter.read(monotonic())
        runs = {
            run.task: MaintenanceResult(at=run.at, outcome=run.outcome)
            for run in await self._laurels.store.maintenance_runs()
            if run.task != FIRST_FORMER_STATE
        }
        return ProcessStatus(
            version=metadata.version("laurels"),
            engine=self._laurels.store.engine,
            uptime_seconds=monotonic() - self._began,
            events_per_second=rate.per_second,
            waited50_ms=rate.median_ms,
            waited99_ms=rate.slow_ms,
            queued=group_commit.waiting,
            queue_limit=group_commit.queue_limit,
            users=counts.users if counts else None,
            events=counts.events if counts else None,
            backup=runs.get("backup"),
            verify=runs.get("verify"),
        )

    async def _count(self) -> Counts:
        return await self._laurels.store.counts()


class Cached(Generic[T]):
    """A value that is slow to compute: computed by one task at a time, and returned for some seconds.

    An older value is returned while a new one is computed.
    """

    def __init__(self, compute: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._compute = compute
        self._seconds = seconds
        self._value: tuple[T, float] | None = None
        self._task: asyncio.Task[T] | None = None

    def newest(self) -> T | None:
        """The value, of any age; None while the first one is computed. Starts to compute a new one if it is due."""
        if self._task is None and (self._value is None or monotonic() - self._value[1] > self._seconds):
            # An empty context: a time set by the caller with `pretend` must not apply to other callers.
            self._task = asyncio.create_task(self._recompute(), context=Context())
            self._task.add_done_callback(_log_failure)
        return self._value[0] if self._value else None

    async def value(self) -> T:
        """The value; waits for the first one. Raises what its computation raised."""
        newest = self.newest()
        if newest is not None:
            return newest
        assert self._task is not None, "without a value there is a task"
        return await asyncio.shield(self._task)  # one caller may be cancelled while others wait

    async def _recompute(self) -> T:
        try:
            value = await self._compute()
            self._value = (value, monotonic())
            return value
        finally:
            self._task = None

    async def close(self) -> None:
        """Stop computing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _log_failure(task: asyncio.Task[T]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, LaurelsError):
        log.warning("a report failed; the next request computes it again: %s", error)
    elif error is not None:
        log.error("a report failed", exc_info=error)
