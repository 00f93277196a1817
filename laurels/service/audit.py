"""The audit: making its rows, and reading it together with the adjustments as one list."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from laurels.engine.adjustments import KINDS
from laurels.engine.parsing import closest
from laurels.errors import InvalidInput
from laurels.present.audit import AuditEntry, AuditPosition, entry_of_adjustment, entry_of_row
from laurels.storage.contract import AUDIT_KINDS, AuditFilter, AuditKind, AuditRow, Source, Store, TargetKind

ADJUSTMENT = "adjustment"
"""The kind of all adjustments in a filter; 'adjustment.grant' is that of one kind."""

FILTER_KINDS = (*AUDIT_KINDS, ADJUSTMENT, *(f"{ADJUSTMENT}.{kind}" for kind in KINDS))
"""What a filter may give as the kind."""

PAGE = 500
INSTANT = timedelta(microseconds=1)


def audit_row(
    source: Source, at: datetime, kind: AuditKind, target: tuple[TargetKind, str] | None = None, **detail: Any
) -> AuditRow:
    """A row of the audit. `target` is what was changed; a detail that is None is left out."""
    more = {name: value for name, value in detail.items() if value is not None}
    named = target or (None, None)
    return AuditRow(
        secrets.token_hex(8).upper(), at, kind, source.principal, *named, more, source.address, source.request_id
    )


async def audit_entries(
    store: Store, only: AuditFilter, limit: int, before: AuditPosition | None = None
) -> list[AuditEntry]:
    """Adjustments and rows of the audit in one list, newest first. Of one instant, adjustments come first.

    Raises InvalidInput for an unknown kind.
    """
    entries: list[AuditEntry] = []
    kind = only.kind
    check_kind(kind)
    if kind not in AUDIT_KINDS:
        of_one = kind.partition(".")[2] if kind else ""
        wanted = replace(only, kind=of_one or None)
        rows = await store.newest_adjustments(limit, before.of_adjustments if before else None, wanted)
        entries += map(entry_of_adjustment, rows)
    if kind is None or kind in AUDIT_KINDS:
        entries += map(entry_of_row, await store.audit(limit, before.of_rows if before else None, only))
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:limit]


def check_kind(kind: str | None) -> None:
    """Raise InvalidInput for a kind by which entries cannot be filtered."""
    if kind is not None and kind not in FILTER_KINDS:
        raise InvalidInput("kind", f"unknown kind '{kind}'; {closest(kind, FILTER_KINDS)}")


async def all_audit_entries(store: Store, only: AuditFilter, most: int) -> AsyncIterator[Sequence[AuditEntry]]:
    """All entries, newest first, at most `most`, some hundred at a time."""
    before: AuditPosition | None = None
    left = most
    while left > 0 and (page := await audit_entries(store, only, min(PAGE, left), before)):
        yield page
        left -= len(page)
        before = page[-1].position
        if len(page) < min(PAGE, left + len(page)):
            return
