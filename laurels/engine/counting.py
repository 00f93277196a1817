"""Counting: what all metrics of an event's type make of a user's progress with this event added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.metrics import Metric
from laurels.engine.progress import Progress, Tally

_NO_DAYS = Days()


class Counting(Protocol):
    """The metrics that an event may count for."""

    @property
    def numbers(self) -> tuple[Metric, ...]:
        """Those of which a number or a set of days is stored."""
        ...

    @property
    def tallied(self) -> tuple[Metric, ...]:
        """Those of which a tally is stored."""
        ...


class Counted(NamedTuple):
    """The parts of a progress that metrics change."""

    totals: Mapping[str, int]
    days: Mapping[str, Days]
    latest: Mapping[str, int]
    values: Mapping[str, Tally]


NOTHING_COUNTED = Counted({}, {}, {}, {})
"""Before any event."""


def count(rules: Counting, progress: Progress | Counted, event: Event) -> Counted:
    """What all metrics of these rules count, with the event added."""
    totals = dict(progress.totals)
    days, latest, values = progress.days, progress.latest, progress.values
    for metric in rules.numbers:
        if metric.where and not metric.where.matches(event):
            continue
        if metric.kind == "distinct_days":
            assert event.day is not None
            days = {**days, metric.name: days.get(metric.name, _NO_DAYS).with_day(event.day)}
            totals[metric.name] = len(days[metric.name])
        elif metric.kind == "last":
            latest = _count_last(metric, totals, latest, event)
        else:
            total = metric.grown(totals.get(metric.name), event)
            if total is not None:
                totals[metric.name] = total
    for metric in rules.tallied:
        if not metric.where or metric.where.matches(event):
            values = _count_tally(metric, totals, values, event)
    return Counted(totals, days, latest, values)


def _count_last(metric: Metric, totals: dict[str, int], latest: Mapping[str, int], event: Event) -> Mapping[str, int]:
    """Set the total to this event's number if it occurred last. Returns the latest instants."""
    assert event.occurred_at is not None
    name, at = metric.name, micros(event.occurred_at)
    scored = metric.scored((totals[name], latest[name]) if name in latest else None, event, at)
    if scored is None or scored == (totals.get(name), latest.get(name)):
        return latest
    totals[name], at = scored
    return {**latest, name: at}


def _count_tally(
    metric: Metric, totals: dict[str, int], values: Mapping[str, Tally], event: Event
) -> Mapping[str, Tally]:
    """Set the total to the number of the metric's tally. Returns the tallies."""
    assert event.occurred_at is not None
    before = values.get(metric.name, metric.nothing)
    after = metric.grown_tally(before, event, micros(event.occurred_at))
    if after is before:
        return values
    totals[metric.name] = after.number
    return {**values, metric.name: after}
