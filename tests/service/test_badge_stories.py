"""User stories of badges, each through the library: who does what, what happens, and what they see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from tests.support import MONDAY, badge, catalog, count
from tests.support.arena import Arena, arena

pytestmark = pytest.mark.anyio

POSTS: dict[str, Any] = {"posts": count("post", one="post", many="posts")}


class Story:
    """An arena in which `post` records events of a user."""

    def __init__(self, one: Arena) -> None:
        self.laurels, self.clock, self.admin, self.arena = one.laurels, one.clock, one.admin, one
        self._sent = 0

    async def post(self, user: str, times: int = 1, at: datetime | None = None, kind: str = "post") -> list[str]:
        """The badges that these events award, in order."""
        awarded: list[str] = []
        for _ in range(times):
            self._sent += 1
            answer = await self.laurels.record(Event(user, f"e-{self._sent}", kind, at))
            awarded += [award.badge for award in answer.awards]
        return awarded

    async def held(self, user: str) -> list[str]:
        return [one.id for one in (await self.laurels.profile(user)).badges]


@asynccontextmanager
async def story(of: Catalog, start: datetime = MONDAY) -> AsyncIterator[Story]:
    async with arena(of=of, start=start) as one:
        yield Story(one)


async def test_a_writer_climbs_from_bronze_to_silver_and_sees_the_next_tier() -> None:
    tiers = [
        {**badge("silver", 50, metric="posts", at_least=3), "family": "writer", "tier": 2},
        {**badge("bronze", 10, metric="posts", at_least=1), "family": "writer", "tier": 1},
    ]
    async with story(catalog(metrics=POSTS, badges=tiers)) as one:
        assert await one.post("ada", 2) == ["bronze"]
        shown = await one.laurels.profile("ada", include=["details"])
        assert await one.post("ada") == ["silver"]
        assert await one.held("ada") == ["silver", "bronze"]

    details = [detail.to_dict() for detail in shown.details]
    assert details == [
        {"id": "silver", "categoryName": "Usage", "family": "writer", "tier": 2},
        {"id": "bronze", "categoryName": "Usage", "family": "writer", "tier": 1, "nextTier": "silver"},
    ]


async def test_a_member_gets_the_badge_for_a_month_without_doing_anything() -> None:
    month = badge("month", 30, member_for="30 days")
    regular = badge("regular", 5, all_of=[{"has_badge": "month"}, {"metric": "posts", "at_least": 1}])
    weekly = {"id": "weekly", "period": "week"}
    async with story(catalog(metrics=POSTS, badges=[month, regular], leaderboards=[weekly])) as one:
        await one.laurels.update_user("ada", joined_at=MONDAY - timedelta(days=20))
        await one.post("ada")
        assert (await one.laurels.explain("ada", "month")).sentence == "10 more days of membership to earn Month."
        one.clock.advance(days=12)

        profile = await one.laurels.profile("ada", include=["earned", "history"])

        assert [badge.id for badge in profile.badges] == ["month", "regular"]
        assert {(badge.earned_at, badge.event_id) for badge in profile.earned} == {(MONDAY + timedelta(days=10), None)}
        assert {badge.awarded_at for badge in profile.earned} == {one.clock()}
        of_its_week = await one.laurels.leaderboard("weekly", "2026-W03")
        assert [(line.user_id, line.score) for line in of_its_week.standings] == [("ada", 35)]
        assert (await one.laurels.explain("ada", "month")).sentence == (
            "Month was earned on 2026-01-15 by time, an adjustment, or a change of the rules: member for 30 days."
        )


async def test_a_date_of_joining_that_is_corrected_moves_the_badge_that_time_earned() -> None:
    async with story(catalog(metrics=POSTS, badges=[badge("month", 30, member_for="30 days")])) as one:
        await one.laurels.update_user("ada", joined_at=MONDAY - timedelta(days=40))
        assert await one.held("ada") == ["month"]

        await one.laurels.update_user("ada", joined_at=MONDAY - timedelta(days=35))

        (earned,) = (await one.laurels.profile("ada", include=["earned"])).earned
        assert earned.earned_at == MONDAY - timedelta(days=5)
        await one.laurels.update_user("ada", joined_at=MONDAY - timedelta(days=1))
        assert await one.held("ada") == ["month"], "holders keep a badge whose condition does not hold any more"


async def test_a_badge_that_is_lost_with_its_condition_is_lost_if_the_user_joined_later() -> None:
    month = {**badge("month", 30, member_for="30 days"), "holders": "lose"}
    async with story(catalog(metrics=POSTS, badges=[month])) as one:
        await one.laurels.update_user("ada", joined_at=MONDAY - timedelta(days=40))
        await one.laurels.update_user("ada", joined_at=MONDAY - timedelta(days=29))
        assert await one.held("ada") == []
        one.clock.advance(days=1)
        assert await one.held("ada") == ["month"]


async def test_who_first_writes_and_then_invites_a_friend_earns_the_badge_for_both_in_order() -> None:
    metrics = {**POSTS, "friends": count("invited", one="friend", many="friends")}
    host = badge("host", 20, in_order=[{"metric": "posts", "at_least": 2}, {"metric": "friends", "at_least": 1}])
    async with story(catalog(metrics=metrics, badges=[host])) as one:
        await one.post("ada", kind="invited")
        await one.post("ada", 2)
        explained = await one.laurels.explain("ada", "host")
        assert explained.sentence == "What host asks to earn Host."
        assert [(check.text, check.current, check.met) for check in explained.checks] == [
            ("2 posts", 2, True),
            ("then 1 friend", 0, False),
        ]

        one.clock.advance(hours=1)
        assert await one.post("ada", kind="invited") == ["host"]


async def test_an_event_that_arrives_late_completes_conditions_in_order_as_if_it_had_come_in_time() -> None:
    metrics = {**POSTS, "friends": count("invited")}
    host = badge("host", 20, in_order=[{"metric": "posts", "at_least": 2}, {"metric": "friends", "at_least": 1}])
    async with story(catalog(metrics=metrics, badges=[host])) as one:
        await one.post("ada", at=MONDAY - timedelta(hours=4))
        await one.post("ada", at=MONDAY - timedelta(hours=2), kind="invited")
        await one.post("ada", at=MONDAY - timedelta(hours=1))
        assert await one.post("ada", at=MONDAY - timedelta(hours=3)) == ["host"]

        (earned,) = (await one.laurels.profile("ada", include=["earned"])).earned
        assert (earned.earned_at, earned.event_id) == (MONDAY - timedelta(hours=2), "e-2")
        await one.admin.reverse("ada", "e-4", "because", "a test")
        assert await one.held("ada") == []


async def test_only_newcomers_earn_the_badge_for_those_who_did_not_join_before() -> None:
    new = badge("new", 5, none_of=[{"joined_before": MONDAY}])
    async with story(catalog(metrics=POSTS, badges=[new])) as one:
        await one.laurels.update_user("old", joined_at=MONDAY - timedelta(days=1))
        await one.laurels.update_user("new", joined_at=MONDAY)
        await one.laurels.update_user("unknown")

        assert [await one.held(user) for user in ("old", "new", "unknown")] == [[], ["new"], []]
        (check,) = (await one.laurels.explain("old", "new")).checks
        assert check.text == "not joined before 2026-01-05 12:00 UTC"
