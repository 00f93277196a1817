"""Replacing the ids of erased users in rows of others: adjustments, their undos, and the details of the audit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from laurels.engine.metrics import REFERENCE
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.contract import AdjustmentRow, Changes, LoadRequest
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
