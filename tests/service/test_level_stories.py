"""Levels as users and operators see them: by a formula, and what they unlock."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from tests.support import badge, catalog
from tests.support.arena import TABLES, Arena, arena

pytestmark = pytest.mark.anyio

RUNNERS = {"count": 20, "first": 10, "growth": "1.5", "title": "Runner {number}", "titles": {"3": "Racer"}}


def with_levels(levels: Any, **more: Any) -> Catalog:
    return catalog(**{**TABLES, **more}, levels=levels)


async def level(one: Arena, name: str = "ada") -> tuple[int, str, int]:
    profile = await one.laurels.profile(name)
    return profile.level, profile.title, profile.next_level


async def test_ada_climbs_levels_that_a_formula_makes_and_is_notified_of_each(database: str) -> None:
    async with arena(database, with_levels(RUNNERS)) as one:
        await one.read("ada", 9)
        assert await level(one) == (1, "Runner 1", 10)
        await one.read("ada", 16, name="many")
        assert await level(one) == (3, "Racer", 48)  # 10 + 15 + 22.5, rounded half up
        assert await one.notifications("level.reached") == [("ada", '{"level":3,"title":"Racer"}')]
        await one.admin.reverse("ada", "many", "a mistake", "a test")
        assert await level(one) == (1, "Runner 1", 10)


async def test_an_operator_replaces_a_list_by_a_formula_and_sees_who_moves_before(database: str) -> None:
    async with arena(database, with_levels([{"title": "One", "points": 0}, {"title": "Two", "points": 12}])) as one:
        await one.read("ada", 30)
        await one.read("bob", 11)
        plan = await one.admin.plan_catalog(with_levels(RUNNERS))
        assert plan.basis == "progress"
        assert (plan.levels.higher, plan.levels.lower) == (2, 0)
        users = [(row.level, row.before, row.after) for row in plan.levels.users]
        assert users == [(1, 1, 0), (2, 1, 1), (3, 0, 1)]
        await one.apply(with_levels(RUNNERS))
        assert [await level(one, name) for name in ("ada", "bob")] == [(3, "Racer", 48), (2, "Runner 2", 25)]


UNLOCKING = {**RUNNERS, "unlocks": {2: ["custom-avatar"], 3: ["dark-theme", "custom-avatar"]}}


async def unlocked(one: Arena, name: str = "ada") -> dict[str, tuple[list[int], list[str]]]:
    """What a user has unlocked, and by which levels and badges."""
    found = await one.laurels.entitlements(name)
    return {item.name: (item.levels, item.badges) for item in found.entitlements}


async def test_ada_unlocks_an_avatar_and_loses_it_when_her_points_are_taken_back(database: str) -> None:
    gift = {**badge("gift", 7, metric="pages", at_least=10_000), "unlocks": ["reviews", "custom-avatar"]}
    async with arena(database, with_levels(UNLOCKING, badges=[gift])) as one:
        await one.read("ada", 9)
        assert await unlocked(one) == {}
        await one.read("ada", 16, name="many")
        assert await unlocked(one) == {"custom-avatar": ([2, 3], []), "dark-theme": ([3], [])}
        await one.adjust("ada", "points", "spent", amount=20, spend=True)
        assert list(await unlocked(one)) == ["custom-avatar", "dark-theme"]
        await one.admin.reverse("ada", "many", "a mistake", "a test")
        assert await unlocked(one) == {}

        await one.adjust("ada", "grant", badge="gift")
        assert await unlocked(one) == {"custom-avatar": ([2], ["gift"]), "reviews": ([], ["gift"])}
        await one.adjust("ada", "revocation", badge="gift")
        assert await unlocked(one) == {}


async def test_what_a_new_catalog_unlocks_counts_at_once_and_a_retired_badge_still_unlocks(database: str) -> None:
    first = badge("gift", 7, metric="pages", at_least=1)
    async with arena(database, with_levels(RUNNERS, badges=[first])) as one:
        await one.read("ada", 3)
        before = one.laurels.catalog.rules
        await one.apply(with_levels(UNLOCKING, badges=[{**first, "unlocks": ["reviews"]}]))
        assert one.laurels.catalog.rules == before
        assert await unlocked(one) == {"custom-avatar": ([2], []), "reviews": ([], ["gift"])}
        await one.apply(with_levels(RUNNERS, badges=[{**first, "unlocks": ["reviews"], "retired": True}]))
        assert await unlocked(one) == {"reviews": ([], ["gift"])}
        await one.read("bob", 3)
        assert await unlocked(one, "bob") == {}
