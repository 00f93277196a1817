"""Changes that need the whole of a long history: read and computed outside of any transaction, so that no one waits for them.

The history is read from a snapshot and the change is computed in a thread, or, if it is very long, in a process of its own. Then
a short transaction checks that the user is still as they were in the snapshot, and writes; otherwise it begins again. After a few
attempts the transaction itself reads.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

from laurels.commands.audit import note_written
from laurels.commands.unit_of_work import Command, DecisionContext, UnitOfWork
from laurels.engine.ranking import Ranks
from laurels.engine.supply import fit
from laurels.errors import Overloaded
from laurels.service.computing import Computed, Job, Task, Unbound, applied, computed, snapshot_for, state_of
from laurels.service.history_process import HistoryProcess
from laurels.settings import DatabaseSettings
from laurels.storage import is_in_memory
from laurels.storage.contract import AuditRow, Changes, Loaded, LoadRequest, OtherRevision, Store
from laurels.storage.threads import DaemonExecutor

LONG = 500
"""A user with more revisions than this has a long history; each event is one revision."""

VERY_LONG = 5000
"""A user with more revisions than this is computed in a process of its own. Below, starting one would take longer."""

IDLE_SECONDS = 60
"""How long the process waits for another very long history before it is ended."""

ATTEMPTS = 4
"""How often a change is computed outside of the transaction before the transaction computes it."""

TURN_SECONDS = 0.00002
"""How long a thread computes before another one may. The usual 5 ms are many times a profile, and each statement would wait."""


class Changed(Exception):  # noqa: N818
    """The user was changed since the snapshot, or others took the last copy of a badge."""


class LongHistories:
    """Writes the commands of one user with a long history at a time; the others wait for at most `wait_seconds`."""

    def __init__(self, store: Store, wait_seconds: float, database: DatabaseSettings | None = None) -> None:
        """`database` is the store's, for the process that computes very long histories; None: a thread does."""
        self._store = store
        self._wait_seconds = wait_seconds
        self._turn = asyncio.Lock()
        self._thread = DaemonExecutor("laurels-long")
        self._process = HistoryProcess(database) if database and not is_in_memory(database.url.reveal()) else None
        self._end_idle: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """End the process and the thread, if they run. Nothing can be computed any more."""
        async with self._turn:
            self._keep_process()
            process, self._process = self._process, None
            if process and process.is_running:
                await asyncio.get_running_loop().run_in_executor(self._thread, process.end)
            self._thread.shutdown(wait=False)

    async def write(
        self, context: DecisionContext, request: LoadRequest, commands: Sequence[Command]
    ) -> tuple[list[object], Mapping[str, Ranks]]:
        """Write commands of one user; `request` names what they need. Returns their answers, and the ranks as `change` does.

        Raises Overloaded if it is not their turn in time, and Unbound; then nothing was written. May raise StoreUnavailable.
        """
        if context.must_bind:
            raise Unbound
        async with self._in_turn():
            for _ in range(ATTEMPTS):
                try:
                    return await self._write_computed(Job(context, request, commands))
                except Changed:
                    continue
            return await self._write_at_once(context, request, commands)

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """One long history at a time. Raises Overloaded if it is not its turn in time."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise Overloaded("other long histories are being computed; send this again") from None
        self._keep_process()
        try:
            with _short_turns:
                yield
        finally:
            self._turn.release()
            self._end_process_when_idle()

    async def _write_computed(self, job: Job) -> tuple[list[object], Mapping[str, Ranks]]:
        """Compute from a snapshot, and write what was computed. Raises Changed if the user was changed meanwhile."""
        in_process = await self._in_process(job) if await self._is_very_long(job.user_id) else None
        found = cast(Computed | None, in_process) or await self._in_thread(job)

        def decide(loaded: Loaded) -> Changes:
            if state_of(loaded) != found.state or not fit(found.changes.copies, loaded.supplies):
                raise Changed
            return found.changes

        ranks = await self._store.change(_only_rows(job.request, found.rules), decide)
        note_written(job.commands, found.changes.audit)
        return found.answers, ranks

    async def read(self, task: Task) -> object:
        """The result of a task on a very long history; None if it is not as long, or the process cannot.

        Raises Overloaded if it is not its turn in time.
        """
        if not await self._is_very_long(task.user_id):
            return None
        async with self._in_turn():
            return await self._in_process(task)

    async def _is_very_long(self, user_id: str) -> bool:
        """Whether a user's history is long enough for the process, where there is one."""
        user = await self._store.user(user_id) if self._process else None
        return user is not None and user.revision > VERY_LONG

    async def _in_process(self, task: Task) -> object:
        if self._process is None:  # closed meanwhile
            return None
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._process.compute, task)

    async def _in_thread(self, job: Job) -> Computed:
        snapshot = await snapshot_for(self._store, job)
        return await asyncio.get_running_loop().run_in_executor(self._thread, computed, job, snapshot)

    async def _write_at_once(
        self, context: DecisionContext, request: LoadRequest, commands: Sequence[Command]
    ) -> tuple[list[object], Mapping[str, Ranks]]:
        """Read, compute and write in one transaction: for a user who is changed all the time."""
        answers: list[object] = []
        audit: list[AuditRow] = []

        def decide(loaded: Loaded) -> Changes:
            if loaded.catalog != context.revision:
                raise OtherRevision
            work = UnitOfWork(context, loaded)
            answers[:] = applied(commands, work)
            changes = work.changes()
            audit[:] = changes.audit
            return changes

        ranks = await self._store.change(request, decide)
        note_written(commands, audit)
        return answers, ranks

    def _keep_process(self) -> None:
        if self._end_idle is not None:
            self._end_idle.cancel()
            self._end_idle = None

    def _end_process_when_idle(self) -> None:
        self._keep_process()
        if self._process and self._process.is_running:
            loop = asyncio.get_running_loop()
            self._end_idle = loop.call_later(IDLE_SECONDS, self._thread.submit, self._process.end)


class _ShortTurns:
    """Lets threads take turns more often, so that event loops wait less for the thread that computes.

    The interval belongs to the whole interpreter, where several event loops may compute at once: the first one sets it, and the
    last one sets it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._computing = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._computing:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, TURN_SECONDS))
            self._computing += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._computing -= 1
            if not self._computing:
                sys.setswitchinterval(self._usual)


_short_turns = _ShortTurns()


def _only_rows(request: LoadRequest, rules: str) -> LoadRequest:
    """The same users without their histories. Their adjustments tell whether a commit in doubt was made."""
    return replace(request, rules=rules, in_full=frozenset(), zones={}, with_adjustments=request.users)
