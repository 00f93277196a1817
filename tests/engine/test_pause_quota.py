"""How many days users may pause themselves: different days, within any 365 days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.adjust import check_pause
from laurels.engine.streaks import Streak
from laurels.engine.where import Where
from laurels.errors import AdjustmentRefused
from tests.support import day

TODAY = day("2026-01-01")
FIVE = Streak("login", ("login",), Where(), pause_days=5)

Pause = tuple[int, int]


def paused(pauses: Iterable[Pause], *, own: bool = True, streak: str = "login") -> list[dict[str, object]]:
    return [{"streak": streak, "own": own, "first": written(first), "last": written(last)} for first, last in pauses]


def written(on: int) -> str:
    return date.fromordinal(TODAY + on).isoformat()


def ask(pauses: list[dict[str, object]], wanted: Pause) -> str:
    """'' where the pause is allowed, else why not."""
    try:
        check_pause(FIVE, pauses, TODAY + wanted[0], TODAY + wanted[1], TODAY)
    except AdjustmentRefused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize(
    ("pauses", "wanted", "refusal"),
    [
        ([], (1, 5), ""),
        ([], (1, 6), "only 5 of 5"),
        ([(10, 12)], (11, 14), ""),  # 10 to 14 are five days
        ([(10, 12)], (11, 15), "only 2 of 5"),
        ([(10, 12), (11, 14)], (10, 14), ""),
        ([(10, 12), (11, 14)], (15, 15), "only 0 of 5"),
        ([(10, 14)], (12, 13), ""),
        ([(400, 404)], (1, 1), ""),
        ([(400, 404)], (1, 5), ""),
        ([(400, 404)], (36, 36), ""),  # 36 and 400 to 403; 404 is 368 days later
        ([(400, 404)], (40, 40), "only 0 of 5"),
        ([(400, 404)], (36, 40), "only 0 of 5"),
        ([(1, 5)], (368, 370), ""),
        ([(1, 5), (368, 370)], (371, 372), ""),
        ([(1, 5), (368, 370)], (371, 373), "only 2 of 5"),
        ([(1, 5)], (365, 365), "only 0 of 5"),
        ([(1, 5)], (366, 366), ""),  # 1 has left the window
        ([(1, 5)], (365, 366), "only 0 of 5"),
    ],
)
def test_a_pause_is_allowed_while_no_365_days_hold_too_many(pauses: list[Pause], wanted: Pause, refusal: str) -> None:
    said = ask(paused(pauses), wanted)
    assert said.startswith(refusal)
    assert bool(said) == bool(refusal)


def test_pauses_of_an_operator_and_of_other_streaks_do_not_count() -> None:
    assert ask([*paused([(1, 300)], own=False), *paused([(1, 5)], streak="other")], (1, 5)) == ""


@given(st.lists(st.tuples(st.integers(0, 800), st.integers(0, 4)), max_size=8))
def test_what_is_allowed_never_makes_more_days_than_the_rule_in_any_window(wishes: list[tuple[int, int]]) -> None:
    pauses: list[dict[str, object]] = []
    days: set[int] = set()
    for first, more in wishes:
        wanted = set(range(first, first + more + 1))
        most = max(len({one for one in days | wanted if start <= one < start + 365}) for start in range(-5, 810))
        allowed = ask(pauses, (first, first + more)) == ""
        assert allowed == (most <= 5)
        if allowed:
            pauses += paused([(first, first + more)])
            days |= wanted
