"""For the tests of apps that use Laurels: a Laurels in memory, with a clock that your test moves.

async with sandbox() as (laurels, clock):
    for _ in range(7):
        profile = await laurels.profile("ada", login=True)
        clock.advance(days=1)
    assert profile.badge_awarded == "login_streak_7"

`blocking_sandbox` is the same for synchronous code, and `laurels.testing.plugin` has fixtures for pytest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

from laurels.engine.catalog import Catalog
from laurels.service.blocking import BlockingLaurels
from laurels.service.laurels import LATE_WINDOW, Laurels

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""When the clock of a sandbox starts, unless a test says otherwise: a Monday at noon."""


class TestClock:
    """A clock that shows the same time until it is moved."""

    __test__ = False

    def __init__(self, now: datetime = START) -> None:
        """Show `now`, an aware datetime."""
        self.now = now

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now

    def set(self, now: datetime) -> None:
        """Move to this time."""
        self.now = now.astimezone(UTC)

    def advance(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """Move forward by this much."""
        self.now += timedelta(days=days, hours=hours, seconds=seconds)


@asynccontextmanager
async def sandbox(
    catalog: Catalog | None = None,
    *,
    database: str = "sqlite://",
    start: datetime = START,
    default_zone: str = "UTC",
    late_window: timedelta | None = LATE_WINDOW,
) -> AsyncIterator[tuple[Laurels, TestClock]]:
    """A Laurels for one test, in memory unless `database` says otherwise, and its clock.

    `catalog` is put in force, also where the database has another one.
    """
    clock = TestClock(start)
    opened = Laurels.open(
        database,
        catalog,
        default_zone=default_zone,
        late_window=late_window,
        clock=clock,
        on_difference="apply",
    )
    async with opened as laurels:
        yield laurels, clock


@contextmanager
def blocking_sandbox(
    catalog: Catalog | None = None,
    *,
    database: str = "sqlite://",
    start: datetime = START,
    default_zone: str = "UTC",
    late_window: timedelta | None = LATE_WINDOW,
) -> Iterator[tuple[BlockingLaurels, TestClock]]:
    """As `sandbox`, for synchronous code."""
    clock = TestClock(start)
    opened = BlockingLaurels(
        database,
        catalog,
        default_zone=default_zone,
        late_window=late_window,
        clock=clock,
        on_difference="apply",
    )
    with opened as laurels:
        yield laurels, clock
