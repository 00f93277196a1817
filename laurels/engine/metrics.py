"""A metric: a number per user that the catalog derives from events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.numbers import whole, why_not_counted
from laurels.engine.parsing import Table

Kind = Literal["count", "sum", "max", "min", "last", "distinct_days"]
KINDS: tuple[Kind, ...] = ("count", "sum", "max", "min", "last", "distinct_days")
AMOUNTS = ("sum", "max", "min", "last")
"""The kinds that read a number."""

QUANTITY = "quantity"
"""Where a metric finds its number by default: the event's own."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How events change one number of a user.

    kind    count: one per event. sum: adds `of`. max, min: the largest, the smallest `of`. last: the `of` of the event that
            occurred last; the larger one of two at the same instant. distinct_days: how many days had one.
    events  the event types that it counts
    of      'quantity', or a key of the event's data; an event without a whole number of 0 or more there adds nothing
    where   counts only events whose data has these values
    one     the word for one of it ("message"); many: for several ("messages")
    """

    name: str
    kind: Kind
    events: tuple[str, ...]
    of: str
    where: Mapping[str, Any]
    one: str
    many: str

    def grown(self, total: int | None, event: Event) -> int | None:
        """The total after this event; None before the first one that counts, for kinds of which 0 is a value.

        Commutative and associative; it stops at 2^53 - 1. Not for last and distinct_days, which need more than a number.
        """
        if self.kind == "count":
            return min((total or 0) + 1, MAX_NUMBER)
        amount = self.amount(event)
        if self.kind == "min":
            return amount if total is None else total if amount is None else min(total, amount)
        if amount is None:
            return total or 0
        return max(total or 0, amount) if self.kind == "max" else min((total or 0) + amount, MAX_NUMBER)

    def scored(self, score: tuple[int, int] | None, event: Event, at: int) -> tuple[int, int] | None:
        """The score on a leaderboard after this event, and when it was reached, both None before an event that counts.

        `at` is when the event occurred, in microseconds since 1970. Commutative and associative. Not for distinct_days.
        """
        amount = 1 if self.kind == "count" else self.amount(event)
        if amount is None or score is None:
            return score if amount is None else (amount, at)
        before, reached_at = score
        if self.kind == "max":
            return min(score, (amount, at), key=lambda one: (-one[0], one[1]))
        if self.kind == "min":
            return min(score, (amount, at))
        if self.kind == "last":
            return max(score, (amount, at), key=lambda one: (one[1], one[0]))
        if not amount:
            return (0, min(reached_at, at)) if not before else score
        return min(before + amount, MAX_NUMBER), max(reached_at, at) if before else at

    @property
    def keeps_zero(self) -> bool:
        """Whether a number of 0 can replace another one, and so must be stored even where it is not ranked."""
        return self.kind in ("min", "last")

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
        table.fault(
            "of",
            f"has no meaning for kind '{metric.kind}'",
            f"take it out, or use kind {', '.join(map(repr, AMOUNTS))}",
        )
    table.done()
    return metric
