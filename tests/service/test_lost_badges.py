"""A badge that was taken away keeps the date on which it was earned: in the record of what took it, and when it is given back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from tests.service.test_history import Place, place
from tests.support import at, badge, catalog, sql

pytestmark = pytest.mark.anyio

EARNED = at("2026-01-03T10:00")


def rules(name: str = "ten", least: int = 10, **more: Any) -> Catalog:
    return catalog(
        metrics={"m": {"kind": "sum", "events": ["m"]}},
        badges=[{**badge(name, 50, metric="m", at_least=least), **more}],
    )


@pytest.fixture
async def home(database: str) -> AsyncIterator[Place]:
    """Ada earned the badge on 3 January by an event that arrived two days later."""
    async with place(rules(), database=database) as one:
        one.clock.set(at("2026-01-05T10:00"))
        await one.send("m-1", "m", EARNED, quantity=10)
        one.clock.set(at("2026-01-09T10:00"))
        yield one


async def dates(home: Place) -> dict[str, datetime]:
    shown = [await home.laurels.explain("ada", one.id) for one in home.laurels.catalog.badges]
    return {one.badge: one.earned_at for one in shown if one.earned_at}


async def lost(home: Place) -> list[tuple[str, int, datetime]]:
    """What the newest entry of the history says was lost."""
    adjustment = next(one.adjustment for one in (await home.laurels.history("ada")).entries if one.adjustment)
    return [(one.badge, one.points, one.earned_at) for one in adjustment.lost]


async def take(home: Place, how: str) -> str:
    """Take the badge away; the id of what took it."""
    if how == "revocation":
        await home.adjust("r", "revocation", badge="ten")
        return "r"
    await home.admin.reverse("ada", "m-1", "because", "a test")
    return "reversal:m-1"


BOTH = pytest.mark.parametrize("how", ["revocation", "reversal"])


@BOTH
async def test_the_history_says_when_a_lost_badge_had_been_earned(home: Place, how: str) -> None:
    await take(home, how)
    assert await lost(home) == [("ten", 50, EARNED)]
    assert await dates(home) == {}


@BOTH
async def test_a_badge_that_is_given_back_was_earned_when_it_was(home: Place, how: str) -> None:
    name = await take(home, how)
    home.clock.advance(days=5)
    await home.admin.undo("ada", name)
    assert await dates(home) == {"ten": EARNED}


@BOTH
@pytest.mark.parametrize("of", [rules(retired=True), rules("more", was="ten"), rules(least=5)])
async def test_so_it_is_under_another_catalog(home: Place, how: str, of: Catalog) -> None:
    name = await take(home, how)
    await home.admin.apply_catalog(of, "because", "a test")
    await home.admin.undo("ada", name)
    assert list((await dates(home)).values()) == [EARNED]
    assert await home.admin.verify("ada") == []


async def test_a_granted_badge_has_the_date_of_its_grant_again(database: str) -> None:
    async with place(rules(), database=database) as home:
        await home.send("m-1", "m")
        granted = home.clock.now
        await home.adjust("g", "grant", badge="ten")
        home.clock.advance(days=2)
        await home.adjust("r", "revocation", badge="ten")
        assert await lost(home) == [("ten", 50, granted)]
        home.clock.advance(days=2)
        await home.admin.undo("ada", "r")
        assert await dates(home) == {"ten": granted}


async def test_what_an_earlier_version_took_away_has_the_date_of_its_award(home: Place) -> None:
    await take(home, "revocation")
    (data,) = (await sql(home.laurels.store, "SELECT data FROM adjustments WHERE adjustment_id = 'r'"))[0]
    text = f'"earnedAt":"{EARNED.isoformat()}",'
    assert text in data
    await sql(
        home.laurels.store,
        "UPDATE adjustments SET data = ? WHERE adjustment_id = 'r' RETURNING 1",
        data.replace(text, ""),
    )
    assert await lost(home) == [("ten", 50, at("2026-01-05T10:00"))]
    await home.admin.undo("ada", "r")
    assert await dates(home) == {"ten": EARNED}


async def forget_dates(home: Place) -> None:
    """Leave the user as a version did that stored no dates of badges."""
    await sql(home.laurels.store, "UPDATE users SET earned = NULL WHERE user_id = 'ada' RETURNING 1")


@BOTH
async def test_a_badge_of_an_earlier_version_keeps_the_date_of_its_event(home: Place, how: str) -> None:
    await forget_dates(home)
    assert await dates(home) == {"ten": EARNED}
    name = await take(home, how)
    assert await lost(home) == [("ten", 50, EARNED)]
    home.clock.advance(days=5)
    await home.admin.undo("ada", name)
    assert await dates(home) == {"ten": EARNED}


async def test_a_grant_of_an_earlier_version_keeps_its_date(database: str) -> None:
    async with place(rules(), database=database) as home:
        await home.send("m-1", "m")
        granted = home.clock.now
        await home.adjust("g", "grant", badge="ten")
        await forget_dates(home)
        home.clock.advance(days=2)
        await home.adjust("r", "revocation", badge="ten")
        home.clock.advance(days=2)
        await home.admin.undo("ada", "r")
        assert await dates(home) == {"ten": granted}
