"""The catalog in force: each transaction has one, from its beginning to its end."""

from __future__ import annotations

import pytest

from laurels.commands.events import RecordEvent
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.service.admin import Admin
from laurels.testing import sandbox
from tests.support import MONDAY, badge, catalog, count

pytestmark = pytest.mark.anyio


def paying(points: int) -> Catalog:
    return catalog(
        metrics={"messages": count("message")}, badges=[badge("first", points, metric="messages", at_least=1)]
    )


OLD, NEW = paying(5), paying(7)


def message(user: str) -> RecordEvent:
    return RecordEvent(Event(user, "m", "message"), MONDAY)


async def test_users_are_brought_under_a_new_catalog_when_they_are_next_read() -> None:
    async with sandbox(OLD) as (laurels, _):
        await laurels.group_commit.submit([message("ada")])
        await Admin(laurels).apply_catalog(NEW, "more points", "ops")
        assert laurels.catalog == NEW
        profile = await laurels.profile("ada")
        assert (profile.points, [one.points for one in profile.badges]) == (5, [7])
        row = await laurels.store.user("ada")
        assert row
        assert row.rules == NEW.rules
