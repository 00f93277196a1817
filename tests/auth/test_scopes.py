"""What an API key may do: its scopes, when it expires, and from where it may be used."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels.auth.keys import EVERYTHING, Rights, create_key
from laurels.auth.scopes import ABOUT, ALL, is_within, read_addresses, read_age, read_scopes
from laurels.errors import InvalidInput
from tests.support import sql
from tests.support.app import EVENTS, SESSIONS, USERS, App, client_of, event, open_app

pytestmark = pytest.mark.anyio


async def key_with(home: App, rights: Rights, name: str = "narrow") -> dict[str, str]:
    """The header of a new key with these rights."""
    return {"authorization": f"Bearer {await create_key(home.laurels.store, name, home.clock(), rights=rights)}"}


def only(*scopes: str) -> Rights:
    return Rights(scopes=frozenset(scopes))


async def test_a_key_without_the_scope_gets_403_that_names_it() -> None:
    async with open_app() as home:
        headers = await key_with(home, only("events:write"))
        answer = await home.client.get(f"{USERS}/ada", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/missing-scope"
        assert "'users:read'" in answer.json()["detail"]
        assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="users:read"'


async def test_the_answer_to_events_says_nothing_of_the_user_without_the_scope_to_read() -> None:
    async with open_app() as home:
        await home.give_points("ada", messages=100)
        headers = await key_with(home, only("events:write"))
        sent = [event("ada", "agent.created"), event("ada", "agent.created"), event("ada", "unheard.of"), {"id": 1}]
        for body in (sent, sent[0]):
            answer = await home.client.post(EVENTS, json=body, headers=headers)
            assert answer.status_code == 200
            for result in answer.json()["results"]:
                assert result.keys() <= {"id", "userId", "status", "ignored", "counted", "problem"}
        assert {result["status"] for result in (await home.send(sent)).json()["results"]} == {"duplicate", "rejected"}
        assert "points" in (await home.send(sent[0])).json()["results"][0]


async def test_with_a_stolen_key_for_events_nothing_can_be_read_or_erased() -> None:
    async with open_app() as home:
        await home.give_points("ada", messages=100)
        stolen = await key_with(home, only("events:write"))
        before = await home.profile_of("ada", "history")
        for endpoint in (e for address in home.app.routes.addresses for e in address.endpoints.values()):
            if endpoint.operation is None or endpoint.access.is_public or endpoint.label == f"POST {EVENTS}":
                continue
            path = endpoint.path.replace("{userId}", "ada").replace("{adjustmentId}", "x").replace("{eventId}", "x")
            answer = await home.client.request(endpoint.method, path, headers=stolen, json={})
            assert answer.status_code in (401, 403, 204), endpoint.label  # 204: no session to end
            assert "ada" not in answer.text
        assert await home.profile_of("ada", "history") == before


async def test_an_expired_key_is_refused_with_a_text_of_its_own() -> None:
    async with open_app() as home:
        headers = await key_with(home, Rights(expires_at=home.clock() + timedelta(hours=1)))
        assert (await home.client.put(f"{USERS}/ada", json={}, headers=headers)).status_code == 200
        home.clock.advance(hours=1)
        answer = await home.client.get(f"{USERS}/ada", headers=headers)
        assert answer.status_code == 401
        assert "This key expired at" in answer.json()["detail"]


def test_a_network_of_ipv4_addresses_in_the_form_of_ipv6_has_them() -> None:
    for network in ("::ffff:10.0.0.0/104", "::ffff:a00:1/128"):
        assert is_within("10.0.0.1", (network,))
        assert is_within("::ffff:10.0.0.1", (network,))
        assert not is_within("11.0.0.1", (network,))
    assert is_within("2001:db8::1", ("::/1",))


async def test_a_key_is_refused_from_other_addresses() -> None:
    async with open_app() as home:
        headers = await key_with(home, Rights(addresses=("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")))
        for address, status in (
            *(("10.255.0.1", 404), ("192.0.2.7", 404), ("2001:db8::1", 404), ("::ffff:10.0.0.1", 404)),
            *(("11.0.0.1", 403), ("192.0.2.8", 403), ("2001:db9::1", 403), ("laurels.test", 403)),
        ):
            transport = httpx2.ASGITransport(home.app, client=(address, 1))
            async with httpx2.AsyncClient(transport=transport, base_url="http://laurels.test") as client:
                answer = await client.get(f"{USERS}/ada", headers=headers)
                assert answer.status_code == status, address
                if status == 403:
                    assert answer.json()["type"] == "/problems/wrong-address"


async def test_an_admin_key_signs_in_neither_expired_nor_from_elsewhere() -> None:
    async with open_app() as home, client_of(home.app) as client:
        store = home.laurels.store
        for name, rights, text in (
            ("late", Rights(expires_at=home.clock()), "This key expired at"),
            ("far", Rights(addresses=("10.0.0.0/8",)), "may not be used from"),
        ):
            key = await create_key(store, name, home.clock(), "admin", rights=rights)
            page = await client.get("/console/sign-in", headers={"accept": "text/html"})
            token = page.text.split('name="token" value="')[1].split('"')[0]
            sent = {"key": key, "token": token}
            answer = await client.post("/console/sign-in", data=sent, headers={"accept": "text/html"})
            assert answer.status_code in (401, 403)
            assert text in answer.text


async def test_a_key_may_do_everything_by_default_in_python_and_sign_in_users() -> None:
    async with open_app() as home:
        assert EVERYTHING.scopes == ALL
        body: dict[str, Any] = {"userId": "ada"}
        headers = await key_with(home, only("sessions:write"))
        assert (await home.client.post(SESSIONS, json=body, headers=headers)).status_code == 201
        (row,) = await sql(home.laurels.store, "SELECT scopes, role FROM api_keys WHERE name = 'narrow'")
        assert tuple(row) == ("sessions:write", "")


def test_scopes_ages_and_addresses_are_checked() -> None:
    assert read_scopes(["users:read", "all"]) == ALL
    assert read_age("90d") == timedelta(days=90)
    assert read_addresses(["10.0.0.0/8", "::1"]) == ("10.0.0.0/8", "::1/128")
    with pytest.raises(InvalidInput, match="did you mean 'events:write'"):
        read_scopes(["event:write"])
    for text in ("", "90", "d", "0d", "-1d", "99999w", "1.5d", "٣d"):
        with pytest.raises(InvalidInput):
            read_age(text)
    for text in ("10.0.0.1/8", "localhost", "10.0.0.0/33", ""):
        with pytest.raises(InvalidInput, match="not an IP address or network"):
            read_addresses([text])
    assert not is_within(None, ("10.0.0.0/8",))


def test_every_scope_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs/http.md").read_text("utf-8")
    for scope, about in ABOUT.items():
        assert f"| `{scope}` | {about.replace('users:read', '`users:read`') if 'without' in about else about} |" in text
