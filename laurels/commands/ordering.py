"""What changes for a user when events that arrived out of order are put in the order in which they occurred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from laurels.commands.rows import dates_of
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.instants import micros
from laurels.engine.occurrence import Decided, Shift, cap_shifts, deciding_events, may_move
from laurels.engine.zones import Zones
from laurels.storage.contract import AwardRow, LedgerRow, UserRow

CAP = "cap_per_day"
"""What moved entries name that follow from a cap."""


@dataclass(frozen=True, slots=True)
class Histories:
    """A user in one transaction, loaded in full.

    before, after  the active events before and after it
    zones_before   the user's zones before it; None if there were no events
    joined_before  when the user joined, as known before it
    held_before    the badges that the user had before it, with what they paid
    awards   the awards after it; `fresh` are the badges that it awarded, `retroactive` those that a new catalog awarded, and
             `by_events` those of events that are on other days now
    ledger   the whole ledger after it; `new` are the entries that it adds
    """

    before: Sequence[Event]
    after: Sequence[Event]
    zones_before: Zones | None
    joined_before: datetime | None
    held_before: Mapping[str, int]
    awards: Sequence[AwardRow]
    fresh: frozenset[str]
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
    by_time = _earned_by_time(catalog, user, histories, by_badge)
    of_events |= by_time
    of_events -= catalog.limited.keys()  # such a badge is earned when a copy is taken, not when its condition is met
    dated = of_events | ({*histories.retroactive} - catalog.limited.keys())
    taken_back = bool({event.id for event in histories.before} - {event.id for event in histories.after})
    on_old_days = _decided_on_old_days(catalog, user, histories, dated)
    for badge, decided in deciding_events(catalog, user.progress, histories.after, dated).items():
        at, known = micros(decided.at), user.earned.get(badge)
        # A further event can only bring the date forward. A later one follows from events that were taken back or are on other
        # days now; else from rules that are newer than the award.
        follows = taken_back or badge in histories.fresh or badge in by_time or on_old_days.get(badge) == known
        later_rules = known is not None and at > known and not follows
        award = by_badge[badge]
        same = at == known and (not catalog.timed or decided.event_id == award.event_id)
        if (same and badge not in histories.by_events) or later_rules:
            continue
        found.earned[badge] = at
        if badge in of_events:
            found.awards.append(replace(award, event_id=decided.event_id))
            if badge in histories.fresh:
                found.paid[badge] = decided.at
            elif award.points and (since := _paid_at(catalog, histories.ledger, badge)) not in (
                None,
                decided.at,
            ):
                found.moved.append((badge, Shift(award.points, since, decided.at)))
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
    """When each badge was completed before the events were put on other days or the user joined at another time, in microseconds.

    Empty if neither is so.
    """
    days = {event.id: event.day for event in histories.before}
    same_days = all(days.get(event.id, event.day) == event.day for event in histories.after)
    starts = any(streak.day_starts for streak in catalog.streaks.values())  # such days can differ where dates do not
    same_days = same_days and not (starts and histories.zones_before != user.progress.zones)
    joined_otherwise = bool(catalog.timed) and histories.joined_before != user.progress.joined_at
    if histories.zones_before is None or (same_days and not joined_otherwise):
        return {}
    return {badge: micros(one.at) for badge, one in _decided_before(catalog, user, histories, badges).items()}


def _decided_before(
    catalog: Catalog, user: UserRow, histories: Histories, badges: Collection[str]
) -> Mapping[str, Decided]:
    """What had completed these badges before this transaction."""
    zones = histories.zones_before or user.progress.zones
    progress = replace(user.progress, zones=zones, joined_at=histories.joined_before)
    if catalog.timed:
        held = {catalog.renames.badge(badge): paid for badge, paid in histories.held_before.items()}
        progress = replace(progress, badges=held)
    return deciding_events(catalog, progress, histories.before, badges)


def _earned_by_time(
    catalog: Catalog, user: UserRow, histories: Histories, awards: Mapping[str, AwardRow]
) -> frozenset[str]:
    """The badges that passing time had earned before this transaction: it decides when they were, as it did before."""
    if not catalog.timed:
        return frozenset()
    held = {catalog.renames.badge(badge) for badge in histories.held_before} - user.progress.manual.granted
    decided = _decided_before(catalog, user, histories, held)
    by_time = {badge: micros(one.at) for badge, one in decided.items() if one.event_id is None}
    without_event = {badge for badge, award in awards.items() if award.event_id is None} & by_time.keys()
    return frozenset(badge for badge in without_event if by_time[badge] == user.earned.get(badge))


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
        if row.counts_at and (
            row.reason in ("rule", "boost", "zone") or (row.reason == "reversal" and row.ref in changed)
        ):
            booked[row.counts_at] += row.amount
    return booked
