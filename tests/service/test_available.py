"""A user story of a badge for some days, through the library: what counts for it, and what users see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from tests.support import at, badge, catalog, count
from tests.support.arena import Arena, arena

pytestmark = pytest.mark.anyio

METRICS: dict[str, Any] = {"posts": count("post", one="post", many="posts")}
ADVENT = {
    **badge("advent", 20, metric="posts", at_least=3),
    "available": {"from": date(2026, 12, 1), "until": date(2027, 1, 1)},
}


class Story:
    """An arena in which `post` records posts of ada."""

    def __init__(self, one: Arena) -> None:
        self.laurels, self.clock, self.admin, self.arena = one.laurels, one.clock, one.admin, one

    async def post(self, name: str, occurred_at: str | None = None) -> list[str]:
        """The badges that a post awards."""
        instant = at(occurred_at) if occurred_at else None
        answer = await self.laurels.record(Event("ada", name, "post", instant))
        return [award.badge for award in answer.awards]

    async def held(self) -> list[str]:
        return [one.id for one in (await self.laurels.profile("ada")).badges]


@asynccontextmanager
async def story(start: datetime, of: Catalog | None = None) -> AsyncIterator[Story]:
    async with arena(of=of or catalog(metrics=METRICS, badges=[ADVENT]), start=start) as one:
        yield Story(one)


async def test_a_writer_earns_the_badge_for_posts_of_december_only() -> None:
    async with story(at("2026-11-30T12:00")) as one:
        await one.post("november")
        one.clock.advance(days=2)
        await one.post("first")
        (near,) = (await one.laurels.profile("ada", include=["next"])).next
        assert (near.current, near.target) == (1, 3)
        assert near.sentence == "2 more posts from 1 December 2026 to 31 December 2026 to earn Advent."

        one.clock.advance(days=10)
        assert [await one.post("second"), await one.post("third")] == [[], ["advent"]]

        (details,) = (await one.laurels.profile("ada", include=["details"])).details
        assert details.to_dict()["availableFrom"] == "2026-12-01"
        assert details.to_dict()["availableUntil"] == "2027-01-01"
        assert (await one.laurels.explain("ada", "advent")).sentence == (
            "Advent was earned on 2026-12-12 with the event third: 3 posts from 1 December 2026 to 31 December 2026."
        )
        await one.admin.reverse("ada", "second", "because", "a test")
        assert await one.held() == []


async def test_posts_of_december_that_arrive_in_january_still_count() -> None:
    async with story(at("2027-01-02T12:00")) as one:
        for name in ("a", "b", "c"):
            await one.post(name)
        profile = await one.laurels.profile("ada", include=["next"])
        assert (profile.next, profile.badges) == ([], [])
        assert (await one.laurels.explain("ada", "advent")).sentence == (
            "Advent can no longer be earned: it counts events from 1 December 2026 to 31 December 2026."
        )

        await one.post("d", "2026-12-31T23:59:59")
        await one.post("e", "2026-12-05")
        assert await one.post("f", "2026-12-10") == ["advent"]
        (earned,) = (await one.laurels.profile("ada", include=["earned"])).earned
        assert (earned.earned_at, earned.event_id) == (at("2026-12-31T23:59:59"), "d")


async def test_the_days_are_those_of_the_users_calendar_also_if_it_is_known_later() -> None:
    losing = catalog(metrics=METRICS, badges=[{**ADVENT, "holders": "lose"}])
    async with story(at("2027-01-02T12:00"), losing) as one:
        for name in ("a", "b", "c"):
            await one.post(name, "2027-01-01T02:00")
        assert await one.held() == []

        await one.laurels.update_user("ada", time_zone="America/New_York")
        assert await one.held() == ["advent"], "there, it was the evening of 31 December"


async def test_days_that_a_badge_has_from_a_change_on_count_in_a_plan_when_applied_and_in_the_past() -> None:
    plain = catalog(metrics=METRICS, badges=[badge("first", 5, metric="posts", at_least=1)])
    later = catalog(metrics=METRICS, badges=[badge("first", 5, metric="posts", at_least=1), ADVENT])
    async with story(at("2026-12-20T12:00"), plain) as one:
        for name, day in (("a", "2026-11-30"), ("b", "2026-12-01"), ("c", "2026-12-02"), ("d", "2026-12-03")):
            await one.post(name, day)
        before = one.clock()
        one.clock.advance(days=1)

        plan = await one.admin.plan_catalog(later)
        await one.admin.apply_catalog(later, "Advent", "a test")

        assert plan.basis == "events"
        assert [(change.badge, change.gained) for change in plan.badges] == [("advent", 1)]
        assert await one.held() == ["first", "advent"]
        (_, earned) = (await one.laurels.profile("ada", include=["earned"])).earned
        assert (earned.badge, earned.earned_at) == ("advent", at("2026-12-03"))
        assert [badge.id for badge in (await one.laurels.profile("ada", as_of=before)).badges] == ["first"]
        assert await one.admin.verify("ada") == []
