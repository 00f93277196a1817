"""Closing: when its time has come, a period is closed for good, whether or not anything woke up, and nothing changes it."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from laurels.engine.events import Event
from laurels.errors import LaurelsError
from laurels.storage.contract import Changes, LoadRequest
from tests.support import LASTING_ENGINES, at, sql
from tests.support.arena import (
    BOARDS,
    CLOSE,
    END,
    IDS,
    NEXT_WEEK,
    ROOT,
    START,
    WEEK,
    Arena,
    arena,
    beside,
    check_arena,
    fixed,
    rules,
    walked,
    whole_board,
)

pytestmark = pytest.mark.anyio

LASTING = pytest.mark.parametrize("engine", LASTING_ENGINES)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def home(database: str) -> AsyncIterator[Arena]:
    """An arena at noon of Wednesday, 7 January 2026, before any read."""
    async with arena(database) as one:
        yield one


async def fill(one: Arena) -> None:
    """Six people in three groups, two of them with equal scores, in the week of 5 January."""
    for index, (user_id, pages) in enumerate(
        [("ann", 50), ("bob", 40), ("cay", 40), ("dan", 30), ("eve", 20), ("fay", 10)]
    ):
        await one.laurels.update_user(user_id, groups=[f"team:{'red' if index % 2 else 'blue'}"])
        one.clock.advance(seconds=1)
        await one.read(user_id, pages, name=f"first-{user_id}")
    await one.read("bob", 1, at("2026-01-06T10:00"))
    await one.read("cay", 1, at("2026-01-06T11:00"))


# ---- when -------------------------------------------------------------------------------------


async def test_late_events_count_until_the_late_hours_are_over(home: Arena) -> None:
    await home.read("ann", 10)
    home.clock.set(CLOSE - timedelta(seconds=1))
    await home.read("bob", 20, at("2026-01-08T12:00"))
    assert await home.lines(period=WEEK) == [(1, "bob", 20), (2, "ann", 10)]
    assert (await home.board(period=WEEK)).period.status == "ended"
    home.clock.set(CLOSE)
    await home.read("ann", 90, at("2026-01-08T12:00"))
    assert await home.lines(period=WEEK) == [(1, "bob", 20), (2, "ann", 10)]
    assert (await home.board(period=WEEK)).period.status == "closed"
    assert (await home.laurels.profile("ann")).points == 100


async def test_the_first_reading_after_the_end_shows_the_closed_board_though_nothing_woke_up(home: Arena) -> None:
    await fill(home)
    open_still = await whole_board(home)
    home.clock.set(CLOSE + timedelta(days=30))
    await home.read("fay", 1000, at("2026-01-20T12:00"))
    await home.read("eve", 1000)
    assert await whole_board(home) == open_still


async def test_a_period_without_ranked_users_leaves_no_trace(home: Arena) -> None:
    await home.read("ann", 1)
    for period in ("1000-W01", "2025-W40"):
        assert await home.ids(period=period) == []
        assert await home.ids("weekly-runs", period) == []
        assert not (await home.board("weekly-teams", period)).teams
    await home.laurels.close_periods()
    assert await sql(home.laurels.store, "SELECT * FROM closings") == []


async def test_a_board_of_all_time_never_closes(home: Arena) -> None:
    await home.read("ann", 1)
    home.clock.advance(days=4000)
    await home.laurels.close_periods()
    await home.ids("points")
    assert (await home.laurels.closings("points")).closings == []
    await home.read("ann", 1)
    assert await home.lines("points") == [(1, "ann", 2)]


async def test_waking_up_closes_what_has_ended_once(home: Arena) -> None:
    await fill(home)
    home.clock.set(CLOSE)
    assert sorted(await home.laurels.close_periods()) == sorted((board, WEEK) for board in IDS)
    assert await home.laurels.close_periods() == []
    assert [row.period for row in (await home.laurels.closings("weekly")).closings] == [WEEK]


# ---- whatever happens afterwards --------------------------------------------------------------


async def late_events(one: Arena) -> None:
    for user_id in ("bob", "fay", "new"):
        await one.read(user_id, 500, at("2026-01-07T12:00"))
        await one.read(user_id, 5)


async def reversals(one: Arena) -> None:
    await one.admin.reverse("ann", "first-ann", "a script", ROOT)
    await one.admin.reverse("bob", "first-bob", "a script", ROOT)
    await one.admin.undo("bob", "reversal:first-bob")


async def adjustments_and_badges(one: Arena) -> None:
    await one.adjust("fay", "points", "a-1", amount=1000)
    await one.adjust("fay", "points", "a-2", amount=-3)
    await one.admin.undo("fay", "a-1")
    await one.adjust("dan", "grant", badge="gift")
    await one.adjust("ann", "grant", badge="gift")
    await one.adjust("ann", "revocation", badge="gift")


async def freezes_pauses_and_repairs(one: Arena) -> None:
    await one.adjust("bob", "freezes", streak="reading", count=3)
    await one.adjust("bob", "pause", streak="reading", first="2026-01-07", last="2026-01-09")
    await one.read("bob", 1, at("2026-01-13T01:00"))
    await one.adjust("cay", "pause", streak="", first="2026-01-07", last="2026-01-09")


async def amnesties(one: Arena) -> None:
    amnesty = await one.admin.add_amnesty(at("2026-01-06").date(), at("2026-01-09").date(), "an outage", ROOT)
    for user_id in ("ann", "bob", "cay"):
        await one.laurels.streaks(user_id)
    await one.admin.lift_amnesty(amnesty.id)
    await one.laurels.streaks("ann")


async def other_names_and_groups(one: Arena) -> None:
    await one.laurels.update_user("ann", name="Annabel", groups=["team:red", "team:green"])
    await one.laurels.update_user("eve", groups=[])
    await one.laurels.update_user("gus", groups=["team:red"])


async def rebuilding(one: Arena) -> None:
    async for user_id in one.admin.users():
        assert not await one.admin.rebuild(user_id)
    await one.laurels.store.rebuild_tallies()


async def another_catalog(one: Arena) -> None:
    double = rules(points=[{"id": "pages", "events": ["read"], "amount": 2, "per": "quantity"}])
    async with beside(one, double) as other:
        async for user_id in other.admin.users():
            await other.laurels.profile(user_id)
            await other.admin.rebuild(user_id)
            assert await other.admin.verify(user_id) == []
    async for user_id in one.admin.users():
        await one.laurels.profile(user_id)


async def test_a_catalog_that_drops_a_board_and_one_that_brings_it_back_leave_what_was_closed(home: Arena) -> None:
    await fill(home)
    before = await whole_board(home)
    home.clock.set(CLOSE)
    assert await whole_board(home) == before
    await other_catalogs(home)
    assert await whole_board(home) == before


async def test_the_open_standings_of_a_board_that_a_catalog_drops_go(home: Arena) -> None:
    await fill(home)
    await other_catalogs(home)
    async with beside(home, rules({"id": "else"})) as other:
        async for user_id in other.admin.users():
            await other.laurels.profile(user_id)
        assert {tuple(key) for key in await other.laurels.store.periods()} == {("else", "all"), ("points", "all")}
    await home.apply(rules(*BOARDS, {"id": "else", "retired": True}))
    async for user_id in home.admin.users():
        await home.laurels.profile(user_id)
    assert await home.lines(limit=2) == [(1, "ann", 50), (2, "bob", 41)]


async def other_catalogs(one: Arena) -> None:
    """Everybody under catalogs without the weekly boards, or with one that counts months now, and back."""
    for other_rules in (rules({"id": "else"}), rules({"id": "weekly", "period": "month"})):
        async with beside(one, other_rules) as other:
            async for user_id in other.admin.users():
                await other.laurels.profile(user_id)
                assert await other.admin.verify(user_id) == []
                assert not await other.admin.rebuild(user_id)
            assert await other.laurels.store.wrong_tallies() == 0
    await one.apply(rules())
    async for user_id in one.admin.users():
        await one.laurels.profile(user_id)


async def exclusions_and_hiding(one: Arena) -> None:
    for user_id in ("ann", "dan"):
        await one.exclude(user_id)
        await one.admin.undo(user_id, "exclusion")
    for visibility in ("hidden", "pseudonym", "public"):
        await one.laurels.update_user("cay", visibility=visibility)


AFTERWARDS = [
    late_events,
    reversals,
    adjustments_and_badges,
    freezes_pauses_and_repairs,
    amnesties,
    other_names_and_groups,
    rebuilding,
    another_catalog,
    exclusions_and_hiding,
]


@pytest.mark.parametrize("happens", AFTERWARDS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("was_read", [True, False], ids=["read before", "never read before"])
async def test_nothing_changes_a_closed_board(
    home: Arena, happens: Callable[[Arena], Awaitable[None]], was_read: bool
) -> None:
    await fill(home)
    before = await whole_board(home)
    home.clock.set(CLOSE + timedelta(hours=3))
    if was_read:
        assert await whole_board(home) == before
    await happens(home)
    assert await whole_board(home) == before
    await check_arena(home)


@pytest.mark.parametrize("was_read", [True, False], ids=["read before", "never read before"])
async def test_an_erased_user_leaves_a_place_without_a_name(home: Arena, was_read: bool) -> None:
    await fill(home)
    lines = await home.lines(period=WEEK)
    teams = (await home.board("weekly-teams", WEEK)).teams
    home.clock.set(CLOSE)
    if was_read:
        await home.ids(period=WEEK)
        await home.board("weekly-teams", WEEK)
    for user_id in ("ann", "dan"):
        await home.laurels.erase_user(user_id)
        await home.laurels.erase_user(user_id)
    after = [line for line in lines if line[1] not in ("ann", "dan")]
    assert await home.lines(period=WEEK) == after
    assert [line[:3] for line in await walked(home, "weekly", WEEK)] == after
    assert (await home.board(period=WEEK)).ranked_users == len(lines)
    assert (await home.board("weekly-teams", WEEK)).teams == teams
    around = await home.lines(period=WEEK, around="cay", me="cay", limit=3)
    assert around == [line for line in after if line[1] in ("bob", "cay")]
    assert await home.ids(period=WEEK, friends=["ann", "bob"]) == ["bob"]
    stored = await sql(home.laurels.store, "SELECT user_id FROM standings")
    assert not {("ann",), ("dan",)} & {tuple(row) for row in stored}


EQUALS = ("pam", "ron", "sam", "tom", "zoe")


async def ranks_of(one: Arena, users: Iterable[str], board: str = "weekly") -> dict[str, set[int]]:
    """The rank of each of these in the closed week, by every way to read it."""
    found: dict[str, set[int]] = {user_id: set() for user_id in users}
    for user_id, ranks in found.items():
        mine = (await one.board(board, WEEK, me=user_id, limit=1)).me
        assert mine is not None
        ranks.add(mine.rank)
        ranks.add((await one.laurels.store.rank(board, WEEK, user_id))[0] or 0)
        for lines in ([line[:3] for line in await walked(one, board, WEEK)], await one.lines(board, WEEK, limit=50)):
            ranks |= {rank for rank, name, _ in lines if name == user_id}
        for asked in ({"around": user_id, "limit": 1}, {"around": user_id, "limit": 3}, {"friends": [user_id]}):
            lines = await one.lines(board, WEEK, me=user_id, **asked)
            ranks |= {rank for rank, name, _ in lines if name == user_id}
    return found


@pytest.mark.parametrize("hidden", [(), ("ron",), ("sam",), ("sam", "tom"), ("pam", "zoe")], ids="-".join)
@pytest.mark.parametrize("seed", range(3))
async def test_erasing_a_user_changes_no_rank_even_among_users_with_equal_score_and_time(
    home: Arena, hidden: tuple[str, ...], seed: int
) -> None:
    for user_id in EQUALS:
        await home.read(user_id, 9, START)
    await home.read("max", 5, START)
    for user_id in hidden:
        await home.laurels.update_user(user_id, visibility="hidden")
    home.clock.set(CLOSE)
    before = await ranks_of(home, [*EQUALS, "max"])
    shown = [user_id for user_id in EQUALS if user_id not in hidden]
    for user_id, ranks in before.items():
        assert ranks == {1 + sum(one < user_id for one in shown) if user_id != "max" else 1 + len(shown)}
    gone = random.Random(seed).sample(EQUALS, 4)
    for index, user_id in enumerate(gone):
        await home.laurels.erase_user(user_id)
        left = before.keys() - gone[: index + 1]
        assert await ranks_of(home, left) == {user_id: before[user_id] for user_id in left}
    assert await home.laurels.store.wrong_tallies() == 0
    stored = await sql(home.laurels.store, "SELECT * FROM standings")
    assert not set(gone) & {value for row in stored for value in row}


async def test_erasing_equal_users_at_once_changes_no_rank(home: Arena) -> None:
    for user_id in EQUALS:
        await home.read(user_id, 9, START)
    home.clock.set(CLOSE)
    before = await ranks_of(home, ("ron", "zoe"))
    async with anyio.create_task_group() as tasks:
        for user_id in ("tom", "pam", "sam"):
            tasks.start_soon(home.laurels.erase_user, user_id)
    assert await ranks_of(home, ("ron", "zoe")) == before == {"ron": {2}, "zoe": {5}}


@LASTING
async def test_erasing_equal_users_from_two_processes_changes_no_rank(database: str) -> None:
    async with arena(database) as one, beside(one) as other:
        users = [f"u{index:02}" for index in range(24)]
        for user_id in users:
            await one.read(user_id, 9, START)
        for to in (one, other):
            to.clock.set(CLOSE)
        before = await ranks_of(one, users)
        gone = [user_id for user_id in users if int(user_id[1:]) % 4]
        async with anyio.create_task_group() as tasks:
            for index, user_id in enumerate(gone):
                tasks.start_soon((one, other)[index % 2].laurels.erase_user, user_id)
        left = [user_id for user_id in users if user_id not in gone]
        assert await ranks_of(other, left) == {user_id: before[user_id] for user_id in left}
        assert [rank for rank, _, _ in await one.lines(period=WEEK, limit=50)] == [1, 5, 9, 13, 17, 21]


async def test_users_in_front_of_a_closed_leaderboard_are_notified_of_their_rank_after_an_erasure(
    home: Arena,
) -> None:
    for user_id in EQUALS:
        await home.read(user_id, 9, START)
    home.clock.set(CLOSE)
    await home.laurels.store.close_period("weekly", WEEK, CLOSE)
    await home.laurels.store.change(
        LoadRequest(frozenset(["pam"]), frozenset(), home.laurels.catalog.rules),
        lambda _: Changes(erased=[("pam", CLOSE)]),
    )
    await home.ids(period=WEEK)
    told = [(user_id, json.loads(data)["rank"]) for user_id, data in await home.notifications("leaderboard.closed")]
    assert told == [("ron", 2)]


async def test_an_open_period_closes_the_gap_of_an_erased_user(home: Arena) -> None:
    await fill(home)
    await home.laurels.erase_user("ann")
    assert await home.lines(period=WEEK, limit=2) == [(1, "bob", 41), (2, "cay", 41)]
    assert (await home.board(period=WEEK)).ranked_users == 5


async def test_erasing_the_users_in_front_of_a_closed_leaderboard_notifies_no_one(home: Arena) -> None:
    await fill(home)
    home.clock.set(CLOSE)
    await home.ids(period=WEEK)
    told = await home.notifications("leaderboard.top")
    await home.laurels.erase_user("ann")
    assert await home.notifications("leaderboard.top") == [one for one in told if one[0] != "ann"]


# ---- telling ----------------------------------------------------------------------------------


async def test_users_in_front_are_notified_once(home: Arena) -> None:
    await fill(home)
    home.clock.set(CLOSE)
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(home.ids, "weekly", WEEK)
            tasks.start_soon(home.laurels.close_periods)
    async with beside(home) as other:
        await other.ids(period=WEEK)
    told = [(user_id, json.loads(data)) for user_id, data in await home.notifications("leaderboard.closed")]
    of_week = {"board": "weekly", "period": WEEK, "ranked": 6}
    assert told == [("ann", {**of_week, "rank": 1}), ("bob", {**of_week, "rank": 2})]


@pytest.mark.parametrize(
    ("ties", "ranks"),
    [
        ("first", {"a": 1, "b": 2}),
        ("shared", {"a": 1, "b": 2, "c": 2, "d": 2}),
        ("dense", {"a": 1, "b": 2, "c": 2, "d": 2}),
    ],
)
async def test_users_who_share_a_rank_in_front_are_all_notified(
    database: str, ties: str, ranks: dict[str, int]
) -> None:
    async with arena(database, rules({"id": "weekly", "period": "week", "ties": ties, "tell_top": 2})) as one:
        for user_id, pages in (("a", 9), ("b", 5), ("c", 5), ("d", 5), ("e", 1)):
            await one.read(user_id, pages)
        one.clock.set(CLOSE)
        await one.laurels.close_periods()
        told = {user_id: json.loads(data)["rank"] for user_id, data in await one.notifications("leaderboard.closed")}
        assert told == ranks


async def test_a_user_who_is_excluded_before_closing_is_not_notified(home: Arena) -> None:
    await fill(home)
    home.clock.set(CLOSE)
    await home.laurels.store.close_period("weekly", WEEK, CLOSE)
    await home.exclude("ann")
    await home.ids(period=WEEK)
    assert [user_id for user_id, _ in await home.notifications("leaderboard.closed")] == ["bob"]


async def test_a_crash_between_closing_and_telling_is_made_up_for_by_the_next_reading(home: Arena) -> None:
    await fill(home)
    home.clock.set(CLOSE)
    await home.laurels.store.close_period("weekly", WEEK, CLOSE)
    assert await home.notifications("leaderboard.closed") == []
    await home.ids(period=WEEK)
    assert [user_id for user_id, _ in await home.notifications("leaderboard.closed")] == ["ann", "bob"]


# ---- clocks that disagree, and writers at the last moment --------------------------------------


async def test_a_process_with_a_fast_clock_closes_for_those_with_slow_clocks(database: str) -> None:
    """Also where no late hours stand between the clocks."""
    for late in (24, 0):
        board = {"id": f"late-{late}", "period": "week", "late_hours": late, "tell_top": 3}
        async with arena(database, rules(board)) as one:
            await one.read(f"ann-{late}", 10)
            one.clock.set(END + timedelta(hours=late) - MINUTE / 2)
            async with beside(one, ahead=MINUTE) as ahead:
                before = await ahead.lines(f"late-{late}", WEEK)
                await one.read(f"ann-{late}", 5, END - MINUTE)
                await one.read(f"bob-{late}", 50, END - MINUTE)
                assert await one.lines(f"late-{late}", WEEK) == await ahead.lines(f"late-{late}", WEEK) == before
                told = [
                    json.loads(data)
                    for user, data in await one.notifications("leaderboard.top")
                    if user == f"bob-{late}"
                ]
                assert [data["board"] for data in told] == ["points"]
                await check_arena(one)
                one.clock.advance(seconds=60)
                await check_arena(one)
            await one.laurels.erase_user(f"ann-{late}")
            await one.laurels.erase_user(f"bob-{late}")


async def test_a_fast_clock_loses_nothing_of_a_period_that_a_slow_clock_has_open(home: Arena) -> None:
    await home.read("ann", 10, at("2026-01-06T12:00"))
    home.clock.set(CLOSE - MINUTE / 2)
    async with beside(home, ahead=MINUTE) as ahead:
        await ahead.read("ann", 3)  # in the next week, by a clock to which this one is closed
        await ahead.read("ann", 100, at("2026-01-07T12:00"))  # too late by that clock
        await home.read("ann", 7, at("2026-01-08T12:00"))  # in time by this one
        assert await home.lines(period=WEEK) == [(1, "ann", 17)]
        assert await home.laurels.store.wrong_tallies() == 0
        assert await home.lines("weekly-pages", WEEK) == [(1, "ann", 17)]
        home.clock.advance(seconds=60)
        assert await home.lines(period=WEEK) == [(1, "ann", 17)]


@pytest.mark.parametrize("engine", LASTING_ENGINES)
@pytest.mark.parametrize("seed", range(3))
async def test_each_late_event_is_on_the_closed_board_wholly_or_not_at_all(database: str, seed: int) -> None:
    """Two processes whose clocks are a minute apart write late events while both close and read."""
    async with arena(database) as one, beside(one) as other:
        users = [f"u{index}" for index in range(6)]
        for user_id in users:
            await one.read(user_id, 1, at("2026-01-06T12:00"))
        one.clock.set(CLOSE - timedelta(seconds=40 - 10 * seed))
        other.clock.set(one.clock() + MINUTE)
        seen: list[Any] = []

        async def write(to: Arena, first: int) -> None:
            for index in range(12):
                events = [
                    Event(user_id, f"{first}-{index}", "read", at("2026-01-07T12:00"), quantity=10) for user_id in users
                ]
                answers = await to.laurels.record_many(events)
                assert not any(isinstance(answer, LaurelsError) for answer in answers)
                to.clock.advance(seconds=2)

        async def look(to: Arena) -> None:
            for _ in range(6):
                closed = to.clock() >= CLOSE
                shown = {board: fixed(await to.board(board, WEEK, limit=50)) for board in IDS}
                if closed:
                    seen.append(shown)
                await anyio.sleep(0.005)

        async with anyio.create_task_group() as tasks:
            for number, to in enumerate((one, other, one)):
                tasks.start_soon(write, to, number)
            for to in (one, other):
                tasks.start_soon(look, to)
        one.clock.set(CLOSE + MINUTE)
        other.clock.set(CLOSE + MINUTE)
        seen += [{board: fixed(await to.board(board, WEEK, limit=50)) for board in IDS} for to in (one, other)]
        assert all(shown == seen[0] for shown in seen)
        for _, _, score, _ in seen[0]["weekly"][0]:
            assert score % 10 == 1
        assert await one.laurels.store.wrong_tallies() == 0


# ---- catalogs that change the rules of closing -------------------------------------------------


async def test_longer_late_hours_open_an_unread_period_again(database: str) -> None:
    strict, lenient = (rules({"id": "weekly", "period": "week", "late_hours": hours}) for hours in (0, 48))
    async with arena(database, strict) as one:
        await one.read("ann", 10)
        one.clock.set(END + timedelta(hours=3))
        await one.read("ann", 5)  # in the next week
        await one.read("ann", 7, at("2026-01-06T12:00"))  # late, and not counted
        async with beside(one, lenient) as other:
            await other.read("ann", 1, at("2026-01-06T13:00"))
            assert await other.lines(period=WEEK) == [(1, "ann", 18)]
            assert await other.admin.verify("ann") == []
            assert await other.laurels.store.wrong_tallies() == 0


async def test_longer_late_hours_open_no_period_that_was_read(database: str) -> None:
    strict, lenient = (rules({"id": "weekly", "period": "week", "late_hours": hours}) for hours in (0, 48))
    async with arena(database, strict) as one:
        await one.read("ann", 10)
        one.clock.set(END + timedelta(hours=3))
        assert await one.lines(period=WEEK) == [(1, "ann", 10)]
        async with beside(one, lenient) as other:
            await other.read("ann", 1, at("2026-01-06T13:00"))
            await other.read("bob", 1, at("2026-01-06T13:00"))
            assert await other.lines(period=WEEK) == [(1, "ann", 10)]
            assert await other.admin.verify("ann") == []
            assert await other.admin.verify("bob") == []


async def test_closings_of_a_board_that_counts_other_periods_now_are_left_out(database: str) -> None:
    async with arena(database, rules({"id": "weekly", "period": "week"})) as one:
        await one.read("ann", 10)
        one.clock.set(CLOSE)
        await one.ids(period=WEEK)
        async with beside(one, rules({"id": "weekly", "period": "month"})) as other:
            assert (await other.laurels.closings("weekly")).closings == []


async def test_the_same_board_is_read_after_the_next_week_has_begun(home: Arena) -> None:
    await fill(home)
    home.clock.set(CLOSE)
    before = await whole_board(home)
    await home.read("fay", 99)
    assert await home.lines(period="current") == [(1, "fay", 99)]
    assert await home.lines(period=NEXT_WEEK) == [(1, "fay", 99)]
    assert await home.lines(period="previous") == await home.lines(period=WEEK)
    assert await whole_board(home) == before
