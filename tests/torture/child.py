"""A program for the torture: for each line it reads, a child of it lives through the story until it is killed or stopped.

Orders come as JSON, one a line: a life to begin, answered with its process id, or a process id to wait for, answered with
how it ended. Each life writes what it sends and what is answered, line by line, into a file of its own worker.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from laurels.errors import LaurelsError, Overloaded, StoreError, StoreUnavailable
from laurels.present.adjustments import AdjustmentResult
from laurels.present.events import EventResult
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from tests.torture.story import CATALOG, MOST_OFF, NOW, Step, steps_of

HANDS = 4
"""How many steps a worker does at once."""

TRIES_BEFORE_ROOM = 6


class Clock:
    """A clock that is put forward and back by hours, again and again."""

    def __init__(self, seed: str, began: float) -> None:
        self._dice = random.Random(seed)
        self._began = began
        self._off = timedelta()

    def __call__(self) -> datetime:
        if self._dice.random() < 0.02:
            self._off = MOST_OFF * self._dice.uniform(-1, 1)
        return NOW + timedelta(seconds=time.time() - self._began) + self._off


class Life:
    """One process of one worker, from its start to its end."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.path = Path(order["log"])
        self.stop = Path(order["stop"])
        self.done = {line["step"] for line in self._lines() if line["what"] in ("answered", "refused")}
        self.log = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.dice = random.Random(f"{order['seed']} {order['worker']} {order['life']}")
        self.failures = 0

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self.path.exists():
            yield from map(json.loads, self.path.read_text().splitlines())

    def say(self, what: str, step: Step, **more: Any) -> None:
        """Write a line, whole or not at all, before anything else is done."""
        line = {"what": what, "step": step.number, "kind": step.kind, "life": self.order["life"], **more}
        os.write(self.log, json.dumps(line).encode() + b"\n")

    def is_over(self) -> bool:
        """Whether this process is to stop."""
        return self.stop.exists()

    async def live(self) -> None:
        order = self.order
        clock = Clock(f"{order['seed']} clock {order['worker']} {order['life']}", order["began"])
        while not self.is_over():
            try:
                async with Laurels.open(order["database"], CATALOG, clock=clock) as laurels:
                    steps = steps_of(order["seed"], order["worker"], order["workers"])
                    await asyncio.gather(*(self._work(laurels, steps) for _ in range(HANDS)))
            except StoreUnavailable:
                await asyncio.sleep(0.05)

    async def _work(self, laurels: Laurels, steps: Iterator[Step]) -> None:
        for step in steps:
            if self.is_over():
                return
            if step.number not in self.done:
                await self._settle(laurels, step)
                await asyncio.sleep(self.dice.choice((0, 0, 0.002, 0.01)))

    async def _settle(self, laurels: Laurels, step: Step) -> None:
        """Do a step, and again under the same ids until it is answered, as a client does."""
        while not await self._is_answered(laurels, step):
            self._make_room()
            await asyncio.sleep(self.dice.uniform(0.01, 0.1))
            if self.is_over():
                return

    async def _is_answered(self, laurels: Laurels, step: Step) -> bool:
        self.say("sent", step, events=[[event.user_id, event.id] for event in step.events])
        about = {"user": step.user, "name": step.name}
        try:
            self.say("answered", step, **about, answer=await do(laurels, step))
        except (StoreUnavailable, Overloaded) as error:
            self.say("lost", step, error=str(error))
            return False
        except StoreError:
            self.say("fault", step, error=traceback.format_exc())
        except LaurelsError as error:
            self.say("refused", step, **about, error=type(error).__name__)
        except Exception:  # noqa: BLE001  # whatever it is, it must be seen
            self.say("fault", step, error=traceback.format_exc())
        return True

    def _make_room(self) -> None:
        """After some failures, lift the limit on the size of files under which this life may have begun."""
        self.failures += 1
        if self.failures > TRIES_BEFORE_ROOM:
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


async def do(laurels: Laurels, step: Step) -> Any:
    """Do a step; what came of it, as plain values."""
    if step.kind == "events":
        return [manual_state_of(answer) for answer in await laurels.record_many(step.events)]
    if step.kind in ("reverse", "undo", "grant", "revocation", "points", "spend"):
        return manual_state_of(await _tell(Admin(laurels), step))
    if step.kind == "login":
        await laurels.profile(step.user, login=True)
    elif step.kind == "name":
        await laurels.update_user(step.user, name=step.name)
    elif step.kind == "session":
        token = f"{step.name} {os.getpid()} {time.monotonic_ns()}".encode()
        await laurels.store.add_session(step.user, token, NOW, NOW + timedelta(days=90))
    else:
        await laurels.erase_user(step.user)
    return None


async def _tell(admin: Admin, step: Step) -> AdjustmentResult:
    why = ("because", "a test")
    if step.kind == "reverse":
        return await admin.reverse(step.user, step.name, *why)
    if step.kind == "undo":
        return await admin.undo(step.user, step.name)
    amount = 1 + 9 * int(step.name.rpartition("-")[2])
    if step.kind == "spend":
        return await admin.adjust(step.user, step.name, "points", {"amount": amount, "spend": True}, *why)
    data = {"amount": amount} if step.kind == "points" else {"badge": "special"}
    return await admin.adjust(step.user, step.name, step.kind, data, *why)


def manual_state_of(answer: EventResult | AdjustmentResult | LaurelsError) -> Any:
    """An answer as plain values."""
    if isinstance(answer, EventResult):
        return {
            "event": [answer.user_id, answer.id],
            "duplicate": answer.duplicate,
            "points": [answer.points.before, answer.points.after] if answer.points else None,
            "awards": [award.badge for award in answer.awards],
            "ranks": [answer.rank.before, answer.rank.after] if answer.rank else [None, None],
        }
    if isinstance(answer, AdjustmentResult):
        return {"act": [answer.user_id, answer.id], "duplicate": answer.duplicate}
    return {"error": type(answer).__name__}


def _limit_files(quota: int | None) -> None:
    if quota is not None:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (quota, most))


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            _, status = os.waitpid(order, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # this is how it answers
            continue
        child = os.fork()  # a fork lives at once, where a new program would first have to import everything
        if child == 0:
            sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115  # the orders are the parent's
            _limit_files(order["quota"])
            asyncio.run(Life(order).live())
            os._exit(0)
        print(child, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
