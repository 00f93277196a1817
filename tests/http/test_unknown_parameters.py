"""A parameter that an address does not have is refused, with its name and the one that was probably meant."""

from __future__ import annotations

import pytest

from laurels.http.endpoint import Endpoint
from tests.support.app import COOKIE, LEADERBOARDS, PROFILE, USERS, App, event
from tests.support.operator import Operator

pytestmark = pytest.mark.anyio


def declared(home: App) -> list[Endpoint]:
    return [
        one
        for address in home.app.routes.addresses
        for method, one in address.endpoints.items()
        if method not in ("HEAD", "OPTIONS")
    ]


@pytest.mark.parametrize(
    ("path", "name", "detail"),
    [
        (f"{LEADERBOARDS}/points?perod=current", "perod", "unknown parameter 'perod'; did you mean 'period'?"),
        (f"{LEADERBOARDS}/points?limit=5&afer=x", "afer", "unknown parameter 'afer'; did you mean 'after'?"),
        (f"{LEADERBOARDS}/points/periods?page=2", "page", "unknown parameter 'page'; known are limit"),
        (f"{LEADERBOARDS}?page=2", "page", "unknown parameter 'page'; known are lang"),
        (f"{USERS}/ada?verbose", "verbose", "unknown parameter 'verbose'; known are lang"),
        (f"{USERS}/ada/profile?includ=rank", "includ", "unknown parameter 'includ'; did you mean 'include'?"),
        (f"{USERS}/ada/history?Limit=2", "Limit", "unknown parameter 'Limit'; did you mean 'limit'?"),
        (f"{USERS}/ada?%00x", "\ufffdx", "unknown parameter '\ufffdx'; known are lang"),
    ],
)
async def test_an_unknown_parameter_is_refused_by_name(home: App, path: str, name: str, detail: str) -> None:
    await home.record(event("ada", "login"))

    answer = await home.client.get(path, headers=home.by_key)

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (400, "/problems/unknown-parameter")
    assert problem["errors"] == [{"detail": detail, "parameter": name}]


async def test_a_write_with_an_unknown_parameter_changes_nothing(home: App) -> None:
    body = event("ada", "message.sent")

    answer = await home.client.post("/api/gamification/events?dry_run=1", json=body, headers=home.by_key)

    assert answer.status_code == 400
    assert (await home.client.get(f"{USERS}/ada", headers=home.by_key)).status_code == 404


async def test_every_endpoint_refuses_unknown_parameters_and_documents_it(home: App) -> None:
    lenient = {one.label for one in declared(home) if not one.strict}

    assert {"GET /livez", "GET /readyz", "GET /badges", "GET /docs"} <= lenient
    assert not [label for label in lenient if "/api/" in label or "/console/users" in label]
    for one in declared(home):
        assert ("unknown-parameter" in one.all_problems) == one.strict, one.label


async def test_every_address_answers_400_once_the_caller_is_known(home: App) -> None:
    token = await home.sign_in("ada")
    both = {**home.by_key, "cookie": f"{COOKIE}={token}"}
    for one in declared(home):
        if one.path.startswith("/console") or not one.strict:
            continue
        path = one.path.replace("{", "").replace("}", "")
        first = await home.client.request(one.method, f"{path}?nonsense=1", headers=both)
        by_session = {"cookie": f"{COOKIE}={token}"}
        second = await home.client.request(one.method, f"{path}?nonsense=1", headers=by_session)
        assert 400 in (first.status_code, second.status_code), one.label


async def test_without_credentials_the_answer_is_401(home: App) -> None:
    assert (await home.client.get(f"{PROFILE}?nonsense=1")).status_code == 401


async def test_what_is_no_address_is_still_not_found(home: App) -> None:
    assert (await home.client.get("/nowhere?x=1")).status_code == 404
    assert (await home.client.delete(f"{LEADERBOARDS}?x=1")).status_code == 405
    assert (await home.client.options(f"{LEADERBOARDS}?x=1")).status_code == 204


async def test_every_declared_parameter_is_accepted(home: App) -> None:
    token = await home.sign_in("ada")
    session = {"cookie": f"{COOKIE}={token}"}
    for path in (
        f"{PROFILE}?include=next,rank,streaks,history&days=7",
        f"{LEADERBOARDS}/points?period=current&limit=5&around=me&me=ada",
        f"{LEADERBOARDS}/points?friends=bob&friends=eve",
        f"{LEADERBOARDS}/points?",
        f"{LEADERBOARDS}/points?&limit=3&",
    ):
        assert (await home.client.get(path, headers=session)).status_code == 200, path


async def test_public_pages_and_health_checks_take_what_others_add_to_links(home: App) -> None:
    for path in ("/badges", "/leaderboards", "/leaderboards/points", "/profile", "/docs", "/livez", "/readyz"):
        assert (await home.client.get(f"{path}?utm_source=mail&ref=x&verbose")).status_code == 200


async def test_the_console_shows_a_page_for_an_unknown_parameter(home: App, work: Operator) -> None:
    await home.record(event("ada", "login"))

    for path in ("/console", "/console/users", "/console/users/ada", "/console/audit", "/console/users/ada/undo"):
        answer = await work.client.get(f"{path}?nonsense=1")
        assert answer.status_code == 400, path
        assert "unknown parameter &#39;nonsense&#39;" in answer.text
        assert answer.headers["content-type"].startswith("text/html")
