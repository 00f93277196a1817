"""Changes that need the whole of a long history: read and computed outside of any transaction, so that no one waits for them.

The history is read from a snapshot and the change is computed in a thread. Then a short transaction checks that the user is
still as they were in the snapshot, and writes; otherwise it begins again. After a few attempts the transaction itself reads.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from laurels.commands.unit_of_work import Command, DecisionContext, UnitOfWork
from laurels.engine.ranking import Ranks
from laurels.errors import LaurelsError, Overloaded
from laurels.storage.contract import Changes, Loaded, LoadRequest, OtherRevision, Store
from laurels.storage.threads import DaemonExecutor

LONG = 500
"""A user with more revisions than this has a long history; each event is one revision."""

ATTEMPTS = 4
"""How often a change is computed outside of the transaction before the transaction computes it."""

LATER = object()
"""In place of the answer of a command whose user's history is too long for the shared transaction."""


TURN_SECONDS = 0.00002
"""How long a thread computes before another one may. The usual 5 ms are many times a profile, and each statement would wait."""


class Changed(Exception):  # noqa: N818
    """The user was changed since the snapshot."""


class LongHistories:
    """Writes the commands of one user with a long history at a time; the others wait for at most `wait_seconds`."""

    def __init__(self, store: Store, wait_seconds: float) -> None:
        self._store = store
        self._wait_seconds = wait_seconds
        self._turn = asyncio.Lock()
        self._thread = DaemonExecutor("laurels-long")

    async def write(
        self, context: DecisionContext, request: LoadRequest, commands: Sequence[Command]
    ) -> tuple[list[object], Mapping[str, Ranks]]:
        """Write commands of one user; `request` names what they need. Returns their answers, and the ranks as `change` does.

        Raises Overloaded if it is not their turn in time; then nothing was written. May raise StoreUnavailable.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise Overloaded("other long histories are being computed; send this again") from None
        try:
            with _short_turns():
                for _ in range(ATTEMPTS):
                    try:
                        return await self._write_computed(context, request, commands)
                    except Changed:
                        continue
                return await self._write_at_once(context, request, commands)
        finally:
            self._turn.release()

    async def _write_computed(
        self, context: DecisionContext, request: LoadRequest, commands: Sequence[Command]
    ) -> tuple[list[object], Mapping[str, Ranks]]:
        """Compute from a snapshot, and write what was computed. Raises Changed if the user was changed meanwhile."""
        snapshot = await self._store.load(request)
        if snapshot.catalog != context.revision:
            raise OtherRevision

        def compute() -> tuple[list[object], Changes]:
            work = UnitOfWork(context, snapshot)
            answers = applied(commands, work)
            return answers, work.changes()

        answers, changes = await asyncio.get_running_loop().run_in_executor(self._thread, compute)

        def decide(loaded: Loaded) -> Changes:
            if _state(loaded) != _state(snapshot):
                raise Changed
            return changes

        ranks = await self._store.change(_only_rows(request, snapshot), decide)
        return answers, ranks

    async def _write_at_once(
        self, context: DecisionContext, request: LoadRequest, commands: Sequence[Command]
    ) -> tuple[list[object], Mapping[str, Ranks]]:
        """Read, compute and write in one transaction: for a user who is changed all the time."""
        answers: list[object] = []

        def decide(loaded: Loaded) -> Changes:
            if loaded.catalog != context.revision:
                raise OtherRevision
            work = UnitOfWork(context, loaded)
            answers[:] = applied(commands, work)
            return work.changes()

        ranks = await self._store.change(request, decide)
        return answers, ranks


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads take turns more often, so that the event loop waits less for the thread that computes."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(min(usual, TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def applied(commands: Sequence[Command], work: UnitOfWork) -> list[object]:
    """Apply commands. Returns the answer of each, the LaurelsError that it raised, or LATER."""
    long = work.found.long
    return [LATER if long and command.user_id in long else _applied(command, work) for command in commands]


def _applied(command: Command, work: UnitOfWork) -> object:
    try:
        return command.apply(work)
    except LaurelsError as error:
        return error


def _state(loaded: Loaded) -> object:
    """What changes with anything that a decision about these users depends on."""
    revisions = {user_id: user.revision for user_id, user in loaded.users.items()}
    return revisions, loaded.erased, loaded.amnesty_count, loaded.catalog


def _only_rows(request: LoadRequest, snapshot: Loaded) -> LoadRequest:
    """The same users without their histories. Their adjustments tell whether a commit in doubt was made."""
    rules = next((user.rules for user in snapshot.users.values()), request.rules)
    return replace(request, rules=rules, in_full=frozenset(), zones={}, with_adjustments=request.users)
