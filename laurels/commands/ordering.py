"""What changes for a user when events that arrived out of order are put in the order in which they occurred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from laurels.commands.rows import dates_of
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.occurrence import Shift, cap_shifts, deciding_events, may_move
from laurels.engine.zones import Zones
from laurels.storage.contract import AwardRow, LedgerRow, UserRow

CAP = "cap_per_day"
"""What moved entries name that follow from a cap."""


@dataclass(frozen=True, slots=True)
class Histories:
    """A user in one transaction, loaded in full.

    before, after  the active events before and after it
    zones_before   the user's zones before it; None if there were no events
    awards   the awards after it; `fresh` are the badges that it awarded, `retroactive` those that a new catalog awarded, and
             `by_events` those of events that are on other days now
    ledger   the whole ledger after it; `new` are the entries that it adds
    """

    before: Sequence[Event]
    after: Sequence[Event]
    zones_before: Zones | None
    awards: Sequence[AwardRow]
    fresh: Collection[str]
    retroactive: Collection[str]
    by_events: Collection[str]
    ledger: Sequence[LedgerRow]
    new: Sequence[LedgerRow]


@dataclass(slots=True)
class Ordering:
    """What follows from the order of occurrence.

    earned  badge -> when it was earned, in microseconds, where that changes or an earlier version stored no date
    awards  awards whose deciding event is another one
    paid    badge that this transaction awarded -> the instant at which its points count
    moved   points that counted before and count at another instant: what for, and from when to when
    """

    earned: dict[str, int] = field(default_factory=dict[str, int])
    awards: list[AwardRow] = field(default_factory=list[AwardRow])
    paid: dict[str, datetime] = field(default_factory=dict[str, datetime])
    moved: list[tuple[str, Shift]] = field(default_factory=list[tuple[str, Shift]])


def ordering(catalog: Catalog, user: UserRow, histories: Histories, now: datetime) -> Ordering:
    """What follows for this user. Points move only between periods that are open now on every leaderboard."""
    found = Ordering()
    by_badge = {award.badge: award for award in histories.awards}
    of_events = {badge for badge, award in by_badge.items() if award.event_id is not None}
    of_events |= {*histories.by_events} & by_badge.keys()
    of_events -= catalog.limited.keys()  # such a badge is earned when a copy is taken, not when its condition is met
    dated = of_events | ({*histories.retroactive} - catalog.limited.keys())
    taken_back = bool({event.id for event in histories.before} - {event.id for event in histories.after})
    on_old_days = _decided_on_old_days(catalog, user, histories, dated)
    for badge, event in deciding_events(catalog, user.progress, histories.after, dated).items():
        assert event.occurred_at is not None
        at, known = micros(event.occurred_at), user.earned.get(badge)
        # A further event can only bring the date forward. A later one follows from events that were taken back or are on other
        # days now; else from rules that are newer than the award.
        follows = taken_back or badge in histories.fresh or on_old_days.get(badge) == known
        later_rules = known is not None and at > known and not follows
        if (at == known and badge not in histories.by_events) or later_rules:
            continue
        found.earned[badge] = at
        award = by_badge[badge]
        if badge in of_events:
            found.awards.append(replace(award, event_id=event.id))
            if badge in histories.fresh:
                found.paid[badge] = event.occurred_at
            elif award.points and (since := _paid_at(catalog, histories.ledger, badge)) not in (
                None,
                event.occurred_at,
            ):
                found.moved.append((badge, Shift(award.points, since, event.occurred_at)))
    known_dates = {*user.earned, *found.earned}
    undated = [award for award in histories.awards if award.badge not in known_dates]
    found.earned |= {badge: micros(at) for badge, at in dates_of(undated, histories.after).items()}
    changed = {event.id for event in histories.before} ^ {event.id for event in histories.after}
    booked = _booked(histories.new, changed - by_badge.keys())
    found.moved += [(CAP, shift) for shift in cap_shifts(catalog, histories.before, histories.after, booked)]
    found.moved = [(ref, shift) for ref, shift in found.moved if may_move(catalog, shift.since, shift.to, now)]
    return found


def _decided_on_old_days(
    catalog: Catalog, user: UserRow, histories: Histories, badges: Collection[str]
) -> dict[str, int]:
    """When the events completed each badge before they were put on other days, in microseconds; empty if they were not."""
    days = {event.id: event.day for event in histories.before}
    same_days = all(days.get(event.id, event.day) == event.day for event in histories.after)
    starts = any(streak.day_starts for streak in catalog.streaks.values())  # such days can differ where dates do not
    if histories.zones_before is None or (same_days and not (starts and histories.zones_before != user.progress.zones)):
        return {}
    progress = replace(user.progress, zones=histories.zones_before)
    decided = deciding_events(catalog, progress, histories.before, badges)
    return {badge: micros(event.occurred_at) for badge, event in decided.items() if event.occurred_at}


def _paid_at(catalog: Catalog, ledger: Iterable[LedgerRow], badge: str) -> datetime | None:
    """The instant at which the points of a badge count; None if they count in no period."""
    counts_at = None
    for row in ledger:
        if row.reason in ("badge", "grant", "moved") and catalog.renames.badge(row.ref) == badge:
            counts_at = row.counts_at
    return counts_at


def _booked(new: Iterable[LedgerRow], changed: Collection[str]) -> Counter[datetime]:
    """What point rules paid or took in this transaction, by instant. `changed` are the ids of recorded or reversed events."""
    booked: Counter[datetime] = Counter()
    for row in new:
        if row.counts_at and (row.reason in ("rule", "zone") or (row.reason == "reversal" and row.ref in changed)):
            booked[row.counts_at] += row.amount
    return booked
