"""Exporting a user: every table and column is in it, nothing of others is, and it is read in pieces."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from laurels.engine.events import Event
from laurels.errors import UserNotFound
from laurels.present.exports import LEFT_OUT, SECTIONS, UserExport, exported
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.columns import TABLES, TABLES_OF_USERS
from tests.support import MONDAY, sql

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
        row = [None if name in LEFT_OUT else texts.get(name, 7) for name in columns]
        assert len(exported(table, row)) == len([name for name in columns if name not in LEFT_OUT])


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
