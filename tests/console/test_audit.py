"""The audit: everything that is done by hand has a row with who did it; filters, exports, and what erasing leaves."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from laurels import Admin, Principal, Source
from laurels.auth.keys import create_key
from laurels.present.audit import AuditEntry, csv_of
from laurels.service.audit import audit_entries
from laurels.storage.contract import AuditFilter, AuditRow
from tests.support import catalog, contents
from tests.support.app import USERS, App, Json, event, open_app
from tests.support.operator import Operator, at, operator_over

pytestmark = pytest.mark.anyio

BASE = "/api/gamification"
KEY = Principal("key", "tests")
ANNA = Principal("operator", "anna")


async def rows_of(home: App, **only: str) -> list[AuditRow]:
    return list(await home.laurels.store.audit(100, None, AuditFilter(**only)))  # type: ignore[arg-type]


async def row_of(home: App, kind: str) -> AuditRow:
    (row,) = await rows_of(home, kind=kind)
    return row


async def put(home: App, user_id: str, **fields: Json) -> None:
    answer = await home.client.put(f"{USERS}/{user_id}", json=fields, headers=home.by_key)
    assert answer.status_code == 200, answer.text


async def exported(work: Operator, query: str = "") -> list[Json]:
    answer = await work.client.get(f"/console/audit.jsonl?{query}")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


# ---- rows -------------------------------------------------------------------------------------


async def test_changing_a_user_by_key_says_which_fields_and_never_their_values(home: App) -> None:
    await put(home, "ada", name="Ada Lovelace")
    await put(home, "ada", name="Ada Lovelace")
    home.clock.advance(seconds=1)
    await put(home, "ada", groups=["eu"])
    newest, first = await rows_of(home, kind="user.changed")
    assert (newest.principal, newest.target, newest.detail) == (KEY, "ada", {"fields": ["groups"]})
    assert first.detail == {"fields": ["name"], "created": True}
    assert first.address == "127.0.0.1"
    assert len(first.request_id or "") == 16


async def test_signing_a_user_in_is_no_change_of_a_user(home: App) -> None:
    await home.sign_in("ada", name="Ada", timeZone="Europe/Berlin")
    assert await rows_of(home, kind="user.changed") == []


async def test_the_id_of_a_request_comes_from_the_proxy_if_it_is_plain(home: App) -> None:
    for sent in ("trace-1/2", "a b", "x" * 65):
        headers = {**home.by_key, "x-request-id": sent}
        await home.client.put(f"{USERS}/u{len(sent)}", json={"name": "A"}, headers=headers)
    ids = {row.target: row.request_id or "" for row in await rows_of(home)}
    assert ids["u9"] == "trace-1/2"
    assert len(ids["u3"]) == len(ids["u65"]) == 16


async def test_erasing_is_in_the_audit_without_the_id_or_what_was_known(home: App) -> None:
    await put(home, "forget-me", name="Remember Me Not")
    await home.record(event("forget-me"), event("ada"))
    admin = Admin(home.laurels, Source(Principal("session", "forget-me"), "192.0.2.7"))
    await admin.adjust("forget-me", "x", "points", {"amount": 1}, "a gift for forget-me", "a")
    await admin.undo("forget-me", "x", "of forget-me", "b")
    for _ in range(2):
        await home.client.delete(f"{USERS}/forget-me", headers=home.by_key)
    row = await row_of(home, "user.erased")
    assert (row.principal, row.target_kind) == (KEY, "erased")
    assert {one.target for one in await rows_of(home) if one.target_kind == "erased"} == {row.target}
    everything = repr(await contents(home.laurels.store))
    for gone in ("forget-me", "Remember Me Not", "192.0.2.7"):
        assert gone not in everything


async def test_amnesties_undone_adjustments_and_catalogs_are_in_the_audit(home: App) -> None:
    await home.record(event("ada"))
    admin = Admin(home.laurels, Source(ANNA))
    amnesty = await admin.add_amnesty(date(2026, 1, 3), date(2026, 1, 4), "an outage", "anna", None, "a1")
    await admin.add_amnesty(date(2026, 1, 3), date(2026, 1, 4), "an outage", "anna", None, "a1")
    await admin.lift_amnesty(amnesty.id, "no outage", "anna")
    await admin.adjust("ada", "x", "points", {"amount": 1}, "a gift", "anna")
    for _ in range(2):
        await admin.undo("ada", "x", "a mistake", "anna")
    assert (await row_of(home, "amnesty.added")).target == "a1"
    assert (await row_of(home, "amnesty.lifted")).detail == {"reason": "no outage", "actor": "anna"}
    undone = await row_of(home, "adjustment.undone")
    assert (undone.principal, undone.target, undone.detail["adjustment"]) == (ANNA, "ada", "x")
    await admin.apply_catalog(catalog(levels=[{"title": "One", "points": 0}]), "a new level", "anna")
    applied = await row_of(home, "catalog.applied")
    assert (applied.principal, applied.detail["reason"], applied.detail["actor"]) == (ANNA, "a new level", "anna")


async def test_changes_of_users_by_hand_have_the_address_and_the_request(home: App, work: Operator) -> None:
    await home.record(event("ada", event_id="m-1"), event("ada", event_id="m-2"))
    sent: list[tuple[str, str, Any]] = [
        ("POST", f"{USERS}/ada/adjustments", {"id": "p", "kind": "points", "amount": 5, "reason": "r"}),
        ("DELETE", f"{USERS}/ada/adjustments/p", None),
        ("POST", "/api/gamification/events/ada/m-1/reversal", {"reason": "r"}),
        (
            "POST",
            "/api/gamification/events/reversals",
            {"events": [{"userId": "ada", "eventId": "m-2"}], "reason": "r"},
        ),
        ("POST", "/api/gamification/amnesties", {"first": "2026-03-02", "last": "2026-03-02", "reason": "r"}),
    ]
    for number, (method, path, body) in enumerate(sent):
        headers = {**home.by_key, "x-request-id": f"r-{number}"}
        answer = await home.client.request(method, path, json=body, headers=headers)
        assert answer.status_code in (200, 201, 204), answer.text
    await work.do(at("ada", "/adjustments/points"), amount="7", reason="r")

    found = {entry.request_id: entry for entry in await audit_entries(home.laurels.store, AuditFilter(), 20)}
    assert {f"r-{number}" for number in range(len(sent))} <= found.keys()
    assert [entry.kind for entry in found.values() if entry.request_id and entry.address != "127.0.0.1"] == []
    by_hand = [entry.kind for entry in found.values() if entry.request_id and entry.principal == ANNA]
    assert "adjustment.points" in by_hand


async def test_sign_ins_sign_outs_and_keys_are_in_the_audit() -> None:
    async with open_app() as home, operator_over(home) as anna:
        await anna.send(next(one for one in (await anna.page("/console")).forms if "sign-out" in one.action))
        assert (await row_of(home, "operator.signed_in")).principal == ANNA
        assert (await row_of(home, "operator.signed_out")).principal == ANNA
        created = await rows_of(home, kind="key.created")
        assert {row.target for row in created} == {"tests", "anna"}
        assert anna.key not in repr(await contents(home.laurels.store))


async def test_failed_sign_ins_are_folded_by_address_and_minute() -> None:
    async with open_app() as home:
        key = await create_key(home.laurels.store, "anna", home.clock(), "admin")
        work = Operator(home.app, home.laurels, key)
        async with work.client:
            unknown = key[:20] + "".join(reversed(key[20:]))
            for wrong in ("my password", unknown, "x"):
                assert (await work.sign_in(wrong)).status_code == 401
            await home.app.context.failed_sign_ins.save()
            row = await row_of(home, "operator.sign_in_failed")
            assert (row.principal, row.address, row.times) == (None, "127.0.0.1", 3)
            home.clock.advance(seconds=60)
            await work.sign_in("x")
            assert len(await rows_of(home, kind="operator.sign_in_failed")) == 2
        assert "my password" not in repr(await contents(home.laurels.store))


async def test_failed_sign_ins_from_many_addresses_share_one_row() -> None:
    async with open_app() as home:
        failed = home.app.context.failed_sign_ins
        for number in range(100):
            await failed.add(f"192.0.2.{number}", "r", {})
            await failed.add(f"2001:db8::{number}", "r", {})
        await failed.save()
        rows = await rows_of(home, kind="operator.sign_in_failed")
        assert len(rows) == 11
        assert sum(row.times for row in rows) == 200
        assert {row.address for row in rows} >= {"192.0.2.0", "2001:db8::/64", None}


async def test_a_key_that_is_named_has_a_row_of_its_own_whatever_others_try_at_the_address() -> None:
    async with open_app() as home:
        failed = home.app.context.failed_sign_ins
        for number in range(20):
            await failed.add(f"192.0.2.{number}", "r", {})
        for name in ("anna", "bob", "anna"):
            await failed.add("192.0.2.0", "r", {"key": name, "why": "expired"})
            await failed.add("192.0.2.0", "r", {"hint": "laurels_admin_abcd", "why": "unknown"})
        await failed.add("198.51.100.1", "r", {"operator": "anna", "why": "no role"})
        await failed.save()
        rows = await rows_of(home, kind="operator.sign_in_failed")
        named = {(row.address, row.detail.get("key", row.detail.get("operator"))): row.times for row in rows}
        assert len(rows) == 14
        assert (named["192.0.2.0", "anna"], named["192.0.2.0", "bob"], named["192.0.2.0", None]) == (2, 1, 4)
        assert named["198.51.100.1", "anna"] == 1


# ---- the page ---------------------------------------------------------------------------------


@pytest.fixture
async def filled(home: App, work: Operator) -> None:
    await home.record(event("ada"), event("bob"))
    admin = Admin(home.laurels, Source(ANNA))
    await admin.adjust("ada", "a", "grant", {"badge": "early_adopter"}, "a prize", "anna")
    home.clock.advance(days=1)
    await admin.adjust("bob", "b", "points", {"amount": 5}, "a gift", "anna")
    await put(home, "ada", name="Ada")
    await work.sign_in()  # the session has ended meanwhile


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("user=ada", ["user.changed", "adjustment.grant"]),
        ("who=tests", ["user.changed", "key.created"][:1]),
        ("who=anna&kind=adjustment", ["adjustment.points", "adjustment.grant"]),
        ("kind=adjustment.grant", ["adjustment.grant"]),
        ("kind=user.changed", ["user.changed"]),
        ("user=ada&to=2026-01-05", ["adjustment.grant"]),
        ("user=ada&from=2026-01-06&to=2026-01-06", ["user.changed"]),
        ("user=nobody", []),
    ],
)
async def test_the_audit_is_filtered_by_the_address_alone(
    work: Operator, filled: None, query: str, kinds: list[str]
) -> None:
    assert [entry["kind"] for entry in await exported(work, query)] == kinds
    text = (await work.page(f"/console/audit?{query}")).text
    assert ("No entries match the filter." in text) == (kinds == [])


async def test_the_form_keeps_the_filter_and_its_pages_and_exports_have_it(home: App, work: Operator) -> None:
    await home.record(event("ada"))
    admin = Admin(home.laurels, Source(ANNA))
    for number in range(51):
        await admin.adjust("ada", f"a{number}", "points", {"amount": 1}, "a gift", "anna")
    page = await work.page("/console/audit?who=anna&kind=adjustment.points")
    form = next(form for form in page.forms if form.method == "get")
    assert (form.fields["who"], form.fields["kind"]) == ("anna", "adjustment.points")
    for name in ("Older", "CSV", "JSON lines"):
        assert "who=anna&kind=adjustment.points" in page.links[name]
    assert (await work.page(page.links["Older"])).text.count("a gift") == 1
    assert len(await exported(work, "who=anna&kind=adjustment.points")) == 51


WRONG = ("kind=x", "from=x", "to=2026-13-01", "user=%00")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *(
            (path, query)
            for path in ("/console/audit", "/console/audit.csv", "/console/audit.jsonl")
            for query in WRONG
        ),
        *(("/console/audit", query) for query in ("before=x", "before=WzEsW11d")),  # an export has no pages
    ],
)
async def test_a_wrong_filter_is_refused(work: Operator, path: str, query: str) -> None:
    assert (await work.client.get(f"{path}?{query}")).status_code == 422


async def test_no_cell_of_an_export_is_a_formula(home: App, work: Operator) -> None:
    await home.record(event("=1+1"))
    admin = Admin(home.laurels, Source(ANNA))
    for number, begin in enumerate("=+-@\t\r"):
        reason = f"{begin}cmd" if begin >= " " else "plain"
        await admin.adjust("=1+1", f"a{number}", "points", {"amount": 1}, reason, "=HYPERLINK(1)")
    answer = await work.client.get("/console/audit.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="laurels-audit.csv"'
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert rows[0][:4] == ["at", "kind", "principalKind", "principal"]
    assert len(rows) > 6
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert "'=HYPERLINK(1)" in rows[1]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("-5", "'-5"),
        ("\uff1d1", "'\uff1d1"),
        ("a;=1+1", "a;'=1+1"),
        ('a;"=1+1', "a;'\"=1+1"),
        ("a; @sum", "a;' @sum"),
        ("a, -5 and 3-2=1; b", "a, -5 and 3-2=1; b"),
        ("'=1", "'=1"),
    ],
)
def test_a_cell_is_no_formula_whatever_separates_cells(reason: str, shown: str) -> None:
    entry = AuditEntry(
        id="a", at=datetime(2026, 1, 5, tzinfo=UTC), kind="k", reason=reason, detail={"amount": -5}, times=-3
    )
    text = csv_of([entry])
    (row,) = csv.reader(io.StringIO(text, newline=""))
    assert row[8:10] == [shown, '{"amount":-5}']
    assert row[-1] == "-3"
    for by in (";", "\t"):
        cells = [cell.lstrip(' "') for row in csv.reader(io.StringIO(text, newline=""), delimiter=by) for cell in row]
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []


async def test_exports_are_for_operators_only(home: App) -> None:
    for path in ("/console/audit.csv", "/console/audit.jsonl"):
        answer = await home.client.get(path, headers={**home.by_key, "accept": "text/html"})
        assert (answer.status_code, answer.headers["location"][:16]) == (303, "/console/sign-in")


async def test_entries_of_one_instant_are_read_page_by_page_without_a_gap(home: App, work: Operator) -> None:
    await home.record(*(event(f"u{number}") for number in range(40)))
    admin = Admin(home.laurels, Source(ANNA))
    for number in range(40):
        await admin.adjust(f"u{number}", "a", "points", {"amount": 1}, f"r-{number}", "anna")
        await put(home, f"u{number}", name=f"U{number}")
    page, seen = await work.page("/console/audit"), list[str]()
    while True:
        seen += [one["href"] or "" for tag, one in page.tags if tag == "a" and "/users/u" in (one.get("href") or "")]
        if "Older" not in page.links:
            break
        page = await work.page(page.links["Older"])
    assert sorted(seen) == sorted(2 * [f"/console/users/u{number}" for number in range(40)])


# ---- uses of keys -----------------------------------------------------------------------------


async def test_the_last_use_of_a_key_is_stored_once_in_some_minutes(home: App) -> None:
    async def used() -> list[object]:
        return [key.last_used_at for key in await home.laurels.store.keys() if key.name == "tests"]

    uses = home.app.context.key_uses
    assert await used() == [None]
    await home.record(event("ada"))
    first = home.clock()
    await uses.save()
    home.clock.advance(seconds=30)
    await home.record(event("bob"))
    await uses.save()
    assert await used() == [first]
    await home.laurels.store.use_keys(["tests"], first - timedelta(days=1))
    assert await used() == [first]
