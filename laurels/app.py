"""Laurels: the one facade. Everything outside asks it; it loads, lets the engine judge, and saves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import cast

import msgspec

from laurels import views
from laurels.acts import Act, EraseUser, House, Recorded, RecordEvent, RefreshUser, UpdateUser
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days, Zones
from laurels.engine.events import (
    MAX_NAME,
    MAX_USER_ID,
    OWN_PREFIX,
    UNSAFE,
    Event,
    check_event,
    check_moment,
    check_text,
)
from laurels.errors import InvalidInput, LaurelsError, UserNotFound
from laurels.recorder import Recorder
from laurels.shapes import HistoryShape, ProfileShape, RankShape, StandingShape, UserShape
from laurels.storage import open_store
from laurels.storage.base import Standing, Store, UserRow
from laurels.views import RANKED_IN_PROFILE, Views

INCLUDES = ("rank", "next", "streaks", "history")
HISTORY_PAGE = 20
LATE_WINDOW = timedelta(days=30)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


class Laurels:
    """Badges, points, levels, streaks and a leaderboard for the users of one app.

        async with Laurels.open("sqlite:///laurels.db") as laurels:
            await laurels.record(Event("ada", "e-1", "agent.created"))
            print(await laurels.profile("ada"))

    Every method may raise StoreUnavailable, and those that write Overloaded.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog | None = None,
        *,
        default_zone: str = "UTC",
        late_window: timedelta | None = LATE_WINDOW,
        queue_limit: int = 10_000,
        batch_limit: int = 500,
        clock: Clock = utc_now,
    ) -> None:
        """A facade over an opened store; `late_window` None takes events however old."""
        self.store = store
        self.catalog = catalog or Catalog.default()
        self.views = Views(self.catalog)
        self.clock = clock
        house = House(self.catalog, default_zone, late_window)
        self._fresh_zones = Zones(default=default_zone)
        self.recorder = Recorder(store, house, queue_limit, batch_limit)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: str = "sqlite:///laurels.db",
        catalog: Catalog | None = None,
        *,
        default_zone: str = "UTC",
        late_window: timedelta | None = LATE_WINDOW,
        clock: Clock = utc_now,
    ) -> AsyncIterator[Laurels]:
        """Open a database, bring its schema up to date, and close it in the end, when all that waits is written."""
        store = open_store(database)
        laurels = cls(store, catalog, default_zone=default_zone, late_window=late_window, clock=clock)
        try:
            await store.migrate()
            yield laurels
        finally:
            await laurels.close()

    async def close(self) -> None:
        """Write what waits, and let go of the database."""
        await self.recorder.close()
        await self.store.close()

    # ---- events -------------------------------------------------------------------------------

    async def record(self, event: Event) -> Recorded:
        """Record an event; once it returns, it is durable. A duplicate gets the original answer.

        Raises InvalidInput (EventTooLate, EventTooEarly), EventConflict, UserErased.
        """
        (answer,) = await self.record_many([event])
        return _answer_or_raise(answer)

    async def record_many(self, events: Sequence[Event], *, ranks: bool = True) -> list[Recorded | LaurelsError]:
        """Record events in one transaction, with one answer for each, in order: what it changed, or why it was refused.

        One bad event never spoils the others. `ranks=False` leaves out the rank before and after, which imports
        do not need.
        """
        now = self.clock()
        acts: list[Act] = []
        refused: dict[int, LaurelsError] = {}
        for index, event in enumerate(events):
            try:
                check_event(event)
            except InvalidInput as error:
                refused[index] = error
            else:
                acts.append(RecordEvent(event, now))
        answers = iter(await self.recorder.submit(acts, ranks=ranks) if acts else [])
        return [refused[index] if index in refused else cast(Recorded, next(answers)) for index in range(len(events))]

    # ---- users --------------------------------------------------------------------------------

    async def update_user(
        self,
        user_id: str,
        *,
        name: str | msgspec.UnsetType | None = msgspec.UNSET,
        time_zone: str | msgspec.UnsetType = msgspec.UNSET,
        joined_at: datetime | msgspec.UnsetType | None = msgspec.UNSET,
        lenient_zone: bool = False,
    ) -> UserShape:
        """Make or change a user; what is left out stays. With `lenient_zone`, a zone change too soon is left out.

        Raises InvalidInput, ZoneChangeTooSoon, UserErased; then nothing was changed.
        """
        check_text("userId", user_id, MAX_USER_ID)
        if isinstance(joined_at, datetime):
            check_moment("joinedAt", joined_at)
            joined_at = joined_at.astimezone(UTC)
        if isinstance(name, str):
            name = clean_name(name)
        now = self.clock()
        act = UpdateUser(user_id, now, name, time_zone, joined_at, lenient_zone)
        user = cast(UserRow, await self._do(act))
        return self.views.user(user, now)

    async def user(self, user_id: str) -> UserShape:
        """A user as stored. Raises UserNotFound."""
        return self.views.user(await self._user(user_id), self.clock())

    async def erase_user(self, user_id: str) -> None:
        """Erase every trace of a user, for good: late events are refused. Harmless to repeat. Raises InvalidInput."""
        check_text("userId", user_id, MAX_USER_ID)
        await self._do(EraseUser(user_id, self.clock()))

    async def history(self, user_id: str, limit: int = HISTORY_PAGE, before: int | None = None) -> HistoryShape:
        """What happened to a user, newest first, `limit` acts to a page. Raises UserNotFound."""
        await self._user(user_id)
        return views.history(*await self.store.history(user_id, limit, before), limit)

    # ---- reading ------------------------------------------------------------------------------

    async def profile(self, user_id: str, *, login: bool = False, include: Collection[str] = ()) -> ProfileShape:
        """What a user sees.

        With `login`, this reading is the user's daily login: it may earn a streak badge, and a user who was unknown begins here.
        `include` asks for more of INCLUDES. Raises UserNotFound (without login), UserErased (with it), and InvalidInput for
        an unknown include.
        """
        _check_include(include)
        now = self.clock()
        user, top = await self.store.view(user_id, RANKED_IN_PROFILE)
        badge_awarded = None
        if user is None and not login:
            raise UserNotFound
        if login and (user is None or not self._logged_in(user, now)):
            badge_awarded = await self._log_in(user_id, user.progress.zones if user else self._fresh_zones, now)
            user, top = await self._view(user_id)
        elif user is not None and user.rules != self.catalog.rules:
            await self._do(RefreshUser(user_id, now))
            user, top = await self._view(user_id)
        assert user is not None
        profile = self.views.profile(user, top, now, badge_awarded)
        return await self._with_more(profile, user, now, include) if include else profile

    def _logged_in(self, user: UserRow, now: datetime) -> bool:
        """Whether today needs no login any more."""
        progress = user.progress
        return progress.zones.day(now) in progress.days.get(self.catalog.login_streak, Days())

    async def _log_in(self, user_id: str, zones: Zones, now: datetime) -> str | None:
        """Record today's login, once however many requests race, and name the streak badge that it awarded."""
        today = date.fromordinal(zones.day(now))
        event_type = self.catalog.login_event
        login = Event(user_id, f"{OWN_PREFIX}{event_type}:{today.isoformat()}", event_type)
        return self.views.streak_badge(cast(Recorded, await self._do(RecordEvent(login, now))))

    async def _view(self, user_id: str) -> tuple[UserRow, Sequence[Standing]]:
        user, top = await self.store.view(user_id, RANKED_IN_PROFILE)
        if user is None:
            raise UserNotFound
        return user, top

    async def _with_more(
        self, profile: ProfileShape, user: UserRow, now: datetime, include: Collection[str]
    ) -> ProfileShape:
        """The profile with what was asked for beyond the contract."""
        more: dict[str, object] = {}
        if "rank" in include:
            more["rank"] = await self.rank(user.user_id)
        if "next" in include:
            more["next"] = self.views.next_badges(user.progress, now)
        if "streaks" in include:
            more["streaks"] = self.views.streaks(user.progress, now)
        if "history" in include:
            more["history"] = await self.history(user.user_id)
        return msgspec.structs.replace(profile, **more)

    async def leaderboard(self, limit: int = 10, after: int = 0) -> list[StandingShape]:
        """`limit` lines of the points board, from rank `after + 1` on."""
        return [self.views.standing(standing) for standing in await self.store.top(limit, after)]

    async def rank(self, user_id: str) -> RankShape:
        """A user's exact rank by points, among how many. Unknown users are unranked."""
        rank, ranked = await self.store.rank(user_id)
        return RankShape(rank=rank, ranked_users=ranked)

    # ---- inside -------------------------------------------------------------------------------

    async def _user(self, user_id: str) -> UserRow:
        user = await self.store.user(user_id)
        if user is None:
            raise UserNotFound
        return user

    async def _do(self, act: Act) -> object:
        (answer,) = await self.recorder.submit([act])
        if isinstance(answer, LaurelsError):
            raise answer
        return answer


def _check_include(include: Collection[str]) -> None:
    for name in include:
        if name not in INCLUDES:
            raise InvalidInput("include", f"'{name}' is not known; use any of {', '.join(INCLUDES)}")


def clean_name(name: str) -> str:
    """A display name without control characters, and without those that turn the direction of the text around it.

    Raises InvalidInput when nothing is left, or when it is too long.
    """
    kept = DIRECTION_MARKS.sub("", UNSAFE.sub("", name)).strip()
    check_text("name", kept, MAX_NAME)
    return kept


DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _answer_or_raise(answer: Recorded | LaurelsError) -> Recorded:
    if isinstance(answer, LaurelsError):
        raise answer
    return answer
