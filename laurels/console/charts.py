"""Charts: from numbers to positions in a drawing. Pure; a template draws the result, in the units of its viewBox."""

from __future__ import annotations

from collections.abc import Sequence

from laurels.engine.values import plain

WIDTH, HEIGHT = 480.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 12.0, 24.0
"""Margins around the bars of `columns`, for the axis labels."""

NAMES, NUMBERS, LINE = 150.0, 56.0, 24.0
"""For `lines`: the width of names and of numbers, and the height of a line."""

PAIR, BAR = 36.0, 15.0
"""For `pairs`: the height of a label's two bars with the gap after them, and that of one bar."""

GAP = 0.25
"""The share of its slot that a bar leaves empty."""

MOST_GAP = 6.0
FEW_LABELS, MOST_LABELS = 8, 6
"""Up to FEW_LABELS labels are all drawn; of more, at most MOST_LABELS."""

TICKS = 4
SHADES = 6
"""How many shades a heat table has, from nothing to all."""


@plain
class Series:
    """One row of numbers, none of them negative, one per label of the chart."""

    name: str
    values: Sequence[int]


@plain
class Tick:
    """A mark on an axis: its position and its text."""

    at: float
    text: str


@plain
class Bar:
    """A bar: its position, the index of its series, its label and value."""

    x: float
    y: float
    width: float
    height: float
    series: int
    label: str
    value: int


@plain
class Columns:
    """Vertical bars, stacked per label. `numbers` are marks along the height, `labels` along the width."""

    width: float
    height: float
    left: float
    right: float
    foot: float
    bars: Sequence[Bar]
    numbers: Sequence[Tick]
    labels: Sequence[Tick]


@plain
class Lines:
    """Horizontal bars, one per line, with names left of `left` and a number after each bar."""

    width: float
    height: float
    left: float
    bars: Sequence[Bar]
    middle: float


@plain
class Opposite:
    """Horizontal bars, two per line, that begin at `axis`: `names` are left of `left`, each with its height."""

    width: float
    height: float
    left: float
    axis: float
    bars: Sequence[Bar]
    names: Sequence[Tick]


def columns(
    labels: Sequence[str], series: Sequence[Series], width: float = WIDTH, height: float = HEIGHT, most: int = 0
) -> Columns:
    """Bars for each label, the series stacked in their order. Raises ValueError for rows of unequal length.

    The scale reaches at least to `most`, so that two charts can share it.
    """
    if any(len(row.values) != len(labels) for row in series):
        raise ValueError("every series must have a number for each label")
    foot, right = height - BOTTOM, width - RIGHT
    heights = (sum(column) for column in zip(*(row.values for row in series), strict=True))
    marks = round_numbers(max([most, *heights]))
    unit, room = (foot - TOP) / marks[-1], (right - LEFT) / max(1, len(labels))
    thick = room - min(room * GAP, MOST_GAP)
    bars: list[Bar] = []
    for index, label in enumerate(labels):
        below = 0
        for number, row in enumerate(series):
            value = row.values[index]
            below += value
            x, y = LEFT + index * room + (room - thick) / 2, foot - below * unit
            bars += [Bar(_px(x), _px(y), _px(thick), _px(value * unit), number, label, value)] if value else []
    return Columns(
        width,
        height,
        LEFT,
        right,
        foot,
        bars,
        [Tick(_px(foot - mark * unit), short(mark)) for mark in marks],
        [Tick(_px(LEFT + (index + 0.5) * room), labels[index]) for index in spread(len(labels))],
    )


def lines(labels: Sequence[str], values: Sequence[int], width: float = WIDTH, most: int = 0) -> Lines:
    """One horizontal bar per label, in order; the longest fills the width, unless `most` would be longer.

    Raises ValueError for rows of unequal length.
    """
    room, most = width - NAMES - NUMBERS, max([most, *values]) or 1
    bars = [
        Bar(NAMES, _px(index * LINE + LINE * GAP / 2), _px(room * value / most), _px(LINE * (1 - GAP)), 0, label, value)
        for index, (label, value) in enumerate(zip(labels, values, strict=True))
    ]
    return Lines(width, len(bars) * LINE, NAMES, bars, _px(LINE * (1 - GAP) / 2))


def opposite(labels: Sequence[str], gains: Sequence[int], losses: Sequence[int], width: float = WIDTH) -> Opposite:
    """Two bars per label from a common line, in one scale: gains to the right, losses to the left.

    Raises ValueError for rows of unequal length.
    """
    most_lost, most_gained = max(losses, default=0), max(gains, default=0)
    room = width - NAMES - (2 if most_lost else 1) * NUMBERS
    unit = room / ((most_lost + most_gained) or 1)
    axis = NAMES + (NUMBERS if most_lost else 0) + most_lost * unit
    bars: list[Bar] = []
    for index, (label, gained, lost) in enumerate(zip(labels, gains, losses, strict=True)):
        y, height = _px(index * LINE + LINE * GAP / 2), _px(LINE * (1 - GAP))
        bars += [Bar(_px(axis), y, _px(gained * unit), height, 0, label, gained)] if gained else []
        bars += [Bar(_px(axis - lost * unit), y, _px(lost * unit), height, 1, label, lost)] if lost else []
    names = [Tick(_px((index + 0.5) * LINE), label) for index, label in enumerate(labels)]
    return Opposite(width, len(labels) * LINE, NAMES, _px(axis), bars, names)


def pairs(labels: Sequence[str], before: Sequence[int], after: Sequence[int], width: float = WIDTH) -> Opposite:
    """Two bars per label, one above the other, in one scale. Raises ValueError for rows of unequal length."""
    unit = (width - NAMES - NUMBERS) / (max([*before, *after], default=0) or 1)
    bars = [
        Bar(NAMES, _px(index * PAIR + series * BAR), _px(value * unit), BAR - 1, series, label, value)
        for index, (label, *values) in enumerate(zip(labels, before, after, strict=True))
        for series, value in enumerate(values)
    ]
    names = [Tick(_px(index * PAIR + BAR), label) for index, label in enumerate(labels)]
    return Opposite(width, len(labels) * PAIR, NAMES, NAMES, bars, names)


def round_numbers(most: int) -> list[int]:
    """Round numbers from 0 to the first that is at least `most`, in steps of 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step * TICKS >= most:
                count = max(1, -(-most // step))
                return [step * index for index in range(count + 1)]
        power *= 10


def spread(count: int) -> list[int]:
    """The indices of `count` items that get a label: all up to FEW_LABELS, else at most MOST_LABELS, evenly spaced."""
    step = 1 if count <= FEW_LABELS else -(-count // MOST_LABELS)
    return list(range(0, count, step))


def shade(part: int, whole: int) -> int:
    """The shade for a part of a whole: 0 for nothing, the last one for all of it."""
    if part <= 0 or whole <= 0:
        return 0
    return min(SHADES - 1, 1 + (part * (SHADES - 1) - 1) // whole)


def short(number: int) -> str:
    """A number as shown on an axis: 950, 1.5k, 20k, 3M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + letter
    return str(number)


def _px(number: float) -> float:
    """A hundredth of a unit is finer than any screen."""
    return round(number, 2)
