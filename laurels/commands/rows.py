"""What stored rows mean to the engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from laurels.engine.adjustments import Freezes, TimeZone, folded, with_day
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.former_units import in_present_units
from laurels.engine.instants import micros
from laurels.engine.occurrence import caps_reached, newest
from laurels.engine.progress import SPEND, LedgerEntry, ManualState, Outcome, Progress
from laurels.engine.scoring import Earned, days_recounted, reached_at, recounted, values_recounted
from laurels.engine.zones import Zones
from laurels.storage.contract import AdjustmentRow, AmnestyRow, AwardRow, EventRow, LedgerRow, UserRow


def named_now(user: UserRow, catalog: Catalog) -> UserRow:
    """A stored user under current names, to be read without writing: badges, streaks and leaderboards may have been renamed.

    Streaks that the catalog counts by other units than before are in these units.
    """
    renames = catalog.renames
    if not renames:
        return replace(user, progress=in_present_units(catalog, user.progress))
    badges = {renames.badge(badge): points for badge, points in user.progress.badges.items()}
    earned_at = {renames.badge(badge): at for badge, at in user.earned.items()}
    progress = in_present_units(catalog, renames.progress(user.progress, badges))
    return replace(user, progress=progress, earned=earned_at)


def active_events(history: Iterable[EventRow]) -> list[Event]:
    """The events that were not reversed."""
    return [row.event for row in history if row.reversed_by is None]


def dated(row: EventRow, zones: Zones, before: Zones) -> EventRow:
    """An event on its day in these zones, and as late as its recording was in them; the same row if that is so already.

    `before` are the zones until now. An event whose lateness does not follow from them is from a version that stored none, and
    stays as late as it is.
    """
    event = row.event
    assert event.occurred_at is not None
    assert event.day is not None
    day = zones.day(event.occurred_at)
    recorded_on = day if row.recorded_at == event.occurred_at else zones.day(row.recorded_at)
    recorded_before = recorded_on if before is zones else before.day(row.recorded_at)
    late_by = recorded_on - day if event.late_by == recorded_before - event.day else event.late_by
    if (day, late_by) == (event.day, event.late_by):
        return row
    return replace(row, event=replace(event, day=day, late_by=late_by))


def active_adjustments(adjustments: Iterable[AdjustmentRow]) -> list[AdjustmentRow]:
    """The adjustments that were not undone."""
    return [row for row in adjustments if row.undone_by is None]


def reversed_before(adjustments: Sequence[AdjustmentRow]) -> tuple[int, frozenset[str]]:
    """The last revision of a user who is not known yet, and the events that were reversed before they arrived."""
    revision = max((max(row.revision, row.undone_by or 0) for row in adjustments), default=0)
    return revision, frozenset(row.data["event"] for row in active_adjustments(adjustments))


def amnesty_days(amnesties: Sequence[AmnestyRow], groups: Sequence[str]) -> Days:
    """The days that amnesties excuse a user of these groups from."""
    days = Days()
    for amnesty in amnesties:
        if amnesty.lifted_at is None and (amnesty.for_group is None or amnesty.for_group in groups):
            days = days | Days.span(amnesty.first_day, amnesty.last_day)
    return days


def earned(ledger: Iterable[LedgerRow]) -> list[Earned]:
    """The ledger entries that count within periods."""
    return [Earned(row.amount, row.counts_at) for row in ledger if row.counts_at is not None]


def counted_again(
    catalog: Catalog, progress: Progress, events: Collection[Event], entries: Collection[Earned], now: datetime
) -> Progress:
    """The progress with all that depends on instants counted again: from all active events, and the ledger entries that count."""
    return replace(
        progress,
        scores=recounted(catalog, events, entries, now),
        board_days=days_recounted(catalog, events, progress.zones, now),
        values_within=values_recounted(catalog, events, now),
        reached_at=reached_at(catalog, progress, events, entries),
        newest=newest(catalog, events),
        cap_reached=caps_reached(catalog, events),
    )


def manual_state_of(
    adjustments: Iterable[AdjustmentRow], before: ManualState, zones: Zones, catalog: Catalog
) -> ManualState:
    """What the active adjustments amount to, for a user with these zones, under current names.

    `awaited` and `amnesty` stay as they were before: they depend on which events have arrived, and on amnesties.
    """
    return replace(_folded(adjustments, zones, catalog), awaited=before.awaited, amnesty=before.amnesty)


def rebuilt_manual_state(
    history: Iterable[EventRow],
    adjustments: Iterable[AdjustmentRow],
    before: ManualState,
    zones: Zones,
    catalog: Catalog,
) -> ManualState:
    """The manual state from all adjustments and events. Reversals whose events have not arrived wait for them."""
    state = _folded(adjustments, zones, catalog)
    awaited = state.awaited - {row.event.id for row in history}
    return replace(state, awaited=awaited, amnesty=before.amnesty)


def _folded(adjustments: Iterable[AdjustmentRow], zones: Zones, catalog: Catalog) -> ManualState:
    """The active adjustments in their order. Freezes count from the first day that ended after they were given."""
    active = active_adjustments(adjustments)
    corrections = folded((row.kind, row.data) for row in active if row.kind == TimeZone.kind).corrections
    zones = zones.corrected(corrections)

    def given_on(row: AdjustmentRow, data: Mapping[str, Any]) -> int:
        streak = catalog.streaks.get(data["streak"])
        return zones.first_open_day(row.at, streak.day_starts if streak else 0)

    return folded(
        (row.kind, with_day(data, given_on(row, data))) if row.kind == Freezes.kind else (row.kind, data)
        for row, data in ((row, catalog.renames.data(row.data)) for row in active)
    )


def dates_of(awards: Collection[AwardRow], events: Iterable[Event]) -> dict[str, datetime]:
    """When these badges, for which an earlier version stored no date, were earned: with its event, or else when awarded."""
    wanted = {award.event_id for award in awards}
    occurred = {event.id: event.occurred_at for event in events if event.id in wanted} if awards else {}
    return {award.badge: occurred.get(award.event_id or "") or award.awarded_at for award in awards}


def earned_after(user: UserRow, outcome: Outcome, event: Event | None, now: datetime) -> Mapping[str, int]:
    """When each badge was earned: a new one with the event, or now."""
    if not outcome.awards and not outcome.revoked:
        return user.earned
    instant = event.occurred_at if event else now
    assert instant is not None
    kept = {badge: at for badge, at in user.earned.items() if badge not in outcome.revoked}
    return kept | dict.fromkeys((award.badge for award in outcome.awards), micros(instant))


def repaid_awards(awards: Mapping[str, AwardRow], outcome: Outcome) -> list[AwardRow]:
    """The awards of badges that the user keeps with another number of points. `awards` are those before."""
    now = outcome.progress.badges
    return [replace(awards[badge], points=now[badge]) for badge in outcome.repaid if badge in awards and badge in now]


CountsAt = Callable[[LedgerEntry], datetime | None]


def default_instant(event: Event | None, now: datetime) -> CountsAt:
    """Points of an event count when it occurred, those of an adjustment now, those of a new catalog and spends in no period."""
    instant = event.occurred_at if event else now
    return lambda entry: None if entry.reason in ("catalog", SPEND) else instant


def in_no_period(_: LedgerEntry) -> None:
    """For points that a new catalog gives or takes for the past."""
