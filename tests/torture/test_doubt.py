"""Connections that are lost around a commit: the caller gets the true result, and everything counts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from laurels.auth.keys import create_key
from laurels.engine.events import Event
from laurels.errors import StoreUnavailable
from laurels.present.events import EventResult
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.contract import AmnestyRow
from laurels.storage.postgres.store import PostgresStore
from laurels.testing import TestClock
from tests.support import MONDAY, check_ledgers, check_tallies, postgres, sql
from tests.support.crash_child import CATALOG
from tests.torture.wire import LAST_WORDS, Cut, Wire

pytestmark = pytest.mark.anyio

CUTS = pytest.mark.parametrize("when", ["before", "late", "after"])


@pytest.fixture
def wire() -> Iterator[Wire]:
    with postgres.database() as address, Wire(address) as one:
        yield one


@asynccontextmanager
async def laurels_over(address: str, patience: float = 30, clock: TestClock | None = None) -> AsyncIterator[Laurels]:
    store = PostgresStore(address, patience=patience)
    laurels = Laurels(store, CATALOG, clock=clock or TestClock(MONDAY))
    await store.migrate()
    await laurels.sandboxed()
    try:
        yield laurels
    finally:
        await laurels.close()


async def check_books(laurels: Laurels) -> None:
    await check_ledgers(laurels.store)
    await check_tallies(laurels.store)
    admin = Admin(laurels)
    assert [found async for user_id in admin.users() for found in await admin.verify(user_id)] == []


def notes(*names: str) -> list[Event]:
    """Events named 'user number'."""
    return [Event(name.split()[0], name, "note") for name in names]


async def count_events(laurels: Laurels) -> int:
    return (await sql(laurels.store, "SELECT count(*) FROM events"))[0][0]


# ---- a commit in doubt ------------------------------------------------------------------------


@CUTS
@pytest.mark.parametrize("known", [[], ["ada"], ["ada", "bob", "cyd"]])
async def test_an_answer_that_a_lost_connection_held_back_is_the_answer_of_the_first_time(
    wire: Wire, when: Any, known: list[str]
) -> None:
    async with laurels_over(wire.address) as laurels:
        await laurels.record_many(notes(*(f"{name} 0" for name in known)))
        events = notes("bob 1", "ada 1", "cyd 1", "ada 2")
        wire.armed.append(Cut(when))
        answers = await laurels.record_many(events)

        assert wire.cuts == 1
        assert [answer.duplicate for answer in answers] == [False] * 4
        for answer in answers:
            row = await laurels.store.event(answer.user_id, answer.id)
            assert (row.rank_before, row.rank_after) == (answer.rank.before, answer.rank.after)
            assert answer.rank.after is not None
        assert await count_events(laurels) == len(known) + 4
        again = await laurels.record_many(events)
        assert [(one.points, one.awards, one.rank) for one in again] == [
            (one.points, one.awards, one.rank) for one in answers
        ]
        assert all(one.duplicate for one in again)
        await check_books(laurels)


@CUTS
async def test_adjustments_whose_connection_is_lost_count_once_with_the_original_answer(wire: Wire, when: Any) -> None:
    async with laurels_over(wire.address) as laurels:
        admin = Admin(laurels)
        await laurels.record_many(notes(*(f"ada {number}" for number in range(5))))
        for tell in (
            lambda: admin.adjust("ada", "grant", "grant", {"badge": "rich"}, "because", "a test"),
            lambda: admin.adjust("ada", "gift", "points", {"amount": 30}, "because", "a test"),
            lambda: admin.adjust("ada", "order", "points", {"amount": 20, "spend": True}, "because", "a test"),
            lambda: admin.reverse("ada", "ada 1", "because", "a test"),
            lambda: admin.undo("ada", "gift"),
        ):
            wire.armed.append(Cut(when))
            assert not (await tell()).duplicate
            assert (await tell()).duplicate
        assert wire.cuts == 5
        await check_books(laurels)


@CUTS
async def test_erasing_is_done_although_the_connection_is_lost(wire: Wire, when: Any) -> None:
    async with laurels_over(wire.address) as laurels:
        await laurels.record_many(notes("ada 1", "bob 1"))
        for name in ("ada", "nobody"):
            wire.armed.append(Cut(when))
            await laurels.erase_user(name)
        answers = await laurels.record_many(notes("ada 2", "nobody 1", "bob 2"))
        assert [isinstance(answer, EventResult) for answer in answers] == [False, False, True]
        assert await count_events(laurels) == 2
        await check_books(laurels)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_when_patience_ends_in_doubt_the_error_says_so_and_the_event_counts_once(wire: Wire, when: Any) -> None:
    async with laurels_over(wire.address, patience=0.2) as laurels:
        await laurels.record_many(notes("ada 0"))
        wire.armed.append(Cut(when, last=True))
        with pytest.raises(StoreUnavailable, match="is unknown whether this was written; send it again"):
            await laurels.record_many(notes("ada 1"))
        with pytest.raises(StoreUnavailable) as certain:
            await laurels.record_many(notes("ada 2"))
        assert "not known" not in str(certain.value)

        wire.accept()
        (answer,) = await laurels.record_many(notes("ada 1"))
        assert answer.duplicate == (when == "after")
        assert answer.points
        assert await count_events(laurels) == 2
        await check_books(laurels)


async def test_the_same_event_of_another_process_at_the_same_time_is_not_mistaken_for_our_own(wire: Wire) -> None:
    clock = TestClock(MONDAY)  # a clock that stands, as that of a sandbox may
    async with laurels_over(wire.address, clock=clock) as laurels, laurels_over(wire.server, clock=clock) as other:
        await laurels.record_many(notes("ada 0"))
        wire.armed.append(Cut("before", last=True))
        recording = asyncio.create_task(laurels.record_many(notes("ada 1", "ada 2", "bob 1")))
        await wire.has_cut()
        await other.record_many(notes("ada 1"))
        wire.accept()
        answers = await recording
        assert await count_events(laurels) == 4
        assert [answer.duplicate for answer in answers] == [True, False, False]
        await check_books(laurels)


# ---- what is no act of a user -----------------------------------------------------------------


@pytest.mark.parametrize("tag", ["INSERT 0 1", "suspended", "COMMIT"])
async def test_keys_sessions_and_amnesties_are_done_once_although_the_connection_is_lost(wire: Wire, tag: str) -> None:
    async with laurels_over(wire.address) as laurels:
        store = laurels.store
        await laurels.record_many(notes("ada 0"))
        day = MONDAY.toordinal()

        def lose() -> None:
            wire.armed.clear()
            wire.armed.append(Cut("after", tag))

        lose()
        await create_key(store, "app", MONDAY)
        assert [key.name for key in await store.keys()] == ["app"]
        lose()
        assert await store.revoke_key("app", MONDAY)
        assert not await store.revoke_key("app", MONDAY + timedelta(days=1))
        lose()
        await store.add_session("ada", b"token", MONDAY, MONDAY + timedelta(days=1))
        assert await store.has_session("ada", b"token", MONDAY)
        lose()
        await store.add_amnesty(AmnestyRow("x", day, day, None, "because", "a test", MONDAY, None))
        lose()
        assert await store.lift_amnesty("x", MONDAY)
        assert not await store.lift_amnesty("x", MONDAY + timedelta(days=1))
        lose()
        await store.set_clock_offset(timedelta(hours=1))
        lose()
        await store.end_session("ada", b"token")
        assert await store.clock_offset() == timedelta(hours=1)
        assert wire.cuts >= 1


@CUTS
async def test_migrate_waits_for_a_server_that_restarts(wire: Wire, when: Any) -> None:
    store = PostgresStore(wire.address)
    wire.armed.append(Cut(when))
    await store.migrate()
    await store.ready()
    assert wire.cuts == 1
    assert await store.migrate() == []
    await store.close()


async def test_a_message_of_a_stopping_server_to_an_idle_connection_counts_as_its_end(wire: Wire) -> None:
    async with laurels_over(wire.address) as laurels:
        await laurels.record_many(notes("ada 0"))
        wire.tell_all(LAST_WORDS)
        await asyncio.sleep(0.1)
        (answer,) = await laurels.record_many(notes("ada 1"))
        assert not answer.duplicate
        wire.tell_all(LAST_WORDS)
        await asyncio.sleep(0.1)
        assert (await laurels.profile("ada")).points == 3
        await check_books(laurels)


# ---- reading ----------------------------------------------------------------------------------


async def test_readers_do_not_notice_that_their_connections_are_cut(wire: Wire) -> None:
    async with laurels_over(wire.address) as laurels:
        await laurels.record_many(notes("ada 0"))
        for _ in range(20):
            with suppress(asyncio.CancelledError):
                reading = [asyncio.create_task(laurels.profile("ada", include=["history", "rank"])) for _ in range(10)]
                await asyncio.sleep(0)
                wire.cut_all()
                assert {profile.points for profile in await asyncio.gather(*reading)} == {2}
