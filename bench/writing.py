"""What writing costs: single events and batches over HTTP, an import, reads while events are written, and the judge alone."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.community import NOON, Community, community
from bench.figures import Figure
from bench.load import MIXED, POST, put_load, serving
from bench.options import Options
from bench.reading import BARE, read_script, typical_profile
from bench.replay import replay_apart, traced
from bench.stream import stream, user_ids, write_bodies
from laurels.app import Laurels
from laurels.engine.events import Event
from laurels.engine.judge import judge
from laurels.http.events import PATH
from laurels.http.profile import PATH as PROFILE_PATH

USERS = 10_000
SAME_SQL = "a bare loop that issues the same SQL in transactions of the same sizes"


@dataclass(frozen=True, slots=True)
class Way:
    """A way of sending events: how many to a request, on how many connections, and the most that a run may use up."""

    name: str
    size: int
    connections: int
    events_per_second: int
    aim: float


SINGLES = Way("event writes, 64 clients, one event each", 1, 64, 20_000, 0.5)
BATCHES = Way("event writes, batches of 500", 500, 4, 40_000, 0.7)


def singles(options: Options) -> list[Figure]:
    """One event to a request, 64 clients at once."""
    return [_writes(SINGLES, options)]


def batches(options: Options) -> list[Figure]:
    """500 events to a request."""
    return [_writes(BATCHES, options)]


def _writes(way: Way, options: Options) -> Figure:
    """A first run shows which transactions the recorder makes; then the bare loop and Laurels take turns."""
    one = community(USERS)
    figure = Figure(way.name, "/s", SAME_SQL, way.aim)
    events = list(stream(user_ids(one.database), int(way.events_per_second * options.seconds)))
    with tempfile.TemporaryDirectory(dir=one.database.parent) as name:
        folder = Path(name)
        write_bodies(folder / "bodies", events, way.size)
        _, sizes = _over_http(way, one, folder, options.seconds)
        steps = traced(one.copy_to(folder), events, sizes)
        (folder / "steps").write_bytes(pickle.dumps(steps))
        for _ in range(options.runs):
            floor = sum(sizes) / replay_apart(one.copy_to(folder), folder / "steps")
            figure.add(_over_http(way, one, folder, options.seconds)[0], floor)
    figure.name += f" ({sum(sizes) / len(sizes):.0f} to a transaction)"
    return figure


def _over_http(way: Way, one: Community, folder: Path, seconds: float) -> tuple[float, list[int]]:
    """Events recorded in a second, and the sizes of the transactions, on a fresh copy of the community."""
    database, stats = one.copy_to(folder), folder / "stats"
    script = POST % {"key": one.key, "bodies": folder / "bodies", "path": PATH}
    with serving("laurels", database, stats) as server:
        load = put_load(server, script, seconds, way.connections)
    sizes = json.loads(stats.read_text("utf-8"))
    _check_recorded(one.database, database, load.requests * way.size)
    return load.per_second * way.size, sizes


def _check_recorded(before: Path, after: Path, acknowledged: int) -> None:
    """Everything that was acknowledged as recorded must be there: the stream holds no duplicates."""
    recorded = asyncio.run(_events_in(after)) - asyncio.run(_events_in(before))
    if recorded < acknowledged:
        raise RuntimeError(f"{acknowledged} events were acknowledged and {recorded} are there; make the stream longer")


async def _events_in(database: Path) -> int:
    async with Laurels.open(f"sqlite:///{database}") as laurels:
        return (await laurels.store.counts()).events


def mixed(options: Options) -> list[Figure]:
    """Nine profile reads to one event, on the same worker."""
    one = community(USERS)
    figure = Figure("nine profile reads to one event, 64 clients", "/s", BARE)
    events = list(stream(user_ids(one.database), int(5_000 * options.seconds)))
    with tempfile.TemporaryDirectory(dir=one.database.parent) as name:
        folder = Path(name)
        write_bodies(folder / "bodies", events, 1)
        words = {"key": one.key, "tokens": one.tokens_file, "bodies": folder / "bodies"}
        script = MIXED % {**words, "path": PATH, "read_path": PROFILE_PATH, "reads": 0.9}
        for _ in range(options.runs):
            with serving("laurels", one.copy_to(folder), folder / "stats") as server:
                (folder / "body").write_bytes(typical_profile(one, server))
                with serving("floor", folder / "body") as bare:
                    floor = put_load(bare, read_script(one), options.seconds, 64).per_second
                figure.add(put_load(server, script, options.seconds, 64).per_second, floor)
    return [figure]


# ---- without HTTP -----------------------------------------------------------------------------


def judging(options: Options) -> list[Figure]:
    """The engine alone: decisions in a second, over users who have lived a while."""
    figure = Figure("judge alone", "events/s", aim=100_000)
    one = community(USERS)
    users = user_ids(one.database)[:1000]
    events = list(stream(users, 100_000))
    for _ in range(options.runs):
        figure.add(asyncio.run(_judge(one, users, events)))
    return [figure]


async def _judge(one: Community, users: Sequence[str], events: Sequence[Event]) -> float:
    async with Laurels.open(f"sqlite:///{one.database}", clock=lambda: NOON) as laurels:
        rows = [await laurels.store.user(user_id) for user_id in users]
    progress = {row.user_id: row.progress for row in rows if row}
    dated = [_dated(event, progress[event.user_id].zones.day(event.occurred_at or NOON)) for event in events]
    today = {user_id: one.zones.day(NOON) for user_id, one in progress.items()}
    start = time.perf_counter()
    for event in dated:
        user_id = event.user_id
        progress[user_id] = judge(laurels.catalog, progress[user_id], event, today[user_id]).progress
    return len(events) / (time.perf_counter() - start)


def _dated(event: Event, day: int) -> Event:
    return Event(event.user_id, event.id, event.type, event.occurred_at, event.quantity, event.data, day)


def importing(options: Options) -> list[Figure]:
    """A history taken in from nothing, by `laurels record`, on all processors that it wants."""
    figure = Figure(f"import of {options.imported:,} events by `laurels record`", "/s")
    one = community(USERS)
    with tempfile.TemporaryDirectory(dir=one.database.parent) as name:
        file, database = Path(name) / "events.jsonl", Path(name) / "import.db"
        write_bodies(file, list(stream(user_ids(one.database), options.imported)), 1)
        command = [sys.executable, "-m", "laurels", "record", str(file), "--any-age", "--json"]
        start = time.perf_counter()
        done = subprocess.run([*command, "--database", f"sqlite:///{database}"], capture_output=True, check=True)
        figure.add(options.imported / (time.perf_counter() - start))
    assert json.loads(done.stdout)["recorded"] == options.imported
    return [figure]
