"""Replaying one user: the whole history of a user, counted from the beginning under a catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from laurels.commands.references import rows_with_references
from laurels.commands.rows import (
    active_adjustments,
    active_events,
    amnesty_days,
    dated,
    named_now,
    rebuilt_manual_state,
)
from laurels.engine.adjustments import Grant, Points
from laurels.engine.catalog import Catalog
from laurels.engine.elapsing import as_of
from laurels.engine.events import Event
from laurels.engine.judge import rebuild
from laurels.engine.occurrence import deciding_events, paid_by_rules
from laurels.engine.progress import ManualState, Progress
from laurels.engine.values import plain
from laurels.storage.contract import AdjustmentRow, AmnestyRow, EventRow, UserRow
from laurels.storage.secrets import Keyring

BADGES, ADJUSTMENTS = "badges", "adjustments"
"""The sources of points that are no point rules."""


@plain
class History:
    """What is stored about a user, as far as it is replayed."""

    user: UserRow
    events: Sequence[EventRow]
    adjustments: Sequence[AdjustmentRow]
    amnesties: Sequence[AmnestyRow]


@plain
class Payment:
    """Points that a source paid at an instant: a point rule by its id, BADGES or ADJUSTMENTS."""

    at: datetime
    source: str
    amount: int


@plain
class Replayed:
    """A user as a catalog would have them, had it been in force from the beginning.

    badges    when each badge was earned: with the event that completed it in order of occurrence, when time did, or when it
              was granted; else, where its condition holds from the beginning, when the user came
    payments  what was paid, in order
    """

    progress: Progress
    badges: dict[str, datetime]
    payments: list[Payment]


def within(history: History, since: datetime | None, until: datetime | None) -> History:
    """The part of a history from one time up to another: what occurred, or was set by hand, then."""

    def has(at: datetime | None) -> bool:
        return at is not None and (since is None or at >= since) and (until is None or at < until)

    if since is None and until is None:
        return history
    events = [row for row in history.events if has(row.event.occurred_at)]
    return replace(history, events=events, adjustments=[row for row in history.adjustments if has(row.at)])


def replayed(
    catalog: Catalog, history: History, keyring: Keyring, now: datetime, none_left: Collection[str]
) -> Replayed:
    """The user under this catalog. `none_left` are limited badges of which this user gets no copy."""
    user = named_now(history.user, catalog)
    before = ManualState(amnesty=amnesty_days(history.amnesties, user.groups))
    rows = rows_with_references(catalog, keyring, history.events)
    zones = user.progress.zones.corrected(())
    manual = rebuilt_manual_state(rows, history.adjustments, before, zones, catalog)
    zones = zones.corrected(manual.corrections)
    events = active_events(dated(row, zones, user.progress.zones) for row in rows)
    granted = {badge.id: badge.points for badge in catalog.badges if badge.id in manual.granted}
    empty = replace(user.progress, zones=zones, manual=manual, badges=granted, points=0, beyond=0, capped={}, stages={})
    progress = rebuild(catalog, as_of(catalog, empty, now, {}), events, now, none_left=none_left).progress
    badges = _dates(catalog, progress, events, history)
    payments = sorted(_payments(catalog, progress, events, badges, history.adjustments), key=lambda one: one.at)
    return Replayed(progress, badges, payments)


def _dates(catalog: Catalog, progress: Progress, events: Sequence[Event], history: History) -> dict[str, datetime]:
    """When each badge was earned."""
    granted = {
        catalog.renames.badge(row.data["badge"]): row.at
        for row in active_adjustments(history.adjustments)
        if row.kind == Grant.kind and catalog.renames.badge(row.data["badge"]) in progress.manual.granted
    }
    of_itself = progress.badges.keys() - granted.keys()
    decided = deciding_events(catalog, progress, events, of_itself)
    first = min([history.user.created_at, *(event.occurred_at for event in events if event.occurred_at)])
    return {badge: decided[badge].at if badge in decided else granted.get(badge, first) for badge in progress.badges}


def _payments(
    catalog: Catalog,
    progress: Progress,
    events: Iterable[Event],
    badges: dict[str, datetime],
    adjustments: Sequence[AdjustmentRow],
) -> Iterator[Payment]:
    for event, rule, amount in paid_by_rules(catalog, events):
        if amount and event.occurred_at:
            yield Payment(event.occurred_at, rule.id, amount)
    for badge, points in progress.badges.items():
        if points:
            yield Payment(badges[badge], BADGES, points)
    for row in active_adjustments(adjustments):
        if row.kind == Points.kind and not row.data.get("spend") and not row.data.get("of"):
            yield Payment(row.at, ADJUSTMENTS, row.data["amount"])
