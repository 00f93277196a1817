"""A second implementation of metrics: from a catalog's table and all events at once, slowly, without the engine's arithmetic.

It is written from docs/catalog.md only. Where the two differ, one of them has a bug.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Any

from laurels.engine.events import Event

MOST = 2**53 - 1
MOST_VALUES = 1000


def is_number(value: Any) -> bool:
    return type(value) in (int, float)


def number(value: Any, scale: int = 1) -> int | None:
    """The number that a value counts for, in units."""
    if not is_number(value):
        return None
    exact = Fraction(str(value)) * scale
    most = MOST if scale == 1 else 10**15 - 1
    return int(exact) if exact.denominator == 1 and 0 <= exact <= most else None


def same(found: Any, wanted: Any) -> bool:
    if is_number(found) and is_number(wanted):
        return found == wanted
    return type(found) is type(wanted) and found == wanted


def passes(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        tests = [
            "at_least" not in wanted or _or_none(found, wanted, lambda n: n >= wanted["at_least"]),
            "at_most" not in wanted or _or_none(found, wanted, lambda n: n <= wanted["at_most"]),
            "exists" not in wanted or (found is not None) == wanted["exists"],
            "not" not in wanted or not passes(wanted["not"], found),
        ]
        return all(tests)
    return any(same(found, one) for one in (wanted if isinstance(wanted, list) else [wanted]))


def _or_none(found: Any, wanted: Mapping[str, Any], holds: Any) -> bool:
    read = number(found, wanted.get("scale", 1))
    return read is not None and holds(read)


def text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(int(value)) if is_number(value) and value == int(value) else None


def interval(once_per: str, event: Event) -> Any:
    assert event.occurred_at
    if once_per == "day":
        return event.day
    amount, unit = once_per.split(" ") if " " in once_per else ("1", once_per)
    length = timedelta(**{unit.rstrip("s") + "s": int(amount)})
    midnight = event.occurred_at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.date(), (event.occurred_at - midnight) // length


def expected(table: Mapping[str, Any], events: Iterable[Event]) -> int:
    """The number of the metric in a table, for one user; 0 without any."""
    kind, of, where = table["kind"], table.get("of"), table.get("where", {})
    matching = [
        event
        for event in events
        if event.type in table["events"] and all(passes(one, (event.data or {}).get(key)) for key, one in where.items())
    ]
    if "once_per" in table:
        keys = table.get("per", [])
        turns = {
            (interval(table["once_per"], event), *(text((event.data or {}).get(key)) for key in keys)): None
            for event in matching
        }
        return min(MOST_VALUES, sum(None not in turn for turn in turns))
    if kind == "distinct":
        values = {text((event.data or {}).get(of)) for event in matching}
        return min(MOST_VALUES, len(values - {None}))
    amounts = [
        (event, 1 if kind in ("count", "distinct_days") else amount)
        for event in matching
        if (amount := event.quantity if of is None else number((event.data or {}).get(of), table.get("scale", 1)))
        is not None
    ]
    if kind in ("max", "min"):
        return {"max": max, "min": min}[kind]((amount for _, amount in amounts), default=0)
    if kind == "last":
        return max(((event.occurred_at, amount) for event, amount in amounts), default=(None, 0))[1]
    return min(MOST, best(table, amounts))


def best(table: Mapping[str, Any], amounts: Iterable[tuple[Event, int]]) -> int:
    """All days added up, or the best window of days; of each day up to the cap."""
    days: Counter[int] = Counter()
    for event, amount in amounts:
        assert event.day is not None
        days[event.day] += amount
    cap = 1 if table["kind"] == "distinct_days" else table.get("cap_per_day", MOST)
    capped = {day: min(cap, amount) for day, amount in days.items()}
    if "within" not in table:
        return sum(capped.values())
    length = int(table["within"].split()[0])
    return max((sum(capped.get(day + n, 0) for n in range(length)) for day in capped), default=0)


def reached_in_order(chain: Iterable[tuple[Mapping[str, Any], int]], events: Iterable[Event]) -> bool:
    """Whether these numbers of metrics were reached one after the other, each by events after the one before it."""
    rest = sorted(events, key=lambda event: (event.occurred_at, event.id))
    for table, needed in chain:
        reached = next((n for n in range(1, len(rest) + 1) if expected(table, rest[:n]) >= needed), None)
        if reached is None:
            return False
        rest = rest[reached:]
    return True
