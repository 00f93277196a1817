"""A metric: a number per user that the catalog derives from events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.parsing import Table

KINDS = ("count", "sum", "max", "distinct_days")


@dataclass(frozen=True, slots=True)
class Metric:
    """How events change one number of a user.

    kind    count: one per event. sum: adds `of`. max: the largest `of`. distinct_days: how many days had one.
    events  the event types that it counts
    of      'quantity', or a key of the event's data; a value there that is no whole number of 0 or more counts as 0
    where   counts only events whose data has exactly these values
    one     the word for one of it ("message"); many: for several ("messages")
    """

    name: str
    kind: Literal["count", "sum", "max", "distinct_days"]
    events: tuple[str, ...]
    of: str
    where: Mapping[str, Any]
    one: str
    many: str

    def grown(self, total: int, event: Event) -> int:
        """The total after this event. Commutative and associative; it stops at 2^53 - 1. Not for distinct_days."""
        if self.kind == "count":
            return min(total + 1, MAX_NUMBER)
        amount = self.amount(event)
        return max(total, amount) if self.kind == "max" else min(total + amount, MAX_NUMBER)

    def amount(self, event: Event) -> int:
        """The number in this event's quantity or data."""
        if self.of == "quantity":
            return event.quantity
        value = (event.data or {}).get(self.of)
        return value if type(value) is int and 0 <= value <= MAX_NUMBER else 0


def matches(where: Mapping[str, Any], event: Event) -> bool:
    """Whether the event's data has all values of `where`, compared by value and by type (true is not 1)."""
    data = event.data or {}
    return all(type(data.get(key)) is type(value) and data[key] == value for key, value in where.items())


def read_metric(name: str, table: Table) -> Metric:
    """A [metrics.NAME] table."""
    metric = Metric(
        name=name,
        kind=cast(Any, table.choice("kind", KINDS, "kind of metric") or "count"),
        events=table.texts("events"),
        of=table.text("of", "quantity"),
        where=table.flat("where"),
        one=table.text("one", name),
        many=table.text("many", name),
    )
    if table.has("of") and metric.kind not in ("sum", "max"):
        table.fault("of", f"has no meaning for kind '{metric.kind}'", "take it out, or use kind 'sum' or 'max'")
    table.done()
    return metric
