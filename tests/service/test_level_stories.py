"""Levels as users and operators see them: by a formula, and what they unlock."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from tests.support import catalog
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
        await one.apply(with_levels(RUNNERS))
        assert [await level(one, name) for name in ("ada", "bob")] == [(3, "Racer", 48), (2, "Runner 2", 25)]
