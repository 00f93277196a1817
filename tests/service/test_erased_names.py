"""Replacing the ids of erased users in rows of others: adjustments, their undos, and the details of the audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from laurels.engine.metrics import REFERENCE
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.contract import AdjustmentRow, AuditFilter, AuditRow, Changes, LoadRequest, Principal, Source
from tests.support import contents

pytestmark = pytest.mark.anyio

ERASED = "erased-one"
REQUEST = LoadRequest(frozenset({"bob"}), frozenset(), "", with_adjustments=frozenset({"bob"}))


async def adjustments(laurels: Laurels) -> dict[str, AdjustmentRow]:
    return {row.adjustment_id: row for row in (await laurels.store.load(REQUEST)).adjustments["bob"]}


async def erase(laurels: Laurels, user_id: str = ERASED) -> None:
    await laurels.erase_user(user_id)
    await laurels.erasures.finish()


async def test_an_undo_from_an_older_copy_does_not_write_the_actor_back(database: str) -> None:
    async with Laurels.open(database) as laurels:
        await laurels.update_user("bob")
        await Admin(laurels).adjust("bob", "a", "points", {"amount": 5}, "thanks", ERASED)
        older = (await adjustments(laurels))["a"]
        await erase(laurels)

        undone = replace(older, undone_by=older.revision + 1, data={**older.data, "undone": {"reason": "a mistake"}})
        await laurels.store.change(REQUEST, lambda _: Changes(adjustments=[undone]))

        row = (await adjustments(laurels))["a"]
        assert row.actor.startswith(REFERENCE)
        assert (row.undone_by, row.data) == (undone.undone_by, undone.data)
        assert ERASED not in repr(await contents(laurels.store))


async def test_who_undid_an_adjustment_is_replaced_unless_it_is_the_principal(database: str) -> None:
    async with Laurels.open(database) as laurels:
        await laurels.update_user("bob")
        own = {"app": Admin(laurels), "operator": Admin(laurels, Source(Principal("operator", ERASED)))}
        for name, admin in own.items():
            await admin.adjust("bob", name, "points", {"amount": 5}, "thanks", "anna")
            await admin.undo("bob", name, f'"actor":"{ERASED}"', ERASED)
        await erase(laurels)

        found = {name: row.data["undone"] for name, row in (await adjustments(laurels)).items()}
        assert found["app"]["actor"].startswith(REFERENCE)
        assert found["app"]["reason"] == f'"actor":"{ERASED}"', "free text stays"
        assert found["operator"]["actor"] == ERASED
        assert await Admin(laurels).verify("bob") == []


async def test_a_role_or_another_value_that_an_id_is_equal_to_stays(database: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    detail = {"role": "owner", "kind": "owner", "hint": "owner", "scopes": "owner", "why": "owner"}
    typed = {"actor": "owner", "reason": "owner", "adjustment": "owner", "group": "owner", "operator": "owner"}
    async with Laurels.open(database) as laurels:
        await laurels.store.add_audit(AuditRow("row", at, "key.created", None, detail=detail | typed))
        await erase(laurels, "owner")

        row = next(row for row in await laurels.store.audit(9, only=AuditFilter()) if row.audit_id == "row")
        assert {name: row.detail[name] for name in detail} == detail
        assert all(row.detail[name].startswith(REFERENCE) for name in typed)
