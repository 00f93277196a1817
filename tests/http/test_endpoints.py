"""One declaration for each address: what follows from it, and what every request passes, whatever its address."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from laurels.demo import playground
from laurels.http.access import PUBLIC
from laurels.http.dispatch import Dispatcher
from laurels.http.endpoint import STORE, Endpoint, Request, endpoint
from laurels.http.endpoints import API
from laurels.http.parameters import USER_ID, in_path
from laurels.http.responses import Response
from laurels.http.routing import NOT_FOUND, Routes, route_path
from laurels.server.app import ENDPOINTS, create_app
from laurels.settings import LimitSettings, Origin, ServerSettings, Settings
from tests.support.app import App, client_of, open_app

pytestmark = pytest.mark.anyio

ALL = (*ENDPOINTS, *playground.ENDPOINTS)
ORIGIN = "https://app.example.com"
OTHER_METHODS = ("GET", "PUT", "POST", "DELETE")


def address(path: str) -> str:
    """An address as a client writes it."""
    return re.sub(r"\{\w+\}", "something", path)


def named(one: Endpoint) -> str:
    return one.label


@pytest.fixture
async def demo(home: App) -> App:
    """An application with all addresses, the playground's too, that pages of one origin may read."""
    app = create_app(home.laurels, Settings(server=ServerSettings(origins=(Origin(ORIGIN),))), playground=home.key)
    return App(home.laurels, home.clock, app, client_of(app, "http://localhost"), home.key)


# ---- what follows from a declaration ----------------------------------------------------------


@pytest.mark.parametrize("one", ALL, ids=named)
async def test_every_declaration_is_a_route_with_its_allow_and_its_label(demo: App, one: Endpoint) -> None:
    found, _ = demo.app.routes.find(one.method, address(one.path))
    options = await demo.client.options(address(one.path))

    assert found is one
    assert options.status_code == 204
    assert one.method in options.headers["allow"].split(", ")
    assert one.label == f"{one.method} {one.path}"


@pytest.mark.parametrize("path", dict.fromkeys(one.path for one in ALL))
async def test_a_method_that_is_not_declared_is_refused(demo: App, path: str) -> None:
    declared = {one.method for one in ALL if one.path == path}

    for method in {*OTHER_METHODS, "PATCH"} - declared:
        answer = await demo.client.request(method, address(path))
        assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
        assert {*answer.headers["allow"].split(", ")} - {"OPTIONS", "HEAD"} == declared


async def test_labels_are_unique() -> None:
    assert len({one.label for one in ALL}) == len(ALL)


@pytest.mark.parametrize("one", API, ids=named)
async def test_the_document_has_what_an_endpoint_declares(home: App, one: Endpoint) -> None:
    document: Any = (await home.client.get("/docs/openapi.json")).json()
    shown = document["paths"][one.path][one.method.lower()]

    assert one.operation
    assert one.result
    assert shown["operationId"] == one.operation.id
    assert [each["name"] for each in shown.get("parameters", [])] == [each.name for each in one.parameters]
    assert ("requestBody" in shown) == (one.body is not None)
    assert str(one.result.status) in shown["responses"]
    codes = {
        example
        for answer in shown["responses"].values()
        for example in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert codes == {*one.all_problems}


def test_only_the_api_is_in_the_document() -> None:
    assert [one.label for one in ALL if one.operation] == [one.label for one in API]


async def test_the_document_shows_the_limits_of_the_settings() -> None:
    async with open_app(settings=Settings(limits=LimitSettings(events=7, body_bytes=2048))) as home:
        document: Any = (await home.client.get("/docs/openapi.json")).json()

    body = document["paths"]["/api/gamification/events"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["oneOf"][1]["maxItems"] == 7
    assert "2,048 bytes" in body["description"]


def test_problems_follow_from_the_access_the_body_and_the_store() -> None:
    problems = {one.operation.id: one.all_problems for one in API if one.operation}

    assert problems["livez"] == ()
    assert problems["getCatalog"] == ("unknown-parameter", *STORE)
    assert {"unauthorized", "too-many-requests", "too-large", "store-unavailable"} <= {*problems["recordEvents"]}
    assert "unauthorized" in problems["endSession"], "a key has no session to end"
    assert {"malformed", "unauthorized"}.isdisjoint(problems["getCatalog"])
    assert "too-large" not in problems["getUser"]


# ---- declarations that contradict -------------------------------------------------------------


async def nothing(_: Request[None, None]) -> Response:
    """Answer nothing."""
    return Response(204)


def test_the_parameters_of_a_path_must_be_declared() -> None:
    with pytest.raises(ValueError, match="has the parameters"):
        endpoint("GET", "/users/{userId}", access=PUBLIC)(nothing)
    with pytest.raises(ValueError, match="has the parameters"):
        endpoint("GET", "/users", access=PUBLIC, parameters=[USER_ID])(nothing)


def test_no_address_is_declared_twice() -> None:
    one = endpoint("GET", "/twice", access=PUBLIC)(nothing)

    with pytest.raises(ValueError, match="declared twice"):
        Routes([one, endpoint("GET", "/twice", access=PUBLIC)(nothing)])


# ---- finding an endpoint ----------------------------------------------------------------------

PAIR = endpoint("GET", "/of/{a}/{b}", access=PUBLIC, parameters=[in_path("a"), in_path("b")])(nothing)
FIXED = endpoint("GET", "/of/{a}/fixed.x", access=PUBLIC, parameters=[in_path("a")])(nothing)
ROOT = endpoint("GET", "/", access=PUBLIC)(nothing)
ROUTES = Routes([FIXED, PAIR, ROOT])


@pytest.mark.parametrize(
    ("path", "found", "segments"),
    [
        ("/", ROOT, {}),
        ("/of/1/2", PAIR, {"a": "1", "b": "2"}),
        ("/of/1/2/", PAIR, {"a": "1", "b": "2"}),
        ("/of/1%2F2/%2E%2E", PAIR, {"a": "1%2F2", "b": "%2E%2E"}),
        ("/of/1/fixed.x", FIXED, {"a": "1"}),
        ("/of/1/fixedyx", PAIR, {"a": "1", "b": "fixedyx"}),
        ("/of/1/2//", NOT_FOUND, {}),
        ("/of//2", NOT_FOUND, {}),
        ("//", NOT_FOUND, {}),
        ("", NOT_FOUND, {}),
        ("/of/1", NOT_FOUND, {}),
        ("/OF/1/2", NOT_FOUND, {}),
        ("/of/1/2\n", PAIR, {"a": "1", "b": "2\n"}),
    ],
)
def test_a_path_leads_to_its_endpoint(path: str, found: Endpoint, segments: dict[str, str]) -> None:
    assert ROUTES.find("GET", path) == (found, segments)


@pytest.mark.parametrize(
    ("root", "raw", "path"),
    [
        ("", b"/a%2Fb", "/a%2Fb"),
        ("/laurels", b"/laurels/a", "/a"),
        ("/laurels", b"/laurels", "/"),
        ("/l", b"/la", "/la"),
    ],
)
def test_the_prefix_of_a_mounted_application_is_not_part_of_the_path(root: str, raw: bytes, path: str) -> None:
    assert route_path({"raw_path": raw, "path": "/decoded", "root_path": root}) == path


async def test_an_application_can_be_mounted_under_a_prefix(home: App) -> None:
    transport = httpx2.ASGITransport(home.app, root_path="/laurels")
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurels.test") as client:
        assert (await client.get("/laurels/livez")).status_code == 200


# ---- what every request passes, once ----------------------------------------------------------


def counted(app: Dispatcher) -> dict[str, int]:
    return {label: one.requests for label, one in app.context.counters.all().items() if one.requests}


@pytest.mark.parametrize("one", ALL, ids=named)
async def test_a_request_passes_cors_and_the_counters_once(demo: App, one: Endpoint) -> None:
    answer = await demo.client.request(one.method, address(one.path), headers={"origin": ORIGIN, "accept": "text/html"})

    assert counted(demo.app) == {one.label: 1}
    shared = answer.headers.get_list("access-control-allow-origin")
    assert shared == ([ORIGIN] if one.cross_origin else [])
    assert demo.app.running == 0


@pytest.mark.parametrize("one", ALL, ids=named)
async def test_the_limit_of_requests_holds_at_every_address_but_the_health_checks(demo: App, one: Endpoint) -> None:
    demo.app.running = demo.app.context.settings.limits.requests
    answer = await demo.client.request(one.method, address(one.path))

    assert (answer.status_code == 503) == (not one.always)
    counters = demo.app.context.counters.of(one.label)
    assert (counters.requests, counters.server_errors) == (1, int(not one.always))


@pytest.mark.parametrize("one", [one for one in ALL if one.method == "GET"], ids=named)
async def test_every_get_has_its_head(demo: App, one: Endpoint) -> None:
    got = await demo.client.get(address(one.path))
    head = await demo.client.head(address(one.path))

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert counted(demo.app) == {one.label: 2}


@pytest.mark.parametrize("one", [one for one in ALL if not one.access.is_public], ids=named)
async def test_a_time_that_is_none_is_refused_at_every_address_that_is_not_open_to_all(
    demo: App, one: Endpoint
) -> None:
    answer = await demo.client.request(one.method, address(one.path), headers={"laurels-now": "yesterday"})

    assert answer.status_code == 422
    assert counted(demo.app) == {one.label: 1}


async def test_counters_tell_how_requests_ended(home: App) -> None:
    for _ in range(3):
        await home.client.get("/livez")
    await home.client.get("/api/gamification/profile")
    await home.client.get("/nowhere")
    await home.client.patch("/livez")

    counters = home.app.context.counters
    live = counters.of("GET /livez")
    assert (live.requests, live.client_errors, live.server_errors) == (3, 0, 0)
    assert live.seconds > 0
    assert counters.of("GET /api/gamification/profile").client_errors == 1
    assert counters.of("* (not found)").client_errors == 1
    assert counters.of("* /livez").client_errors == 1
