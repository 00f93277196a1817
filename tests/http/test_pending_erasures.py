"""Erasing a user after some days, over HTTP and at the console: what is answered meanwhile, and undoing it."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest

from laurels.storage.contract import AuditFilter
from tests.support.app import LEADERBOARDS, USERS, App, event
from tests.support.operator import at, operator_over

pytestmark = pytest.mark.anyio

AFTER = timedelta(days=7)


@pytest.fixture
async def pending(home: App) -> App:
    """A user who is to be erased, and another one."""
    await home.record(event("ada"), event("bob"))
    home.laurels.erasures.after = AFTER
    answer = await asked(home, "DELETE", "", params={"reason": "asked by mail"})
    assert (answer.status_code, answer.content) == (204, b"")
    return home


async def asked(home: App, method: str, path: str = "", **more: object) -> httpx2.Response:
    return await home.client.request(method, f"{USERS}/ada{path}", headers=home.by_key, **more)  # type: ignore[arg-type]


async def test_everything_about_the_user_is_410_until_then(pending: App) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/profile", None),
        ("GET", "/history", None),
        ("GET", "/streaks", None),
        ("GET", "/badges/first_agent/explanation", None),
        ("GET", "/sessions", None),
        ("DELETE", "/sessions", None),
        ("PUT", "", {"name": "Ada"}),
        ("POST", "/adjustments", {"id": "a", "kind": "points", "amount": 5, "reason": "a test"}),
        ("DELETE", "/adjustments/a", None),
    ):
        answer = await asked(pending, method, path, **({"json": body} if body else {}))
        where = f"{method} {path}"
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/erasure-pending"), where
        assert "2026-01-12T12:00:00Z" in answer.json()["detail"], where
    sign_in = await pending.client.post("/api/gamification/sessions", json={"userId": "ada"}, headers=pending.by_key)
    assert sign_in.json()["type"] == "/problems/erasure-pending"
    sent = await pending.send([event("ada", event_id="2"), event("bob", event_id="2")])
    assert [one["status"] for one in sent.json()["results"]] == ["rejected", "recorded"]
    assert sent.json()["results"][0]["problem"]["type"] == "/problems/erasure-pending"
    board = await pending.client.get(f"{LEADERBOARDS}/points", headers=pending.by_key)
    assert "ada" not in board.text


async def test_the_user_can_be_exported_and_restored(pending: App) -> None:
    exported = await asked(pending, "GET", "/export")
    assert exported.json()["account"][0]["eraseAt"] == "2026-01-12T12:00:00Z"

    pending.clock.advance(hours=1)
    for _ in range(2):
        assert (await asked(pending, "POST", "/restore", params={"reason": "a mistake"})).status_code == 204

    assert (await asked(pending, "GET")).status_code == 200
    rows = await pending.laurels.store.audit(9, only=AuditFilter(user_id="ada"))
    assert [(row.kind, row.detail.get("reason")) for row in rows] == [
        ("user.restored", "a mistake"),
        ("user.erasure_requested", "asked by mail"),
    ]


async def test_a_restore_of_who_is_not_there_or_erased_is_refused(pending: App) -> None:
    pending.clock.advance(days=7)
    await pending.laurels.erase_due()
    assert (await asked(pending, "POST", "/restore")).json()["type"] == "/problems/user-erased"
    other = await pending.client.post(f"{USERS}/eve/restore", headers=pending.by_key)
    assert other.json()["type"] == "/problems/user-not-found"


async def test_sessions_end_with_the_request(home: App) -> None:
    token = await home.sign_in("ada")
    home.laurels.erasures.after = AFTER
    await asked(home, "DELETE")
    assert (await home.visit(token)).status_code == 401
    await asked(home, "POST", "/restore")
    assert (await home.visit(token)).status_code == 401, "a restored user signs in again"


async def test_the_console_lists_shows_and_undoes_it(pending: App) -> None:
    async with (
        operator_over(pending, "eddi", role="editor") as eddi,
        operator_over(pending, "sam", role="support") as sam,
    ):
        assert "1 pending erasure" in (await sam.page("/console/users")).text
        assert "asked by mail" in (await sam.page("/console/users")).text
        shown = await sam.page(at("ada"))
        assert "All data of this user will be erased at 2026-01-12 12:00" in shown.text
        assert [form.action for form in shown.forms if form.method == "post"] == ["/console/sign-out"]
        assert not [link for link in shown.links.values() if "/ada/" in link]

        page = await eddi.do(at("ada"), "/restore")

        assert "The erasure is undone." in page.text
        assert "To be erased" not in page.text
        assert "pending" not in (await sam.page("/console/users")).text
        (row,) = await pending.laurels.store.audit(9, only=AuditFilter(kind="user.restored"))
        assert row.principal is not None
        assert (row.principal.kind, row.principal.name) == ("operator", "eddi")
