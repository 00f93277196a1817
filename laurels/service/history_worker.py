"""The process that computes the changes of very long histories: `python -m laurels.service.history_worker`; see history_process.

It reads the database and never writes to it. It ends as soon as its standard input is closed, whatever it is doing: then the
process that started it has ended, or no longer needs it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterable
from queue import SimpleQueue
from typing import cast

from laurels.service.computing import Task
from laurels.service.messages import Failure, packed, pieces_of, receive, send, unpacked
from laurels.service.opening import existing
from laurels.settings import DatabaseSettings
from laurels.storage.contract import OtherRevision

NICENESS = 5
"""How much its priority is lowered: on a busy machine, events and profiles of other users come first."""


def main() -> None:
    """Answer each task on standard input, after the settings of the database."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # sent to all processes of a service: the parent finishes its queue first
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # standard output has only answers, whatever a library prints
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    gc.disable()  # computing makes no cycles, and the collector took a fifth of the time
    database = cast(DatabaseSettings, unpacked(receive(sys.stdin.buffer)))
    tasks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(tasks,), name="tasks", daemon=True).start()
    send(answers, packed("ready"))
    with asyncio.Runner() as runner:
        while True:
            for message in runner.run(_answer(database, tasks.get())):
                send(answers, message)
            gc.collect()


def _receive(tasks: SimpleQueue[bytes]) -> None:
    """Take tasks until standard input is closed, then end the process."""
    try:
        while True:
            tasks.put(receive(sys.stdin.buffer))
    finally:
        os._exit(0)


async def _answer(database: DatabaseSettings, message: bytes) -> Iterable[bytes]:
    """The messages that answer a task."""
    try:
        task = cast(Task, unpacked(message))
        async with existing(database) as store:
            return [*pieces_of(await task.done_in(store))]
    except OtherRevision as other:
        return [packed(other)]
    except Exception as error:  # noqa: BLE001  # the parent does the work itself then, and meets the same error
        return [packed(Failure(f"{type(error).__name__}: {error}"))]


if __name__ == "__main__":
    main()
