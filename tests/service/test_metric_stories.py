"""What people define with metrics, each as a story: who, what happens, and what they see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from laurels import Event, Laurels
from laurels.present.events import EventResult
from laurels.service.admin import Admin
from laurels.testing import TestClock
from tests.support import at, badge, catalog

pytestmark = pytest.mark.anyio

NOW = at("2026-03-04T12:00")  # a Wednesday


@asynccontextmanager
async def opened(database: str, **tables: Any) -> AsyncIterator[Laurels]:
    """A Laurels with these tables; when it is left, what is stored must be what the events give."""
    async with Laurels.open(database, catalog(**tables), clock=TestClock(NOW)) as laurels:
        yield laurels
        for user_id in [name async for name in Admin(laurels).users()]:
            assert await Admin(laurels).verify(user_id) == []


async def send(
    laurels: Laurels, user: str, name: str, kind: str, hours_ago: float = 0, quantity: int = 1, **data: Any
) -> EventResult:
    return await laurels.record(Event(user, name, kind, NOW - timedelta(hours=hours_ago), quantity, data))


async def held(laurels: Laurels, user: str) -> list[str]:
    return [one.id for one in (await laurels.profile(user)).badges]


async def lines(laurels: Laurels, board: str, period: str = "current") -> list[tuple[int, str, int]]:
    page = await laurels.leaderboard(board, period)
    return [(line.rank, line.user_id, line.score) for line in page.standings]


async def test_only_long_articles_that_were_not_imported_count(database: str) -> None:
    async with opened(
        database,
        metrics={
            "articles": {
                "kind": "count",
                "events": ["published"],
                "where": {"words": {"at_least": 300}, "source": {"not": ["import", "bot"]}},
                "one": "article",
                "many": "articles",
            }
        },
        streaks={"reviewed": {"events": ["published"], "where": {"reviewer": {"exists": True}}}},
        points=[{"id": "paid", "events": ["published"], "where": {"plan": ["pro", "team"]}, "amount": 25}],
        badges=[badge("author", metric="articles", at_least=2)],
    ) as laurels:
        await send(laurels, "ada", "a-1", "published", 50, words=300, reviewer="bob")
        await send(laurels, "ada", "a-2", "published", 40, words=299, plan="free")
        await send(laurels, "ada", "a-3", "published", 30, words=900, source="import", plan="pro")
        explained = await laurels.explain("ada", "author")
        assert explained.sentence == "1 more article to earn Author."
        assert (await laurels.profile("ada")).points == 25

        await send(laurels, "ada", "a-4", "published", 1, words=2000, source="editor", plan="team", reviewer="cay")
        assert await held(laurels, "ada") == ["author"]
        streaks = {one.name: one.longest for one in (await laurels.streaks("ada")).streaks}
        assert streaks["reviewed"] == 1

        await Admin(laurels).reverse("ada", "a-1", "a copy", "a test")
        assert await held(laurels, "ada") == []


async def test_donations_are_counted_to_the_cent_and_shown_with_decimals(database: str) -> None:
    donated = {"kind": "sum", "events": ["donated"], "of": "amount", "scale": 100, "one": "euro", "many": "euros"}
    async with opened(
        database,
        metrics={"donated": donated, "largest": {**donated, "kind": "max"}},
        badges=[badge("patron", metric="donated", at_least=10_000)],
        leaderboards=[
            {"id": "givers", "by": "metric", "of": "donated"},
            {"id": "month", "by": "metric", "of": "donated", "period": "month"},
            {"id": "largest", "by": "metric", "of": "largest"},
        ],
    ) as laurels:
        for number, amount in enumerate((0.1, 0.2, 12.04)):
            await send(laurels, "ada", f"d-{number}", "donated", amount=amount)
        explained = await laurels.explain("ada", "patron")
        assert explained.sentence == "87.66 more euros to earn Patron."
        (check,) = explained.checks
        assert (check.text, check.current, check.target, check.scale) == ("100 euros", 1234, 10_000, 100)
        profile = await laurels.profile("ada", include=["next"])
        assert [(one.current, one.target, one.scale) for one in profile.next] == [(1234, 10_000, 100)]

        ignored = [
            (await send(laurels, "ada", name, "donated", amount=amount)).ignored[0].why
            for name, amount in (("fraction", 1.005), ("text", "5.00"), ("large", 1e13))
        ]
        assert ignored == [
            "must have at most 2 decimals",
            "must be a number, not a text",
            "must be from 0 to 9999999999999.99",
        ]
        await send(laurels, "ada", "d-9", "donated", amount=87.66)
        assert await held(laurels, "ada") == ["patron"]
        assert await lines(laurels, "givers") == await lines(laurels, "month") == [(1, "ada", 10_000)]
        assert await lines(laurels, "largest") == [(1, "ada", 8766)]
        assert (await laurels.leaderboard("givers")).board.scale == 100

        await Admin(laurels).reverse("ada", "d-1", "by mistake", "a test")
        assert await lines(laurels, "givers") == [(1, "ada", 9980)]
        assert await held(laurels, "ada") == []
