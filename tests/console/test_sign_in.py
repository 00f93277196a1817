"""Access to the console: keys, cookies, forms, and pages of other sites."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx2
import pytest

from laurels.auth.keys import Rights, create_key, is_well_formed
from laurels.console.guards import own_path
from laurels.settings import AuthSettings, ServerSettings, Settings
from laurels.site.static import address
from tests.support import sql
from tests.support.app import USERS, App, event, open_app
from tests.support.operator import ORIGIN, SIGN_IN, Operator, Page, at, operator_over

pytestmark = pytest.mark.anyio

COOKIE = "laurels-console"
PAGES = (
    "/console",
    "/console/users",
    "/console/users/ada",
    "/console/users/ada/adjustments/grant",
    "/console/amnesties",
    "/console/audit",
    "/console/catalog",
    "/console/health",
)


def is_in(answer: httpx2.Response) -> bool:
    return answer.status_code == 303 and f"{COOKIE}=" in answer.headers.get("set-cookie", "")


def cookie_of(work: Operator) -> str:
    return next(one.value for one in work.client.cookies.jar if one.name == COOKIE)


def with_cookie(work: Operator, value: str) -> None:
    work.client.cookies.clear()
    work.client.cookies.set(COOKIE, value, path="/console")


# ---- keys -------------------------------------------------------------------------------------


async def test_an_admin_key_signs_in_and_redirects_to_the_requested_page(home: App) -> None:
    async with operator_over(home, signed_in=False) as work:
        asked = await work.client.get("/console/users?q=ada")
        answer = await work.sign_in(path=asked.headers["location"])

        assert asked.status_code == 303
        assert is_in(answer)
        assert answer.headers["location"] == "/console/users?q=ada"
        assert "anna" in (await work.page("/console/users")).text


async def test_an_api_key_is_refused_and_the_message_names_the_command_for_an_admin_key(home: App) -> None:
    async with operator_over(home, signed_in=False) as work:
        answer = await work.sign_in(home.key)

        assert answer.status_code == 401
        assert "laurels key create --admin" in Page(answer.text).text
        assert home.key not in answer.text
        assert (await work.client.get("/console/users")).status_code == 303


async def test_the_api_refuses_an_admin_key_and_says_what_to_send(home: App, work: Operator) -> None:
    headers = {"authorization": f"Bearer {work.key}"}
    for answer in (
        await home.client.put(f"{USERS}/ada", json={}, headers=headers),
        await home.client.post("/api/gamification/events", json=[], headers=headers),
        await home.client.get("/api/gamification/leaderboards/points", headers=headers),
    ):
        assert answer.status_code == 401
        assert "laurels key create --name my-app" in answer.json()["detail"]


async def test_both_kinds_of_key_have_their_own_prefix(home: App, work: Operator) -> None:
    assert re.fullmatch(r"laurels_admin_[A-Za-z0-9]{46}", work.key)
    assert is_well_formed(work.key)
    assert not is_well_formed(work.key[:-1] + ("a" if work.key[-1] != "a" else "b"))
    assert not is_well_formed(work.key.replace("admin", "key")[:-1])


async def test_the_role_of_a_key_cannot_be_changed(home: App) -> None:
    async with operator_over(home, signed_in=False) as work:
        assert (await work.sign_in(home.key.replace("laurels_key_", "laurels_admin_"))).status_code == 401
        as_app = {"authorization": f"Bearer {work.key.replace('laurels_admin_', 'laurels_key_')}"}
        assert (await home.client.put(f"{USERS}/ada", json={}, headers=as_app)).status_code == 401


@pytest.mark.parametrize("key", ["", " ", "laurels_admin_", "a" * 60_000, "pass\x00word", "<script>", "ключ"])
async def test_an_invalid_key_is_refused_and_never_shown(home: App, key: str) -> None:
    async with operator_over(home, signed_in=False) as work:
        answer = await work.sign_in(key or " ")

        assert answer.status_code == 401
        assert "unknown or was revoked" in Page(answer.text).text
        assert Page(answer.text).form().fields["key"] == ""


async def test_a_revoked_key_is_refused_and_ends_its_sessions_at_once(home: App, work: Operator) -> None:
    assert (await work.client.get("/console/users")).status_code == 200

    await home.laurels.store.revoke_key("anna", home.clock())

    assert (await work.client.get("/console/users")).status_code == 303
    assert (await work.sign_in()).status_code == 401


async def test_another_key_under_the_same_name_does_not_revive_a_session(home: App, work: Operator) -> None:
    await home.laurels.store.revoke_key("anna", home.clock())
    await create_key(home.laurels.store, "anna", home.clock(), "admin")

    assert (await work.client.get("/console/users")).status_code == 303


async def test_guessing_is_slowed_down_and_a_valid_key_works_after_the_wait(home: App) -> None:
    async with operator_over(home, signed_in=False) as work:
        answers = [await work.sign_in("laurels_admin_guess") for _ in range(12)]

        assert [answer.status_code for answer in answers[:5]] == [401] * 5
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert "Wait a few seconds" in Page(answers[-1].text).text


async def test_who_guesses_behind_the_same_proxy_slows_no_one_else_down(
    home: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rights = Rights(expires_at=home.clock() + timedelta(hours=1))
    async with operator_over(home, "anna", signed_in=False) as work:
        late = await create_key(home.laurels.store, "bob", home.clock(), "admin", rights=rights)
        home.clock.advance(hours=2)
        for _ in range(9):
            await work.sign_in("laurels_admin_guess")
        assert (await work.sign_in("laurels_admin_guess")).status_code == 429

        assert (await work.sign_in()).status_code == 303, "a valid key waits for no one"
        work.client.cookies.clear()
        for _ in range(5):
            assert "expired" in Page((await work.sign_in(late)).text).text, "a key that is named has its own rate"
        assert (await work.sign_in(late)).status_code == 429
        assert (await work.sign_in()).status_code == 303
        await home.app.context.failed_sign_ins.save()
        rows = [row for row in await home.laurels.store.audit(99) if row.kind == "operator.sign_in_failed"]
        assert {(row.detail.get("key"), row.times) for row in rows} == {(None, 5), ("bob", 5)}
    limited = [record.getMessage() for record in caplog.records if "request.rate_limited" in record.getMessage()]
    assert any("key=bob" in line for line in limited)


async def test_a_valid_key_has_a_rate_too(work: Operator) -> None:
    answers = list[int]()
    for _ in range(9):
        work.client.cookies.clear()
        answers.append((await work.sign_in()).status_code)
    assert answers[:4] == [303] * 4
    assert answers[-1] == 429


# ---- cookies ----------------------------------------------------------------------------------


async def test_the_cookie_is_limited_to_the_console_and_hidden_from_scripts(work: Operator) -> None:
    parts = (await work.sign_in(path=await signed_out(work))).headers["set-cookie"].split("; ")

    assert parts[0].startswith("laurels-console=laurels_operator_")
    assert set(parts[1:]) == {"Path=/console", "HttpOnly", "SameSite=Strict", "Max-Age=43200"}


async def signed_out(work: Operator) -> str:
    work.client.cookies.clear()
    return SIGN_IN


async def test_over_https_no_other_host_of_the_domain_can_set_the_cookie() -> None:
    async with open_app() as home:
        key = await create_key(home.laurels.store, "anna", home.clock(), "admin")
        work = Operator(home.app, home.laurels, key, "https://laurels.test")
        async with work.client:
            parts = (await work.sign_in()).headers["set-cookie"].split("; ")
            assert parts[0].startswith("__Host-laurels-console=laurels_operator_")
            assert set(parts[1:]) == {"Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200", "Secure"}
            assert (await work.client.get("/console/users")).status_code == 200
            ended = await work.send((await work.page("/console/users")).forms[0])
            assert ended.headers["set-cookie"].startswith("__Host-laurels-console=; Path=/; Max-Age=0;")
            work.client.cookies.clear()
            work.client.cookies.set(COOKIE, parts[0].partition("=")[2], path="/console")
            assert (await work.client.get("/console/users")).status_code == 303


async def test_a_cookie_that_is_no_session_does_not_hide_one(work: Operator) -> None:
    held = cookie_of(work)
    work.client.cookies.clear()
    junk = f"; {COOKIE}=".join(f"junk-{number}" for number in range(500))
    dead = f"; {COOKIE}=".join(f"laurels_operator_{number:043}" for number in range(199))
    for sent, status in (("junk", 200), ("laurels_operator_x", 200), (junk, 200), (dead, 200), (dead + "0", 200)):
        headers = {"cookie": f"{COOKIE}={sent}; {COOKIE}={held}"}
        assert (await work.client.get("/console/users", headers=headers)).status_code == status


async def test_the_sign_in_says_why_a_browser_over_http_has_no_cookie() -> None:
    settings = Settings(server=ServerSettings(host="0.0.0.0"))
    async with open_app(settings=settings) as home, operator_over(home, signed_in=False) as work:
        answer = await work.sign_in()

        assert answer.status_code == 403
        assert "auth.cookie_secure" in Page(answer.text).text


async def test_a_session_in_use_ends_after_twelve_hours(home: App, work: Operator) -> None:
    for _ in range(47):
        home.clock.advance(hours=0.25)
        assert (await work.client.get("/console/users")).status_code == 200
    home.clock.advance(hours=0.3)
    assert (await work.client.get("/console/users")).status_code == 303
    home.clock.advance(hours=-13)
    assert (await work.client.get("/console/users")).status_code == 303  # made in what is now the future


async def test_a_session_that_is_not_used_ends_after_half_an_hour(home: App, work: Operator) -> None:
    home.clock.advance(hours=0.49)
    assert (await work.client.get("/console/users")).status_code == 200
    home.clock.advance(hours=0.49)
    assert (await work.client.get("/console/users")).status_code == 200
    home.clock.advance(hours=0.51)
    assert (await work.client.get("/console/users")).status_code == 303


async def test_how_long_a_session_lasts_can_be_set() -> None:
    settings = Settings(auth=AuthSettings(operator_hours=1, operator_idle_minutes=2))
    async with open_app(settings=settings) as home, operator_over(home, signed_in=False) as work:
        assert "Max-Age=3600" in (await work.sign_in()).headers["set-cookie"]
        for _ in range(31):
            assert (await work.client.get("/console/users")).status_code == 200
            home.clock.advance(seconds=115)
        assert (await work.client.get("/console/users")).status_code == 200
        home.clock.advance(seconds=70)
        assert (await work.client.get("/console/users")).status_code == 303
        await work.sign_in()
        home.clock.advance(seconds=121)
        assert (await work.client.get("/console/users")).status_code == 303


async def test_the_use_of_a_session_is_stored_once_a_minute(home: App, work: Operator) -> None:
    async def seen() -> object:
        return await sql(home.laurels.store, "SELECT last_seen_at FROM operator_sessions")

    begun = await seen()
    home.clock.advance(seconds=59)
    await work.page("/console/users")
    assert await seen() == begun
    home.clock.advance(seconds=1)
    await work.page("/console/users")
    assert await seen() != begun


async def test_moving_the_clock_of_a_sandbox_signs_no_operator_out(home: App, work: Operator) -> None:
    await home.laurels.set_clock_offset(timedelta(days=30))

    assert (await work.client.get("/console/users")).status_code == 200


async def test_signing_out_ends_the_session_for_copies_of_its_cookie_too(work: Operator) -> None:
    copied = cookie_of(work)
    answer = await work.send((await work.page("/console/users")).forms[0])

    assert answer.status_code == 303
    assert answer.headers["location"] == SIGN_IN
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await work.client.get("/console/users")).status_code == 303
    with_cookie(work, copied)
    assert (await work.client.get("/console/users")).status_code == 303
    work.client.cookies.clear()
    assert (await work.sign_in()).status_code == 303
    assert (await work.client.get("/console/users")).status_code == 200


async def test_a_modified_cookie_is_refused(work: Operator) -> None:
    real = cookie_of(work)
    for place in range(0, len(real), 7):
        letter = "A" if real[place] != "A" else "B"
        with_cookie(work, real[:place] + letter + real[place + 1 :])
        assert (await work.client.get("/console/users")).status_code == 303, place
    with_cookie(work, real)
    assert (await work.client.get("/console/users")).status_code == 200


@pytest.mark.parametrize("value", ["", ".", "a.b", "%00", "W10.x", "é", "1" * 5000])
async def test_a_forged_cookie_is_refused(work: Operator, value: str) -> None:
    work.client.cookies.clear()
    headers = [(b"cookie", f"{COOKIE}={value}".encode())]

    assert (await work.client.get("/console/users", headers=headers)).status_code == 303


async def test_a_cookie_of_another_database_is_refused(work: Operator) -> None:
    async with open_app() as other, operator_over(other) as theirs:
        with_cookie(work, cookie_of(theirs))

        assert (await work.client.get("/console/users")).status_code == 303


async def test_the_token_of_a_form_is_not_a_session(work: Operator) -> None:
    with_cookie(work, (await work.page("/console/users")).forms[0].fields["token"])

    assert (await work.client.get("/console/users")).status_code == 303


async def test_showing_the_sign_in_form_to_another_site_does_not_end_the_session(work: Operator) -> None:
    held = cookie_of(work)
    stranger = httpx2.AsyncClient(transport=work.client._transport, base_url=ORIGIN)
    shown = await stranger.get(SIGN_IN)  # as a link from elsewhere: SameSite=Strict leaves the cookie out

    assert COOKIE + "=" not in shown.headers["set-cookie"]
    assert cookie_of(work) == held


# ---- forms ------------------------------------------------------------------------------------


async def states(home: App) -> list[object]:
    """Everything that an adjustment could change."""
    tables = ("users", "events", "adjustments", "awards", "ledger", "outbox", "amnesties", "api_keys", "standings")
    return [await sql(home.laurels.store, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"origin": "http://laurels.test.evil.test"},
        {"origin": "http://laurels.test:81"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
async def test_a_form_from_another_site_does_nothing(home: App, work: Operator, headers: dict[str, str]) -> None:
    await home.record(event("ada"))
    form = (await work.page(at("ada", "/adjustments/grant"))).form()
    before = await states(home)

    answer = await work.send(form, headers=headers, badge="early_adopter", reason="a prize")

    assert answer.status_code == 403
    assert "another site" in Page(answer.text).text
    assert await states(home) == before


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin", "origin": "http://inner:8000"}, {"origin": ""}])
async def test_a_form_is_accepted_through_a_proxy(home: App, work: Operator, headers: dict[str, str]) -> None:
    await home.record(event("ada"))
    form = (await work.page(at("ada", "/adjustments/grant"))).form()
    sent = {**form.fields, "badge": "early_adopter", "reason": "a prize"}

    answer = await work.client.post(
        form.action, data=sent, headers={name: value for name, value in headers.items() if value}
    )

    assert answer.status_code == 303


@pytest.mark.parametrize("token", ["", "x", "W10.x", "\x00"])
async def test_a_form_without_its_token_does_nothing(home: App, work: Operator, token: str) -> None:
    await home.record(event("ada"))
    before = await states(home)
    for path in ("/adjustments/grant", "/reverse?event=message.sent"):
        answer = await work.fill(at("ada", path), token=token, reason="a prize")

        assert answer.status_code == 403
        assert "expired" in Page(answer.text).text
    assert (await work.fill("/console/amnesties", token=token, reason="x")).status_code == 403
    assert await states(home) == before


async def test_a_token_of_another_session_does_nothing(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    async with operator_over(home, "bob") as other:
        token = (await other.page(at("ada", "/adjustments/grant"))).form().fields["token"]
        before = await states(home)

        answer = await work.fill(at("ada", "/adjustments/grant"), token=token, reason="a prize")

        assert answer.status_code == 403
        assert await states(home) == before


async def test_a_form_of_an_ended_session_changes_nothing(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    form = (await work.page(at("ada", "/adjustments/grant"))).form()
    await home.laurels.store.revoke_key("anna", home.clock())
    before = await states(home)

    answer = await work.send(form, reason="a prize")

    assert answer.status_code == 403
    assert "signed out" in Page(answer.text).text
    assert await states(home) == before


async def test_the_sign_in_form_needs_its_own_token_and_origin(home: App) -> None:
    async with operator_over(home, signed_in=False) as work:
        form = (await work.page(SIGN_IN)).form()

        assert (await work.send(form, key=work.key, token="x")).status_code == 403
        assert (await work.send(form, {"origin": "https://evil.test"}, key=work.key)).status_code == 403
        work.client.cookies.clear()
        assert (await work.send(form, key=work.key)).status_code == 403
        assert (await work.sign_in()).status_code == 303


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
async def test_a_body_of_another_type_is_refused(work: Operator, content_type: str) -> None:
    answer = await work.client.post("/console/sign-out", content=b"a=b", headers={"content-type": content_type})

    assert answer.status_code == 415
    assert "text/html" in answer.headers["content-type"]


@pytest.mark.parametrize("body", [b"a=%ff", b"\xff=1", b"&".join(b"a%d=1" % number for number in range(60))])
async def test_a_malformed_form_is_refused(work: Operator, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}

    assert (await work.client.post("/console/sign-out", content=body, headers=headers)).status_code == 400


async def test_a_form_that_is_too_large_is_refused(work: Operator) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}

    answer = await work.client.post("/console/sign-out", content=b"a=" + b"b" * 70_000, headers=headers)

    assert answer.status_code == 413


# ---- every page -------------------------------------------------------------------------------


OWN_SCRIPT = {"src": address("console.js"), "defer": None}


@pytest.mark.parametrize("path", [*PAGES, SIGN_IN])
async def test_no_page_can_be_cached_framed_or_run_another_script(home: App, work: Operator, path: str) -> None:
    await home.record(event("ada"))
    if path == SIGN_IN:
        work.client.cookies.clear()
    answer = await work.client.get(path)

    assert answer.status_code == 200
    assert "no-store" in answer.headers["cache-control"]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for tag, attributes in Page(answer.text).tags:
        assert tag != "style", path
        assert tag != "script" or attributes == OWN_SCRIPT, path
        assert not {name for name in attributes if name == "style" or name.startswith("on")}, (tag, attributes)


async def test_reading_changes_nothing(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"))
    await work.do(at("ada", "/adjustments/grant"), badge="early_adopter", reason="a prize")
    before = await states(home)

    for path in (
        *PAGES,
        at("ada", "/verify"),
        at("ada", "/undo?adjustment=x"),
        at("ada", "/reverse?event=agent.created"),
    ):
        assert (await work.client.get(path)).status_code == 200
        confirming = path + ("&" if "?" in path else "?") + "confirmed=yes&reason=x"
        assert (await work.client.get(confirming)).status_code == 400  # a GET has no such parameters
    assert await states(home) == before


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_requires_a_session(home: App, path: str) -> None:
    async with operator_over(home, signed_in=False) as work:
        answer = await work.client.get(path)

        assert (answer.status_code, answer.text) == (303, "")
        assert answer.headers["location"].startswith(SIGN_IN)


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test",
        "//evil.test",
        "/console//evil.test",
        "/console/../livez",
        "/console/%2e%2e/livez",
        "/console\\evil",
        "/consoles",
        "/",
        "",
        "/console/users\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "/console/é",
        None,
    ],
)
async def test_the_sign_in_redirects_to_the_console_only(wanted: str | None) -> None:
    assert own_path(wanted) == "/console"


async def test_an_unknown_user_is_not_found(work: Operator) -> None:
    for path in ("/console/users/nobody", "/console/users/nobody/adjustments/grant", "/console/users/nobody/verify"):
        answer = await work.client.get(path)

        assert answer.status_code == 404
        assert "No such user" in Page(answer.text).text


async def test_the_console_shows_that_the_database_is_unavailable(filed: App) -> None:
    async with operator_over(filed) as work:
        await filed.laurels.store.close()

        for answer in (await work.client.get("/console/users"), await work.client.get(SIGN_IN)):
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert "database" in Page(answer.text).text.lower()
