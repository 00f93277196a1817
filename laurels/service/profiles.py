"""Reading users: profiles and logins, streaks, explanations, and everything about one user."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import cast

import msgspec

from laurels.commands.events import LoggedIn, LogIn, Recorded
from laurels.commands.rows import named_now
from laurels.engine.days import Days
from laurels.engine.events import MAX_USER_ID, OWN_PREFIX, Event, check_text
from laurels.engine.streaks import Streak
from laurels.engine.supply import none_left
from laurels.engine.validity import with_valid_badges
from laurels.errors import BadgeNotFound, InvalidInput, UserNotFound
from laurels.present.badge_details import badge_details
from laurels.present.badges import (
    EarnedBadge,
    Explanation,
    badges_in_reach,
    earned_badges,
    explanation,
    next_badges,
)
from laurels.present.copies import badge_copies
from laurels.present.entitlements import Entitlements, entitlements_of
from laurels.present.history import History, history
from laurels.present.overviews import UserOverview, user_overview
from laurels.present.own_history import own_history
from laurels.present.point_kinds import kind_balances
from laurels.present.profiles import RANKED_IN_PROFILE, Profile, UserRank, streak_badge
from laurels.present.streaks import STREAK_DAYS, UserStreaks, user_streaks
from laurels.service.core import Core
from laurels.storage.contract import ALL_TIME, POINTS_BOARD, ProfileView, Standing, UserDetails, UserRow

INCLUDES = ("balance", "rank", "next", "toward", "streaks", "history", "earned", "details", "copies", "kinds")
"""What a profile can include beyond the contract's eleven fields."""

SUPPLIED = frozenset({"next", "toward", "copies"})
"""The includes that tell whether copies of limited badges are left."""

HISTORY_PAGE = 20

_NO_DAYS = Days()
_NOT_RANKED = UserRank(rank=None, ranked_users=0)


class ProfileReader:
    """Reads profiles and everything else about one user, and records the daily login."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def profile(self, user_id: str, *, login: bool, include: Collection[str], days: int) -> Profile:
        """See Laurels.profile.

        One store call in the common case: the user is up to date and, with `login`, has logged in today. Otherwise a second call
        writes, and a third reads the leaderboard again if that may have changed it.
        """
        _check_include(include)
        check_text("userId", user_id, MAX_USER_ID)
        core = self._core
        now = await core.clock.now()
        view = await core.profile_view(user_id)
        row, top, badge_awarded = view.user, view.top, None
        if row is None and not login:
            raise UserNotFound
        if login and (row is None or not self._has_logged_in(row, now)):
            row, top, badge_awarded = await self._log_in(user_id, view, now)
        elif row is not None and core.is_outdated(row, view.amnesty_count, now):
            await core.refreshed(user_id)
            row, top = await self._read_again(user_id)
        assert row is not None
        profile = (await core.profile_maker()).profile(row, top, now, badge_awarded)
        return await self._with_more(profile, row, now, include, days) if include else profile

    def _has_logged_in(self, row: UserRow, now: datetime) -> bool:
        """Whether the user has logged in today."""
        progress, streak = row.progress, self._login_streak
        return progress.zones.day(now, streak.day_starts) in progress.days.get(streak.name, _NO_DAYS)

    @property
    def _login_streak(self) -> Streak:
        """The streak whose days decide when a login is the first of its day."""
        return self._core.shown.streaks[self._core.shown.login_streak]

    async def _log_in(
        self, user_id: str, view: ProfileView, now: datetime
    ) -> tuple[UserRow, Sequence[Standing], str | None]:
        """Record today's login, once even if requests race. Returns the user's row, the leaders, and the badge awarded."""
        zones = view.user.progress.zones if view.user else self._core.new_user_zones
        streak, event_type = self._login_streak, self._core.shown.login_event
        today = zones.day(now, streak.day_starts)
        event_id = f"{OWN_PREFIX}{event_type}:{date.fromordinal(today).isoformat()}"
        answer = await self._record_login(Event(user_id, event_id, event_type), now)
        while answer.recorded.duplicate and streak.day_of(answer.recorded.event, answer.user.progress.zones) != today:
            # The time zone or the rule has changed since that login was recorded, so it counts for another day than its id says.
            event_id += ":again"
            answer = await self._record_login(Event(user_id, event_id, event_type), now)
        row, top = answer.user, view.top
        if not _is_only_change(view, answer):
            row, top = await self._read_again(user_id)
        return row, top, streak_badge(self._core.shown, answer.recorded)

    async def _record_login(self, event: Event, now: datetime) -> LoggedIn:
        return cast(LoggedIn, await self._core.run(LogIn(event, now)))

    async def _read_again(self, user_id: str) -> tuple[UserRow, Sequence[Standing]]:
        """The row and the leaders, from one snapshot so that they agree. Raises UserNotFound if erased meanwhile."""
        view = await self._core.profile_view(user_id)
        if view.user is None:
            raise UserNotFound
        return view.user, view.top

    async def _with_more(
        self, profile: Profile, row: UserRow, now: datetime, include: Collection[str], days: int
    ) -> Profile:
        """The profile with what it includes beyond the contract."""
        catalog, progress = self._core.shown, row.progress
        more: dict[str, object] = {}
        taken: Mapping[str, int] = await self._core.supplies() if SUPPLIED.intersection(include) else {}
        gone = none_left(catalog.limited, taken)
        if "balance" in include:
            more["balance"] = progress.balance
        if "rank" in include:
            may_read = catalog.boards[POINTS_BOARD].may_be_read_by(row.groups)
            more["rank"] = await self.rank(row.user_id) if may_read else _NOT_RANKED
        if "next" in include:
            more["next"] = next_badges(catalog, progress, now, none_left=gone)
        if "toward" in include:
            more["toward"] = badges_in_reach(catalog, progress, now, gone)
        if "streaks" in include:
            more["streaks"] = user_streaks(catalog, progress, now, days)
        if "history" in include:
            page = await self._core.store.history(row.user_id, HISTORY_PAGE)
            more["history"] = own_history(catalog.own_history, history(row, page, HISTORY_PAGE))
        if "earned" in include:
            more["earned"] = await self._earned(row)
        makers: dict[str, Callable[[], object]] = {
            "details": lambda: badge_details(catalog, progress),
            "copies": lambda: badge_copies(catalog, taken, progress.badges),
            "kinds": lambda: kind_balances(catalog, progress),
        }
        more |= {name: make() for name, make in makers.items() if name in include}
        return msgspec.structs.replace(profile, **more)

    async def _earned(self, row: UserRow) -> list[EarnedBadge]:
        """When each badge was earned. Those that an earlier version awarded have no date, so their events are read."""
        store = self._core.store
        awards = await store.awards(row.user_id)
        undated = [award.event_id for award in awards if award.event_id and award.badge not in row.earned]
        events = {event_id: await store.event(row.user_id, event_id) for event_id in undated}
        return earned_badges(
            self._core.shown, row, awards, {event_id: event for event_id, event in events.items() if event}
        )

    async def history(self, user_id: str, limit: int, before: int | None) -> History:
        """See Laurels.history."""
        if limit < 1:
            raise InvalidInput("limit", "must be 1 or more")
        row = await self._core.user(user_id)
        return history(row, await self._core.store.history(user_id, limit, before), limit)

    async def streaks(self, user_id: str, days: int = STREAK_DAYS) -> UserStreaks:
        """See Laurels.streaks."""
        row = await self._core.current_user(user_id)
        return UserStreaks(streaks=user_streaks(self._core.shown, row.progress, await self._core.now(), days))

    async def entitlements(self, user_id: str) -> Entitlements:
        """See Laurels.entitlements."""
        row = await self._core.current_user(user_id)
        catalog, now = self._core.shown, await self._core.now()
        valid = with_valid_badges(catalog.badges, row.progress, row.earned, now)
        return Entitlements(entitlements=entitlements_of(catalog, valid))

    async def explain(self, user_id: str, badge_id: str) -> Explanation:
        """See Laurels.explain."""
        core = self._core
        await core.rules.follow()
        badge = core.shown.badge(badge_id)
        if badge is None:
            raise BadgeNotFound
        row, now = await core.current_user(user_id), await core.now()
        award = next((item for item in await core.store.awards(user_id) if item.badge == badge.id), None)
        event = await core.store.event(user_id, award.event_id) if award and award.event_id else None
        gone = none_left(core.shown.limited, await core.supplies())
        return explanation(core.shown, badge, row, award, event, now, gone)

    async def rank(self, user_id: str) -> UserRank:
        """See Laurels.rank."""
        check_text("userId", user_id, MAX_USER_ID)
        rank, ranked = await self._core.store.rank(POINTS_BOARD, ALL_TIME, user_id)
        return UserRank(rank=rank, ranked_users=ranked)

    async def overview(self, user_id: str, *, days: int, limit: int, before: int | None, refresh: bool) -> UserOverview:
        """See Laurels.overview."""
        check_text("userId", user_id, MAX_USER_ID)
        core = self._core
        details = await self._details(user_id, limit, before)
        now = await core.now()
        is_outdated = details is not None and core.is_outdated(details.user, details.amnesty_count, now)
        if refresh and details and not details.user.erase_at and is_outdated:
            await core.refreshed(user_id)
            details = await self._details(user_id, limit, before)
        if details is None:
            raise UserNotFound
        outdated = core.is_outdated(details.user, details.amnesty_count, now)
        if outdated:
            awards = [replace(award, badge=core.shown.renames.badge(award.badge)) for award in details.awards]
            details = replace(details, user=named_now(details.user, core.shown), awards=awards)
        maker = await core.profile_maker()
        gone = none_left(core.shown.limited, await core.supplies())
        return user_overview(maker, details, now, days=days, limit=limit, outdated=outdated, none_left=gone)

    async def _details(self, user_id: str, limit: int, before: int | None) -> UserDetails | None:
        details = await self._core.store.user_details(user_id, RANKED_IN_PROFILE, limit, before)
        if details:
            await self._core.rules.follow(details.catalog)
        return details


def _is_only_change(view: ProfileView, answer: LoggedIn) -> bool:
    """Whether the login is all that happened to the user since the view, and moved no points.

    Then the leaders in the view still agree with the user's row, and need not be read again.
    """
    before = view.user.revision if view.user else 0
    return not _moves_points(answer.recorded) and answer.user.revision == before + (not answer.recorded.duplicate)


def _moves_points(recorded: Recorded) -> bool:
    return recorded.outcome.points is not None


def _check_include(include: Collection[str]) -> None:
    for name in include:
        if name not in INCLUDES:
            raise InvalidInput("include", f"'{name}' is unknown; use any of {', '.join(INCLUDES)}")
