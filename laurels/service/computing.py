"""Computing changes from what was loaded: in a transaction, or from a snapshot, in this process or in another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from laurels.commands.context import DecisionContext
from laurels.commands.unit_of_work import Command, UnitOfWork
from laurels.errors import LaurelsError
from laurels.storage.contract import Changes, Loaded, LoadRequest, OtherRevision, RevisionKey, Store

LATER = object()
"""In place of the answer of a command whose user's history is too long for the shared transaction."""

State = tuple[Mapping[str, int], frozenset[str], int, RevisionKey]
"""What changes with anything that a decision about these users depends on."""


class Unbound(Exception):  # noqa: N818
    """The transaction would judge users, but the catalog that judges them is not stored."""


class Task(Protocol):
    """Work on one user with a long history that only reads."""

    @property
    def user_id(self) -> str:
        """The user."""
        ...

    async def done_in(self, store: Store) -> object:
        """Do it. Raises OtherRevision if another catalog is in force than the one it is done under."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """Commands of one user with a long history. `request` names what they need."""

    context: DecisionContext
    request: LoadRequest
    commands: Sequence[Command]

    @property
    def user_id(self) -> str:
        """The user."""
        return self.commands[0].user_id

    async def done_in(self, store: Store) -> Computed:
        """What was computed."""
        return computed(self, await snapshot_for(store, self))


@dataclass(frozen=True, slots=True)
class Computed:
    """The answers of a job and its changes, with the state and the rules of the user from which they were computed."""

    answers: list[object]
    changes: Changes
    state: State
    rules: str


async def snapshot_for(store: Store, job: Job) -> Loaded:
    """What a job needs, from one snapshot. Raises OtherRevision if another catalog is in force in it."""
    snapshot = await store.load(job.request)
    if snapshot.catalog != job.context.revision:
        raise OtherRevision
    return snapshot


def computed(job: Job, snapshot: Loaded) -> Computed:
    """Compute the changes of a job from its snapshot."""
    work = UnitOfWork(job.context, snapshot)
    answers = applied(job.commands, work)
    rules = next((user.rules for user in snapshot.users.values()), job.request.rules)
    return Computed(answers, work.changes(), state_of(snapshot), rules)


def applied(commands: Sequence[Command], work: UnitOfWork) -> list[object]:
    """Apply commands. Returns the answer of each, the LaurelsError that it raised, or LATER."""
    long = work.found.long
    return [LATER if long and command.user_id in long else _applied(command, work) for command in commands]


def _applied(command: Command, work: UnitOfWork) -> object:
    try:
        return command.apply(work)
    except LaurelsError as error:
        return error


def state_of(loaded: Loaded) -> State:
    """The state of what was loaded."""
    revisions = {user_id: user.revision for user_id, user in loaded.users.items()}
    return revisions, loaded.erased, loaded.amnesty_count, loaded.catalog
