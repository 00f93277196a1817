"""Reading leaderboards: every part of a request, alone and combined, compared with plain sorting."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, get_args

import pytest

from laurels.engine.progress import Progress
from laurels.engine.ranking import Move, Place, Ties
from laurels.storage.contract import (
    Changes,
    LeaderboardLines,
    LeaderboardRequest,
    Loaded,
    LoadRequest,
    Store,
    TeamsRequest,
    UserRow,
)
from tests.support import MONDAY, check_tallies, sql

pytestmark = pytest.mark.anyio

Key = tuple[str, str]
Scores = Mapping[str, tuple[int, int]]
"""User -> (sort key, when it was reached)."""

BOARD = ("b", "2026")
SCORES = {
    "u1": (-9, 5),
    "u2": (-7, 1),
    "u3": (-7, 1),
    "u4": (-7, 8),
    "u5": (-4, 0),
    "u6": (-2, 3),
    "u7": (-2, 4),
    "u8": (-1, 0),
}
SHOWN = {"first": [1, 2, 3, 4, 5, 6, 7, 8], "shared": [1, 2, 2, 2, 5, 6, 6, 8], "dense": [1, 2, 2, 2, 3, 4, 4, 5]}
TIES = pytest.mark.parametrize("ties", get_args(Ties))


async def put(store: Store, key: Key, scores: Mapping[str, tuple[int, int] | None], **more: Any) -> None:
    """Bring users to these places on a board, in one transaction; None takes them off it."""

    def decide(found: Loaded) -> Changes:
        users = [UserRow(one, f"Name of {one}", MONDAY, 1, "r", Progress(points=3)) for one in scores]
        moves = [move(found, one, score) for one, score in scores.items()]
        return Changes([*users], moves=[one for one in moves if one.before != one.after], **more)

    def move(found: Loaded, user: str, score: tuple[int, int] | None) -> Move:
        before = found.standings.get(user, {}).get(key)
        return Move(user, *key, before, Place(*score, user) if score else None)

    users = frozenset(scores)
    await store.change(
        LoadRequest(users | {one for one, _ in more.get("erased", [])}, frozenset(), "r", in_full=users), decide
    )


def sorted_users(scores: Scores) -> list[str]:
    return sorted(scores, key=lambda user: (*scores[user], user))


def shown(listed: LeaderboardLines) -> list[tuple[int, str]]:
    return [(line.rank, line.place.user_id) for line in listed.lines]


def whole(ties: Ties) -> list[tuple[int, str]]:
    return list(zip(SHOWN[ties], SCORES, strict=True))


@pytest.fixture
async def filled(store: Store) -> Store:
    """Eight users on a leaderboard, and others with similar names and scores on another one and in another period."""
    await put(store, BOARD, SCORES)
    await put(store, ("b", "2025"), {"u4": (-99, 0), "u9": (-7, 1)})
    await put(store, ("a", "2026"), {"u8": (-99, 0), "u9": (-98, 1)})
    await put(store, ("off", "2026"), {"u0": (-1, 1)})
    await put(store, ("off", "2026"), {"u0": None})
    return store


def asking(ties: Ties, **more: Any) -> LeaderboardRequest:
    return LeaderboardRequest(*BOARD, ties=ties, **more)


@TIES
async def test_the_first_lines_show_ranks_by_the_tie_rule(filled: Store, ties: Ties) -> None:
    for limit in (1, 3, 8, 50):
        listed = await filled.listing(asking(ties, limit=limit))
        assert shown(listed) == whole(ties)[:limit]
        assert (listed.ranked, listed.me) == (8, None)
    line = (await filled.listing(asking(ties))).lines[3]
    assert (line.place, line.name, line.points) == (Place(-7, 8, "u4"), "Name of u4", 3)


@TIES
async def test_rank_and_line_agree_and_only_ranked_users_have_one(filled: Store, ties: Ties) -> None:
    for rank, user in whole(ties):
        assert await filled.rank(*BOARD, user, ties) == (rank, 8)
        listed = await filled.listing(asking(ties, limit=1, me=user))
        assert listed.me
        assert (listed.me.rank, listed.me.place.user_id, shown(listed)) == (rank, user, [(1, "u1")])
    for user in ("u0", "u9", "nobody"):
        assert await filled.rank(*BOARD, user, ties) == (None, 8)
        assert (await filled.listing(asking(ties, me=user))).me is None


@TIES
async def test_a_cursor_continues_after_any_line_even_among_equal_places(filled: Store, ties: Ties) -> None:
    for index, user in enumerate(SCORES):
        for limit in (1, 2, 20):
            expected = whole(ties)[index + 1 : index + 1 + limit]
            listed = await filled.listing(asking(ties, limit=limit, after=Place(*SCORES[user], user)))
            assert shown(listed) == expected
            assert listed.next == (Place(*SCORES[expected[-1][1]], expected[-1][1]) if len(expected) == limit else None)
    nowhere = Place(-5, 0, "")  # a place that no user has: the lines after it
    assert shown(await filled.listing(asking(ties, after=nowhere))) == whole(ties)[4:]


@TIES
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 8, 30])
async def test_lines_around_a_user_are_as_many_as_exist(filled: Store, ties: Ties, limit: int) -> None:
    for index, user in enumerate(SCORES):
        first = max(0, min(index - (limit - 1) // 2, len(SCORES) - limit))
        listed = await filled.listing(asking(ties, limit=limit, around=user, me="u2"))
        assert shown(listed) == whole(ties)[first : first + limit]
        assert listed.me
        assert listed.me.rank == 2
    assert shown(await filled.listing(asking(ties, limit=limit, around="u9"))) == []


@TIES
async def test_the_lines_of_some_users_have_their_ranks_on_the_whole_leaderboard(filled: Store, ties: Ties) -> None:
    some = ["u7", "u3", "u9", "u3", "nobody"]
    listed = await filled.listing(asking(ties, limit=5, only=some, me="u4"))
    assert shown(listed) == [line for line in whole(ties) if line[1] in ("u3", "u7")]
    assert shown(await filled.listing(asking(ties, limit=1, only=some))) == shown(listed)[:1]
    assert listed.me
    assert (listed.me.rank, listed.ranked) == (SHOWN[ties][3], 8)
    assert shown(await filled.listing(asking(ties, only=[]))) == []


@TIES
async def test_friends_among_many_equals_have_the_ranks_that_sorting_gives(store: Store, ties: Ties) -> None:
    rng = random.Random(12)
    scores = {f"u{number:04}": (-rng.choice((5, 5, 5, 5, 70, 9000)), rng.randrange(4)) for number in range(1500)}
    await put(store, BOARD, scores)
    expected = dict(zip(sorted_users(scores), ranks_by_sorting(scores, ties), strict=True))
    for number in (1, 40, 200, 1500):
        friends = rng.sample([*scores], number)
        listed = await store.listing(asking(ties, limit=number, only=friends))
        assert {user: rank for rank, user in shown(listed)} == {user: expected[user] for user in friends}


def ranks_by_sorting(scores: Scores, ties: Ties) -> list[int]:
    """The rank of each of the sorted users."""
    keys = [scores[user][0] for user in sorted_users(scores)]
    if ties == "first":
        return [*range(1, len(keys) + 1)]
    ranked = sorted(set(keys)) if ties == "dense" else keys
    return [ranked.index(key) + 1 for key in keys]


async def test_a_leaderboard_without_standings_is_empty(filled: Store) -> None:
    for key in (("off", "2026"), ("b", "2027"), ("none", "all")):
        listed = await filled.listing(LeaderboardRequest(*key, me="u1"))
        assert (list(listed.lines), listed.me, listed.ranked) == ([], None, 0)
        assert await filled.rank(*key, "u1") == (None, 0)


async def test_the_lowest_score_comes_first_if_the_sort_key_is_the_score(store: Store) -> None:
    await put(store, BOARD, {"a": (30, 0), "b": (2, 9), "c": (2, 8), "d": (MOST, 0)})
    assert shown(await store.listing(asking("shared"))) == [(1, "c"), (1, "b"), (3, "a"), (4, "d")]
    assert [await store.rank(*BOARD, user, "dense") for user in "abcd"] == [(2, 4), (1, 4), (1, 4), (3, 4)]


MOST = 2**53 - 1


async def test_ties_at_the_same_time_are_sorted_by_code_point(store: Store) -> None:
    names = ["b", "B", "ä", "a", "🙂", "～", "aa", "Z"]
    await put(store, BOARD, dict.fromkeys(names, (-5, 7)))
    assert [user for _, user in shown(await store.listing(asking("first")))] == sorted(names)
    assert [(await store.rank(*BOARD, user, "first"))[0] for user in sorted(names)] == [*range(1, 9)]
    around = await store.listing(asking("first", around="b", limit=3))
    assert shown(around) == [(4, "aa"), (5, "b"), (6, "ä")]


async def test_an_erased_user_leaves_every_leaderboard(filled: Store) -> None:
    await put(filled, BOARD, {}, erased=[("u4", MONDAY), ("u8", MONDAY), ("never-was", MONDAY)])
    assert [user for _, user in shown(await filled.listing(asking("first")))] == ["u1", "u2", "u3", "u5", "u6", "u7"]
    assert await filled.rank(*BOARD, "u5", "shared") == (4, 6)
    assert shown(await filled.listing(LeaderboardRequest("b", "2025"))) == [(1, "u9")]
    assert shown(await filled.listing(LeaderboardRequest("a", "2026"))) == [(1, "u9")]
    assert await sql(filled, "SELECT count(*) FROM standings WHERE user_id IN ('u4', 'u8')") == [(0,)]
    assert await filled.wrong_tallies() == 0
    await check_tallies(filled)


async def test_tallies_of_every_leaderboard_are_rebuilt_from_its_standings(filled: Store) -> None:
    await sql(filled, "DELETE FROM tallies WHERE board = 'b'")
    await sql(filled, "UPDATE tallies SET period = 'elsewhere' WHERE board = 'a' AND level = 3")
    assert await filled.wrong_tallies() > 0
    await filled.rebuild_tallies()
    assert await filled.wrong_tallies() == 0
    assert await filled.rank(*BOARD, "u5", "dense") == (3, 8)
    await check_tallies(filled)


async def test_a_user_loaded_in_full_has_the_places_on_all_leaderboards(filled: Store) -> None:
    found = await filled.user_snapshot("u8")
    assert found
    assert found.standings == {("a", "2026"): Place(-99, 0, "u8"), BOARD: Place(-1, 0, "u8")}


async def test_page_and_rank_are_from_one_snapshot_while_others_write(store: Store) -> None:
    """All users move in each transaction, so that a read that mixed two would show ranks that never existed."""
    users = [f"u{number}" for number in range(6)]
    await put(store, BOARD, dict.fromkeys(users, (-1, 0)))
    ended = asyncio.Event()

    async def write() -> None:
        for turn in range(2, 40):
            order = random.Random(turn).sample(users, len(users))
            await put(store, BOARD, {user: (-turn, place) for place, user in enumerate(order)})
        ended.set()

    async def read() -> None:
        while not ended.is_set():
            listed = await store.listing(asking("first", around="u3", me="u3", limit=6))
            assert len({line.place.sort_key for line in listed.lines}) == 1
            assert [line.rank for line in listed.lines] == [1, 2, 3, 4, 5, 6]
            assert listed.me in listed.lines
            assert listed.ranked == 6
            await asyncio.sleep(0)

    await asyncio.gather(write(), read(), read())


@pytest.mark.parametrize("seed", range(3))
async def test_any_moves_give_the_same_order_as_sorting_each_leaderboard(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    boards: dict[Key, dict[str, tuple[int, int]]] = {("b", "1"): {}, ("b", "2"): {}, ("c", "1"): {}}
    for _ in range(15):
        key = chance.choice([*boards])
        some = chance.sample([f"u{number}" for number in range(9)], 4)
        scores = {
            user: chance.choice([None, (-chance.choice([1, 1, 2, 64, 65, 2**40]), chance.choice([0, 1, 2**24, 2**41]))])
            for user in some
        }
        await put(store, key, scores)
        boards[key] = {user: score for user, score in (boards[key] | scores).items() if score}
        for one, of_board in boards.items():
            in_order = sorted_users(of_board)
            assert [user for _, user in shown(await store.listing(LeaderboardRequest(*one, limit=20)))] == in_order
            for number, user in enumerate(in_order, start=1):
                better = [score for score, _ in of_board.values() if score < of_board[user][0]]
                assert await store.rank(*one, user, "first") == (number, len(in_order))
                assert await store.rank(*one, user, "shared") == (len(better) + 1, len(in_order))
                assert await store.rank(*one, user, "dense") == (len({*better}) + 1, len(in_order))
        await check_tallies(store)


@TIES
@pytest.mark.parametrize("sign", [-1, 1])
async def test_a_rank_is_exact_at_every_edge_of_the_tallies_nodes(store: Store, ties: Ties, sign: int) -> None:
    keys = [
        sign * (edge + off) for edge in (64, 96, 4096, 2**12 + 2**11, 2**24, 2**53 - 40) for off in (-32, -1, 0, 1, 32)
    ]
    notifications = [
        edge + off for edge in (2**31, 2**32, 2**39, 2**40, 2**48 + 2**47) for off in (-(2**24), -1, 0, 1, 2**24)
    ]
    places = [*((key, 5) for key in keys), *((sign * 96, moment) for moment in notifications)]
    scores = {f"u{number:02}": place for number, place in enumerate(places)}
    await put(store, BOARD, scores)
    for user, (key, _) in scores.items():
        better = [other for other, _ in scores.values() if other < key]
        by_rule = {"first": sorted_users(scores).index(user), "shared": len(better), "dense": len({*better})}
        assert await store.rank(*BOARD, user, ties) == (by_rule[ties] + 1, len(scores))


# ---- teams ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("highest", [False, True])
@pytest.mark.parametrize("seed", range(3))
async def test_teams_are_ranked_by_the_exact_sum_or_mean(store: Store, mean: bool, highest: bool, seed: int) -> None:
    """Also where means differ by less than a floating number tells, and where they are the same of other numbers."""
    rng = random.Random(seed)
    great = 2**52
    scores = {
        f"t{index}": [rng.choice((great, great + 1, 1, 2, 3)) for _ in range(rng.randint(1, 4))] for index in range(9)
    }
    for name, of_members in scores.items():
        members = {f"{name}-{index}": (-score if highest else score, 0) for index, score in enumerate(of_members)}
        await put(store, (f"crew/team/{name}", "2026"), members)
    await put(store, ("crew/team/other-year", "2025"), {"ann": (-1, 0)})
    await put(store, ("crew-2/team/other-board", "2026"), {"bob": (-1, 0)})
    values = {name: Fraction(sum(of), len(of) if mean else 1) for name, of in scores.items()}
    in_order = sorted(values, key=lambda name: (-values[name] if highest else values[name], name))
    whole = [
        (1 + sum(order_of(values, one, highest) < order_of(values, name, highest) for one in values), name)
        for name in in_order
    ]
    for limit, mine in ((9, ()), (50, ("t3", "no")), (3, (in_order[7], in_order[1])), (1, ())):
        found = await store.teams(TeamsRequest("crew", "2026", limit, mine, mean, highest))
        expected = [line for index, line in enumerate(whole) if index < limit or line[1] in mine]
        assert [(team.rank, team.name) for team in found.lines] == expected
        assert [(team.total, team.members) for team in found.lines] == [
            (sum(scores[name]), len(scores[name])) for _, name in expected
        ]
        assert found.members == sum(map(len, scores.values()))


def order_of(values: Mapping[str, Fraction], name: str, highest: bool) -> Fraction:
    return -values[name] if highest else values[name]


async def test_without_any_team_there_are_none(store: Store) -> None:
    found = await store.teams(TeamsRequest("crew", "2026", 10, ["red"]))
    assert ([*found.lines], found.members) == ([], 0)
