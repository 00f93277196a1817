"""Pages of other origins: those that are listed read with their visitor's cookie, and no other learns or changes anything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from laurels import console
from laurels.server.app import create_app
from laurels.settings import Origin, ServerSettings, Settings
from tests.support.app import CATALOG, EVENTS, PROFILE, SESSIONS, App, client_of, event, open_app

pytestmark = pytest.mark.anyio

OURS = "https://app.example.com"
ALSO_OURS = "http://localhost:3000"
FOREIGN = ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null", "*", ""]


@pytest.fixture
async def home() -> AsyncIterator[App]:
    async with open_app(settings=Settings(server=ServerSettings(origins=(Origin(OURS), Origin(ALSO_OURS))))) as one:
        yield one


def shares(answer: httpx2.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


async def ask_first(home: App, origin: str, path: str = PROFILE, method: str = "GET") -> httpx2.Response:
    asked = {"access-control-request-method": method, "access-control-request-headers": "content-type"}
    return await home.client.options(path, headers={"origin": origin, **asked})


@pytest.mark.parametrize("origin", [OURS, ALSO_OURS])
async def test_a_listed_origin_reads_every_response_with_the_visitors_cookie(home: App, origin: str) -> None:
    token = await home.sign_in("ada")
    answers = [
        await home.visit(token, origin=origin),
        await home.client.get(PROFILE, headers={"origin": origin}),
        await home.client.get("/nowhere", headers={"origin": origin}),
        await home.client.get(CATALOG, headers={"origin": origin}),
    ]

    assert [answer.status_code for answer in answers] == [200, 401, 404, 200]
    for answer in answers:
        assert answer.headers.get_list("access-control-allow-origin") == [origin]
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in answer.headers["vary"]
    assert answers[0].headers["vary"] == "Cookie, Origin"


async def test_what_anybody_may_load_is_given_to_a_listed_origin_by_name(home: App) -> None:
    name = "/static/laurels.js"
    listed = await home.client.get(name, headers={"origin": OURS})
    foreign = await home.client.get(name, headers={"origin": FOREIGN[0]})

    assert listed.headers.get_list("access-control-allow-origin") == [OURS]
    assert foreign.headers.get_list("access-control-allow-origin") == ["*"]
    assert "access-control-allow-credentials" not in foreign.headers


async def test_a_listed_origin_may_send_a_preflight(home: App) -> None:
    answer = await ask_first(home, OURS, "/api/gamification/visibility", "PUT")

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, DELETE"
    said = answer.headers["access-control-allow-headers"]
    assert set(said.split(", ")) == {"Content-Type", "Authorization", "Laurels-Now", "X-Purpose", "Last-Event-ID"}
    assert int(answer.headers["access-control-max-age"]) > 0
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", FOREIGN)
async def test_other_origins_get_no_headers(home: App, origin: str) -> None:
    token = await home.sign_in("ada")
    read, asked = await home.visit(token, origin=origin), await ask_first(home, origin)

    assert (read.status_code, asked.status_code) == (200, 204)
    assert not shares(read) | shares(asked)
    assert "Origin" in read.headers["vary"]  # or a cache would give it to one that is listed


async def test_an_options_that_is_not_a_preflight_is_answered_as_usual(home: App) -> None:
    answer = await home.client.options(PROFILE, headers={"origin": OURS})

    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/users"])
async def test_the_console_is_not_shared(home: App, path: str) -> None:
    read = await home.client.get(path, headers={"origin": OURS})
    asked = await ask_first(home, OURS, path)

    assert not {"access-control-allow-origin", "access-control-allow-credentials"} & (shares(read) | shares(asked))


async def test_the_page_with_the_key_of_the_demo_is_not_shared(home: App) -> None:
    app = create_app(home.laurels, Settings(server=ServerSettings(origins=(Origin(OURS),))), playground=home.key)
    async with client_of(app, "http://localhost") as client:
        read = await client.get("/playground", headers={"origin": OURS})

    assert home.key in read.text
    assert not shares(read)


async def test_without_the_setting_there_are_no_headers() -> None:
    async with open_app() as home:
        answer = await home.client.get(CATALOG, headers={"origin": OURS})

        assert not shares(answer)
        assert "vary" not in answer.headers
        assert not shares(await ask_first(home, OURS))


# ---- what a page of a foreign origin can do with a cookie that goes along ----------------------


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
@pytest.mark.parametrize("path", [SESSIONS, EVENTS, "/api/gamification/adjustments"])
async def test_a_body_that_a_browser_sends_without_asking_first_is_refused(
    home: App, path: str, content_type: str
) -> None:
    token = await home.sign_in("ada")
    headers = {
        "cookie": f"laurels-session={token}",
        "origin": FOREIGN[0],
        "authorization": home.by_key["authorization"],
    }
    headers |= {"content-type": content_type} if content_type else {}
    if path.endswith("acts"):
        del headers["authorization"]

    assert (await home.client.post(path, content=b"{}", headers=headers)).status_code == 415


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", SESSIONS), ("PUT", "/api/gamification/visibility"), ("POST", SESSIONS)]
)
async def test_the_preflight_of_an_unlisted_origin_for_a_change_is_refused(home: App, method: str, path: str) -> None:
    assert not shares(await ask_first(home, FOREIGN[0], path, method))


async def test_no_operation_that_a_cookie_opens_changes_anything_by_a_request_that_needs_no_asking(
    home: App,
) -> None:
    document = (await home.client.get("/docs/openapi.json")).json()
    opened = [
        (method, one)
        for item in document["paths"].values()
        for method, one in item.items()
        if {"sessionCookie": []} in one.get("security", ()) and method != "get"
    ]

    assert len(opened) >= 3
    for method, one in opened:
        assert method in ("put", "delete") or set(one["requestBody"]["content"]) == {"application/json"}, one[
            "operationId"
        ]


# ---- the setting ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["https://a.example", "http://localhost:3000", "http://[::1]:8080"])
def test_origins_are_written_as_browsers_write_them(text: str) -> None:
    assert Origin(text) == text


@pytest.mark.parametrize(
    "wrong",
    [
        "*",
        "null",
        "app.example.com",
        "https://a.example/",
        "https://a.example/x",
        "https://A.example",
        "https://a.example:443",
        "http://a.example:80",
        "https://*.example.com",
        "ftp://a.example",
        "https://a.example,",
        "https://a b",
        "https://u@a.example",
    ],
)
def test_an_origin_that_no_browser_would_send_is_refused_with_the_fix(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not an origin; write scheme, host and port"):
        Origin(wrong)


async def test_a_server_with_listed_origins_still_records(home: App) -> None:
    assert (await home.send(event("ada"))).json()["recorded"] == 1


def test_no_endpoint_of_the_console_is_shared() -> None:
    assert [endpoint.label for endpoint in console.ENDPOINTS if endpoint.cross_origin] == []
