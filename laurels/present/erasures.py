"""Pending erasures: who is to be erased, when, and who asked for it."""

from __future__ import annotations

from laurels.present.base import Answer, UtcTime
from laurels.storage.contract import AuditRow, PendingErasure, Principal


class PendingUser(Answer, frozen=True):
    """A user who is to be erased at `erase_at`.

    Who asked for it, when and why is from the audit: None if it is not known any more.
    """

    user_id: str
    name: str | None
    erase_at: UtcTime
    requested_at: UtcTime | None
    principal: Principal | None
    reason: str | None


def pending_user(row: PendingErasure, asked: AuditRow | None) -> PendingUser:
    """A pending erasure, with the row of the audit that says who asked for it."""
    return PendingUser(
        user_id=row.user_id,
        name=row.name,
        erase_at=row.erase_at,
        requested_at=asked.at if asked else None,
        principal=asked.principal if asked else None,
        reason=str(asked.detail["reason"]) if asked and "reason" in asked.detail else None,
    )
