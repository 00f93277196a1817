"""A user's history: one entry for each revision, with its event or adjustment and what that changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from laurels.commands.adjustments import UNDONE
from laurels.commands.lost_badges import LOST
from laurels.engine.instants import from_micros
from laurels.present.base import Answer, Points, SparseAnswer, UtcTime
from laurels.storage.contract import AdjustmentRow, AwardRow, EventRow, HistoryRows, LedgerRow, Principal, UserRow

_NOT_SHOWN = ("asked", LOST, UNDONE)
"""What is stored with an adjustment for Laurels itself."""


class HistoryEvent(Answer, frozen=True):
    """An event as recorded. `day` is its date in the time zone that the user had then, as far as is known now."""

    id: str
    type: str
    occurred_at: UtcTime
    day: date
    quantity: int
    data: Mapping[str, Any] | None
    reversed: bool


class Undo(SparseAnswer, frozen=True):
    """The time, reason, actor and principal of an undo. Reason and actor are empty if they were not given.

    `principal` is who was authenticated; missing from older entries.
    """

    at: UtcTime
    reason: str
    actor: str
    principal: Principal | None = None


class HistoryLoss(Answer, frozen=True):
    """A badge that an adjustment or a reversal took away, with the points that it had paid and when it had been earned."""

    badge: str
    points: Points
    earned_at: UtcTime


class HistoryAdjustment(SparseAnswer, frozen=True):
    """A change made by hand, with its reason.

    `principal` is who was authenticated when it was applied, missing from older entries; `actor` is who that principal says did
    it. `undone` says that it is no longer in force. `undo` says who undid it, and is missing from older entries. `lost` are the
    badges that it took away.
    """

    id: str
    kind: str
    data: Mapping[str, Any]
    reason: str
    actor: str
    undone: bool
    principal: Principal | None = None
    undo: Undo | None = None
    lost: Sequence[HistoryLoss] = ()


class HistoryAward(SparseAnswer, frozen=True):
    """A badge that was earned, with its points. `earned_at` is when the event occurred that completed its condition.

    `catalog` is the number of the catalog's revision that decided it; missing from older entries.
    """

    badge: str
    points: Points
    earned_at: UtcTime
    catalog: int | None = None


class HistoryPoints(SparseAnswer, frozen=True):
    """A change of the points. `ref` is the id of what paid or took them, such as a badge or a rule.

    `reason` is badge, rule, boost (what a boost added to what a rule paid), catalog, reversal, grant, revocation, adjustment,
    zone (an event counts on another day since the time zone of its time is known) or spend. A spend, and the undo of one,
    changes the balance only. `catalog` is the number of the catalog's revision that decided it; missing from older entries.
    """

    amount: int
    reason: str
    ref: str
    catalog: int | None = None


class HistoryEntry(Answer, frozen=True):
    """What happened at one revision: an event, an adjustment, or, when both are null, a change of the rules or the zone."""

    revision: int
    at: UtcTime
    event: HistoryEvent | None
    adjustment: HistoryAdjustment | None
    awards: list[HistoryAward]
    points: list[HistoryPoints]


class History(Answer, frozen=True):
    """A page of a user's history, newest first. For the next page, send the value of `next` as `?before=`."""

    entries: list[HistoryEntry]
    next: int | None


MOVED = "moved"
"""The reason of ledger entries that change no points, only the period in which they count."""


def history(user: UserRow, page: HistoryRows, limit: int) -> History:
    """The rows of some revisions as entries, newest first. `limit` is how many revisions were requested."""
    event_of = {row.revision: row for row in page.events}
    adjustment_of = {row.revision: row for row in page.adjustments}
    awards: dict[int, list[AwardRow]] = defaultdict(list)
    ledger: dict[int, list[LedgerRow]] = defaultdict(list)
    for award in page.awards:
        awards[award.revision].append(award)
    for entry in page.ledger:
        if entry.reason != MOVED:
            ledger[entry.revision].append(entry)
    revisions = sorted({*event_of, *adjustment_of, *awards, *ledger}, reverse=True)
    entries = [
        _entry(user, revision, event_of.get(revision), adjustment_of.get(revision), awards[revision], ledger[revision])
        for revision in revisions
    ]
    return History(entries=entries, next=revisions[-1] if len(revisions) == limit and revisions[-1] > 1 else None)


def earned_at(user: UserRow, award: AwardRow, event: EventRow | None) -> datetime:
    """When a badge was earned: when the event occurred that completed its condition, or without one when it was awarded.

    `event` is used if an earlier version awarded the badge, which stored no date.
    """
    earned = user.earned.get(award.badge)
    if earned is not None:
        return from_micros(earned)
    caused = event is not None and event.event.id == award.event_id
    return (event.event.occurred_at if event and caused else None) or award.awarded_at


def _entry(
    user: UserRow,
    revision: int,
    event: EventRow | None,
    adjustment: AdjustmentRow | None,
    awards: Sequence[AwardRow],
    ledger: Sequence[LedgerRow],
) -> HistoryEntry:
    times = [event.recorded_at] if event else []
    times += [row.at for row in (adjustment, *ledger) if row] + [row.awarded_at for row in awards]
    return HistoryEntry(
        revision=revision,
        at=times[0],
        event=history_event(event) if event else None,
        adjustment=history_adjustment(adjustment) if adjustment else None,
        awards=[
            HistoryAward(badge=row.badge, points=row.points, earned_at=earned_at(user, row, event), catalog=row.catalog)
            for row in awards
        ],
        points=[
            HistoryPoints(amount=row.amount, reason=row.reason, ref=row.ref, catalog=row.catalog) for row in ledger
        ],
    )


def history_event(row: EventRow) -> HistoryEvent:
    """An event as recorded."""
    event = row.event
    assert event.occurred_at is not None
    assert event.day is not None
    return HistoryEvent(
        id=event.id,
        type=event.type,
        occurred_at=event.occurred_at,
        day=date.fromordinal(event.day),
        quantity=event.quantity,
        data=event.data,
        reversed=row.reversed_by is not None,
    )


def history_adjustment(row: AdjustmentRow) -> HistoryAdjustment:
    """An adjustment as the history shows it."""
    undo = row.data.get(UNDONE) if row.undone_by is not None else None
    return HistoryAdjustment(
        id=row.adjustment_id,
        kind=row.kind,
        data={key: value for key, value in row.data.items() if key not in _NOT_SHOWN},
        reason=row.reason,
        actor=row.actor,
        principal=row.principal,
        undone=row.undone_by is not None,
        undo=msgspec.convert(undo, Undo) if undo else None,
        lost=tuple(_loss(item) for item in row.data.get(LOST, ())),
    )


def _loss(item: Mapping[str, Any]) -> HistoryLoss:
    """A badge that was taken away. An earlier version stored only when it had been awarded."""
    at = datetime.fromisoformat(item.get("earnedAt") or item["awardedAt"])
    return HistoryLoss(badge=item["badge"], points=item["points"], earned_at=at)
