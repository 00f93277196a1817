"""The steps of a user's history, and the one after which something became true, or stopped being true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from laurels.commands.adjustments import UNDONE
from laurels.commands.former_catalogs import FormerCatalogs
from laurels.commands.past import PastUser, UserRecord, amnesties_at, as_read_at, instants, is_as_stored
from laurels.engine.catalog import Catalog
from laurels.engine.values import plain

StepKind = Literal["event", "adjustment", "undo", "user", "amnesty", "lift", "catalog"]


@plain
class Step:
    """One change: of the user, with its revision, or of all users.

    `id` is that of the event, adjustment, undone adjustment or amnesty, or the number of the catalog's revision. The kind 'user'
    is another change of the user: of the zone, the joining time or the groups, or a read or rebuild under other rules.
    """

    at: datetime
    revision: int
    kind: StepKind
    id: str
    of_user: bool = True


Holds = Callable[[PastUser, Catalog], bool]
"""Whether something is true of a user under a catalog."""


@plain
class Turn:
    """The step after which something is as it is since, and the user before and after it (None: before there was one)."""

    step: Step
    holds: bool
    before: PastUser | None
    after: PastUser


def steps(record: UserRecord, catalogs: FormerCatalogs) -> list[Step]:
    """All steps since the user exists, in order. Of those at one time, changes of all users come first."""
    own = _own_steps(record)
    created = record.user.created_at
    others = [Step(row.applied_at, 0, "catalog", str(row.number), of_user=False) for row in catalogs.rows]
    for row in record.snapshot.amnesties:
        others.append(Step(row.created_at, 0, "amnesty", row.amnesty_id, of_user=False))
        if row.lifted_at is not None:
            others.append(Step(row.lifted_at, 0, "lift", row.amnesty_id, of_user=False))
    found = sorted([*(step for step in others if step.at > created), *own], key=lambda step: (step.at, step.of_user))
    revision, known = 0, list[Step]()
    for step in found:
        revision = step.revision if step.of_user else revision
        known.append(replace(step, revision=revision))
    return known


def _own_steps(record: UserRecord) -> list[Step]:
    """The changes of the user. One that was accepted before an earlier revision was recorded counts from then."""
    recorded: dict[int, datetime] = {}
    for revision, at in instants(record):
        recorded[revision] = max(at, recorded.get(revision, at))
    named, latest = dict(_named(record)), record.user.created_at
    found: list[Step] = []
    for revision in sorted(recorded):
        latest = max(latest, recorded[revision])
        kind, name = named.get(revision, ("user", ""))
        found.append(Step(latest, revision, kind, name))
    return found


def _named(record: UserRecord) -> Iterator[tuple[int, tuple[StepKind, str]]]:
    for row in record.snapshot.adjustments:
        yield row.revision, ("adjustment", row.adjustment_id)
        if row.undone_by is not None and UNDONE in row.data:
            yield row.undone_by, ("undo", row.adjustment_id)
    for event in record.snapshot.events:
        yield event.revision, ("event", event.event.id)


def after_step(record: UserRecord, catalogs: FormerCatalogs, step: Step) -> PastUser:
    """The user as a read after this step saw them."""
    amnesties = amnesties_at(record.snapshot.amnesties, step.at)
    return as_read_at(record, catalogs, step.revision, amnesties, step.at)


class Search:
    """Looks for the step after which something is as it is now. Users are computed only where the search looks."""

    def __init__(
        self, record: UserRecord, catalogs: FormerCatalogs, holds: Holds, recorded: Mapping[int, bool]
    ) -> None:
        """`recorded` is what the rows of awards or the ledger say for each revision, without computing the user."""
        self._record, self._catalogs, self._holds, self._recorded = record, catalogs, holds, recorded
        self._steps = steps(record, catalogs)

    def turn(self) -> Turn | None:
        """The step; None if it was never otherwise, and does not hold.

        The rows say what is so after each own step. Between two of them are steps of all users, which may turn it several
        times: from the last one back, each is looked at, and those are computed of which the rows do not tell.
        """
        last = len(self._steps) - 1
        if last < 0:
            return None
        now = self._holds_after(last)
        first = next((index + 1 for index in range(last - 1, -1, -1) if self._is_otherwise(index, now)), 0)
        if first == 0 and not now:
            return None
        before = self._user_after(first - 1) if first else None
        return Turn(self._steps[first], now, before, self._user_after(first))

    def _is_otherwise(self, index: int, now: bool) -> bool:
        """Whether it was otherwise after a step, given that it was as now after the next one."""
        return not self._is_between_alike(index, now) and self._holds_after(index) != now

    def _is_as_recorded(self, step: Step) -> bool:
        """Whether a step of all users left the user as the rows of their own step before it say."""
        return step.revision in self._recorded and is_as_stored(self._record, self._catalogs, step.revision, step.at)

    def _is_between_alike(self, index: int, now: bool) -> bool:
        """Whether a step is the only one between two own steps that are both as now.

        It turned nothing: whatever it changes of a user is stored when the user is read or changed next, in an own step.
        """
        around = self._steps[max(index - 1, 0) : index + 2]
        if [step.of_user for step in around] != [True, False, True]:
            return False
        return self._recorded[around[0].revision] == now

    def _user_after(self, index: int) -> PastUser:
        return after_step(self._record, self._catalogs, self._steps[index])

    def _holds_after(self, index: int) -> bool:
        step = self._steps[index]
        if step.of_user or self._is_as_recorded(step):
            return self._recorded[step.revision]
        return self._holds(self._user_after(index), self._catalogs.in_force(step.at).catalog)


def points_by_revision(record: UserRecord, revisions: Sequence[int]) -> dict[int, int]:
    """What the user had earned at each of these revisions, in order, by the ledger."""
    amounts: dict[int, int] = {}
    for row in record.snapshot.ledger:
        if row.reason != "spend":
            amounts[row.revision] = amounts.get(row.revision, 0) + row.amount
    total, found = 0, dict[int, int]()
    for revision in sorted({*revisions, *amounts}):
        total += amounts.get(revision, 0)
        found[revision] = total
    return found
