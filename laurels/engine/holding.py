"""Holding: which badges users have because their conditions hold, and which they lose when one does not hold any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.progress import LostBadge, Progress, limited


def without(progress: Progress, badges: Collection[str]) -> Progress:
    """The progress without these badges and their points, so that a badge cannot justify itself."""
    others = {badge: paid for badge, paid in progress.badges.items() if badge not in badges}
    points, beyond = limited(progress.earned - sum(progress.badges.get(badge, 0) for badge in badges))
    return replace(progress, badges=others, points=points, beyond=beyond)


def given_back(
    catalog: Catalog, progress: Progress, lost: Iterable[LostBadge], none_left: Collection[str] = ()
) -> dict[str, int]:
    """The points of lost badges that the user gets back when what took them away is undone.

    One that was held because of its condition comes back if that is met again; if it can still be awarded, settling awards it.
    One of which no copy is left does not come back.
    """
    back: dict[str, int] = {}
    for one in lost:
        badge = catalog.badge(one.badge)
        held_or_barred = one.badge in progress.badges or one.badge in progress.manual.barred
        if held_or_barred or one.badge in none_left:
            continue
        if badge is None or not one.met or (badge.retired and badge.condition.met(progress)):
            back[one.badge] = one.points
    return back


def is_met(catalog: Catalog, progress: Progress, badge_id: str) -> bool:
    """Whether the condition of a badge is met without the badge itself."""
    badge = catalog.badge(badge_id)
    return badge is not None and badge.condition.met(without(progress, (badge_id,)))


def justified(catalog: Catalog, progress: Progress) -> list[Badge]:
    """The badges that the user has because their conditions hold.

    A badge whose condition does not hold without its own points, or that was granted, is held for another reason and stays.
    """
    held = [
        badge for badge in catalog.badges if badge.id in progress.badges and badge.id not in progress.manual.granted
    ]
    candidates = [badge for badge in held if badge.condition.met(without(progress, (badge.id,)))]
    not_met = unmet(progress, candidates)
    return [badge for badge in candidates if badge.id not in not_met]


def unmet(progress: Progress, candidates: Iterable[Badge]) -> list[str]:
    """Those of the candidates whose conditions do not hold.

    Least fixed point: start with none of them, re-add badges whose condition holds, repeat; so badges cannot justify each
    other, or themselves by their own points.
    """
    missing = {badge.id: badge for badge in candidates}
    state = without(progress, missing)
    while met := [badge for badge in missing if missing[badge].condition.met(state)]:
        paid = {badge: progress.badges[badge] for badge in met if missing.pop(badge)}
        points, beyond = limited(state.earned + sum(paid.values()))
        state = replace(state, badges={**state.badges, **paid}, points=points, beyond=beyond)
    return list(missing)


def repayments(catalog: Catalog, progress: Progress) -> dict[str, int]:
    """The points of badges that the user has and that are to pay what they pay now, where they paid another number."""
    held = progress.badges
    return {badge.id: badge.points for badge in catalog.repaying if held.get(badge.id, badge.points) != badge.points}


def losers(catalog: Catalog, progress: Progress) -> list[str]:
    """The badges that a user has, may lose, and does not qualify for: those of `holders = "lose"` that were not granted."""
    granted = progress.manual.granted
    may_lose = [badge for badge in catalog.losing if badge.id in progress.badges and badge.id not in granted]
    return unmet(progress, may_lose) if may_lose else []
