"""Repairing a history over HTTP: reversals, adjustments, amnesties, streaks, explanations, and the time in a sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import quote

import httpx2
import pytest

from tests.service.test_history import rules
from tests.support.app import COOKIE, USERS, App, Json, event, open_app

pytestmark = pytest.mark.anyio

BASE = "/api/gamification"
AMNESTIES = f"{BASE}/amnesties"


@pytest.fixture
async def home() -> AsyncIterator[App]:
    """A server whose streak may be paused and repaired; ada was there on the 1st, the 2nd and today, the 5th of January 2026."""
    async with open_app(rules(pause_days=5, repair_days=3)) as one:
        visits = [event("ada", "login", f"in-{day}", occurredAt=f"2026-01-0{day}T12:00:00Z") for day in (1, 2, 5)]
        await one.record(*visits, event("ada", "message", "m1"), event("ada", "message", "m2"))
        yield one


async def reverse(home: App, event_id: str, user_id: str = "ada", **said: Json) -> httpx2.Response:
    path = f"{BASE}/events/{quote(user_id, safe='')}/{quote(event_id, safe='')}/reversal"
    return await home.client.post(path, json={"reason": "a script", **said}, headers=home.by_key)


async def tell(
    home: App, adjustment_id: str, kind: str, data: Json, user_id: str = "ada", **said: Json
) -> httpx2.Response:
    body = {"id": adjustment_id, "kind": kind, "reason": "because", **data, **said}
    return await home.client.post(f"{USERS}/{quote(user_id, safe='')}/adjustments", json=body, headers=home.by_key)


async def undo(home: App, adjustment_id: str, user_id: str = "ada") -> httpx2.Response:
    path = f"{USERS}/{quote(user_id, safe='')}/adjustments/{quote(adjustment_id, safe='')}"
    return await home.client.delete(path, headers=home.by_key)


async def excuse(home: App, **said: Json) -> httpx2.Response:
    body = {"first": "2026-01-03", "last": "2026-01-04", "reason": "an outage", **said}
    return await home.client.post(AMNESTIES, json=body, headers=home.by_key)


async def streak_of(home: App, user_id: str = "ada", query: str = "") -> Json:
    answer = await home.client.get(f"{USERS}/{quote(user_id, safe='')}/streaks{query}", headers=home.by_key)
    assert answer.status_code == 200, answer.text
    return answer.json()["streaks"][0]


def pointers(answer: httpx2.Response) -> list[str]:
    return [wrong.get("pointer", wrong.get("parameter")) for wrong in answer.json()["errors"]]


# ---- who may call -----------------------------------------------------------------------------

BY_KEY_ONLY = [
    ("POST", f"{BASE}/events/ada/m1/reversal"),
    ("POST", f"{USERS}/ada/adjustments"),
    ("DELETE", f"{USERS}/ada/adjustments/a1"),
    ("GET", AMNESTIES),
    ("POST", AMNESTIES),
    ("DELETE", f"{AMNESTIES}/x"),
    ("GET", f"{USERS}/ada/streaks"),
    ("GET", f"{USERS}/ada/badges/two/explanation"),
]
BY_SESSION_ONLY = [
    ("GET", f"{BASE}/streaks"),
    ("GET", f"{BASE}/badges/two/explanation"),
    ("POST", f"{BASE}/adjustments"),
]


@pytest.mark.parametrize(("method", "path"), [*BY_KEY_ONLY, *BY_SESSION_ONLY])
async def test_requests_without_credentials_are_refused(home: App, method: str, path: str) -> None:
    assert (await home.client.request(method, path)).status_code == 401


@pytest.mark.parametrize(("method", "path"), BY_KEY_ONLY)
async def test_a_session_opens_nothing_of_the_back_ends(home: App, method: str, path: str) -> None:
    token = await home.sign_in("ada")
    answer = await home.client.request(method, path, headers={"cookie": f"{COOKIE}={token}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(("method", "path"), BY_SESSION_ONLY)
async def test_a_key_is_not_a_session(home: App, method: str, path: str) -> None:
    assert (await home.client.request(method, path, headers=home.by_key)).status_code == 401


# ---- reversals --------------------------------------------------------------------------------


async def test_a_reversal_answers_with_all_that_followed(home: App) -> None:
    answer = await reverse(home, "m2")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["id"], told["status"], told["actor"]) == ("reversal:m2", "applied", "tests")
    assert (told["revoked"], told["points"]) == (["two"], {"before": 85, "after": 25})
    assert (await reverse(home, "m2")).json()["status"] == "duplicate"


async def test_a_reversal_may_name_its_actor(home: App) -> None:
    assert (await reverse(home, "m2", actor="eve")).json()["actor"] == "eve"


async def test_a_reversal_before_its_event_holds(home: App) -> None:
    await reverse(home, "m3")
    (result,) = await home.record(event("ada", "message", "m3"))
    assert (result["status"], result["reversed"]) == ("recorded", True)


async def test_a_reversal_is_undone_by_its_id(home: App) -> None:
    await reverse(home, "m2")
    answer = await undo(home, "reversal:m2")
    assert (answer.json()["status"], answer.json()["points"]) == ("undone", {"before": 25, "after": 85})
    assert (await undo(home, "reversal:m2")).json()["status"] == "duplicate"


async def test_ids_may_hold_slashes_and_more(home: App) -> None:
    user_id, event_id = "org/ada lovelace?", "m/1#ü"
    await home.record(event(user_id, "message", event_id))
    assert (await reverse(home, event_id, user_id)).json()["points"] == {"before": 10, "after": 0}
    assert (await undo(home, f"reversal:{event_id}", user_id)).json()["status"] == "undone"
    assert (await tell(home, "a/1", "points", {"amount": 5}, user_id)).json()["userId"] == user_id
    assert (await undo(home, "a/1", user_id)).status_code == 200


async def test_the_history_shows_the_adjustment_and_its_event(home: App) -> None:
    await reverse(home, "m2")
    answer = await home.client.get(f"{USERS}/ada/history", headers=home.by_key)
    newest, second = answer.json()["entries"][:2]
    said = {"id": "reversal:m2", "kind": "reversal", "data": {"event": "m2"}, "reason": "a script", "actor": "tests"}
    lost = [{"badge": "two", "points": 50, "earnedAt": second["event"]["occurredAt"]}]
    assert newest["adjustment"] == {
        **said,
        "undone": False,
        "lost": lost,
        "principal": {"kind": "key", "name": "tests"},
    }
    assert (second["event"]["id"], second["event"]["reversed"]) == ("m2", True)


# ---- acts -------------------------------------------------------------------------------------


async def test_a_grant_counts_once_under_its_id(home: App) -> None:
    granted = (await tell(home, "g1", "grant", {"badge": "unearned"})).json()
    assert (granted["status"], granted["actor"], granted["awards"][0]["id"]) == ("applied", "tests", "unearned")
    assert (await tell(home, "g1", "grant", {"badge": "unearned"})).json()["status"] == "duplicate"
    conflict = await tell(home, "g1", "points", {"amount": 1})
    assert (conflict.status_code, conflict.json()["type"]) == (409, "/problems/adjustment-conflict")
    assert (await undo(home, "g1")).json()["revoked"] == ["unearned"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "grant"}, "/badge"),
        ({"kind": "grant", "badge": "two", "more": 1}, "/more"),
        ({"kind": "points", "amount": 0}, "/amount"),
        ({"kind": "points", "amount": 1.5}, "/amount"),
        ({"kind": "points", "amount": -5, "spend": True}, "/amount"),
        ({"kind": "points", "amount": 5, "spend": "yes"}, "/spend"),
        ({"kind": "points", "amount": 1, "reason": ""}, "/reason"),
        ({"kind": "points", "amount": 1, "id": "reversal:m1"}, "/id"),
        ({"kind": "pause", "first": "2026-01-06", "last": "2026-01-05"}, "/last"),
        ({"kind": "pause", "first": "soon", "last": "2026-01-05"}, "/first"),
        ({"kind": "dance"}, "/kind"),
        ({}, "/kind"),
    ],
)
async def test_a_wrong_adjustment_is_422_with_a_pointer(home: App, body: Json, pointer: str) -> None:
    sent = {"id": "x", "reason": "because", **body}
    answer = await home.client.post(f"{USERS}/ada/adjustments", json=sent, headers=home.by_key)
    assert (answer.status_code, pointers(answer)) == (422, [pointer])


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "points", "amount": -9999},
        {"kind": "points", "amount": 9999, "spend": True},
        {"kind": "repair", "streak": "login", "day": "2026-01-05"},
    ],
)
async def test_what_the_points_or_days_do_not_allow_is_409(home: App, body: Json) -> None:
    answer = await home.client.post(
        f"{USERS}/ada/adjustments", json={"id": "x", "reason": "because", **body}, headers=home.by_key
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/adjustment-refused")


async def test_points_are_spent_and_the_profile_shows_the_balance(home: App) -> None:
    await tell(home, "gift", "points", {"amount": 40})
    profile = f"{USERS}/ada/profile"
    earned = (await home.client.get(profile, headers=home.by_key)).json()
    assert "balance" not in earned
    answer = await tell(home, "order", "points", {"amount": 30.0, "spend": True})
    assert (answer.status_code, answer.json()["status"]) == (200, "applied")
    assert answer.json()["balance"] == {"before": earned["points"], "after": earned["points"] - 30}
    with_balance = (await home.client.get(f"{profile}?include=balance", headers=home.by_key)).json()
    assert with_balance == {**earned, "balance": earned["points"] - 30}
    newest = (await home.client.get(f"{USERS}/ada/history", headers=home.by_key)).json()["entries"][0]
    assert newest["points"] == [{"amount": -30, "reason": "spend", "ref": "points", "catalog": 1}]
    assert newest["adjustment"]["data"] == {"amount": 30, "spend": True}


async def test_what_is_not_there_is_404(home: App) -> None:
    answers = {
        "user-not-found": await tell(home, "a1", "points", {"amount": 1}, "nobody"),
        "adjustment-not-found": await undo(home, "a1"),
        "streak-not-found": await tell(home, "a1", "freezes", {"streak": "none", "count": 1}),
        "amnesty-not-found": await home.client.delete(f"{AMNESTIES}/none", headers=home.by_key),
        "badge-not-found": await home.client.get(f"{USERS}/ada/badges/none/explanation", headers=home.by_key),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 404)
    assert {name: answer.json()["type"] for name, answer in answers.items()} == {
        name: f"/problems/{name}" for name in answers
    }


@pytest.mark.parametrize("path", ["streaks", "badges/two/explanation"])
async def test_an_unknown_user_has_no_history(home: App, path: str) -> None:
    answer = await home.client.get(f"{USERS}/nobody/{path}", headers=home.by_key)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/user-not-found")


async def test_an_erased_user_is_410(home: App) -> None:
    await home.client.delete(f"{USERS}/ada", headers=home.by_key)
    answers = [await reverse(home, "m1"), await tell(home, "a1", "points", {"amount": 1}), await undo(home, "a1")]
    assert [answer.status_code for answer in answers] == [410, 410, 410]


@pytest.mark.parametrize("path", [f"{BASE}/events/ada/m1/reversal", f"{USERS}/ada/adjustments", AMNESTIES])
async def test_a_body_that_is_not_json_is_400_and_another_type_415(home: App, path: str) -> None:
    sent = {**home.by_key, "content-type": "application/json"}
    assert (await home.client.post(path, content=b"{", headers=sent)).status_code == 400
    assert (
        await home.client.post(path, content=b"{}", headers={**sent, "content-type": "text/plain"})
    ).status_code == 415


async def test_an_id_that_is_too_long_is_422_with_its_parameter(home: App) -> None:
    answers = [await reverse(home, "x" * 201), await reverse(home, "m1", "x" * 201), await undo(home, "x" * 213)]
    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert [pointers(answer) for answer in answers] == [["eventId"], ["userId"], ["adjustmentId"]]


async def test_an_event_of_the_longest_id_can_be_reversed_and_restored(home: App) -> None:
    longest = "x" * 200
    await home.record(event("ada", "message", longest))
    assert (await reverse(home, longest)).status_code == 200
    assert (await undo(home, f"reversal:{longest}")).status_code == 200


# ---- a user's own acts ------------------------------------------------------------------------


async def own(home: App, token: str, adjustment_id: str, kind: str, data: Json) -> httpx2.Response:
    body = {"id": adjustment_id, "kind": kind, **data}
    return await home.client.post(f"{BASE}/adjustments", json=body, headers={"cookie": f"{COOKIE}={token}"})


async def test_a_user_pauses_and_repairs_as_far_as_the_catalog_allows(home: App) -> None:
    token = await home.sign_in("ada")
    repaired = await own(home, token, "r1", "repair", {"streak": "login", "day": "2026-01-03"})
    assert repaired.json()["streaks"] == {"login": {"before": 1, "after": 3}}
    assert repaired.headers["cache-control"] == "private, no-store"
    paused = await own(home, token, "p1", "pause", {"streak": "login", "first": "2026-01-06", "last": "2026-01-08"})
    assert (paused.json()["actor"], paused.json()["status"]) == ("the user", "applied")
    much = await own(home, token, "p2", "pause", {"streak": "login", "first": "2026-01-10", "last": "2026-01-12"})
    assert (much.status_code, much.json()["type"]) == (409, "/problems/adjustment-refused")
    past = await own(home, token, "p3", "pause", {"streak": "login", "first": "2026-01-04", "last": "2026-01-04"})
    assert (past.status_code, past.json()["type"]) == (409, "/problems/adjustment-refused")


async def test_a_user_grants_nothing_to_themselves(home: App) -> None:
    token = await home.sign_in("ada")
    answer = await own(home, token, "g1", "grant", {"badge": "unearned"})
    assert (answer.status_code, pointers(answer)) == (422, ["/kind"])


# ---- streaks and explanations -----------------------------------------------------------------


async def test_a_streak_says_what_it_is_and_why_each_day_counts(home: App) -> None:
    await home.client.put(f"{USERS}/ada", json={"timeZone": "Europe/Berlin"}, headers=home.by_key)
    streak = await streak_of(home)
    assert streak == {
        "name": "login",
        "title": "Login",
        "unit": "day",
        "length": 1,
        "status": "active",
        "since": "2026-01-05",
        "endsAt": "2026-01-06T23:00:00Z",
        "endsAtLocal": "2026-01-07T00:00:00+01:00",
        "longest": 2,
        "longestFrom": "2026-01-01",
        "longestTo": "2026-01-02",
        "totalDays": 3,
        "lastDay": "2026-01-05",
        "freezes": 0,
        "neededDays": None,
        "doneDays": None,
        "days": [
            {"day": "2026-01-05", "why": "credited"},
            {"day": "2026-01-04", "why": "missed"},
            {"day": "2026-01-03", "why": "missed"},
            {"day": "2026-01-02", "why": "credited"},
            {"day": "2026-01-01", "why": "credited"},
        ],
    }


async def test_a_user_reads_their_own_streaks_and_only_some_days(home: App) -> None:
    token = await home.sign_in("ada")
    answer = await home.visit(token, f"{BASE}/streaks?days=2")
    assert [day["day"] for day in answer.json()["streaks"][0]["days"]] == ["2026-01-05", "2026-01-04"]
    assert answer.headers["cache-control"] == "private, no-store"
    wrong = await home.visit(token, f"{BASE}/streaks?days=367")
    assert (wrong.status_code, pointers(wrong)) == (422, ["days"])


async def test_reading_streaks_earns_no_day(home: App) -> None:
    token = await home.sign_in("ada")
    home.clock.advance(days=1)
    answer = await home.visit(token, f"{BASE}/streaks")
    assert (answer.json()["streaks"][0]["status"], (await streak_of(home))["totalDays"]) == ("at_risk", 3)


async def test_a_badge_is_explained_to_its_user_and_to_the_back_end(home: App) -> None:
    token = await home.sign_in("ada")
    mine = (await home.visit(token, f"{BASE}/badges/two/explanation")).json()
    answer = await home.client.get(f"{USERS}/ada/badges/two/explanation", headers=home.by_key)
    assert (mine, mine["earned"], mine["event"]["id"]) == (answer.json(), True, "m2")
    missing = (await home.visit(token, f"{BASE}/badges/run/explanation")).json()
    assert (missing["earned"], missing["sentence"]) == (False, "2 more days in a row to earn Run.")
    assert missing["checks"] == [{"text": "3 days in a row", "current": 1, "target": 3, "met": False}]


# ---- amnesties --------------------------------------------------------------------------------


async def test_an_amnesty_is_added_listed_and_lifted(home: App) -> None:
    added = await excuse(home)
    assert added.status_code == 201
    assert (added.json()["actor"], added.json()["group"], added.json()["liftedAt"]) == ("tests", None, None)
    assert (await streak_of(home))["length"] == 3
    listed = await home.client.get(AMNESTIES, headers=home.by_key)
    assert listed.json() == {"amnesties": [added.json()]}
    path = f"{AMNESTIES}/{added.json()['id']}"
    assert (await home.client.delete(path, headers=home.by_key)).status_code == 204
    assert (await home.client.delete(path, headers=home.by_key)).status_code == 404
    assert (await streak_of(home))["length"] == 1


async def test_an_amnesty_may_be_for_a_group(home: App) -> None:
    await excuse(home, group="eu", actor="ops")
    assert (await streak_of(home))["length"] == 1
    await home.client.put(f"{USERS}/ada", json={"groups": ["eu"]}, headers=home.by_key)
    assert (await streak_of(home))["length"] == 3


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"first": "2026-01-05"}, "/last"),
        ({"last": "2028-01-05"}, "/last"),
        ({"first": "0001-01-01", "last": "0001-01-02"}, "/first"),
        ({"first": "soon"}, "/first"),
        ({"reason": ""}, "/reason"),
        ({"group": ""}, "/group"),
    ],
)
async def test_a_wrong_amnesty_is_422_with_a_pointer(home: App, said: Json, pointer: str) -> None:
    answer = await excuse(home, **said)
    assert (answer.status_code, pointers(answer)) == (422, [pointer])


# ---- the moment of a sandbox ------------------------------------------------------------------


async def visit_at(home: App, token: str, moment: str) -> httpx2.Response:
    return await home.visit(token, laurels_now=moment)


async def test_in_a_sandbox_a_request_says_when_it_happens(home: App) -> None:
    await home.laurels.set_clock_offset(timedelta())
    token = await home.sign_in("bob")
    for number in range(6, 20):
        profile = (await visit_at(home, token, f"2026-01-{number:02}T12:00:00Z")).json()
    assert profile["streak"] == 14


@pytest.mark.parametrize("moment", ["soon", "", "2026-01-05T12:00:00", "0001-01-01T00:00:00Z"])
async def test_in_a_sandbox_an_invalid_time_is_422(home: App, moment: str) -> None:
    await home.laurels.set_clock_offset(timedelta())
    answer = await home.client.get(f"{BASE}/profile", headers={"laurels-now": moment})
    assert (answer.status_code, pointers(answer)) == (422, ["Laurels-Now"])


async def test_elsewhere_the_header_is_refused(home: App) -> None:
    answer = await visit_at(home, await home.sign_in("bob"), "2027-01-05T12:00:00Z")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-a-sandbox")
    user = await home.laurels.store.user("bob")
    assert user is not None
    assert not user.progress.days
