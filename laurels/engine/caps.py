"""Caps: what a point rule with a cap pays, whatever the order of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from laurels.engine.events import Event
from laurels.engine.points import PointRule

Sums = Mapping[str, Mapping[int, int]]
"""Counter of a rule -> day -> points of that day, at most its caps; those of a week may be more than the cap of the week."""


def pay(sums: Sums, rule: PointRule, event: Event) -> tuple[Sums, int]:
    """What the rule pays for this event. The sums of a day and of a week stop at their caps, in any order of their events."""
    if not rule.is_capped:
        return sums, rule.worth(event)
    of_rule = {**sums.get(rule.counter, {})}
    paid = pay_into(of_rule, rule, event)
    return ({**sums, rule.counter: of_rule}, paid) if of_rule else (sums, paid)


def pay_into(of_rule: dict[int, int], rule: PointRule, event: Event) -> int:
    """What a rule with a cap pays for this event. Adds it to the sums of the rule, by day.

    A week pays the sum of its days, each up to its own cap, up to the cap of the week: so the order of events does not matter.
    """
    assert event.day is not None
    day, worth = event.day, rule.worth(event)
    caps = [cap for cap in (rule.cap_on(day), rule.cap_per_week) if cap is not None]
    if not caps:
        return worth
    before, of_week = of_rule.get(day, 0), week_sum(of_rule, day) if rule.cap_per_week else 0
    of_rule[day] = min(*caps, before + worth)
    paid = of_rule[day] - before
    if rule.cap_per_week is None:
        return paid
    return min(rule.cap_per_week, of_week + paid) - min(rule.cap_per_week, of_week)


def days_of_week(day: int) -> range:
    """The days of the week of a day, from Monday on; day 1 of the calendar was a Monday."""
    first = day - (day - 1) % 7
    return range(first, first + 7)


def week_sum(of_rule: Mapping[int, int], day: int) -> int:
    """The sum of the days of a week, each up to its own cap."""
    return sum(of_rule.get(one, 0) for one in days_of_week(day))


def caps_of(rule: PointRule, of_rule: Mapping[int, int], day: int) -> list[tuple[int, int]]:
    """The caps that limit an event of this day: how much of each is used, and the cap."""
    cap, of_week = rule.cap_on(day), rule.cap_per_week
    found = [] if cap is None else [(of_rule.get(day, 0), cap)]
    return found if of_week is None else [*found, (week_sum(of_rule, day), of_week)]


def used_up(before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]) -> bool:
    """Whether one of the same caps was used up between two states."""
    return any(old < cap <= new for (old, cap), (new, _) in zip(before, after, strict=True))
