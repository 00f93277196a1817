"""For the tests of apps that use Laurels: all of it in memory, with a clock in your hand.

async with sandbox() as (laurels, clock):
    for _ in range(7):
        profile = await laurels.profile("ada", login=True)
        clock.advance(days=1)
    assert profile.badge_awarded == "login_streak_7"
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from laurels.engine.catalog import Catalog
from laurels.service.laurels import LATE_WINDOW, Laurels


class TestClock:
    """A clock that stands still until it is moved."""

    __test__ = False

    def __init__(self, now: datetime) -> None:
        """Stand at `now`, an aware moment."""
        self.now = now

    def __call__(self) -> datetime:
        """The moment at which it stands."""
        return self.now

    def set(self, now: datetime) -> None:
        """Move to this moment."""
        self.now = now.astimezone(UTC)

    def advance(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """Move on by so much."""
        self.now += timedelta(days=days, hours=hours, seconds=seconds)


@asynccontextmanager
async def sandbox(
    catalog: Catalog | None = None,
    *,
    database: str = "sqlite://",
    start: datetime = datetime(2026, 1, 5, 12, tzinfo=UTC),
    default_zone: str = "UTC",
    late_window: timedelta | None = LATE_WINDOW,
) -> AsyncIterator[tuple[Laurels, TestClock]]:
    """A Laurels of its own, in memory unless `database` says otherwise, and its clock."""
    clock = TestClock(start)
    opened = Laurels.open(database, catalog, default_zone=default_zone, late_window=late_window, clock=clock)
    async with opened as laurels:
        yield laurels, clock
