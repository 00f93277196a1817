"""A metric: a number per user that the catalog derives from events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.numbers import whole, why_not_counted
from laurels.engine.parsing import Table

KINDS = ("count", "sum", "max", "distinct_days")
AMOUNTS = ("sum", "max")
"""The kinds that read a number."""

QUANTITY = "quantity"
"""Where a metric finds its number by default: the event's own."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How events change one number of a user.

    kind    count: one per event. sum: adds `of`. max: the largest `of`. distinct_days: how many days had one.
    events  the event types that it counts
    of      'quantity', or a key of the event's data; an event without a whole number of 0 or more there adds nothing
    where   counts only events whose data has these values
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
        if amount is None:
            return total
        return max(total, amount) if self.kind == "max" else min(total + amount, MAX_NUMBER)

    @property
    def reads_data(self) -> bool:
        """Whether it reads a number in the event's data."""
        return self.kind in AMOUNTS and self.of != QUANTITY

    def amount(self, event: Event) -> int | None:
        """The number in this event's quantity or data; None if there is none."""
        if self.of == QUANTITY:
            return event.quantity
        number = whole((event.data or {}).get(self.of))
        return number if number is not None and 0 <= number <= MAX_NUMBER else None

    def why_ignored(self, event: Event) -> str:
        """Why an event of its types adds nothing to it though it should: what it reads is no number; '' if it counts."""
        if not self.reads_data or not matches(self.where, event):
            return ""
        data = event.data or {}
        return why_not_counted(data[self.of]) if self.of in data else "is missing"


def matches(where: Mapping[str, Any], event: Event) -> bool:
    """Whether the event's data has all values of `where`, compared by value and by type: 1 is 1.0, and neither is true."""
    data = event.data or {}
    return all(_same(data.get(key), value) for key, value in where.items())


def _same(found: object, wanted: object) -> bool:
    return found == wanted and (type(found) is type(wanted) or (type(wanted) is int and type(found) is float))


def read_metric(name: str, table: Table) -> Metric:
    """A [metrics.NAME] table."""
    metric = Metric(
        name=name,
        kind=cast(Any, table.choice("kind", KINDS, "kind of metric") or "count"),
        events=table.texts("events"),
        of=table.text("of", QUANTITY),
        where=table.flat("where"),
        one=table.text("one", name),
        many=table.text("many", name),
    )
    if table.has("of") and metric.kind not in AMOUNTS:
        table.fault("of", f"has no meaning for kind '{metric.kind}'", "take it out, or use kind 'sum' or 'max'")
    table.done()
    return metric
