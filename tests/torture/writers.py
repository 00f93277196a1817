"""A program: eight processes that write at once, each its own events and some of its neighbour's. It prints what they received.

python -m tests.torture.writers DATABASE USERS EVENTS BATCH
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from laurels.engine.events import Event
from laurels.errors import LaurelsError, Overloaded
from laurels.present.events import EventResult
from laurels.service.laurels import Laurels
from tests.torture.story import CATALOG

PROCESSES = 8
HANDS = 8
AGAIN = 10
"""One batch in this number is also sent by the next process."""


def batches_of(process: int, users: int, events: int, batch: int) -> list[list[Event]]:
    """What a process sends, in an order of its own: its share, and of its neighbour's every tenth batch."""
    own = _share(process, users, events, batch)
    batches = own + _share((process + 1) % PROCESSES, users, events, batch)[::AGAIN]
    random.Random(process).shuffle(batches)
    return batches


def _share(process: int, users: int, events: int, batch: int) -> list[list[Event]]:
    mine = [Event(f"user-{number % users:04}", f"e{number}", "note") for number in range(process, events, PROCESSES)]
    return [mine[start : start + batch] for start in range(0, len(mine), batch)]


async def write(database: str, batches: list[list[Event]]) -> dict[str, Any]:
    """Send them all, some at once. Returns the answers."""
    heard: Counter[str] = Counter()
    awards: list[list[str]] = []
    faults: list[str] = []
    left = iter(batches)

    async def hand(laurels: Laurels) -> None:
        for batch in left:
            try:
                answers = await _until_taken(laurels, batch, heard)
            except Exception as error:  # noqa: BLE001  # none may come, so each is told
                faults.append(repr(error))
                continue
            for answer in answers:
                assert isinstance(answer, EventResult)
                heard["duplicate" if answer.duplicate else "recorded"] += 1
                if not answer.duplicate:
                    awards.extend([answer.user_id or "", award.badge] for award in answer.awards)

    async with Laurels.open(database, CATALOG) as laurels:
        await asyncio.gather(*(hand(laurels) for _ in range(HANDS)))
    return {"heard": heard, "awards": awards, "faults": faults}


async def _until_taken(laurels: Laurels, batch: list[Event], heard: Counter[str]) -> list[EventResult | LaurelsError]:
    """Send again while too much waits, as a client does."""
    while True:
        try:
            return await laurels.record_many(batch)
        except Overloaded:
            heard["overloaded"] += 1
            await asyncio.sleep(0.05)


def main(arguments: Sequence[str]) -> None:
    database, users, events, batch = arguments[0], *map(int, arguments[1:])
    began = time.monotonic()
    pipes: list[int] = []
    for process in range(PROCESSES):
        ours, theirs = os.pipe()
        if os.fork() == 0:
            told = asyncio.run(write(database, batches_of(process, users, events, batch)))
            with os.fdopen(theirs, "w") as pipe:
                json.dump(told, pipe)
            os._exit(0)
        os.close(theirs)
        pipes.append(ours)
    told = [json.load(os.fdopen(pipe)) for pipe in pipes]
    print(json.dumps({"seconds": time.monotonic() - began, "processes": told}))  # noqa: T201  # this is how it answers


if __name__ == "__main__":
    main(sys.argv[1:])
