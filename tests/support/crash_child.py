"""A program for test_crash.py: for each line it reads, a child of it records events until it is killed.

It says the child's process id, and then how the child ended. What was acknowledged goes line by line into a file; a line
is written only once the events are said to be durable.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

from laurels.engine.events import Event
from laurels.service.laurels import Laurels
from tests.support import badge, catalog, count

CATALOG = catalog(
    metrics={"notes": count("note"), "words": {"kind": "sum", "events": ["note", "book"]}},
    points=[
        {"id": "note", "events": ["note"], "amount": 1},
        {"id": "book", "events": ["book"], "amount": 5, "per": "quantity", "cap_per_day": 40},
    ],
    badges=[
        *(badge(f"notes-{n}", n, metric="notes", at_least=n) for n in (1, 5, 20, 60)),
        badge("writer", 9, all_of=[{"metric": "words", "at_least": 100}, {"has_badge": "notes-5"}]),
        badge("rich", 50, points_of=150),
    ],
)
USERS = [f"u{i}" for i in range(20)]
ZONES = ["Pacific/Kiritimati", "Pacific/Pago_Pago"]
"""Today is never the same date in both, so the first zone of a user who has events moves events to another day."""


async def write(laurels: Laurels, acknowledged: int, name: str) -> None:
    """Record batches for ever; some events of each batch were sent before."""
    chance = random.Random(name)
    number = 0
    while True:
        size = chance.choice((1, 1, 3, 20))
        kinds = [chance.choice(("note", "book", "other")) for _ in range(size)]
        events = [Event(chance.choice(USERS), f"{name}-{number + i}", kind) for i, kind in enumerate(kinds)]
        number += size
        await laurels.record_many([*events, *events[:2]])
        lines = "".join(f"{event.user_id} {event.id}\n" for event in events)
        os.write(acknowledged, lines.encode())
        if chance.random() < 0.1:
            await laurels.profile(chance.choice(USERS), login=True)
        if chance.random() < 0.1:
            await laurels.update_user(chance.choice(USERS), time_zone=chance.choice(ZONES), lenient_zone=True)


async def live(database: str, acknowledged: int, life: str) -> None:
    async with Laurels.open(database, CATALOG) as laurels:
        await asyncio.gather(*(write(laurels, acknowledged, f"{life}-{writer}") for writer in range(6)))


def main() -> None:
    database, path = sys.argv[1:]
    acknowledged = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for line in sys.stdin:
        child = os.fork()  # a fork lives at once, where a new program would first have to import everything
        if child == 0:
            asyncio.run(live(database, acknowledged, line.strip()))
            os._exit(0)
        print(child, flush=True)  # noqa: T201  # this is how it answers
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
