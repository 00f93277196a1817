"""Cookies of sessions: when browsers send them over https only, and what counts if a request has several."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.settings import AuthSettings, Origin, ServerSettings, Settings
from tests.support.app import COOKIE, PROFILE, SESSIONS, App, open_app

pytestmark = pytest.mark.anyio

PUBLIC = {
    "an https origin": ServerSettings(origins=(Origin("http://localhost:3000"), Origin("https://app.example"))),
    "all interfaces": ServerSettings(host="0.0.0.0"),
    "all interfaces, IPv6": ServerSettings(host="::"),
    "an address of the network": ServerSettings(host="10.0.0.5"),
    "a name": ServerSettings(host="laurels.internal"),
}
LOCAL = {
    "the default": ServerSettings(),
    "IPv6": ServerSettings(host="::1"),
    "a name": ServerSettings(host="localhost"),
    "another loopback address": ServerSettings(host="127.1.2.3"),
    "an http origin": ServerSettings(origins=(Origin("http://localhost:3000"),)),
}


async def is_secure(settings: Settings, scheme: str = "http") -> bool:
    async with open_app(settings=settings, base_url=f"{scheme}://laurels.test") as home:
        created = await home.client.post(SESSIONS, json={"userId": "ada"}, headers=home.by_key)
        ended = await home.client.delete(SESSIONS)
        secure = ["; Secure" in answer.headers["set-cookie"] for answer in (created, ended)]
        assert secure[0] == secure[1]
        return secure[0]


@pytest.mark.parametrize("server", PUBLIC.values(), ids=PUBLIC)
async def test_a_cookie_that_goes_on_to_a_browser_is_secure_although_this_request_came_over_http(server: Any) -> None:
    assert await is_secure(Settings(server=server))


@pytest.mark.parametrize("server", LOCAL.values(), ids=LOCAL)
async def test_a_cookie_on_this_machine_is_secure_over_https_only(server: Any) -> None:
    assert not await is_secure(Settings(server=server))
    assert await is_secure(Settings(server=server), "https")


async def test_the_setting_decides() -> None:
    assert await is_secure(Settings(auth=AuthSettings(cookie_secure="always")))
    assert not await is_secure(Settings(auth=AuthSettings(cookie_secure="never"), server=ServerSettings(host="::")))


async def answer(home: App, *tokens: str, bearer: str = "") -> Any:
    """The profile, read with these cookies of the same name."""
    headers = {"cookie": "; ".join(f"{COOKIE}={token}" for token in tokens)} if tokens else {}
    return await home.client.get(PROFILE, headers=headers | ({"authorization": f"Bearer {bearer}"} if bearer else {}))


async def test_what_is_no_session_does_not_hide_one(home: App) -> None:
    live, ended = await home.sign_in("ada"), await home.sign_in("ada")
    await home.client.delete(SESSIONS, headers={"cookie": f"{COOKIE}={ended}"})

    for other in ("junk", "laurels_session_junk", ended):
        assert (await answer(home, other, live)).status_code == 200, other
        assert (await answer(home, live, other)).status_code == 200, other
        assert (await answer(home, other, bearer=live)).status_code == 200, other
        assert (await answer(home, other, bearer=other)).status_code == 401, other


async def test_two_sessions_of_one_user_are_that_user(home: App) -> None:
    assert (await answer(home, await home.sign_in("ada"), await home.sign_in("ada"))).status_code == 200


async def test_sessions_of_different_users_are_refused(home: App) -> None:
    """Another page of the domain has set a cookie with a session of its own."""
    ada, eve = await home.sign_in("ada"), await home.sign_in("eve")

    for refused in (await answer(home, eve, ada), await answer(home, ada, eve), await answer(home, ada, bearer=eve)):
        assert refused.status_code == 401
        assert "different users" in refused.json()["detail"]


async def test_as_many_cookies_as_a_browser_keeps_hide_no_session(database: str) -> None:
    """A sibling host of the domain has set them: in the form of tokens, for the same user and for others."""
    async with open_app(database=database) as home:
        await home.give_points("ada", messages=1)
        live = await home.sign_in("ada")
        junk = [f"laurels_session_junk-{number}" for number in range(500)]
        dead = [f"laurels_session_{user}.{number:043}" for number in range(100) for user in ("YWRh", "ZXZl")]

        assert (await answer(home, *junk, *dead[:-1], live)).status_code == 200
        assert (await answer(home, live, *dead[:-1], *junk)).status_code == 200
        assert "More than 200" in (await answer(home, *dead, live)).json()["detail"]
        await home.client.delete(SESSIONS, headers={"cookie": f"{COOKIE}=" + f"; {COOKIE}=".join([*dead[:-1], live])})
        assert (await answer(home, live)).status_code == 401


async def test_signing_out_ends_every_session_that_was_sent(home: App) -> None:
    tokens = [await home.sign_in("ada"), await home.sign_in("ada")]
    headers = {"cookie": f"{COOKIE}={tokens[0]}; {COOKIE}={tokens[1]}"}

    assert (await home.client.delete(SESSIONS, headers=headers)).status_code == 204

    assert [(await answer(home, token)).status_code for token in tokens] == [401, 401]
