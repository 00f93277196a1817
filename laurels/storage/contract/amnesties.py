"""Amnesties: days on which no streak required anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from laurels.engine.values import plain
from laurels.storage.contract.audit import AuditRow
from laurels.storage.contract.principals import Principal


@plain
class AmnestyRow:
    """Days (ordinals, both included) on which nothing was required of all users, or of a group, until the amnesty is lifted.

    `actor` and `lifted_by` are what the principals said about who did it; the principals are None if an earlier version did it.
    """

    amnesty_id: str
    first_day: int
    last_day: int
    for_group: str | None
    reason: str
    actor: str
    created_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None = None
    lift_reason: str | None = None
    principal: Principal | None = None
    lift_principal: Principal | None = None


def amnesty_count(amnesties: Sequence[AmnestyRow]) -> int:
    """A number that changes with each amnesty that is created or lifted."""
    return len(amnesties) + sum(row.lifted_at is not None for row in amnesties)


class Amnesties(Protocol):
    """Creating, lifting and listing amnesties."""

    async def amnesties(self) -> Sequence[AmnestyRow]:
        """All amnesties, lifted ones included, oldest first."""
        ...

    async def add_amnesty(self, amnesty: AmnestyRow, audit: AuditRow | None = None) -> bool:
        """Store an amnesty with a row of the audit, in a time that does not depend on the number of users.

        One with the same id stays as it is. Returns whether it is new.
        """
        ...

    async def lift_amnesty(
        self,
        amnesty_id: str,
        at: datetime,
        actor: str | None = None,
        reason: str | None = None,
        principal: Principal | None = None,
        audit: AuditRow | None = None,
    ) -> bool:
        """Lift an amnesty, and store who did it and why, with a row of the audit.

        False if no amnesty has this id or it is already lifted.
        """
        ...
