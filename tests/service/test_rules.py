"""The catalog in force: each transaction has one, from its beginning to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest

from laurels.commands.events import RecordEvent
from laurels.commands.unit_of_work import Needs, UnitOfWork
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.service.rules import Rules
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


@dataclass(frozen=True, slots=True)
class PutInForce:
    """A command that replaces the catalog while its own transaction runs."""

    rules: Rules
    catalog: Catalog
    user_id: str = "eve"
    at: datetime = MONDAY
    event_id: str | None = None
    needs: Needs = "row"

    def apply(self, work: UnitOfWork) -> None:
        self.rules.put_in_force(self.catalog)


def test_the_catalog_is_replaced_at_once() -> None:
    rules = Rules(OLD)
    assert rules.catalog is OLD
    rules.put_in_force(NEW)
    assert rules.catalog is NEW


async def test_a_transaction_ends_under_the_catalog_under_which_it_began() -> None:
    async with sandbox(OLD) as (laurels, _):
        change = PutInForce(laurels.rules, NEW)
        await laurels.group_commit.submit([message("ada"), change, message("bob")])
        await laurels.group_commit.submit([message("cyd")])
        rows = [await laurels.store.user(user) for user in ("ada", "bob", "cyd")]
        assert [(row.rules, row.progress.points) for row in rows if row] == [
            (OLD.rules, 5),
            (OLD.rules, 5),
            (NEW.rules, 7),
        ]


async def test_users_are_brought_under_a_new_catalog_when_they_are_next_read() -> None:
    async with sandbox(OLD) as (laurels, _):
        await laurels.group_commit.submit([message("ada")])
        laurels.rules.put_in_force(NEW)
        assert laurels.catalog is NEW
        profile = await laurels.profile("ada")
        assert (profile.points, [one.points for one in profile.badges]) == (5, [7])
        row = await laurels.store.user("ada")
        assert row
        assert row.rules == NEW.rules
