"""/api/gamification/sessions: the back end asks for one, the browser carries it."""

from __future__ import annotations

from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels.settings import AuthSettings, Settings
from tests.support.app import COOKIE, PROFILE, SESSIONS, USERS, App, bytes_in, open_app

pytestmark = pytest.mark.anyio

THIRTY_DAYS = 30 * 86400


async def create(home: App, **body: Any) -> httpx2.Response:
    answer = await home.client.post(SESSIONS, json={"userId": "ada", **body}, headers=home.by_key)
    home.client.cookies.clear()
    return answer


def cookie_of(answer: httpx2.Response) -> Morsel[str]:
    return SimpleCookie(answer.headers["set-cookie"])[COOKIE]


async def status_with(home: App, token: str) -> int:
    return (await home.visit(token, sec_purpose="prefetch")).status_code


# ---- beginning --------------------------------------------------------------------------------


async def test_a_session_is_a_token_and_when_it_ends(home: App) -> None:
    answer = await create(home)

    assert answer.status_code == 201
    assert answer.json().keys() == {"token", "expiresAt"}
    assert answer.json()["token"].startswith("laurels_session_")
    assert answer.json()["expiresAt"] == "2026-02-04T12:00:00Z"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_cookie_carries_the_token_and_no_script_can_read_it(home: App) -> None:
    answer = await create(home)

    cookie = cookie_of(answer)
    assert cookie.value == answer.json()["token"]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["max-age"]) == ("Lax", "/", str(THIRTY_DAYS))
    assert not cookie["domain"]


async def test_the_cookie_is_secure_on_https_only() -> None:
    for scheme, secure in (("http", ""), ("https", True)):
        async with open_app(base_url=f"{scheme}://laurels.test") as home:
            assert cookie_of(await create(home))["secure"] == secure


async def test_a_browser_that_takes_the_cookie_is_signed_in(home: App) -> None:
    await home.client.post(SESSIONS, json={"userId": "ada"}, headers=home.by_key)

    assert (await home.client.get(PROFILE)).json()["streak"] == 1


async def test_signing_in_makes_the_user_with_name_and_zone(home: App) -> None:
    await create(home, name="Ada", timeZone="Europe/Berlin")

    user = (await home.client.get(f"{USERS}/ada", headers=home.by_key)).json()
    assert (user["name"], user["timeZone"]) == ("Ada", "Europe/Berlin")


async def test_signing_in_again_does_not_change_fields_that_are_left_out(home: App) -> None:
    await create(home, name="Ada", timeZone="Europe/Berlin")
    await create(home)

    user = (await home.client.get(f"{USERS}/ada", headers=home.by_key)).json()
    assert (user["name"], user["timeZone"]) == ("Ada", "Europe/Berlin")


async def test_two_tokens_of_one_user_differ_and_both_live(home: App) -> None:
    first, second = [(await create(home)).json()["token"] for _ in range(2)]

    assert first != second
    assert [await status_with(home, token) for token in (first, second)] == [200, 200]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"userId": ""}, "/userId"),
        ({"userId": "a\x00b"}, "/userId"),
        ({"userId": None}, "/userId"),
        ({"lifetimeSeconds": 0}, "/lifetimeSeconds"),
        ({"lifetimeSeconds": 31_536_001}, "/lifetimeSeconds"),
        ({"lifetimeSeconds": 1.5}, "/lifetimeSeconds"),
        ({"lifetime": 60}, "/lifetime"),
    ],
    ids=str,
)
async def test_a_wrong_field_is_422_with_its_pointer(home: App, body: Any, pointer: str) -> None:
    answer = await create(home, **body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert "set-cookie" not in answer.headers


async def test_only_the_back_end_signs_users_in(home: App) -> None:
    token = (await create(home)).json()["token"]

    for headers in ({}, {"authorization": f"Bearer {token}"}, {"cookie": f"{COOKIE}={token}"}):
        assert (await home.client.post(SESSIONS, json={"userId": "eve"}, headers=headers)).status_code == 401


# ---- how long ---------------------------------------------------------------------------------


async def test_a_session_lives_thirty_days(home: App) -> None:
    token = (await create(home)).json()["token"]

    home.clock.advance(seconds=THIRTY_DAYS - 1)
    assert await status_with(home, token) == 200
    home.clock.advance(seconds=1)
    assert await status_with(home, token) == 401


async def test_a_session_has_the_requested_lifetime(home: App) -> None:
    answer = await create(home, lifetimeSeconds=90)

    assert cookie_of(answer)["max-age"] == "90"
    assert answer.json()["expiresAt"] == "2026-01-05T12:01:30Z"
    home.clock.advance(seconds=90)
    assert await status_with(home, answer.json()["token"]) == 401


async def test_the_setting_says_how_long_unless_the_request_does() -> None:
    async with open_app(settings=Settings(auth=AuthSettings(session_days=1))) as home:
        assert cookie_of(await create(home))["max-age"] == "86400"


async def test_expired_sessions_are_swept_when_the_user_signs_in_again(home: App) -> None:
    for _ in range(3):
        await create(home, lifetimeSeconds=60)
    home.clock.advance(seconds=60)
    await create(home)

    assert (await home.laurels.store.counts()).sessions == 1


# ---- ending -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "carry", [lambda token: {"cookie": f"{COOKIE}={token}"}, lambda token: {"authorization": f"Bearer {token}"}]
)
async def test_ending_a_session_ends_it_at_once_and_takes_the_cookie_away(home: App, carry: Any) -> None:
    token, other = [(await create(home)).json()["token"] for _ in range(2)]

    answer = await home.client.delete(SESSIONS, headers=carry(token))

    assert (answer.status_code, answer.content) == (204, b"")
    cookie = cookie_of(answer)
    assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/")
    assert answer.headers["cache-control"] == "no-store"
    assert [await status_with(home, one) for one in (token, other)] == [401, 200]


@pytest.mark.parametrize(
    "cookie",
    ["", f"{COOKIE}=", f"{COOKIE}=garbage", f"{COOKIE}=laurels_session_%%%", f"{COOKIE}=laurels_session_YWRh.x"],
)
async def test_ending_without_a_session_is_harmless(home: App, cookie: str) -> None:
    assert (await home.client.delete(SESSIONS, headers={"cookie": cookie})).status_code == 204


# ---- at rest ----------------------------------------------------------------------------------


async def test_no_token_is_in_the_database(filed: App, tmp_path: Path) -> None:
    token = (await create(filed)).json()["token"]
    await filed.visit(token)
    await filed.laurels.close()

    kept = bytes_in(tmp_path)

    assert b"ada" in kept
    for secret in (token, token.partition(".")[2]):
        assert secret.encode() not in kept
