"""How rows of the audit become columns and back, and what they are filtered by, the same for every engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from laurels.engine.instants import from_micros
from laurels.engine.instants import micros as to_micros
from laurels.storage.codec import Columns, pack_data, unpack_data
from laurels.storage.contract import AuditFilter, AuditRow
from laurels.storage.principals import principal_columns, principal_of

Condition = tuple[str, Any]
"""The left side and the comparison of a condition, and the value it compares with."""

MADE_BY = "coalesce(principal_name, actor)"
"""Who made an adjustment, as the index has it: rows of earlier versions have an actor only."""


def of_adjustments(only: AuditFilter, made_by: str = MADE_BY) -> list[Condition]:
    """The conditions on adjustments."""
    return [*_given((f"{made_by} =", only.principal), ("kind =", only.kind), ("user_id =", only.user_id)), *_when(only)]


def of_audit(only: AuditFilter) -> list[Condition]:
    """The conditions on rows of the audit."""
    of_user = [("target =", only.user_id), ("target_kind =", only.user_id and "user")]
    return [*_given(("principal_name =", only.principal), ("kind =", only.kind), *of_user), *_when(only)]


def _given(*conditions: Condition) -> Sequence[Condition]:
    return [condition for condition in conditions if condition[1] is not None]


def _when(only: AuditFilter) -> list[Condition]:
    since = [("at >=", to_micros(only.since))] if only.since else []
    return since + ([("at <", to_micros(only.until))] if only.until else [])


def audit_of(row: Columns) -> AuditRow:
    """A row of the audit, from AUDIT."""
    audit_id, at, kind, by_kind, by_name, target_kind, target, detail, *source = row
    what = (target_kind, target, unpack_data(detail) or {})
    return AuditRow(audit_id, from_micros(at), kind, principal_of(by_kind, by_name), *what, *source)


def audit_columns(row: AuditRow) -> Columns:
    """AUDIT of a row of the audit."""
    what = (row.target_kind, row.target, pack_data(row.detail))
    source = (row.address, row.request_id, row.times)
    return (row.audit_id, to_micros(row.at), row.kind, *principal_columns(row.principal), *what, *source)
