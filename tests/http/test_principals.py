"""Who did it: the principal that was authenticated is stored with every change, whatever its body says."""

from __future__ import annotations

from datetime import date

import pytest

from laurels import Admin, Principal, Source
from laurels.present.principals import who
from laurels.testing import sandbox
from tests.support import catalog
from tests.support.app import COOKIE, USERS, App, Json, event, open_app
from tests.support.operator import operator_over

pytestmark = pytest.mark.anyio

BASE = "/api/gamification"
BY_KEY = {"kind": "key", "name": "tests"}
FORGED = {"reason": "I never did this", "actor": "anna"}


async def posted(home: App, path: str, body: Json) -> Json:
    answer = await home.client.post(f"{BASE}{path}", json=body, headers=home.by_key)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


async def adjustments_of(home: App, user_id: str) -> list[Json]:
    answer = await home.client.get(f"{USERS}/{user_id}/history", headers=home.by_key)
    return [entry["adjustment"] for entry in answer.json()["entries"] if entry["adjustment"]]


async def test_an_actor_in_a_body_does_not_hide_the_key_that_was_used() -> None:
    async with open_app() as home, operator_over(home) as anna:
        await home.record(event("ada", "message.sent", quantity=100))
        body = {"id": "x", "kind": "points", "amount": -10, **FORGED}
        applied = await posted(home, "/users/ada/adjustments", body)
        assert (applied["actor"], applied["principal"]) == ("anna", BY_KEY)
        (stored,) = await adjustments_of(home, "ada")
        assert (stored["actor"], stored["principal"]) == ("anna", BY_KEY)
        for path in ("/console/audit", "/console/users/ada"):
            assert "tests for anna" in (await anna.page(path)).text


async def test_every_body_with_an_actor_keeps_the_key() -> None:
    async with open_app() as home, operator_over(home) as anna:
        await home.record(*(event("ada", "message.sent", f"m{number}") for number in range(3)))
        await posted(home, "/events/ada/m0/reversal", FORGED)
        several = [{"userId": "ada", "eventId": "m1"}, {"userId": "ada", "eventId": "m2"}]
        await posted(home, "/events/reversals", {"events": several, **FORGED})
        amnesty = await posted(home, "/amnesties", {"first": "2026-01-03", "last": "2026-01-03", **FORGED})
        assert (amnesty["actor"], amnesty["principal"]) == ("anna", BY_KEY)
        assert [one["principal"] for one in await adjustments_of(home, "ada")] == [BY_KEY] * 3
        assert "tests for anna" in (await anna.page("/console/amnesties")).text


async def test_undoing_and_lifting_are_by_the_key_too() -> None:
    async with open_app() as home:
        await home.record(event("ada"))
        await posted(home, "/users/ada/adjustments", {"id": "x", "kind": "points", "amount": 1, "reason": "a gift"})
        amnesty = await posted(home, "/amnesties", {"first": "2026-01-03", "last": "2026-01-03", "reason": "an outage"})
        await home.client.delete(f"{USERS}/ada/adjustments/x?reason=a%20mistake", headers=home.by_key)
        await home.client.delete(f"{BASE}/amnesties/{amnesty['id']}?reason=no%20outage", headers=home.by_key)
        (undone,) = await adjustments_of(home, "ada")
        assert (undone["undo"]["principal"], undone["undo"]["reason"]) == (BY_KEY, "a mistake")
        (lifted,) = await Admin(home.laurels).amnesties()
        assert (lifted.lift_principal, lifted.lift_reason) == (Principal("key", "tests"), "no outage")


@pytest.mark.parametrize("path", ["/users/ada/adjustments/x", "/amnesties/a"])
@pytest.mark.parametrize("reason", ["", "%00", "x" * 501])
async def test_a_wrong_reason_in_the_address_is_refused(path: str, reason: str) -> None:
    async with open_app() as home:
        answer = await home.client.delete(f"{BASE}{path}?reason={reason}", headers=home.by_key)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "reason")


async def test_what_users_do_themselves_is_by_their_session() -> None:
    async with open_app(catalog(streaks={"login": {"events": ["login"], "pause_days": 5}})) as home:
        token = await home.sign_in("ada")
        day = {"streak": "login", "first": "2026-01-06", "last": "2026-01-06"}
        headers = {"cookie": f"{COOKIE}={token}"}
        answer = await home.client.post(
            f"{BASE}/adjustments", json={"id": "p", "kind": "pause", **day}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        (own,) = await adjustments_of(home, "ada")
        assert own["principal"] == {"kind": "session", "name": "ada"}
        assert "principal" not in (await home.visit(token, f"{BASE}/profile?include=history")).text


async def test_what_the_console_does_is_by_its_operator() -> None:
    async with open_app() as home, operator_over(home) as anna:
        await home.record(event("ada"))
        await anna.do("/console/users/ada/adjustments/points", "points", amount="5", reason="a gift")
        await anna.do("/console/amnesties", "amnesties", first="2026-01-03", last="2026-01-03", reason="an outage")
        (given,) = await adjustments_of(home, "ada")
        assert (given["actor"], given["principal"]) == ("anna", {"kind": "operator", "name": "anna"})
        (amnesty,) = await Admin(home.laurels).amnesties()
        assert amnesty.principal == Principal("operator", "anna")


async def test_a_program_names_itself_or_whom_it_acts_for() -> None:
    async with sandbox() as (laurels, _):
        await laurels.update_user("ada")
        await Admin(laurels).adjust("ada", "a", "points", {"amount": 1}, "a gift", "bea")
        named = Admin(laurels, Source(Principal("library", "nightly")))
        await named.adjust("ada", "b", "points", {"amount": 1}, "a gift", "bea")
        await named.add_amnesty(date(2026, 1, 3), date(2026, 1, 3), "an outage", "nightly")
        newest, first = [entry.adjustment for entry in (await laurels.history("ada")).entries if entry.adjustment]
        assert who(first.principal, first.actor) == "a program for bea"
        assert who(newest.principal, newest.actor) == "nightly for bea"
        (amnesty,) = await named.amnesties()
        assert who(amnesty.principal, amnesty.actor) == "nightly"


@pytest.mark.parametrize(
    ("principal", "actor", "shown"),
    [
        (Principal("key", "my-app"), "my-app", "my-app"),
        (Principal("key", "my-app"), "", "my-app"),
        (Principal("key", "my-app"), "anna", "my-app for anna"),
        (Principal("operator", "anna"), "anna", "anna"),
        (Principal("session", "ada"), "the user", "the user"),
        (Principal("library", ""), "anna", "a program for anna"),
        (None, "anna", "anna"),
    ],
)
def test_the_principal_comes_first_and_the_actor_after_it(principal: Principal | None, actor: str, shown: str) -> None:
    assert who(principal, actor) == shown
