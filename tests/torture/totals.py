"""Eight processes write at once: the totals are exact, each badge is earned once, and no caller gets a conflict."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from typing import Any

from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from tests.support import behind, check_ledgers, check_tallies
from tests.torture.rig import ROOT
from tests.torture.story import CATALOG, NOTES
from tests.torture.writers import PROCESSES, batches_of

FULL = {"one hot user": (1, 10_000, 1), "a crowd": (1000, 100_000, 100)}
"""How many users, events, and events in a batch: as large as Laurels promises it."""

SMALL = {"one hot user": (1, 800, 1), "a crowd": (100, 8000, 40)}


def check(database: str, users: int, events: int, batch: int) -> dict[str, int]:
    """Let them write, and look at every total; some figures of it."""
    asyncio.run(_prepare(database))
    program = [sys.executable, "-m", "tests.torture.writers", database, *map(str, (users, events, batch))]
    done = subprocess.run(program, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    again = _check_answers(told["processes"], users, events, batch)
    asyncio.run(_check_stored(database, users, events))
    return {"events": events, "events/s": round(events / told["seconds"]), "sent again": again}


async def _prepare(database: str) -> None:
    async with Laurels.open(database, CATALOG):
        pass


def _check_answers(processes: list[Any], users: int, events: int, batch: int) -> int:
    """All answers that the processes received, and how often one had to retry."""
    faults = [fault for one in processes for fault in one["faults"]]
    assert not faults, faults[:5]
    heard = sum((Counter(one["heard"]) for one in processes), Counter[str]())
    again = heard.pop("overloaded", 0)
    sent = sum(len(one) for process in range(PROCESSES) for one in batches_of(process, users, events, batch))
    assert heard == {"recorded": events, "duplicate": sent - events}
    awarded = Counter(tuple(award) for one in processes for award in one["awards"])
    names = earned(events // users)
    assert awarded == {(f"user-{number:04}", name): 1 for number in range(users) for name in names}
    return again


def earned(notes: int) -> list[str]:
    """The badges of a user with this number of notes and nothing else."""
    names = [name for name, least in NOTES.items() if notes >= least] + (["writer"] if notes >= 100 else [])
    points = notes + sum(NOTES.get(name, 9) for name in names)
    return names + (["rich"] if points >= 150 else [])


async def _check_stored(database: str, users: int, events: int) -> None:
    each, names = events // users, earned(events // users)
    points = each + sum(NOTES.get(name, 50 if name == "rich" else 9) for name in names)
    async with Laurels.open(database, CATALOG) as laurels:
        async with behind(laurels.store) as ask:
            assert await ask("SELECT count(*) FROM events") == [(events,)]
            assert await ask("SELECT DISTINCT points FROM users") == [(points,)]
            assert await ask("SELECT count(*) FROM awards") == [(users * len(names),)]
            paid = await ask("SELECT user_id, ref FROM ledger WHERE reason = 'badge'")
        assert len(paid) == len(set(paid)) == users * len(names)
        await check_ledgers(laurels.store)
        await check_tallies(laurels.store)
        admin = Admin(laurels)
        checked = {name: await admin.verify(name) async for name in admin.users()}
        assert checked == {f"user-{number:04}": [] for number in range(users)}
        assert await laurels.store.wrong_tallies() == 0
