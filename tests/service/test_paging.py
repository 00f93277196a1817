"""Paging a leaderboard in both directions, from any page, on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.events import Event
from laurels.errors import InvalidInput
from laurels.present.leaderboards import LeaderboardPage
from laurels.service.laurels import Laurels
from laurels.testing import sandbox
from tests.support import catalog
from tests.support.app import LEADERBOARDS, open_app_over

pytestmark = pytest.mark.anyio

TIED = catalog(
    points=[{"id": "a", "events": ["a"], "amount": 10, "per": "quantity"}],
    leaderboards=[{"id": ties, "period": "week", "ties": ties} for ties in ("first", "shared", "dense")],
)
USERS = 25


async def fill(laurels: Laurels) -> None:
    """25 users; each two neighbours share a score."""
    events = [Event(f"u{number:02}", "e", "a", quantity=1 + (USERS - number) // 2) for number in range(USERS)]
    await laurels.record_many(events)


def ranks(page: LeaderboardPage) -> list[tuple[int, str]]:
    return [(line.rank, line.user_id) for line in page.standings]


@pytest.mark.parametrize("board", ["points", "first", "shared", "dense"])
async def test_pages_are_the_same_in_both_directions(database: str, board: str) -> None:
    async with sandbox(TIED, database=database) as (laurels, _):
        await fill(laurels)
        whole = ranks(await laurels.leaderboard(board, limit=100))
        page = await laurels.leaderboard(board, limit=7)
        assert page.previous is None
        pages = [page]
        while page.next:
            page = await laurels.leaderboard(board, limit=7, after=page.next)
            pages.append(page)
        assert [line for one in pages for line in ranks(one)] == whole
        while page.previous:
            page = await laurels.leaderboard(board, limit=7, before=page.previous)
            pages.pop()
            assert ranks(page) == ranks(pages[-1])
        assert len(pages) == 1


@pytest.mark.parametrize("user", ["u00", "u01", "u12", "u23", "u24"])
async def test_the_lines_around_a_user_continue_in_both_directions(database: str, user: str) -> None:
    async with sandbox(TIED, database=database) as (laurels, _):
        await fill(laurels)
        whole = ranks(await laurels.leaderboard("shared", limit=100))
        page = await laurels.leaderboard("shared", around=user, limit=5)
        ahead, behind = await read_on(laurels, page)
        assert ahead + ranks(page) + behind == whole


async def read_on(laurels: Laurels, page: LeaderboardPage) -> tuple[list[Any], list[Any]]:
    """All lines before and after a page, by its cursors."""
    ahead: list[Any] = []
    behind: list[Any] = []
    previous, following = page.previous, page.next
    while previous:
        earlier = await laurels.leaderboard("shared", before=previous, limit=4)
        ahead, previous = ranks(earlier) + ahead, earlier.previous
    while following:
        later = await laurels.leaderboard("shared", after=following, limit=4)
        behind, following = behind + ranks(later), later.next
    return ahead, behind


async def test_an_empty_page_leads_back(database: str) -> None:
    async with sandbox(TIED, database=database) as (laurels, _):
        await fill(laurels)
        last = await laurels.leaderboard("points", limit=USERS)
        assert last.next
        empty = await laurels.leaderboard("points", limit=5, after=last.next)
        assert (empty.standings, empty.next) == ([], None)
        assert empty.previous
        again = await laurels.leaderboard("points", limit=5, before=empty.previous)
        assert again.standings == last.standings[-5:]


async def test_friends_and_users_without_a_line_have_no_cursors(database: str) -> None:
    async with sandbox(TIED, database=database) as (laurels, _):
        await fill(laurels)
        for page in (
            await laurels.leaderboard("points", friends=["u03", "u04"]),
            await laurels.leaderboard("points", around="stranger"),
        ):
            assert (page.next, page.previous) == (None, None)


async def test_a_cursor_before_is_refused_with_what_it_contradicts() -> None:
    async with sandbox(TIED) as (laurels, _):
        await fill(laurels)
        page = await laurels.leaderboard("points", limit=3)
        for wrong in ({"after": page.next}, {"around": "u03"}, {"friends": ["u03"]}):
            with pytest.raises(InvalidInput):
                await laurels.leaderboard("points", before=page.next, **wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="must be the 'previous' of an earlier answer"):
            await laurels.leaderboard("points", before="nonsense")


async def test_the_cursors_over_http() -> None:
    async with sandbox(TIED) as (laurels, clock), open_app_over(laurels, clock) as app:
        await fill(laurels)

        async def read(query: str) -> Any:
            return (await app.client.get(f"{LEADERBOARDS}/points?{query}", headers=app.by_key)).json()

        page = await read("around=u12&limit=5")
        before = await read(f"before={page['previous']}&limit=2")
        after = await read(f"after={page['next']}&limit=2")
        assert [line["rank"] for one in (before, page, after) for line in one["standings"]] == list(range(9, 18))
        assert (await read("limit=3"))["previous"] is None
