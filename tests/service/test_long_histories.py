"""Changes that need a long history are computed outside of the transaction: same results, and no one else waits."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from laurels.engine.events import Event
from laurels.errors import Overloaded, UserErased
from laurels.service import group_commit, long_histories
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.contract import Loaded, LoadRequest
from laurels.testing import sandbox
from tests.support import check_ledgers, check_tallies, contents, sql

pytestmark = pytest.mark.anyio

BOUND_SECONDS = 30


@pytest.fixture
async def laurels(database: str) -> AsyncIterator[Laurels]:
    async with sandbox(database=database) as (one, _):
        yield one
        await check_tallies(one.store)
        await check_ledgers(one.store)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a history of three events is long."""
    monkeypatch.setattr(group_commit, "LONG", 2)


async def fill(laurels: Laurels, user_id: str = "ada", events: int = 12) -> None:
    kinds = ("agent.created", "message.sent", "referral.completed")
    for number in range(events):
        await laurels.record(Event(user_id, f"e{number}", kinds[number % 3], quantity=1 + 40 * (number % 2)))


async def change_everything(laurels: Laurels) -> None:
    """Every kind of change that needs the whole history."""
    admin = Admin(laurels)
    await fill(laurels)
    await fill(laurels, "bob")
    await admin.reverse("ada", "e0", "a mistake", "anna")
    await admin.reverse("ada", "e1", "a mistake", "anna")
    await admin.reverse("ada", "not-yet", "a mistake", "anna")
    await admin.undo("ada", "reversal:e0", "it was right", "anna")
    await admin.adjust("ada", "g", "grant", {"badge": "early_adopter"}, "a prize", "anna")
    await admin.undo("ada", "g", "no prize", "anna")
    await admin.rebuild("ada")
    await laurels.record(Event("ada", "not-yet", "agent.created"))
    assert (await admin.reverse("ada", "e1", "a mistake", "anna")).status == "duplicate"


async def test_the_results_are_those_of_the_shared_transaction(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with sandbox() as (usual, _):
        await change_everything(usual)
        expected = await contents(usual.store)
    monkeypatch.setattr(group_commit, "LONG", 2)
    async with sandbox(database=database) as (other, _):
        await change_everything(other)
        found = await contents(other.store)
        for user_id in ("ada", "bob"):
            assert await Admin(other).verify(user_id) == []

    for table in ("users", "events", "awards", "ledger", "adjustments", "standings", "outbox"):
        assert found[table] == expected[table], table


Meanwhile = Callable[[], Awaitable[object]]


def after_each_load(laurels: Laurels, monkeypatch: pytest.MonkeyPatch, meanwhile: Meanwhile) -> list[int]:
    """Do something whenever a long history was read. Returns a list that grows with each read."""
    loads: list[int] = []
    load = type(laurels.store).load

    async def loading(store: Any, request: LoadRequest) -> Loaded:
        loaded = await load(store, request)
        loads.append(1)
        await meanwhile()
        return loaded

    monkeypatch.setattr(type(laurels.store), "load", loading)
    return loads


async def test_no_one_else_waits_for_a_long_history(
    laurels: Laurels, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(laurels)
    going_on = asyncio.Event()
    after_each_load(laurels, monkeypatch, going_on.wait)

    reversal = asyncio.create_task(Admin(laurels).reverse("ada", "e0", "a mistake", "anna"))
    await asyncio.wait_for(laurels.record(Event("bob", "1", "agent.created")), BOUND_SECONDS)
    await asyncio.wait_for(laurels.record(Event("ada", "own", "agent.created")), BOUND_SECONDS)

    assert not reversal.done()
    going_on.set()
    assert (await reversal).status == "applied"
    assert await Admin(laurels).verify("ada") == []


async def test_a_user_who_changed_meanwhile_is_computed_again(
    laurels: Laurels, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(laurels)
    names = iter(range(2))

    async def record() -> None:
        if (number := next(names, None)) is not None:
            await laurels.record(Event("ada", f"meanwhile-{number}", "agent.created"))

    loads = after_each_load(laurels, monkeypatch, record)

    assert (await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")).status == "applied"
    assert len(loads) == 3
    assert await Admin(laurels).verify("ada") == []


async def test_a_user_who_changes_all_the_time_is_changed_all_the_same(
    laurels: Laurels, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(laurels)
    names = iter(range(1000))
    loads = after_each_load(
        laurels,
        monkeypatch,
        lambda: laurels.record(Event("ada", f"meanwhile-{next(names)}", "agent.created")),
    )

    assert (await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")).status == "applied"
    assert len(loads) == long_histories.ATTEMPTS
    assert await Admin(laurels).verify("ada") == []


async def test_a_user_who_is_erased_meanwhile_stays_erased(
    laurels: Laurels, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(laurels)
    after_each_load(laurels, monkeypatch, lambda: laurels.erase_user("ada"))

    with pytest.raises(UserErased):
        await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")
    assert await laurels.store.user("ada") is None


async def test_commands_of_one_user_keep_their_order(laurels: Laurels, short: None) -> None:
    await fill(laurels)
    admin = Admin(laurels)

    first, undone, second = await asyncio.gather(
        admin.reverse("ada", "e0", "a mistake", "anna"),
        admin.undo("ada", "reversal:e0", "it was right", "anna"),
        admin.reverse("ada", "e0", "a mistake after all", "anna"),
    )

    assert [one.status for one in (first, undone, second)] == ["applied", "undone", "applied"]
    assert await admin.verify("ada") == []


async def test_who_waits_too_long_for_a_turn_is_told_to_come_again(
    laurels: Laurels, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(laurels)
    await fill(laurels, "bob")
    monkeypatch.setattr(laurels.group_commit._long, "_wait_seconds", 0.1)
    going_on = asyncio.Event()
    after_each_load(laurels, monkeypatch, going_on.wait)

    first = asyncio.create_task(Admin(laurels).reverse("ada", "e0", "a mistake", "anna"))
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await Admin(laurels).reverse("bob", "e0", "a mistake", "anna")

    going_on.set()
    assert (await first).status == "applied"
    assert (await Admin(laurels).reverse("bob", "e0", "a mistake", "anna")).status == "applied"


async def test_a_request_of_which_a_part_waits_too_long_fails_whole_and_can_be_sent_again(
    laurels: Laurels, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user_id, events in (("ada", 12), ("bob", 12), ("cyd", 1)):
        await fill(laurels, user_id, events)
    monkeypatch.setattr(laurels.group_commit._long, "_wait_seconds", 0.1)
    going_on = asyncio.Event()
    after_each_load(laurels, monkeypatch, going_on.wait)
    first = asyncio.create_task(Admin(laurels).reverse("ada", "e0", "a mistake", "anna"))
    await asyncio.sleep(0.01)

    with pytest.raises(Overloaded):
        await Admin(laurels).reverse_many([("cyd", "e0"), ("bob", "e0")], "a mistake", "anna")

    going_on.set()
    assert (await first).status == "applied"
    again = await Admin(laurels).reverse_many([("cyd", "e0"), ("bob", "e0")], "a mistake", "anna")
    assert [one.status for one in again] == ["duplicate", "applied"]


async def test_closing_finishes_what_is_being_computed(
    laurels: Laurels, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(laurels)
    going_on = asyncio.Event()
    after_each_load(laurels, monkeypatch, going_on.wait)
    reversal = asyncio.create_task(Admin(laurels).reverse("ada", "e0", "a mistake", "anna"))
    await asyncio.sleep(0.05)

    closing = asyncio.create_task(laurels.group_commit.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    going_on.set()
    await asyncio.wait_for(closing, BOUND_SECONDS)

    assert (await reversal).status == "applied"


async def test_two_programs_that_compute_at_once_leave_the_turns_of_threads_as_they_were() -> None:
    usual = sys.getswitchinterval()
    turns = long_histories._short_turns
    turns.__enter__()
    turns.__enter__()
    assert sys.getswitchinterval() < usual
    turns.__exit__()
    assert sys.getswitchinterval() < usual
    turns.__exit__()
    assert sys.getswitchinterval() == usual


async def test_closing_ends_the_thread_that_computes(laurels: Laurels, short: None) -> None:
    await fill(laurels)
    await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")
    assert [one for one in threading.enumerate() if one.name == "laurels-long"]
    await laurels.group_commit._long.close()
    for thread in [one for one in threading.enumerate() if one.name == "laurels-long"]:
        thread.join(BOUND_SECONDS)
    assert not [one for one in threading.enumerate() if one.name == "laurels-long"]


async def test_a_long_history_is_judged_only_under_a_stored_catalog(database: str, short: None) -> None:
    """As in a database of an earlier version, whose users have long histories and no catalog."""
    async with sandbox(database=database) as (laurels, _):
        await fill(laurels)
        await sql(laurels.store, "DELETE FROM catalog_revisions RETURNING 1")
        await laurels.rules.follow()
        assert laurels.rules.in_force.must_bind
        await Admin(laurels).reverse("ada", "e0", "a mistake", "anna")
        assert [row.number for row in await laurels.store.catalog_revisions()] == [1]
