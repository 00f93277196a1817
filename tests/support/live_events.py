"""A program for tests of applying a catalog: it records events of some users until it is ended.

Arguments: the database, a file into which the users go that it wrote, one a line before each is written, and the users.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys

from laurels.engine.events import Event
from laurels.service.laurels import Laurels


async def live(database: str, written: int, users: list[str]) -> None:
    """Record events of these users, and read them, for ever."""
    chance = random.Random(" ".join(users))
    async with Laurels.open(database, on_difference="follow") as laurels:
        print("ready", flush=True)  # noqa: T201  # this is how it says so
        for number in itertools.count():
            user = chance.choice(users)
            os.write(written, f"{user}\n".encode())
            await laurels.record(Event(user, f"live-{os.getpid()}-{number}", chance.choice(("note", "book"))))
            await laurels.profile(chance.choice(users))
            await asyncio.sleep(chance.uniform(0, 0.03))


def main() -> None:
    database, path, *users = sys.argv[1:]
    asyncio.run(live(database, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), users))


if __name__ == "__main__":
    main()
