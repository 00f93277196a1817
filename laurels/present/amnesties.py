"""Amnesties: days on which no streak requires anything."""

from __future__ import annotations

from datetime import date

from msgspec import UNSET, UnsetType

from laurels.present.base import Actor, Answer, Body, Group, Reason, UtcTime
from laurels.storage.contract import AmnestyRow, Principal


class AmnestyIn(Body, frozen=True):
    """Days on which nothing is required, of everyone or of one group."""

    first: date
    last: date
    reason: Reason
    group: Group | UnsetType = UNSET
    actor: Actor | UnsetType = UNSET


class Amnesty(Answer, frozen=True):
    """An amnesty. `liftedAt`, `liftedBy`, `liftReason` and `liftPrincipal` are null while it is in force.

    The principals are who was authenticated, null if an earlier version did it; `actor` and `liftedBy` are who they say did it.
    """

    id: str
    first: date
    last: date
    group: str | None
    reason: str
    actor: str
    principal: Principal | None
    created_at: UtcTime
    lifted_at: UtcTime | None
    lifted_by: str | None
    lift_reason: str | None
    lift_principal: Principal | None


class Amnesties(Answer, frozen=True):
    """All amnesties, oldest first."""

    amnesties: list[Amnesty]


def amnesty(row: AmnestyRow) -> Amnesty:
    """An amnesty as stored."""
    return Amnesty(
        id=row.amnesty_id,
        first=date.fromordinal(row.first_day),
        last=date.fromordinal(row.last_day),
        group=row.for_group,
        reason=row.reason,
        actor=row.actor,
        principal=row.principal,
        created_at=row.created_at,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        lift_reason=row.lift_reason,
        lift_principal=row.lift_principal,
    )
