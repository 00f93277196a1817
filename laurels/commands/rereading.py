"""Reading the events of a user again when the zones that decide their days have changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from laurels.commands.rows import active_events
from laurels.commands.unit_of_work import CountsAt, UnitOfWork
from laurels.engine.judge import reread
from laurels.engine.progress import LedgerEntry, Outcome, Progress
from laurels.storage.contract import UserRow


def read_again(
    work: UnitOfWork, user: UserRow, changed: Progress, at: datetime, entries: Iterable[LedgerEntry] = ()
) -> tuple[UserRow, Outcome]:
    """Save a user whose zones have changed to those of `changed`, with every event on its day in them.

    `entries` are ledger entries of the command itself. Only for a command that loads everything.
    """
    catalog, history = work.context.catalog, work.history(user.user_id)
    before = active_events(history)
    events = active_events(work.dated_history(user.user_id, changed.zones, user.progress.zones))
    none_left = work.copies.none_left(user.progress)
    outcome = reread(catalog, user.progress, changed, before, events, at, entries, none_left)
    instants = {event.id: event.occurred_at for event in events}
    saved = work.save(user, outcome, at, counts_at=_when(instants, work.as_paid(user.user_id, at)), events=events)
    work.read_in_order(user.user_id, awarded=[award.badge for award in outcome.awards])
    return saved, outcome


def _when(instants: dict[str, datetime | None], otherwise: CountsAt) -> CountsAt:
    """Points that an event pays on another day count when it occurred."""
    return lambda entry: instants.get(entry.ref) if entry.reason == "zone" else otherwise(entry)
