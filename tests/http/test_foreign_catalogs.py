"""Every address with a foreign catalog file, with an older one and with none: it does what it does with the database's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels.console import ENDPOINTS as CONSOLE
from laurels.engine.adjustments import kinds_for
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.http.endpoints import API
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import TestClock
from tests.support import ENGINES, LASTING_ENGINES, at, badge, catalog, contents, count
from tests.support.app import App, event, open_app_over
from tests.support.operator import Form, Operator, Page, operator_over
from tests.support.operator import at as user_page

pytestmark = pytest.mark.anyio

BASE = "/api/gamification"
ADA = f"{BASE}/users/ada"
NOW = at("2026-01-14T12:00")


def rules(points: int, period: str = "week") -> Catalog:
    return catalog(
        metrics={"messages": count("message")},
        streaks={"login": {"events": ["login"], "pause_days": 5}},
        badges=[
            {**badge("first", points, metric="messages", at_least=1), "unlocks": ["avatar"]},
            badge("gift", 1, metric="messages", at_least=9),
        ],
        leaderboards=[{"id": "weekly", "period": period}],
    )


OLDER, OWN, FOREIGN = rules(3), rules(5), rules(500, period="month")

WALK: Sequence[tuple[str, str, Any]] = [
    ("POST", f"{BASE}/events", [event("ada", "message", "m-2"), event("new", "message", "m-1")]),
    ("PUT", f"{BASE}/users/bob", {"name": "Bob", "timeZone": "Asia/Tokyo"}),
    ("GET", f"{BASE}/users/bob", None),
    ("POST", f"{BASE}/sessions", {"userId": "cyd", "name": "Cyd"}),
    ("GET", f"{BASE}/profile", None),
    ("GET", f"{ADA}/profile?include=next,toward,streaks,history,rank", None),
    ("GET", f"{ADA}/history", None),
    ("GET", f"{ADA}/export", None),
    ("GET", f"{BASE}/streaks", None),
    ("GET", f"{ADA}/streaks", None),
    ("GET", f"{BASE}/entitlements", None),
    ("GET", f"{ADA}/entitlements", None),
    ("GET", f"{BASE}/badges/first/explanation", None),
    ("GET", f"{ADA}/badges/first/explanation", None),
    ("PUT", f"{BASE}/visibility", {"visibility": "hidden"}),
    ("POST", f"{ADA}/adjustments", {"id": "g", "kind": "grant", "badge": "gift", "reason": "a test"}),
    ("DELETE", f"{ADA}/adjustments/g", None),
    (
        "POST",
        f"{BASE}/adjustments",
        {"id": "p", "kind": "pause", "streak": "login", "first": "2026-01-15", "last": "2026-01-15"},
    ),
    ("POST", f"{BASE}/events/ada/m-2/reversal", {"reason": "a test"}),
    ("POST", f"{BASE}/events/reversals", {"events": [{"userId": "new", "eventId": "m-1"}], "reason": "a test"}),
    ("POST", f"{BASE}/amnesties", {"first": "2026-01-01", "last": "2026-01-02", "reason": "a test"}),
    ("GET", f"{BASE}/amnesties", None),
    ("GET", f"{ADA}/profile", None),
    ("DELETE", f"{BASE}/amnesties/no-such", None),
    ("GET", f"{BASE}/leaderboards", None),
    ("GET", f"{BASE}/leaderboards/weekly", None),
    ("GET", f"{BASE}/leaderboards/weekly?period=previous", None),
    ("GET", f"{BASE}/leaderboards/weekly/periods", None),
    ("GET", f"{BASE}/catalog", None),
    ("GET", f"{BASE}/catalog/revisions", None),
    ("GET", f"{BASE}/catalog/revisions/1", None),
    ("POST", f"{BASE}/catalog/plans", {"revision": 1}),
    ("POST", f"{BASE}/catalog/revisions", {"revision": 1, "plan": "plan-x.y", "reason": "a test"}),
    ("GET", f"{BASE}/rarity", None),
    ("GET", f"{BASE}/clock", None),
    ("POST", f"{BASE}/clock", {"days": 1}),
    ("GET", f"{ADA}/sessions", None),
    ("DELETE", f"{ADA}/sessions", None),
    ("DELETE", f"{ADA}/sessions/no-such", None),
    ("POST", f"{ADA}/restore", None),
    ("DELETE", f"{BASE}/users/new", None),
    ("DELETE", f"{BASE}/sessions", None),
    ("GET", "/livez", None),
    ("GET", "/readyz", None),
]
OF_USERS = {
    f"{BASE}/{path}"
    for path in (
        "profile",
        "streaks",
        "entitlements",
        "visibility",
        "adjustments",
        "badges/first/explanation",
        "sessions",
    )
}
MISSING = [
    ("DELETE", f"{BASE}/amnesties/no-such", None),
    ("POST", f"{BASE}/catalog/revisions", {"revision": 1, "plan": "plan-x.y", "reason": "a test"}),
    ("POST", f"{BASE}/clock", {"days": 1}),
    ("DELETE", f"{ADA}/sessions/no-such", None),
]
"""What is answered with an error: there is no such amnesty, plan and session, and no sandbox."""

RANDOM = {"api_keys", "sessions", "signed_out", "secrets", "tombstones", "amnesties", "migrations", "maintenance_runs"}
"""Tables with secrets, hashes, ids and times that differ from run to run."""


def matches(path: str, template: str) -> bool:
    parts, wanted = path.partition("?")[0].split("/"), template.split("/")
    return len(parts) == len(wanted) and all(w.startswith("{") or w == p for p, w in zip(parts, wanted, strict=True))


def test_the_walk_has_every_address() -> None:
    missing = [
        (one.method, one.path)
        for one in API
        if not any(method == one.method and matches(path, one.path) for method, path, _ in WALK)
    ]
    assert missing == [("GET", f"{BASE}/stream")]  # which only waits


Walk = Callable[[Laurels, TestClock], Awaitable[list[Any]]]


async def walked(database: str, given: Catalog | None, walk: Walk) -> tuple[list[Any], dict[str, Any]]:
    """The answers of a walk over a database of OWN, served with the given catalog, and what it stored."""
    clock = TestClock(at("2026-01-06T12:00"))
    async with Laurels.open(database, OLDER, clock=clock) as laurels:
        for user in ("ada", "bob"):
            await laurels.update_user(user)
            await laurels.profile(user, login=True)
            await laurels.record(Event(user, "m-0", "message"))
        await Admin(laurels).apply_catalog(OWN, "because", "a test")
    async with Laurels.open(database, given, clock=clock, on_difference="follow") as laurels:
        clock.set(NOW)
        answers = await walk(laurels, clock)
        found = await contents(laurels.store)
    found["audit"] = sorted(row[2] for row in found["audit"])  # the kinds: ids are random
    found["adjustments"] = [row[:-1] for row in found["adjustments"]]  # without the id of the request, which is random
    return answers, {table: rows for table, rows in found.items() if table not in RANDOM}


async def walked_with_each(engine: str, folder: Path, walk: Walk) -> list[Any]:
    """The answers with the database's own catalog. With any other file they must be the same, and so must every row."""
    results: list[Any] = []
    for number, given in enumerate((OWN, FOREIGN, OLDER, None)):
        (folder / str(number)).mkdir()
        with ENGINES[engine](folder / str(number)) as database:
            results.append(await walked(database, given, walk))
    (answers, own), *others = results
    for others_answers, stored in others:
        assert others_answers == answers
        assert {table: rows for table, rows in stored.items() if rows != own[table]} == {}
    return answers


async def over_the_api(laurels: Laurels, clock: TestClock) -> list[Any]:
    async with open_app_over(laurels, clock) as one:
        return [await ask(one, *step) for step in WALK]


async def ask(one: App, method: str, path: str, body: Any) -> Any:
    """The status and the body of an answer, without what is random. Users send their session, back ends their key."""
    by_user = path.partition("?")[0] in OF_USERS and (method, path) != ("POST", f"{BASE}/sessions")
    answer = await one.client.request(method, path, json=body, headers={} if by_user else one.by_key)
    if (method, path) == ("POST", f"{BASE}/sessions"):
        one.client.headers["cookie"] = f"laurels-session={answer.json()['token']}"
        one.client.cookies.clear()
    if path == "/readyz" or path in (f"{BASE}/sessions", f"{BASE}/amnesties", f"{BASE}/catalog/plans"):
        return answer.status_code
    return answer.status_code, answer.json() if answer.content else None


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_another_file_changes_no_answer_and_no_row(engine: str, tmp_path: Path) -> None:
    answers = await walked_with_each(engine, tmp_path, over_the_api)
    statuses = [answer[0] if isinstance(answer, tuple) else answer for answer in answers]
    assert [step for step, status in zip(WALK, statuses, strict=True) if status >= 400] == MISSING


# ---- the console ------------------------------------------------------------------------------


FIELDS: dict[str, dict[str, str]] = {
    "grant": {"badge": "gift"},
    "revocation": {"badge": "first"},
    "points": {"amount": "20"},
    "freezes": {"streak": "login", "count": "1"},
    "pause": {"streak": "login", "first": "2026-01-15", "last": "2026-01-15"},
    "repair": {"streak": "login", "day": "2026-01-08"},
    "timeZone": {"zone": "Asia/Tokyo", "first": "2026-01-01", "last": "2026-01-06"},
    "exclusion": {},
}
"""What an operator types into the form of each kind of adjustment."""


def test_every_kind_of_adjustment_has_its_form_filled_in() -> None:
    assert FIELDS.keys() == {kind.kind for kind in kinds_for("app")}


async def send_every_form(work: Operator) -> None:
    for kind, fields in FIELDS.items():
        await work.do(user_page("ada", f"/adjustments/{kind}"), adjustment=kind, **fields, reason="a test")
    await work.do(user_page("ada", "/undo?adjustment=revocation"), reason="a test")
    await work.do(user_page("bob", "/reverse?event=m-0"), reason="a test")
    await work.do("/console/amnesties", "/amnesties", first="2026-01-07", last="2026-01-08", reason="a test")
    lift = next(link for link in (await work.page("/console/amnesties")).links.values() if "/lift" in link)
    await work.do(lift, reason="a test")
    await work.fill(user_page("ada", "/verify"))
    await work.do(user_page("ada"), "/sessions")
    await work.laurels.erasures.erase("bob", after=timedelta(days=1))
    await work.do(user_page("bob"), "/restore")


async def change_the_catalog(work: Operator) -> None:
    """Check, plan and apply the catalog in force, which changes nothing."""
    form = (await work.page("/console/catalog/edit")).form("/edit")
    for action in ("/edit", "/check"):
        assert (await work.send(Form(f"/console/catalog{action}", "post", form.fields))).status_code == 200
    assert (await work.send(form.to("/change"), kind="badge")).status_code == 200
    plan = Page((await work.send(form.to("/plan"))).text)
    rows = Form("/console/catalog/plan.csv", "post", form.fields)
    assert (await work.send(rows)).text.startswith("userId,")
    assert (await work.send(plan.form("/apply"), reason="a test")).status_code == 303


async def over_the_console(laurels: Laurels, clock: TestClock) -> list[Any]:
    """Send every form and read every page; the rows that this leaves are compared. Checks that no address is left out."""
    visited: set[tuple[str, str]] = set()

    async def note(request: httpx2.Request) -> None:
        visited.add((request.method, request.url.path))

    async with open_app_over(laurels, clock) as one, operator_over(one, signed_in=False) as work:
        work.client.event_hooks = {"request": [note]}
        assert (await work.sign_in()).status_code == 303
        await one.sign_in("ada")
        await send_every_form(work)
        await work.fill("/console/second-factor", "/second-factor", key=work.key, code="000000")  # not the right one
        for path in ("", "/users", "/users/ada", "/audit", "/audit.csv", "/audit.jsonl", "/catalog", "/health"):
            await work.page(f"/console{path}")
        for path in ("/revisions", "/revisions/1", "/differences?from=1&to=1"):
            await work.page(f"/console/catalog{path}")
        await change_the_catalog(work)
        await work.send((await work.page("/console")).forms[0])  # sign out
    missing = [
        (one.method, one.path)
        for one in CONSOLE
        if not any(one.method == method and matches(path, one.path) for method, path in visited)
    ]
    assert missing == []
    return []


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_another_file_changes_nothing_that_an_operator_does_in_the_console(engine: str, tmp_path: Path) -> None:
    await walked_with_each(engine, tmp_path, over_the_console)


async def test_a_server_says_that_its_file_is_not_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database, clock = f"sqlite:///{tmp_path / 'laurels.db'}", TestClock(NOW)
    async with Laurels.open(database, OWN, clock=clock) as laurels:
        await laurels.update_user("ada")
    following = Laurels.open(database, FOREIGN, clock=clock, on_difference="follow")
    async with following as laurels, open_app_over(laurels, clock) as one:
        ready = (await one.client.get("/readyz")).json()
    assert (ready["catalog"], ready["catalogDiffers"]) == (1, True)
    assert FOREIGN.rules in caplog.text
    assert "revision 1" in caplog.text
