"""What goes wrong under the workers, one scenario for each engine and each kind of harm."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support import postgres
from tests.torture import books, supply
from tests.torture.disk import empty, fill, small_disk
from tests.torture.rig import Incident, Rig
from tests.torture.server import Server, private_server
from tests.torture.wire import Cut, Wire

WORKERS = 4

Figures = dict[str, int]
Report = Callable[[str], None]
"""Called for each incident."""

Scenario = Callable[[Path, int, float, Report], Figures]
"""Takes an empty folder, a seed, the seconds of incidents, and a callback for each incident. Raises if the totals are wrong."""


def suffer(rig: Rig, incidents: dict[str, Incident], seconds: float, tell: Report) -> Figures:
    """The whole story: work, harm, end, and the books."""
    began = time.monotonic()
    with rig.alive():
        rig.suffer(incidents, seconds, tell)
        rig.end()
    lasted = time.monotonic() - began
    figures = asyncio.run(books.check(rig.database, rig.lines()))
    assert figures["events"] > 0
    speed = round(figures["events"] / lasted)
    return figures | {"events/s": speed, "lives": sum(rig.lives.values())} | dict(rig.happened)


def _for_a_while(dice: random.Random) -> None:
    time.sleep(dice.uniform(0.05, 0.5))


# ---- SQLite -----------------------------------------------------------------------------------


def sqlite_killed(folder: Path, seed: int, seconds: float, tell: Report) -> Figures:
    """Workers are killed and started again, often under a limit on the size of files."""
    rig = Rig(f"sqlite:///{folder / 'laurels.db'}", folder, seed, WORKERS)

    def kill_into_a_quota(dice: random.Random) -> None:
        """The next life may write no file larger than those that are there, and a little."""
        largest = max(file.stat().st_size for file in folder.iterdir())
        rig.kill_one(dice, quota=largest + dice.randint(0, 30_000))

    return suffer(rig, {"kill": rig.kill_one, "quota": kill_into_a_quota}, seconds, tell)


def sqlite_full(folder: Path, seed: int, seconds: float, tell: Report) -> Figures:
    """The disk is full now and then, and workers are killed."""
    with small_disk(256) as disk:
        rig = Rig(f"sqlite:///{disk / 'laurels.db'}", folder, seed, WORKERS)
        figures = suffer(rig, {"full disk": _full(disk), "kill": rig.kill_one}, seconds, tell)
        assert any(line["what"] == "lost" and "full" in line["error"] for line in rig.lines())
    return figures


def _full(disk: Path) -> Incident:
    def happen(dice: random.Random) -> None:
        fill(disk)
        _for_a_while(dice)
        empty(disk)

    return happen


# ---- PostgreSQL -------------------------------------------------------------------------------


def postgresql_killed(folder: Path, seed: int, seconds: float, tell: Report) -> Figures:
    """Workers and the server are killed, connections cut: at any time, and exactly around a commit."""
    with private_server() as server:
        with _wired(server) as wire:
            rig = Rig(wire.address, folder, seed, WORKERS)
            incidents: dict[str, Incident] = {
                "kill": rig.kill_one,
                "cut": wire.cut_one,
                "cut a commit": _cut_a_commit(wire),
                "end of the server": _end_and_restart(server),
                "cut all": lambda _: wire.cut_all(),
            }
            figures = suffer(rig, incidents, seconds, tell) | {"cuts": wire.cuts}
        assert server.deadlocks() == 0
    return figures


def postgresql_full(folder: Path, seed: int, seconds: float, tell: Report) -> Figures:
    """The server's disk is full now and then, and workers are killed."""
    with small_disk(400) as disk, private_server(disk) as server:
        rig = Rig(server.address, folder, seed, WORKERS)
        figures = suffer(rig, {"full disk": _full(disk), "kill": rig.kill_one}, seconds, tell)
        asyncio.run(books.check_quiet(server.address))
        assert server.deadlocks() == 0
        assert any(line["what"] == "lost" for line in rig.lines())
    return figures


@contextmanager
def _wired(server: Server) -> Iterator[Wire]:
    with Wire(server.address) as wire:
        yield wire
    asyncio.run(books.check_quiet(server.address))


def _cut_a_commit(wire: Wire) -> Incident:
    def happen(dice: random.Random) -> None:
        wire.armed.extend(Cut(dice.choice(("before", "late", "after"))) for _ in range(dice.randint(1, 3)))

    return happen


def _end_and_restart(server: Server) -> Incident:
    def happen(dice: random.Random) -> None:
        server.kill()
        _for_a_while(dice)
        server.start()

    return happen


# ---- limited supply, on both engines ------------------------------------------------------------


def sqlite_supply(folder: Path, seed: int, seconds: float, tell: Report) -> Figures:
    """64 writers in 4 processes claim the copies of badges, and processes are killed."""
    return asyncio.run(supply.scenario(f"sqlite:///{folder / 'laurels.db'}", folder, seed, seconds, tell))


def postgresql_supply(folder: Path, seed: int, seconds: float, tell: Report) -> Figures:
    """The same on PostgreSQL."""
    with postgres.database() as database:
        return asyncio.run(supply.scenario(database, folder, seed, seconds, tell))


SCENARIOS: Mapping[str, Scenario] = {
    "sqlite, killed": sqlite_killed,
    "sqlite, disk full": sqlite_full,
    "postgresql, killed and cut": postgresql_killed,
    "postgresql, disk full": postgresql_full,
    "sqlite, limited supply": sqlite_supply,
    "postgresql, limited supply": postgresql_supply,
}
