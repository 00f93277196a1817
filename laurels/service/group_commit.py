"""Group commit: commands that arrive while a transaction runs share the next one. Each is durable when it is answered."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from time import monotonic
from typing import TypeVar

from laurels.commands.audit import note_written
from laurels.commands.context import DecisionContext
from laurels.commands.events import Recorded
from laurels.commands.needed import HistoryNeeded
from laurels.commands.unit_of_work import Command, UnitOfWork, identities
from laurels.commands.users import zones_to_set
from laurels.engine.ranking import Ranks
from laurels.errors import CatalogDiffers, CatalogError, LaurelsError, Overloaded, StoreUnavailable
from laurels.service.computing import LATER, Task, Unbound, applied
from laurels.service.long_histories import LONG, LongHistories
from laurels.settings import DatabaseSettings
from laurels.storage.contract import AuditRow, Changes, Decide, Loaded, LoadRequest, OtherRevision, Store
from laurels.storage.keyrings import OtherKeys
from laurels.telemetry.writes import WriteMeter

log = logging.getLogger(__name__)

QUEUE_LIMIT = 10_000
BATCH_LIMIT = 500
QUEUE_SECONDS = 5.0

WEIGHT = 0.25
"""The weight of the last transaction in the moving average of their durations."""

MOST_SWITCHES = 100
"""How often a transaction begins again because another revision of the catalog was put in force."""

MAX_RETRY_AFTER = 60
"""The highest `retry_after`, in seconds."""


T = TypeVar("T")

Switch = Callable[[Exception], Awaitable[None]]
"""Called with OtherRevision or Unbound, when a transaction cannot go on under its catalog; puts the right one in force."""


@dataclass(slots=True)
class _Submission:
    commands: Sequence[Command]
    ranks: bool
    submitted_at: float
    done: asyncio.Future[list[object]]


class GroupCommit:
    """Takes commands from any number of callers and writes them in shared transactions, in the order of arrival.

    queue_limit    how many commands may wait; above that `submit` raises Overloaded at once
    batch_limit    how many commands share a transaction; a larger submission has one of its own and is not split
    queue_seconds  how long a command may wait until its transaction begins; `submit` raises Overloaded at once if it is
                   expected to wait longer, or later, if it has waited that long
    """

    def __init__(
        self,
        store: Store,
        context_in_force: Callable[[], DecisionContext],
        queue_limit: int = QUEUE_LIMIT,
        batch_limit: int = BATCH_LIMIT,
        queue_seconds: float = QUEUE_SECONDS,
        switch: Switch | None = None,
        database: DatabaseSettings | None = None,
    ) -> None:
        """Use this store and the context that is in force when a transaction begins. Without `switch` it never changes.

        `database` is the store's, for a process that computes very long histories; None: a thread does.
        """
        self._store = store
        self._context_in_force = context_in_force
        self._switch = switch
        self.queue_limit = queue_limit
        self.meter = WriteMeter(monotonic())
        self._batch_limit = batch_limit
        self._queue_seconds = queue_seconds
        self._queue: list[_Submission] = []
        self._queued = 0
        self._batch_seconds = 0.0
        self._batch_began = 0.0
        self._worker: asyncio.Task[None] | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self._closed = False
        self._long = LongHistories(store, queue_seconds, database)
        self._unfinished: set[asyncio.Task[None]] = set()

    @property
    def closed(self) -> bool:
        """Whether it accepts no more commands."""
        return self._closed

    @property
    def waiting(self) -> int:
        """How many commands wait or are being written."""
        return self._queued

    @property
    def expected_wait(self) -> float:
        """How many seconds a new command is expected to wait: the queued batches at their recent duration.

        If the running transaction has taken longer than that, its duration so far.
        """
        if not self._queued:
            return 0.0
        return max(self._batch_seconds * math.ceil(self._queued / self._batch_limit), monotonic() - self._batch_began)

    @property
    def retry_after(self) -> int:
        """In how many whole seconds the queued commands are expected to be written."""
        return min(MAX_RETRY_AFTER, max(1, math.ceil(self.expected_wait)))

    async def submit(self, commands: Sequence[Command], *, ranks: bool = True) -> list[object]:
        """Write commands. Returns for each, in order, its answer or the LaurelsError it raised; all are durable then.

        `ranks`: compute the rank before and after of users whose points change. Raises Overloaded when too many commands
        wait (an empty queue takes a submission of any size), and StoreUnavailable when the database fails: then nothing was
        written, unless the message says that it is unknown.
        """
        if self._closed:
            raise Overloaded("Laurels is shutting down; send this to another process, or again in a few seconds")
        full = self._queued and self._queued + len(commands) > self.queue_limit
        if full or self.expected_wait > self._queue_seconds:
            raise Overloaded(retry_after=self.retry_after)
        loop, now = asyncio.get_running_loop(), monotonic()
        submission = _Submission(commands, ranks, now, loop.create_future())
        self._queue.append(submission)
        self._queued += len(commands)
        if self._worker is None:
            self._batch_began = now
            self._worker = asyncio.create_task(self._work())
        elif self._timeout is None:
            self._timeout = loop.call_later(self._queue_seconds, self._refuse_old)
        return await submission.done

    async def read(self, task: Task) -> object:
        """The result of a task on a very long history; None: do it here. See LongHistories.read."""
        return await self._long.read(task)

    async def close(self) -> None:
        """Accept no more commands, and return when all queued ones are written."""
        self._closed = True
        if self._worker is not None:
            await self._worker
        while self._unfinished:
            await asyncio.wait(self._unfinished)
        await self._long.close()

    async def _work(self) -> None:
        """Write batch after batch until the queue is empty."""
        while self._queue:
            batch = self._next_batch()
            size = sum(len(submission.commands) for submission in batch)
            self._batch_began = monotonic()
            try:
                await self._answer(batch)
            finally:
                self._queued -= size
                self._measure(monotonic() - self._batch_began, size)
        self._worker = None
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _measure(self, seconds: float, size: int) -> None:
        """Learn from a batch how long a full one takes. A small one takes nearly as long, because most of it is disk time."""
        seconds /= max(1, size / self._batch_limit)
        self._batch_seconds = (
            seconds if not self._batch_seconds else self._batch_seconds + WEIGHT * (seconds - self._batch_seconds)
        )

    def _refuse_old(self) -> None:
        """Refuse submissions that have waited too long. Nothing of them was written, and their client may have given up."""
        now = monotonic()
        old = list(takewhile(lambda one: one.submitted_at + self._queue_seconds <= now, self._queue))
        self._queue = self._queue[len(old) :]
        _fail(old, Overloaded(retry_after=self.retry_after))
        self._queued -= sum(len(submission.commands) for submission in old)
        self._timeout = None
        if self._queue:
            wait = self._queue[0].submitted_at + self._queue_seconds - now
            self._timeout = asyncio.get_running_loop().call_later(wait, self._refuse_old)

    def _next_batch(self) -> list[_Submission]:
        size = count = 0
        for submission in self._queue:
            size += len(submission.commands)
            if count and size > self._batch_limit:
                break
            count += 1
        batch, self._queue = self._queue[:count], self._queue[count:]
        return batch

    async def _answer(self, batch: list[_Submission]) -> None:
        """Write a batch and answer it.

        If it fails unexpectedly, or for users that these keys cannot tell from erased ones, write each submission alone, so that
        one cannot fail others.
        """
        try:
            answers = await self._write(batch)
        except OtherKeys as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            await self._answer_each(batch)
        except (StoreUnavailable, CatalogDiffers, CatalogError) as error:
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                log.exception("a command could not be written")
                _fail(batch, error)
                return
            await self._answer_each(batch)
        else:
            self._hand_out(batch, answers)

    async def _answer_each(self, batch: list[_Submission]) -> None:
        for submission in batch:
            await self._answer([submission])

    def _hand_out(self, batch: list[_Submission], answers: list[list[object]]) -> None:
        """Answer a batch that was written, except what was put off because it needs a long history."""
        finished: list[_Submission] = []
        for submission, answer in zip(batch, answers, strict=True):
            if LATER in answer:
                task = asyncio.create_task(self._finish(submission, answer))
                self._unfinished.add(task)
                task.add_done_callback(self._unfinished.discard)
                continue
            finished.append(submission)
            if not submission.done.done():
                submission.done.set_result(answer)
        self._count(finished)

    def _count(self, submissions: Sequence[_Submission]) -> None:
        now, size = monotonic(), sum(len(submission.commands) for submission in submissions)
        self.meter.add(now, size, [now - submission.submitted_at for submission in submissions])

    async def _finish(self, submission: _Submission, answers: list[object]) -> None:
        """Write the commands that were put off because they need a long history, and answer the submission."""
        later = [number for number, answer in enumerate(answers) if answer is LATER]
        by_user: dict[str, list[int]] = {}
        for number in later:
            by_user.setdefault(submission.commands[number].user_id, []).append(number)
        for numbers in by_user.values():
            commands = [submission.commands[number] for number in numbers]
            try:
                found = await self._in_force(partial(self._write_long, commands, ranks=submission.ranks))
            except LaurelsError as error:
                # Not an answer of these commands, which a client would take for final. All are sent again, and what was
                # written is a duplicate then.
                _fail([submission], error)
                return
            except Exception as error:
                log.exception("a command could not be written")
                _fail([submission], error)
                return
            for number, answer in zip(numbers, found, strict=True):
                answers[number] = answer
        if not submission.done.done():
            submission.done.set_result(answers)
        self._count([submission])

    async def _write_long(self, commands: Sequence[Command], context: DecisionContext, *, ranks: bool) -> list[object]:
        users = frozenset(command.user_id for command in commands)
        request = replace(_request(commands, context, ranks=ranks), longest=None, in_full=users)
        answers, moved = await self._long.write(context, request, commands)
        return _with_ranks(answers, moved) if moved else answers

    async def _write(self, batch: list[_Submission]) -> list[list[object]]:
        """Write a batch under the catalog in force, whichever that is when its transaction runs."""
        return await self._in_force(partial(self._write_under, batch))

    async def _in_force(self, write: Callable[[DecisionContext], Awaitable[T]]) -> T:
        """Write under the catalog in force; again under another one if that was put in force meanwhile."""
        for _ in range(MOST_SWITCHES):
            try:
                return await write(self._context_in_force())
            except (OtherRevision, Unbound) as other:
                if self._switch is None:
                    raise
                await self._switch(other)
        raise StoreUnavailable("the catalog was changed again and again meanwhile; send this again")

    async def _write_under(self, batch: list[_Submission], context: DecisionContext) -> list[list[object]]:
        commands = [command for submission in batch for command in submission.commands]
        answers: list[object] = []
        audit: list[AuditRow] = []

        def decide(loaded: Loaded) -> Changes:
            if loaded.catalog != context.revision:
                raise OtherRevision
            work = UnitOfWork(context, loaded)
            answers[:] = applied(commands, work)
            changes = work.changes()
            if changes.users and context.must_bind:
                raise Unbound
            audit[:] = changes.audit
            return changes

        request = _request(commands, context, ranks=any(submission.ranks for submission in batch))
        ranks = await self._change(request, decide)
        if audit:
            note_written(commands, audit)
        ranked = iter(_with_ranks(answers, ranks) if ranks else answers)
        return [[next(ranked) for _ in submission.commands] for submission in batch]

    async def _change(self, request: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        """Change users. If it turns out that a decision needs the whole history of some, begin again with it."""
        while True:
            try:
                return await self._store.change(request, decide)
            except HistoryNeeded as needed:
                if needed.users <= request.in_full:
                    raise
                request = replace(request, in_full=request.in_full | needed.users)


def _request(commands: Sequence[Command], context: DecisionContext, *, ranks: bool) -> LoadRequest:
    """What these commands need. Long histories are left out."""
    return LoadRequest(
        users=frozenset(command.user_id for command in commands),
        events=identities(commands),
        rules=context.catalog.rules,
        with_adjustments=frozenset(command.user_id for command in commands if command.needs == "adjustments"),
        in_full=frozenset(command.user_id for command in commands if command.needs == "all"),
        zones=zones_to_set(commands),
        ranks=ranks,
        longest=LONG,
        supplies=bool(context.catalog.limited),
    )


def _with_ranks(answers: Sequence[object], ranks: Mapping[str, Ranks]) -> list[object]:
    """The answers, with ranks for new events that changed the points.

    A duplicate in the same transaction as its original gets the same ranks.
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
