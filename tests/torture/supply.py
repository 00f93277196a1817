"""Limited supply under 64 writers in 4 processes, which are killed now and then: never more holders than copies.

    python -m tests.torture.supply DATABASE NAME STOP

is one of the processes. It writes until the file STOP exists.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from laurels.engine.events import Event
from laurels.errors import AdjustmentNotFound, LaurelsError
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.service.supplies import supply_differences
from tests.support import badge, catalog, check_ledgers, check_tallies, count, sql

SUPPLY, PROCESSES, WRITERS = 100, 4, 16
USERS = [f"user-{number:03}" for number in range(300)]
CATALOG = catalog(
    metrics={"notes": count("note")},
    streaks={"visits": {"events": ["visit"]}},
    badges=[
        {**badge("founder", 50, metric="notes", at_least=2), "supply": SUPPLY},
        {**badge("rich", 7, points_of=50), "supply": SUPPLY // 2},
    ],
)
HOLDERS = "SELECT badge, count(*) FROM awards GROUP BY badge"
COPIES = {"founder": SUPPLY, "rich": SUPPLY // 2}
BETWEEN = 0.3
"""Seconds between two kills."""

Report = Callable[[str], None]


async def write(laurels: Laurels, name: str, stop: Path) -> None:
    """Record events of any users; now and then take a badge away, and undo that."""
    chance, admin, number = random.Random(name), Admin(laurels), 0
    while not stop.exists():  # noqa: ASYNC240  # a look at a file takes microseconds
        number += 1
        user = chance.choice(USERS)
        await laurels.record_many([Event(chance.choice(USERS), f"{name}-{number}-{one}", "note") for one in range(3)])
        if chance.random() < 0.15:
            with suppress(LaurelsError):  # a user without the badge, or unknown
                await admin.adjust(user, "revocation", "revocation", {"badge": "founder"}, "again", name)
        if chance.random() < 0.15:
            with suppress(AdjustmentNotFound):
                await admin.undo(user, "revocation", "again", name)


async def live(database: str, name: str, stop: Path) -> None:
    async with Laurels.open(database) as laurels:
        await asyncio.gather(*(write(laurels, f"{name}-{writer}", stop) for writer in range(WRITERS)))


async def most_held(laurels: Laurels) -> None:
    """No badge has more holders than copies at this instant."""
    for name, held in await sql(laurels.store, HOLDERS):
        assert held <= COPIES[name], f"{held} users have {name}"


async def scenario(database: str, folder: Path, seed: int, seconds: float, tell: Report) -> dict[str, int]:
    """Let the processes write for some seconds, kill one of them now and then, and check who has the badges in the end."""
    stop, kills, dice = folder / "stop", 0, random.Random(seed)
    lives: list[subprocess.Popen[bytes]] = []

    def start(number: int) -> subprocess.Popen[bytes]:
        name = f"{number}-{len(lives)}-{kills}"
        command = [sys.executable, "-m", "tests.torture.supply", database, name, str(stop)]
        return subprocess.Popen(command, cwd=Path(__file__).parents[2])

    async with Laurels.open(database, CATALOG, on_difference="apply") as laurels:
        await laurels.update_user(USERS[0])
        lives += [start(number) for number in range(PROCESSES)]
        try:
            while not await sql(laurels.store, "SELECT 1 FROM awards LIMIT 1"):  # noqa: ASYNC110  # by another process
                await asyncio.sleep(0.05)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                await asyncio.sleep(BETWEEN)
                await most_held(laurels)
                victim = dice.randrange(PROCESSES)
                lives[victim].send_signal(signal.SIGKILL)
                lives[victim].wait()
                kills += 1
                tell(f"kill {kills}")
                lives[victim] = start(victim)
            stop.touch()
            while any(one.poll() is None for one in lives):
                await most_held(laurels)
                await asyncio.sleep(0.01)
            assert {one.returncode for one in lives} == {0}
        finally:
            for one in lives:
                one.kill()
                one.wait()
        return await final(laurels) | {"kills": kills}


async def final(laurels: Laurels) -> dict[str, int]:
    """When everyone who is due has sent an event, every copy is taken; and all that is stored adds up."""
    events = [Event(user, f"last-{number}", "note") for user in USERS for number in range(2)]
    for user in USERS:
        with suppress(LaurelsError):
            await Admin(laurels).undo(user, "revocation", "the end", "a test")
    await laurels.record_many(events)
    assert dict(await sql(laurels.store, HOLDERS)) == COPIES
    assert await supply_differences(laurels.core) == []
    assert {user: await Admin(laurels).verify(user) for user in USERS} == {user: [] for user in USERS}
    await check_ledgers(laurels.store)
    await check_tallies(laurels.store)
    ((recorded,),) = await sql(laurels.store, "SELECT count(*) FROM events")
    return {"events": recorded}


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
