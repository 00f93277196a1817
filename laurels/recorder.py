"""Group commit: acts that arrive while a transaction runs share the next one, and none is answered before it is durable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from laurels.acts.desk import Act, Desk, House, identities
from laurels.acts.recording import Recorded
from laurels.engine.leaderboards import Ranks
from laurels.errors import LaurelsError, Overloaded, StoreUnavailable
from laurels.storage.base import Asked, Changes, Found, Store

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Submission:
    acts: Sequence[Act]
    ranks: bool
    done: asyncio.Future[list[object]]


class Recorder:
    """Takes acts from any number of callers and writes them in shared transactions, in the order of arrival.

    queue_limit  how many acts may wait; past that `submit` raises Overloaded at once
    batch_limit  how many acts one transaction takes; a larger submission still goes whole, alone
    """

    def __init__(self, store: Store, house: House, queue_limit: int = 10_000, batch_limit: int = 500) -> None:
        self._store = store
        self._house = house
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._waiting: list[_Submission] = []
        self._waiting_acts = 0
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._closed

    @property
    def waiting(self) -> int:
        """How many acts wait or are being written."""
        return self._waiting_acts

    async def submit(self, acts: Sequence[Act], *, ranks: bool = True) -> list[object]:
        """One answer for each act, in order, once all are durable: what the act answers, or the LaurelsError it raised.

        `ranks` asks for the rank before and after of users that move. Raises Overloaded when too much is waiting (an empty
        queue takes a submission of any size), and StoreUnavailable when the database cannot take it: then nothing of
        it was written, unless the message says that it is unknown.
        """
        if self._closed:
            raise Overloaded("Laurels is shutting down; send this to another process, or again in a few seconds")
        if self._waiting_acts and self._waiting_acts + len(acts) > self._queue_limit:
            raise Overloaded
        submission = _Submission(acts, ranks, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._waiting_acts += len(acts)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await submission.done

    async def close(self) -> None:
        """Take nothing more, and return when all that waits is written."""
        self._closed = True
        if self._worker is not None:
            await self._worker

    async def _work(self) -> None:
        """Write batch after batch until nothing waits."""
        while self._waiting:
            batch = self._next_batch()
            try:
                await self._settle(batch)
            finally:
                self._waiting_acts -= sum(len(submission.acts) for submission in batch)
        self._worker = None

    def _next_batch(self) -> list[_Submission]:
        size = count = 0
        for submission in self._waiting:
            size += len(submission.acts)
            if count and size > self._batch_limit:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _settle(self, batch: list[_Submission]) -> None:
        """Write a batch. If it fails for a reason of its own, each submission goes alone, so that one cannot spoil others."""
        try:
            answers = await self._write(batch)
        except StoreUnavailable as error:
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                log.exception("an act could not be recorded")
                _fail(batch, error)
                return
            for submission in batch:
                await self._settle([submission])
        else:
            for submission, answer in zip(batch, answers, strict=True):
                if not submission.done.done():
                    submission.done.set_result(answer)

    async def _write(self, batch: list[_Submission]) -> list[list[object]]:
        acts = [act for submission in batch for act in submission.acts]
        answers: list[object] = []

        def decide(found: Found) -> Changes:
            desk = Desk(self._house, found)
            answers[:] = [_apply(act, desk) for act in acts]
            return desk.changes()

        asked = Asked(
            users=frozenset(act.user_id for act in acts),
            events=identities(acts),
            rules=self._house.catalog.rules,
            told=frozenset(act.user_id for act in acts if act.needs == "acts"),
            whole=frozenset(act.user_id for act in acts if act.needs == "all"),
            ranks=any(submission.ranks for submission in batch),
        )
        ranks = await self._store.change(asked, decide)
        settled = iter(_with_ranks(answers, ranks) if ranks else answers)
        return [[next(settled) for _ in submission.acts] for submission in batch]


def _apply(act: Act, desk: Desk) -> object:
    try:
        return act.apply(desk)
    except LaurelsError as error:
        return error


def _with_ranks(answers: Sequence[object], ranks: Mapping[str, Ranks]) -> list[object]:
    """The answers, with the ranks that their transaction measured in those of new events that changed the points.

    A duplicate that shares the transaction of its original gets the same.
    """
    written = {_identity(answer) for answer in answers if isinstance(answer, Recorded) and not answer.duplicate}
    return [_with_rank(answer, ranks, written) for answer in answers]


def _with_rank(answer: object, ranks: Mapping[str, Ranks], written: set[tuple[str, str]]) -> object:
    if isinstance(answer, Recorded) and answer.kept.points and _identity(answer) in written:
        moved = ranks.get(answer.event.user_id)
        if moved:
            return replace(answer, rank_before=moved.before, rank_after=moved.after)
    return answer


def _identity(answer: Recorded) -> tuple[str, str]:
    return answer.event.user_id, answer.event.id


def _fail(batch: list[_Submission], error: Exception) -> None:
    for submission in batch:
        if not submission.done.done():
            submission.done.set_exception(error)
