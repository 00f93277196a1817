"""Kinds of points as stories: users earn coins and spend them, and their points, levels and ledger never notice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from laurels import AdjustmentRefused, Event, InvalidInput, Laurels
from laurels.service.admin import Admin
from laurels.testing import TestClock
from tests.support import at, badge, catalog

pytestmark = pytest.mark.anyio

NOW = at("2026-03-04T12:00")
TABLES = {
    "kinds": {"coins": {"one": "coin", "many": "coins"}},
    "metrics": {"tips": {"kind": "count", "events": ["tip"], "one": "tip", "many": "tips"}},
    "points": [{"id": "tips", "kind": "coins", "events": ["tip"], "amount": 5, "cap_per_day": 10}],
    "badges": [
        {**badge("generous", 100, metric="tips", at_least=3), "also_pays": {"coins": 50}},
        badge("saver", 20, points_of=65, kind="coins"),
    ],
}


async def coins(laurels: Laurels, user: str = "ada") -> tuple[int, int]:
    (kind,) = (await laurels.profile(user, include=["kinds"])).kinds
    return kind.earned, kind.balance


async def tip(laurels: Laurels, name: str, days_ago: int = 0) -> None:
    await laurels.record(Event("ada", name, "tip", NOW - timedelta(days=days_ago)))


async def test_ada_earns_coins_with_tips_and_a_badge_and_buys_a_hat(database: str) -> None:
    async with Laurels.open(database, catalog(**TABLES), clock=TestClock(NOW)) as laurels:
        admin = Admin(laurels)
        for name in ("t1", "t2"):
            await tip(laurels, name)
        assert await coins(laurels) == (10, 10)
        assert (await laurels.explain("ada", "saver")).sentence == "55 more coins to earn Saver."

        await tip(laurels, "t3")  # the cap of the day is used up, and the badge pays
        assert await coins(laurels) == (60, 60)
        assert (await laurels.profile("ada")).points == 100

        bought = await admin.adjust(
            "ada", "hat", "points", {"amount": 45, "spend": True, "of": "coins"}, "a hat", "shop"
        )
        again = await admin.adjust(
            "ada", "hat", "points", {"amount": 45, "spend": True, "of": "coins"}, "a hat", "shop"
        )
        assert {name: (one.before, one.after) for name, one in bought.kinds.items()} == {"coins": (60, 15)}
        assert (again.duplicate, await coins(laurels)) == (True, (60, 15))
        with pytest.raises(AdjustmentRefused, match="the balance is 15, which is less than 16; spend at most 15"):
            await admin.adjust("ada", "bag", "points", {"amount": 16, "spend": True, "of": "coins"}, "a bag", "shop")
        with pytest.raises(InvalidInput, match="no kind of points 'coin'; did you mean 'coins'"):
            await admin.adjust("ada", "pin", "points", {"amount": 1, "of": "coin"}, "a pin", "shop")

        await tip(laurels, "late", days_ago=2)  # what was spent still counts as earned
        assert [one.id for one in (await laurels.profile("ada")).badges] == ["generous", "saver"]
        await admin.undo("ada", "hat", "did not fit", "shop")
        assert await coins(laurels) == (65, 65)

        await admin.reverse("ada", "late", "a mistake", "a test")
        assert await coins(laurels) == (60, 60)
        assert [one.id for one in (await laurels.profile("ada")).badges] == ["generous"]
        assert await admin.verify("ada") == []
        assert await admin.rebuild("ada") is False
        entries = [one for part in (await laurels.history("ada")).entries for one in part.points]
        assert sum(one.amount for one in entries) == 100, "coins are not in the ledger"


async def test_two_spends_at_once_cannot_both_take_the_last_coins(database: str) -> None:
    async with Laurels.open(database, catalog(**TABLES), clock=TestClock(NOW)) as laurels:
        admin = Admin(laurels)
        await tip(laurels, "t1")
        wanted = {"amount": 4, "spend": True, "of": "coins"}
        answers = await asyncio.gather(
            *(admin.adjust("ada", f"buy-{number}", "points", wanted, "a test", "shop") for number in range(5)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, AdjustmentRefused) for one in answers) == 4
        assert await coins(laurels) == (5, 1)


async def test_a_new_catalog_pays_what_it_says_and_a_kind_that_is_gone_comes_back(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'kinds.db'}"
    async with Laurels.open(database, catalog(**TABLES), clock=TestClock(NOW)) as laurels:
        admin = Admin(laurels)
        for name in ("t1", "t2", "t3"):
            await tip(laurels, name, days_ago=1)
        await admin.adjust("ada", "gift", "points", {"amount": 7, "of": "coins"}, "a gift", "a test")
        assert await coins(laurels) == (67, 67)

        generous = {**TABLES["badges"][0], "also_pays": {"coins": 20}}
        recomputed = {**TABLES["points"][0], "amount": 3, "past": "recompute"}
        await admin.apply_catalog(
            catalog(**{**TABLES, "badges": [generous, TABLES["badges"][1]], "points": [recomputed]}), "less", "a test"
        )
        assert await coins(laurels) == (3 * 3 + 20 + 7, 36)

        badges = [
            {**badge("generous", 100, points_of=1), "retired": True},
            {**badge("saver", 20, points_of=1), "retired": True},
        ]
        await admin.apply_catalog(catalog(badges=badges), "no coins", "a test")
        assert (await laurels.profile("ada", include=["kinds"])).kinds == []
        await admin.apply_catalog(catalog(kinds={"coins": {}}, badges=badges), "coins again", "a test")
        assert await coins(laurels) == (16, 16), "what a rule paid stays when it is taken out, and so do adjustments"
