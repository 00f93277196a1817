"""Order of occurrence: which event earned a badge and used up a cap, in whatever order events arrive.

An event that occurred after all others decides at once. One that arrives after later ones may have come before the event that
was taken to decide. Then all events are read again in the order in which they occurred, and what was paid is moved: the badge
is dated to the event that really completed its condition, and its points count in that event's period.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from laurels.engine.adding import add_event
from laurels.engine.badges import Badge
from laurels.engine.caps import caps_of, days_of_week, pay_into, used_up
from laurels.engine.catalog import Catalog
from laurels.engine.elapsing import instants, may_change
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.points import PointRule
from laurels.engine.progress import Outcome, Progress
from laurels.engine.rule_index import RuleIndex, pays
from laurels.engine.sequences import advance
from laurels.engine.values import plain

_NO_SUMS: Mapping[int, int] = {}


@plain
class Shift:
    """Points that count at another instant from now on."""

    amount: int
    since: datetime
    to: datetime


class Decided(NamedTuple):
    """When the condition of a badge was completed, and the id of the event that did it; None: passing time did."""

    at: datetime
    event_id: str | None


def is_out_of_order(
    catalog: Catalog, progress: Progress, earned: Mapping[str, int], event: Event, outcome: Outcome
) -> bool:
    """Whether an event may change which event decided something. If it may, the whole history must be read.

    `progress` and `earned` (badge -> when it was earned, in microseconds) are from before the event.
    """
    rules = catalog.rule_indexes.get(event.type)
    assert event.occurred_at is not None
    if rules is None or progress.newest is None or event.occurred_at >= progress.newest:
        return rules is not None and bool(catalog.timed) and may_change(catalog, progress, outcome.awards)
    at = micros(event.occurred_at)
    if outcome.awards or _moves_a_cap(rules, progress, event, at):
        return True
    # How much of a cap is left depends on the order, so an event that is paid nothing now may have completed a condition then.
    paid = outcome.entries or any(pays(rule, event) for rule in rules.of_kinds)
    fed = (*rules.badges, *catalog.settling) if paid else rules.badges
    return any(badge.id in progress.badges and at < earned.get(badge.id, at + 1) for badge in fed)


def _moves_a_cap(rules: RuleIndex, progress: Progress, event: Event, at: int) -> bool:
    """Whether this event changes which event uses up a cap: it reaches the cap, or comes before the event that did.

    Up to the cap, no order makes a difference; and after the event that used it up, no further one is paid.
    """
    assert event.day is not None
    for rule in rules.rules:
        if not rule.is_capped or not pays(rule, event):
            continue
        for used, cap in caps_of(rule, progress.capped.get(rule.counter, _NO_SUMS), event.day):
            if used < cap:
                if used + rule.worth(event) >= cap:
                    return True
            elif at < progress.cap_reached.get(rule.counter, at + 1):
                return True
    return False


def with_caps_reached(catalog: Catalog, before: Progress, event: Event, outcome: Outcome) -> Outcome:
    """The outcome of an event with the caps that it used up. If it came out of order, `caps_reached` says when that was."""
    progress = outcome.progress
    if progress.capped is before.capped:
        return outcome
    assert event.day is not None
    assert event.occurred_at is not None
    reached: dict[str, int] = {}
    for rule in catalog.rule_indexes[event.type].rules:
        sums = [one.capped.get(rule.counter, _NO_SUMS) for one in (before, progress)]
        if rule.is_capped and used_up(*(caps_of(rule, of_rule, event.day) for of_rule in sums)):
            reached[rule.counter] = micros(event.occurred_at)
    if not reached:
        return outcome
    return replace(outcome, progress=replace(progress, cap_reached={**progress.cap_reached, **reached}))


def caps_reached(catalog: Catalog, events: Iterable[Event]) -> dict[str, int]:
    """Capped point rule -> when an event last used up its cap of a day or week, all events taken in order of occurrence."""
    indexes = catalog.rule_indexes
    fed = {name for name, rules in indexes.items() if any(rule.is_capped for rule in rules.rules)}
    sums: dict[str, dict[int, int]] = defaultdict(dict)
    reached: dict[str, int] = {}
    for event in in_order(event for event in events if event.type in fed):
        assert event.day is not None
        assert event.occurred_at is not None
        for rule in indexes[event.type].rules:
            if not rule.is_capped or not pays(rule, event):
                continue
            of_rule = sums[rule.counter]
            before = caps_of(rule, of_rule, event.day)
            pay_into(of_rule, rule, event)
            if used_up(before, caps_of(rule, of_rule, event.day)):
                reached[rule.counter] = micros(event.occurred_at)
    return reached


def deciding_events(
    catalog: Catalog, progress: Progress, events: Iterable[Event], badges: Collection[str]
) -> dict[str, Decided]:
    """What completed the condition of each of these badges, all events taken in order of occurrence, with the time between.

    Badges whose condition holds from the beginning, or does not hold under this catalog, are left out. Everything set by hand
    counts from the beginning, and so do the user's other badges with their points.
    """
    missing = {badge.id: badge for badge in catalog.badges if badge.id in badges and badge.id in progress.badges}
    held = {badge: paid for badge, paid in progress.badges.items() if badge not in missing}
    points = progress.manual.adjusted + sum(held.values())
    state = Progress(
        zones=progress.zones, joined_at=progress.joined_at, manual=progress.manual, badges=held, points=points
    )
    state, _ = _complete(progress, state, missing, missing.values())
    found: dict[str, Decided] = {}
    for at, event in _timeline(catalog, progress, events):
        if event is None:
            state, checked = replace(state, as_of=at), catalog.timed
        elif (rules := catalog.rule_indexes.get(event.type)) is None:
            continue
        else:
            state, checked = _added(rules, state, event), rules.badges
        state, completed = _complete(progress, state, missing, (*checked, *catalog.settling))
        found |= dict.fromkeys(completed, Decided(at, event.id if event else None))
        if not missing:
            break
    return found


def _timeline(catalog: Catalog, progress: Progress, events: Iterable[Event]) -> Iterable[tuple[datetime, Event | None]]:
    """The events in order of occurrence, and before those of an instant at which time met a condition, that instant."""
    happened = [(event.occurred_at, event) for event in in_order(events) if event.occurred_at]
    if not catalog.timed:
        return happened
    elapsed = [(at, None) for at in instants(catalog.timed, progress)]
    return sorted([*elapsed, *happened], key=lambda one: (one[0], one[1] is not None))


def _added(rules: RuleIndex, state: Progress, event: Event) -> Progress:
    """The state with an event that occurred after all that it has."""
    state, _ = add_event(rules, state, event)
    if rules.chains:
        stages = dict(state.stages)
        advance(rules.chains, stages, event)
        state = replace(state, stages=stages)
    return state


def _complete(
    progress: Progress, state: Progress, missing: dict[str, Badge], checked: Iterable[Badge]
) -> tuple[Progress, list[str]]:
    """Add those of the missing badges whose conditions hold, with what they paid, until no more do."""
    completed: list[str] = []
    checked = list(checked)
    while due := [badge.id for badge in checked if badge.id in missing and badge.condition.met(state)]:
        for badge in dict.fromkeys(due):
            del missing[badge]
            paid = progress.badges[badge]
            state = replace(state, points=state.points + paid, badges={**state.badges, badge: paid})
        completed += due
    return state, completed


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events in the order in which they occurred; those of one instant by their ids."""
    return sorted(events, key=_order)


def _order(event: Event) -> tuple[datetime, str]:
    assert event.occurred_at is not None
    return event.occurred_at, event.id


def newest(catalog: Catalog, events: Iterable[Event]) -> datetime | None:
    """When the newest of these events occurred that counts; None: no event counts."""
    counting = [event.occurred_at for event in events if event.type in catalog.rule_indexes]
    return max((at for at in counting if at), default=None)


def payments(catalog: Catalog, events: Iterable[Event]) -> Counter[datetime]:
    """What point rules pay at each instant if all these events are taken in order of occurrence."""
    paid: Counter[datetime] = Counter()
    for event, _, worth in paid_by_rules(catalog, events):
        assert event.occurred_at is not None
        paid[event.occurred_at] += worth
    return paid


def paid_by_rules(catalog: Catalog, events: Iterable[Event]) -> Iterator[tuple[Event, PointRule, int]]:
    """What each point rule pays for each event, all of them taken in order of occurrence."""
    sums: dict[str, dict[int, int]] = defaultdict(dict)
    for event in in_order(events):
        rules = catalog.rule_indexes.get(event.type)
        for rule in rules.rules if rules else ():
            if pays(rule, event):
                yield event, rule, pay_into(sums[rule.counter], rule, event) if rule.is_capped else rule.worth(event)


def cap_shifts(
    catalog: Catalog, before: Collection[Event], after: Collection[Event], booked: Mapping[datetime, int]
) -> list[Shift]:
    """How points of capped rules move when the events of a user become others.

    `booked` is what the change itself paid or took, by instant. What other events now pay less (the new ones occurred before
    them) or more (those before them were reversed) is moved between those instants.
    """
    if not any(rule.is_capped for rule in catalog.versions):
        return []
    changed = {(event.id, event.day) for event in before} ^ {(event.id, event.day) for event in after}
    days = {day for _, day in changed if day is not None}
    if any(rule.cap_per_week is not None for rule in catalog.versions):
        days = {one for day in days for one in days_of_week(day)}
    due = payments(catalog, (event for event in after if event.day in days))
    due.subtract(payments(catalog, (event for event in before if event.day in days)))
    due.subtract(booked)
    if sum(due.values()):
        return []  # points stopped at the largest number, so it is not known whose are missing
    return _matched({at: amount for at, amount in due.items() if amount})


def _matched(due: Mapping[datetime, int]) -> list[Shift]:
    """Moves from the instants with too much to those with too little, both in order."""
    shifts: list[Shift] = []
    wanting = [[at, amount] for at, amount in sorted(due.items()) if amount > 0]
    for since, amount in sorted(due.items()):
        left = -amount
        while left > 0:
            to, wanted = wanting[0]
            assert isinstance(to, datetime)
            assert isinstance(wanted, int)
            moved = min(left, wanted)
            shifts.append(Shift(moved, since, to))
            left -= moved
            wanting[0][1] = wanted - moved
            if wanted == moved:
                wanting.pop(0)
    return shifts


def may_move(catalog: Catalog, since: datetime, to: datetime, now: datetime) -> bool:
    """Whether points may move from one instant to another: not if that would change a closed period of any leaderboard.

    Points that were counted in a closed period stay there, and those of an event in a closed period are not taken from another.
    """
    for board in catalog.points_boards:
        left, reached = board.periods.at(since), board.periods.at(to)
        if left != reached and any(period and not board.is_open(period, now) for period in (left, reached)):
            return False
    return True
