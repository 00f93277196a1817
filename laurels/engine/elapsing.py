"""Elapsing: what passing time alone earns. A badge that it lets be due is awarded at the user's next read or write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.conditions import MemberFor
from laurels.engine.instants import from_micros
from laurels.engine.progress import Award, Progress


def as_of(catalog: Catalog, progress: Progress, now: datetime, earned: Mapping[str, int]) -> Progress:
    """The progress with the time up to now, for a catalog in which that decides something.

    Time never goes back for a user: `earned`, when each badge was earned in microseconds, may be later by another clock.
    """
    if not catalog.timed:
        return progress
    newest = max((from_micros(earned[badge.id]) for badge in catalog.timed if badge.id in earned), default=now)
    return replace(progress, as_of=max(now, newest))


def is_due(catalog: Catalog, progress: Progress, now: datetime) -> bool:
    """Whether passing time has let a badge be due that the user does not have yet."""
    if not catalog.timed:
        return False
    later = replace(progress, as_of=now)
    return any(badge.due(later) for badge in catalog.timed)


def instants(badges: Iterable[Badge], progress: Progress) -> list[datetime]:
    """The instants up to `as_of`, in order, at which passing time met a part of the conditions of these badges."""
    joined, until = progress.joined_at, progress.as_of
    if joined is None or until is None:
        return []
    parts = [part for badge in badges for part in badge.condition.parts()]
    days = {part.days for part in parts if isinstance(part, MemberFor) and part.met(progress)}
    return [joined + timedelta(days=one) for one in sorted(days)]


def may_change(catalog: Catalog, progress: Progress, awarded: Collection[Award]) -> bool:
    """Whether an event may change when passing time earned something: it awarded a badge, or the user has such a badge."""
    return bool(awarded) or any(badge.id in progress.badges for badge in catalog.timed)
