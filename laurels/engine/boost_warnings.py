"""Warnings of boosts: what a person who reviews a catalog should know of their time, and of what they pay together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations

from laurels.engine.boosts import Boost, boosted
from laurels.engine.catalog import Catalog
from laurels.engine.points import PointRule
from laurels.engine.policies import KEEP


def boost_warnings(before: Catalog, after: Catalog, at: datetime) -> list[str]:
    """What stands out in the boosts of a catalog that would follow another one at this instant. Unchanged ones are not named."""
    known = {repr(replace(boost, name="")) for boost in before.boosts}
    new = [boost for boost in after.boosts if repr(replace(boost, name="")) not in known]
    return [
        *(warning for boost in new for warning in _of_its_time(boost, _rules_of(after, boost), at)),
        *(warning for boost in new for warning in _without_end(boost, _rules_of(after, boost))),
        *_together(after, new),
    ]


def _rules_of(catalog: Catalog, boost: Boost) -> list[PointRule]:
    return [rule for rule in catalog.point_rules if boost in rule.boosts]


def _of_its_time(boost: Boost, rules: Sequence[PointRule], at: datetime) -> Iterator[str]:
    """A boost whose time is over, or has begun, before it can count."""
    keeping = _ids(rule for rule in rules if rule.past == KEEP)
    if boost.end.latest <= at:
        kept = f"; it pays nothing for {keeping}, whose 'past' is not \"recompute\"" if keeping else ""
        yield f"boosts '{boost.id}': its time is over since {boost.end}{kept}"
    elif boost.start.earliest < at and keeping:
        yield (
            f"boosts '{boost.id}': its time begins on {boost.start}, before it is applied, and what occurred until then stays "
            f'as it was paid by {keeping}, unless they say past = "recompute"'
        )


def _without_end(boost: Boost, rules: Sequence[PointRule]) -> Iterator[str]:
    """A boost of a rule without a cap, which pays more for every repetition."""
    uncapped = _ids(rule for rule in rules if not rule.is_capped)
    if uncapped:
        yield (
            f"boosts '{boost.id}': {uncapped} has no cap, so repeating it pays {boost.factor} times as much without an end "
            f"from {boost.start} until {boost.end}; write cap_per_day = N if users can repeat it at will"
        )


def _together(catalog: Catalog, new: Sequence[Boost]) -> Iterator[str]:
    """Boosts that may count for the same event: they multiply each other."""
    for one, other in combinations(catalog.boosts, 2):
        rules = _ids(rule for rule in catalog.point_rules if one in rule.boosts and other in rule.boosts)
        if rules and one.may_meet(other) and (one in new or other in new):
            thousand = boosted(1000, [one, other])
            yield (
                f"boosts '{one.id}' and '{other.id}' may count for the same event of {rules}, which then pays "
                f"{thousand // 1000}.{thousand % 1000:03}".rstrip("0").rstrip(".")
                + " times as much"
            )


def _ids(rules: Iterator[PointRule]) -> str:
    return ", ".join(f"points '{rule.id}'" for rule in rules)
