"""Availability: a badge whose condition counts only events of certain days.

While the catalog is read, the metrics of such a condition get other names, under which only events of these days are counted. So
what a condition counts is a sum as any other one, and the order in which events arrive does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from laurels.engine.conditions import (
    AllOf,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    InOrder,
    JoinedBefore,
    NoneOf,
    in_order,
)
from laurels.engine.parsing import Table

_MARK = "\x1f"
"""What is between the name of a metric and its days; no name has this character."""


@dataclass(frozen=True, slots=True)
class Window:
    """The days of which events count: from the first one, up to and without `end`. None: without a limit on that side."""

    first: int | None = None
    end: int | None = None

    def __str__(self) -> str:
        """As in 'from 2026-12-01 until 2027-01-01'."""
        days = [("from", self.first), ("until", self.end)]
        return " ".join(f"{word} {date.fromordinal(day)}" for word, day in days if day is not None)

    @property
    def words(self) -> str:
        """As in 'from 1 December 2026 to 31 December 2026', where the last day is one that counts."""
        last = None if self.end is None else self.end - 1
        to = "by" if self.first is None else "to"
        days = [("from", self.first), (to, last)]
        return " ".join(f"{word} {_in_words(day)}" for word, day in days if day is not None)

    def has_ended(self, day: int) -> bool:
        """Whether all its days are before this one."""
        return self.end is not None and day >= self.end

    def name_of(self, metric: str) -> str:
        """The name under which a metric counts only events of these days."""
        return f"{metric}{_MARK}{self}"


def metric_name(name: str) -> str:
    """The name of a metric in the catalog, of one that counts only events of some days, too."""
    return name.partition(_MARK)[0]


def _in_words(day: int) -> str:
    found = date.fromordinal(day)
    return f"{found.day} {found:%B %Y}"


def metric_of(name: str) -> str:
    """The name of a metric in the catalog, from one under which only events of certain days count."""
    return name.partition(_MARK)[0]


def read_available(table: Table) -> Window | None:
    """The key `available`; None without it, or with a fault."""
    faults = len(table.faults)
    inner = table.table("available") if table.has("available") else None
    table.asked.add("available")
    if inner is None:
        return None
    first = inner.day("from") if inner.has("from") else None
    end = inner.day("until") if inner.has("until") else None
    inner.asked |= {"from", "until"}
    inner.done()
    if not inner.raw:
        inner.fault("", "has no day", "write from = 2026-12-01, until = 2027-01-01, or both")
    elif first is not None and end is not None and end <= first:
        inner.fault("until", "must be later than 'from': it is the first day that does not count", "write a later day")
    return Window(first, end) if len(table.faults) == faults else None


def counted_within(table: Table, condition: Condition, window: Window | None) -> Condition:
    """The condition of a badge that counts only events of the days of its window, with a fault for what cannot."""
    if window is None:
        return condition
    parts = list(condition.parts())
    if not all(isinstance(part, AtLeast | AtMost | AllOf | AnyOf | InOrder | JoinedBefore | NoneOf) for part in parts):
        table.fault(
            "available",
            "does not go with a condition of a streak, points, another badge or time, which are made of more than the events of "
            "some days",
            "use metrics with at_least or at_most, and joined_before",
        )
    elif not any(isinstance(part, AtLeast | AtMost) for part in parts):
        table.fault("available", "has no meaning for a condition that counts no events", "take it out")
    return _within(condition, window)


def _within(condition: Condition, window: Window) -> Condition:
    match condition:
        case AtLeast() | AtMost():
            one, many = (f"{word} {window.words}" for word in (condition.one, condition.many))
            return replace(condition, metric=window.name_of(condition.metric), one=one, many=many)
        case AllOf() | AnyOf():
            return replace(condition, of=tuple(_several(condition.of, window)))
        case InOrder():
            return in_order(tuple(_several(condition.of, window)))
        case _:
            return condition


def _several(conditions: tuple[Condition, ...], window: Window) -> Iterator[Condition]:
    return (_within(one, window) for one in conditions)
