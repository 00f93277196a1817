"""Members to act as in the playground: about twenty whose next step shows something, chosen by facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice, pairwise

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.conditions import AtLeast, StreakOf
from laurels.engine.judge import length_of, today_of
from laurels.engine.values import plain
from laurels.storage.contract import UserRow

ACTIONS = ("agent.created", "message.sent", "referral.completed")
"""The event types that the playground's buttons send."""

LONG_AWAY = 7
"""Days without a visit."""
CLOSE = 20
"""A user is near a level if they miss at most 1/20 of its points."""


@plain
class Persona:
    """A member, the reason to act as them, and the facts that the reason's text needs."""

    user: UserRow
    kind: str
    facts: Mapping[str, int | str]


Personas = Iterator[Persona]


class PersonaFinder:
    """Chooses personas among some members, at one point in time, under one catalog."""

    def __init__(self, catalog: Catalog, users: Sequence[UserRow], now: datetime) -> None:
        self._catalog = catalog
        self._now = now
        self._users = sorted(users, key=lambda user: (-user.progress.points, user.user_id))
        self._lengths = {user.user_id: self._streak(user) for user in users}

    def personas(self) -> list[Persona]:
        """Each member at most once, in the order of KINDS."""
        chosen: dict[str, Persona] = {}
        for kind, most in KINDS:
            others = (persona for persona in kind(self) if persona.user.user_id not in chosen)
            chosen |= {persona.user.user_id: persona for persona in islice(others, most)}
        return list(chosen.values())

    def near_a_badge(self) -> Personas:
        """One action of a button short of a badge, one member per badge; the badge with the highest target first."""
        shown = [badge for badge in self._catalog.badges if not badge.secret]
        sought = [(badge, badge.condition) for badge in shown if isinstance(badge.condition, AtLeast)]
        for badge, condition in sorted(sought, key=lambda pair: -pair[1].target):
            if set(self._catalog.counted[condition.metric].events) & {*ACTIONS}:
                near = (user for user in self._open(badge) if self._total(user, condition) == condition.target - 1)
                facts = {**_named(badge), "total": condition.target - 1, "target": condition.target}
                kind = "near_badge" if condition.target > 1 else "first_step"
                yield from (Persona(user, kind, facts) for user in islice(near, 1))

    def near_a_streak_badge(self) -> Personas:
        """A visit today, or visits today and tomorrow, earn a badge of the login streak."""
        for badge in self._catalog.badges:
            condition = badge.condition
            if isinstance(condition, StreakOf) and condition.streak == self._catalog.login_streak:
                for missing, kind in ((2, "badge_tomorrow"), (1, "badge_today")):
                    near = [user for user in self._open(badge) if self._short_of(user, condition.target) == missing]
                    yield from (
                        Persona(user, kind, {**_named(badge), "days": self._lengths[user.user_id]}) for user in near[:1]
                    )

    def longest_streak(self) -> Personas:
        """The longest current streak."""
        for user in sorted(self._users, key=lambda user: -self._lengths[user.user_id]):
            if self._lengths[user.user_id] > 1:
                yield Persona(user, "longest_streak", {"days": self._lengths[user.user_id]})

    def near_a_level(self) -> Personas:
        """Close to the next level, one member per level."""
        levels = self._catalog.levels
        for level in reversed(levels.all[1:]):
            near = [user for user in self._users if 0 < level.points - user.progress.points <= level.points // CLOSE]
            for user in near[:1]:
                yield Persona(user, "near_level", {"points": level.points - user.progress.points, "title": level.title})

    def leaders(self) -> Personas:
        """The first on points, and those who follow."""
        ranked = [user for user in self._users if not user.progress.manual.excluded]
        if ranked:
            yield Persona(ranked[0], "first", {})
        for above, user in pairwise(ranked):
            yield Persona(
                user, "behind", {"points": above.progress.points - user.progress.points, "name": _name(above)}
            )

    def newcomers(self) -> Personas:
        """The newest members."""
        joined = [(user.progress.joined_at, user) for user in self._users if user.progress.joined_at]
        for joined_at, user in sorted(joined, key=lambda pair: pair[0], reverse=True):
            day = date.fromordinal(user.progress.zones.day(joined_at))
            yield Persona(user, "newcomer", {"date": day.isoformat()})

    def away(self) -> Personas:
        """A long streak in the past, and no visit for LONG_AWAY days."""
        login = self._catalog.login_streak
        inactive = [user for user in self._users if self._days_away(user) >= LONG_AWAY]
        for user in sorted(inactive, key=lambda user: -user.progress.longest(login)):
            yield Persona(user, "away", {"days": self._days_away(user), "longest": user.progress.longest(login)})

    def travellers(self) -> Personas:
        """In another time zone than when they joined."""
        for user in self._users:
            zones = user.progress.zones
            if zones.journeys():
                yield Persona(user, "traveller", {"before": zones.first or zones.default, "zone": zones.at(self._now)})

    def on_another_date(self) -> Personas:
        """On another date than UTC now."""
        for user in self._users:
            ahead = self._today(user) - self._now.toordinal()
            if ahead:
                yield Persona(
                    user, "tomorrow" if ahead > 0 else "yesterday", {"zone": user.progress.zones.at(self._now)}
                )

    def collectors(self) -> Personas:
        """The most badges."""
        for user in sorted(self._users, key=lambda user: -len(user.progress.badges)):
            if user.progress.badges:
                yield Persona(
                    user, "collector", {"badges": len(user.progress.badges), "all": len(self._catalog.badges)}
                )

    def _open(self, badge: Badge) -> Iterator[UserRow]:
        """Users who can still earn a badge."""
        return (
            user for user in self._users if badge.id not in user.progress.badges.keys() | user.progress.manual.barred
        )

    def _short_of(self, user: UserRow, target: int) -> int:
        """How many days in a row are missing; -1 for users without a streak, and for those who came today already."""
        here_today = self._days_away(user) == 0
        return -1 if here_today or not self._lengths[user.user_id] else target - self._lengths[user.user_id]

    def _streak(self, user: UserRow) -> int:
        rule = self._catalog.streaks[self._catalog.login_streak]
        return length_of(rule, user.progress, today_of(rule, user.progress, self._now))

    def _days_away(self, user: UserRow) -> int:
        days = user.progress.days.get(self._catalog.login_streak)
        return self._today(user) - days.last if days else 0

    def _today(self, user: UserRow) -> int:
        return user.progress.zones.day(self._now)

    @staticmethod
    def _total(user: UserRow, condition: AtLeast) -> int:
        return user.progress.totals.get(condition.metric, 0)


KINDS: Sequence[tuple[Callable[[PersonaFinder], Personas], int]] = (
    (PersonaFinder.near_a_badge, 6),
    (PersonaFinder.near_a_streak_badge, 4),
    (PersonaFinder.longest_streak, 1),
    (PersonaFinder.near_a_level, 3),
    (PersonaFinder.leaders, 2),
    (PersonaFinder.newcomers, 2),
    (PersonaFinder.away, 2),
    (PersonaFinder.on_another_date, 1),
    (PersonaFinder.travellers, 1),
    (PersonaFinder.collectors, 1),
)
"""Kinds of personas, and how many of each are shown."""


def _named(badge: Badge) -> dict[str, int | str]:
    return {"badge": f"{badge.icon} {badge.name}"}


def _name(user: UserRow) -> str:
    return user.name or user.user_id
