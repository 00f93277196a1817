"""A retired leaderboard stops: its lines stay as they were and can be read, and no period of it closes. So do retired streaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import CatalogError, PeriodNotFound
from laurels.present.leaderboards import LeaderboardPage
from tests.service.test_history import Place, place
from tests.support import badge, catalog, check_tallies, sql

pytestmark = pytest.mark.anyio

LATE = {"late_hours": 1}
BOARDS: tuple[dict[str, Any], ...] = (
    {"id": "all", "tell_top": 3},
    {"id": "week", "period": "week", "tell_top": 3, **LATE},
    {"id": "most", "by": "metric", "of": "m", "period": "week", **LATE},
    {"id": "days", "by": "metric", "of": "days", "period": "week", **LATE},
    {"id": "friends", "by": "metric", "of": "friends", "period": "week", **LATE},
    {"id": "runs", "by": "streak", "of": "work", "period": "week", **LATE},
    {"id": "best", "by": "streak", "of": "work"},
    {"id": "teams", "period": "week", "teams": "t:", **LATE},
)
IDS = [board["id"] for board in BOARDS]


def rules(*, retired: bool = False, **more: Any) -> Catalog:
    return catalog(
        metrics={
            "m": {"kind": "sum", "events": ["m"]},
            "days": {"kind": "distinct_days", "events": ["m"]},
            "friends": {"kind": "distinct", "events": ["m"], "of": "with"},
        },
        points=[{"id": "m", "events": ["m"], "amount": 1, "per": "quantity"}],
        streaks={"login": {"events": ["login"]}, "work": {"events": ["m"]}},
        leaderboards=[{**board, **({"retired": True} if retired else {}), **more} for board in BOARDS],
    )


COUNTING, RETIRED = rules(), rules(retired=True)


async def apply(home: Place, of: Catalog) -> None:
    await home.admin.apply_catalog(of, "because", "a test")
    for user_id in [one async for one in home.admin.users()]:
        await home.laurels.profile(user_id)


async def read(home: Place, user_id: str, name: str, quantity: int) -> None:
    await home.laurels.record(Event(user_id, name, "m", quantity=quantity, data={"with": name}))


async def fill(home: Place) -> None:
    """Ada 5 and bob 3 in one week, which closed; then ada 2, bob 4 and hidden cay 9."""
    await home.laurels.update_user("ada", groups=["t:red"])
    await home.laurels.update_user("bob", groups=["t:blue"])
    await home.laurels.update_user("cay", visibility="hidden")
    await read(home, "ada", "a1", 5)
    await read(home, "bob", "b1", 3)
    home.clock.advance(days=8)
    await home.laurels.close_periods()
    for user_id, quantity in (("ada", 2), ("bob", 4), ("cay", 9)):
        await read(home, user_id, f"{user_id}-2", quantity)


@pytest.fixture
async def home(database: str) -> AsyncIterator[Place]:
    async with place(COUNTING, database=database) as one:
        await fill(one)
        yield one


async def pages(home: Place, *periods: str) -> list[Any]:
    """What these leaderboards show, without what may change next to their lines: points, levels and times."""
    found: list[Any] = []
    for board in IDS:
        for period in ("current",) if board in ("all", "best") else periods:
            page = await home.laurels.leaderboard(board, period, me="ada")
            teams = [(team.rank, team.team, team.total, team.members) for team in page.teams]
            found.append((board, page.period.key, lines(page), teams, page.me and page.me.rank))
    return found


def lines(page: LeaderboardPage) -> list[tuple[int, str, int]]:
    return [(line.rank, line.user_id, line.score) for line in page.standings]


async def stored(home: Place) -> list[Any]:
    of_others = (
        "SELECT board, period, user_id, sort_key FROM standings WHERE board <> 'points' AND board <> 'points/hidden'"
    )
    return sorted(map(tuple, await sql(home.laurels.store, of_others)))


async def everything_after(home: Place) -> None:
    """Events of this week and late ones, reversals, adjustments, and other groups and visibility."""
    await read(home, "ada", "a3", 50)
    await read(home, "dan", "d1", 70)
    await home.admin.reverse("bob", "bob-2", "because", "a test")
    await home.adjust("p", "points", amount=500)
    await home.laurels.update_user("ada", groups=["t:blue"], time_zone="Asia/Tokyo")
    await home.laurels.profile("ada", login=True)
    for user_id in ("ada", "bob", "cay", "dan"):
        await home.admin.rebuild(user_id)


async def test_what_happens_after_a_leaderboard_is_retired_changes_none_of_its_lines(home: Place) -> None:
    before, rows = await pages(home, "current", "previous"), await stored(home)
    await apply(home, RETIRED)
    await everything_after(home)
    assert await stored(home) == rows
    assert await pages(home, "current", "previous") == before
    for user_id in ("ada", "bob", "cay", "dan"):
        assert await home.admin.verify(user_id) == []
    await check_tallies(home.laurels.store)
    assert (await home.laurels.profile("dan")).points == 70


async def test_no_period_of_a_retired_leaderboard_closes_and_no_one_is_notified_of_it(home: Place) -> None:
    before = await pages(home, "current", "previous")
    await apply(home, RETIRED)
    closings = await sql(home.laurels.store, "SELECT board, period FROM closings ORDER BY board, period")
    notified = "SELECT count(*) FROM outbox WHERE type LIKE '%leaderboard%' OR data LIKE '%week%'"
    count = await sql(home.laurels.store, notified)
    home.clock.advance(days=30)
    assert await home.laurels.close_periods() == []
    # Weeks later, its current period is still the newest one that has lines.
    assert await pages(home, "current", "previous") == before
    assert await sql(home.laurels.store, "SELECT board, period FROM closings ORDER BY board, period") == closings
    assert await sql(home.laurels.store, notified) == count


async def test_a_retired_leaderboard_says_so_and_is_not_listed(home: Place) -> None:
    await apply(home, RETIRED)
    assert [board.id for board in (await home.laurels.leaderboards()).leaderboards] == ["points"]
    page = await home.laurels.leaderboard("week")
    assert (page.board.retired, page.board.current, page.period.status, page.period.closes_at) == (
        True,
        None,
        "closed",
        None,
    )
    assert not page.recomputing
    assert (await home.laurels.leaderboard("all")).period.status == "closed"
    assert len((await home.laurels.closings("week")).closings) == 1
    with pytest.raises(PeriodNotFound):
        await home.laurels.leaderboard("week", "2026-13")


async def test_a_user_who_hides_or_is_erased_leaves_the_lines_that_others_see(home: Place) -> None:
    await apply(home, RETIRED)
    await home.laurels.update_user("ada", visibility="hidden")
    assert "ada" not in [user for _, user, _ in lines(await home.laurels.leaderboard("week"))]
    await home.laurels.erase_user("bob")
    assert "bob" not in [user for _, user, _ in lines(await home.laurels.leaderboard("week"))]
    await check_tallies(home.laurels.store)


async def test_a_leaderboard_that_is_no_longer_retired_counts_what_came_meanwhile(home: Place) -> None:
    await apply(home, RETIRED)
    await home.laurels.period_rules.apply()
    assert home.laurels.core.recomputing == frozenset()
    await everything_after(home)
    await home.admin.apply_catalog(COUNTING, "because", "a test")
    await home.laurels.period_rules.apply()
    assert home.laurels.core.recomputing == {*IDS}
    await home.laurels.period_rules.recompute()
    assert home.laurels.core.recomputing == frozenset()
    for user_id in ("ada", "bob", "cay", "dan"):
        assert await home.admin.verify(user_id) == []
    assert lines(await home.laurels.leaderboard("most")) == [(1, "dan", 70), (2, "ada", 52)]
    assert lines(await home.laurels.leaderboard("all"))[0] == (1, "ada", 557)
    await check_tallies(home.laurels.store)


async def test_a_week_that_ended_while_its_leaderboard_was_retired_is_closed_as_it_stood(home: Place) -> None:
    await apply(home, RETIRED)
    await everything_after(home)
    home.clock.advance(days=14)
    await apply(home, COUNTING)
    await home.laurels.close_periods()
    for user_id in ("ada", "bob", "cay", "dan"):
        assert await home.admin.verify(user_id) == []
    assert lines(await home.laurels.leaderboard("most", "2026-W03")) == [(1, "bob", 4), (2, "ada", 2)]


@pytest.mark.parametrize("more", [{"order": "lowest"}, {"period": "month"}, {"teams": "g:"}])
async def test_a_leaderboard_is_retired_only_as_its_lines_were_counted(home: Place, more: dict[str, Any]) -> None:
    with pytest.raises(CatalogError) as refused:
        await home.admin.apply_catalog(rules(retired=True, **more), "because", "a test")
    assert (
        "leaderboards 'week': is retired with another 'order', 'period', 'teams' or 'within' than its lines have; "
        "leave these keys as they were, and give a new leaderboard another id" in str(refused.value)
    )


# ---- streaks ------------------------------------------------------------------------------------


def working(**more: Any) -> Catalog:
    return catalog(
        streaks={"login": {"events": ["login"]}, "work": {"events": ["m"], **more}},
        badges=[
            badge("run", 5, streak="work", streak_of=3),
            badge("any", 5, any_of=[{"streak": "work", "streak_of": 9}, {"streak": "login", "streak_of": 9}]),
        ],
    )


async def test_the_run_of_a_retired_streak_is_over_and_its_longest_stays(database: str) -> None:
    async with place(working(), database=database) as home:
        for number in range(2):
            await home.send(f"m{number}", "m")
            home.clock.advance(days=1)
        await home.admin.apply_catalog(working(retired=True), "because", "a test")
        await home.send("m3", "m")
        (_, work) = (await home.laurels.streaks("ada")).streaks
        assert (work.status, work.length, work.longest, work.total_days, work.ends_at) == ("ended", 0, 2, 2, None)
        home.clock.advance(days=3)
        (_, later) = (await home.laurels.streaks("ada")).streaks
        assert later == work  # no day is missed
        assert [day.why for day in work.days] == ["credited", "credited"]
        # A badge that needs it can no longer be earned; one that can be earned otherwise can.
        profile = await home.laurels.profile("ada", include=["next"])
        assert [one.id for one in profile.next or ()] == ["any"]
        assert (await home.laurels.explain("ada", "run")).sentence == "Run can no longer be earned."
        assert await home.admin.verify("ada") == []
        # Retired by mistake: the day that came meanwhile counts again.
        await home.admin.apply_catalog(working(), "because", "a test")
        assert (await home.laurels.streaks("ada")).streaks[1].longest == 3
        assert await home.badges() == ["run"]


async def test_a_badge_that_needs_a_retired_badge_cannot_be_earned(database: str) -> None:
    first = {**badge("first", metric="m", at_least=1), "retired": True}
    of = catalog(metrics={"m": {"kind": "sum", "events": ["m"]}}, badges=[first, badge("second", 5, has_badge="first")])
    async with place(of, database=database) as home:
        await home.send("m", "m")
        assert (await home.laurels.profile("ada", include=["next"])).next == []
