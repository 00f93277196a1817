"""Sums of days: compact, exact, and the same in any order, with the day on which their number was reached."""

from __future__ import annotations

import random
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.day_sums import NO_SUMS, DaySums
from laurels.engine.events import MAX_NUMBER
from laurels.engine.instants import midnight
from tests.support import day

FIRST = day("2016-01-01")

AMOUNTS = st.sampled_from([0, 1, 1, 2, 9, 255, 256, 70_000, 2**33, MAX_NUMBER])
SEEN = st.lists(st.tuples(st.integers(0, 40), AMOUNTS), max_size=25)
CAPS = st.sampled_from([None, None, 1, 3, 300, 2**40])
WINDOWS = st.sampled_from([None, 1, 2, 7, 30])


def collected(seen: list[tuple[int, int]], cap: int | None = None, window: int | None = None) -> DaySums:
    return reduce(lambda sums, one: sums.with_amount(FIRST + one[0], one[1], cap, window), seen, NO_SUMS)


def by_days(seen: list[tuple[int, int]], cap: int | None) -> dict[int, int]:
    found: dict[int, int] = {}
    for on, amount in seen:
        found[FIRST + on] = min(found.get(FIRST + on, 0) + amount, cap or MAX_NUMBER)
    return dict(sorted(found.items()))


def ends(days: dict[int, int], window: int) -> dict[int, int]:
    """The sum of the days of each window, by its last day."""
    return {
        last: min(MAX_NUMBER, sum(amount for one, amount in days.items() if last - window < one <= last))
        for last in days
    }


@settings(max_examples=300)
@given(SEEN, CAPS, WINDOWS, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_sums_number_and_day(
    seen: list[tuple[int, int]], cap: int | None, window: int | None, chance: random.Random
) -> None:
    sums, days = collected(seen, cap, window), by_days(seen, cap)
    assert collected(chance.sample(seen, len(seen)), cap, window) == sums
    assert dict(sums._between(FIRST, FIRST + 40)) == days
    if not seen:
        assert sums == NO_SUMS
    elif window is None:
        counting = [one for one, amount in days.items() if amount]
        assert sums.number == min(MAX_NUMBER, sum(days.values()))
        assert sums.reached == (max(counting) if counting else min(days))
    else:
        found = ends(days, window)
        best = max(found.values())
        assert (sums.number, sums.reached) == (best, min(one for one, amount in found.items() if amount == best))
    assert sums.reached_at == (midnight(sums.reached) if seen else midnight(0))


def test_what_changes_nothing_gives_the_same_value() -> None:
    full = collected([(3, 5)], cap=5)
    assert full.with_amount(FIRST + 3, 9, 5, None) is full
    assert collected([(3, 0)]).with_amount(FIRST + 3, 0, None, 7) is not NO_SUMS


@pytest.mark.parametrize(("amount", "width"), [(1, 1), (255, 1), (256, 2), (70_000, 4), (MAX_NUMBER, 8)])
def test_ten_years_of_days_take_a_byte_each_or_what_the_largest_needs(amount: int, width: int) -> None:
    days = [(on, 1) for on in range(3650)]
    sums = collected([*days, (1000, amount - 1)])
    assert len(sums.sums) == 3650 * width
    assert sums.number == min(MAX_NUMBER, 3649 + amount)


def test_days_far_apart_take_little() -> None:
    sums = collected([(0, 5), (20_000, 7), (9_999, 1)], window=7)
    assert (len(sums.sums), sums.number, sums.reached) == (3, 7, FIRST + 20_000)


def test_a_window_grows_only_at_its_days() -> None:
    sums = [collected([(on, 2) for on in range(length)], window=7) for length in range(1, 12)]
    assert [one.number for one in sums] == [2, 4, 6, 8, 10, 12, 14, 14, 14, 14, 14]
    assert all(earlier.number <= later.number for earlier, later in pairwise(sums))
    assert {one.reached for one in sums[6:]} == {FIRST + 6}
