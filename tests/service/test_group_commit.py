from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from laurels.commands.context import DecisionContext
from laurels.commands.events import Recorded, RecordEvent
from laurels.commands.unit_of_work import Command, Needs, UnitOfWork
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import EventTooLate, Overloaded, StoreUnavailable
from laurels.present.events import EventResult
from laurels.service.group_commit import GroupCommit
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.contract import Store
from laurels.storage.sqlite.store import SQLiteStore
from tests.support import LASTING_ENGINES, MONDAY, check_ledgers, check_tallies, sql
from tests.support.files import opened

pytestmark = pytest.mark.anyio

ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite-file", "sqlite-memory"])
"""For tests that use SQLite itself: its count of commits, and its switch against writing."""

CONTEXT = DecisionContext(Catalog.default())


def act(name: str, user: str = "ada", quantity: int = 1) -> RecordEvent:
    return RecordEvent(Event(user, name, "message.sent", quantity=quantity), MONDAY)


@dataclass(frozen=True, slots=True)
class FailingCommand:
    """A command with a bug: it changes the unit of work, and fails."""

    user_id: str = "ada"
    at: datetime = MONDAY
    event_id: str | None = None
    needs: Needs = "row"

    def apply(self, work: UnitOfWork) -> object:
        act("half-done").apply(work)
        raise ZeroDivisionError


async def event_ids(store: Store) -> list[str]:
    return [name for (name,) in await sql(store, "SELECT event_id FROM events ORDER BY user_id, revision")]


@pytest.fixture
async def group_commit(store: Store) -> AsyncIterator[GroupCommit]:
    group_commit = GroupCommit(store, lambda: CONTEXT, queue_limit=10)
    yield group_commit
    await group_commit.close()


async def test_answers_are_in_order_with_errors_in_their_places(group_commit: GroupCommit) -> None:
    late = RecordEvent(Event("ada", "late", "x", MONDAY.replace(year=2020)), MONDAY)
    answers = await group_commit.submit([act("1"), late, act("2")])
    assert [type(answer) for answer in answers] == [Recorded, EventTooLate, Recorded]


@ON_SQLITE
async def test_what_waits_shares_a_transaction(store: Store, group_commit: GroupCommit) -> None:
    assert isinstance(store, SQLiteStore)
    before = store._commits
    await asyncio.gather(*(group_commit.submit([act(f"{i}")]) for i in range(10)))
    assert store._commits - before <= 2


@ON_SQLITE
async def test_a_transaction_takes_no_more_than_its_limit(store: Store) -> None:
    assert isinstance(store, SQLiteStore)
    group_commit, before = GroupCommit(store, lambda: CONTEXT, batch_limit=3), store._commits
    await asyncio.gather(*(group_commit.submit([act(f"{i}"), act(f"{i}+")]) for i in range(6)))
    assert store._commits - before == 6
    await group_commit.close()


async def test_a_full_queue_refuses_at_once_and_keeps_what_it_took(store: Store, group_commit: GroupCommit) -> None:
    taken = asyncio.ensure_future(group_commit.submit([act(f"a{i}") for i in range(8)]))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await group_commit.submit([act(f"b{i}") for i in range(8)])
    assert len(await taken) == 8
    await group_commit.submit([act(f"c{i}") for i in range(8)])
    assert await event_ids(store) == [f"{letter}{i}" for letter in "ac" for i in range(8)]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The database is slow: another connection holds its lock."""
    with opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@pytest.fixture
async def filed(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'laurels.db'}")
    await store.migrate()
    yield store
    await store.close()


async def test_what_has_waited_too_long_is_refused_and_was_not_written(filed: Store, tmp_path: Path) -> None:
    group_commit = GroupCommit(filed, lambda: CONTEXT, queue_seconds=0.2)
    with locked(tmp_path / "laurels.db"):
        running = asyncio.ensure_future(group_commit.submit([act("running")]))
        await asyncio.sleep(0)
        waiting = await asyncio.gather(*(group_commit.submit([act(f"{i}")]) for i in range(3)), return_exceptions=True)
        assert [type(answer) for answer in waiting] == [Overloaded] * 3
        assert not running.done()
        assert group_commit.waiting == 1
        with pytest.raises(Overloaded):
            await group_commit.submit([act("the one that runs has taken too long")])
    await running
    await group_commit.submit([act("after")])
    assert await event_ids(filed) == ["running", "after"]
    await group_commit.close()


async def test_what_would_wait_too_long_is_refused_at_once(filed: Store, tmp_path: Path) -> None:
    group_commit = GroupCommit(filed, lambda: CONTEXT, batch_limit=1, queue_seconds=1)
    with locked(tmp_path / "laurels.db"):
        slow = asyncio.ensure_future(group_commit.submit([act("slow")]))
        await asyncio.sleep(0.3)
    await slow
    with locked(tmp_path / "laurels.db"):
        sent = [asyncio.ensure_future(group_commit.submit([act(f"{i:02}")])) for i in range(20)]
        await asyncio.sleep(0)
        refused = [one for one in sent if one.done()]
        assert {(type(one.exception()), one.exception().retry_after >= 2) for one in refused} == {(Overloaded, True)}
        assert 10 < len(refused) < 20
    taken = [one for one in sent if one not in refused]
    assert await asyncio.gather(*taken)
    assert await event_ids(filed) == ["slow", *(f"{i:02}" for i in range(len(taken)))]
    assert group_commit.expected_wait == 0
    await group_commit.close()


async def test_an_empty_queue_takes_a_submission_of_any_size(group_commit: GroupCommit) -> None:
    assert len(await group_commit.submit([act(f"{i}") for i in range(50)])) == 50
    assert group_commit.waiting == 0


async def test_closing_writes_what_waits_and_takes_nothing_more(store: Store) -> None:
    group_commit = GroupCommit(store, lambda: CONTEXT, batch_limit=2)
    waiting = [asyncio.ensure_future(group_commit.submit([act(f"{i}")])) for i in range(9)]
    await asyncio.sleep(0)
    await group_commit.close()
    assert len(await event_ids(store)) == 9
    assert len(await asyncio.gather(*waiting)) == 9
    with pytest.raises(Overloaded, match="shutting down"):
        await group_commit.submit([act("late")])
    await group_commit.close()


async def test_a_cancelled_caller_does_not_stop_the_writing(store: Store, group_commit: GroupCommit) -> None:
    tasks = [asyncio.ensure_future(group_commit.submit([act(f"{i}")])) for i in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    await group_commit.submit([act("after")])
    assert await event_ids(store) == ["0", "1", "2", "after"]


async def test_a_command_with_a_bug_fails_only_its_own_submission(
    store: Store, group_commit: GroupCommit, caplog: pytest.LogCaptureFixture
) -> None:
    submissions: list[list[Command]] = [[act("1")], [act("2"), FailingCommand()], [act("3")]]
    with caplog.at_level(logging.ERROR, "laurels.service.group_commit"):
        answers = await asyncio.gather(
            *(group_commit.submit(commands) for commands in submissions), return_exceptions=True
        )
    assert isinstance(answers[1], ZeroDivisionError)
    assert await event_ids(store) == ["1", "3"]
    assert [record.message for record in caplog.records] == ["a command could not be written"]
    assert isinstance((await group_commit.submit([act("2")]))[0], Recorded)


@ON_SQLITE
async def test_a_database_that_cannot_be_written_refuses_all_submissions_until_it_can(
    store: Store, group_commit: GroupCommit
) -> None:
    await sql(store, "PRAGMA query_only = 1")
    answers = await asyncio.gather(*(group_commit.submit([act(f"{i}")]) for i in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    await sql(store, "PRAGMA query_only = 0")
    await group_commit.submit([act("1")])
    assert await event_ids(store) == ["1"]


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_sixty_four_clients_with_the_same_thousand_events_count_each_once(store: Store) -> None:
    laurels = Laurels(store, queue_limit=100_000, queue_seconds=600, clock=lambda: MONDAY)
    events = [Event(f"u{i % 7}", f"e{i}", "message.sent", quantity=1 + i % 3) for i in range(1000)]
    answers = await asyncio.gather(*(laurels.record_many(events) for _ in range(64)))
    firsts = [answer for of_client in answers for answer in of_client if not getattr(answer, "duplicate", True)]
    assert len(firsts) == 1000
    assert len({(one.user_id, one.id) for one in firsts if isinstance(one, EventResult)}) == 1000
    assert (await store.counts()).events == 1000
    for i in range(7):
        profile = await laurels.profile(f"u{i}")
        assert (profile.points, [one.id for one in profile.badges]) == (100, ["message_100"])
    assert await sql(store, "SELECT count(*), count(DISTINCT user_id) FROM awards") == [(7, 7)]
    await check_ledgers(store)
    await check_tallies(store)
