"""Verifying a whole database in several processes, while servers use it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from laurels.errors import UserErased, UserNotFound
from laurels.present.verification import Comparison, Difference, Verification, joined
from laurels.service.admin import Admin
from laurels.service.closed_lines import database_differences
from laurels.service.opening import changing, reading
from laurels.service.processes import end_with_parent, processors
from laurels.service.supplies import supply_differences
from laurels.service.verify import compare_user, verify_user
from laurels.settings import Settings

ShowProgress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Takes the number of users; returns a context with a function to call with the number done."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some users in the order of their ids: after `after`, up to and including `last`."""

    after: str
    last: str
    users: int


def verify_database(
    settings: Settings, processes: int | None, show_progress: ShowProgress, *, refresh: bool = True
) -> Verification:
    """Compare every user and the leaderboards with a rebuild, in several processes (None: one for each processor).

    Outdated users are brought up to date first; without `refresh`, nothing is written and they are not compared.
    """
    parts, wrong_tallies, differences = asyncio.run(_parts(settings, refresh=refresh))
    workers = min(processes or processors(), max(1, len(parts)))
    done, comparisons = 0, list[Comparison]()
    with show_progress(sum(part.users for part in parts)) as update:
        for part, compared in zip(parts, _compare_all(settings, parts, workers, refresh=refresh), strict=True):
            done += part.users
            comparisons += compared
            update(done)
    return joined(comparisons, wrong_tallies, differences)


async def _parts(settings: Settings, *, refresh: bool) -> tuple[list[Part], int, list[Difference]]:
    """All users in parts, how many leaderboard tallies are wrong, and the differences that are of no single user."""
    opened = changing if refresh else reading
    async with opened(settings) as laurels:
        parts: list[Part] = []
        async for page in Admin(laurels).pages():
            parts.append(Part(parts[-1].last if parts else "", page[-1], len(page)))
        differences = [*await database_differences(laurels.core), *await supply_differences(laurels.core)]
        return parts, await laurels.store.wrong_tallies(), differences


def _compare_all(
    settings: Settings, parts: Sequence[Part], workers: int, *, refresh: bool
) -> Iterator[list[Comparison]]:
    """For each part, in order, the comparisons of its users."""
    compare = partial(_compare, settings, refresh=refresh)
    if workers == 1:
        yield from map(compare, parts)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
    try:
        yield from pool.map(compare, parts)
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Ignore Ctrl-C, because the parent process handles it; end with the parent if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _compare(settings: Settings, part: Part, *, refresh: bool) -> list[Comparison]:
    return asyncio.run(_compare_part(settings, part, refresh=refresh))


async def _compare_part(settings: Settings, part: Part, *, refresh: bool) -> list[Comparison]:
    """Compare the users of a part, over a store of this process's own."""
    compare = verify_user if refresh else compare_user
    comparisons: list[Comparison] = []
    async with changing(settings) as laurels:
        async for page in Admin(laurels).pages(part.after, part.last):
            for user_id in page:
                with contextlib.suppress(UserNotFound, UserErased):  # erased since the parts were made
                    found = await compare(laurels.core, user_id)
                    if found is not None:
                        comparisons.append(found)
    return comparisons
