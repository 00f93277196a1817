"""Changing the catalog: what is planned and applied over HTTP, and the revisions without their texts."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from laurels.present.base import Actor, Answer, Body, Reason, SparseAnswer, UtcTime, whole_number
from laurels.present.plans import CatalogPlan
from laurels.present.problems import Problem
from laurels.storage.contract import CatalogRow, Principal

MOST_REVISIONS = 1_000_000_000
MOST_PERCENT = 1_000_000

CatalogText = Annotated[str, Meta(min_length=1, description="A catalog, as TOML")]
RevisionNumber = Annotated[float, whole_number(MOST_REVISIONS, "The number of an earlier revision, to go back to")]
Silent = Annotated[bool, Meta(description="Users are not notified of what they get or lose by it")]


class PlanIn(Body, frozen=True):
    """The catalog to plan: its text, or the number of an earlier revision."""

    text: CatalogText | UnsetType = UNSET
    revision: RevisionNumber | UnsetType = UNSET
    silent: Silent = False
    inflation: (
        Annotated[
            float, whole_number(MOST_PERCENT, "Warn if the points of all users grow by more percent; 20 by default")
        ]
        | UnsetType
    ) = UNSET


class ApplyIn(Body, frozen=True):
    """The catalog to apply, as it was planned, with the token of its plan."""

    plan: Annotated[str, Meta(min_length=1, description="The token of a plan of the same catalog")]
    reason: Reason
    text: CatalogText | UnsetType = UNSET
    revision: RevisionNumber | UnsetType = UNSET
    silent: Silent = False
    actor: Actor | UnsetType = UNSET


class PlanMessage(SparseAnswer, frozen=True):
    """A line of a plan that is being made: how many of all users were looked at.

    The last line has the plan, or the problem that ended it. If there is no such line, the plan was interrupted: send it again.
    """

    done: int
    of: int
    plan: CatalogPlan | None = None
    problem: Problem | None = None


class RevisionEntry(Answer, frozen=True):
    """A revision of the catalog without its text; see `CatalogRevision`."""

    number: int
    rules: str
    applied_at: UtcTime
    applied_by: str
    principal: Principal | None
    reason: str
    silent: bool
    filled: int | None
    filled_at: UtcTime | None


class RevisionList(Answer, frozen=True):
    """All revisions, oldest first; the last one is in force. `users` is how many users there are, to compare `filled` with."""

    revisions: list[RevisionEntry]
    users: int


def revision_entry(row: CatalogRow) -> RevisionEntry:
    """A revision without its text."""
    return RevisionEntry(
        number=row.number,
        rules=row.rules,
        applied_at=row.applied_at,
        applied_by=row.applied_by,
        principal=row.principal,
        reason=row.reason,
        silent=row.silent,
        filled=row.filled,
        filled_at=row.filled_at,
    )
