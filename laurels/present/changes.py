"""What a recorded event or an adjustment changed: badges, points, level and streaks, each before and after."""

from __future__ import annotations

from typing import Any

import msgspec

from laurels.commands.unit_of_work import StoredOutcome
from laurels.engine.catalog import Catalog
from laurels.present.base import Answer, Points


class Award(Answer, frozen=True):
    """A badge that was earned, with its points."""

    badge: str = msgspec.field(name="id")
    name: str
    icon: str
    points: Points


class NumberChange(Answer, frozen=True):
    """A number, before and after."""

    before: int
    after: int


class LevelChange(Answer, frozen=True):
    """The level, before and after, and the title of the new level."""

    before: int
    after: int
    title: str


class RankChange(Answer, frozen=True):
    """The exact rank by points, before and after; null without points."""

    before: int | None
    after: int | None


def changes(catalog: Catalog, outcome: StoredOutcome) -> dict[str, Any]:
    """What an outcome changed, as the fields of an answer; without the fields of what did not change."""
    found: dict[str, Any] = {}
    if outcome.awards:
        found["awards"] = [_award(catalog, badge, points) for badge, points in outcome.awards]
    if outcome.revoked:
        found["revoked"] = list(outcome.revoked)
    if outcome.points:
        found["points"] = NumberChange(before=outcome.points[0], after=outcome.points[1])
    if outcome.level:
        before, after = outcome.level
        levels = catalog.levels.all
        # The outcome may be older than the catalog, which may have fewer levels.
        found["level"] = LevelChange(before=before, after=after, title=levels[min(after, len(levels)) - 1].title)
    if outcome.streaks:
        found["streaks"] = {
            name: NumberChange(before=before, after=after) for name, (before, after) in outcome.streaks.items()
        }
    return found


def _award(catalog: Catalog, badge_id: str, points: int) -> Award:
    """An award; the catalog may no longer have the badge."""
    badge = catalog.badge(badge_id)
    return Award(
        badge=badge_id, name=badge.name if badge else badge_id, icon=badge.icon if badge else "", points=points
    )
