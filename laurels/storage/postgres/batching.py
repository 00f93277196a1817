"""Batched reads: requests that arrive while another is at the server share the next statement, as writers share a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from laurels.errors import StoreUnavailable

K = TypeVar("K")
V = TypeVar("V")

LANES = 2
"""The number of statements at the server at once: while one is answered, the next gathers keys."""

MOST_KEYS = 200

_Waiting = tuple[K, asyncio.Future[V]]


class Batcher(Generic[K, V]):
    """Reads many keys in one statement. The answer for a key includes everything committed before it was requested."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Sequence[V]]]) -> None:
        """`ask` gives one answer for each of its keys, in order."""
        self._ask = ask
        self._waiting: list[_Waiting[K, V]] = []
        self._lanes = 0
        self._tasks: set[asyncio.Task[None]] = set()  # keeps running tasks from garbage collection

    async def __call__(self, key: K) -> V:
        """The answer for this key. Raises what `ask` raised."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if self._lanes < LANES:
            self._lanes += 1
            lane = asyncio.create_task(self._work())
            self._tasks.add(lane)
            lane.add_done_callback(self._tasks.discard)
        return await answer

    async def _work(self) -> None:
        try:
            await self._answer_all()
        finally:
            self._lanes -= 1  # here, not when the task is done: a key added in between would wait forever

    async def _answer_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_KEYS], self._waiting[MOST_KEYS:]
            await self._answer(batch)

    async def _answer(self, batch: Sequence[_Waiting[K, V]]) -> None:
        """Read some keys. If the server refuses, each is read alone, so that one bad key cannot fail the others."""
        try:
            answers = await self._ask([key for key, _ in batch])
        except Exception as error:  # noqa: BLE001  # passed on to the callers
            if len(batch) > 1 and not isinstance(error, StoreUnavailable):
                for one in batch:
                    await self._answer([one])
                return
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (_, answer), value in zip(batch, answers, strict=True):
                if not answer.done():
                    answer.set_result(value)
