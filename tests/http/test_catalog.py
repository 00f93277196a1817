"""GET /api/gamification/catalog: everything that can be earned."""

from __future__ import annotations

import pytest

from tests.support import at, badge, catalog
from tests.support.app import CATALOG, App, ids_of, open_app

pytestmark = pytest.mark.anyio


async def test_the_catalog_has_its_name_levels_and_badges(home: App) -> None:
    served = (await home.client.get(CATALOG)).json()

    assert list(served) == ["name", "levels", "badges", "categories"]
    assert served["name"] == "default"
    assert served["levels"][0] == {"level": 1, "title": "Newcomer", "points": 0}
    assert (len(served["levels"]), len(served["badges"])) == (7, 11)


async def test_a_badge_says_what_to_do_for_it(home: App) -> None:
    served = (await home.client.get(CATALOG)).json()

    assert served["badges"][1] == {
        "id": "first_agent",
        "name": "Agent Creator",
        "description": "Create your first AI agent",
        "icon": "🤖",
        "category": "onboarding",
        "points": 50,
        "condition": "Create 1 agent",
    }


async def test_the_catalog_is_public_and_may_be_cached_for_a_minute(home: App) -> None:
    answer = await home.client.get(CATALOG)

    assert answer.headers["cache-control"] == "public, max-age=60"


async def test_a_catalog_of_ones_own_is_served_in_its_order() -> None:
    own = catalog(name="mine", badges=[badge(name, streak="login", streak_of=2) for name in ("z", "a", "m")])
    async with open_app(own) as home:
        served = (await home.client.get(CATALOG)).json()

    assert served["name"] == "mine"
    assert ids_of(served["badges"]) == ["z", "a", "m"]


async def test_boosts_that_count_now_or_later_are_served_and_those_that_are_over_are_not() -> None:
    weekend = {"from": at("2026-06-05").date(), "until": at("2026-06-08").date()}
    hour = {"from": at("2026-06-05T10:00:00+02:00"), "until": at("2026-06-05T11:00:00+02:00")}
    own = catalog(
        points=[{"id": name, "events": ["read"], "amount": 1} for name in ("pages", "books")],
        boosts=[
            {"id": "launch", "name": "Launch weekend", "factor": "2", **weekend},
            {"id": "happy_hour", "factor": "1.5", "rules": ["pages"], **hour},
        ],
    )
    async with open_app(own) as home:
        home.clock.set(at("2026-06-05T08:30"))
        both = (await home.client.get(CATALOG)).json()["boosts"]
        home.clock.set(at("2026-06-05T09:00"))
        one = (await home.client.get(CATALOG)).json()["boosts"]
        home.clock.set(at("2026-06-10"))
        none = (await home.client.get(CATALOG)).json()

    days = {"firstDay": "2026-06-05", "lastDay": "2026-06-07"}
    times = {"startsAt": "2026-06-05T08:00:00Z", "endsAt": "2026-06-05T09:00:00Z"}
    assert both == [
        {"id": "launch", "name": "Launch weekend", "factor": "2", **days},
        {"id": "happy_hour", "name": "Happy hour", "factor": "1.5", "rules": ["pages"], **times},
    ]
    assert one == both[:1]
    assert "boosts" not in none
