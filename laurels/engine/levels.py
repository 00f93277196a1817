"""Levels: a level follows from the points. They are written as a list, or as a formula (`level_formulas.py`)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any, cast

from laurels.engine.level_formulas import Formula, read_formula, starts_of
from laurels.engine.parsing import Table
from laurels.engine.unlocks import read_unlocks
from laurels.engine.values import plain


@dataclass(frozen=True, slots=True)
class Level:
    """A level, counted from 1, the points at which it begins, and what it unlocks in the app."""

    number: int
    title: str
    points: int
    unlocks: tuple[str, ...] = ()


@plain
class LevelReading:
    """The level at some points, the points of the next one, and the progress towards it in percent."""

    level: Level
    next_level: int
    progress: int


@dataclass(frozen=True, slots=True)
class Levels:
    """All levels, lowest first. The first begins at 0 points. `formula` made them; None: they are a list in the catalog."""

    all: tuple[Level, ...]
    thresholds: tuple[int, ...]
    formula: Formula | None = None

    def number(self, points: int) -> int:
        """The level's number at these points; the first level below 0 points, which reversals can lead to."""
        return max(1, bisect_right(self.thresholds, points))

    def read(self, points: int) -> LevelReading:
        """The level at these points.

        progress = points / next level's points x 100, rounded half up, at most 100. At the highest level, which has no next
        one, the threshold is its own and the progress is 100.
        """
        level = self.all[self.number(points) - 1]
        if level.number == len(self.all):
            return LevelReading(level, level.points, 100)
        following = self.all[level.number].points
        return LevelReading(level, following, max(0, min(100, (200 * points + following) // (2 * following))))


def read_levels(table: Table) -> Levels:
    """The [[levels]] tables of a catalog, or its [levels] table with a formula."""
    if isinstance(table.raw.get("levels"), dict):
        inner = cast(Any, table.table("levels"))
        return _levels_of(read_formula(inner))
    levels = _read_list(table.list_of_tables("levels"))
    if table.raw.get("levels") == []:
        table.fault("levels", "is empty", "write at least one [[levels]] that begins at 0 points")
    return levels


def _levels_of(formula: Formula) -> Levels:
    starts = starts_of(formula)
    levels = [
        Level(number, formula.title_of(number), points, formula.unlocks.get(number, ()))
        for number, points in enumerate(starts, start=1)
    ]
    return replace(_together(levels), formula=formula)


def _read_list(tables: list[Table]) -> Levels:
    levels: list[Level] = []
    for number, table in enumerate(tables, start=1):
        level = Level(number, table.words("title"), table.integer("points"), read_unlocks(table))
        if not levels and level.points != 0:
            table.fault("points", "the first level must begin at 0 points", "write points = 0")
        if levels and level.points <= levels[-1].points:
            table.fault("points", "must be more than the level before", f"write more than {levels[-1].points}")
        table.done()
        levels.append(level)
    return _together(levels)


def _together(levels: list[Level]) -> Levels:
    return Levels(tuple(levels), tuple(level.points for level in levels))
