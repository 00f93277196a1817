from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.events import MAX_NUMBER
from laurels.engine.leaderboards import Board
from laurels.engine.ranking import (
    Move,
    Place,
    Ranks,
    Ties,
    around,
    finest_time,
    nodes,
    numbered,
    order,
    ranges_ahead,
    ranks_of,
)

MICROS = st.one_of(
    st.integers(1_767_000_000_000_000, 1_767_000_060_000_000),  # within a minute, so that times meet in one node
    st.integers(-(2**40), 2**57),
)
SCORES = st.one_of(st.integers(1, 3), st.integers(1, 5000), st.integers(1, MAX_NUMBER))
USERS = st.text("abC🙂", min_size=1, max_size=3)
PLACES = st.dictionaries(USERS, st.tuples(SCORES, MICROS), min_size=1, max_size=40)


def rank(mine: Place, everyone: list[Place]) -> int:
    """The rank as a store counts it: whole nodes ahead, then those within the finest one."""
    tallies = Counter(node for one in everyone for node in nodes(one))
    ahead = sum(
        amount
        for (level, under, node), amount in tallies.items()
        for one in ranges_ahead(mine)
        if (level, under) == (one.level, one.under) and one.low <= node <= one.high
    )
    key = (mine.reached_at, mine.user_id)
    near = [one for one in everyone if one.sort_key == mine.sort_key and one.reached_at >= finest_time(mine)]
    return 1 + ahead + sum((one.reached_at, one.user_id) < key for one in near)


@given(PLACES)
def test_the_rank_from_tallies_is_the_rank_from_sorting(scores: dict[str, tuple[int, int]]) -> None:
    places = [Place(-score, reached, user) for user, (score, reached) in scores.items()]
    ordered = sorted(places, key=order)
    assert [rank(one, places) for one in ordered] == list(range(1, len(places) + 1))


@given(SCORES, MICROS)
def test_a_place_is_counted_once_on_every_level(score: int, reached: int) -> None:
    levels = [level for level, _, _ in nodes(Place(-score, reached, "ada"))]
    assert levels == list(range(len(levels)))
    assert len(ranges_ahead(Place(-score, reached, "ada"))) == len(levels)


def test_a_score_of_0_is_not_ranked() -> None:
    board = Board("b", "B")
    assert (board.place(0, 0, "ada"), board.place(-3, 0, "ada")) == (None, None)
    assert board.place(1, 7, "ada") == Place(-1, 7, "ada")


def test_where_the_lowest_score_is_first_the_sort_key_is_the_score() -> None:
    board = Board("b", "B", highest=False)
    assert (board.place(0, 7, "ada"), board.place(3, 7, "ada")) == (None, Place(3, 7, "ada"))
    assert (board.score(3), Board("b", "B").score(-3)) == (3, 3)


# ---- tie rules --------------------------------------------------------------------------------

SCORES_WITH_TIES = [9, 7, 7, 7, 4, 2, 2, 1]
SHOWN = {"first": [1, 2, 3, 4, 5, 6, 7, 8], "shared": [1, 2, 2, 2, 5, 6, 6, 8], "dense": [1, 2, 2, 2, 3, 4, 4, 5]}


@pytest.mark.parametrize("ties", get_args(Ties))
def test_every_page_of_a_leaderboard_shows_the_ranks_of_the_whole(ties: Ties) -> None:
    places = [Place(-score, index, f"u{index}") for index, score in enumerate(SCORES_WITH_TIES)]
    shown = SHOWN[ties]
    assert numbered(places, ties, 1, 1) == shown
    for first in range(len(places)):
        for end in range(first + 1, len(places) + 1):
            assert numbered(places[first:end], ties, first + 1, shown[first]) == shown[first:end]
    assert numbered([], ties, 1, 1) == []


# ---- around -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "limit", "expected"),
    [
        (5, 5, [3, 4, 5, 6, 7]),
        (5, 4, [4, 5, 6, 7]),  # an even number: one more after than before
        (0, 4, [0, 1, 2, 3]),
        (1, 5, [0, 1, 2, 3, 4]),
        (9, 4, [6, 7, 8, 9]),
        (8, 5, [5, 6, 7, 8, 9]),
        (4, 1, [4]),
        (4, 2, [4, 5]),
        (9, 2, [8, 9]),
        (3, 30, [*range(10)]),
    ],
)
def test_a_line_is_in_the_middle_or_as_near_as_the_ends_allow(position: int, limit: int, expected: list[int]) -> None:
    board = [*range(10)]
    before = board[max(0, position - limit + 1) : position]
    following = board[position + 1 : position + limit]
    assert around(before, board[position], following, limit) == expected


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 9))
def test_around_gives_as_many_consecutive_lines_as_there_are(ahead: int, after: int, limit: int) -> None:
    board = [*range(ahead + 1 + after)]
    found = around(board[max(0, ahead - limit + 1) : ahead], ahead, board[ahead + 1 : ahead + limit], limit)
    assert ahead in found
    assert found == board[found[0] : found[0] + min(limit, len(board))]
    half = (limit - 1) // 2
    assert found.index(ahead) == half or found[0] == 0 or found[-1] == board[-1]


# ---- many moves at once -----------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 1)), max_size=12))
def test_ranks_before_and_after_moves_are_those_of_two_sorts(users: list[tuple[bool, int, int, int]]) -> None:
    def place_of(score: int, user: int) -> Place | None:
        return Place(-score, 0, f"u{user:02}") if score else None

    before = [place_of(score, user) for user, (_, score, _, _) in enumerate(users)]
    after = [place_of(new if moves else old, user) for user, (moves, old, new, _) in enumerate(users)]
    old, new = (sorted((one for one in places if one), key=order) for places in (before, after))
    moves = [
        Move(f"u{user:02}", "b", "all", before[user], after[user]) for user, (moves, *_) in enumerate(users) if moves
    ]
    ahead = {
        place: sum(order(one) < order(place) for one in old)
        for move in moves
        for place in (move.before, move.after)
        if place
    }
    assert ranks_of(moves, ahead) == {
        move.user_id: Ranks(
            old.index(move.before) + 1 if move.before else None, new.index(move.after) + 1 if move.after else None
        )
        for move in moves
    }
