from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.events import MAX_NUMBER
from tests.support import cases

LEVELS = Catalog.default().levels


@pytest.mark.parametrize("case", cases("levels"), ids=lambda case: f"{case['points']} points")
def test_the_levels_of_the_conformance_cases(case: dict[str, Any]) -> None:
    reading = LEVELS.read(case["points"])
    assert (reading.level.number, reading.level.title) == (case["level"], case["title"])
    assert (reading.next_level, reading.progress) == (case["nextLevel"], case["progress"])


@pytest.mark.parametrize(("points", "percent"), [(125, 25), (505, 51), (515, 52), (525, 53), (2525, 51)])
def test_half_a_percent_rounds_up_and_never_to_even(points: int, percent: int) -> None:
    assert LEVELS.read(points).progress == percent


@given(st.integers(0, MAX_NUMBER), st.integers(0, MAX_NUMBER))
def test_more_points_never_mean_a_lower_level(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert LEVELS.number(low) <= LEVELS.number(high)
    assert 0 <= LEVELS.read(low).progress <= 100
    assert LEVELS.read(low).next_level > low or LEVELS.number(low) == 7
