"""Caps: what a point rule with a cap pays, whatever the order of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from laurels.engine.events import Event
from laurels.engine.points import PointRule

Sums = Mapping[str, Mapping[int, int]]
"""Counter of a rule -> day -> points of that day, at most the cap."""


def pay(sums: Sums, rule: PointRule, event: Event) -> tuple[Sums, int]:
    """What the rule pays for this event. The sum of a day stops at the cap, in any order of its events."""
    if not rule.is_capped:
        return sums, rule.worth(event)
    of_rule = {**sums.get(rule.counter, {})}
    paid = pay_into(of_rule, rule, event)
    return ({**sums, rule.counter: of_rule}, paid) if of_rule else (sums, paid)


def pay_into(of_rule: dict[int, int], rule: PointRule, event: Event) -> int:
    """What a rule with a cap pays for this event. Adds it to the sums of the rule, by day."""
    assert event.day is not None
    cap, worth = rule.cap_on(event.day), rule.worth(event)
    if cap is None:
        return worth
    before = of_rule.get(event.day, 0)
    of_rule[event.day] = min(cap, before + worth)
    return of_rule[event.day] - before


def caps_of(rule: PointRule, of_rule: Mapping[int, int], day: int) -> list[tuple[int, int]]:
    """The caps that limit an event of this day: how much of each is used, and the cap."""
    cap = rule.cap_on(day)
    return [] if cap is None else [(of_rule.get(day, 0), cap)]


def used_up(before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]) -> bool:
    """Whether one of the same caps was used up between two states."""
    return any(old < cap <= new for (old, cap), (new, _) in zip(before, after, strict=True))
