from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.days import Days
from tests.support import day

ORDINALS = st.integers(719_163, 719_163 + 150)
SETS = st.sets(ORDINALS, max_size=100)


def day_set(ordinals: set[int]) -> Days:
    days = Days()
    for ordinal in ordinals:
        days = days.with_day(ordinal)
    return days


@given(SETS)
def test_a_set_of_days_is_a_set(ordinals: set[int]) -> None:
    days = day_set(ordinals)
    assert list(days) == sorted(ordinals)
    assert len(days) == len(ordinals)
    assert days.last == max(ordinals, default=-1)
    assert all((ordinal in days) == (ordinal in ordinals) for ordinal in range(719_160, 719_320))


@given(st.lists(ORDINALS, min_size=1), st.randoms())
def test_sets_with_the_same_days_are_equal_in_any_order_of_adding(ordinals: list[int], random: object) -> None:
    shuffled = sorted(ordinals, key=lambda _: random.random())  # type: ignore[attr-defined]
    grown = Days()
    for ordinal in (*shuffled, *ordinals):
        grown = grown.with_day(ordinal)
    assert grown == day_set(set(ordinals))
    assert hash(grown) == hash(day_set(set(ordinals)))


@given(SETS, SETS)
def test_sets_are_joined_and_cut(ordinals: set[int], others: set[int]) -> None:
    joined = day_set(ordinals) | day_set(others)
    assert joined == day_set(ordinals | others)
    for ordinal in others:
        joined = joined.without_day(ordinal)
    assert joined == day_set(ordinals - others)


@given(ORDINALS, st.integers(-3, 40))
def test_a_span_includes_both_its_ends(first: int, more: int) -> None:
    assert set(Days.span(first, first + more)) == set(range(first, first + more + 1))


def test_ten_years_fit_into_456_bytes() -> None:
    first = day("2016-01-01")
    days = day_set({first, *range(first, first + 3650, 2)})
    assert (days.bits.bit_length() + 7) // 8 <= 457
