"""Boards on which teams compete: sums and means of their members, who may come, go, be erased and be excluded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from laurels.errors import InvalidInput
from tests.support import sql
from tests.support.arena import CLOSE, WEEK, Arena, arena, check_arena, rules

pytestmark = pytest.mark.anyio

SUMS = {"id": "sums", "period": "week", "teams": "team:"}
MEANS = {"id": "means", "period": "week", "teams": "team:", "team_score": "mean"}
LEAST = {"id": "least", "period": "week", "teams": "team:", "order": "lowest"}


@pytest.fixture
async def home(database: str) -> AsyncIterator[Arena]:
    """Two teams, one person in both, and one in none."""
    async with arena(database, rules(SUMS, MEANS, LEAST)) as one:
        for user_id, groups, pages in (
            ("ann", ["team:red"], 10),
            ("bob", ["team:blue", "staff"], 6),
            ("cay", ["team:red", "team:blue"], 3),
            ("dan", ["staff"], 99),
        ):
            await one.laurels.update_user(user_id, groups=groups)
            await one.read(user_id, pages)
        yield one


async def teams(one: Arena, board: str = "sums", period: str = WEEK) -> list[tuple[int, str, float, int]]:
    """Rank, name, score and members of each team."""
    shown = (await one.board(board, period)).teams or []
    return [(team.rank, team.team.removeprefix("team:"), team.score, team.members) for team in shown]


async def test_a_team_has_the_sum_or_the_mean_of_its_members(home: Arena) -> None:
    assert await teams(home) == [(1, "red", 13, 2), (2, "blue", 9, 2)]
    assert await teams(home, "means") == [(1, "red", 6.5, 2), (2, "blue", 4.5, 2)]
    assert await teams(home, "least") == [(1, "blue", 9, 2), (2, "red", 13, 2)]


async def test_a_user_who_joins_a_team_brings_their_score_and_one_who_leaves_takes_it(home: Arena) -> None:
    await home.laurels.update_user("dan", groups=["team:green"])
    assert await teams(home) == [(1, "green", 99, 1), (2, "red", 13, 2), (3, "blue", 9, 2)]
    await home.laurels.update_user("ann", groups=["team:blue"])
    assert await teams(home) == [(1, "green", 99, 1), (2, "blue", 19, 3), (3, "red", 3, 1)]
    await home.laurels.update_user("cay", groups=[])
    assert await teams(home) == [(1, "green", 99, 1), (2, "blue", 16, 2)]


async def test_a_user_in_two_teams_counts_in_both(home: Arena) -> None:
    await home.read("cay", 100)
    assert await teams(home) == [(1, "red", 113, 2), (2, "blue", 109, 2)]


async def test_erased_excluded_and_reversed_members_count_no_more(home: Arena) -> None:
    await home.exclude("cay")
    assert await teams(home) == [(1, "red", 10, 1), (2, "blue", 6, 1)]
    await home.admin.undo("cay", "exclusion")
    assert await teams(home) == [(1, "red", 13, 2), (2, "blue", 9, 2)]
    await home.laurels.erase_user("ann")
    assert await teams(home) == [(1, "blue", 9, 2), (2, "red", 3, 1)]
    await home.admin.reverse("bob", "e-2", "a mistake", "a test")
    assert await teams(home) == [(1, "blue", 3, 1), (1, "red", 3, 1)]


async def test_hidden_members_are_left_out_of_what_others_see(home: Arena) -> None:
    await home.laurels.update_user("cay", visibility="hidden")
    assert await teams(home) == [(1, "red", 10, 1), (2, "blue", 6, 1)]
    assert await teams(home, "means") == [(1, "red", 10, 1), (2, "blue", 6, 1)]
    await home.read("cay", 50)
    await home.laurels.update_user("bob", visibility="hidden")
    assert await teams(home) == [(1, "red", 10, 1)]
    shown = await home.board("sums", me="bob")
    assert (shown.ranked_teams, shown.ranked_users) == (1, 1)

    await home.laurels.update_user("cay", groups=["team:blue"], visibility="pseudonym")
    assert await teams(home) == [(1, "blue", 53, 1), (2, "red", 10, 1)]
    await home.laurels.update_user("bob", visibility=None)
    assert await teams(home) == [(1, "blue", 59, 2), (2, "red", 10, 1)]
    await home.laurels.update_user("cay", visibility="hidden")
    await home.laurels.erase_user("cay")
    assert await teams(home) == [(1, "red", 10, 1), (2, "blue", 6, 1)]


async def test_a_leaderboard_that_hides_by_default_counts_members_who_chose_to_be_seen(database: str) -> None:
    async with arena(database, rules(SUMS | {"visibility": "hidden"})) as one:
        for user_id, chosen in (("ann", None), ("bob", "public"), ("cay", "pseudonym")):
            await one.laurels.update_user(user_id, groups=["team:red"], visibility=chosen)
            await one.read(user_id, 5)
        assert await teams(one) == [(1, "red", 10, 2)]


async def test_teams_are_counted_and_named_as_teams(home: Arena) -> None:
    await home.laurels.update_user("dan", groups=["team:"])
    page = await home.board("sums", limit=1)
    assert (page.ranked_teams, page.ranked_users) == (3, 5)
    shown = (await home.board("sums")).teams
    assert [(team.team, team.name) for team in shown] == [
        ("team:", "team:"),
        ("team:red", "red"),
        ("team:blue", "blue"),
    ]


@pytest.mark.parametrize("board", ["sums", "means", "least"])
async def test_verify_finds_a_hidden_member_who_is_counted_and_rebuild_repairs_it(home: Arena, board: str) -> None:
    await home.laurels.update_user("cay", visibility="hidden")
    before = await teams(home, board)
    store = home.laurels.store
    await sql(
        store,
        "INSERT INTO standings (user_id, board, period, sort_key, reached_at) VALUES (?, ?, ?, ?, ?) RETURNING 1",
        *("cay", f"{board}/team/team:red", WEEK, 3 if board == "least" else -3, 0),
    )
    await store.rebuild_tallies()
    assert await teams(home, board) != before
    assert [one.what for one in await home.admin.verify("cay")] == ["standings"]
    assert await home.admin.rebuild("cay")
    assert await teams(home, board) == before


async def test_equal_teams_share_a_rank_in_order_of_their_names(home: Arena) -> None:
    await home.read("bob", 4)
    await home.laurels.update_user("dan", groups=["team:zinc"])
    assert await teams(home) == [(1, "zinc", 99, 1), (2, "blue", 13, 2), (2, "red", 13, 2)]


async def test_ones_own_team_is_marked_and_shown_past_the_limit(home: Arena) -> None:
    shown = (await home.board("sums", me="bob", limit=1)).teams or []
    assert [(team.team, team.mine) for team in shown] == [("team:red", False), ("team:blue", True)]
    shown = (await home.board("sums", me="dan", limit=1)).teams or []
    assert [(team.team, team.mine) for team in shown] == [("team:red", False)]
    assert (await home.board("sums")).standings == []


@pytest.mark.parametrize("asked", [{"after": "x"}, {"around": "bob"}, {"friends": ["bob"]}], ids=str)
async def test_requests_for_lines_of_users_are_refused_for_teams(home: Arena, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="teams") as caught:
        await home.board("sums", **asked)
    assert [caught.value.field] == list(asked)


async def test_a_closed_board_of_teams_stays_as_it_was(home: Arena) -> None:
    before = await teams(home)
    home.clock.set(CLOSE)
    await home.laurels.update_user("dan", groups=["team:red"])
    await home.laurels.update_user("ann", groups=[])
    await home.read("ann", 50)
    await home.exclude("bob")
    await home.laurels.erase_user("cay")
    assert await teams(home) == before
    await check_arena(home)


async def test_totals_of_teams_are_recounted_and_checked(home: Arena) -> None:
    store, before = home.laurels.store, await teams(home)
    await sql(store, "UPDATE tallies SET amount = amount + 5 WHERE level = 99 AND board = ?", "sums/team/team:red")
    assert await store.wrong_tallies() > 0
    assert await teams(home) != before
    await store.rebuild_tallies()
    assert await store.wrong_tallies() == 0
    assert await teams(home) == before
