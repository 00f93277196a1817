"""The header Laurels-Now on a database that is no sandbox: refused where it would matter, passed over where all may ask."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.http.endpoints import API
from tests.http.test_endpoints import ALL, address, named
from tests.support.app import PROFILE, SESSIONS, App

pytestmark = pytest.mark.anyio

OPEN = [one for one in ALL if one.access.is_public and one.method != "POST"]
CLAIMS = ["2026-03-01T09:00:00Z", "yesterday", ""]


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("one", OPEN, ids=named)
async def test_addresses_that_are_open_to_all_answer_the_same_with_a_time(home: App, one: Any, claim: str) -> None:
    without = await home.client.request(one.method, address(one.path))
    with_time = await home.client.request(one.method, address(one.path), headers={"laurels-now": claim})

    assert with_time.status_code == without.status_code
    assert with_time.content == without.content


async def test_pages_that_do_not_exist_are_404_also_with_a_time(home: App) -> None:
    assert (await home.client.get("/nowhere", headers={"laurels-now": CLAIMS[0]})).status_code == 404
    assert (await home.client.patch("/livez", headers={"laurels-now": CLAIMS[0]})).status_code == 405


async def test_health_checks_with_a_time_do_not_ask_the_database(home: App) -> None:
    await home.laurels.store.close()

    assert (await home.client.get("/livez", headers={"laurels-now": CLAIMS[0]})).status_code == 200


async def test_what_needs_a_key_or_a_session_refuses_a_time(home: App) -> None:
    token = await home.sign_in("ada")
    for answer in (
        await home.visit(token, PROFILE, laurels_now=CLAIMS[0]),
        await home.client.post(SESSIONS, json={"userId": "ada"}, headers={**home.by_key, "laurels-now": CLAIMS[0]}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-a-sandbox")


async def test_the_document_lists_the_refusals_of_a_time_where_they_can_come(home: App) -> None:
    paths: Any = (await home.client.get("/docs/openapi.json")).json()["paths"]
    for one in API:
        listed: set[str] = set()
        for answer in paths[one.path][one.method.lower()]["responses"].values():
            listed |= answer.get("content", {}).get("application/problem+json", {}).get("examples", {}).keys()
        assert ("not-a-sandbox" in listed) == (not one.access.is_public), one.label
        assert "invalid-input" in listed or one.access.is_public, one.label
