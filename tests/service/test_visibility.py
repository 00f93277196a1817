"""Which users others see: public, under an invented name, hidden, excluded; at once, on open and closed leaderboards."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from laurels.engine.events import Event
from laurels.errors import InvalidInput
from laurels.present.changes import RankChange
from laurels.present.events import EventResult
from tests.support import LASTING_ENGINES, new_database, sql
from tests.support.arena import CLOSE, WEEK, Arena, arena, beside, check_arena, rules

pytestmark = pytest.mark.anyio

LASTING = pytest.mark.parametrize("engine", LASTING_ENGINES)
ALL_WEEK = [(1, "ann", 50), (2, "bob", 40), (3, "cay", 30), (4, "dan", 20), (5, "eve", 10)]


@pytest.fixture
async def home(database: str) -> AsyncIterator[Arena]:
    """Five people, each with fewer pages than the one before."""
    async with arena(database) as one:
        for user_id, pages in (("ann", 50), ("bob", 40), ("cay", 30), ("dan", 20), ("eve", 10)):
            await one.laurels.update_user(user_id, name=user_id.title())
            await one.read(user_id, pages)
        yield one


async def seen_of(one: Arena, user_id: str, period: str = "current") -> str:
    """All that others can read in which this user could appear."""
    shown: list[Any] = [
        await one.board(period=period, limit=50),
        await one.board(period=period, limit=50, me="eve"),
        await one.board(period=period, around=user_id, me="eve"),
        await one.board(period=period, around="eve", me="eve", limit=50),
        await one.board(period=period, friends=[user_id, "dan"], me="eve"),
        await one.laurels.profile("eve", include=["rank", "streaks"]),
        await one.board("points", limit=50),
        await one.board("points", limit=2),
    ]
    text = msgspec.json.encode(shown).decode()
    cursors = [one.next for one in shown if getattr(one, "next", None)]
    return text + "".join(str(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))) for cursor in cursors)


# ---- hidden -----------------------------------------------------------------------------------


async def test_a_hidden_user_takes_no_rank_and_reads_their_own(home: Arena) -> None:
    await home.laurels.update_user("bob", visibility="hidden")
    assert await home.lines() == [(1, "ann", 50), (2, "cay", 30), (3, "dan", 20), (4, "eve", 10)]
    mine = await home.board(me="bob", limit=2)
    assert mine.me is not None
    assert (mine.me.rank, mine.me.user_id, mine.me.name, mine.me.score) == (2, "bob", "Bob", 40)
    assert [line.user_id for line in mine.standings] == ["ann", "cay"]
    assert mine.ranked_users == 4
    assert await home.ids(around="bob", me="bob", limit=2) == ["ann", "cay"]
    assert (await home.laurels.profile("bob")).user_rank == 2
    assert (await home.laurels.profile("cay")).user_rank == 2
    assert (await home.laurels.rank("bob")).rank == 2


@pytest.mark.parametrize("closed", [False, True])
async def test_no_one_else_sees_a_hidden_user(home: Arena, closed: bool) -> None:
    if closed:
        home.clock.set(CLOSE)
        assert "bob" in await seen_of(home, "bob", WEEK)
    await home.laurels.update_user("bob", visibility="hidden")
    seen = await seen_of(home, "bob", WEEK)
    assert "bob" not in seen
    assert "Bob" not in seen


async def test_a_user_who_hides_has_the_same_place_on_a_closed_leaderboard_when_shown_again(home: Arena) -> None:
    home.clock.set(CLOSE)
    assert await home.lines(period=WEEK) == ALL_WEEK
    await home.laurels.update_user("bob", visibility="hidden")
    assert await home.lines(period=WEEK) == [line for line in ALL_WEEK if line[1] != "bob"]
    assert await home.lines(period=WEEK, around="bob", me="bob", limit=3) == ALL_WEEK[:3]
    assert await home.lines(period=WEEK, around="bob", me="ann") == []
    mine = (await home.board(period=WEEK, me="bob", limit=1)).me
    assert mine is not None
    assert (mine.rank, mine.score) == (2, 40)
    await home.laurels.update_user("bob", visibility="public")
    assert await home.lines(period=WEEK) == ALL_WEEK


async def test_a_user_hidden_at_closing_reads_the_rank_they_would_have_had(home: Arena) -> None:
    await home.laurels.update_user("bob", visibility="hidden")
    home.clock.set(CLOSE)
    others = await home.lines(period=WEEK)
    await home.laurels.update_user("bob", visibility="public")
    assert await home.lines(period=WEEK) == others == [(1, "ann", 50), (2, "cay", 30), (3, "dan", 20), (4, "eve", 10)]
    mine = (await home.board(period=WEEK, me="bob")).me
    assert mine is not None
    assert (mine.rank, mine.score) == (2, 40)
    assert [user_id for user_id, _ in await home.notifications("leaderboard.closed")] == ["ann", "cay"]


@pytest.mark.parametrize("ties", ["first", "shared", "dense"])
async def test_the_rank_of_a_hidden_user_follows_the_tie_rule(database: str, ties: str) -> None:
    async with arena(database, rules({"id": "weekly", "period": "week", "ties": ties})) as one:
        for user_id, pages in (("a", 9), ("b", 9), ("c", 5), ("d", 5)):
            await one.read(user_id, pages)
            one.clock.advance(seconds=1)
        await one.laurels.update_user("d", visibility="hidden")
        for limit in (1, 3):
            mine = (await one.board(me="d", limit=limit)).me
            assert mine is not None
            assert mine.rank == {"first": 4, "shared": 3, "dense": 2}[ties]


async def test_an_event_of_a_hidden_user_changes_no_other_rank(home: Arena) -> None:
    await home.laurels.update_user("eve", visibility="hidden")
    before = len(await home.notifications("leaderboard.top"))
    recorded = await home.read("eve", 1000)
    assert recorded.rank == RankChange(before=5, after=1)  # those that they would have
    assert await home.lines() == ALL_WEEK[:4]
    assert len(await home.notifications("leaderboard.top")) == before
    assert (await home.laurels.profile("eve")).user_rank == 1


async def test_the_answer_to_an_event_of_a_hidden_user_agrees_with_the_rank_that_they_read(home: Arena) -> None:
    """Also when others move in the same transaction, ahead of them or behind."""
    for user_id in ("bob", "dan"):
        await home.laurels.update_user(user_id, visibility="hidden")
    users = ("ann", "bob", "cay", "dan", "eve", "fay")
    before = {user_id: (await home.laurels.rank(user_id)).rank for user_id in users}
    assert before == {"ann": 1, "bob": 2, "cay": 2, "dan": 3, "eve": 3, "fay": None}
    events = [Event(user_id, f"more-{user_id}", "read", quantity=10 * 3**index) for index, user_id in enumerate(users)]
    for answer in await home.laurels.record_many(events):
        assert isinstance(answer, EventResult)
        user_id = answer.user_id or ""
        shown = await home.laurels.rank(user_id)
        assert answer.rank == RankChange(before=before[user_id], after=shown.rank)
        assert (await home.laurels.profile(user_id)).user_rank == shown.rank
    again = await home.laurels.record(events[1])
    assert (again.duplicate, again.rank) == (True, RankChange(before=2, after=4))


async def test_visibility_is_public_pseudonym_hidden_or_the_boards_own(home: Arena) -> None:
    for visibility in ("hidden", "pseudonym", "public", None):
        assert (await home.laurels.update_user("bob", visibility=visibility)).visibility == visibility  # type: ignore[arg-type]
    assert await home.lines() == ALL_WEEK
    with pytest.raises(InvalidInput, match="must be one of public, pseudonym, hidden"):
        await home.laurels.update_user("bob", visibility="secret")  # type: ignore[arg-type]


@pytest.mark.parametrize("default", ["public", "pseudonym", "hidden"])
async def test_a_leaderboard_has_a_default_visibility_and_the_choice_of_a_user_wins(
    database: str, default: str
) -> None:
    boards = [{"id": "weekly", "period": "week", "visibility": default}, {"id": "open", "period": "week"}]
    async with arena(database, rules(*boards)) as one:
        for user_id, chosen in (("nil", None), ("pub", "public"), ("psy", "pseudonym"), ("hid", "hidden")):
            await one.laurels.update_user(user_id, visibility=chosen)  # type: ignore[arg-type]
            await one.read(user_id, 1)
            one.clock.advance(seconds=1)
        ids = ["alias" if user_id.startswith("alias:") else user_id for user_id in await one.ids()]
        assert ids == {"public": ["nil"], "pseudonym": ["alias"], "hidden": []}[default] + ["pub", "alias"]
        assert [user_id[:5] for user_id in await one.ids("open")] == ["nil", "pub", "alias"]


async def test_a_default_that_becomes_hidden_applies_at_once_to_existing_users(home: Arena) -> None:
    original = home.laurels.catalog
    async with beside(home, rules({"id": "weekly", "period": "week", "visibility": "hidden"})) as other:
        assert await other.ids() == []
        await other.laurels.profile("ann")
        mine = await other.board(me="ann")
        assert mine.standings == []
        assert mine.me is not None
        assert mine.me.user_id == "ann"
        assert await other.ids("points") == ["ann", "bob", "cay", "dan", "eve"]
        async for user_id in other.admin.users():
            assert await other.admin.verify(user_id) == []
    async with beside(home, original) as again:
        async for user_id in again.admin.users():
            await again.laurels.profile(user_id)
        assert await again.lines() == ALL_WEEK


# ---- pseudonyms -------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [False, True])
async def test_an_invented_name_never_reveals_whose_it_is(home: Arena, closed: bool) -> None:
    if closed:
        home.clock.set(CLOSE)
        await home.ids(period=WEEK)
    await home.laurels.update_user("bob", visibility="pseudonym")
    seen = await seen_of(home, "bob", WEEK)
    assert "bob" not in seen
    assert "Bob" not in seen
    lines = await home.lines(period=WEEK)
    assert [(rank, score) for rank, _, score in lines] == [(rank, score) for rank, _, score in ALL_WEEK]
    pseudonym = lines[1][1]
    assert pseudonym.startswith("alias:")
    assert await home.ids(period=WEEK, around="bob", me="ann") == []
    assert await home.ids(period=WEEK, around=pseudonym, me="ann") == []
    assert await home.ids(period=WEEK, friends=["bob", pseudonym, "ann"], me="ann") == ["ann"]


async def test_ones_own_line_has_ones_own_name(home: Arena) -> None:
    await home.laurels.update_user("bob", visibility="pseudonym")
    mine = await home.board(me="bob")
    assert [line.name for line in mine.standings][:2] == ["Ann", "Bob"]
    assert mine.me == mine.standings[1]
    assert await home.ids(around="bob", me="bob", limit=3) == ["ann", "bob", "cay"]
    assert await home.ids(friends=["bob", "dan"], me="bob") == ["bob", "dan"]
    leaders = (await home.laurels.profile("bob")).leaderboard
    assert [(line.user_id, line.name) for line in leaders[:2]] == [("ann", "Ann"), ("bob", "Bob")]
    assert (await home.laurels.profile("ann")).leaderboard[1].user_id.startswith("alias:")
    assert (await home.laurels.profile("bob")).user_rank == 2


async def test_hidden_friends_do_not_use_up_the_limit(home: Arena) -> None:
    for user_id in ("ann", "bob"):
        await home.laurels.update_user(user_id, visibility="pseudonym")
    assert await home.ids(friends=["ann", "bob", "cay", "dan"], limit=2) == ["cay", "dan"]


@LASTING
async def test_an_invented_name_is_the_same_in_every_process_and_another_in_every_database(database: str) -> None:
    async with arena(database) as one:
        for user_id in ("ann", "bob"):
            await one.laurels.update_user(user_id, visibility="pseudonym")
            await one.read(user_id, 1)
        names = await one.ids()
        assert len({*names}) == 2
        async with beside(one) as other:
            assert await other.ids() == names
    async with arena(database) as again:
        assert await again.ids() == names
    with new_database("sqlite-memory") as address:
        async with arena(address) as elsewhere:
            for user_id in ("ann", "bob"):
                await elsewhere.laurels.update_user(user_id, visibility="pseudonym")
                await elsewhere.read(user_id, 1)
            assert not {*await elsewhere.ids()} & {*names}


# ---- exclusion --------------------------------------------------------------------------------


async def test_an_excluded_user_is_off_every_board_at_once_and_back_when_it_is_undone(home: Arena) -> None:
    before = [await home.lines(board) for board in ("weekly", "points", "weekly-runs", "weekly-days", "weekly-pages")]
    stood = await sql(home.laurels.store, "SELECT * FROM standings ORDER BY 1, 2, 3")
    profile = await home.laurels.profile("bob")
    await home.exclude("bob")
    for board in home.laurels.catalog.boards:
        assert "bob" not in await home.ids(board)
    assert await home.lines() == [(1, "ann", 50), (2, "cay", 30), (3, "dan", 20), (4, "eve", 10)]
    assert (await home.board(me="bob")).me is None
    after = await home.laurels.profile("bob")
    assert (after.points, after.badges, after.streak) == (profile.points, profile.badges, profile.streak)
    assert after.user_rank is None
    assert "bob" not in [line.user_id for line in after.leaderboard]
    await check_arena(home)
    await home.read("bob", 5)
    assert "bob" not in await home.ids()
    await home.admin.reverse("bob", f"e-{home.sent[0]}", "a mistake", "a test")
    await home.admin.undo("bob", "exclusion")
    again = [await home.lines(board) for board in ("weekly", "points", "weekly-runs", "weekly-days", "weekly-pages")]
    assert again == before
    assert await sql(home.laurels.store, "SELECT * FROM standings ORDER BY 1, 2, 3") == stood


async def test_an_exclusion_holds_on_closed_boards_and_leaves_their_ranks(home: Arena) -> None:
    home.clock.set(CLOSE)
    assert await home.lines(period=WEEK) == ALL_WEEK
    await home.exclude("bob")
    assert await home.lines(period=WEEK) == [line for line in ALL_WEEK if line[1] != "bob"]
    assert await home.ids(period=WEEK, around="bob", me="ann") == []
    assert await home.ids(period=WEEK, friends=["bob", "cay"]) == ["cay"]
    await home.admin.undo("bob", "exclusion")
    assert await home.lines(period=WEEK) == ALL_WEEK


async def test_two_exclusions_hold_until_both_are_undone(home: Arena) -> None:
    for name in ("one", "two"):
        await home.adjust("bob", "exclusion", name)
    await home.admin.undo("bob", "one")
    assert "bob" not in await home.ids()
    await home.admin.undo("bob", "two")
    assert await home.lines() == ALL_WEEK
