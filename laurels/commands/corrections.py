"""What is known since about a user as they were: late events, reversals, and adjustments that were undone or name earlier days.

The user as a read saw them is corrected by the same means as a user of today: events are added and taken back, all sums are
computed again, badges whose condition held and does not hold any more are lost, and what is due is awarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from laurels.commands.former_catalogs import FormerCatalogs
from laurels.commands.lost_badges import lost_badges, save_as_they_were
from laurels.commands.past import (
    PastUser,
    UserRecord,
    amnesties_at,
    revision_at,
    user_at,
    work_on,
    worked,
)
from laurels.commands.rows import active_events, amnesty_days, rebuilt_manual_state
from laurels.commands.unit_of_work import UnitOfWork
from laurels.engine.adjust import with_manual_state
from laurels.engine.catalog import Catalog
from laurels.engine.holding import justified, unmet
from laurels.engine.judge import recomputed, rejudge
from laurels.engine.progress import LostBadge, ManualState, Progress, entries_of, limited
from laurels.storage.contract import AdjustmentRow, EventRow

WITH_TIMES_OF_THEIR_OWN = frozenset({"reversal", "pause", "repair", "timeZone"})
"""Kinds of adjustments that are about the past: they correct it. The others count from when they were made."""


def corrected(
    record: UserRecord, past: PastUser, catalogs: FormerCatalogs, as_of: datetime, known_at: datetime
) -> PastUser:
    """The user at `as_of` by what was known at `known_at`. `past` is the user as a read at `as_of` saw them."""
    then, later = revision_at(record, as_of), revision_at(record, known_at)
    amnesties = amnesties_at(record.snapshot.amnesties, known_at)
    known = user_at(record, later, catalogs, amnesties, is_refreshed=True)
    rules = catalogs.in_force(as_of)
    adjustments = [row for row in known.adjustments if row.revision <= then or row.kind in WITH_TIMES_OF_THEIR_OWN]
    described = known.row
    amnesty = ManualState(amnesty=amnesty_days(amnesties, described.groups))
    dated = [row for row in known.events if row.revision <= then or _occurred(row) <= as_of]
    zones = described.progress.zones.corrected(())
    manual = rebuilt_manual_state(dated, adjustments, amnesty, zones, rules.catalog)
    given = replace(
        past.row.progress,
        zones=zones.corrected(manual.corrections),
        joined_at=described.progress.joined_at,
        manual=manual,
    )
    work = work_on(record, past, rules, amnesties)
    _save_facts(work, past, dated, adjustments)
    undone = [row for row in adjustments if row.undone_by is not None and then < row.undone_by and row.revision <= then]
    lost = [one for row in undone for one in lost_badges(row, work)]
    _settle(work, rules.catalog, past, given, lost, as_of)
    for row in undone:
        save_as_they_were(row, work)
    found = worked(work, past)
    shown = {row.revision for row in (*dated, *adjustments)}
    ledger = [row for row in known.ledger if row.revision > then and row.revision in shown]
    return replace(found, ledger=[*past.ledger, *ledger], adjustments=adjustments)


def _occurred(row: EventRow) -> datetime:
    assert row.event.occurred_at is not None
    return row.event.occurred_at


def _save_facts(
    work: UnitOfWork, past: PastUser, events: Sequence[EventRow], adjustments: Sequence[AdjustmentRow]
) -> None:
    """Let the transaction know the events and adjustments of later."""
    known = {row.event.id: row for row in past.events}
    for row in events:
        if row != known.get(row.event.id):
            work.mark_event(row, row.reversed_by)
    for row in adjustments:
        work.save_adjustment(row)


def _settle(
    work: UnitOfWork, catalog: Catalog, past: PastUser, given: Progress, lost: Sequence[LostBadge], at: datetime
) -> None:
    """Compute the user again, take badges that were held by what was corrected, and award what is due."""
    before, user_id = past.row.progress, past.row.user_id
    events = active_events(work.history(user_id))
    fresh, none_left = recomputed(catalog, given, events), work.copies.none_left(before)
    after, _ = with_manual_state(catalog, replace(fresh, manual=before.manual), given.manual, lost, none_left)
    gone = unmet(_paid(fresh, after), [badge for badge in justified(catalog, before) if badge.id in after.badges])
    badges = {badge: paid for badge, paid in after.badges.items() if badge not in gone or badge in given.manual.granted}
    after = _paid(fresh, replace(after, badges=badges))
    paid = entries_of(after.earned - before.earned, "catalog", catalog.rules)
    outcome = rejudge(catalog, before, after, at, paid, none_left)
    work.save(past.row, outcome, at, events=events)
    work.read_in_order(user_id, awarded=[award.badge for award in outcome.awards])


def _paid(fresh: Progress, after: Progress) -> Progress:
    """`after` with the points of its badges, and otherwise those of `fresh`."""
    points, beyond = limited(fresh.earned - sum(fresh.badges.values()) + sum(after.badges.values()))
    return replace(after, points=points, beyond=beyond)
