"""PUT /api/gamification/visibility, `visibility` of users, and exclusions, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.support.app import COOKIE, LEADERBOARDS, PROFILE, USERS, App, event

pytestmark = pytest.mark.anyio

VISIBILITY = "/api/gamification/visibility"


async def choose(home: App, token: str, body: Any) -> httpx2.Response:
    return await home.client.put(VISIBILITY, json=body, headers={"cookie": f"{COOKIE}={token}"})


async def names(home: App) -> list[str]:
    """The ids on the board of all points, as the back end reads them."""
    answer = await home.client.get(f"{LEADERBOARDS}/points", headers=home.by_key)
    return [line["userId"] for line in answer.json()["standings"]]


async def three(home: App) -> str:
    """Three people with points, and the session of Bob, the second."""
    for user_id, messages in (("ann", 300), ("bob", 200), ("cay", 100)):
        await home.record(event(user_id, "message.sent", quantity=messages))
        home.clock.advance(seconds=1)
    return await home.sign_in("bob", name="Bob")


async def test_a_user_hides_and_is_shown_again_with_their_session(home: App) -> None:
    token = await three(home)
    assert await names(home) == ["ann", "bob", "cay"]
    answer = await choose(home, token, {"visibility": "hidden"})
    assert (answer.status_code, answer.json()["visibility"]) == (200, "hidden")
    assert await names(home) == ["ann", "cay"]
    assert (await home.visit(token)).json()["userRank"] == 2
    assert "bob" not in [line["userId"] for line in (await home.visit(token)).json()["leaderboard"]]
    assert (await choose(home, token, {"visibility": None})).json()["visibility"] is None
    assert await names(home) == ["ann", "bob", "cay"]


async def test_other_users_see_the_invented_name_in_every_response(home: App) -> None:
    token = await three(home)
    await choose(home, token, {"visibility": "pseudonym"})
    other = await home.sign_in("ann")
    shown = [
        await home.visit(other, PROFILE),
        await home.visit(other, f"{LEADERBOARDS}/points"),
        await home.visit(other, f"{LEADERBOARDS}/points?around=bob"),
        await home.visit(other, f"{LEADERBOARDS}/points?friends=bob,cay"),
        await home.visit(other, f"{LEADERBOARDS}/points?limit=2"),
    ]
    assert all(answer.status_code == 200 and "bob" not in answer.text and "Bob" not in answer.text for answer in shown)
    assert "alias:" in shown[1].text
    mine = (await home.visit(token, f"{LEADERBOARDS}/points?around=me")).json()
    assert [line["userId"] for line in mine["standings"]] == ["ann", "bob", "cay"]


@pytest.mark.parametrize(
    "body", [{}, {"visibility": "secret"}, {"visibility": 1}, {"visibility": ["hidden"]}, [], "hidden"]
)
async def test_an_unknown_visibility_is_refused(home: App, body: Any) -> None:
    token = await three(home)
    assert (await choose(home, token, body)).status_code in (400, 422)
    assert await names(home) == ["ann", "bob", "cay"]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_of_a_session_has_at_most_8_kib(home: App, announced: bool) -> None:
    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    headers = {"cookie": f"{COOKIE}={await home.sign_in('ada')}", "content-type": "application/json"}
    for size, status in ((8192, 200), (8193, 413)):
        body = b'{"visibility": "hidden"}'.ljust(size)
        content = body if announced else pieces(body)
        assert (await home.client.put(VISIBILITY, content=content, headers=headers)).status_code == status


async def test_a_visibility_is_a_users_own_to_choose(home: App) -> None:
    assert (await choose(home, "no-such-token", {"visibility": "hidden"})).status_code == 401
    by_key = await home.client.put(VISIBILITY, json={"visibility": "hidden"}, headers=home.by_key)
    assert by_key.status_code == 401


async def test_the_back_end_says_how_a_user_is_shown(home: App) -> None:
    await three(home)
    put = await home.client.put(f"{USERS}/bob", json={"visibility": "hidden"}, headers=home.by_key)
    assert (put.status_code, put.json()["visibility"]) == (200, "hidden")
    kept = await home.client.put(f"{USERS}/bob", json={"name": "Bob"}, headers=home.by_key)
    assert kept.json()["visibility"] == "hidden"
    assert await names(home) == ["ann", "cay"]
    bad = await home.client.put(f"{USERS}/bob", json={"visibility": "secret"}, headers=home.by_key)
    assert bad.status_code in (400, 422)
    back = await home.client.put(f"{USERS}/bob", json={"visibility": None}, headers=home.by_key)
    assert back.json()["visibility"] is None
    assert await names(home) == ["ann", "bob", "cay"]


async def test_the_back_end_excludes_a_user_and_lets_them_back(home: App) -> None:
    await three(home)
    said = {"id": "out-1", "kind": "exclusion", "reason": "a script"}
    told = await home.client.post(f"{USERS}/bob/adjustments", json=said, headers=home.by_key)
    assert (told.status_code, told.json()["status"]) == (200, "applied")
    again = await home.client.post(f"{USERS}/bob/adjustments", json=said, headers=home.by_key)
    assert again.json()["status"] == "duplicate"
    assert await names(home) == ["ann", "cay"]
    undone = await home.client.delete(f"{USERS}/bob/adjustments/out-1", headers=home.by_key)
    assert undone.json()["status"] == "undone"
    assert await names(home) == ["ann", "bob", "cay"]


@pytest.mark.parametrize("more", [{"reason": ""}, {"reason": None}, {"amount": 5}, {"id": ""}])
async def test_an_exclusion_needs_an_id_and_a_reason_and_nothing_more(home: App, more: Any) -> None:
    await three(home)
    said = {"id": "out-1", "kind": "exclusion", "reason": "a script", **more}
    answer = await home.client.post(f"{USERS}/bob/adjustments", json=said, headers=home.by_key)
    assert answer.status_code in (400, 422)
    assert await names(home) == ["ann", "bob", "cay"]


async def test_the_description_lists_both(home: App) -> None:
    described = (await home.client.get("/docs/openapi.json")).json()
    assert "put" in described["paths"][VISIBILITY]
    assert "ExclusionIn" in described["components"]["schemas"]
