"""Levels by a formula: exact beginnings, rounded once, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.events import MAX_NUMBER
from laurels.engine.plans import suffices
from laurels.errors import CatalogError
from tests.support import catalog, catalog_text


def starts(**formula: Any) -> tuple[int, ...]:
    return catalog(levels=formula).levels.thresholds


def refused(**formula: Any) -> tuple[str, str, str]:
    with pytest.raises(CatalogError) as caught:
        Catalog.parse(catalog_text(levels=formula))
    (fault,) = caught.value.faults
    return fault.where, fault.what, fault.fix


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ({}, (0, 100, 200, 300, 400)),
        ({"increase": 50}, (0, 100, 250, 450, 700)),
        ({"growth": "1.5"}, (0, 100, 250, 475, 813)),  # exactly 812.5
        ({"growth": "1.15", "round_to": 50}, (0, 100, 200, 350, 500)),
        ({"growth": "2", "first": 1}, (0, 1, 3, 7, 15)),
    ],
)
def test_a_formula_says_at_how_many_points_each_level_begins(
    formula: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert starts(**{"count": 5, "first": 100, **formula}) == expected


@given(
    st.integers(1, 60),
    st.integers(1, 10_000),
    st.decimals("1", "2", places=3),
    st.integers(0, 500),
    st.integers(1, 40),
    st.booleans(),
)
def test_every_beginning_is_the_exact_sum_rounded_half_up(
    count: int, first: int, growth: Decimal, increase: int, to: int, grows: bool
) -> None:
    formula = {
        "count": count,
        "first": first,
        "round_to": to,
        **({"growth": str(growth)} if grows else {"increase": increase}),
    }
    expected, total, step = [0], Fraction(0), Fraction(first)
    for _ in range(1, count):
        total += step
        step = step * Fraction(growth) if grows else step + increase
        expected.append(int(total / to + Fraction(1, 2)) * to)
    if expected != sorted(set(expected)):
        assert refused(**formula)[0] == "levels.round_to"
    elif expected[-1] > MAX_NUMBER:
        assert refused(**formula)[0] == "levels.count"
    else:
        assert starts(**formula) == tuple(expected)


def test_levels_have_a_title_with_their_number_and_some_their_own() -> None:
    levels = catalog(levels={"count": 3, "first": 10, "title": "Rank {number}", "titles": {"2": "Expert"}}).levels
    assert [level.title for level in levels.all] == ["Rank 1", "Expert", "Rank 3"]
    assert [level.title for level in catalog(levels={"count": 2, "first": 10}).levels.all] == ["Level 1", "Level 2"]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ({"count": 1001}, ("levels.count", "must be at most 1,000", "write count = 1000")),
        ({"count": 0}, ("levels.count", "must be a whole number of 1 or more, not 0", "write count = 1")),
        ({"first": 0}, ("levels.first", "must be a whole number of 1 or more, not 0", "write first = 1")),
        (
            {"growth": 1.5},
            ("levels.growth", "must be in quotes, so that it is exact, not 1.5", 'write growth = "1.5"'),
        ),
        (
            {"growth": "0.9"},
            (
                "levels.growth",
                "must be a number from 1 to 999.999 with at most 3 decimals, not '0.9'",
                'write growth = "1.5"',
            ),
        ),
        (
            {"growth": "1.5", "increase": 1},
            (
                "levels.increase",
                "is there, and growth, too",
                "keep growth (each level times it), or increase (plus it)",
            ),
        ),
        (
            {"title": "{level}"},
            ("levels.title", "has a place that is not {number}", 'write title = "Level {number}"'),
        ),
        ({"titles": {"6": "x"}}, ("levels.titles.6", "is not the number of a level", "write a number from 1 to 5")),
        ({"titles": {"one": "x"}}, ("levels.titles.one", "is not the number of a level", "write a number from 1 to 5")),
        (
            {"count": 100, "growth": "1.5"},
            (
                "levels.count",
                "level 79 would begin at more than 9007199254740991 points",
                "write count = 78, or let them grow less",
            ),
        ),
        (
            {"first": 10, "round_to": 25},
            (
                "levels.round_to",
                "level 2 would begin at 0 points, as level 1 does",
                "write a smaller round_to, or a larger first",
            ),
        ),
        ({"grwth": "1.5"}, ("levels.grwth", "unknown key 'grwth'", "did you mean 'growth'?")),
    ],
)
def test_a_formula_that_cannot_be_is_refused_with_the_fix(
    formula: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert refused(**{"count": 5, "first": 100, **formula}) == expected


def test_the_fix_for_too_many_levels_is_the_largest_count_that_works() -> None:
    assert max(starts(count=78, first=100, growth="1.5")) <= MAX_NUMBER


def test_a_formula_and_a_list_with_the_same_numbers_are_the_same_rules() -> None:
    listed = catalog(levels=[{"title": "Level 1", "points": 0}, {"title": "Level 2", "points": 100}])
    made = catalog(levels={"count": 2, "first": 100})
    assert made.rules == listed.rules
    assert suffices(listed, made)
    assert differences(listed, made) == [
        "levels: from a list of 2 to a formula of 2 (count = 2, first = 100, round_to = 1, title = 'Level {number}')"
    ]


def test_what_differs_in_two_formulas_is_said_once_and_not_for_each_level() -> None:
    before = catalog(levels={"count": 50, "first": 100, "growth": "1.15"})
    after = catalog(levels={"count": 60, "first": 100, "growth": "1.2", "titles": {"60": "Legend"}})
    assert differences(before, after) == [
        "levels.count: from 50 to 60",
        "levels.growth: from '1.15' to '1.2'",
        "levels.titles: from nothing to { 60 = 'Legend' }",
    ]
