"""Ending the sessions of a user from outside: by key, at the console, in the library; in this process and in others."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels import Admin, BlockingLaurels, SessionNotFound, UserErased, UserNotFound
from laurels.auth.sessions import hash_of_token
from laurels.service.laurels import Laurels
from laurels.storage.contract import AuditFilter
from laurels.testing import TestClock
from tests.delivery.test_stream import Heard, listening
from tests.support import ENGINES, LASTING_ENGINES, at
from tests.support.app import COOKIE, SESSIONS, USERS, App, event, open_app_over
from tests.support.operator import Operator, operator_over
from tests.support.operator import at as user_page

pytestmark = pytest.mark.anyio

ADAS = f"{USERS}/ada/sessions"


async def asked(home: App, method: str, path: str = ADAS, **more: Any) -> httpx2.Response:
    return await home.client.request(method, path, headers=home.by_key, **more)


async def listed(home: App) -> list[dict[str, str]]:
    answer = await asked(home, "GET")
    assert answer.status_code == 200, answer.text
    return answer.json()["sessions"]


async def lives(home: App, token: str) -> bool:
    return (await home.visit(token)).status_code == 200


# ---- the list ---------------------------------------------------------------------------------


async def test_the_list_has_living_sessions_newest_first_and_nothing_that_signs_in(home: App) -> None:
    tokens = [await home.sign_in("ada", lifetimeSeconds=60)]
    home.clock.advance(seconds=60)
    for _ in range(2):
        tokens.append(await home.sign_in("ada"))
        home.clock.advance(seconds=1)
    await home.sign_in("bob")

    found = await listed(home)

    assert [one["createdAt"] for one in found] == ["2026-01-05T12:01:01Z", "2026-01-05T12:01:00Z"]
    assert found[0].keys() == {"id", "createdAt", "expiresAt"}
    assert found[0]["expiresAt"] == "2026-02-04T12:01:01Z"
    text = str(found)
    for token in tokens:
        assert token not in text
        assert hash_of_token(token).hex() not in text


async def test_an_id_of_a_session_is_no_credential(home: App) -> None:
    await home.sign_in("ada")
    (one,) = await listed(home)
    assert not await lives(home, one["id"])


async def test_a_user_without_sessions_has_an_empty_list(home: App) -> None:
    await home.record(event("ada"))
    assert await listed(home) == []
    assert (await asked(home, "DELETE")).json() == {"ended": 0}


# ---- ending them ------------------------------------------------------------------------------


async def test_a_key_ends_all_sessions_of_a_user_and_of_no_one_else(home: App) -> None:
    tokens, bobs = [await home.sign_in("ada") for _ in range(3)], await home.sign_in("bob")

    answer = await asked(home, "DELETE")

    assert (answer.status_code, answer.json()) == (200, {"ended": 3})
    assert not any([await lives(home, token) for token in tokens])
    assert await lives(home, bobs)
    assert (await asked(home, "DELETE")).json() == {"ended": 0}
    assert await lives(home, await home.sign_in("ada")), "the user can sign in again"


async def test_expired_sessions_are_not_counted(home: App) -> None:
    await home.sign_in("ada", lifetimeSeconds=60)
    home.clock.advance(seconds=60)
    assert (await asked(home, "DELETE")).json() == {"ended": 0}


async def test_a_key_ends_one_session_by_its_id(home: App) -> None:
    first = await home.sign_in("ada")
    home.clock.advance(seconds=1)
    second = await home.sign_in("ada")
    newest = (await listed(home))[0]["id"]

    assert (await asked(home, "DELETE", f"{ADAS}/{newest}")).status_code == 204

    assert [await lives(home, token) for token in (first, second)] == [True, False]
    again = await asked(home, "DELETE", f"{ADAS}/{newest}")
    assert (again.status_code, again.json()["type"]) == (404, "/problems/session-not-found")
    assert (await asked(home, "DELETE", f"{USERS}/bob/sessions/{newest}")).json()["type"] == "/problems/user-not-found"


async def test_an_unknown_user_is_404_and_an_erased_one_410(home: App) -> None:
    await home.record(event("gone"))
    await asked(home, "DELETE", f"{USERS}/gone")
    for method in ("GET", "DELETE"):
        for user, status in (("unknown", 404), ("gone", 410)):
            assert (await asked(home, method, f"{USERS}/{user}/sessions")).status_code == status
            if method == "DELETE":
                assert (await asked(home, method, f"{USERS}/{user}/sessions/x")).status_code == status


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_another_process_notices_at_once(engine: str, tmp_path: Path) -> None:
    clock = TestClock(at("2026-01-05T12:00"))
    with ENGINES[engine](tmp_path) as database:
        async with (
            Laurels.open(database, clock=clock) as one,
            Laurels.open(database, clock=clock) as other,
            open_app_over(one, clock) as home,
        ):
            token = await home.sign_in("ada")
            assert await lives(home, token)
            assert await Admin(other).end_sessions("ada") == 1
            assert not await lives(home, token)


# ---- streams ----------------------------------------------------------------------------------


async def test_a_stream_sends_nothing_after_its_session_was_ended(home: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("laurels.http.stream.HEARTBEAT_SECONDS", 0.5)
    token = await home.sign_in("ada")
    async with listening(home, token) as heard:
        await heard.block()
        await asked(home, "DELETE")
        await home.record(event("ada", "agent.created"))
        assert "badge" not in await asyncio.wait_for(_rest(heard), 10)


async def _rest(heard: Heard) -> str:
    await heard.to_the_end()
    return heard.raw.decode()


# ---- who did it -------------------------------------------------------------------------------


async def test_the_audit_and_the_security_log_say_who_ended_how_many(
    home: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await home.sign_in("ada")
    await home.sign_in("ada")
    await asked(home, "DELETE", params={"reason": "a stolen phone"})
    await asked(home, "DELETE")  # nothing to end, so nothing to note

    (row,) = await home.laurels.store.audit(9, only=AuditFilter(kind="user.signed_out"))
    assert row.principal is not None
    assert (row.principal.kind, row.principal.name, row.target) == ("key", "tests", "ada")
    assert row.detail == {"reason": "a stolen phone", "sessions": 2}
    (line,) = [one.getMessage() for one in caplog.records if one.getMessage().startswith("event=user.signed_out")]
    assert "principal=tests" in line
    assert "user=ada sessions=2" in line


async def test_an_operator_ends_sessions_at_the_console(home: App) -> None:
    async with operator_over(home, "sam", role="support") as sam, operator_over(home, "vera", role="viewer") as vera:
        tokens = [await home.sign_in("ada") for _ in range(2)]
        assert not [form for form in (await vera.page(user_page("ada"))).forms if form.action.endswith("/sessions")]

        page = await sam.do(user_page("ada"), "/sessions")

        assert "2 sessions ended." in page.text
        assert not any([await lives(home, token) for token in tokens])
        assert not [form for form in page.forms if form.action.endswith("/sessions")], "there is nothing to end now"
        (row,) = await home.laurels.store.audit(9, only=AuditFilter(kind="user.signed_out"))
        assert row.principal is not None
        assert (row.principal.kind, row.principal.name) == ("operator", "sam")
        assert "signed out sessions 2 ada sam" in (await sam.page("/console/audit?kind=user.signed_out")).text


async def test_a_form_without_the_token_of_the_page_ends_nothing(home: App, work: Operator) -> None:
    token = await home.sign_in("ada")
    form = (await work.page(user_page("ada"))).form("/sessions")
    assert (await work.send(form, token="forged")).status_code == 403  # not a password
    assert await lives(home, token)


# ---- the library ------------------------------------------------------------------------------


async def test_the_library_lists_and_ends_sessions(home: App) -> None:
    admin = Admin(home.laurels)
    token = await home.sign_in("ada")
    (one,) = await admin.sessions("ada")
    with pytest.raises(SessionNotFound):
        await admin.end_sessions("ada", "no-such")
    assert await admin.end_sessions("ada", one.id, "a reason", "anna") == 1
    assert not await lives(home, token)
    with pytest.raises(UserNotFound):
        await admin.sessions("unknown")
    await home.laurels.erase_user("ada")
    with pytest.raises(UserErased):
        await admin.end_sessions("ada")


def test_the_blocking_library_ends_sessions_too(database: str) -> None:
    with BlockingLaurels(database) as laurels:
        laurels.update_user("ada")
        assert laurels.admin.sessions("ada") == []
        assert laurels.admin.end_sessions("ada") == 0


# ---- what would do nothing, and is an error ---------------------------------------------------


async def test_a_key_that_ends_its_own_session_is_told_the_right_address(home: App) -> None:
    token = await home.sign_in("ada")
    for bearer in (home.key, home.key[:-1] + "x"):
        headers = {"authorization": f"Bearer {bearer}"}
        answer = await home.client.delete(SESSIONS, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized")
        assert "DELETE /api/gamification/users/{userId}/sessions" in answer.json()["detail"]
    both = {**home.by_key, "cookie": f"{COOKIE}={token}"}
    assert (await home.client.delete(SESSIONS, headers=both)).status_code == 401
    assert await lives(home, token)
    assert (await home.client.delete(SESSIONS)).status_code == 204, "without a session, there is none any more"
