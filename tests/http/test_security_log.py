"""The security log: what it says of each event, that it never has a secret, and that it is bounded."""

from __future__ import annotations

import json
import logging

import pytest

from laurels.auth.keys import PREFIX, RANDOM_LETTERS, Rights, _check_letters, create_key, revoke_key
from laurels.server.run import JsonLines
from laurels.service.security_log import LINES_OF_ALL, LINES_OF_ONE, SecurityLog
from laurels.settings import LimitSettings, LogSettings, ServerSettings, Settings
from laurels.storage.contract import LIBRARY
from tests.support.app import COOKIE, USERS, App, event, open_app
from tests.support.operator import Operator

pytestmark = pytest.mark.anyio

LOGGER = "laurels.security"


@pytest.fixture(autouse=True)
def recorded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def lines(caplog: pytest.LogCaptureFixture, event: str = "") -> list[str]:
    of_log = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    return [line for line in of_log if line.startswith(f"event={event}")]


async def test_a_change_names_its_principal_address_and_request(home: App, caplog: pytest.LogCaptureFixture) -> None:
    headers = {**home.by_key, "x-request-id": "r-1"}
    await home.client.put(f"{USERS}/ada", json={"name": "Ada"}, headers=headers)
    (line,) = lines(caplog, "user.changed")
    assert line.startswith(
        "event=user.changed principal_kind=key principal=tests address=127.0.0.1 request_id=r-1 user=ada"
    )


async def test_ids_of_users_are_hashed_where_the_setting_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with open_app(settings=Settings(log=LogSettings(user_ids="hashed"))) as home:
        await home.client.put(f"{USERS}/unmistakable", json={"name": "A"}, headers=home.by_key)
        await home.client.delete(f"{USERS}/unmistakable", headers=home.by_key)
    assert len(lines(caplog, "user.")) == 2
    assert "unmistakable" not in "".join(lines(caplog))
    assert "user=user-" in lines(caplog, "user.changed")[0]


async def test_refused_credentials_are_named_and_never_repeated(home: App, caplog: pytest.LogCaptureFixture) -> None:
    revoked = await create_key(home.laurels.store, "old", home.clock())
    await revoke_key(home.laurels.store, "old", home.clock(), LIBRARY)
    admin = await create_key(home.laurels.store, "anna", home.clock(), "admin")
    for bearer in (revoked, admin, "my password"):
        await home.client.get(f"{USERS}/ada", headers={"authorization": f"Bearer {bearer}"})
    old, other, unknown = lines(caplog, "request.unauthorized")
    assert "key=old" in old
    assert "why=revoked" in old
    assert "key=anna" in other
    assert "password" not in unknown


async def test_rates_forms_and_origins_that_are_refused_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(limits=LimitSettings(key_rate=1), server=ServerSettings())
    async with open_app(settings=settings) as home:
        for _ in range(7):
            await home.client.get(f"{USERS}/ada", headers=home.by_key)
        key = await create_key(home.laurels.store, "anna", home.clock(), "admin")
        work = Operator(home.app, home.laurels, key)
        async with work.client:
            form = (await work.page("/console/sign-in")).form("sign-in")
            await work.send(form, {"origin": "https://evil.example"}, key=key)
        asked = {"origin": "https://evil.example", "access-control-request-method": "PUT"}
        await home.client.options(f"{USERS}/ada", headers=asked)
    assert "principal_kind=key principal=tests" in lines(caplog, "request.rate_limited")[0]
    assert len(lines(caplog, "form.refused")) == 1
    assert "origin=https://evil.example" in lines(caplog, "origin.refused")[0]


async def test_no_log_has_a_secret_that_was_used(caplog: pytest.LogCaptureFixture) -> None:
    async with open_app() as home:
        token = await home.sign_in("ada")
        admin = await create_key(home.laurels.store, "anna", home.clock(), "admin")
        revoked = await create_key(home.laurels.store, "old", home.clock(), "admin")
        await revoke_key(home.laurels.store, "old", home.clock(), LIBRARY)
        work = Operator(home.app, home.laurels, admin)
        secrets = [home.key, token, admin, revoked, "my-typed-password"]
        async with work.client:
            for key in (revoked, home.key, "my-typed-password", admin):
                await work.sign_in(key)
            secrets += [value for _, value in work.client.cookies.items()]
            page = await work.page("/console")
            secrets += [form.fields["token"] for form in page.forms if "token" in form.fields]
            await work.send(next(form for form in page.forms if "sign-out" in form.action))
        await home.visit(token + "x")
        await home.client.get(f"{USERS}/ada", headers={"authorization": f"Bearer {revoked}"})
        await home.client.get(f"{USERS}/ada", headers={"cookie": f"{COOKIE}={token}"})
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert len(lines(caplog)) >= 6
    assert [secret for secret in secrets if secret in text] == []


async def test_the_lines_of_one_cause_and_of_all_are_bounded_and_counted(
    home: App, caplog: pytest.LogCaptureFixture
) -> None:
    second = 0.0
    log = SecurityLog(home.laurels.store, lambda: second)
    for number in range(1000):
        await log.write("a", None, "192.0.2.1", None, {}, is_failure=True)
        await log.write("b", None, f"192.0.2.{number}", None, {}, is_failure=True)
    assert len(lines(caplog, "a")) == LINES_OF_ONE
    assert len(lines(caplog)) == LINES_OF_ALL
    second = 1.0
    await log.write("a", None, "192.0.2.1", None, {}, is_failure=True)
    assert f"event=a left_out={1000 - LINES_OF_ONE}" in lines(caplog)


async def test_a_key_that_is_named_is_logged_whatever_others_try(home: App, caplog: pytest.LogCaptureFixture) -> None:
    log = SecurityLog(home.laurels.store, lambda: 0.0)
    for number in range(100):
        await log.write("a", None, "192.0.2.1", None, {"why": "unknown"}, is_failure=True)
        await log.write("a", None, f"192.0.2.{number}", None, {}, is_failure=True)
    for field, name in (("key", "anna"), ("key", "bob"), ("operator", "anna@example.com")):
        for _ in range(100):
            await log.write("a", None, "192.0.2.1", None, {field: name}, is_failure=True)
        assert len([line for line in lines(caplog, "a") if line.endswith(f"{field}={name}")]) == LINES_OF_ONE


async def test_a_refused_key_is_named_with_the_reason_among_guesses(
    home: App, caplog: pytest.LogCaptureFixture
) -> None:
    ends = Rights(expires_at=home.clock())
    expired = await create_key(home.laurels.store, "late", home.clock(), rights=ends)
    unknown = await create_key(home.laurels.store, "gone", home.clock())
    await home.laurels.store.revoke_key("gone", home.clock())
    guess = hash_like(unknown)
    for bearer in (*[guess] * 20, expired, unknown):
        await home.client.get(f"{USERS}/ada", headers={"authorization": f"Bearer {bearer}"})
    of = lines(caplog, "request.unauthorized")
    assert [line for line in of if "key=late" in line and "why=expired" in line]
    assert [line for line in of if "key=gone" in line and "why=revoked" in line]
    assert len([line for line in of if "why=unknown" in line]) == LINES_OF_ONE


def hash_like(key: str) -> str:
    """Another key in the form of this one."""
    secret = key.removeprefix(PREFIX)[:RANDOM_LETTERS][::-1]
    return PREFIX + secret + _check_letters(secret)


async def test_refusals_never_crowd_out_what_was_done(home: App, caplog: pytest.LogCaptureFixture) -> None:
    log = home.laurels.core.security
    for number in range(100):
        await log.write("request.unauthorized", None, f"192.0.2.{number}", None, {}, is_failure=True)
    for number in range(LINES_OF_ALL + LINES_OF_ONE):
        path = f"{USERS}/user-{number}"
        assert (await home.client.put(path, json={"name": "A"}, headers=home.by_key)).status_code == 200
    assert len(lines(caplog, "user.changed")) == LINES_OF_ALL + LINES_OF_ONE


async def test_lines_left_out_are_counted_when_the_second_is_over_and_when_the_database_is_closed(
    home: App, caplog: pytest.LogCaptureFixture
) -> None:
    second = 0.0
    log = SecurityLog(home.laurels.store, lambda: second)
    for _ in range(20):
        await log.write("a", None, "192.0.2.1", None, {}, is_failure=True)
    await log.save()
    assert "left_out" not in "".join(lines(caplog))
    second = 1.0
    await log.save()
    assert f"event=a left_out={20 - LINES_OF_ONE}" in lines(caplog)

    async with open_app() as other:
        for _ in range(20):
            await other.client.get(f"{USERS}/ada", headers={"authorization": "Bearer wrong"})
        caplog.clear()
    assert any(line.startswith("event=request.unauthorized left_out=") for line in lines(caplog))


async def test_a_value_cannot_forge_a_line_or_a_field(home: App, caplog: pytest.LogCaptureFixture) -> None:
    log = SecurityLog(home.laurels.store)
    await log.write("a", None, None, None, {"user": 'x" event=b\nevent=c \u202e'})
    assert lines(caplog) == ['event=a user="x\\" event=b\\nevent=c \\u202e"']


def test_json_lines_have_the_fields_of_an_event() -> None:
    record = logging.LogRecord(LOGGER, logging.WARNING, "f", 1, "event=%s", ("a",), None)
    record.fields = {"event": "a", "principal": "my-app"}
    line = json.loads(JsonLines().format(record))
    assert (line["level"], line["event"], line["principal"]) == ("warning", "a", "my-app")


async def test_changes_by_hand_are_logged_by_their_kind(home: App, caplog: pytest.LogCaptureFixture) -> None:
    await home.record(event("ada", "message.sent", "m-1"))
    why = {"reason": "a test", "actor": "anna"}
    gift = {"id": "gift", "kind": "points", "amount": 5, **why}
    for _ in range(2):
        await home.client.post(f"{USERS}/ada/adjustments", json=gift, headers=home.by_key)
    many = {"events": [{"userId": "ada", "eventId": "m-1"}], **why}
    await home.client.post("/api/gamification/events/reversals", json=many, headers=home.by_key)

    (given,) = lines(caplog, "adjustment.points")
    assert "principal_kind=key principal=tests" in given
    assert given.endswith("user=ada adjustment=gift")
    (reversed_,) = lines(caplog, "adjustment.reversals")
    assert reversed_.endswith("events=1")
