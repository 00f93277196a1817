"""The cost of repairs: verifying histories, reading long streaks, and an amnesty for all users."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from bench.community import NOON
from bench.engines import Site
from bench.figures import Figure
from bench.options import Options
from bench.stream import stream
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.judge import judge
from laurels.engine.progress import Progress
from laurels.engine.zones import Zones
from laurels.present.streaks import user_streaks
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.codec import pack_progress, unpack_progress

BATCH = 2000
TEN_YEARS = 3652


def verifying(options: Options) -> list[Figure]:
    """`laurels verify` on one core: users of a hundred events, of ten, and of ten years of days recorded backwards."""
    amount = max(options.imported // 10, 10_000)
    histories = {
        "100 events a user": stream([f"user-{number}" for number in range(amount // 100)], amount),
        "10 events a user": stream([f"user-{number}" for number in range(amount // 10)], amount),
        "ten years of every second day": _years(3),
    }
    return [asyncio.run(_verifying(name, events, options)) for name, events in histories.items()]


def _years(users: int) -> Iterable[Event]:
    for user in range(users):
        for day in range(0, TEN_YEARS, 2):
            yield Event(f"user-{user}", f"login-{day}", "login", NOON - timedelta(days=TEN_YEARS - day))


async def _verifying(name: str, events: Iterable[Event], options: Options) -> Figure:
    figure = Figure(f"verify, {name}", "events/s per core", aim=20_000)
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'verify.db'}"
        async with Laurels.open(database, late_window=None, clock=lambda: NOON) as laurels:
            listed = list(events)
            for start in range(0, len(listed), BATCH):
                await laurels.record_many(listed[start : start + BATCH], ranks=False)
            admin = Admin(laurels)
            for _ in range(options.runs):
                start = time.process_time()  # processor time, which other work on the core does not change
                found = [difference async for user_id in admin.users() for difference in await admin.verify(user_id)]
                figure.add(len(listed) / (time.process_time() - start))
                assert found == []
    return figure


# ---- streaks ----------------------------------------------------------------------------------

FREEZING = """
[profile]
login_event = "login"
login_streak = "login"
[streaks.login]
events = ["login"]
freezes = { initial = 1, per_days = 1, most = 5 }
[[levels]]
title = "One"
points = 0
"""


def reading_streaks(options: Options) -> list[Figure]:
    """Unpacking a user and reading the streak, with ten years of days compared with ten days."""
    plain, freezing = Catalog.default(), Catalog.parse(FREEZING)
    return [
        _reading("ten years, every day", plain, range(TEN_YEARS), options),
        _reading("ten years, every second day", plain, range(0, TEN_YEARS, 2), options),
        _reading("ten years, every second day, with freezes", freezing, range(0, TEN_YEARS, 2), options),
    ]


def _reading(name: str, catalog: Catalog, days: Iterable[int], options: Options) -> Figure:
    """Reads per second; the aim is half the rate with ten days."""
    figure = Figure(f"streak readings, {name}", "/s", "the same user with ten days", 0.5)
    long, short = _lived(catalog, days), _lived(catalog, range(10))
    for _ in range(options.runs):
        figure.add(_readings(catalog, long), _readings(catalog, short))
    return figure


def _lived(catalog: Catalog, days: Iterable[int]) -> Progress:
    """A user who logged in on these days, the last of them yesterday or today."""
    progress, numbers = Progress(zones=Zones("Europe/Berlin")), list(days)
    first = NOON.toordinal() - numbers[-1]
    for number in numbers:
        at = NOON - timedelta(days=numbers[-1] - number)
        event = Event("ada", f"login-{number}", "login", at, day=first + number)
        progress = judge(catalog, progress, event, first + number).progress
    return progress


def _readings(catalog: Catalog, progress: Progress, times: int = 2000) -> float:
    """Reads per second, from the stored bytes to the object that HTTP returns."""
    packed = pack_progress(progress)
    start = time.process_time()
    for _ in range(times):
        unpacked = unpack_progress(packed, progress.points, progress.reached_at, progress.zones, None)
        user_streaks(catalog, unpacked, NOON)
    return times / (time.process_time() - start)


# ---- amnesties --------------------------------------------------------------------------------


def amnesty(site: Site, options: Options) -> list[Figure]:
    """Adding an amnesty, and the first read of a user after it."""
    return asyncio.run(_amnesty(site, options))


async def _amnesty(site: Site, options: Options) -> list[Figure]:
    added = site.figure("an amnesty for all users", "ms")
    first = site.figure("the first profile of a user after it", "ms")
    async with Laurels.open(site.copy("ours"), clock=lambda: NOON) as laurels:
        user_ids = await laurels.store.user_ids("", options.runs)
        for number, user_id in enumerate(user_ids):
            day = date(2025, 5, 1) + timedelta(days=number)
            start = time.perf_counter()
            await Admin(laurels).add_amnesty(day, day, "an outage", "an admin")
            middle = time.perf_counter()
            await laurels.profile(user_id)
            added.add((middle - start) * 1000)
            first.add((time.perf_counter() - middle) * 1000)
    return [added, first]
