"""The OpenAPI document and the page that shows it."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from laurels.http.endpoints import API
from tests.support.app import App, event

pytestmark = pytest.mark.anyio


@pytest.fixture
async def document(home: App) -> Any:
    return (await home.client.get("/docs/openapi.json")).json()


def operations(document: Any) -> list[tuple[str, Any]]:
    return [(f"{method} {path}", one) for path, item in document["paths"].items() for method, one in item.items()]


def validator(document: Any, schema: Any) -> jsonschema_rs.Draft202012Validator:
    """A validator that finds the document's components."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]}, validate_formats=True)


async def test_the_document_is_openapi_3_1(document: Any) -> None:
    assert document["openapi"] == "3.1.0"

    jsonschema_rs.validate(OPENAPI_31, document)


async def test_every_schema_is_a_schema(document: Any) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
        assert schema["description"]


async def test_every_address_is_in_the_document(document: Any) -> None:
    served = {f"{one.method.lower()} {one.path}" for one in API}

    assert {name for name, _ in operations(document)} == served


async def test_every_operation_says_what_it_is(document: Any) -> None:
    ids = [one["operationId"] for _, one in operations(document)]

    assert len(set(ids)) == len(ids)
    for name, one in operations(document):
        assert one["summary"], name
        assert one["description"], name
        assert {*one["tags"]} <= {tag["name"] for tag in document["tags"]}


async def test_every_answer_with_a_body_has_examples_that_are_valid(document: Any) -> None:
    for name, one in operations(document):
        for status, answer in one["responses"].items():
            assert answer["description"], (name, status)
            for content in answer.get("content", {}).values():
                assert content["examples"], (name, status)
                check = validator(document, content["schema"])
                for example in content["examples"].values():
                    check.validate(example["value"])


async def test_every_operation_has_a_successful_response(document: Any) -> None:
    for name, one in operations(document):
        assert [status for status in one["responses"] if status.startswith("2")], name


async def test_every_body_has_examples_that_are_valid(document: Any) -> None:
    for name, one in operations(document):
        for content in one.get("requestBody", {}).get("content", {}).values():
            assert content["examples"], name
            for example in content["examples"].values():
                validator(document, content["schema"]).validate(example["value"])


@pytest.mark.parametrize("operation", ["recordEvents", "putUser", "createSession"])
async def test_the_examples_of_a_body_are_taken(home: App, document: Any, operation: str) -> None:
    found = [(name.split(), one) for name, one in operations(document) if one["operationId"] == operation]
    ((method, path), one), *_ = found
    for example in one["requestBody"]["content"]["application/json"]["examples"].values():
        address = path.replace("{userId}", "ada")
        answer = await home.client.request(method, address, json=example["value"], headers=home.by_key)

        assert answer.is_success, answer.text


async def test_every_operation_with_credentials_can_answer_401(document: Any) -> None:
    for name, one in operations(document):
        asks = bool(one.get("security")) and {} not in one["security"]
        asks |= one["operationId"] == "endSession"  # no session is needed, but a key is refused
        assert asks == ("401" in one["responses"]), name


async def test_real_answers_are_what_the_document_says(home: App, document: Any) -> None:
    schemas = {name: {"$ref": f"#/components/schemas/{name}"} for name in document["components"]["schemas"]}
    token = await home.sign_in("ada", name="Ada", timeZone="Europe/Berlin")
    sent = await home.send([event("ada", quantity=100, data={"a": 1}), event("ada", "login"), {"id": 5}])
    profile = await home.visit(token, "/api/gamification/profile?include=rank,next,streaks,history")
    history = await home.client.get("/api/gamification/users/ada/history", headers=home.by_key)
    user = await home.client.get("/api/gamification/users/ada", headers=home.by_key)
    catalog = await home.client.get("/api/gamification/catalog")
    boards = await home.client.get("/api/gamification/leaderboards", headers=home.by_key)
    board = await home.client.get("/api/gamification/leaderboards/weekly?me=ada&limit=1", headers=home.by_key)

    for name, answer in {
        "EventResults": sent,
        "Profile": profile,
        "History": history,
        "User": user,
        "CatalogSummary": catalog,
        "LeaderboardList": boards,
        "LeaderboardPage": board,
    }.items():
        validator(document, schemas[name]).validate(answer.json())


async def test_the_limits_of_data_are_in_the_document(document: Any) -> None:
    told = str(document["components"]["schemas"]["EventIn"]["properties"]["data"])

    assert "20 levels" in told
    assert "16384 bytes" in told


# ---- the page ---------------------------------------------------------------------------------


async def test_the_page_loads_nothing_from_elsewhere(home: App) -> None:
    page = await home.client.get("/docs")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "://" not in page.text
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
    for address in loaded:
        assert address.startswith(("/docs/", "data:"))
        if address.startswith("/"):
            assert (await home.client.get(address)).status_code == 200
    assert len(loaded) == 3


async def test_the_browser_may_load_nothing_from_other_origins(home: App) -> None:
    policy = (await home.client.get("/docs")).headers["content-security-policy"]

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert all(
        source in {"'self'", "'none'", "data:", "'unsafe-inline'"} or source.startswith("'sha256-")
        for rule in rules.values()
        for source in rule.split()
    )
    assert "unsafe" not in rules["script-src"]


async def test_the_page_asks_for_the_document(home: App) -> None:
    page = await home.client.get("/docs")

    assert '"/docs/openapi.json"' in page.text
    assert "validatorUrl: null" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/docs/assets/swagger-editor.js",
        "/docs/assets/..%2f__init__.py",
        "/docs/assets/%2e%2e/__init__.py",
        "/docs/assets/",
    ],
)
async def test_only_what_the_page_needs_is_served(home: App, path: str) -> None:
    assert (await home.client.get(path)).status_code == 404
