"""Charts: from numbers to positions in a drawing."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.console.charts import (
    FEW_LABELS,
    LEFT,
    MOST_LABELS,
    NAMES,
    NUMBERS,
    SHADES,
    Series,
    columns,
    lines,
    opposite,
    pairs,
    round_numbers,
    shade,
    short,
    spread,
)
from laurels.site.html import templates

numbers = st.integers(0, 10**12)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[list[str], list[Series]]:
    """Some labels, and some series with a number for each."""
    count = draw(st.integers(0, 60))
    rows = draw(st.lists(st.lists(numbers, min_size=count, max_size=count), min_size=1, max_size=5))
    return [f"day {index}" for index in range(count)], [Series(f"s{i}", row) for i, row in enumerate(rows)]


@given(stacks())
def test_every_bar_is_within_the_axes_and_on_top_of_the_one_below(drawn: tuple[list[str], list[Series]]) -> None:
    labels, series = drawn
    chart = columns(labels, series)

    feet = dict.fromkeys(labels, chart.foot)
    for bar in chart.bars:
        assert bar.x >= LEFT
        assert bar.x + bar.width <= chart.right + 0.02
        assert bar.y + bar.height == pytest.approx(feet[bar.label], abs=0.03)
        assert bar.y >= chart.numbers[-1].at - 0.03
        feet[bar.label] = bar.y


@given(stacks())
def test_heights_are_proportional_to_the_numbers(drawn: tuple[list[str], list[Series]]) -> None:
    chart = columns(*drawn)
    if chart.bars:
        tallest = max(chart.bars, key=lambda bar: bar.value)
        for bar in chart.bars:
            assert bar.height == pytest.approx(tallest.height * bar.value / tallest.value, abs=0.03)


@given(stacks())
def test_every_number_except_zero_has_a_bar(drawn: tuple[list[str], list[Series]]) -> None:
    labels, series = drawn
    shown = {(bar.label, bar.series): bar.value for bar in columns(labels, series).bars}

    assert shown == {
        (label, index): one.values[place]
        for index, one in enumerate(series)
        for place, label in enumerate(labels)
        if one.values[place]
    }


@given(numbers)
def test_an_axis_has_few_round_numbers_and_reaches_the_highest(most: int) -> None:
    marks = round_numbers(most)

    assert marks[0] == 0
    assert 2 <= len(marks) <= 5
    assert marks[-1] >= most
    assert len({after - before for before, after in pairwise(marks)}) == 1
    assert re.fullmatch(r"[125]0*", str(marks[1]))
    assert marks[-2] < max(most, 1)


@pytest.mark.parametrize(
    ("most", "marks"),
    [(0, [0, 1]), (1, [0, 1]), (7, [0, 2, 4, 6, 8]), (40, [0, 10, 20, 30, 40]), (41, [0, 20, 40, 60])],
)
def test_the_marks_of_an_axis_are_round_numbers(most: int, marks: list[int]) -> None:
    assert round_numbers(most) == marks


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (950, "950"), (1000, "1k"), (1500, "1.5k"), (20_000, "20k"), (3_000_000, "3M"), (2 * 10**9, "2G")],
)
def test_an_axis_abbreviates_large_numbers(number: int, text: str) -> None:
    assert short(number) == text


@given(st.integers(0, 1000))
def test_labels_are_evenly_spaced_from_the_first(count: int) -> None:
    places = spread(count)

    assert len(places) == count if count <= FEW_LABELS else 1 < len(places) <= MOST_LABELS
    assert places[:1] == [0][:count]
    assert all(place < count for place in places)
    assert len({after - before for before, after in pairwise(places)}) <= 1


@given(st.lists(numbers, max_size=30))
def test_horizontal_bars_are_proportional_to_the_numbers_and_fit(values: list[int]) -> None:
    chart = lines([str(index) for index in range(len(values))], values)

    room = chart.width - NAMES
    for bar, value in zip(chart.bars, values, strict=True):
        assert (bar.x, bar.value) == (NAMES, value)
        assert bar.width < room
        assert bar.width == pytest.approx(max(one.width for one in chart.bars) * value / (max(values) or 1), abs=0.02)
        assert bar.y + bar.height <= chart.height


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_shades_grow_with_the_share_and_the_first_means_nothing_and_the_last_all(part: int, whole: int) -> None:
    assert 0 <= shade(part, whole) < SHADES
    assert (shade(part, whole) == 0) == (part == 0 or whole == 0)
    assert shade(whole, whole) == (SHADES - 1 if whole else 0)
    assert shade(part, whole) <= shade(part + 1, whole) or not whole


def test_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="each label"):
        columns(["a", "b"], [Series("one", [1])])
    with pytest.raises(ValueError, match="zip"):
        lines(["a", "b"], [1])


def test_a_drawing_has_a_title_a_description_and_a_table() -> None:
    macro = templates().get_template("console/charts.html").module
    labels, series = ["<1>", "2"], [Series("a & b", [1, 2]), Series("c", [0, 3])]
    chart = columns(labels, series)

    drawn = str(macro.columns("c1", "Awards", "By week.", chart, labels, series, "Week"))  # type: ignore[attr-defined]

    svg = ET.fromstring(drawn[drawn.index("<svg viewBox") : drawn.rindex("</svg>") + len("</svg>")])
    assert svg.get("role") == "img"
    assert (svg[0].tag, svg[0].text) == ("title", "Awards")
    assert svg[1].tag == "desc"
    assert len(svg.findall("rect")) == len(chart.bars) == 3
    assert "<1>: a & b 1" in [title.text for title in svg.iter("title")]
    assert drawn.count("<tr>") == 3
    assert "style=" not in drawn


def test_gains_go_to_the_right_and_losses_to_the_left_in_one_scale() -> None:
    chart = opposite(["a", "b", "c"], [30, 0, 10], [0, 20, 10])

    assert [(bar.label, bar.series, bar.value) for bar in chart.bars] == [
        ("a", 0, 30),
        ("b", 1, 20),
        ("c", 0, 10),
        ("c", 1, 10),
    ]
    assert all(bar.x == chart.axis for bar in chart.bars if bar.series == 0)
    assert all(bar.x + bar.width == pytest.approx(chart.axis, abs=0.02) for bar in chart.bars if bar.series == 1)
    widths = {bar.width / bar.value for bar in chart.bars}
    assert max(widths) == pytest.approx(min(widths), rel=0.01)
    assert max(bar.x + bar.width for bar in chart.bars) <= chart.width - NUMBERS + 0.1
    assert min(bar.x for bar in chart.bars) >= NAMES + NUMBERS - 0.1
    assert [tick.text for tick in chart.names] == ["a", "b", "c"]


def test_before_and_after_are_drawn_one_above_the_other() -> None:
    chart = pairs(["1", "2"], [30, 0], [10, 20])

    assert [(bar.label, bar.series, bar.value) for bar in chart.bars] == [
        ("1", 0, 30),
        ("1", 1, 10),
        ("2", 0, 0),
        ("2", 1, 20),
    ]
    assert [bar.y for bar in chart.bars] == sorted({bar.y for bar in chart.bars})
    assert chart.bars[0].width == pytest.approx(3 * chart.bars[1].width, abs=0.1)
    assert pairs([], [], []).bars == []
    assert opposite([], [], []).bars == []


@pytest.mark.parametrize("draw", [opposite, pairs])
def test_two_rows_of_unequal_length_are_an_error(draw: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="zip"):
        draw(["a", "b"], [1], [2])
