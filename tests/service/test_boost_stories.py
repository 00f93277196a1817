"""Boosts as users and operators see them: double points for a time, and what a change of it does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.copying import copy
from tests.service.test_pay_of_the_past import silent
from tests.support import at, catalog
from tests.support.arena import TABLES, Arena, arena

pytestmark = pytest.mark.anyio

RULE: dict[str, Any] = TABLES["points"][0]
WEEKEND: dict[str, Any] = {
    "id": "launch",
    "name": "Launch weekend",
    "factor": "2",
    "from": at("2026-01-10").date(),
    "until": at("2026-01-12").date(),
}
SATURDAY = at("2026-01-10T09:00")


def boosted(*boosts: dict[str, Any], **rule: Any) -> Catalog:
    return catalog(**{**TABLES, "points": [{**RULE, **rule}]}, boosts=[*boosts])


async def points(one: Arena, name: str = "ada") -> int:
    return (await one.laurels.profile(name)).points


async def paid(one: Arena) -> list[tuple[str, str, int]]:
    """The ledger of ada: reasons, what they name, and amounts, the newest revision last."""
    history = await one.laurels.history("ada", 100)
    return [
        (change.reason, change.ref, change.amount) for entry in reversed(history.entries) for change in entry.points
    ]


async def test_ada_reads_on_the_weekend_of_the_launch_for_double_points_and_sees_why(database: str) -> None:
    async with arena(database, boosted(WEEKEND)) as one:
        await one.read("ada", 5)
        one.clock.advance(days=3)
        await one.read("ada", 5)
        one.clock.advance(days=3)
        await one.read("ada", 5)
        await one.read("ada", 1, SATURDAY, name="late")  # by its own date
        assert await points(one) == 5 + 10 + 5 + 2
        assert await paid(one) == [
            ("rule", "pages", 5),
            *[("rule", "pages", 5), ("boost", "launch", 5)],
            ("rule", "pages", 5),
            *[("rule", "pages", 1), ("boost", "launch", 1)],
        ]
        await one.admin.reverse("ada", "late", "a mistake", "a test")
        assert await points(one) == 20


async def test_the_weekend_is_that_of_each_user_and_follows_a_corrected_zone(database: str) -> None:
    async with arena(database, boosted(WEEKEND)) as one:
        for name, zone in (("ada", "Pacific/Kiritimati"), ("bob", "America/Los_Angeles")):
            await one.laurels.update_user(name, time_zone=zone)
        one.clock.advance(days=2, hours=6)  # Friday 18:00 UTC
        await one.read("ada", 5)
        await one.read("bob", 5)
        assert [await points(one, name) for name in ("ada", "bob")] == [10, 5]
        day = SATURDAY.date()
        await one.adjust("ada", "timeZone", zone="UTC", first=str(day - timedelta(days=1)), last=str(day))
        assert await points(one) == 5
        assert [change[0] for change in await paid(one)] == ["rule", "boost", "zone"]


async def test_a_new_boost_counts_from_now_on_and_a_removed_one_leaves_what_it_paid(database: str) -> None:
    async with arena(database, boosted(), start=SATURDAY) as one:
        await one.read("ada", 5)
        one.clock.advance(hours=2)
        plan = await one.admin.plan_catalog(boosted(WEEKEND))
        (pay,) = plan.pay
        assert (pay.id, pay.chosen, pay.keep, pay.recompute) == ("pages", "keep", 5, 10)
        assert any("its time begins on 2026-01-10, before it is applied" in warning for warning in plan.warnings)
        await one.apply(boosted(WEEKEND))
        assert await points(one) == 5
        await one.read("ada", 5)
        await one.read("ada", 1, one.clock() - timedelta(hours=1))
        assert await points(one) == 5 + 10 + 1
        one.clock.advance(hours=2)
        await one.apply(boosted())
        await one.read("ada", 1)
        await one.read("ada", 1, one.clock() - timedelta(hours=1))
        assert await points(one) == 16 + 1 + 2
        await one.apply(boosted({**WEEKEND, "id": "other", "name": "Another name"}, past="recompute"))
        assert await points(one) == 2 * 13


async def test_another_name_of_a_boost_changes_no_pay(database: str) -> None:
    async with arena(database, boosted(WEEKEND), start=SATURDAY) as one:
        await one.read("ada", 5)
        one.clock.advance(hours=2)
        other = boosted({**WEEKEND, "name": "Double points"})
        plan = await one.admin.plan_catalog(other)
        assert (plan.basis, plan.pay) == ("nothing", [])
        assert plan.differences == ["boosts 'launch'.name: from 'Launch weekend' to 'Double points'"]
        await one.apply(other)
        assert await points(one) == 10


async def test_earlier_versions_with_boosts_go_into_copies(tmp_path: Path) -> None:
    by_time = {**WEEKEND, "from": SATURDAY, "until": SATURDAY + timedelta(hours=1), "where": {"plan": {"not": "free"}}}
    address = f"sqlite:///{tmp_path / 'one.db'}"
    async with arena(address, boosted(by_time), start=SATURDAY) as one:
        one.clock.advance(hours=2)
        await one.read("ada", 1)
        one.clock.advance(hours=1)
        await one.apply(boosted(amount=3))
        rules, now = one.laurels.catalog.rules, one.clock()
    source, target = open_store(address), open_store(f"sqlite:///{tmp_path / 'two.db'}")
    await target.migrate()
    await copy(source, target, silent)
    await source.close()
    await target.close()
    for file in ("one.db", "two.db"):
        async with Laurels.open(f"sqlite:///{tmp_path / file}", boosted(amount=3), clock=lambda: now) as again:
            assert again.catalog.rules == rules != boosted(amount=3).rules
            await again.record(Event("ada", "in the hour", "read", SATURDAY, quantity=2))
            await again.record(Event("ada", "free", "read", SATURDAY, data={"plan": "free"}))
            assert (await again.profile("ada")).points == 1 + 4 + 1
            assert await Admin(again).verify("ada") == []


async def test_the_past_and_the_ledger_name_the_boost(database: str) -> None:
    async with arena(database, boosted(WEEKEND), start=SATURDAY) as one:
        await one.read("ada", 1)
        before = one.clock()
        one.clock.advance(hours=1)
        await one.read("ada", 5)
        one.clock.advance(hours=1)
        found = await one.admin.compare_user("ada", before, one.clock())
        assert any('+5 boost "launch"' in sentence for sentence in found.sentences)
