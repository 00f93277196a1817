"""Formulas of levels: how many levels there are, and at how many points each begins, computed exactly.

Level 2 begins at `first` points. From then on, each level needs as many points as the one before (linear), `increase` more
(quadratic), or `growth` times as many (geometric). The exact sum is rounded half up to a multiple of `round_to`, once for each
level, so no error adds up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar, cast

from laurels.engine.events import MAX_NUMBER
from laurels.engine.parsing import Table, shown
from laurels.engine.unlocks import read_unlocks

T = TypeVar("T")

MOST_LEVELS = 1000
NUMBER = "{number}"
"""Where the title of a level has its number."""

_GROWTH = re.compile(r"([1-9]\d{0,2})(?:\.(\d{1,3}))?")
_NUMBER = re.compile(r"[1-9]\d{0,3}")


@dataclass(frozen=True, slots=True)
class Formula:
    """The [levels] table.

    growth    how many times the points of the level before each level needs, as a decimal number; '': as many
    increase  how many points more than the level before each level needs
    titles    the titles of some levels, by their numbers; the others have `title`
    unlocks   what some levels unlock, by their numbers
    """

    count: int
    first: int
    growth: str = ""
    increase: int = 0
    round_to: int = 1
    title: str = f"Level {NUMBER}"
    titles: Mapping[int, str] = field(default_factory=dict[int, str])
    unlocks: Mapping[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])

    def title_of(self, number: int) -> str:
        """The title of a level."""
        return self.titles.get(number) or self.title.replace(NUMBER, str(number))


def starts_of(formula: Formula) -> tuple[int, ...]:
    """At how many points each level begins, the first at 0."""
    sums = _geometric_sums(formula) if formula.growth else _other_sums(formula)
    to = formula.round_to
    rounded = [(2 * above + below * to) // (2 * below * to) * to for above, below in sums]
    return (0, *rounded)


def _other_sums(formula: Formula) -> Iterator[tuple[int, int]]:
    for steps in range(1, formula.count):
        yield formula.first * steps + formula.increase * (steps * (steps - 1) // 2), 1


def _geometric_sums(formula: Formula) -> Iterator[tuple[int, int]]:
    """The sums of first, first * growth, first * growth^2, ... as exact fractions."""
    above, below = _ratio(formula.growth)
    total, power, divisor = formula.first, 1, 1
    for _ in range(1, formula.count):
        yield total, divisor
        power, divisor = power * above, divisor * below
        total = total * below + formula.first * power


def _ratio(growth: str) -> tuple[int, int]:
    """'1.5' as 15 and 10."""
    whole, _, decimals = growth.partition(".")
    return int(whole + decimals), 10 ** len(decimals)


# ---- the catalog ------------------------------------------------------------------------------


def read_formula(table: Table) -> Formula:
    """A [levels] table. With a fault in it, the formula of one level, so that nothing else is said about it."""
    before = len(table.faults)
    table.asked |= {"growth", "titles", "unlocks"}  # known, also where they are left out
    formula = Formula(
        count=_read_count(table),
        first=table.integer("first", least=1),
        growth=_read_growth(table),
        increase=table.integer("increase", 0),
        round_to=table.integer("round_to", 1, least=1),
        title=_read_title(table),
        titles=_read_by_number(table, "titles", Table.words),
        unlocks=_read_by_number(table, "unlocks", read_unlocks),
    )
    if formula.growth and table.has("increase"):
        table.fault("increase", "is there, and growth, too", "keep growth (each level times it), or increase (plus it)")
    table.done()
    if len(table.faults) > before or not _is_increasing(table, formula):
        return Formula(1, 1)
    return formula


def _read_count(table: Table) -> int:
    count = table.integer("count", least=1)
    if count > MOST_LEVELS:
        table.fault("count", f"must be at most {MOST_LEVELS:,}", f"write count = {MOST_LEVELS}")
        return 1
    return count


def _read_growth(table: Table) -> str:
    """A decimal number in quotes, so that it is exact: TOML's own 1.1 is a binary fraction."""
    if not table.has("growth"):
        return ""
    value = table.raw["growth"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        table.fault(
            "growth", f"must be in quotes, so that it is exact, not {shown(value)}", f'write growth = "{value}"'
        )
        return ""
    growth = table.text("growth")
    if growth and not _GROWTH.fullmatch(growth):
        what = f"must be a number from 1 to 999.999 with at most 3 decimals, not {shown(growth)}"
        table.fault("growth", what, 'write growth = "1.5"')
        return ""
    return growth


def _read_title(table: Table) -> str:
    title = table.words("title", f"Level {NUMBER}")
    raw: Any = table.raw.get("title")
    titles = [*cast(dict[str, Any], raw).values()] if isinstance(raw, dict) else [title]
    if any("{" in str(one).replace(NUMBER, "") for one in titles):
        table.fault("title", f"has a place that is not {NUMBER}", f'write title = "Level {NUMBER}"')
    return title


def _read_by_number(table: Table, key: str, read: Callable[[Table, str], T]) -> dict[int, T]:
    """A table whose keys are numbers of levels; any other key is a fault."""
    inner = table.table(key) if table.has(key) else None
    if inner is None:
        return {}
    count, found = table.raw.get("count"), dict[int, T]()
    most = count if type(count) is int else MOST_LEVELS
    for number in inner.raw:
        if _NUMBER.fullmatch(number) and int(number) <= most:
            found[int(number)] = read(inner, number)
        else:
            inner.fault(number, "is not the number of a level", f"write a number from 1 to {most}")
    return found


def _is_increasing(table: Table, formula: Formula) -> bool:
    """Whether each level begins at more points than the one before, and none at more than a number may be."""
    starts = starts_of(formula)
    for number, (before, start) in enumerate(pairwise(starts), start=2):
        if start > MAX_NUMBER:
            fix = f"write count = {number - 1}, or let them grow less"
            table.fault("count", f"level {number} would begin at more than {MAX_NUMBER} points", fix)
            return False
        if start <= before:
            fix = "write a smaller round_to, or a larger first"
            table.fault("round_to", f"level {number} would begin at {start:,} points, as level {number - 1} does", fix)
            return False
    return True
