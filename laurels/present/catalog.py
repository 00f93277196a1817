"""The catalog: everything that can be earned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from laurels.engine.catalog import Catalog
from laurels.engine.entitlements import all_unlocks
from laurels.present.badges import BadgeInfo, badge_info
from laurels.present.base import Answer, Points, SparseAnswer, UtcTime
from laurels.present.boosts import CatalogBoost, shown_boosts
from laurels.present.entitlements import Entitlement, shown_unlocks
from laurels.present.secret_badges import locked_badges
from laurels.storage.contract import CatalogRow, Principal


class CatalogLevel(Answer, frozen=True):
    """A level of the catalog, and the points from which it is reached."""

    level: int
    title: str
    points: Points


class CatalogCategory(Answer, frozen=True):
    """A category of badges, with its name for people."""

    id: str
    name: str


class CatalogSummary(SparseAnswer, frozen=True):
    """Everything that can be earned.

    `categories` are those that badges are in, in the order in which to show them. `entitlements`, missing where there is none,
    is what levels and badges unlock. `boosts`, missing where there is none, are those that count now or later.
    """

    name: str
    levels: list[CatalogLevel]
    badges: list[BadgeInfo]
    categories: list[CatalogCategory]
    entitlements: Sequence[Entitlement] = ()
    boosts: Sequence[CatalogBoost] = ()


def catalog_summary(catalog: Catalog, now: datetime | None = None, *, for_operators: bool = False) -> CatalogSummary:
    """Everything that can be earned, secret badges as users see them who do not have them, or as operators see them.

    `now` decides which boosts are over; None: all are left out.
    """
    if for_operators:
        badges = [badge_info(badge) for badge in catalog.badges if not badge.retired]
    else:
        badges = [*locked_badges(catalog).values()]
    used = {badge.category for badge in badges}
    return CatalogSummary(
        name=catalog.name,
        levels=[
            CatalogLevel(level=level.number, title=level.title, points=level.points) for level in catalog.levels.all
        ],
        badges=badges,
        categories=[CatalogCategory(id=one.id, name=one.name) for one in catalog.categories.values() if one.id in used],
        entitlements=shown_unlocks(all_unlocks(catalog, secret=for_operators)) or (),
        boosts=(shown_boosts(catalog, now) if now else ()) or (),
    )


class CatalogRevision(Answer, frozen=True):
    """A revision of the database's catalog, numbered from 1. `rules` is the fingerprint of everything in it that decides.

    `principal` is who was authenticated when it was applied, null if an earlier version did it; `appliedBy` is who that
    principal says did it. `silent`: users are not notified of what they get or lose by it. `filled` is how many users were
    brought under it so far, because it was applied with a plan (null: it was not), and `filledAt` when all of them were.
    """

    number: int
    rules: str
    applied_at: UtcTime
    applied_by: str
    principal: Principal | None
    reason: str
    silent: bool
    filled: int | None
    filled_at: UtcTime | None
    text: str


class AppliedCatalog(Answer, frozen=True):
    """The revision in force after a catalog was applied; `isNew` says whether that made it, or it was in force before.

    With a plan, `moved` are users who changed since the plan was made, so that it may not be right for them: at most 1,000;
    null if they could not be read.
    """

    revision: CatalogRevision
    is_new: bool
    moved: list[str] | None


def catalog_revision(row: CatalogRow) -> CatalogRevision:
    """A revision as stored."""
    return CatalogRevision(
        number=row.number,
        rules=row.rules,
        applied_at=row.applied_at,
        applied_by=row.applied_by,
        principal=row.principal,
        reason=row.reason,
        silent=row.silent,
        filled=row.filled,
        filled_at=row.filled_at,
        text=row.text,
    )


def applied_catalog(row: CatalogRow, is_new: bool, moved: Sequence[str] | None = ()) -> AppliedCatalog:
    """The revision in force after a catalog was applied."""
    return AppliedCatalog(revision=catalog_revision(row), is_new=is_new, moved=None if moved is None else [*moved])
