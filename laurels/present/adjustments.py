"""Adjustments: changes made by hand, how each kind is sent, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from laurels.commands.events import Applied
from laurels.engine.catalog import Catalog
from laurels.present.base import Actor, Answer, Body, Reason, SparseAnswer
from laurels.present.changes import Award, LevelChange, NumberChange, changes
from laurels.present.problems import Problem
from laurels.storage.contract import Principal


class AdjustmentResult(SparseAnswer, frozen=True):
    """An adjustment and what it changed. The same id again is answered with `duplicate`, and changes nothing.

    `principal` is who was authenticated when it was applied, and `actor` who that principal says did it. Fields from `awards` to
    `kinds` are left out when they did not change, and `balance` for a user who has spent no points. `kinds` has the balance of
    each other kind of points.
    """

    id: str
    user_id: str
    kind: str
    reason: str
    actor: str
    status: Literal["applied", "pending", "undone", "duplicate"]
    principal: Principal | None = None
    awards: Sequence[Award] = ()
    revoked: Sequence[str] = ()
    points: NumberChange | None = None
    balance: NumberChange | None = None
    level: LevelChange | None = None
    streaks: Mapping[str, NumberChange] = {}
    kinds: Mapping[str, NumberChange] = {}

    @property
    def duplicate(self) -> bool:
        """Whether it was applied, or undone, before."""
        return self.status == "duplicate"


def adjustment_result(catalog: Catalog, applied: Applied) -> AdjustmentResult:
    """The answer for an adjustment that was applied or undone."""
    row = applied.adjustment
    names: dict[str, Any] = {"user_id": row.user_id, "kind": row.kind, "reason": row.reason, "actor": row.actor}
    return AdjustmentResult(
        id=row.adjustment_id,
        principal=row.principal,
        balance=_balance(applied),
        kinds=_kinds(applied),
        status="undone" if row.undone_by and not applied.duplicate else _status(applied),
        **names,
        **changes(catalog, applied.outcome),
    )


def _status(applied: Applied) -> Literal["applied", "pending", "duplicate"]:
    if applied.duplicate:
        return "duplicate"
    return "pending" if applied.pending else "applied"


def _balance(applied: Applied) -> NumberChange | None:
    return NumberChange(before=applied.balance[0], after=applied.balance[1]) if applied.balance else None


def _kinds(applied: Applied) -> Mapping[str, NumberChange]:
    return {name: NumberChange(before=before, after=after) for name, (before, after) in applied.kinds.items()}


class ReversalResult(SparseAnswer, frozen=True):
    """What reversing one event of several did. `problem` says why it was rejected; that occurs over HTTP only.

    The events of one user are reversed at once: what changed, from `awards` to `kinds`, is in the last of them.
    """

    user_id: str
    event_id: str
    status: Literal["applied", "pending", "duplicate", "rejected"]
    awards: Sequence[Award] = ()
    revoked: Sequence[str] = ()
    points: NumberChange | None = None
    balance: NumberChange | None = None
    level: LevelChange | None = None
    streaks: Mapping[str, NumberChange] = {}
    kinds: Mapping[str, NumberChange] = {}
    problem: Problem | UnsetType = UNSET

    @property
    def duplicate(self) -> bool:
        """Whether the event was reversed before."""
        return self.status == "duplicate"


def reversal_result(catalog: Catalog, event_id: str, applied: Applied) -> ReversalResult:
    """The answer for one of several reversals."""
    return ReversalResult(
        user_id=applied.adjustment.user_id,
        event_id=event_id,
        status=_status(applied),
        balance=_balance(applied),
        kinds=_kinds(applied),
        **changes(catalog, applied.outcome),
    )


class ReversalResults(Answer, frozen=True):
    """What reversing each event did, in the order sent."""

    applied: int
    pending: int
    duplicates: int
    rejected: int
    results: list[ReversalResult]


MAX_REVERSALS = 1000


class EventToReverse(Body, frozen=True):
    """An event to reverse."""

    user_id: str
    event_id: str


class ReversalsIn(Body, frozen=True):
    """Events to reverse, of any users, with one reason and actor (default: the name of the API key)."""

    events: Annotated[list[EventToReverse], Meta(min_length=1, max_length=MAX_REVERSALS)]
    reason: Reason
    actor: Actor | UnsetType = UNSET


class ReversalIn(Body, frozen=True):
    """The reason and the actor of a reversal (default: the name of the API key)."""

    reason: Reason
    actor: Actor | UnsetType = UNSET
