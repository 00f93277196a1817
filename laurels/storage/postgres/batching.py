"""Group reading: questions that arrive while one is on its way to the server share the next, as writers share a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from laurels.errors import StoreUnavailable

K = TypeVar("K")
V = TypeVar("V")

LANES = 2
"""How many questions are on their way at once: while one is answered, the next gathers."""

MOST_KEYS = 200

_Asked = tuple[K, asyncio.Future[V]]


class Together(Generic[K, V]):
    """Asks for many keys in one statement. Whatever was committed before a key was asked for is seen by its answer."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Sequence[V]]]) -> None:
        """`ask` answers some keys, one answer for each, in order."""
        self._ask = ask
        self._waiting: list[_Asked[K, V]] = []
        self._lanes = 0
        self._tasks: set[asyncio.Task[None]] = set()  # or the collector of garbage might take one that runs

    async def __call__(self, key: K) -> V:
        """The answer for this key. Raises what the question raised."""
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
            self._lanes -= 1  # at once: were it done when the task is, a key that comes in between would wait for ever

    async def _answer_all(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting[:MOST_KEYS], self._waiting[MOST_KEYS:]
            await self._answer(asked)

    async def _answer(self, asked: Sequence[_Asked[K, V]]) -> None:
        """Ask for some keys. If the server refuses, each is asked for alone, so that one cannot spoil the others."""
        try:
            answers = await self._ask([key for key, _ in asked])
        except Exception as error:  # noqa: BLE001  # whoever asked hears of it
            if len(asked) > 1 and not isinstance(error, StoreUnavailable):
                for one in asked:
                    await self._answer([one])
                return
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (_, answer), value in zip(asked, answers, strict=True):
                if not answer.done():
                    answer.set_result(value)
