"""Two transactions that meet at the same user: in any order, nothing is left over and there is no deadlock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from laurels.engine.events import Event
from laurels.errors import UserErased, UserNotFound
from laurels.service.laurels import Laurels
from laurels.storage.contract import Changes, Loaded, LoadRequest
from laurels.storage.postgres import pool
from laurels.storage.postgres.store import PostgresStore
from tests.support import MONDAY, check_ledgers, check_tallies, contents, postgres, sql
from tests.support.crash_child import CATALOG
from tests.torture.books import check_quiet

pytestmark = pytest.mark.anyio

STORES = 8


@pytest.fixture
def database() -> Iterator[str]:
    with postgres.database() as address:
        yield address


@asynccontextmanager
async def several(database: str, number: int = STORES) -> AsyncIterator[list[Laurels]]:
    """Several Laurels over one database, each as alone as a process of its own."""
    many = [Laurels(PostgresStore(database, connections=2), CATALOG) for _ in range(number)]
    await many[0].store.migrate()
    try:
        yield many
    finally:
        for one in many:
            await one.close()


async def deadlocks(database: str) -> int:
    """How many deadlocks the server has found in this database; their connections must be closed."""
    return (await postgres.run(database, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))[
        0
    ][0]


async def somebody_waits(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Return when another connection waits for a lock of this one."""
    mine = connection.get_server_pid()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"
    while not await connection.fetchval(waiting, mine):  # noqa: ASYNC110  # only the server knows
        await asyncio.sleep(0.01)


# ---- erasing ----------------------------------------------------------------------------------


async def test_a_session_added_during_an_erasure_is_deleted_with_the_user(database: str) -> None:
    async with several(database, 1) as (laurels,):
        await laurels.record(Event("ada", "1", "note"))
        await laurels.store.add_session("ada", b"old", MONDAY, MONDAY)
        other = await asyncpg.connect(database, server_settings={"search_path": "laurels"})
        async with other.transaction():  # what adding a session does, step by step
            await other.execute("SELECT 1 FROM users WHERE user_id = 'ada' FOR KEY SHARE")
            erasing = asyncio.create_task(laurels.erase_user("ada"))
            await somebody_waits(other)
            await other.execute("DELETE FROM sessions WHERE user_id = 'ada' AND expires_at <= 1767614400000000")
            await other.execute("INSERT INTO sessions VALUES ('ada', 'new', 0, 9000000000000000)")
        await other.close()
        await erasing
        assert await sql(laurels.store, "SELECT * FROM sessions") == []
        with pytest.raises(UserNotFound):
            await laurels.store.add_session("ada", b"later", MONDAY, MONDAY + timedelta(days=1))
    assert await deadlocks(database) == 0


async def test_erasing_the_same_unknown_users_from_many_processes_makes_no_deadlock(database: str) -> None:
    names = [f"nobody-{number}" for number in range(6)]
    async with several(database) as many:
        for name in names:
            await asyncio.gather(*(one.erase_user(name) for one in many))
        batches = [[*many[0:4]], [*many[4:8]]]
        await asyncio.gather(
            *(one.erase_user(f"gone-{number}") for one in batches[0] for number in range(6)),
            *(one.record(Event(f"new-{number}", "1", "note")) for one in batches[1] for number in range(6)),
        )
        assert len(await sql(many[0].store, "SELECT * FROM tombstones")) == 12
        assert len(await sql(many[0].store, "SELECT * FROM users")) == 6
    assert await deadlocks(database) == 0


async def test_a_user_erased_during_many_writes_leaves_nothing(database: str) -> None:
    async with several(database) as many:

        async def write(one: Laurels, writer: int) -> list[object]:
            answers: list[object] = []
            for number in range(30):
                events = [Event(name, f"{writer}-{number}", "note") for name in ("ada", "bob", f"new-{number}")]
                answers += await one.record_many(events)
            return answers

        writing = [asyncio.create_task(write(one, writer)) for writer, one in enumerate(many)]
        for name in ("ada", "new-29", "new-25", "nobody"):
            await asyncio.sleep(0.05)
            await many[0].erase_user(name)
        await asyncio.gather(*writing)

        for name in ("ada", "new-29", "new-25", "nobody"):
            with pytest.raises(UserErased):
                await many[1].record(Event(name, "again", "note"))
        for table, rows in (await contents(many[0].store)).items():
            assert not [row for row in rows if {"ada", "new-29", "new-25", "nobody"} & {*row}], table
        assert (await many[0].profile("bob")).points >= 30 * STORES
        await check_ledgers(many[0].store)
        await check_tallies(many[0].store)
    assert await deadlocks(database) == 0


# ---- making users, and boards -----------------------------------------------------------------


async def test_the_same_new_users_from_many_processes_at_once_are_made_once(database: str) -> None:
    async with several(database) as many:
        for life in range(5):
            events = [Event(f"user-{life}-{number}", "first", "note") for number in range(50)]
            answers = await asyncio.gather(
                *(one.record_many(events[shift:] + events[:shift]) for shift, one in enumerate(many))
            )
            new = [answer.user_id for batch in answers for answer in batch if not answer.duplicate]
            assert sorted(new) == sorted(event.user_id for event in events)
        await check_tallies(many[0].store)
    assert await deadlocks(database) == 0


async def test_boards_that_are_rebuilt_twice_at_once_while_all_write_are_right(database: str) -> None:
    async with several(database) as many:

        async def write(one: Laurels, writer: int) -> None:
            for number in range(25):
                await one.record_many(
                    [Event(f"u{(number + k) % 40}", f"{writer}-{number}-{k}", "book") for k in range(8)]
                )

        async def rebuild(one: Laurels) -> None:
            for _ in range(4):
                await one.store.rebuild_tallies()

        await asyncio.gather(*(write(one, writer) for writer, one in enumerate(many)), *map(rebuild, many[:2]))
        assert await many[0].store.wrong_tallies() == 0
        await check_tallies(many[0].store)
        await check_ledgers(many[0].store)
    assert await deadlocks(database) == 0


# ---- who gives up, and who stands still -------------------------------------------------------


async def test_a_cancelled_caller_leaves_no_transaction_and_no_lock(database: str) -> None:
    dice = random.Random(7)
    async with several(database, 2) as (laurels, other):
        await laurels.record(Event("ada", "0", "note"))
        asked = LoadRequest(frozenset(["ada", "new"]), frozenset(), CATALOG.rules, in_full=frozenset(["ada"]))
        for _ in range(60):
            work = dice.choice(
                [
                    lambda: laurels.store.change(asked, lambda _: Changes()),
                    lambda: laurels.history("ada"),
                    lambda: laurels.store.user_snapshot("ada"),
                    lambda: laurels.profile("ada"),
                    laurels.store.rebuild_tallies,
                ]
            )
            task = asyncio.ensure_future(work())
            await asyncio.sleep(dice.uniform(0, 0.006))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for number in range(1, 4):
            await asyncio.gather(*(one.record(Event("ada", f"{number}", "note")) for one in (laurels, other)))
            assert (await laurels.profile("ada")).points == (await other.profile("ada")).points
        await check_quiet(database)
        await check_tallies(laurels.store)


async def test_a_process_stopped_in_a_transaction_does_not_block_others_forever(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.3)
    async with several(database, 1) as (laurels,):
        await laurels.record(Event("ada", "0", "note"))
        calls: list[int] = []

        async def record_elsewhere() -> None:
            async with several(database, 1) as (other,):
                await other.record(Event("ada", "1", "note"))

        def decide(found: Loaded) -> Changes:
            calls.append(found.users["ada"].revision)
            if len(calls) == 1:  # this process stands still; another one does not
                postgres.wait_for(record_elsewhere())
            return Changes()

        await laurels.store.change(LoadRequest(frozenset(["ada"]), frozenset(), CATALOG.rules), decide)
        assert calls == [1, 2]
