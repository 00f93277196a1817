"""The time of a plan of a catalog over all users, from their stored progress and from their events."""

from __future__ import annotations

import asyncio
import sys
import time

from bench.community import NOON
from bench.engines import Site
from bench.figures import Figure
from bench.options import Options
from laurels.engine.catalog import Catalog
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels

PROGRESS_AIM, EVENTS_AIM = 50_000, 100_000


def plans(site: Site, options: Options) -> list[Figure]:
    """Plans of another threshold of a badge, and of another metric, by processor time of this process."""
    return asyncio.run(_plans(site, options))


async def _plans(site: Site, options: Options) -> list[Figure]:
    progress = site.figure("a plan from the stored progress", "users/s per core", aim=PROGRESS_AIM)
    events = site.figure("a plan from events", "events/s per core", aim=EVENTS_AIM)
    memory = site.figure("the most memory of a process that plans", "MB")
    async with Laurels.open(site.copy("ours"), clock=lambda: NOON, on_difference="follow") as laurels:
        counts = await laurels.store.counts()
        for _ in range(options.runs):
            progress.add(counts.users / await _seconds(laurels, threshold(laurels.catalog), "progress"))
        events.add(counts.events / await _seconds(laurels, metric(laurels.catalog), "events"))
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # not on Windows

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        memory.add(most / (1024 * 1024 if sys.platform == "darwin" else 1024))
    return [progress, events, memory]


async def _seconds(laurels: Laurels, following: Catalog, basis: str) -> float:
    """The processor time of a plan."""
    start = time.process_time()
    plan = await Admin(laurels).plan_catalog(following)
    assert plan.basis == basis, plan.basis
    return time.process_time() - start


def threshold(present: Catalog) -> Catalog:
    """The catalog with another threshold of a badge."""
    following = present.text.replace("at_least = 100 ", "at_least = 99 ")
    assert following != present.text
    return Catalog.parse(following)


def metric(present: Catalog) -> Catalog:
    """The catalog with a metric more."""
    return Catalog.parse(present.text + '\n[metrics.more_of_a_plan]\nkind = "count"\nevents = ["login"]\n')
