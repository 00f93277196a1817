"""Reports on a whole community: how rare badges are, and charts of activity, awards, points, streaks and retention."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from msgspec import Meta

from laurels.engine.catalog import Catalog
from laurels.engine.parsing import nearest
from laurels.present.base import Answer, UtcTime


class BadgeRarity(Answer, frozen=True):
    """How rare a badge is. `holders` and `share` are null when the community is too small to publish them."""

    id: str
    holders: Annotated[int | None, Meta(description="How many users have it")]
    share: Annotated[float | None, Meta(description="holders / users, from 0 to 1")]


class RarityReport(Answer, frozen=True):
    """How rare each badge of the catalog is. Counted at most a few minutes ago."""

    computed_at: UtcTime
    users: Annotated[
        int | None, Meta(description="How many users there are; null when there are too few to publish the number")
    ]
    badges: list[BadgeRarity]


class DailyUsers(Answer, frozen=True):
    """How many users were active on a day."""

    day: date
    users: int


class DailyAwards(Answer, frozen=True):
    """How many users earned a badge on a day (UTC)."""

    day: date
    badge: str
    awards: int


class DailyPoints(Answer, frozen=True):
    """How many points one source paid on a day (UTC): its kind, and the id of the badge or rule."""

    day: date
    reason: str
    ref: str
    points: int


class LevelUsers(Answer, frozen=True):
    """How many users are on a level."""

    level: int
    title: str
    users: int


class StreakLengthUsers(Answer, frozen=True):
    """How many users have a streak of this length."""

    length: int
    users: int


class StreakLengths(Answer, frozen=True):
    """How many users have which length of a streak: now, and at its longest. Users who never began it are not counted."""

    streak: str
    current: list[StreakLengthUsers]
    longest: list[StreakLengthUsers]


class RetentionCohort(Answer, frozen=True):
    """Users who were first active in one week, and how many of them were active in that week and each later week."""

    week: Annotated[date, Meta(description="The week's Monday")]
    users: int
    active: list[int]


class BadgeTiming(Answer, frozen=True):
    """How many users have a badge, for how many it was the first one, and the median time from joining to earning it."""

    badge: str
    holders: int
    first: int
    median_seconds: float | None


class CommunityReport(Answer, frozen=True):
    """Charts of a community. All numbers count `sampled` users, chosen evenly among `users`; all of them if both are equal."""

    computed_at: UtcTime
    users: int
    sampled: int
    active: list[DailyUsers]
    awards: list[DailyAwards]
    points: list[DailyPoints]
    levels: list[LevelUsers]
    streaks: list[StreakLengths]
    retention: list[RetentionCohort]
    badges: list[BadgeTiming]


class ReportProgress(Answer, frozen=True):
    """The first report is being made: the share that is done, from 0 to 1."""

    progress: float


class UnknownType(Answer, frozen=True):
    """An event type that no rule of the catalog names: its events are stored and count for nothing.

    `nearest` is the type that was probably meant; None without one.
    """

    type: str
    events: int
    nearest: str | None


def unknown_types(catalog: Catalog, events: Mapping[str, int]) -> list[UnknownType]:
    """The types that no rule names, the most frequent first. `events` are the numbers of events by type."""
    known = catalog.rule_indexes
    ranked = sorted((name for name in events if name not in known), key=lambda name: (-events[name], name))
    return [UnknownType(type=name, events=events[name], nearest=nearest(name, known) or None) for name in ranked]
