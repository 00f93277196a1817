"""What a client sent comes back only cut: an error is small, however large the request was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.app import COOKIE, EVENTS, LEADERBOARDS, PROFILE, SESSIONS, USERS, App

pytestmark = pytest.mark.anyio

LONG = "wrong" * 200_000
WIDE = "wrong" * 1_000
MOST_OF_ERROR = 2_000

BODIES: list[Any] = [
    {LONG: 1},
    {"userId": "ada", "id": "e", "type": "t", LONG: 1},
    {"userId": "ada", "id": "e", "type": LONG},
    {"userId": LONG, "id": "e", "type": "t"},
    {"userId": "ada", "id": "e", "type": "t", "occurredAt": LONG},
    {"userId": "ada", "id": "e", "type": "t", "data": LONG},
    {"userId": "ada", "id": "e", "type": "t", "quantity": LONG},
    LONG,
]
ADJUSTMENTS: list[Any] = [
    {"id": "a", "kind": LONG, "reason": "r"},
    {"id": "a", "kind": "grant", "badge": LONG, "reason": "r"},
    {"id": "a", "kind": "timeZone", "timeZone": LONG, "first": "2026-01-01", "last": "2026-01-01", "reason": "r"},
    {"id": LONG, "kind": "grant", "badge": "first_agent", "reason": LONG},
]


@pytest.mark.parametrize("number", range(len(BODIES)))
async def test_an_error_about_an_event_is_small(home: App, number: int) -> None:
    answer = await home.send(BODIES[number])
    assert answer.status_code == 422
    assert len(answer.content) < MOST_OF_ERROR


@pytest.mark.parametrize("number", range(len(ADJUSTMENTS)))
async def test_an_error_about_an_adjustment_is_small(home: App, number: int) -> None:
    await home.sign_in("ada")
    answer = await home.client.post(f"{USERS}/ada/adjustments", json=ADJUSTMENTS[number], headers=home.by_key)
    assert answer.status_code in (404, 422)
    assert len(answer.content) < MOST_OF_ERROR


async def test_errors_about_users_and_sessions_are_small(home: App) -> None:
    for body in ({LONG: 1}, {"visibility": LONG}, {"name": LONG}, {"timeZone": LONG}, {"groups": [LONG]}):
        answer = await home.client.put(f"{USERS}/ada", json=body, headers=home.by_key)
        assert answer.status_code == 422
        assert len(answer.content) < MOST_OF_ERROR, answer.text[:200]
    answer = await home.client.post(SESSIONS, json={"userId": "ada", "lifetimeSeconds": LONG}, headers=home.by_key)
    assert (answer.status_code, len(answer.content) < MOST_OF_ERROR) == (422, True)


async def test_errors_about_parameters_are_small(home: App) -> None:
    headers = {"cookie": f"{COOKIE}={await home.sign_in('ada')}"}
    for path in (
        f"{PROFILE}?include={WIDE}",
        f"{PROFILE}?days={WIDE}",
        f"{PROFILE}?{WIDE}=1",
        f"{LEADERBOARDS}/points?period={WIDE}",
        f"{LEADERBOARDS}/weekly?period={WIDE}",
        f"{LEADERBOARDS}/points?after={WIDE}",
        f"{LEADERBOARDS}/points?around={WIDE}",
        f"{LEADERBOARDS}/points?friends={WIDE},b",
        f"{LEADERBOARDS}/points?me={WIDE}",
        f"{LEADERBOARDS}/{WIDE}",
        f"/api/gamification/badges/{WIDE}/explanation",
        f"/problems/{WIDE}",
        f"/api/gamification/stream?lastEventId={WIDE}",
    ):
        answer = await home.client.get(path, headers=headers)
        assert 400 <= answer.status_code < 500, path[:60]
        assert len(answer.content) < MOST_OF_ERROR, path[:60]
    announced = {**home.by_key, "content-type": "application/json", "content-length": "9" * 50_000}
    answer = await home.client.post(EVENTS, content=b"{}", headers=announced)
    assert (answer.status_code, len(answer.content) < MOST_OF_ERROR) == (413, True)


async def test_the_name_of_an_unknown_field_is_still_shown(home: App) -> None:
    problem = (await home.send({"userId": "ada", "id": "e", "type": "t", "tpye": 1})).json()
    assert problem["errors"] == [{"detail": "Object contains unknown field `tpye`", "pointer": "/tpye"}]
    assert json.dumps(problem).count("wrong") == 0


@pytest.mark.parametrize("field", ["id", "userId"])
async def test_an_id_that_is_too_long_is_not_repeated_in_a_result(home: App, field: str) -> None:
    sent = [{"id": "1", "userId": "ada", "type": "note", field: "Q" * 100_000}]
    assert len((await home.client.post(EVENTS, json=sent, headers=home.by_key)).content) < 2_000
    many = {"events": [{"eventId": "1", "userId": "Q" * 100_000}], "reason": "a test", "actor": "anna"}
    answer = await home.client.post(f"{EVENTS}/reversals", json=many, headers=home.by_key)
    assert len(answer.content) < 2_000
