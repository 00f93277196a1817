"""Counting: what all metrics of an event's type make of a user's progress with this event added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.metrics import Metric, matches
from laurels.engine.progress import Progress

_NO_DAYS = Days()


class Counted(NamedTuple):
    """The parts of a progress that metrics change."""

    totals: Mapping[str, int]
    days: Mapping[str, Days]
    latest: Mapping[str, int]


def count(metrics: tuple[Metric, ...], progress: Progress, event: Event) -> Counted:
    """The totals, sets of days and latest instants of all these metrics, with the event added."""
    totals = dict(progress.totals)
    days, latest = progress.days, progress.latest
    for metric in metrics:
        if metric.where and not matches(metric.where, event):
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
    return Counted(totals, days, latest)


def _count_last(metric: Metric, totals: dict[str, int], latest: Mapping[str, int], event: Event) -> Mapping[str, int]:
    """Set the total to this event's number if it occurred last. Returns the latest instants."""
    assert event.occurred_at is not None
    name, at = metric.name, micros(event.occurred_at)
    scored = metric.scored((totals[name], latest[name]) if name in latest else None, event, at)
    if scored is None or scored == (totals.get(name), latest.get(name)):
        return latest
    totals[name], at = scored
    return {**latest, name: at}
