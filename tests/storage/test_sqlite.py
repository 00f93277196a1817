"""Only on SQLite: its addresses, its file, and the bytes in it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from laurels.errors import SettingsError, StoreUnavailable
from laurels.storage import open_store
from laurels.storage.contract import LeaderboardRequest, TeamsRequest
from tests.storage.test_contract import fill, save, user
from tests.support import sql

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("database", ["sqlite:", "sqlite:///", "sqlite:relative.db"])
def test_an_address_without_a_file_is_refused(database: str) -> None:
    with pytest.raises(SettingsError):
        open_store(database)


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but long enough to be looked at " * 20)
    for path in (tmp_path, tmp_path / "no" / "folder.db", tmp_path / "text.db"):
        with pytest.raises(StoreUnavailable):
            open_store(f"sqlite:///{path}")


async def test_a_database_that_cannot_be_written_is_unavailable_and_says_so(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'laurels.db'}")
    await store.migrate()
    await sql(store, "PRAGMA query_only = 1")
    with pytest.raises(StoreUnavailable, match="readonly"):
        await save(store, user("ada"))
    await sql(store, "PRAGMA query_only = 0")
    await save(store, user("ada"))
    await store.close()


async def test_wide_reads_take_turns_in_one_thread_and_leave_the_event_loop_free(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'laurels.db'}")
    await store.migrate()
    await fill(store, "bob")
    requests = [LeaderboardRequest("points", "all", limit=1000), LeaderboardRequest("points", "all", ties="dense")]
    requests += [LeaderboardRequest("points", "all", only=[f"u{number}" for number in range(200)])]
    reads = [store.listing(one) for one in requests * 10]
    reads += [store.history("bob", 500), store.teams(TeamsRequest("clubs", "all", 10))]
    before = threading.active_count()
    running = [asyncio.ensure_future(read) for read in reads]
    await asyncio.sleep(0)

    assert not any(one.done() for one in running)
    assert threading.active_count() <= before + 1
    await asyncio.gather(*running)
    await save(store, user("cyd"))
    assert (await store.history("cyd", 500)).events == (await store.history("cyd", 20)).events
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.history("bob", 500)
