"""Secret badges as users see them who do not have them: under another id, with the locked text of the catalog and no points."""

from __future__ import annotations

from collections.abc import Mapping

from laurels.engine.badges import SECRET_ID, Badge
from laurels.engine.catalog import Catalog
from laurels.present.badges import BadgeInfo, badge_info


def locked_ids(catalog: Catalog) -> Mapping[str, str]:
    """The id that users see of each secret badge as long as they do not have it: its number among the secret ones."""
    secret = [badge.id for badge in catalog.badges if badge.secret and not badge.retired]
    return {badge_id: f"{SECRET_ID}{number}" for number, badge_id in enumerate(secret, start=1)}


def locked_badges(catalog: Catalog) -> Mapping[str, BadgeInfo]:
    """Each badge that can be earned as users see it who do not have it, by its own id."""
    ids = locked_ids(catalog)
    return {
        badge.id: _locked(badge, ids[badge.id]) if badge.secret else badge_info(badge)
        for badge in catalog.badges
        if not badge.retired
    }


def _locked(badge: Badge, locked_id: str) -> BadgeInfo:
    locked = badge.locked
    return BadgeInfo(
        id=locked_id,
        name=locked.name,
        description=locked.description,
        icon=locked.icon,
        category=badge.category,
        points=0,
        condition=locked.description,
    )
