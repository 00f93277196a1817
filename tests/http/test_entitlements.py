"""What a user has unlocked, as the app and the user read it over HTTP, and what the catalog lists."""

from __future__ import annotations

import pytest

from tests.support import badge, catalog, count
from tests.support.app import CATALOG, App, event, open_app

pytestmark = pytest.mark.anyio

BASE = "/api/gamification"
RULES = catalog(
    metrics={"m": count("m")},
    levels=[{"title": "One", "points": 0}, {"title": "Two", "points": 10, "unlocks": ["avatar"]}],
    badges=[
        {**badge("first", 10, metric="m", at_least=1), "unlocks": ["avatar", "theme"]},
        {**badge("old", 10, metric="m", at_least=9), "unlocks": ["never"], "retired": True},
    ],
)
AVATAR = {"name": "avatar", "levels": [2], "badges": ["first"]}
THEME = {"name": "theme", "levels": [], "badges": ["first"]}


async def test_the_app_and_the_user_read_the_same_and_it_is_no_login() -> None:
    async with open_app(RULES) as home:
        await home.record(event("ada", "m", "m-1"))
        token = await home.sign_in("ada")
        by_key = await home.client.get(f"{BASE}/users/ada/entitlements", headers=home.by_key)
        by_session = await home.client.get(f"{BASE}/entitlements", headers={"authorization": f"Bearer {token}"})
        assert by_key.json() == by_session.json() == {"entitlements": [AVATAR, THEME]}
        assert by_session.headers["cache-control"] == "private, no-store"
        assert [one.event.type for one in (await home.laurels.history("ada")).entries if one.event] == ["m"]


async def test_an_unknown_user_has_none() -> None:
    async with open_app(RULES) as home:
        answer = await home.client.get(f"{BASE}/users/zoe/entitlements", headers=home.by_key)
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (404, "user-not-found")


async def test_the_catalog_lists_what_can_be_unlocked(home: App) -> None:
    async with open_app(RULES) as other:
        served = (await other.client.get(CATALOG)).json()
        assert served["entitlements"] == [AVATAR, THEME]
    assert "entitlements" not in (await home.client.get(CATALOG)).json()
