"""Badges that an adjustment or a reversal takes away: stored with it, so that undoing it gives them back as they were.

The catalog alone cannot do that. It may have retired or renamed such a badge meanwhile, or no longer have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from laurels.commands.rows import dates_of
from laurels.commands.unit_of_work import UnitOfWork
from laurels.engine.holding import is_met
from laurels.engine.instants import from_micros
from laurels.engine.progress import LostBadge
from laurels.storage.contract import AdjustmentRow, AwardRow, UserRow

LOST = "lost"
"""The key under which the data of an adjustment hold the badges that it took away."""


def with_lost_badges(
    row: AdjustmentRow, work: UnitOfWork, user: UserRow, awards: Mapping[str, AwardRow], revoked: Sequence[str]
) -> AdjustmentRow:
    """The adjustment with the badges that it took away. `user` and `awards` are those before it."""
    taken = [awards[badge] for badge in revoked if badge in awards]
    dates = _dates(user, taken, work)
    lost = [_packed(award, dates[award.badge], met=_is_met(work, user, award)) for award in taken]
    return replace(row, data={**row.data, LOST: lost}) if lost else row


def _is_met(work: UnitOfWork, user: UserRow, award: AwardRow) -> bool:
    return is_met(work.context.catalog, user.progress, award.badge)


def _dates(user: UserRow, awards: Sequence[AwardRow], work: UnitOfWork) -> dict[str, datetime]:
    """When these badges were earned."""
    undated = [award for award in awards if award.badge not in user.earned]
    found = dates_of(undated, (row.event for row in work.history(user.user_id))) if undated else {}
    return {award.badge: found.get(award.badge) or from_micros(user.earned[award.badge]) for award in awards}


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


def _is_same(work: UnitOfWork, award: AwardRow, points: int) -> bool:
    """Whether an award is the one that was taken away, and not another one of the same badge."""
    return award.points == points or any(badge.id == award.badge for badge in work.context.catalog.repaying)


def save_as_they_were(row: AdjustmentRow, work: UnitOfWork) -> None:
    """Let the badges that the user has back have the event and times of their first award."""
    awards = work.award_rows(row.user_id)
    for item in row.data.get(LOST, ()):
        award = awards.get(work.context.catalog.renames.badge(item["badge"]))
        if award and _is_same(work, award, item["points"]) and _is_active(work, row.user_id, item["event"]):
            first = replace(award, awarded_at=datetime.fromisoformat(item["awardedAt"]), event_id=item["event"])
            if "earnedAt" in item:
                earned_at = datetime.fromisoformat(item["earnedAt"])
            else:  # an earlier version took the badge
                earned_at = dates_of([first], (one.event for one in work.history(row.user_id)))[first.badge]
            work.save_award_again(first, earned_at)
