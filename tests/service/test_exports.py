"""Exporting a user: every table and column is in it, nothing of others is, and it is read in pieces."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from laurels.engine.events import Event
from laurels.errors import UserNotFound
from laurels.present.exports import LEFT_OUT, SECTIONS, UserExport, exported
from laurels.service import exports as exports_module
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.columns import TABLES, TABLES_OF_USERS
from laurels.storage.contract import AuditRow, Principal, TargetKind
from laurels.testing import sandbox
from tests.support import MONDAY, badge, catalog, count, sql

pytestmark = pytest.mark.anyio


async def document(laurels: Laurels, user_id: str) -> Any:
    text = b"".join([piece async for piece in Admin(laurels).export_user(user_id)])
    msgspec.json.decode(text, type=UserExport)
    return json.loads(text)


def test_every_table_and_column_of_users_is_exported_or_left_out_for_a_reason() -> None:
    assert {*SECTIONS.values(), "unfinished_erasures"} == {*TABLES_OF_USERS}
    assert [section for section in SECTIONS if section not in UserExport.__struct_fields__] == []
    for table in SECTIONS.values():
        columns = TABLES[table].columns
        texts = {"groups": "a\nb"} | dict.fromkeys(("zones", "data", "outcome"), "{}")
        texts |= {"data": "[]"} if table == "former_states" else {}
        row = [None if name in LEFT_OUT else texts.get(name, 7) for name in columns]
        assert len(exported(table, row)) == len([name for name in columns if name not in LEFT_OUT])


OF_NO_USER = {
    "secrets": "the key of the database",
    "tombstones": "users who are erased, and so have no export",
    "unfinished_erasures": "the same",
    "api_keys": "back ends and operators",
    "second_factors": "operators",
    "amnesties": "rows for everyone or a group",
    "supplies": "how many copies of badges are taken",
    "catalog_revisions": "the rules",
    "board_rules": "the rules",
    "closings": "periods of leaderboards",
    "maintenance_runs": "the database",
    "sandbox": "the database",
}
"""Tables without data of one user, and what they hold. A new table is in an export, or here."""


def test_every_table_is_in_the_export_or_holds_nothing_of_a_user() -> None:
    assert {*SECTIONS.values(), "audit", *OF_NO_USER} == {*TABLES}


async def test_the_audit_about_a_user_and_of_what_the_user_did_is_in_the_export(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports_module, "ROWS", 2)
    operator, own = Principal("operator", "ada"), Principal("session", "ada")
    rows: list[tuple[str, Principal | None, TargetKind, str]] = [
        ("about", operator, "user", "ada"),
        ("about-2", None, "user", "ada"),
        ("own", own, "user", "ada"),
        ("did", own, "amnesty", "m-1"),
        ("namesake", operator, "amnesty", "m-2"),
        ("other", operator, "user", "bob"),
        ("key", operator, "key", "ada"),
    ]
    async with Laurels.open(database) as laurels:
        await laurels.update_user("ada")
        for number, (name, principal, kind, target) in enumerate(rows):
            at = MONDAY + timedelta(seconds=number)
            await laurels.store.add_audit(
                AuditRow(name, at, "user.changed", principal, kind, target, {"fields": ["name"]}, "10.0.0.1")
            )

        found = (await document(laurels, "ada"))["audit"]

        assert [row["id"] for row in found] == ["own", "about-2", "about", "did"]
        assert (found[2]["principal"], found[2]["detail"]) == (
            {"kind": "operator", "name": "ada"},
            {"fields": ["name"]},
        )


async def test_everything_of_a_user_is_in_the_export_and_nothing_of_others(database: str) -> None:
    async with Laurels.open(database) as laurels:
        await laurels.record(Event("ada", "first-event", "agent.created", data={"mood": "marker-data", "n": 1.5}))
        await laurels.record(Event("bob", "others-event", "agent.created", data={"mood": "others-data"}))
        await laurels.update_user(
            "ada", name="Ada Marker", time_zone="Europe/Berlin", groups=["marker-group", "second"]
        )
        await Admin(laurels).adjust("ada", "adjustment-1", "points", {"amount": 5}, "marker-reason", "marker-actor")
        await laurels.store.add_session("ada", b"marker-token", MONDAY, MONDAY)

        found = await document(laurels, "ada")

        counts = {
            table: (await sql(laurels.store, f"SELECT count(*) FROM {table} WHERE user_id = 'ada'"))[0][0]
            for table in SECTIONS.values()
        }
        assert {table: len(found[section]) for section, table in SECTIONS.items()} == counts
        assert all(counts.values())
        assert (found["userId"], found["user"]["timeZones"][0]["timeZone"]) == ("ada", "Europe/Berlin")
        assert found["profile"]["points"] == found["user"]["points"] == 55
        assert found["account"][0]["groups"] == ["marker-group", "second"]
        event = next(one for one in found["events"] if one["eventId"] == "first-event")
        assert event["data"] == {"mood": "marker-data", "n": 1.5}
        assert (found["adjustments"][0]["reason"], found["adjustments"][0]["actor"]) == (
            "marker-reason",
            "marker-actor",
        )
        assert found["sessions"] == [{"createdAt": "2026-01-05T12:00:00Z", "expiresAt": "2026-01-05T12:00:00Z"}]
        assert not [word for word in ("others", "bob", "marker-token") if word in json.dumps(found["events"])]


async def test_a_long_history_comes_in_pieces_and_whole(database: str) -> None:
    async with Laurels.open(database) as laurels:
        for first in (0, 500, 1000):
            await laurels.record_many([Event("ada", f"e{first + n}", "agent.created") for n in range(500)], ranks=False)
        pieces = [piece async for piece in Admin(laurels).export_user("ada")]
        assert max(map(len, pieces)) < sum(map(len, pieces)) / 3
        found = json.loads(b"".join(pieces))
        assert {one["eventId"] for one in found["events"]} == {f"e{n}" for n in range(1500)}


async def test_an_unknown_or_erased_user_has_no_export(database: str) -> None:
    async with Laurels.open(database) as laurels:
        await laurels.update_user("gone")
        await laurels.erase_user("gone")
        for user_id in ("gone", "never"):
            with pytest.raises(UserNotFound):
                await document(laurels, user_id)


async def test_awards_that_ended_are_exported_with_named_fields(database: str) -> None:
    rules = catalog(badges=[badge("old", 5, metric="messages", at_least=1)], metrics={"messages": count("message")})
    renamed = {**badge("fresh", 5, metric="messages", at_least=1), "was": "old"}
    async with sandbox(rules, database=database) as (laurels, clock):
        start, admin = clock.now, Admin(laurels)
        await laurels.record(Event("ada", "m1", "message", start - timedelta(hours=1)))
        await admin.reverse("ada", "m1", "a mistake", "a test")
        await laurels.record(Event("ada", "m2", "message"))
        clock.advance(days=1)
        await admin.apply_catalog(catalog(badges=[renamed], metrics={"messages": count("message")}), "name", "a test")
        await laurels.profile("ada")

        lost, named = (await document(laurels, "ada"))["former"]

        awarded = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        of_both = {"badge": "old", "awardedAt": awarded, "points": 5, "catalog": 1}
        earned = f"{start - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        assert lost["data"] == [{**of_both, "revision": 1, "eventId": "m1", "earnedAt": earned}]
        assert named["data"] == [
            {**of_both, "revision": 3, "eventId": "m2", "earnedAt": awarded, "renamed": "fresh"},
        ]
