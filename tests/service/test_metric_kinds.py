"""Metrics of the kinds 'min' and 'last', and scores of 0: totals, badges and leaderboards, with late and reversed events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from laurels.engine.events import Event
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import sandbox
from tests.service.test_history import check_stored
from tests.support import at, badge, catalog, count

pytestmark = pytest.mark.anyio

START = at("2026-01-07T12:00")
CATALOG = catalog(
    metrics={
        "best": {"kind": "min", "events": ["run"], "of": "seconds", "one": "second", "many": "seconds"},
        "now": {"kind": "last", "events": ["run"], "of": "seconds"},
        "errors": {"kind": "sum", "events": ["run"], "of": "errors"},
        "runs": count("run", one="run", many="runs"),
    },
    badges=[
        badge("fast", metric="best", at_most=60),
        badge("both", all_of=[{"metric": "best", "at_most": 90}, {"metric": "runs", "at_least": 3}]),
    ],
    leaderboards=[
        {"id": "best", "by": "metric", "of": "best", "order": "lowest", "ties": "shared"},
        {"id": "best-week", "by": "metric", "of": "best", "order": "lowest", "period": "week"},
        {"id": "now", "by": "metric", "of": "now", "period": "month"},
        {"id": "errors", "by": "metric", "of": "errors", "order": "lowest"},
        {"id": "teams", "by": "metric", "of": "errors", "order": "lowest", "teams": "team:"},
        {"id": "most-errors", "by": "metric", "of": "errors"},
    ],
)


@asynccontextmanager
async def track(database: str) -> AsyncIterator[Laurels]:
    """A Laurels with that catalog; when it is left, everything stored must be what a rebuild makes of it."""
    async with sandbox(CATALOG, start=START, database=database) as (laurels, _):
        yield laurels
        await check_stored(laurels)
        assert await laurels.store.wrong_tallies() == 0


async def run(laurels: Laurels, user: str, name: str, hours_ago: float = 0, **data: Any) -> None:
    await laurels.record(Event(user, name, "run", START - timedelta(hours=hours_ago), data=data))


async def lines(laurels: Laurels, board: str, period: str = "current") -> list[tuple[int, str, int]]:
    page = await laurels.leaderboard(board, period)
    return [(line.rank, line.user_id, line.score) for line in page.standings]


async def test_0_is_the_best_score_where_the_lowest_wins(database: str) -> None:
    async with track(database) as laurels:
        await run(laurels, "bob", "r-1", errors=3)
        await run(laurels, "ada", "r-1", errors=0)
        await run(laurels, "cay", "r-1", errors="none")
        await run(laurels, "dan", "r-1")

        assert await lines(laurels, "errors") == [(1, "ada", 0), (2, "bob", 3)]
        assert await lines(laurels, "most-errors") == [(1, "bob", 3)]
        page = await laurels.leaderboard("errors", me="ada", around="ada")
        assert (page.me and page.me.rank, page.ranked_users) == (1, 2)


async def test_a_score_of_0_that_is_reversed_or_goes_up_leaves_no_trace(database: str) -> None:
    async with track(database) as laurels:
        await run(laurels, "ada", "r-1", errors=0)
        await run(laurels, "bob", "r-1", 2, errors=0)
        assert await lines(laurels, "errors") == [(1, "bob", 0), (2, "ada", 0)]
        await run(laurels, "bob", "r-2", 1, errors=2)
        await Admin(laurels).reverse("ada", "r-1", "a mistake", "a test")
        assert await lines(laurels, "errors") == [(1, "bob", 2)]
        await Admin(laurels).reverse("bob", "r-2", "a mistake", "a test")
        assert await lines(laurels, "errors") == [(1, "bob", 0)]


async def test_a_team_without_errors_wins(database: str) -> None:
    async with track(database) as laurels:
        for user, team, errors in (("ada", "red", 0), ("bob", "red", 0), ("cay", "blue", 1)):
            await laurels.update_user(user, groups=[f"team:{team}"])
            await run(laurels, user, "r-1", errors=errors)
        teams = (await laurels.leaderboard("teams")).teams
        assert [(team.rank, team.team, team.total, team.members) for team in teams] == [
            (1, "team:red", 0, 2),
            (2, "team:blue", 1, 1),
        ]


async def test_a_best_time_is_ranked_and_earns_a_badge_in_any_order(database: str) -> None:
    times = [("r-1", 30, 75), ("r-2", 20, 59), ("r-3", 10, 88)]
    async with track(database) as laurels:
        for user, order in zip("abcdef", permutations(times), strict=True):
            for name, hours_ago, seconds in order:
                await run(laurels, user, name, hours_ago, seconds=seconds)
            profile = await laurels.profile(user)
            assert [one.id for one in profile.badges] == ["fast", "both"]

        assert await lines(laurels, "best") == [(1, user, 59) for user in "abcdef"]
        assert {score for _, _, score in await lines(laurels, "now")} == {88}


async def test_a_best_time_that_is_reversed_gives_way_to_the_next_and_takes_its_badge(database: str) -> None:
    async with track(database) as laurels:
        admin = Admin(laurels)
        for name, hours_ago, seconds in (("r-1", 3, 75), ("r-2", 2, 59), ("r-3", 1, 80)):
            await run(laurels, "ada", name, hours_ago, seconds=seconds)
        await admin.reverse("ada", "r-2", "measured wrongly", "a test")
        assert await lines(laurels, "best") == await lines(laurels, "best-week") == [(1, "ada", 75)]
        assert [one.id for one in (await laurels.profile("ada")).badges] == []

        await admin.reverse("ada", "r-3", "measured wrongly", "a test")
        assert await lines(laurels, "now") == [(1, "ada", 75)]
        await admin.undo("ada", "reversal:r-3")
        assert await lines(laurels, "now") == [(1, "ada", 80)]
        for name in ("r-1", "r-3"):
            await admin.reverse("ada", name, "measured wrongly", "a test")
        assert await lines(laurels, "best") == await lines(laurels, "now") == []
        progress = (await laurels.core.user("ada")).progress
        assert not {"best", "now"} & progress.totals.keys()


async def test_a_late_event_replaces_the_last_number_only_if_it_occurred_later(database: str) -> None:
    async with track(database) as laurels:
        await run(laurels, "ada", "r-1", 2, seconds=50)
        await run(laurels, "ada", "r-2", 5, seconds=99)
        assert await lines(laurels, "now") == [(1, "ada", 50)]
        await run(laurels, "ada", "r-3", 1, seconds=0)
        assert await lines(laurels, "now") == []
        await run(laurels, "ada", "r-4", 3, seconds=70)
        assert await lines(laurels, "now") == []
        await run(laurels, "ada", "r-5", seconds=1)
        assert await lines(laurels, "now") == [(1, "ada", 1)]


async def test_what_is_missing_for_a_best_time_names_the_target_and_the_best(database: str) -> None:
    async with track(database) as laurels:
        await run(laurels, "ada", "r-1", seconds=75)
        explained = await laurels.explain("ada", "fast")
        assert explained.sentence == "What fast asks to earn Fast."
        (check,) = explained.checks
        assert (check.text, check.current, check.target, check.met) == ("60 seconds or less", 75, 60, False)
        assert check.at_most
        both = await laurels.explain("ada", "both")
        assert both.sentence == "2 more runs to earn Both."
        assert [check.text for check in both.checks] == ["90 seconds or less", "3 runs"]
