"""Progress: all that Laurels knows of one user. Outcome: what one act changed. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from laurels.engine.days import Days, Zones


@dataclass(frozen=True, slots=True)
class Progress:
    """One user's sums. Adding an event is commutative, so the order of arrival cannot matter.

    totals      metric -> its number, at most 2^53 - 1
    days        streak or distinct-days metric -> the set of days
    capped      capped point rule -> day -> points of that day, at most the cap
    longest     streak -> length of the longest run so far
    badges      badge -> points it paid when it was awarded; never shrinks by an event
    points      the balance: the sum of the user's ledger
    reached_at  when the event that last changed the points occurred (ties on a board: first come, first)
    zones       the user's dated time zones
    joined_at   when the user joined the app, if it said so
    """

    totals: Mapping[str, int] = field(default_factory=dict[str, int])
    days: Mapping[str, Days] = field(default_factory=dict[str, Days])
    capped: Mapping[str, Mapping[int, int]] = field(default_factory=dict[str, Mapping[int, int]])
    longest: Mapping[str, int] = field(default_factory=dict[str, int])
    badges: Mapping[str, int] = field(default_factory=dict[str, int])
    points: int = 0
    reached_at: datetime | None = None
    zones: Zones = field(default_factory=Zones)
    joined_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Award:
    """This act earned this badge, which paid these points."""

    badge: str
    points: int


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One change of the balance. `reason` says which kind, `ref` which rule or badge."""

    amount: int
    reason: Literal["badge", "rule", "catalog"]
    ref: str


@dataclass(frozen=True, slots=True)
class Change:
    """A number, before and after."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Something worth telling: `badge.earned`, `level.reached`, `streak.extended`."""

    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one act changed, and the progress after it. Empty fields mean: nothing of that kind.

    `streaks` holds, for each streak whose days grew, its length as read on the event's day before and after.
    """

    progress: Progress
    awards: tuple[Award, ...] = ()
    entries: tuple[LedgerEntry, ...] = ()
    points: Change | None = None
    level: Change | None = None
    streaks: Mapping[str, Change] = field(default_factory=dict[str, Change])
    moments: tuple[Moment, ...] = ()
