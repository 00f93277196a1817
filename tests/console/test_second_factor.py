"""The second factor of operators who sign in with a key: setting it up, signing in with it, requiring it, losing it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Literal

import pytest
from pyotp.totp import TOTP

from laurels.auth.keys import remove_second_factor
from laurels.server.app import create_app
from laurels.settings import ConsoleSettings, Settings
from laurels.storage.contract import LIBRARY
from tests.support import proxy, sql
from tests.support.app import App, open_app
from tests.support.operator import SIGN_IN, Operator, Page, operator_over
from tests.support.proxy import open_proxied, operator_by_proxy

pytestmark = pytest.mark.anyio

PATH = "/console/second-factor"
ENDING = "/second-factor"


def requiring(whom: Literal["owner", "editor", "all"]) -> Settings:
    return Settings(console=ConsoleSettings(require_totp=whom))


def code_of(home: App, secret: str, later: int = 0) -> str:
    return TOTP(secret).at(home.clock() + timedelta(seconds=later))


async def set_up(home: App, work: Operator) -> tuple[str, list[str]]:
    """Set up the second factor as an operator does; returns the secret of the app and the recovery codes."""
    page = await work.page(PATH)
    secret = page.form(ENDING).fields["secret"]
    answer = await work.send(page.form(ENDING), key=work.key, code=code_of(home, secret))
    assert answer.status_code == 200, answer.text
    words = Page(answer.text).text.split()
    home.clock.advance(seconds=60)
    return secret, [word for word in words if word.count("-") == 3 and len(word) == 19]


async def is_in(work: Operator) -> bool:
    return (await work.client.get("/console/users")).status_code == 200


async def sign_in(work: Operator, code: str = "") -> int:
    work.client.cookies.clear()
    return (await work.fill(SIGN_IN, key=work.key, code=code)).status_code


async def test_it_is_set_up_in_the_console_and_needed_from_then_on(database: str) -> None:
    async with open_app(database=database) as home, operator_over(home) as work:
        secret, recovery = await set_up(home, work)
        assert len(recovery) == 10
        assert await is_in(work), "the session that set it up goes on"
        assert "Recovery codes left: 10" in (await work.page(PATH)).text

        assert await sign_in(work) == 401
        assert not await is_in(work)
        assert await sign_in(work, code_of(home, secret)) == 303
        assert await is_in(work)
        assert await sign_in(work, code_of(home, secret)) == 401, "it was used"
        assert await sign_in(work, recovery[0]) == 303
        assert "Recovery codes left: 9" in (await work.page(PATH)).text


async def test_other_sessions_of_the_key_end_with_the_set_up(home: App) -> None:
    async with operator_over(home) as work:
        other = Operator(home.app, home.laurels, work.key)
        async with other.client, operator_over(home, "bob") as bob:
            assert (await other.sign_in()).status_code == 303
            await set_up(home, work)
            assert not await is_in(other)
            assert await is_in(work)
            assert await is_in(bob)


async def test_a_session_that_began_without_a_code_while_it_was_set_up_is_worth_nothing(home: App) -> None:
    async with operator_over(home) as work:
        await set_up(home, work)
        (key,) = [row for row in await home.laurels.store.keys() if row.name == "anna"]
        token = await home.app.context.operators.start(key.key_hash)  # as a sign-in that was under way
        work.client.cookies.clear()
        headers = {"cookie": f"laurels-console={token}"}
        assert (await work.client.get("/console/users", headers=headers)).status_code == 303


async def test_the_page_has_a_picture_a_link_and_the_secret_as_text(home: App, work: Operator) -> None:
    answer = await work.client.get(PATH)
    page = Page(answer.text)
    secret = page.form(ENDING).fields["secret"]
    assert " ".join(secret[start : start + 4] for start in range(0, 32, 4)) in page.text
    assert page.links["open it"].startswith("otpauth://totp/Laurels%20laurels.test:anna?secret=" + secret)
    tags = [tag for tag, _ in page.tags]
    assert "svg" in tags
    assert ("div", {"class": "qr", "role": "img", "aria-label": "QR code of the secret below"}) in page.tags
    assert not [found for _, found in page.tags if "style" in found]
    assert "no-store" in answer.headers["cache-control"]
    assert (await work.page(PATH)).form(ENDING).fields["secret"] != secret


async def test_setting_it_up_needs_the_key_a_right_code_and_the_token_of_the_form(home: App, work: Operator) -> None:
    async with operator_over(home, "bob") as bob:
        form = (await work.page(PATH)).form(ENDING)
        code = code_of(home, form.fields["secret"])
        for wrong, status in (
            ({"key": bob.key}, 422),
            ({"key": ""}, 422),
            ({"code": code_of(home, form.fields["secret"], 300)}, 422),
            ({"code": ""}, 422),
            ({"secret": "A" * 8}, 422),
            ({"token": "x"}, 403),
        ):
            home.app.context.sign_in_rate._full_at.clear()
            answer = await work.send(form, **{"key": work.key, "code": code, **wrong})
            assert answer.status_code == status, wrong
            assert work.key not in answer.text
        assert (await work.send(form, {"origin": "https://evil.test"}, key=work.key, code=code)).status_code == 403
        assert await sql(home.laurels.store, "SELECT count(*) FROM second_factors") == [(0,)]
        answer = await work.send(form, key=work.key, code=code_of(home, form.fields["secret"], 300))
        assert Page(answer.text).form(ENDING).fields["secret"] == form.fields["secret"], "the app has scanned this one"


async def test_wrong_codes_count_as_failed_sign_ins_and_a_missing_one_does_not(
    home: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with operator_over(home) as work:
        secret, _ = await set_up(home, work)
        assert await sign_in(work) == 401
        assert "key needs a code" in Page((await work.fill(SIGN_IN, key=work.key)).text).text
        assert [row for row in await home.laurels.store.audit(99) if row.kind == "operator.sign_in_failed"] == []
        home.app.context.sign_in_rate._full_at.clear()
        assert await sign_in(work, "000000") == 401
        (row,) = [row for row in await home.laurels.store.audit(99) if row.kind == "operator.sign_in_failed"]
        assert dict(row.detail) == {"key": "anna", "hint": work.key[:18], "why": "wrong code"}
        assert await sign_in(work, code_of(home, secret)) == 303
        kinds = {row.kind: dict(row.detail) for row in await home.laurels.store.audit(99)}
        assert kinds["operator.signed_in"] in ({}, {"second_factor": "code"})
        assert "key.second_factor_added" in kinds
    assert 'why="wrong code"' in caplog.text
    assert "second_factor=code" in caplog.text
    assert secret not in caplog.text


async def test_a_wrong_key_with_a_code_says_nothing_of_the_code(home: App) -> None:
    async with operator_over(home) as work:
        await set_up(home, work)
        work.client.cookies.clear()
        answer = await work.fill(SIGN_IN, key=work.key[:-1] + "x", code="000000")
        assert "unknown or was revoked" in Page(answer.text).text
        (row,) = await sql(home.laurels.store, "SELECT failed FROM second_factors")
        assert row == (0,)


@pytest.mark.parametrize(
    ("whom", "role", "is_required"),
    [
        ("all", "viewer", True),
        ("owner", "owner", True),
        ("owner", "editor", False),
        ("editor", "owner", True),
        ("editor", "editor", True),
        ("editor", "support", False),
    ],
)
async def test_who_must_have_one_can_do_nothing_before(
    whom: Literal["owner", "editor", "all"], role: str, *, is_required: bool
) -> None:
    async with open_app(settings=requiring(whom)) as home, operator_over(home, role=role) as work:
        answer = await work.client.get("/console/users")
        assert answer.status_code == (303 if is_required else 200)
        if is_required:
            assert answer.headers["location"] == PATH
            page = await work.page(PATH)
            assert "Your role needs a second factor" in page.text
            sent = {"token": page.form(ENDING).fields["token"], "reason": "x"}
            refused = await work.client.post("/console/amnesties", data=sent)
            assert refused.status_code == 403
            assert "no second factor" in Page(refused.text).text
            await set_up(home, work)
            assert await is_in(work)
            page = await work.page("/console/users")
        else:
            page = await work.page("/console/users")
        assert (await work.send(page.forms[0])).status_code == 303  # signs out


async def test_who_must_have_one_can_sign_out_before() -> None:
    async with open_app(settings=requiring("all")) as home, operator_over(home) as work:
        page = await work.page(PATH)
        assert (await work.send(page.forms[0])).headers["location"] == SIGN_IN


async def test_removing_it_on_the_server_ends_the_sessions_and_lets_it_be_set_up_again(home: App) -> None:
    async with operator_over(home) as work, operator_over(home, "bob") as bob:
        secret, recovery = await set_up(home, work)
        (key,) = [row for row in await home.laurels.store.keys() if row.name == "anna"]
        assert await remove_second_factor(home.laurels.store, key, home.clock(), LIBRARY)
        assert not await remove_second_factor(home.laurels.store, key, home.clock(), LIBRARY)
        assert not await is_in(work)
        assert await is_in(bob)
        assert await sign_in(work) == 303
        again, _ = await set_up(home, work)
        assert again != secret
        home.app.context.sign_in_rate._full_at.clear()
        assert await sign_in(work, code_of(home, secret)) == 401
        assert await sign_in(work, recovery[0]) == 401
        assert await sign_in(work, code_of(home, again)) == 303


async def test_who_signs_in_through_the_proxy_has_no_code_here() -> None:
    async with open_proxied() as home, operator_by_proxy(home, "anna@example.com") as work:
        page = await work.page(PATH)
        assert "through the proxy" in page.text
        assert [form.action for form in page.forms] == ["/console/sign-out"]
        token = page.forms[0].fields["token"]
        answer = await work.client.post(PATH, data={"token": token, "key": "x", "code": "1", "secret": "A" * 32})
        assert answer.status_code == 422
        assert await sql(home.laurels.store, "SELECT count(*) FROM second_factors") == [(0,)]


async def test_a_required_code_is_not_asked_of_who_comes_through_the_proxy() -> None:
    one = proxy.settings("both")
    settings = Settings(console=ConsoleSettings(sign_in="both", require_totp="all", proxy=one.console.proxy))
    async with open_app(settings=settings) as home, operator_by_proxy(home, "anna@example.com") as work:
        assert await is_in(work)


async def test_another_process_with_another_setting_asks_too(home: App) -> None:
    async with operator_over(home) as work:
        strict = Operator(create_app(home.laurels, requiring("all")), home.laurels, work.key)
        strict.client.cookies = work.client.cookies
        async with strict.client:
            assert (await strict.client.get("/console/users")).headers["location"] == PATH
        assert await is_in(work)
