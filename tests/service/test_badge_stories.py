"""User stories of badges, each through the library: who does what, what happens, and what they see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
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
