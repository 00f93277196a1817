"""Changes of pay: what a point rule or a badge whose pay changes has paid a user if the past stays, and if it is recomputed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from laurels.engine.caps import pay_into
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.points import PointRule
from laurels.engine.policies import KEEP, RECOMPUTE
from laurels.engine.progress import Progress
from laurels.engine.rule_index import pays
from laurels.engine.rule_versions import same_pay, versions_of

Key = Literal["points", "badges"]
Under = tuple[int, int]
"""What was paid if the past stays, and if it is recomputed."""


@dataclass(frozen=True, slots=True)
class PayChange:
    """A point rule or a badge that pays something else under the following catalog.

    chosen     what its `past` says
    kept, new  a point rule: its versions if the past stays, and if it is recomputed
    points     a badge: what it pays from now on
    """

    key: Key
    id: str
    chosen: str
    kept: tuple[PointRule, ...] = ()
    new: tuple[PointRule, ...] = ()
    points: int = 0


def pay_changes(present: Catalog, following: Catalog, at: datetime) -> list[PayChange]:
    """What pays something else if a catalog follows the present one at this instant: point rules, then badges."""
    return [*_of_rules(present, following, at), *_of_badges(present, following)]


def _of_rules(present: Catalog, following: Catalog, at: datetime) -> Iterable[PayChange]:
    before = {rule.id: rule for rule in present.point_rules}
    dated = {*present.past.since, *(one.id for one in present.past.earlier)}
    keeping = [replace(rule, past=KEEP) for rule in following.point_rules]
    kept = versions_of(keeping, present.past_before(keeping, at))
    for rule in following.point_rules:
        same = rule.id in before and same_pay(before[rule.id], rule)
        if not same or (rule.past == RECOMPUTE and rule.id in dated):
            versions = tuple(one for one in kept if one.id == rule.id)
            yield PayChange("points", rule.id, rule.past, versions, (rule,))


def _of_badges(present: Catalog, following: Catalog) -> Iterable[PayChange]:
    before = {following.renames.badge(badge.id): badge for badge in present.badges}
    for badge in following.badges:
        old = before.get(badge.id)
        if old and (old.points != badge.points or (badge.past == RECOMPUTE and old.past != RECOMPUTE)):
            yield PayChange("badges", badge.id, badge.past, points=badge.points)


def paid_under(
    changes: Sequence[PayChange], before: Mapping[str, int], after: Progress, events: Sequence[Event]
) -> list[Under]:
    """What each change has paid a user, under either choice.

    `before` are the badges that the user had, with what they paid, by their new ids; only those that the user still has after
    the change are counted. `events` are all active ones, on their days.
    """
    found: list[Under] = []
    for change in changes:
        if change.key == "points":
            found.append((_paid_by(change.kept, events), _paid_by(change.new, events)))
        elif change.id in before and change.id in after.badges:
            found.append((before[change.id], change.points))
        else:
            found.append((0, 0))
    return found


def _paid_by(versions: Sequence[PointRule], events: Iterable[Event]) -> int:
    """What the versions of one rule pay for these events."""
    sums: dict[str, dict[int, int]] = {}
    total = 0
    for event in events:
        for rule in versions:
            if event.type in rule.events and pays(rule, event):
                of_rule = sums.setdefault(rule.counter, {})
                total += pay_into(of_rule, rule, event) if rule.is_capped else rule.worth(event)
    return total
