"""What users read of their own history: their own deeds, and nothing that operators or the app wrote for themselves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.errors import CatalogError
from tests.support import catalog
from tests.support.app import PROFILE, App, event, open_app

pytestmark = pytest.mark.anyio

SECRET = "suspected fraud, do not tell"
ADJUSTMENTS = "/api/gamification/users/ada/adjustments"
PAUSE = {"kind": "pause", "id": "holiday", "streak": "login", "first": "2026-01-06", "last": "2026-01-07"}


async def write(home: App) -> str:
    """Events and adjustments with what is not for the user. Returns the user's session."""
    token = await home.sign_in("ada")
    data = {"fraudScore": 0.97, "ip": "10.0.0.1", "place": "Rome"}
    await home.record(event("ada", "message.sent", quantity=100, data=data))
    for body in (
        {"kind": "exclusion", "id": "x", "reason": SECRET, "actor": "anna"},
        {"kind": "points", "id": "p", "amount": 5, "reason": SECRET, "actor": "anna"},
        {"kind": "grant", "id": "g", "badge": "early_adopter", "reason": "spoke at our conference", "actor": "anna"},
        {**PAUSE, "id": "pause-1", "reason": SECRET, "actor": "anna"},
    ):
        answer = await home.client.post(ADJUSTMENTS, json=body, headers=home.by_key)
        assert answer.status_code == 200, answer.text
    await home.client.delete(f"{ADJUSTMENTS}/p", headers=home.by_key)
    return token


async def own(home: App, token: str) -> list[dict[str, Any]]:
    answer = await home.visit(token, f"{PROFILE}?include=history")
    assert answer.status_code == 200
    assert not [word for word in (SECRET, "anna", "fraudScore", "10.0.0.1", "tests") if word in answer.text], (
        answer.text
    )
    return answer.json()["history"]["entries"]


async def test_users_see_neither_reasons_nor_actors_nor_data_nor_exclusions(home: App) -> None:
    entries = await own(home, await write(home))

    adjustments = {entry["adjustment"]["id"]: entry["adjustment"] for entry in entries if entry["adjustment"]}
    assert adjustments.keys() == {"p", "g", "pause-1"}
    assert {(one["reason"], one["actor"]) for one in adjustments.values()} == {("", "")}
    assert adjustments["p"]["undone"]
    assert [entry["event"]["data"] for entry in entries if entry["event"]] == [None] * 2


async def test_the_app_reads_all_of_it(home: App) -> None:
    await write(home)
    text = (await home.client.get("/api/gamification/users/ada/history", headers=home.by_key)).text
    assert [word for word in (SECRET, "anna", "fraudScore", "exclusion") if word not in text] == []


async def test_own_adjustments_keep_their_reason_and_an_id_of_an_operator_tells_nothing() -> None:
    pausing = catalog(streaks={"login": {"events": ["login"], "pause_days": 20}})
    async with open_app(pausing) as home:
        token = await home.sign_in("ada")
        headers = {"Authorization": f"Bearer {token}"}
        by_anna = {**PAUSE, "id": "pause-1", "reason": SECRET, "actor": "anna"}
        await home.client.post(ADJUSTMENTS, json=by_anna, headers=home.by_key)
        for name in ("mine", "pause-1"):
            answer = await home.client.post(
                "/api/gamification/adjustments", json={**PAUSE, "id": name}, headers=headers
            )
            assert SECRET not in answer.text
        entries = await own(home, token)
    found = {one["adjustment"]["id"]: one["adjustment"] for one in entries if one["adjustment"]}
    assert (found["mine"]["reason"], found["mine"]["actor"]) == ("by the user", "the user")
    assert found["pause-1"]["reason"] == ""


async def test_a_hidden_id_answers_a_session_as_one_that_is_free() -> None:
    pausing = catalog(streaks={"login": {"events": ["login"], "pause_days": 20}})
    bodies: list[dict[str, Any]] = [
        PAUSE,
        PAUSE,
        {**PAUSE, "last": "2026-01-08"},
        {**PAUSE, "streak": "none"},
        {"kind": "repair", "streak": "login", "day": "2026-01-05"},
        {"kind": "exclusion"},
    ]
    answers: dict[str, list[tuple[int, str]]] = {}
    async with open_app(pausing) as home:
        for name in ("hidden", "vacant"):
            headers = {"Authorization": f"Bearer {await home.sign_in(name)}"}
            path = f"/api/gamification/users/{name}/adjustments"
            exclusion = {"kind": "exclusion", "id": "hidden", "reason": SECRET, "actor": "anna"}
            assert (await home.client.post(path, json=exclusion, headers=home.by_key)).status_code == 200
            answers[name] = []
            for body in bodies:
                sent = {**body, "id": name}
                answer = await home.client.post("/api/gamification/adjustments", json=sent, headers=headers)
                answers[name].append((answer.status_code, answer.text.replace(name, "X")))
            shown = (await home.client.get(f"{PROFILE}?include=history", headers=headers)).json()["history"]
            found = [one["adjustment"] for one in shown["entries"] if one["adjustment"]]
            answers[name] += [(len(found), one["id"].replace(name, "X")) for one in found]
            undone = await home.client.delete(f"{path}/hidden", headers=home.by_key)
            assert undone.json()["kind"] == "exclusion"

    assert answers["hidden"] == answers["vacant"]
    assert [status for status, _ in answers["hidden"]][:3] == [200, 200, 409]
    assert answers["hidden"][-1] == (1, "X")


@pytest.mark.parametrize("caller", ["user", "app"])
async def test_an_explanation_shows_the_data_of_its_event_to_the_app_only(home: App, caller: str) -> None:
    token = await write(home)
    if caller == "user":
        found = await home.visit(token, "/api/gamification/badges/message_100/explanation")
    else:
        address = "/api/gamification/users/ada/badges/message_100/explanation"
        found = await home.client.get(address, headers=home.by_key)
    assert ("fraudScore" in found.text) == (caller == "app")
    assert found.json()["event"]["type"] == "message.sent"


@pytest.fixture
async def open_home() -> AsyncIterator[App]:
    shown = Catalog.parse(Catalog.default().text + '\n[own_history]\ndata = ["place"]\nreasons = ["grant"]\n')
    async with open_app(shown) as one:
        yield one


async def test_a_catalog_shows_listed_data_and_reasons(open_home: App) -> None:
    entries = await own(open_home, await write(open_home))
    assert {"place": "Rome"} in [entry["event"]["data"] for entry in entries if entry["event"]]
    reasons = {entry["adjustment"]["kind"]: entry["adjustment"]["reason"] for entry in entries if entry["adjustment"]}
    assert reasons == {"points": "", "grant": "spoke at our conference", "pause": ""}


def test_what_is_shown_changes_no_rule() -> None:
    one, other = catalog(), catalog(own_history={"data": ["place"]})
    assert other.own_history.data == {"place"}
    assert one.rules == other.rules


def test_an_unknown_kind_is_a_fault_with_its_fix() -> None:
    with pytest.raises(CatalogError) as caught:
        catalog(own_history={"reasons": ["grants"]})
    assert "grant" in json.dumps([str(fault) for fault in caught.value.faults])
