"""Group commit: acts that arrive while a transaction runs share the next one, and none is answered before it is durable."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from time import monotonic

from laurels.commands.events import Recorded
from laurels.commands.unit_of_work import Command, DecisionContext, UnitOfWork, identities
from laurels.engine.ranking import Ranks
from laurels.errors import LaurelsError, Overloaded, StoreUnavailable
from laurels.storage.contract import Changes, Loaded, LoadRequest, Store
from laurels.telemetry.writes import Meter

log = logging.getLogger(__name__)

WEIGHT = 0.25
"""How much the last transaction counts in the pace; the rest is what it was before."""

LONGEST_RETRY = 60
"""The most seconds after which to try again, however long the wait is."""


@dataclass(slots=True)
class _Submission:
    adjustments: Sequence[Command]
    ranks: bool
    came: float
    done: asyncio.Future[list[object]]


class GroupCommit:
    """Takes acts from any number of callers and writes them in shared transactions, in the order of arrival.

    queue_limit    how many acts may wait; past that `submit` raises Overloaded at once
    batch_limit    how many acts one transaction takes; a larger submission still goes whole, alone
    queue_seconds  how long an act may wait until its transaction begins; `submit` raises Overloaded at once where it would
                   be longer, and later where it turned out to be
    """

    def __init__(
        self,
        store: Store,
        context_in_force: Callable[[], DecisionContext],
        queue_limit: int = 10_000,
        batch_limit: int = 500,
        queue_seconds: float = 5,
    ) -> None:
        self._store = store
        self._context_in_force = context_in_force
        self.queue_limit = queue_limit
        self.meter = Meter(monotonic())
        self._batch_limit = batch_limit
        self._queue_seconds = queue_seconds
        self._waiting: list[_Submission] = []
        self._waiting_acts = 0
        self._pace = 0.0
        self._writing_since = 0.0
        self._worker: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._closed

    @property
    def waiting(self) -> int:
        """How many acts wait or are being written."""
        return self._waiting_acts

    @property
    def expected_wait(self) -> float:
        """How many seconds an act that comes now should wait: as many transactions as wait, at their recent pace.

        Where the one that runs has taken longer than that, it is what limits us, and its time so far is our best guess.
        """
        if not self._waiting_acts:
            return 0.0
        return max(self._pace * math.ceil(self._waiting_acts / self._batch_limit), monotonic() - self._writing_since)

    @property
    def retry_after(self) -> int:
        """In how many whole seconds what waits now should be written."""
        return min(LONGEST_RETRY, max(1, math.ceil(self.expected_wait)))

    async def submit(self, adjustments: Sequence[Command], *, ranks: bool = True) -> list[object]:
        """One answer for each act, in order, once all are durable: what the act answers, or the LaurelsError it raised.

        `ranks` asks for the rank before and after of users that move. Raises Overloaded when too much is waiting (an empty
        queue takes a submission of any size), and StoreUnavailable when the database cannot take it: then nothing of
        it was written, unless the message says that it is unknown.
        """
        if self._closed:
            raise Overloaded("Laurels is shutting down; send this to another process, or again in a few seconds")
        full = self._waiting_acts and self._waiting_acts + len(adjustments) > self.queue_limit
        if full or self.expected_wait > self._queue_seconds:
            raise Overloaded(retry_after=self.retry_after)
        loop, now = asyncio.get_running_loop(), monotonic()
        submission = _Submission(adjustments, ranks, now, loop.create_future())
        self._waiting.append(submission)
        self._waiting_acts += len(adjustments)
        if self._worker is None:
            self._writing_since = now
            self._worker = asyncio.create_task(self._work())
        elif self._alarm is None:
            self._alarm = loop.call_later(self._queue_seconds, self._refuse_old)
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
            size = sum(len(submission.adjustments) for submission in batch)
            self._writing_since = monotonic()
            try:
                await self._settle(batch)
            finally:
                self._waiting_acts -= size
                self._keep_pace(monotonic() - self._writing_since, size)
        self._worker = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _keep_pace(self, seconds: float, size: int) -> None:
        """Learn from a batch how long a full one takes. A small one takes nearly as long, as most of it is the disk's."""
        seconds /= max(1, size / self._batch_limit)
        self._pace = seconds if not self._pace else self._pace + WEIGHT * (seconds - self._pace)

    def _refuse_old(self) -> None:
        """Refuse what has waited too long: nothing of it was written, and whoever sent it may have given up by now."""
        now = monotonic()
        old = list(takewhile(lambda one: one.came + self._queue_seconds <= now, self._waiting))
        self._waiting = self._waiting[len(old) :]
        _fail(old, Overloaded(retry_after=self.retry_after))
        self._waiting_acts -= sum(len(submission.adjustments) for submission in old)
        self._alarm = None
        if self._waiting:
            wait = self._waiting[0].came + self._queue_seconds - now
            self._alarm = asyncio.get_running_loop().call_later(wait, self._refuse_old)

    def _next_batch(self) -> list[_Submission]:
        size = count = 0
        for submission in self._waiting:
            size += len(submission.adjustments)
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
            now = monotonic()
            self.meter.note(now, sum(map(len, answers)), [now - submission.came for submission in batch])

    async def _write(self, batch: list[_Submission]) -> list[list[object]]:
        adjustments = [act for submission in batch for act in submission.adjustments]
        answers: list[object] = []
        context = self._context_in_force()

        def decide(found: Loaded) -> Changes:
            work = UnitOfWork(context, found)
            answers[:] = [_apply(act, work) for act in adjustments]
            return work.changes()

        asked = LoadRequest(
            users=frozenset(act.user_id for act in adjustments),
            events=identities(adjustments),
            rules=context.catalog.rules,
            with_adjustments=frozenset(act.user_id for act in adjustments if act.needs == "adjustments"),
            in_full=frozenset(act.user_id for act in adjustments if act.needs == "all"),
            ranks=any(submission.ranks for submission in batch),
        )
        ranks = await self._store.change(asked, decide)
        settled = iter(_with_ranks(answers, ranks) if ranks else answers)
        return [[next(settled) for _ in submission.adjustments] for submission in batch]


def _apply(act: Command, work: UnitOfWork) -> object:
    try:
        return act.apply(work)
    except LaurelsError as error:
        return error


def _with_ranks(answers: Sequence[object], ranks: Mapping[str, Ranks]) -> list[object]:
    """The answers, with the ranks that their transaction measured in those of new events that changed the points.

    A duplicate that shares the transaction of its original gets the same.
    """
    written = {_identity(answer) for answer in answers if isinstance(answer, Recorded) and not answer.duplicate}
    return [_with_rank(answer, ranks, written) for answer in answers]


def _with_rank(answer: object, ranks: Mapping[str, Ranks], written: set[tuple[str, str]]) -> object:
    if isinstance(answer, Recorded) and answer.outcome.points and _identity(answer) in written:
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
