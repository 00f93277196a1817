"""Tiers: badges of one family, each harder to earn than the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from laurels.engine.badges import Badge
from laurels.engine.conditions import (
    AllOf,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    HasBadge,
    JoinedBefore,
    MemberFor,
    StreakOf,
)
from laurels.engine.parsing import Table
from laurels.engine.point_kinds import KindPointsOf, PointsOf


def families(badges: Iterable[Badge]) -> Mapping[str, Sequence[Badge]]:
    """The badges of each family, the lowest tier first."""
    found: dict[str, list[Badge]] = {}
    for badge in badges:
        if badge.family:
            found.setdefault(badge.family, []).append(badge)
    return {name: sorted(of_family, key=lambda badge: badge.tier) for name, of_family in found.items()}


def check_tiers(table: Table, badges: Iterable[Badge]) -> None:
    """Add a fault for each family whose tiers are not 1, 2, 3, ..., or of which a lower one asks for more than a higher one."""
    for family, tiers in families(badges).items():
        numbers = [badge.tier for badge in tiers]
        if numbers != list(range(1, len(tiers) + 1)):
            shown = ", ".join(map(str, numbers))
            table.fault(
                f"badges of the family '{family}'", f"have the tiers {shown}", "number them 1, 2, 3, ..., each once"
            )
            continue
        for lower, higher in _pairs(tiers):
            if implies(lower.condition, higher.condition, "") and not implies(
                higher.condition, lower.condition, lower.id
            ):
                table.fault(
                    f"badges '{higher.id}'.tier",
                    f"is {higher.tier}, but its condition is easier than that of '{lower.id}', which has {lower.tier}",
                    "give the harder one the higher tier",
                )


def unordered(badges: Iterable[Badge]) -> list[tuple[Badge, Badge]]:
    """Each two neighbouring tiers of which the higher one does not show that it asks for all that the lower one asks for."""
    pairs = [pair for tiers in families(badges).values() for pair in _pairs(tiers)]
    return [(lower, higher) for lower, higher in pairs if not implies(higher.condition, lower.condition, lower.id)]


def next_tiers(badges: Iterable[Badge]) -> dict[str, Badge]:
    """The next higher tier of each badge that has one."""
    return {lower.id: higher for tiers in families(badges).values() for lower, higher in _pairs(tiers)}


def _pairs(tiers: Sequence[Badge]) -> list[tuple[Badge, Badge]]:
    return list(pairwise(tiers))


def implies(harder: Condition, easier: Condition, easier_id: str) -> bool:
    """Whether everyone who meets `harder` certainly meets `easier`, which is the condition of the badge `easier_id`.

    False where that does not follow from their form alone, as for two metrics.
    """
    if harder == easier:
        return True
    if isinstance(harder, AnyOf):
        return all(implies(one, easier, easier_id) for one in harder.of)
    if isinstance(easier, AllOf):
        return all(implies(harder, one, "") for one in easier.of) or _has(harder, easier_id)
    if isinstance(easier, AnyOf) and any(implies(harder, one, "") for one in easier.of):
        return True
    if isinstance(harder, AllOf):
        return any(implies(one, easier, easier_id) for one in harder.of)
    return _has(harder, easier_id) or _single_implies(harder, easier)


def _has(condition: Condition, badge: str) -> bool:
    """Whether a condition requires this badge."""
    if isinstance(condition, AllOf):
        return any(_has(one, badge) for one in condition.of)
    return isinstance(condition, HasBadge) and condition.badge == badge


_HARDER: Mapping[type, Callable[[Any, Any], bool]] = {
    AtLeast: lambda one, other: one.metric == other.metric and one.target >= other.target,
    AtMost: lambda one, other: one.metric == other.metric and one.target <= other.target,
    StreakOf: lambda one, other: one.streak == other.streak and one.target >= other.target,
    PointsOf: lambda one, other: one.target >= other.target,
    KindPointsOf: lambda one, other: one.kind.name == other.kind.name and one.target >= other.target,
    MemberFor: lambda one, other: one.days >= other.days,
    JoinedBefore: lambda one, other: one.is_as_early_as(other),
}
"""Whether one condition asks for at least as much as another one of its kind that counts the same."""


def _single_implies(harder: Condition, easier: Condition) -> bool:
    """The same for two conditions without others inside."""
    compare = _HARDER.get(type(harder))
    return compare is not None and type(harder) is type(easier) and compare(harder, easier)
