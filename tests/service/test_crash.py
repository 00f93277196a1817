from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.contract import Store
from tests.support import LASTING_ENGINES, check_file, check_ledgers, check_tallies, sql
from tests.support.crash_child import CATALOG, USERS

LIVES = 50
SEED = 20260105


async def check_books(store: Store, acknowledged: set[str]) -> None:
    """Nothing acknowledged is missing, and nothing is there by half."""
    events = await sql(store, "SELECT user_id, event_id, outcome FROM events")
    assert not acknowledged - {f"{user_id} {event_id}" for user_id, event_id, _ in events}
    paid: Counter[tuple[str, str]] = Counter()
    of_events = "SELECT user_id, event_id, amount FROM ledger WHERE event_id IS NOT NULL"  # a zone change has others
    for user_id, event_id, amount in await sql(store, of_events):
        paid[user_id, event_id] += amount
    awards = {
        tuple(row) for row in await sql(store, "SELECT user_id, event_id, badge FROM awards WHERE event_id IS NOT NULL")
    }
    for user_id, event_id, outcome in events:
        kept = json.loads(outcome) if outcome else {"points": None, "awards": []}
        before, after = kept["points"] or (0, 0)
        assert paid.pop((user_id, event_id), 0) == after - before
        earned = {(user_id, event_id, name) for name, _ in kept["awards"]}
        assert earned <= awards
        awards -= earned
    assert not paid
    assert not awards
    await check_ledgers(store)
    await check_tallies(store)


async def reopen(database: str, acknowledged: set[str]) -> None:
    store = open_store(database)
    await store.migrate()
    await check_books(store, acknowledged)
    await store.close()


async def verify(database: str) -> None:
    async with Laurels.open(database, CATALOG) as laurels:
        admin = Admin(laurels)
        assert {user_id: await admin.verify(user_id) async for user_id in admin.users()} == {name: [] for name in USERS}
        await check_file(laurels.store)


@pytest.mark.slow
@pytest.mark.parametrize("engine", LASTING_ENGINES)
def test_nothing_acknowledged_is_lost_by_fifty_kills_under_load(database: str, tmp_path: Path) -> None:
    acks = tmp_path / "acknowledged"
    chance = random.Random(SEED)
    command = [sys.executable, "-m", "tests.support.crash_child", database, str(acks)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        for life in range(LIVES):
            nursery.stdin.write(f"{life}\n")
            nursery.stdin.flush()
            child = int(nursery.stdout.readline())
            time.sleep(chance.uniform(0.01, 0.3))
            os.kill(child, signal.SIGKILL)
            assert int(nursery.stdout.readline()) == -signal.SIGKILL
            asyncio.run(reopen(database, set(acks.read_text().splitlines())))
        nursery.stdin.close()
    acknowledged = acks.read_text().splitlines()
    assert len(acknowledged) == len(set(acknowledged)) > LIVES
    asyncio.run(verify(database))
