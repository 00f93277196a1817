"""Charts: from numbers to places on a drawing. Pure; a template draws what stands here, in the units of its viewBox."""

from __future__ import annotations

from collections.abc import Sequence

from laurels.engine.values import plain

WIDTH, HEIGHT = 480.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 12.0, 24.0
"""What is kept free around the bars of `columns`, for the numbers of its axes."""

NAMES, NUMBERS, LINE = 150.0, 56.0, 24.0
"""Of `lines`: how wide the names and the numbers are, and how high a line is."""

GAP = 0.25
"""Which share of its room a bar leaves free."""

MOST_GAP = 6.0
FEW_LABELS, MOST_LABELS = 8, 6
"""Where there are few labels, each is written; of many, these at most."""

TICKS = 4
SHADES = 6
"""Into how many shades a heat table divides the way from nothing to all."""


@plain
class Series:
    """One row of numbers, none of them negative: one for each label of the chart."""

    name: str
    values: Sequence[int]


@plain
class Tick:
    """A mark on an axis: where along it, and what it says."""

    at: float
    text: str


@plain
class Bar:
    """A bar: its place, the number of its series, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    series: int
    label: str
    value: int


@plain
class Columns:
    """Upright bars, those of one label stacked. `numbers` are marks along the height, `labels` along the width."""

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
    """Lying bars, one a line: room for names at the left of `left`, and for numbers behind each bar."""

    width: float
    height: float
    left: float
    bars: Sequence[Bar]
    middle: float


def columns(labels: Sequence[str], series: Sequence[Series], width: float = WIDTH, height: float = HEIGHT) -> Columns:
    """Bars for each label, the series stacked on each other in their order. Raises ValueError for rows of unequal length."""
    if any(len(one.values) != len(labels) for one in series):
        raise ValueError("every series must have a number for each label")
    foot, right = height - BOTTOM, width - RIGHT
    marks = round_numbers(max((sum(column) for column in zip(*(one.values for one in series), strict=True)), default=0))
    unit, room = (foot - TOP) / marks[-1], (right - LEFT) / max(1, len(labels))
    thick = room - min(room * GAP, MOST_GAP)
    bars: list[Bar] = []
    for index, label in enumerate(labels):
        below = 0
        for number, one in enumerate(series):
            value = one.values[index]
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


def lines(labels: Sequence[str], values: Sequence[int], width: float = WIDTH) -> Lines:
    """One lying bar for each label, in order; the longest fills the room. Raises ValueError for rows of unequal length."""
    room, most = width - NAMES - NUMBERS, max(values, default=0) or 1
    bars = [
        Bar(NAMES, _px(index * LINE + LINE * GAP / 2), _px(room * value / most), _px(LINE * (1 - GAP)), 0, label, value)
        for index, (label, value) in enumerate(zip(labels, values, strict=True))
    ]
    return Lines(width, len(bars) * LINE, NAMES, bars, _px(LINE * (1 - GAP) / 2))


def round_numbers(most: int) -> list[int]:
    """Some round numbers from 0 up to the first that is not below `most`: steps of 1, 2 or 5, times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step * TICKS >= most:
                count = max(1, -(-most // step))
                return [step * index for index in range(count + 1)]
        power *= 10


def spread(count: int) -> list[int]:
    """Which of so many things in a row get a label: all of FEW_LABELS, else MOST_LABELS, evenly spaced from the first on."""
    step = 1 if count <= FEW_LABELS else -(-count // MOST_LABELS)
    return list(range(0, count, step))


def shade(part: int, whole: int) -> int:
    """In which of SHADES a part of a whole stands: 0 for nothing, the last for all of it."""
    if part <= 0 or whole <= 0:
        return 0
    return min(SHADES - 1, 1 + (part * (SHADES - 1) - 1) // whole)


def short(number: int) -> str:
    """A number as an axis says it: 950, 1.5k, 20k, 3M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + letter
    return str(number)


def _px(number: float) -> float:
    """A hundredth of a unit is finer than any screen."""
    return round(number, 2)
