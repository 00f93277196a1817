"""What point rules pay a user, by an independent model: event by event in the order of occurrence, by each revision.

It is written from docs/catalog.md only. Where it and the engine differ, one of them has a bug.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Applied:
    """The [[points]] tables of a revision, and when it was applied."""

    at: datetime
    points: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Done:
    """An event: what occurred, when, and on which day of the user."""

    name: str
    kind: str
    at: datetime
    day: int
    quantity: int = 1
    data: Mapping[str, Any] | None = None


def paid(revisions: Sequence[Applied], events: Iterable[Done]) -> int:
    """The points that all rules pay for these events."""
    return sum(_by_rule(rule, revisions, events) for rule in {one["id"] for row in revisions for one in row.points})


def _by_rule(rule: str, revisions: Sequence[Applied], events: Iterable[Done]) -> int:
    texts = [next((one for one in row.points if one["id"] == rule), None) for row in revisions]
    first = max([0, *(n for n, text in enumerate(texts) if text and text.get("past") == "recompute")])
    on_day: dict[Any, int] = defaultdict(int)
    in_week: dict[Any, int] = defaultdict(int)
    total = 0
    for event in sorted(events, key=lambda one: (one.at, one.name)):
        later = [n for n, row in enumerate(revisions) if n > first and row.at <= event.at]
        text = texts[max(later, default=first)]
        if text is None or event.kind not in text["events"] or not _has(event, text.get("where", {})):
            continue
        worth = (_on(text["amount"], event) or 0) * (event.quantity if text.get("per") == "quantity" else 1)
        cap = _on(text.get("cap_per_day"), event)
        most = text.get("cap_per_week")
        caps = str((text.get("cap_per_day"), most))  # a changed cap begins again
        if cap is not None:
            worth = min(worth, cap - on_day[event.day, caps])
            on_day[event.day, caps] += worth
        if most is not None:
            week = (event.day - 1) // 7
            worth = min(worth, most - in_week[week, caps])
            in_week[week, caps] += worth
        total += worth
    return total


def _on(value: Any, event: Done) -> Any:
    """A value, or of a list the one that counts on the event's day; None before the first."""
    if not isinstance(value, list):
        return value
    counting = [one["is"] for one in value if "from" not in one or one["from"].toordinal() <= event.day]
    return counting[-1] if counting else None


def _has(event: Done, where: Mapping[str, Any]) -> bool:
    return all((event.data or {}).get(key) == value for key, value in where.items())
