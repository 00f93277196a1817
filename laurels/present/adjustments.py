"""Adjustments: changes made by hand, how each kind is sent, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from laurels.commands.events import Applied
from laurels.engine.catalog import Catalog
from laurels.present.base import Actor, Body, Reason, SparseAnswer
from laurels.present.changes import Award, LevelChange, NumberChange, changes


class AdjustmentResult(SparseAnswer, frozen=True):
    """An adjustment and what it changed. The same id again is answered with `duplicate`, and changes nothing.

    Fields from `awards` to `streaks` are left out when they did not change, and `balance` for a user who has spent no points.
    """

    id: str
    user_id: str
    kind: str
    reason: str
    actor: str
    status: Literal["applied", "undone", "duplicate"]
    awards: Sequence[Award] = ()
    revoked: Sequence[str] = ()
    points: NumberChange | None = None
    balance: NumberChange | None = None
    level: LevelChange | None = None
    streaks: Mapping[str, NumberChange] = {}

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
        balance=NumberChange(before=applied.balance[0], after=applied.balance[1]) if applied.balance else None,
        status="duplicate" if applied.duplicate else "undone" if row.undone_by else "applied",
        **names,
        **changes(catalog, applied.outcome),
    )


class ReversalIn(Body, frozen=True):
    """The reason and the actor of a reversal (default: the name of the API key)."""

    reason: Reason
    actor: Actor | UnsetType = UNSET
