"""Adding: what an event adds to the sums, days and points of a user, before badges are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from laurels.engine.caps import pay
from laurels.engine.counting import count
from laurels.engine.days import Days, Fold
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.point_kinds import with_payment
from laurels.engine.points import PointRule
from laurels.engine.progress import (
    LedgerEntry,
    Progress,
    limited,
)
from laurels.engine.rule_index import RuleIndex, pays
from laurels.engine.streaks import Calendar, Streak, extended

_NO_DAYS = Days()


def calendar_of(streak: Streak, progress: Progress) -> Calendar:
    """What this user's days require for this streak."""
    manual = progress.manual
    excused = progress.zones.skipped(streak.day_starts) | manual.amnesty | manual.repairs.get(streak.name, _NO_DAYS)
    paused = manual.pauses.get("", _NO_DAYS) | manual.pauses.get(streak.name, _NO_DAYS)
    return Calendar(streak, excused, paused, manual.grants.get(streak.name, ()))


def add_event(
    rules: RuleIndex, progress: Progress, event: Event, *, folding: bool = True
) -> tuple[Progress, list[LedgerEntry]]:
    """The progress with the event added, and what the event itself paid. Badges are not checked yet.

    Without `folding` the folds of streaks stay as they were, for a caller that folds once after all events.
    """
    totals, days, latest, values = count(rules, progress, event)
    partial, folds = progress.partial, progress.folds
    for streak in rules.streaks:
        if not streak.where or streak.where.matches(event):
            days, partial, folds = _credit(streak, progress, (days, partial, folds), event, folding=folding)
    capped, entries, points, beyond = progress.capped, list[LedgerEntry](), progress.points, progress.beyond
    if rules.rules:
        capped, entries, paid = _pay_rules(rules, progress, event)
        points, beyond = limited(progress.earned + paid)
    capped, kinds = _pay_kinds(rules, progress, capped, event) if rules.of_kinds else (capped, progress.kinds)
    assert event.occurred_at is not None
    added = Progress(
        totals,
        days,
        capped,
        partial,
        folds,
        progress.badges,
        points,
        progress.reached_at,
        progress.zones,
        progress.joined_at,
        progress.manual,
        progress.scores,
        latest,
        values,
        progress.values_within,
        progress.board_days,
        later(progress.newest, event.occurred_at),
        beyond,
        progress.cap_reached,
        progress.stages,
        kinds,
        progress.as_of,
    )
    return added, entries


_StreakState = tuple[Mapping[str, Days], Mapping[str, Mapping[int, int]], Mapping[str, Fold]]


def _credit(streak: Streak, progress: Progress, state: _StreakState, event: Event, *, folding: bool) -> _StreakState:
    """The days, partial amounts and folds of a state with this event counted for the streak.

    Of the progress only what is not in the state is read: the zones and what was set by hand.
    """
    (days, partial, folds), name = state, streak.name
    day = streak.day_of(event, progress.zones)
    unit = streak.unit(day)
    credited = days.get(name, _NO_DAYS)
    if unit in credited:
        return days, partial, folds
    if streak.late_days is not None and streak.late_by(event, progress.zones) > streak.late_days:
        return days, partial, folds
    needed = streak.amount_of(unit) if streak.amounts else streak.amount
    if needed > 1 or streak.days > 1:
        amounts = _with_amount(partial.get(name, {}), streak.partial_key(day), event.quantity, needed)
        if not streak.is_reached(amounts, unit):
            return days, {**partial, name: amounts}, folds
        done = {streak.partial_key(one) for one in streak.days_of(unit)}
        partial = {**partial, name: {key: some for key, some in amounts.items() if key not in done}}
    credited = credited.with_day(unit)
    if not folding:
        return {**days, name: credited}, partial, folds
    fold = extended(streak, folds.get(name), credited, unit, calendar_of(streak, progress))
    return {**days, name: credited}, partial, {**folds, name: fold}


def _with_amount(amounts: Mapping[int, int], key: int, quantity: int, needed: int) -> dict[int, int]:
    """The partial amounts with this quantity more. None exceeds what is needed, so that the order does not matter."""
    return {**amounts, key: min(needed, amounts.get(key, 0) + quantity)}


_Payment = tuple[Mapping[str, Mapping[int, int]], list[LedgerEntry], int]


def _pay_rules(rules: RuleIndex, progress: Progress, event: Event) -> _Payment:
    """The capped sums after the point rules have paid for this event, the ledger entries, and what they paid."""
    capped, entries, paid = progress.capped, list[LedgerEntry](), 0
    for rule in rules.rules:
        if not pays(rule, event):
            continue
        capped, amount = pay(capped, rule, event)
        if amount:
            paid += amount
            entries += _entries(rule, event, amount) if rule.boosts else (LedgerEntry(amount, "rule", rule.id),)
    return capped, entries, paid


def _entries(rule: PointRule, event: Event, amount: int) -> Iterator[LedgerEntry]:
    """What a rule with boosts paid, apart from what each boost added."""
    for boost, share in rule.shares(event, amount):
        yield LedgerEntry(share, "boost", boost) if boost else LedgerEntry(share, "rule", rule.id)


def _pay_kinds(
    rules: RuleIndex, progress: Progress, capped: Mapping[str, Mapping[int, int]], event: Event
) -> tuple[Mapping[str, Mapping[int, int]], Mapping[str, tuple[int, int]]]:
    """The capped sums, and what events paid of each kind of points, after the rules of kinds have paid for this event."""
    kinds = progress.kinds
    assert event.occurred_at is not None
    for rule in rules.of_kinds:
        if pays(rule, event):
            capped, number = pay(capped, rule, event)
            kinds = with_payment(kinds, rule.kind, number, micros(event.occurred_at))
    return capped, kinds


def later(first: datetime | None, other: datetime) -> datetime:
    """The later of two instants."""
    return other if first is None or other > first else first
