"""The catalog: everything that can be earned."""

from __future__ import annotations

from laurels.engine.catalog import Catalog
from laurels.present.badges import BadgeInfo, badge_info
from laurels.present.base import Answer, Points


class CatalogLevel(Answer, frozen=True):
    """A level of the catalog, and the points from which it is reached."""

    level: int
    title: str
    points: Points


class CatalogSummary(Answer, frozen=True):
    """Everything that can be earned."""

    name: str
    levels: list[CatalogLevel]
    badges: list[BadgeInfo]


def catalog_summary(catalog: Catalog) -> CatalogSummary:
    """Everything that can be earned."""
    return CatalogSummary(
        name=catalog.name,
        levels=[
            CatalogLevel(level=level.number, title=level.title, points=level.points) for level in catalog.levels.all
        ],
        badges=[badge_info(badge) for badge in catalog.badges],
    )
