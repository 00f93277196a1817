"""POST /api/gamification/events/reversals: many events taken back in one request, each with its own result."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.support.app import App, event

pytestmark = pytest.mark.anyio

PATH = "/api/gamification/events/reversals"


async def reverse(home: App, *events: tuple[str, str], **more: Any) -> httpx2.Response:
    body = {"reason": "a script", "events": [{"userId": user, "eventId": name} for user, name in events], **more}
    return await home.client.post(PATH, json=body, headers=home.by_key)


async def test_each_event_has_its_own_result(home: App) -> None:
    await home.record(event("ada", "agent.created", "a1"), event("ada", "agent.created", "a2"))

    answer = await reverse(home, ("ada", "a1"), ("ada", "a2"), ("ada", "a1"), ("", "a1"))

    body = answer.json()
    assert (answer.status_code, body["applied"], body["duplicates"], body["rejected"]) == (200, 2, 1, 1)
    assert body["results"][0] == {"userId": "ada", "eventId": "a1", "status": "applied"}
    assert body["results"][1]["points"] == {"before": 50, "after": 0}
    assert body["results"][1]["revoked"] == ["first_agent"]
    assert body["results"][2] == {"userId": "ada", "eventId": "a1", "status": "duplicate"}
    assert body["results"][3]["status"] == "rejected"
    assert body["results"][3]["problem"]["errors"][0]["pointer"].startswith("/events/3/")
    assert (await home.profile_of("ada"))["points"] == 0


async def test_the_history_shows_each_reversal_with_its_reason_and_actor(home: App) -> None:
    await home.record(event("ada", "agent.created", "a1"), event("ada", "agent.created", "a2"))
    await reverse(home, ("ada", "a1"), ("ada", "a2"), actor="eve")

    answer = await home.client.get("/api/gamification/users/ada/history", headers=home.by_key)

    shown = [one["adjustment"] for one in answer.json()["entries"] if one.get("adjustment")]
    assert [(one["id"], one["reason"], one["actor"]) for one in shown] == [
        ("reversal:a2", "a script", "eve"),
        ("reversal:a1", "a script", "eve"),
    ]


async def test_a_thousand_events_are_taken_back_and_no_more(home: App) -> None:
    names = [f"m{number}" for number in range(1001)]
    for start in range(0, 1000, 500):
        await home.record(*(event("ada", "message.sent", name) for name in names[start : start + 500]))

    too_many = await reverse(home, *(("ada", name) for name in names))
    taken = await reverse(home, *(("ada", name) for name in names[:1000]))

    assert too_many.status_code == 422
    assert (taken.status_code, taken.json()["applied"]) == (200, 1000)
    assert (await home.profile_of("ada"))["points"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"events": [{"userId": "ada", "eventId": "a1"}]},
        {"reason": "a script", "events": []},
        {"reason": "a script", "events": [{"userId": "ada"}]},
        {"reason": "", "events": [{"userId": "ada", "eventId": "a1"}]},
    ],
)
async def test_a_wrong_body_takes_nothing_back(home: App, body: Any) -> None:
    await home.record(event("ada", "agent.created", "a1"))

    answer = await home.client.post(PATH, json=body, headers=home.by_key)

    assert answer.status_code == 422
    assert (await home.profile_of("ada"))["points"] == 50
