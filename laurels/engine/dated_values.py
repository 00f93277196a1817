"""Dated values: a number in the catalog that is another one from a day on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from laurels.engine.parsing import Table

T = TypeVar("T")

ALWAYS = 0
"""The day of a value without `from`: before all others."""


@dataclass(frozen=True, slots=True)
class Step:
    """A value that counts from a day on."""

    day: int
    value: int

    def __str__(self) -> str:
        return f"{self.value:,}" if self.day == ALWAYS else f"{self.value:,} from {date.fromordinal(self.day)}"


def value_on(steps: Sequence[Step], day: int, before: T) -> int | T:
    """The value on a day; `before` the first one."""
    found: int | T = before
    for step in steps:
        if step.day > day:
            break
        found = step.value
    return found


def read_dated(table: Table, key: str, least: int = 1) -> tuple[int, tuple[Step, ...]]:
    """A number, or a list of `{ from = 2026-01-01, is = 1 }`. Returns the newest one, and the steps if it is a list."""
    if not isinstance(table.raw.get(key), list):
        return table.integer(key, least=least), ()
    entries = table.list_of_tables(key)
    steps: list[Step] = []
    for number, entry in enumerate(entries):
        dated = number > 0 or entry.has("from")
        steps.append(Step(entry.day("from") if dated else ALWAYS, entry.integer("is", least=least)))
        entry.done()
    if not steps:
        table.fault(key, "is an empty list", f"write {key} = 1, or {key} = [{{ from = 2026-01-01, is = 1 }}]")
        return least, ()
    for before, after in itertools.pairwise(steps):
        if after.day <= before.day:
            table.fault(key, "must have its days in order, each once", "put the earliest 'from' first")
        elif after.value == before.value:
            what = f"is {after.value:,} before {date.fromordinal(after.day)} already"
            table.fault(key, what, "take that entry out, or write another 'is'")
    return steps[-1].value, tuple(steps)
