"""Only on PostgreSQL: its addresses, its connections, and the database it shares with the app's own tables."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from laurels.errors import StoreError
from laurels.storage import open_store
from laurels.storage.contract import Store
from tests.storage.test_contract import save, user
from tests.support import MONDAY, postgres

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", ["postgresql"])]

OURS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'laurels'"


async def test_a_closed_store_leaves_no_connection_open(database: str) -> None:
    store = open_store(database)
    await store.migrate()
    await asyncio.gather(*(save(store, user(f"u{i}", 5)) for i in range(20)))
    async with postgres.connected(database) as ask:
        assert (await ask(OURS))[0][0] > 0
        await store.close()
        for _ in range(1000):  # a server notices after a moment
            if not (await ask(OURS))[0][0]:
                break
            await asyncio.sleep(0.01)
        assert await ask(OURS) == [(0,)]


async def test_both_names_of_the_scheme_open_the_same_database(store: Store, database: str) -> None:
    await save(store, user("ada", 5))
    other = open_store(database.replace("postgresql://", "postgres://"))
    assert await other.rank("points", "all", "ada") == (1, 1)
    await other.close()


async def test_the_apps_own_tables_are_neither_read_nor_changed(database: str) -> None:
    async with postgres.connected(database) as ask:
        await ask("CREATE TABLE public.users (user_id INTEGER, name TEXT)")
        await ask("INSERT INTO public.users VALUES (1, 'the app''s own')")
        store = open_store(database)
        await store.migrate()
        await save(store, user("ada", 5))
        assert (await store.counts()).users == 1
        await store.close()
        assert await ask("SELECT * FROM public.users") == [(1, "the app's own")]


async def test_a_read_that_the_server_refuses_does_not_fail_others_in_its_batch(store: Store) -> None:
    await save(store, user("ada", 5))
    await store.add_session("ada", b"t", MONDAY, MONDAY + timedelta(days=1))
    asked = [store.has_session(name, b"t", MONDAY) for name in ("ada", "a\0da", "bob", "ada")]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [answers[0], type(answers[1]), *answers[2:]] == [True, StoreError, False, True]
