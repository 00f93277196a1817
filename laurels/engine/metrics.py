"""A metric: a number per user that the catalog derives from events."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, cast

from laurels.engine.day_sums import NO_SUMS, DaySums
from laurels.engine.distinct import MOST_VALUES, NO_VALUES, DistinctValues
from laurels.engine.events import MAX_NUMBER, OWN_PREFIX, Event
from laurels.engine.limits import check_limits, read_interval, read_window, turn
from laurels.engine.numbers import read_scale, units, whole, why_no_text, why_not_counted
from laurels.engine.parsing import Table
from laurels.engine.where import Where, read_where

Kind = Literal["count", "sum", "max", "min", "last", "distinct", "distinct_days"]
KINDS: tuple[Kind, ...] = ("count", "sum", "max", "min", "last", "distinct", "distinct_days")
Stored = Literal["number", "days", "tally"]
"""What is stored of a user for a metric: one number, a set of days, or a tally: different values, or the sum of each day."""

AMOUNTS = ("sum", "max", "min", "last")
"""The kinds that read a number."""

QUANTITY = "quantity"
"""Where a metric finds its number by default: the event's own."""

MISSING = ("ignored", QUANTITY)
"""What an event without a value counts for: nothing, or as many different values as its quantity says."""

DAILY = frozenset({"cap_per_day", "within"})
"""Fields for which the sum of each day is stored."""

TALLIED = DAILY | {"once_per"}
"""Fields for which more than a number is stored, whatever the kind."""

NEWER = TALLIED | {"scale", "per"}
"""Fields that are newer than the first stored fingerprints and rules of closed periods: part of them only where they are used."""

REFERENCE = f"{OWN_PREFIX}user:"
"""How a reference to a user begins, which is stored instead of the user's id."""

OWN_REFERENCE = f"{REFERENCE}self"
"""The reference of users to themselves."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How events change one number of a user.

    kind    count: one per event. sum: adds `of`. max, min: the largest, the smallest `of`. last: the `of` of the event that
            occurred last; the larger one of two at the same instant. distinct: how many different values `of` had.
            distinct_days: how many days had one.
    events  the event types that it counts
    of      'quantity', or a key of the event's data; an event without a whole number of 0 or more there adds nothing
    where   counts only events whose data passes these tests
    one     the word for one of it ("message"); many: for several ("messages")
    not_self  the values of `distinct` are ids of users: references are stored instead, and the user's own never counts
    missing   what an event without a value counts for in `distinct`, one of MISSING
    scale   how many units make one: decimals in the data are counted as a whole number of units
    cap_per_day  how much of each day counts at most (None: all)
    within  of how many consecutive days the best ones count (None: all days)
    once_per  of how many minutes each interval counts one event; A_DAY: each of the user's days (None: each event counts)
    per     the keys of the data for whose values, taken together, each interval counts one event
    """

    name: str
    kind: Kind
    events: tuple[str, ...]
    of: str
    where: Where
    one: str
    many: str
    not_self: bool = False
    missing: str = MISSING[0]
    scale: int = 1
    cap_per_day: int | None = None
    within: int | None = None
    once_per: int | None = None
    per: tuple[str, ...] = ()

    def grown(self, total: int | None, event: Event) -> int | None:
        """The total after this event; None before the first one that counts, for kinds of which 0 is a value.

        Commutative and associative; it stops at 2^53 - 1. Only where a number is stored, and not for last.
        """
        if self.kind == "count":
            return min((total or 0) + 1, MAX_NUMBER)
        amount = self.amount(event)
        if self.kind == "min":
            return amount if total is None else total if amount is None else min(total, amount)
        if amount is None:
            return total or 0
        return max(total or 0, amount) if self.kind == "max" else min((total or 0) + amount, MAX_NUMBER)

    def scored(self, score: tuple[int, int] | None, event: Event, at: int, weight: int = 1) -> tuple[int, int] | None:
        """The score on a leaderboard after this event, and when it was reached, both None before an event that counts.

        `at` is when the event occurred, in microseconds since 1970. `weight` multiplies the event's number, for what adds up.
        Commutative and associative. Only where a number is stored.
        """
        amount = 1 if self.kind == "count" else self.amount(event)
        if weight != 1 and amount is not None:
            amount = min(amount * weight, MAX_NUMBER)
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
    def stored(self) -> Stored:
        """What is stored of each user for it."""
        if self.kind == "distinct" or self.once_per is not None or self.is_daily:
            return "tally"
        return "days" if self.kind == "distinct_days" else "number"

    @property
    def is_daily(self) -> bool:
        """Whether its tally is the sum of each day, else different values."""
        return self.cap_per_day is not None or self.within is not None

    @property
    def nothing(self) -> DistinctValues | DaySums:
        """Its tally before any event."""
        return NO_SUMS if self.is_daily else NO_VALUES

    @property
    def most(self) -> int:
        """The largest number that it can reach."""
        is_limited = self.once_per is not None or (self.kind == "distinct" and self.missing != QUANTITY)
        return MOST_VALUES if is_limited else MAX_NUMBER

    @property
    def adds_up(self) -> bool:
        """Whether each event adds its own number, so that several metrics can be added."""
        return self.kind in ("count", "sum") and self.stored == "number"

    @property
    def keeps_zero(self) -> bool:
        """Whether a number of 0 can replace another one, and so must be stored even where it is not ranked."""
        return self.kind in ("min", "last")

    @property
    def reads_data(self) -> bool:
        """Whether it reads a number or a value in the event's data."""
        return self.kind == "distinct" or bool(self.per) or (self.kind in AMOUNTS and self.of != QUANTITY)

    def amount(self, event: Event) -> int | None:
        """The number in this event's quantity or data; None if there is none."""
        if self.of == QUANTITY:
            return event.quantity
        return units((event.data or {}).get(self.of), self.scale)

    def grown_tally(self, tally: DistinctValues | DaySums, event: Event, at: int) -> DistinctValues | DaySums:
        """The tally after this event, which occurred at this instant. Commutative and associative."""
        if isinstance(tally, DaySums):
            amount = self.amount(event) if self.kind == "sum" else 1
            cap = 1 if self.kind == "distinct_days" else self.cap_per_day
            assert event.day is not None
            return tally if amount is None else tally.with_amount(event.day, amount, cap, self.within)
        return self._grown_turns(tally, event, at) if self.once_per else self._grown_values(tally, event, at)

    def _grown_turns(self, turns: DistinctValues, event: Event, at: int) -> DistinctValues:
        """The intervals in which one event counts, with this one's."""
        data = event.data or {}
        found = [text_of(data.get(key)) for key in self.per]
        values = [value for value in found if value is not None]
        assert self.once_per is not None
        assert event.day is not None
        whole_turn = len(values) == len(found)
        return turns.with_value(turn(self.once_per, at, event.day, values), at) if whole_turn else turns

    def _grown_values(self, values: DistinctValues, event: Event, at: int) -> DistinctValues:
        data = event.data or {}
        if self.of not in data and self.missing == QUANTITY:
            return values.with_unnamed(event.quantity, at)
        value = text_of(data.get(self.of))
        return values if value is None or self._is_own(value, event) else values.with_value(value, at)

    def _is_own(self, value: str, event: Event) -> bool:
        """Whether a value is the user's own id, where that must not count."""
        return self.not_self and value in (OWN_REFERENCE, event.user_id)

    def unread(self, event: Event) -> list[tuple[str, str]]:
        """The keys of an event's data that it should read and cannot, each with the reason."""
        if not self.per:
            why = self.why_ignored(event)
            return [(self.of, why)] if why else []
        if not self.where.matches(event):
            return []
        data = event.data or {}
        unread = [key for key in self.per if text_of(data.get(key)) is None]
        return [(key, why_no_text(data[key]) if key in data else "is missing") for key in unread]

    def why_ignored(self, event: Event) -> str:
        """Why an event of its types adds nothing to it though it should: it cannot read the value of `of`; '' if it can."""
        if self.per or not self.reads_data or not self.where.matches(event):
            return ""
        data = event.data or {}
        if self.of not in data:
            return "" if self.missing == QUANTITY else "is missing"
        if self.kind != "distinct":
            return why_not_counted(data[self.of], self.scale)
        value = text_of(data[self.of])
        if value is None:
            return why_no_text(data[self.of])
        return "is the user's own id" if self._is_own(value, event) else ""


def deciding(metric: Metric) -> dict[str, Any]:
    """The fields of a metric that decide something, without newer ones that it does not use."""
    unused = {one.name for one in fields(Metric) if one.name in NEWER and getattr(metric, one.name) == one.default}
    return {key: value for key, value in asdict(metric).items() if key not in unused | {"one", "many"}}


def text_of(value: object) -> str | None:
    """A value of an event's data that `distinct` counts, as text: a text, or a whole number, so that 7 is "7"."""
    if type(value) is str:
        return value or None
    number = whole(value)
    return None if number is None else str(number)


def is_reference(value: str) -> bool:
    """Whether a value is a reference to a user."""
    return value.startswith(REFERENCE)


def read_metric(name: str, table: Table) -> Metric:
    """A [metrics.NAME] table."""
    metric = Metric(
        name=name,
        kind=cast(Any, table.choice("kind", KINDS, "kind of metric") or "count"),
        events=table.texts("events"),
        of=table.text("of", QUANTITY),
        where=read_where(table),
        one=table.words("one", name),
        many=table.words("many", name),
        not_self=table.boolean("not_self"),
        missing=table.choice("missing", MISSING, "meaning", MISSING[0]),
        scale=read_scale(table),
        cap_per_day=table.integer("cap_per_day", least=1) if table.has("cap_per_day") else None,
        within=read_window(table),
        once_per=read_interval(table),
        per=table.texts("per") if table.has("per") else (),
    )
    check_limits(table, metric.kind)
    _check(table, metric)
    table.done()
    return metric


def _check(table: Table, metric: Metric) -> None:
    """Add a fault for each key that does not fit the kind."""
    reading = (*AMOUNTS, "distinct")
    if table.has("of") and metric.kind not in reading:
        kinds = ", ".join(map(repr, reading))
        table.fault("of", f"has no meaning for kind '{metric.kind}'", f"take it out, or use kind {kinds}")
    if metric.kind == "distinct" and metric.of == QUANTITY:
        table.fault("of", "must name the values to count, in the data of the events", 'write of = "friend"')
    if table.has("scale") and (metric.kind not in AMOUNTS or metric.of == QUANTITY):
        fix = 'take it out, or write of = "price"' if metric.kind in AMOUNTS else "take it out"
        table.fault("scale", "has no meaning without a number in the data: a quantity is whole", fix)
    for key in ("not_self", "missing"):
        if table.has(key) and metric.kind != "distinct":
            table.fault(key, f"has no meaning for kind '{metric.kind}'", "take it out, or use kind 'distinct'")
