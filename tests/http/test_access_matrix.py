"""Every address, called by every kind of caller: no one gets more than the table says, and no address is missing from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from laurels.auth.keys import Rights, create_key
from laurels.auth.roles import ROLES
from laurels.auth.scopes import ALL
from laurels.http.endpoint import PLACEHOLDER, Endpoint
from laurels.server.app import ENDPOINTS
from tests.support.app import COOKIE, App, client_of
from tests.support.operator import Operator, operator_over
from tests.support.proxy import ADDRESS, HEADER, connected, from_proxy, open_proxied, operator_by_proxy

pytestmark = pytest.mark.anyio

PUBLIC, SIGN_IN = frozenset({"public"}), frozenset({"form"})
SESSION = frozenset({"session"})

API = "/api/gamification"
USER = f"{API}/users/{{userId}}"
CONSOLE_USER = "/console/users/{userId}"

WHO: Mapping[str, str] = {
    f"GET {API}/profile": "session",
    f"POST {API}/events": "events:write",
    f"PUT {USER}": "users:write",
    f"GET {USER}": "users:read",
    f"DELETE {USER}": "users:erase",
    f"POST {USER}/restore": "users:erase",
    f"GET {USER}/profile": "users:read",
    f"GET {USER}/history": "users:read",
    f"GET {USER}/export": "users:read",
    f"PUT {API}/visibility": "session",
    f"POST {API}/sessions": "sessions:write",
    f"DELETE {API}/sessions": "public",
    f"GET {USER}/sessions": "users:read",
    f"DELETE {USER}/sessions": "sessions:write",
    f"DELETE {USER}/sessions/{{sessionId}}": "sessions:write",
    f"GET {API}/streaks": "session",
    f"GET {USER}/streaks": "users:read",
    f"GET {API}/entitlements": "session",
    f"GET {USER}/entitlements": "users:read",
    f"GET {API}/badges/{{badgeId}}/explanation": "session",
    f"GET {USER}/badges/{{badgeId}}/explanation": "users:read",
    f"POST {USER}/adjustments": "adjustments:write",
    f"DELETE {USER}/adjustments/{{adjustmentId}}": "adjustments:write",
    f"POST {API}/adjustments": "session",
    f"POST {API}/events/{{userId}}/{{eventId}}/reversal": "adjustments:write",
    f"POST {API}/events/reversals": "adjustments:write",
    f"GET {API}/amnesties": "users:read",
    f"POST {API}/amnesties": "adjustments:write",
    f"DELETE {API}/amnesties/{{amnestyId}}": "adjustments:write",
    f"GET {API}/leaderboards": "session users:read",
    f"GET {API}/leaderboards/{{board}}": "session users:read",
    f"GET {API}/leaderboards/{{board}}/periods": "session users:read",
    f"GET {API}/stream": "session",
    f"GET {API}/catalog": "public",
    f"GET {API}/catalog/revisions": "catalog:apply",
    f"GET {API}/catalog/revisions/{{number}}": "catalog:apply",
    f"POST {API}/catalog/revisions": "catalog:apply",
    f"POST {API}/catalog/plans": "catalog:apply",
    f"GET {API}/rarity": "public",
    f"GET {API}/clock": "users:read",
    f"POST {API}/clock": "adjustments:write",
    "GET /livez": "public",
    "GET /readyz": "public",
    "GET /docs": "public",
    "GET /docs/assets/{name}": "public",
    "GET /docs/openapi.json": "public",
    "GET /problems/{code}": "public",
    "GET /": "public",
    "GET /profile": "public",
    "GET /static/{name}": "public",
    "GET /badges": "public",
    "GET /badges/{badge}": "public",
    "GET /leaderboards": "public",
    "GET /leaderboards/{board}": "public",
    "GET /console/sign-in": "public",
    "POST /console/sign-in": "form",
    "POST /console/sign-out": "viewer",
    "GET /console/second-factor": "viewer",
    "POST /console/second-factor": "viewer",
    "GET /console": "viewer",
    "GET /console/users": "viewer",
    f"GET {CONSOLE_USER}": "viewer",
    f"GET {CONSOLE_USER}/verify": "viewer",
    f"POST {CONSOLE_USER}/verify": "editor",
    f"POST {CONSOLE_USER}/sessions": "support",
    f"POST {CONSOLE_USER}/restore": "editor",
    f"GET {CONSOLE_USER}/adjustments/{{kind}}": "support",
    f"POST {CONSOLE_USER}/adjustments/{{kind}}": "support",
    f"GET {CONSOLE_USER}/reverse": "support",
    f"POST {CONSOLE_USER}/reverse": "support",
    f"GET {CONSOLE_USER}/undo": "support",
    f"POST {CONSOLE_USER}/undo": "support",
    "GET /console/amnesties": "viewer",
    "POST /console/amnesties": "editor",
    "GET /console/amnesties/lift": "editor",
    "POST /console/amnesties/lift": "editor",
    "GET /console/audit": "viewer",
    "GET /console/audit.csv": "viewer",
    "GET /console/audit.jsonl": "viewer",
    "GET /console/catalog": "viewer",
    "GET /console/catalog/revisions": "viewer",
    "GET /console/catalog/revisions/{number}": "viewer",
    "GET /console/catalog/differences": "viewer",
    "GET /console/catalog/edit": "editor",
    "POST /console/catalog/edit": "editor",
    "POST /console/catalog/check": "editor",
    "POST /console/catalog/change": "editor",
    "POST /console/catalog/plan": "editor",
    "POST /console/catalog/plan.csv": "editor",
    "POST /console/catalog/apply": "editor",
    "GET /console/health": "viewer",
}
"""Who may call each address: everyone, a session, a key with a scope, an operator from a role on, or the form to sign in."""

REFUSED = {"/problems/unauthorized", "/problems/missing-scope", "/problems/wrong-address"}
SIGNED_OUT = "you are signed out"
NO_ROLE = "your role may not do this"
NO_FORM = "this form has expired"
"""What the console's pages say to those it refuses. `NO_FORM` comes before a form is read, and without a cookie."""

Headers = dict[str, str]


def test_every_address_is_in_the_table() -> None:
    assert {endpoint.label for endpoint in ENDPOINTS} == WHO.keys()


@pytest.fixture
async def home() -> AsyncIterator[App]:
    """An application whose operators sign in with keys and through a proxy, which the callers may seem to be."""
    async with open_proxied("both") as one, client_of(connected(one.app)) as client:
        await one.give_points("ada", messages=100)
        yield replace(one, client=client)


async def api_callers(home: App) -> dict[str, tuple[Headers, frozenset[str]]]:
    """Callers without a console session: their headers, and what they may."""
    store, now = home.laurels.store, home.clock()

    async def key(name: str, rights: Rights, kind: str = "app") -> str:
        return await create_key(store, name, now, "admin" if kind == "admin" else "app", rights=rights)

    def bearer(token: str) -> Headers:
        return {"authorization": f"Bearer {token}"}

    expired = await home.sign_in("ada", lifetimeSeconds=60)
    home.clock.advance(seconds=61)
    now = home.clock()
    live, ended, forged = await home.sign_in("ada"), await home.sign_in("ada"), await home.sign_in("ada")
    await home.client.delete(f"{API}/sessions", headers=bearer(ended))
    operator, ended_operator = await operator_tokens(home)
    revoked, admin = await key("revoked", Rights()), await key("admin", Rights(), "admin")
    await store.revoke_key("revoked", now)
    everything = await key("everything", Rights())
    callers: dict[str, tuple[Headers, frozenset[str]]] = {
        "no one": ({}, frozenset()),
        "a key with all scopes": (bearer(everything), ALL),
        "an admin key": (bearer(admin), frozenset()),
        "an admin key as a cookie": ({"cookie": f"laurels-console={admin}"}, frozenset()),
        "a key as a cookie": ({"cookie": f"{COOKIE}={everything}"}, frozenset()),
        "a revoked key": (bearer(revoked), frozenset()),
        "an expired key": (bearer(await key("expired", Rights(expires_at=now))), frozenset()),
        "a key from elsewhere": (bearer(await key("far", Rights(addresses=("10.0.0.0/8",)))), frozenset()),
        "a session's cookie": ({"cookie": f"{COOKIE}={live}"}, SESSION),
        "a session's token": (bearer(live), SESSION),
        "an ended session": (bearer(ended), frozenset()),
        "an expired session": (bearer(expired), frozenset()),
        "an expired session's cookie": ({"cookie": f"{COOKIE}={expired}"}, frozenset()),
        "a forged session": (bearer(forged[:-2] + "AA"), frozenset()),
        "an operator's session as a user's": ({"cookie": f"{COOKIE}={operator}"}, frozenset()),
        "an operator's session as a token": (bearer(operator), frozenset()),
        "an operator who signed out": ({"cookie": f"laurels-console={ended_operator}"}, frozenset()),
        "a session as the console's cookie": ({"cookie": f"laurels-console={live}"}, frozenset()),
    }
    callers |= {name: (headers, frozenset()) for name, headers in (await proxy_callers(home)).items()}
    for scope in sorted(ALL):
        rights = Rights(scopes=frozenset({scope}))
        callers[f"a key with {scope}"] = (bearer(await key(scope.replace(":", "-"), rights)), frozenset({scope}))
    return callers


async def operator_tokens(home: App) -> tuple[str, str]:
    """The tokens of an operator's session, and of one that ended."""
    tokens: list[str] = []
    for name in ("stays", "leaves"):
        async with operator_over(home, name) as desk:
            tokens.append(next(one.value or "" for one in desk.client.cookies.jar if one.name == "laurels-console"))
            if name == "leaves":
                page = await desk.page("/console")
                form = next(form for form in page.forms if "sign-out" in form.action)
                assert (await desk.client.post(form.action, data=form.fields)).status_code == 303
    return tokens[0], tokens[1]


async def proxy_callers(home: App) -> dict[str, Headers]:
    """Callers with a part of what a session through the proxy needs: the proxy's connection, a name, and the cookie."""
    name = "anna@example.com"
    async with operator_by_proxy(home, name) as desk:
        token = next(one.value for one in desk.client.cookies.jar if one.name == "laurels-console")
    cookie, claimed = {"cookie": f"laurels-console={token}"}, {HEADER: name, "x-forwarded-for": ADDRESS}
    return {
        "a name from no proxy": claimed,
        "a name from the proxy, without a session": {**from_proxy(name)},
        "a session by proxy, without the proxy": cookie,
        "a session by proxy, from elsewhere": {**cookie, **claimed},
        "a session by proxy, by another proxy": {**cookie, **from_proxy(name, address="10.0.0.6")},
        "a session by proxy, under another name": {**cookie, **from_proxy("sam@example.com")},
    }


async def test_no_caller_gets_an_answer_too_many(home: App) -> None:
    callers = await api_callers(home)
    for endpoint in ENDPOINTS:
        if endpoint.label in {
            f"GET {API}/stream",
            f"DELETE {API}/sessions",
            f"DELETE {USER}",
            f"DELETE {USER}/sessions",
        }:
            continue  # the stream has no end; the others would end what the next callers need, and are called below
        for name, (headers, may) in callers.items():
            await check(home, endpoint, name, headers, may)
    for label in (f"GET {API}/stream", f"DELETE {USER}", f"DELETE {USER}/sessions"):
        endpoint = next(one for one in ENDPOINTS if one.label == label)
        for name, (headers, may) in callers.items():
            if not may & allowed(endpoint):
                await check(home, endpoint, name, headers, may)
    assert await home.profile_of("ada")


def allowed(endpoint: Endpoint) -> frozenset[str]:
    return frozenset(WHO[endpoint.label].split())


async def check(home: App, endpoint: Endpoint, name: str, headers: Headers, may: frozenset[str]) -> None:
    who, where = allowed(endpoint), f"{endpoint.label} by {name}"
    answer = await call(home.client, endpoint, headers)
    if who == SIGN_IN:
        assert answer.status_code == 403, where
        assert "laurels-console=" not in answer.headers.get("set-cookie", ""), where
    elif endpoint.path.startswith("/console") and who != PUBLIC:
        assert was_refused(answer), where
    elif who == PUBLIC or who & may:
        assert not (answer.status_code in (401, 403) and answer.json()["type"] in REFUSED), where
    else:
        assert answer.status_code in (401, 403), where
        assert answer.json()["type"] in REFUSED, where


async def call(client: httpx2.AsyncClient, endpoint: Endpoint, headers: Headers, token: str = "") -> httpx2.Response:
    """Call an address with a body that changes nothing, so that each caller finds the same."""
    path = PLACEHOLDER.sub(lambda found: "ada" if found[1] == "userId" else "x", endpoint.path)
    path = path.replace("/adjustments/x", "/adjustments/points") if path.startswith("/console") else path
    headers = {**headers, "accept": "text/html"} if path.startswith("/console") else headers
    if endpoint.method == "GET" or endpoint.body is None:
        return await client.request(endpoint.method, path, headers=headers)
    if endpoint.path.startswith("/console"):
        return await client.request(endpoint.method, path, headers=headers, data={"token": token})
    return await client.request(endpoint.method, path, headers=headers, json={"unknown": 1})


def was_refused(answer: httpx2.Response) -> bool:
    """Whether the console showed nothing: not signed in, or without the role."""
    if answer.status_code == 303:
        return answer.headers["location"].startswith("/console/sign-in")
    if answer.status_code != 403:
        return False
    return any(text in answer.text for text in (SIGNED_OUT, NO_ROLE, NO_FORM, "problems/"))


async def test_each_role_may_do_what_the_table_says(home: App) -> None:
    async with AsyncExitStack() as stack:
        for number, role in enumerate(ROLES):
            desk = await stack.enter_async_context(operator_over(home, role, role=role))
            for endpoint in ENDPOINTS:
                if endpoint.path.startswith("/console") and "sign-" not in endpoint.path:
                    await check_role(desk, endpoint, may=[*ROLES].index(WHO[endpoint.label]) <= number)
                elif WHO[endpoint.label] != "public" and not endpoint.path.startswith("/console"):
                    answer = await call(desk.client, endpoint, {})
                    assert answer.status_code == 401, f"{endpoint.label} by the console's cookie"


async def test_each_role_by_proxy_may_do_what_the_table_says(home: App) -> None:
    for number, role in enumerate(ROLES):
        for name, groups in ((f"{role}@example.com", None), ("someone", f"others, {role}s")):
            async with operator_by_proxy(home, name, groups) as desk:
                for endpoint in ENDPOINTS:
                    if endpoint.path.startswith("/console") and "sign-" not in endpoint.path:
                        await check_role(desk, endpoint, may=[*ROLES].index(WHO[endpoint.label]) <= number)
                    elif WHO[endpoint.label] != "public" and not endpoint.path.startswith("/console"):
                        answer = await call(desk.client, endpoint, {})
                        assert answer.status_code == 401, f"{endpoint.label} by the proxy"


async def check_role(desk: Operator, endpoint: Endpoint, *, may: bool) -> None:
    page = await desk.page("/console")
    token = next(form for form in page.forms if "sign-out" in form.action).fields["token"]
    answer = await call(desk.client, endpoint, {}, token)
    if may:
        assert NO_ROLE not in answer.text, endpoint.label
        assert not was_refused(answer), endpoint.label
    else:
        assert (answer.status_code, NO_ROLE in answer.text) == (403, True), endpoint.label
        assert 'class="who"' in answer.text, "it is not in the frame of the console"


async def test_a_role_is_not_shown_forms_that_it_may_not_use(home: App) -> None:
    async with operator_over(home, "v", role="viewer") as viewer, operator_over(home, "o", role="owner") as owner:
        for path in ("/console/users/ada", "/console/amnesties"):
            forms = [form for form in (await viewer.page(path)).forms if form.method == "post"]
            assert {form.action for form in forms} == {"/console/sign-out"}, path
            shown = {link for link in (await viewer.page(path)).links.values() if "/ada/" in link or "lift" in link}
            assert shown <= {"/console/users/ada/verify"}
        assert len((await owner.page("/console/amnesties")).forms) > 1


async def test_a_key_that_expires_ends_its_sessions_at_the_console(home: App) -> None:
    rights = Rights(expires_at=home.clock() + timedelta(hours=1))
    async with operator_over(home, "late", rights=rights) as desk:
        assert (await desk.client.get("/console")).status_code == 200
        home.clock.advance(hours=1)
        assert (await desk.client.get("/console")).status_code == 303
