"""Validity: until which day a badge is valid that is valid for a number of days only.

Nothing about it is stored or decided by a job: it follows from when the badge was earned and when the newest event of a metric of
kind 'last' occurred, which no order of arrival changes. So an event that arrives late or is reversed moves it exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from laurels.engine.badges import Badge
from laurels.engine.instants import from_micros
from laurels.engine.progress import Progress


def last_day(badge: Badge, progress: Progress, earned: Mapping[str, int]) -> int | None:
    """The last day, by the user's clock, on which a badge of the user is valid; None: it stays valid.

    `earned` is when each badge was earned, in microseconds since 1970. One that an earlier version awarded without a date counts
    from its newest renewal, and stays valid without one.
    """
    if badge.valid_for is None or badge.id not in progress.badges:
        return None
    instants = (earned.get(badge.id), progress.latest.get(badge.renewed_by))
    newest = max((at for at in instants if at is not None), default=None)
    return None if newest is None else progress.zones.day(from_micros(newest)) + badge.valid_for


def with_valid_badges(
    badges: Iterable[Badge], progress: Progress, earned: Mapping[str, int], now: datetime
) -> Progress:
    """The progress without those of these badges that are not valid any more, for what depends on having a valid one."""
    over = expired(badges, progress, earned, now)
    if not over:
        return progress
    return replace(progress, badges={badge: paid for badge, paid in progress.badges.items() if badge not in over})


def expired(badges: Iterable[Badge], progress: Progress, earned: Mapping[str, int], now: datetime) -> frozenset[str]:
    """Those of the badges that the user has earned and that are not valid any more."""
    today = progress.zones.day(now)
    days = {badge.id: last_day(badge, progress, earned) for badge in badges}
    return frozenset(badge for badge, last in days.items() if last is not None and last < today)
