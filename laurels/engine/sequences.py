"""Sequences: conditions that must be met in order, each by events that occurred after the one that met the condition before it.

How far a user is in them, the stage, is stored, so an event that occurred after all others is counted at once. One that arrives
late may have met a condition earlier than was known: then the stages are computed again from all events, in order of occurrence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from laurels.engine.conditions import AtLeast, AtMost, Condition, InOrder
from laurels.engine.counting import count
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.metrics import Metric
from laurels.engine.progress import NO_STAGE, Progress, Stage

Stages = Mapping[str, Stage]

_NOTHING = Progress()


class _Counting(NamedTuple):
    """The metrics for which an event counts, by what is stored of them."""

    numbers: tuple[Metric, ...]
    tallied: tuple[Metric, ...]

    @staticmethod
    def of(metrics: tuple[Metric, ...]) -> _Counting:
        tallied = tuple(metric for metric in metrics if metric.stored == "tally")
        return _Counting(tuple(metric for metric in metrics if metric.stored != "tally"), tallied)


@dataclass(frozen=True, slots=True)
class Chain:
    """Conditions in order, each with the metrics that it counts. `key` names it in `Progress.stages`."""

    key: str
    of: tuple[Condition, ...]
    metrics: tuple[tuple[Metric, ...], ...]

    def is_fed_by(self, event_type: str) -> bool:
        """Whether an event of this type may count for one of the conditions."""
        return any(event_type in metric.events for metrics in self.metrics for metric in metrics)

    def after(self, stage: Stage, event: Event, *, is_newest: bool) -> Stage | None:
        """The stage after this event; None if that cannot be known without all events.

        `is_newest`: it occurred after all events that the stage is made of.
        """
        if stage.done >= len(self.of):
            return stage
        if position(event) <= stage.since:
            earlier = [metric for metrics in self.metrics[: stage.done] for metric in metrics]
            return None if _counted_by(earlier, event) else stage
        counted_by = _counted_by(self.metrics[stage.done], event)
        if not counted_by:
            return stage
        counted = count(_Counting.of(counted_by), stage.sums or _NOTHING, event)
        sums = Progress(totals=counted.totals, days=counted.days, latest=counted.latest, values=counted.values)
        if not self.of[stage.done].met(sums):
            return Stage(stage.done, stage.since, sums)
        if not is_newest:
            return None
        done = stage.done + 1
        return Stage(done, position(event)) if done < len(self.of) else Stage(done)  # an end is the same in every order


def position(event: Event) -> tuple[int, str]:
    """Where an event is in the order of occurrence; those of one instant are in the order of their ids."""
    assert event.occurred_at is not None
    return micros(event.occurred_at), event.id


def _counted_by(metrics: Iterable[Metric], event: Event) -> tuple[Metric, ...]:
    return tuple(one for one in metrics if event.type in one.events and (not one.where or one.where.matches(event)))


def chains_of(conditions: Iterable[Condition], metrics: Mapping[str, Metric]) -> dict[str, Chain]:
    """The chains of the conditions in order among these and inside them, by their keys."""
    found: dict[str, Chain] = {}
    for condition in conditions:
        for part in condition.parts():
            if isinstance(part, InOrder):
                counted = tuple(tuple(_metrics_of(one, metrics)) for one in part.of)
                found[part.key] = Chain(part.key, part.of, counted)
    return found


def _metrics_of(condition: Condition, metrics: Mapping[str, Metric]) -> list[Metric]:
    names = dict.fromkeys(part.metric for part in condition.parts() if isinstance(part, AtLeast | AtMost))
    return [metrics[name] for name in names if name in metrics]  # a name that is wrong is reported elsewhere


def advanced(chains: Iterable[Chain], progress: Progress, event: Event) -> Stages | None:
    """The stages after this event, which `progress` does not have yet; None if they must be computed from all events."""
    assert event.occurred_at is not None
    is_newest = progress.newest is None or event.occurred_at > progress.newest
    stages = dict(progress.stages)
    for chain in chains:
        stage = chain.after(stages.get(chain.key, NO_STAGE), event, is_newest=is_newest)
        if stage is None:
            return None
        stages[chain.key] = stage
    return stages


def stages_of(chains: Mapping[str, Chain], events: Iterable[Event]) -> Stages:
    """The stages after all these events."""
    stages: dict[str, Stage] = {}
    for event in sorted(events, key=position):
        advance(chains.values(), stages, event)
    return stages


def advance(chains: Iterable[Chain], stages: dict[str, Stage], event: Event) -> None:
    """Bring the stages to after this event, which occurred after all before."""
    for chain in chains:
        if chain.is_fed_by(event.type):
            stage = chain.after(stages.get(chain.key, NO_STAGE), event, is_newest=True)
            assert stage is not None
            stages[chain.key] = stage
