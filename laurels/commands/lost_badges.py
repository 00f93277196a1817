"""Badges that an adjustment or a reversal takes away: stored with it, so that undoing it gives them back as they were.

The catalog alone cannot do that. It may have retired or renamed such a badge meanwhile, or no longer have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from laurels.commands.unit_of_work import UnitOfWork
from laurels.engine.instants import from_micros
from laurels.engine.judge import is_met
from laurels.engine.progress import LostBadge
from laurels.storage.contract import AdjustmentRow, AwardRow, UserRow

LOST = "lost"
"""The key under which the data of an adjustment hold the badges that it took away."""


def with_lost_badges(
    row: AdjustmentRow, work: UnitOfWork, user: UserRow, awards: Mapping[str, AwardRow], revoked: Sequence[str]
) -> AdjustmentRow:
    """The adjustment with the badges that it took away. `user` and `awards` are those before it."""
    taken = [awards[badge] for badge in revoked if badge in awards]
    lost = [_packed(award, _earned_at(user, award, work), met=_is_met(work, user, award)) for award in taken]
    return replace(row, data={**row.data, LOST: lost}) if lost else row


def _is_met(work: UnitOfWork, user: UserRow, award: AwardRow) -> bool:
    return is_met(work.context.catalog, user.progress, award.badge)


def _earned_at(user: UserRow, award: AwardRow, work: UnitOfWork) -> datetime:
    """When a badge was earned. An earlier version stored no date: then its event says it, or the award."""
    if award.badge in user.earned:
        return from_micros(user.earned[award.badge])
    row = work.event(user.user_id, award.event_id) if award.event_id else None
    return (row.event.occurred_at if row else None) or award.awarded_at


def _packed(award: AwardRow, earned_at: datetime, *, met: bool) -> dict[str, Any]:
    return {
        "badge": award.badge,
        "points": award.points,
        "event": award.event_id,
        "earnedAt": earned_at.isoformat(),
        "awardedAt": award.awarded_at.isoformat(),
        "met": met,
    }


def lost_badges(row: AdjustmentRow, work: UnitOfWork) -> list[LostBadge]:
    """The badges that an adjustment took away, under current names, except those whose event was reversed otherwise."""
    return [
        LostBadge(work.context.catalog.renames.badge(item["badge"]), item["points"], item["met"])
        for item in row.data.get(LOST, ())
        if _is_active(work, row.user_id, item["event"])
    ]


def _is_active(work: UnitOfWork, user_id: str, event_id: str | None) -> bool:
    event = next((one for one in work.history(user_id) if one.event.id == event_id), None)
    return event is None or event.reversed_by is None


def save_as_they_were(row: AdjustmentRow, work: UnitOfWork) -> None:
    """Let the badges that the user has back have the event and times of their first award."""
    awards = work.award_rows(row.user_id)
    for item in row.data.get(LOST, ()):
        award = awards.get(work.context.catalog.renames.badge(item["badge"]))
        if award and award.points == item["points"] and _is_active(work, row.user_id, item["event"]):
            at = datetime.fromisoformat(item["awardedAt"])
            earned_at = item.get("earnedAt")  # missing where an earlier version took the badge
            work.save_award_again(
                replace(award, awarded_at=at, event_id=item["event"]),
                datetime.fromisoformat(earned_at) if earned_at else None,
            )
