"""Repeatable badges: how many times a user has one follows from the number that its condition counts.

Nothing is stored for it, so late events, reversals and another catalog are exact without more rules.
"""

from __future__ import annotations

from collections.abc import Iterable

from laurels.engine.badges import Badge
from laurels.engine.conditions import AtLeast
from laurels.engine.progress import Notification, Progress


def times_of(badge: Badge, progress: Progress) -> int:
    """How many times a user has a badge; 0: not at all. One that was granted counts once.

    A repeatable badge for 10 books is had 3 times from 30 books on.
    """
    if badge.id not in progress.badges:
        return 0
    condition = badge.condition
    if not badge.repeatable or not isinstance(condition, AtLeast):
        return 1
    return max(1, progress.totals.get(condition.metric, 0) // condition.target)


def repeated(badges: Iterable[Badge], before: Progress, after: Progress) -> list[Notification]:
    """What to notify a user of who has any of these badges more times than before, beyond having earned it."""
    times = [(badge, times_of(badge, before), times_of(badge, after)) for badge in badges]
    return [
        Notification("badge.repeated", {"badge": badge.id, "times": now})
        for badge, earlier, now in times
        if now > max(1, earlier)
    ]
