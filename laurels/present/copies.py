"""How many copies of the badges of limited supply are left."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.present.base import Answer


class BadgeCopies(Answer, frozen=True):
    """A badge of limited supply: how many users may have it at once, and how many copies are left for others."""

    badge: str
    supply: int
    left: int


def badge_copies(catalog: Catalog, taken: Mapping[str, int], held: Collection[str]) -> list[BadgeCopies]:
    """Every badge of limited supply, in the catalog's order, but for secret ones that the user does not have.

    `taken` is how many copies of each are taken, `held` the badges that the user has.
    """
    return [
        BadgeCopies(badge=badge.id, supply=badge.supply, left=max(0, badge.supply - taken.get(badge.id, 0)))
        for badge in catalog.badges
        if badge.supply and not badge.retired and (not badge.secret or badge.id in held)
    ]


def none_left_sentence(badge: Badge) -> str:
    """As in 'None of the 100 copies of Founder is left.'."""
    copies = f"None of the {badge.supply:,} copies" if badge.supply != 1 else "The only copy"
    return f"{copies} of {badge.name} is {'left' if badge.supply != 1 else 'taken'}."
