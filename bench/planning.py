"""The time of a plan of a catalog over all users, from their stored progress and from their events."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench.community import NOON
from bench.engines import Site
from bench.figures import Figure
from bench.options import Options
from bench.stream import stream
from laurels.engine.catalog import Catalog
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels

PROGRESS_AIM, EVENTS_AIM = 50_000, 100_000
BATCH = 2000
EVENTS_EACH = (5, 100)


def plans(site: Site, options: Options) -> list[Figure]:
    """Plans of another threshold of a badge over a community, by processor time, and the memory that they take."""
    return asyncio.run(_plans(site, options))


async def _plans(site: Site, options: Options) -> list[Figure]:
    figure = site.figure("a plan from the stored progress", "users/s per core", aim=PROGRESS_AIM)
    gaining = site.figure("a plan from the stored progress, of which many gain a badge", "users/s per core")
    memory = site.figure("the most memory of a process that plans", "MB")
    async with Laurels.open(site.copy("ours"), clock=lambda: NOON, on_difference="follow") as laurels:
        await Admin(laurels).adopt_catalog(Catalog.default(), "measured", "bench")  # a community has no catalog yet
        for _ in range(options.runs):
            figure.add(site.users / await _seconds(laurels, threshold(laurels.catalog), "progress"))
            gaining.add(site.users / await _seconds(laurels, threshold(laurels.catalog, 20), "progress"))
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # not on Windows

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        memory.add(most / (1024 * 1024 if sys.platform == "darwin" else 1024))
    return [figure, gaining, memory]


def plans_from_events(options: Options) -> list[Figure]:
    """Plans of a metric that differs and badges read, by processor time: users of few events, and of many."""
    return [asyncio.run(_from_events(each, options)) for each in EVENTS_EACH]


async def _from_events(each: int, options: Options) -> Figure:
    figure = Figure(f"a plan from events, {each} events a user", "events/s per core", aim=EVENTS_AIM)
    amount = max(options.imported // 10, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'plan.db'}"
        async with Laurels.open(database, late_window=None, clock=lambda: NOON) as laurels:
            listed = list(stream([f"user-{number}" for number in range(amount // each)], amount))
            for start in range(0, len(listed), BATCH):
                await laurels.record_many(listed[start : start + BATCH], ranks=False)
            for _ in range(options.runs):
                figure.add(len(listed) / await _seconds(laurels, metric(laurels.catalog), "events"))
    return figure


async def _seconds(laurels: Laurels, following: Catalog, basis: str) -> float:
    """The processor time of a plan, which other work on the core does not change."""
    start = time.process_time()
    plan = await Admin(laurels).plan_catalog(following)
    assert plan.basis == basis, plan.basis
    return time.process_time() - start


def threshold(present: Catalog, least: int = 99) -> Catalog:
    """The catalog with another threshold of a badge."""
    following = present.text.replace("at_least = 100 ", f"at_least = {least} ")
    assert following != present.text
    return Catalog.parse(following)


def metric(present: Catalog) -> Catalog:
    """The catalog with a metric that counts the events, most of those of users, instead of what they say."""
    following = present.text.replace(
        'kind = "sum"\nevents = ["message.sent"]', 'kind = "count"\nevents = ["message.sent"]'
    )
    assert following != present.text
    return Catalog.parse(following)
