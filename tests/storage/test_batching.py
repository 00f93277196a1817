from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from laurels.storage.postgres.batching import LANES, Batcher

pytestmark = pytest.mark.anyio


class Questions:
    """Answers all keys when told to, from any lane."""

    def __init__(self) -> None:
        self.asked: list[Sequence[int]] = []
        self.open = asyncio.Event()

    async def __call__(self, keys: Sequence[int]) -> Sequence[int]:
        self.asked.append(keys)
        await self.open.wait()
        return [10 * key for key in keys]


async def test_keys_that_arrive_while_a_read_is_running_share_the_next_one() -> None:
    questions = Questions()
    batcher = Batcher(questions)
    first = [asyncio.create_task(batcher(1))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(batcher(key)) for key in (2, 3, 4)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    questions.open.set()
    assert await asyncio.gather(*first, *rest) == [10, 20, 30, 40]
    assert questions.asked == [[1], [2, 3, 4]]


async def test_a_key_that_arrives_just_as_every_lane_ends_is_answered() -> None:
    questions = Questions()
    batcher = Batcher(questions)

    async def twice() -> int:
        await batcher(1)
        return await batcher(2)  # asked before the loop has seen that the lanes are done

    tasks = [asyncio.create_task(twice())]
    for lane in range(1, LANES):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(batcher(10 * lane)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(questions.asked) == LANES
    questions.open.set()
    assert await asyncio.wait_for(asyncio.gather(*tasks), 30) == [20, *(100 * lane for lane in range(1, LANES))]


async def test_an_error_is_raised_to_its_callers_and_the_next_read_is_answered() -> None:
    failing = True

    async def ask(keys: Sequence[int]) -> Sequence[int]:
        if failing:
            raise ConnectionError
        return keys

    batcher = Batcher(ask)
    answers = await asyncio.gather(*(batcher(key) for key in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError] * 5
    failing = False
    assert await batcher(1) == 1


async def test_a_cancelled_caller_does_not_affect_the_answers_of_others() -> None:
    questions = Questions()
    batcher = Batcher(questions)
    tasks = [asyncio.create_task(batcher(key)) for key in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[1].cancel()
    questions.open.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answers[0], answers[2]] == [0, 20]
    assert isinstance(answers[1], asyncio.CancelledError)
