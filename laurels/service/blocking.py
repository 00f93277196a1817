"""Laurels for synchronous programs (Django, Flask, scripts): the same facade, on an event loop in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from anyio.from_thread import start_blocking_portal

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import LaurelsError
from laurels.present.badges import Explanation
from laurels.present.events import EventResult
from laurels.present.history import History
from laurels.present.leaderboards import LeaderboardList, LeaderboardPage
from laurels.present.profiles import Profile, UserRank
from laurels.present.streaks import STREAK_DAYS, UserStreaks
from laurels.present.users import User
from laurels.service.clock import Clock, utc_now
from laurels.service.laurels import LATE_WINDOW, Laurels
from laurels.service.profiles import HISTORY_PAGE
from laurels.storage.contract import POINTS_BOARD

T = TypeVar("T")


class BlockingLaurels:
    """The methods of `Laurels`, each returning when it is done. Any number of threads may share one.

    with BlockingLaurels("sqlite:///laurels.db") as laurels:
        laurels.record(Event("ada", "e-1", "agent.created"))
        print(laurels.profile("ada"))
    """

    def __init__(
        self,
        database: str = "sqlite:///laurels.db",
        catalog: Catalog | None = None,
        *,
        default_zone: str = "UTC",
        late_window: timedelta | None = LATE_WINDOW,
        clock: Clock = utc_now,
    ) -> None:
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        opened = Laurels.open(database, catalog, default_zone=default_zone, late_window=late_window, clock=clock)
        try:
            self._laurels = self._stack.enter_context(self._portal.wrap_async_context_manager(opened))
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what waits, let go of the database, end the thread."""
        self._stack.close()

    def record(self, event: Event) -> EventResult:
        """See Laurels.record."""
        return self._run(lambda: self._laurels.record(event))

    def record_many(self, events: Sequence[Event], *, ranks: bool = True) -> list[EventResult | LaurelsError]:
        """See Laurels.record_many."""
        return self._run(lambda: self._laurels.record_many(events, ranks=ranks))

    def update_user(
        self,
        user_id: str,
        *,
        name: str | msgspec.UnsetType | None = msgspec.UNSET,
        time_zone: str | msgspec.UnsetType = msgspec.UNSET,
        joined_at: datetime | msgspec.UnsetType | None = msgspec.UNSET,
        groups: Sequence[str] | msgspec.UnsetType = msgspec.UNSET,
    ) -> User:
        """See Laurels.update_user."""
        return self._run(
            lambda: self._laurels.update_user(
                user_id, name=name, time_zone=time_zone, joined_at=joined_at, groups=groups
            )
        )

    def user(self, user_id: str) -> User:
        """See Laurels.user."""
        return self._run(lambda: self._laurels.user(user_id))

    def erase_user(self, user_id: str) -> None:
        """See Laurels.erase_user."""
        return self._run(lambda: self._laurels.erase_user(user_id))

    def history(self, user_id: str, limit: int = HISTORY_PAGE, before: int | None = None) -> History:
        """See Laurels.history."""
        return self._run(lambda: self._laurels.history(user_id, limit, before))

    def profile(
        self, user_id: str, *, login: bool = False, include: Collection[str] = (), days: int = STREAK_DAYS
    ) -> Profile:
        """See Laurels.profile."""
        return self._run(lambda: self._laurels.profile(user_id, login=login, include=include, days=days))

    def streaks(self, user_id: str, days: int = STREAK_DAYS) -> UserStreaks:
        """See Laurels.streaks."""
        return self._run(lambda: self._laurels.streaks(user_id, days))

    def explain(self, user_id: str, badge_id: str) -> Explanation:
        """See Laurels.explain."""
        return self._run(lambda: self._laurels.explain(user_id, badge_id))

    def leaderboards(self) -> LeaderboardList:
        """See Laurels.leaderboards."""
        return self._run(self._laurels.leaderboards)

    def leaderboard(
        self,
        board: str = POINTS_BOARD,
        period: str = "current",
        *,
        limit: int | None = None,
        after: str | None = None,
        around: str | None = None,
        friends: Sequence[str] | None = None,
        me: str | None = None,
    ) -> LeaderboardPage:
        """See Laurels.leaderboard."""
        return self._run(
            lambda: self._laurels.leaderboard(
                board, period, limit=limit, after=after, around=around, friends=friends, me=me
            )
        )

    def rank(self, user_id: str) -> UserRank:
        """See Laurels.rank."""
        return self._run(lambda: self._laurels.rank(user_id))

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            return await work()

        return self._portal.call(run)
