from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.events import MAX_NUMBER
from laurels.engine.leaderboards import Place, finest_time, nodes, place, ranges_ahead

MICROS = st.one_of(
    st.integers(1_767_000_000_000_000, 1_767_000_060_000_000),  # within a minute, so that times meet in one node
    st.integers(-(2**40), 2**57),
)
SCORES = st.one_of(st.integers(1, 3), st.integers(1, 5000), st.integers(1, MAX_NUMBER))
USERS = st.text("abC🙂", min_size=1, max_size=3)
PLACES = st.dictionaries(USERS, st.tuples(SCORES, MICROS), min_size=1, max_size=40)


def rank(mine: Place, everybody: list[Place]) -> int:
    """The rank as a store counts it: whole nodes ahead, then those within the finest one."""
    tallies = Counter(node for one in everybody for node in nodes(one))
    ahead = sum(
        amount
        for (level, under, node), amount in tallies.items()
        for one in ranges_ahead(mine)
        if (level, under) == (one.level, one.under) and one.low <= node <= one.high
    )
    key = (mine.reached_at, mine.user_id)
    near = [one for one in everybody if one.sort_key == mine.sort_key and one.reached_at >= finest_time(mine)]
    return 1 + ahead + sum((one.reached_at, one.user_id) < key for one in near)


@given(PLACES)
def test_the_rank_from_tallies_is_the_rank_from_sorting(scores: dict[str, tuple[int, int]]) -> None:
    places = [Place(-score, reached, user) for user, (score, reached) in scores.items()]
    ordered = sorted(places, key=lambda one: (one.sort_key, one.reached_at, one.user_id))
    assert [rank(one, places) for one in ordered] == list(range(1, len(places) + 1))


@given(SCORES, MICROS)
def test_a_place_is_counted_once_on_every_level(score: int, reached: int) -> None:
    levels = [level for level, _, _ in nodes(Place(-score, reached, "ada"))]
    assert levels == list(range(len(levels)))
    assert len(ranges_ahead(Place(-score, reached, "ada"))) == len(levels)


def test_nobody_ranks_with_nothing() -> None:
    assert place(0, 0, "ada") is None
    assert place(1, 7, "ada") == Place(-1, 7, "ada")
