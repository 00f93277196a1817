"""Signing in to the console through a proxy: a session needs its cookie and the proxy's header, and who it is stays clear."""

from __future__ import annotations

import logging

import pytest

from laurels.auth.keys import Rights, create_key
from laurels.errors import SettingsError
from laurels.server.app import create_app
from laurels.settings import AuthSettings, ConsoleSettings, HeaderName, ProxySettings, Settings
from laurels.storage.contract import Principal
from tests.support import proxy, sql
from tests.support.app import App, event, open_app
from tests.support.operator import SIGN_IN, Operator, Page, at, operator_over
from tests.support.proxy import (
    ADDRESS,
    CONNECTION,
    GROUPS,
    HEADER,
    connected,
    from_proxy,
    open_proxied,
    operator_by_proxy,
)

pytestmark = pytest.mark.anyio

ANNA = "anna@example.com"
COOKIE = "laurels-console"


async def status(work: Operator, **headers: str) -> int:
    """The status of a page for this browser, with these headers instead of the proxy's."""
    sent = {name: value for name, value in work.client.headers.items() if name not in (HEADER, GROUPS, CONNECTION)}
    work.client.headers = {**sent, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return (await work.client.get("/console/users")).status_code


async def test_the_proxy_names_the_operator_who_continues_with_one_click() -> None:
    async with open_proxied() as home, operator_by_proxy(home, ANNA, signed_in=False) as work:
        asked = await work.client.get("/console/users?q=ada")
        page = await work.page(asked.headers["location"])
        assert f"Continue as {ANNA}" in page.text
        assert "Admin key" not in page.text
        answer = await work.send(page.form())

        assert (answer.status_code, answer.headers["location"]) == (303, "/console/users?q=ada")
        assert ANNA in (await work.page("/console/users")).text


async def test_a_session_is_worth_nothing_without_the_proxy_and_the_same_name() -> None:
    async with open_proxied("both") as home, operator_by_proxy(home, ANNA) as work:
        assert await status(work, **from_proxy(ANNA)) == 200
        assert await status(work) == 303
        assert await status(work, x_forwarded_user=ANNA) == 303
        assert await status(work, **from_proxy(ANNA, address="10.0.0.6")) == 303
        assert await status(work, x_forwarded_user=ANNA, x_forwarded_for=ADDRESS, x_real_ip=ADDRESS) == 303
        assert await status(work, **from_proxy("sam@example.com")) == 303
        assert await status(work, **from_proxy("Anna@example.com")) == 303
        assert await status(work, **from_proxy("")) == 303
        assert await status(work, **from_proxy(ANNA)) == 200


async def test_the_header_alone_signs_no_one_in() -> None:
    async with open_proxied() as home, operator_by_proxy(home, ANNA, signed_in=False) as work:
        assert await status(work, **from_proxy(ANNA)) == 303
        form = (await work.page(SIGN_IN)).form()
        for wrong in ({"token": "x"}, {"token": ""}):
            assert (await work.send(form, **wrong)).status_code == 403
        assert (await work.send(form, {"origin": "https://evil.test"})).status_code == 403
        assert (await work.send(form, {"sec-fetch-site": "cross-site"})).status_code == 403
        work.client.cookies.clear()
        assert (await work.send(form)).status_code == 403
        assert await status(work, **from_proxy(ANNA)) == 303


@pytest.mark.parametrize("headers", [{}, {HEADER: ANNA}, {HEADER: ANNA, "x-forwarded-for": ADDRESS}])
async def test_who_does_not_come_through_the_proxy_is_told_so(headers: dict[str, str]) -> None:
    async with open_proxied() as home:
        work = Operator(home.app, home.laurels, "")
        work.client.headers.update(headers)
        async with work.client:
            page = await work.page(SIGN_IN)
            assert "did not come through it" in page.text
            assert page.forms == []
            cookie = {"cookie": f"{COOKIE}-form=" + "a" * 32}
            for data in ({"by": "proxy", "token": "x"}, {"key": "x", "token": "x"}):
                assert (await work.client.post(SIGN_IN, data=data, headers=cookie)).status_code == 403
            assert await sql(home.laurels.store, "SELECT count(*) FROM operator_sessions") == [(0,)]


async def test_a_header_that_is_there_twice_is_refused_on_every_page(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with (
        open_proxied("both") as home,
        operator_over(home, "olga") as by_key,
        operator_by_proxy(home, ANNA) as work,
    ):
        token = f"{COOKIE}=" + next(one.value for one in by_key.client.cookies.jar if one.name == COOKIE)
        twice = [(CONNECTION, ADDRESS), (HEADER, "olga"), (HEADER, ANNA)]
        for path in (SIGN_IN, "/console/users"):
            answer = await work.client.get(path, headers=[*twice, ("cookie", token)])
            assert answer.status_code == 400
            assert "must replace a header that a client sends" in Page(answer.text).text
        joined = await work.client.get("/console/users", headers={**from_proxy("olga, " + ANNA)})
        assert joined.status_code == 400
    assert "event=identity.refused" in caplog.text


async def test_roles_come_from_names_and_groups_and_change_at_once() -> None:
    async with open_proxied() as home:
        await home.record(event("ada"))
        for name, groups, role in (
            ("vera@example.com", None, "viewer"),
            ("sam@example.com", "staff", "support"),
            ("new@example.com", "staff,editors of days", "editor"),
            (ANNA, "", "owner"),
        ):
            async with operator_by_proxy(home, name, groups) as work:
                may = [
                    (await work.client.get(path)).status_code for path in (at("ada", "/reverse?event=message.sent"),)
                ]
                assert may == [403 if role == "viewer" else 200], name
                work.client.headers[HEADER], work.client.headers[GROUPS] = name, "editors"
                amnesties = (await work.page("/console/amnesties")).forms
                assert len(amnesties) > 1, "the group of this request gives a role"


async def test_who_has_no_role_gets_no_session_and_is_in_the_audit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_proxied() as home, operator_by_proxy(home, "bob@example.com", "others", signed_in=False) as work:
        page = await work.page(SIGN_IN)
        assert "no role here" in page.text
        answer = await work.send(page.form())
        assert answer.status_code == 403
        assert "console.proxy.names" in Page(answer.text).text
        assert await sql(home.laurels.store, "SELECT count(*) FROM operator_sessions") == [(0,)]
        rows = [row for row in await home.laurels.store.audit(9) if row.kind == "operator.sign_in_failed"]
        assert [dict(row.detail) for row in rows] == [{"operator": "bob@example.com", "why": "no role"}]
    assert "operator=bob@example.com" in caplog.text


async def test_an_operator_who_loses_the_role_can_do_nothing_more() -> None:
    async with open_proxied() as home, operator_by_proxy(home, "bob@example.com", "staff") as work:
        assert await status(work, **from_proxy("bob@example.com", "staff")) == 200
        assert await status(work, **from_proxy("bob@example.com", "others")) == 403
        assert await status(work, **from_proxy("bob@example.com")) == 403


async def test_a_name_from_the_proxy_is_never_that_of_an_admin_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with (
        open_proxied("both") as home,
        operator_over(home, "anna") as by_key,
        operator_by_proxy(home, "anna") as work,
    ):
        await home.record(event("ada"))
        await by_key.do(at("ada", "/adjustments/grant"), badge="early_adopter", reason="by key")
        await work.do(at("ada", "/adjustments/points"), amount="5", reason="by proxy")
        newest = await home.laurels.store.newest_adjustments(2)
        assert {row.reason: row.principal for row in newest} == {
            "by proxy": Principal("proxy", "anna"),
            "by key": Principal("operator", "anna"),
        }
        signed_in = {row.principal for row in await home.laurels.store.audit(9) if row.kind == "operator.signed_in"}
        assert signed_in == {Principal("proxy", "anna"), Principal("operator", "anna")}
        assert "anna (by proxy)" in (await work.page("/console/audit")).text
        await home.laurels.store.revoke_key("anna", home.clock())
        assert (await work.client.get("/console/users")).status_code == 200
        assert (await by_key.client.get("/console/users")).status_code == 303
    assert "event=operator.signed_in principal_kind=proxy principal=anna " in caplog.text


async def test_keys_and_the_proxy_can_be_switched_off() -> None:
    async with open_app() as home, operator_over(home) as work:
        one = Operator(create_app(home.laurels, proxy.settings()), home.laurels, work.key)
        one.client.cookies = work.client.cookies
        async with one.client:
            assert (await one.client.get("/console/users")).status_code == 303
            cookie = {"cookie": f"{COOKIE}-form=" + "a" * 32}
            page = await one.client.get(SIGN_IN, headers=cookie)
            assert page.status_code == 200
        async with open_proxied("both") as both, operator_by_proxy(both, ANNA) as by_proxy:
            off = Operator(connected(create_app(both.laurels, proxy.settings("key"))), both.laurels, "")
            off.client.cookies, off.client.headers = by_proxy.client.cookies, by_proxy.client.headers
            async with off.client:
                assert (await off.client.get("/console/users")).status_code == 303
                assert "Continue as" not in (await off.page(SIGN_IN)).text


async def test_a_key_is_refused_where_only_the_proxy_signs_in() -> None:
    async with open_proxied() as home, operator_by_proxy(home, ANNA, signed_in=False) as work:
        key = await create_key(home.laurels.store, "anna", home.clock(), "admin", rights=Rights())
        form = (await work.page(SIGN_IN)).form()
        answer = await work.send(form, by="", key=key)
        assert answer.status_code == 403
        assert "no admin keys" in Page(answer.text).text
        assert await sql(home.laurels.store, "SELECT count(*) FROM operator_sessions") == [(0,)]


async def test_a_session_by_proxy_ends_as_others_do(database: str) -> None:
    auth = AuthSettings(operator_hours=1, operator_idle_minutes=20)
    async with open_app(settings=proxy.settings(auth=auth), database=database) as home:
        async with operator_by_proxy(home, ANNA) as work:
            for _ in range(3):
                home.clock.advance(hours=19 / 60)
                assert await status(work, **from_proxy(ANNA)) == 200
            home.clock.advance(hours=4 / 60)
            assert await status(work, **from_proxy(ANNA)) == 303
        async with operator_by_proxy(home, ANNA) as work:
            home.clock.advance(hours=21 / 60)
            assert await status(work, **from_proxy(ANNA)) == 303
        async with operator_by_proxy(home, ANNA) as work:
            ended = await work.send((await work.page("/console/users")).forms[0])
            assert (ended.status_code, ended.headers["location"]) == (303, SIGN_IN)
            assert await status(work, **from_proxy(ANNA)) == 303
            assert (await work.page(SIGN_IN)).links["Sign out of the proxy"] == "/oauth2/sign_out"


async def test_nothing_in_the_database_names_or_opens_a_session_by_proxy(database: str) -> None:
    async with open_app(settings=proxy.settings(), database=database) as home, operator_by_proxy(home, ANNA) as work:
        (row,) = await sql(home.laurels.store, "SELECT * FROM operator_sessions")
        token = next(one.value for one in work.client.cookies.jar if one.name == COOKIE)
        assert token.encode() not in b"".join(bytes(value) for value in row if isinstance(value, bytes))
        work.client.cookies.clear()
        for value in (value for value in row if isinstance(value, bytes)):
            cookie = {"cookie": f"{COOKIE}=laurels_operator_{value.hex()}"}
            assert (await work.client.get("/console/users", headers=cookie)).status_code == 303


async def test_an_unsafe_setting_is_refused_at_the_start(home: App) -> None:
    for wrong in (
        ConsoleSettings(sign_in="proxy"),
        ConsoleSettings(sign_in="both"),
        ConsoleSettings(proxy=ProxySettings(header=HeaderName("X-Forwarded-User"))),
    ):
        with pytest.raises(SettingsError):
            create_app(home.laurels, Settings(console=wrong))
