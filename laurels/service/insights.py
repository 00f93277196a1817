"""Insights: how rare badges are, what a community looks like, and how this process does. Long readings are made once for all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from importlib import metadata
from time import monotonic
from typing import Generic, TypeVar

from laurels.errors import LaurelsError
from laurels.present.shapes import (
    BadgeRarity,
    CommunityReport,
    MaintenanceResult,
    ProcessStatus,
    RarityReport,
    ReportProgress,
)
from laurels.service.laurels import Laurels
from laurels.service.report import ReportFold
from laurels.storage.contract import Counts

T = TypeVar("T")

log = logging.getLogger(__name__)

RARITY_USERS = 100
"""Below so many users, a share would tell more of people than of a badge."""

RARITY_SECONDS = 300
REPORT_SECONDS = 600
COUNTS_SECONDS = 600
MOST_SAMPLED = 20_000

READ_TOGETHER = 100
FOLD_TOGETHER = 25
"""After so many users the event loop has its turn: some milliseconds."""


class Insights:
    """What operators and visitors look at, beyond one user. Made once for a process; close it before its Laurels."""

    def __init__(self, laurels: Laurels, rarity_users: int = RARITY_USERS, most_sampled: int = MOST_SAMPLED) -> None:
        """Insights into what this Laurels keeps; the public is told of rarity from so many users on."""
        self._laurels = laurels
        self._rarity_users = rarity_users
        self._most_sampled = most_sampled
        self._began = monotonic()
        self._surveyed = 0.0
        self._rarity = StoredOutcome(self._count_rarity, RARITY_SECONDS)
        self._survey = StoredOutcome(self._make_report, REPORT_SECONDS)
        self._counts = StoredOutcome(self._count, COUNTS_SECONDS)

    async def close(self) -> None:
        """Let go of what is being made."""
        for kept in (self._rarity, self._survey, self._counts):
            await kept.close()

    # ---- rarity -------------------------------------------------------------------------------

    async def rarity(self) -> RarityReport:
        """How many users hold each badge, for operators; the shares are None below the number of users that the public needs."""
        return await self._rarity.value()

    async def public_rarity(self) -> RarityReport:
        """The same for everybody: where there are too few users, nothing is told of how many they are."""
        rarity = await self.rarity()
        if rarity.users is not None and rarity.users >= self._rarity_users:
            return rarity
        badges = [BadgeRarity(id=badge.id, holders=None, share=None) for badge in rarity.badges]
        return RarityReport(computed_at=rarity.computed_at, users=None, badges=badges)

    async def _count_rarity(self) -> RarityReport:
        store = self._laurels.store
        holders, users = await store.badge_holders(), (await store.sample(0)).users
        badges = [
            BadgeRarity(id=badge.id, holders=held, share=self._share(held, users))
            for badge in self._laurels.catalog.badges
            for held in [holders.get(badge.id, 0)]
        ]
        return RarityReport(computed_at=await self._laurels.now(), users=users, badges=badges)

    def _share(self, holders: int, users: int) -> float | None:
        if users < max(1, self._rarity_users):
            return None
        return min(1.0, holders / users)  # whoever came between the two countings is in the first alone

    # ---- the survey ---------------------------------------------------------------------------

    async def community_report(self) -> CommunityReport | ReportProgress:
        """Charts of the community, at once: the newest that were made, or how far the first ones are, while they are made."""
        made = self._survey.at_hand()
        return made if made is not None else ReportProgress(progress=self._surveyed)

    async def full_report(self) -> CommunityReport:
        """The charts, waited for where there are none yet."""
        return await self._survey.value()

    async def _make_report(self) -> CommunityReport:
        laurels = self._laurels
        self._surveyed = 0.0
        sample = await laurels.store.sample(self._most_sampled)
        ids, community_report = sorted(sample.user_ids), ReportFold(laurels.catalog, await laurels.now())
        for start in range(0, len(ids), READ_TOGETHER):
            read = await laurels.store.community_report(ids[start : start + READ_TOGETHER])
            for number, one in enumerate(read, start=1):
                community_report.add(one)
                if number % FOLD_TOGETHER == 0:
                    await asyncio.sleep(0)
            self._surveyed = min(1.0, (start + READ_TOGETHER) / len(ids))
        return community_report.shape(sample.users)

    # ---- the pulse ----------------------------------------------------------------------------

    async def process_status(self) -> ProcessStatus:
        """How this process does right now."""
        group_commit = self._laurels.group_commit
        counts, flow = self._counts.at_hand(), group_commit.meter.read(monotonic())
        notes = {
            note.task: MaintenanceResult(at=note.at, outcome=note.outcome)
            for note in await self._laurels.store.maintenance_runs()
        }
        return ProcessStatus(
            version=metadata.version("laurels"),
            engine=self._laurels.store.engine,
            uptime_seconds=monotonic() - self._began,
            events_per_second=flow.per_second,
            waited50_ms=flow.median_ms,
            waited99_ms=flow.slow_ms,
            queued=group_commit.waiting,
            queue_limit=group_commit.queue_limit,
            users=counts.users if counts else None,
            events=counts.events if counts else None,
            backup=notes.get("backup"),
            verify=notes.get("verify"),
        )

    async def _count(self) -> Counts:
        return await self._laurels.store.counts()


class StoredOutcome(Generic[T]):
    """A value that takes long to make: kept for a while, made once at a time; the old one is served while a new one is made."""

    def __init__(self, make: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._made: tuple[T, float] | None = None
        self._making: asyncio.Task[T] | None = None

    def at_hand(self) -> T | None:
        """The value, however old; None where the first is being made. A new one is begun where it is time."""
        if self._making is None and (self._made is None or monotonic() - self._made[1] > self._seconds):
            # Made for all, and so as of now, whatever moment the one who asks lives in.
            self._making = asyncio.create_task(self._remake(), context=Context())
            self._making.add_done_callback(_say_failure)
        return self._made[0] if self._made else None

    async def value(self) -> T:
        """The value, waited for where there is none. Raises what its making raised."""
        made = self.at_hand()
        if made is not None:
            return made
        assert self._making is not None, "what is not at hand is being made"
        return await asyncio.shield(self._making)  # whoever waits may go away, and others wait, too

    async def _remake(self) -> T:
        try:
            value = await self._make()
            self._made = (value, monotonic())
            return value
        finally:
            self._making = None

    async def close(self) -> None:
        """Stop what is being made."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)


def _say_failure(task: asyncio.Task[T]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, LaurelsError):
        log.warning("a long reading failed, and is tried again when it is next asked for: %s", error)
    elif error is not None:
        log.error("a long reading failed", exc_info=error)
