"""Entitlements: what levels and badges unlock, and what of it a user has at present.

Nothing is stored: they follow from the points that were earned and the badges that are held. So a level or badge that is lost
takes its entitlements with it, unless another one unlocks the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.levels import Level
from laurels.engine.progress import Progress
from laurels.engine.values import plain


@plain
class Unlocked:
    """A name, and the levels and badges that unlock it."""

    name: str
    levels: tuple[int, ...] = ()
    badges: tuple[str, ...] = ()


def all_unlocks(catalog: Catalog, *, secret: bool = True) -> list[Unlocked]:
    """Everything that a user can unlock, and by what, in the order of the catalog; by secret badges, too, or not."""
    badges = (badge for badge in catalog.badges if not badge.retired and (secret or not badge.secret))
    return _unlocked(catalog.levels.all, badges)


def unlocked(catalog: Catalog, progress: Progress) -> list[Unlocked]:
    """What a user has unlocked at present, and by which levels and badges, in the order of the catalog."""
    reached = catalog.levels.all[: catalog.levels.number(progress.points)]
    return _unlocked(reached, (badge for badge in catalog.badges if badge.id in progress.badges))


def _unlocked(levels: Iterable[Level], badges: Iterable[Badge]) -> list[Unlocked]:
    by_level: dict[str, list[int]] = {}
    by_badge: dict[str, list[str]] = {}
    for level in levels:
        for name in level.unlocks:
            by_level.setdefault(name, []).append(level.number)
    for badge in badges:
        for name in badge.unlocks:
            by_badge.setdefault(name, []).append(badge.id)
    return [
        Unlocked(name, tuple(by_level.get(name, ())), tuple(by_badge.get(name, ())))
        for name in dict.fromkeys((*by_level, *by_badge))
    ]
