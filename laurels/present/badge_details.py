"""Details of badges: what the catalog says of them beyond the contract's seven fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from msgspec import Meta

from laurels.engine.catalog import Catalog
from laurels.engine.progress import Progress
from laurels.engine.repeats import times_of
from laurels.engine.tiers import next_tiers
from laurels.present.base import SparseAnswer
from laurels.present.secret_badges import locked_ids


class BadgeDetails(SparseAnswer, frozen=True):
    """What the catalog says of a badge beyond the contract's seven fields. What does not apply to it is left out."""

    id: str
    category_name: Annotated[str, Meta(description="The name of its category, for people")]
    family: Annotated[str | None, Meta(description="What it is one tier of")] = None
    tier: Annotated[int | None, Meta(description="Which tier of its family it is, from 1, the easiest")] = None
    next_tier: Annotated[str | None, Meta(description="The id of the next higher tier")] = None
    secret: Annotated[bool, Meta(description="Whether users who do not have it see a locked text only")] = False
    available_from: Annotated[
        date | None, Meta(description="The first day whose events count for it, by the user's calendar")
    ] = None
    times: Annotated[int | None, Meta(description="How many times the user has it, if it is repeatable")] = None
    available_until: Annotated[date | None, Meta(description="The first day whose events do not count any more")] = None


def badge_details(catalog: Catalog, progress: Progress) -> Sequence[BadgeDetails]:
    """The details of the badges that a user sees, in the catalog's order. Secret ones that the user does not have have none."""
    shown = [badge for badge in catalog.badges if not badge.retired or badge.id in progress.badges]
    locked = {badge: name for badge, name in locked_ids(catalog).items() if badge not in progress.badges}
    higher = next_tiers(shown)
    found: list[BadgeDetails] = []
    for badge in shown:
        category, secret = catalog.categories[badge.category].name, badge.secret
        if badge.id in locked:
            found.append(BadgeDetails(id=locked[badge.id], category_name=category, secret=True))
            continue
        above = higher[badge.id].id if badge.id in higher else None
        found.append(
            BadgeDetails(
                id=badge.id,
                category_name=category,
                family=badge.family or None,
                tier=badge.tier or None,
                next_tier=locked.get(above, above) if above else None,
                secret=secret,
                times=times_of(badge, progress) if badge.repeatable else None,
                available_from=_day(badge.available and badge.available.first),
                available_until=_day(badge.available and badge.available.end),
            )
        )
    return found


def _day(day: int | None) -> date | None:
    return None if day is None else date.fromordinal(day)
