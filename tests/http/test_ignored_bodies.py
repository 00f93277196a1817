"""A body at an address that takes none would be ignored, and with it what the client meant: it is refused."""

from __future__ import annotations

import pytest

from tests.support.app import COOKIE, SESSIONS, USERS, App, open_app

pytestmark = pytest.mark.anyio

ADAS = f"{USERS}/ada/sessions"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", SESSIONS),
        ("DELETE", ADAS),
        ("DELETE", f"{USERS}/ada"),
        ("DELETE", f"{USERS}/ada/adjustments/x"),
        ("DELETE", "/api/gamification/amnesties/x"),
    ],
)
async def test_a_body_that_would_be_ignored_is_refused(home: App, method: str, path: str) -> None:
    token = await home.sign_in("ada")
    headers = home.by_key if path != SESSIONS else {"cookie": f"{COOKIE}={token}"}

    answer = await home.client.request(method, path, json={"userId": "ada"}, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed")
    assert "takes no body" in answer.json()["detail"]
    assert (await home.visit(token)).status_code == 200


async def test_an_empty_body_is_none(home: App) -> None:
    await home.sign_in("ada")
    headers = {**home.by_key, "content-length": "0", "content-type": "application/json"}
    assert (await home.client.delete(ADAS, headers=headers)).status_code == 200


async def test_every_address_that_takes_no_body_documents_that_it_refuses_one() -> None:
    async with open_app() as home:
        for address in home.app.routes.addresses:
            for method, one in address.endpoints.items():
                if method == "DELETE":
                    assert one.refuses_body, one.label
                    assert "malformed" in one.all_problems, one.label
