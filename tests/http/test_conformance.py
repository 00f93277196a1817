"""The contract's own cases, over HTTP."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from tests.support import at, cases, catalog
from tests.support.app import CATALOG, PROFILE, USERS, App, event, ids_of, open_app

pytestmark = pytest.mark.anyio

CONTRACT = json.loads((Path(__file__).parent.parent / "conformance/catalog.json").read_text("utf-8"))
MORE_THAN_LOGINS = {"freezes", "amnesties"}
STREAKS = [case for case in cases("streaks") if not MORE_THAN_LOGINS & case.keys()]


def named(cases: Sequence[Any], key: str = "name") -> Any:
    return [pytest.param(case, id=str(case[key])) for case in cases]


@pytest.fixture
async def home(database: str) -> AsyncIterator[App]:
    async with open_app(database=database) as one:
        yield one


def paying_by_quantity() -> Catalog:
    """The contract's levels, and a point for each unit of a 'work' event."""
    rule = {"id": "work", "events": ["work"], "amount": 1, "per": "quantity"}
    levels = [{"title": level["title"], "points": level["points"]} for level in CONTRACT["levels"]]
    return catalog(levels=levels, points=[rule])


# ---- levels, catalog, earning -----------------------------------------------------------------


@pytest.mark.parametrize("case", named(cases("levels"), "points"))
async def test_points_read_as_their_level(database: str, case: Any) -> None:
    async with open_app(paying_by_quantity(), database=database) as home:
        token = await home.sign_in("ada")
        if case["points"]:
            await home.record(event("ada", "work", quantity=case["points"]))

        profile = (await home.visit(token)).json()

    assert {name: profile[name] for name in case} == case


async def test_the_catalog_is_that_of_the_contract(home: App) -> None:
    served = (await home.client.get(CATALOG)).json()

    assert served["levels"] == CONTRACT["levels"]
    told = CONTRACT["badges"][0].keys()
    assert [{name: badge[name] for name in told} for badge in served["badges"]] == CONTRACT["badges"]


@pytest.mark.parametrize("case", named(cases("earning")))
@pytest.mark.parametrize("order", ["as listed", "backwards, twice", "shuffled, in two requests"])
async def test_events_earn_what_the_contract_says(home: App, case: Any, order: str) -> None:
    events = [
        event("ada", one["type"], f"e-{index}", quantity=one["quantity"]) for index, one in enumerate(case["events"])
    ]
    token = await home.sign_in("ada")
    if order == "backwards, twice":
        events = [*reversed(events), *events]
    elif order == "shuffled, in two requests":
        random.Random(case["name"]).shuffle(events)
        await home.record(*events[: len(events) // 2])

    await home.record(*events)

    profile = (await home.visit(token)).json()
    expected = {name: value for name, value in case.items() if name not in {"name", "events"}}
    assert {**{name: profile[name] for name in expected}, "badges": ids_of(profile["badges"])} == expected


# ---- streaks ----------------------------------------------------------------------------------


async def live_in(home: App, case: Any) -> None:
    """A user in this case's zone, with its changes of zone, each made at its time."""
    home.clock.set(min(at(one["at"]) for one in case["events"]) - timedelta(days=40))
    await put_zone(home, case["zone"])
    for change in case.get("zoneChanges", []):
        await change_zone(home, change)


async def put_zone(home: App, zone: str) -> int:
    answer = await home.client.put(f"{USERS}/ada", json={"timeZone": zone}, headers=home.by_key)
    return answer.status_code


async def change_zone(home: App, change: Any) -> None:
    home.clock.set(at(change["at"]))
    assert await put_zone(home, change["zone"]) == (409 if change.get("refused") else 200)


async def read_at(home: App, moment: datetime) -> Any:
    home.clock.set(moment)
    return await home.profile_of("ada", "streaks")


def check_streak(case: Any, profile: Any) -> None:
    (streak,) = profile["streaks"]
    assert profile["streak"] == streak["length"] == case["length"]
    assert streak["totalDays"] == len(case["dates"])
    assert streak["lastDay"] == case["dates"][-1]
    assert streak["status"] == case.get("status", streak["status"])
    assert streak["longest"] == case.get("longest", streak["longest"])
    if "badges" in case:
        assert ids_of(profile["badges"]) == case["badges"]


@pytest.mark.parametrize("case", named(STREAKS))
@pytest.mark.parametrize("order", ["in order of arrival", "shuffled, twice"])
async def test_login_events_make_the_streak_of_the_contract(database: str, case: Any, order: str) -> None:
    logins = [event("ada", "login", f"login-{one['at']}", occurredAt=one["at"]) for one in case["events"]]
    if order == "shuffled, twice":
        logins = [*logins, *logins]
        random.Random(case["name"]).shuffle(logins)
    async with open_app(database=database, late_window=None) as home:
        await live_in(home, case)
        home.clock.set(at(case["readAt"]))
        await home.record(*logins)

        profile = await read_at(home, at(case["readAt"]))
        history = (await home.client.get(f"{USERS}/ada/history?limit=500", headers=home.by_key)).json()

    check_streak(case, profile)
    assert sorted({entry["event"]["day"] for entry in history["entries"]}) == case["dates"]


def lived(case: Any) -> list[tuple[datetime, Any]]:
    """A case's visits and changes of zone, as they would have happened."""
    visits = [(at(one["at"]), None) for one in case["events"]]
    return sorted([*visits, *((at(one["at"]), one) for one in case.get("zoneChanges", []))], key=lambda pair: pair[0])


@pytest.mark.parametrize("case", named(STREAKS))
async def test_visits_make_the_streak_of_the_contract(database: str, case: Any) -> None:
    notifications = lived(case)
    async with open_app(database=database, start=notifications[0][0] - timedelta(minutes=1)) as home:
        token = await home.sign_in("ada", lifetimeSeconds=60 * 86400)
        await put_zone(home, case["zone"])  # a session's UTC would leave the zone unknown
        for moment, change in notifications:
            if change:
                await change_zone(home, change)
            else:
                home.clock.set(moment)
                assert (await home.visit(token, PROFILE)).status_code == 200

        profile = await read_at(home, at(case["readAt"]))

    check_streak(case, profile)


# ---- the leaderboard --------------------------------------------------------------------------


@pytest.mark.parametrize("case", named(cases("leaderboard")))
@pytest.mark.parametrize("order", ["as listed", "backwards"])
async def test_scores_stand_in_the_order_of_the_contract(database: str, case: Any, order: str) -> None:
    scores = case["scores"] if order == "as listed" else case["scores"][::-1]
    async with open_app(paying_by_quantity(), database=database) as home:
        for user_id, _, _ in scores:
            await home.client.put(f"{USERS}/{user_id}", json={}, headers=home.by_key)
        await home.record(
            *[
                event(user_id, "work", quantity=points, occurredAt=f"2026-01-05T11:00:{reached:02}Z")
                for user_id, points, reached in scores
                if points
            ]
        )

        profiles = {user_id: await home.profile_of(user_id, "rank") for user_id, _, _ in scores}

    ranks = {user_id: rank for rank, user_id in enumerate(case["order"], start=1)}
    for user_id, profile in profiles.items():
        assert [line["userId"] for line in profile["leaderboard"]] == case["order"][:5]
        assert profile["rank"] == {"rank": ranks.get(user_id), "rankedUsers": len(ranks)}
        assert profile["userRank"] == (ranks.get(user_id) if ranks.get(user_id, 11) <= 10 else None)
        assert profile["userRank"] == case.get("userRank", {}).get(user_id, profile["userRank"])
