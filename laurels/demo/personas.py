"""Whom one could be in the playground: some twenty members whose next step is worth seeing, found by facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice, pairwise

from laurels.engine.badges import AtLeast, Badge, StreakOf
from laurels.engine.catalog import Catalog
from laurels.engine.judge import length_of
from laurels.engine.values import plain
from laurels.storage.contract import UserRow

ACTIONS = ("agent.created", "message.sent", "referral.completed")
"""The types of events that the playground's buttons send."""

LONG_AWAY = 7
CLOSE = 20
"""Who lacks no more than one part in so many of a level's points is near it."""


@plain
class Story:
    """Somebody, and why they are worth being: the kind of story, and the facts that it tells."""

    user: UserRow
    kind: str
    facts: Mapping[str, int | str]


Stories = Iterator[Story]


class Narrator:
    """Finds stories among some members, as they stand at one moment under one catalog."""

    def __init__(self, catalog: Catalog, users: Sequence[UserRow], now: datetime) -> None:
        self._catalog = catalog
        self._now = now
        self._users = sorted(users, key=lambda user: (-user.progress.points, user.user_id))
        self._lengths = {user.user_id: self._streak(user) for user in users}

    def stories(self) -> list[Story]:
        """At most one story for each, the most telling kinds first."""
        told: dict[str, Story] = {}
        for kind, most in KINDS:
            fresh = (story for story in kind(self) if story.user.user_id not in told)
            told |= {story.user.user_id: story for story in islice(fresh, most)}
        return list(told.values())

    def near_a_badge(self) -> Stories:
        """Who lacks one thing that a button does; those whose way was longest first, one for each badge."""
        sought = [(badge, badge.condition) for badge in self._catalog.badges if isinstance(badge.condition, AtLeast)]
        for badge, condition in sorted(sought, key=lambda pair: -pair[1].target):
            if set(self._catalog.metrics[condition.metric].events) & {*ACTIONS}:
                near = (user for user in self._open(badge) if self._total(user, condition) == condition.target - 1)
                facts = {**_named(badge), "total": condition.target - 1, "target": condition.target}
                kind = "near_badge" if condition.target > 1 else "first_step"
                yield from (Story(user, kind, facts) for user in islice(near, 1))

    def near_a_streak_badge(self) -> Stories:
        """Whose streak reaches a badge by coming today, or by coming today and tomorrow."""
        for badge in self._catalog.badges:
            condition = badge.condition
            if isinstance(condition, StreakOf) and condition.streak == self._catalog.login_streak:
                for missing, kind in ((2, "badge_tomorrow"), (1, "badge_today")):
                    near = [user for user in self._open(badge) if self._short_of(user, condition.target) == missing]
                    yield from (
                        Story(user, kind, {**_named(badge), "days": self._lengths[user.user_id]}) for user in near[:1]
                    )

    def longest_streak(self) -> Stories:
        """Who has been here for the most days in a row."""
        for user in sorted(self._users, key=lambda user: -self._lengths[user.user_id]):
            if self._lengths[user.user_id] > 1:
                yield Story(user, "longest_streak", {"days": self._lengths[user.user_id]})

    def near_a_level(self) -> Stories:
        """Who lacks few points to the next level, one for each level."""
        levels = self._catalog.levels
        for level in reversed(levels.all[1:]):
            near = [user for user in self._users if 0 < level.points - user.progress.points <= level.points // CLOSE]
            for user in near[:1]:
                yield Story(user, "near_level", {"points": level.points - user.progress.points, "title": level.title})

    def leaders(self) -> Stories:
        """Who leads, and who is next."""
        ranked = [user for user in self._users if not user.progress.manual.excluded]
        if ranked:
            yield Story(ranked[0], "first", {})
        for above, user in pairwise(ranked):
            yield Story(user, "behind", {"points": above.progress.points - user.progress.points, "name": _name(above)})

    def newcomers(self) -> Stories:
        """Who joined last."""
        joined = [(user.progress.joined_at, user) for user in self._users if user.progress.joined_at]
        for moment, user in sorted(joined, key=lambda pair: pair[0], reverse=True):
            day = date.fromordinal(user.progress.zones.day(moment))
            yield Story(user, "newcomer", {"date": day.isoformat()})

    def away(self) -> Stories:
        """Who had a long streak once and has not been here for long."""
        login = self._catalog.login_streak
        gone = [user for user in self._users if self._days_away(user) >= LONG_AWAY]
        for user in sorted(gone, key=lambda user: -user.progress.longest(login)):
            yield Story(user, "away", {"days": self._days_away(user), "longest": user.progress.longest(login)})

    def travellers(self) -> Stories:
        """Whose clock stands in another zone than when they began."""
        for user in self._users:
            zones = user.progress.zones
            if zones.changes:
                yield Story(user, "traveller", {"before": zones.first or zones.default, "zone": zones.at(self._now)})

    def on_another_date(self) -> Stories:
        """For whom it is already tomorrow, or still yesterday, as UTC has it."""
        for user in self._users:
            ahead = self._today(user) - self._now.toordinal()
            if ahead:
                yield Story(user, "tomorrow" if ahead > 0 else "yesterday", {"zone": user.progress.zones.at(self._now)})

    def collectors(self) -> Stories:
        """Who has most badges."""
        for user in sorted(self._users, key=lambda user: -len(user.progress.badges)):
            if user.progress.badges:
                yield Story(user, "collector", {"badges": len(user.progress.badges), "all": len(self._catalog.badges)})

    def _open(self, badge: Badge) -> Iterator[UserRow]:
        """Those who can still earn a badge."""
        return (
            user for user in self._users if badge.id not in user.progress.badges.keys() | user.progress.manual.barred
        )

    def _short_of(self, user: UserRow, target: int) -> int:
        """How many days in a row are missing; -1 for whom nothing is to be seen, as they were here today."""
        here_today = self._days_away(user) == 0
        return -1 if here_today or not self._lengths[user.user_id] else target - self._lengths[user.user_id]

    def _streak(self, user: UserRow) -> int:
        rule = self._catalog.streaks[self._catalog.login_streak]
        return length_of(rule, user.progress, self._today(user))

    def _days_away(self, user: UserRow) -> int:
        days = user.progress.days.get(self._catalog.login_streak)
        return self._today(user) - days.last if days else 0

    def _today(self, user: UserRow) -> int:
        return user.progress.zones.day(self._now)

    @staticmethod
    def _total(user: UserRow, condition: AtLeast) -> int:
        return user.progress.totals.get(condition.metric, 0)


KINDS: Sequence[tuple[Callable[[Narrator], Stories], int]] = (
    (Narrator.near_a_badge, 6),
    (Narrator.near_a_streak_badge, 4),
    (Narrator.longest_streak, 1),
    (Narrator.near_a_level, 3),
    (Narrator.leaders, 2),
    (Narrator.newcomers, 2),
    (Narrator.away, 2),
    (Narrator.on_another_date, 1),
    (Narrator.travellers, 1),
    (Narrator.collectors, 1),
)
"""How many of each kind are shown."""


def _named(badge: Badge) -> dict[str, int | str]:
    return {"badge": f"{badge.icon} {badge.name}"}


def _name(user: UserRow) -> str:
    return user.name or user.user_id
