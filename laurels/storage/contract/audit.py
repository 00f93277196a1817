"""The audit: what was done besides adjustments, by whom, and from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Literal, Protocol, get_args

from laurels.engine.values import plain
from laurels.storage.contract.principals import Principal

AuditKind = Literal[
    "adjustment.undone",
    "user.changed",
    "user.erasure_requested",
    "user.restored",
    "user.erased",
    "user.signed_out",
    "amnesty.added",
    "amnesty.lifted",
    "catalog.applied",
    "key.created",
    "key.revoked",
    "key.second_factor_added",
    "key.second_factor_removed",
    "operator.signed_in",
    "operator.sign_in_failed",
    "operator.signed_out",
    "database.backed_up",
    "database.copied",
    "database.restored",
    "audit.removed",
    "secret.moved",
    "secret.rotated",
    "secret.old_dropped",
    "secret.names_changed",
]
AUDIT_KINDS: tuple[AuditKind, ...] = get_args(AuditKind)

TargetKind = Literal["user", "erased", "amnesty", "catalog", "key", "database"]
"""What was changed. `erased`: a user, by the keyed hash that remains."""


@plain
class AuditRow:
    """One thing that was done. `audit_id` is made by the caller: a row with a known id changes nothing.

    principal  who was authenticated; None: no one
    target     the id or name of what was changed; None: nothing with a name
    detail     more about it, as JSON; of a user never a value, only the names of fields
    times      how often it happened within the same minute, for what is folded; how many rows were removed
    """

    audit_id: str
    at: datetime
    kind: AuditKind
    principal: Principal | None
    target_kind: TargetKind | None = None
    target: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    address: str | None = None
    request_id: str | None = None
    times: int = 1


@plain
class AuditFilter:
    """Which adjustments and rows of the audit are read; None: all.

    principal  the name of the principal; of an adjustment of an earlier version, the actor
    kind       the kind of an adjustment, or an AuditKind
    user_id    the user who was changed
    since      from this time on
    until      before this time
    """

    principal: str | None = None
    kind: str | None = None
    user_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL = AuditFilter()


class Audit(Protocol):
    """Writing and reading the audit. Erasing a user replaces their id in it by a keyed hash."""

    async def add_audit(self, row: AuditRow) -> None:
        """Store a row that belongs to no other change. A row with the same id gets its `times` added."""
        ...

    async def audit(
        self, limit: int, before: tuple[datetime, str] | None = None, only: AuditFilter = ALL
    ) -> Sequence[AuditRow]:
        """The newest rows, newest first; with `before`, those after that (time, id) in this order."""
        ...
