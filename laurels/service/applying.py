"""Applying a catalog: storing the revision with its audit, and letting all users be brought under it if it was planned."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from laurels.errors import LaurelsError
from laurels.present.catalog import AppliedCatalog, applied_catalog
from laurels.service.audit import audit_row
from laurels.service.core import Core
from laurels.service.period_rules import PeriodRules
from laurels.service.revisions import Proposal
from laurels.storage.contract import AuditRow, CatalogRow, Source

log = logging.getLogger(__name__)

MOST_MOVED = 1000
"""How many users that moved since a plan are named."""


async def apply_proposal(core: Core, period_rules: PeriodRules, source: Source, proposal: Proposal) -> AppliedCatalog:
    """Put a catalog in force. See `Admin.apply_catalog`."""
    notes: list[AuditRow] = []

    def audit_of(row: CatalogRow) -> AuditRow:
        said = {
            "reason": proposal.reason,
            "actor": proposal.actor,
            "adopted": proposal.only_first or None,
            "silent": proposal.silent or None,
        }
        target = ("catalog", str(row.number))
        notes[:] = [audit_row(source, proposal.at, "catalog.applied", target, rules=row.rules, **said)]
        return notes[0]

    # Read first: once the revision is stored, a client that does not wait for the answer would have applied it unknowingly.
    moved = await _moved_since(core, proposal.plan.at, proposal.plan.base_number) if proposal.plan else ()
    row, is_new = await core.rules.apply(proposal, audit_of)
    for note in notes if is_new else ():
        await core.security.note(note)
    if proposal.plan:
        await period_rules.refill()
    return applied_catalog(row, is_new, moved)


async def _moved_since(core: Core, at: datetime, base: int) -> Sequence[str] | None:
    """Who changed since then otherwise than by a revision after the base of the plan; None if that cannot be read."""
    try:
        return await core.store.users_changed_since(at, MOST_MOVED, base + 1)
    except LaurelsError as error:
        log.warning("the users who changed since the plan could not be read: %s", error)
        return None
