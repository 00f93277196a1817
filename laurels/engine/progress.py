"""Progress: all that Laurels knows of one user. Outcome: what one act changed. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from laurels.engine.days import Days, Fold
from laurels.engine.values import plain
from laurels.engine.zones import Zones


@plain
class ManualState:
    """What an admin, or the user, has said of one user: acts that no event carries. All of it can be undone.

    adjusted  the sum of point adjustments
    granted   badges that were granted
    barred    badges that were revoked, and are not awarded again
    awaited   ids of events that were reversed before they arrived
    pauses    streak ('' for all) -> days that a pause covers
    repairs   streak -> days that were repaired
    grants    streak -> freezes given, as (day, how many)
    amnesty   the days that amnesties excuse this user from
    excluded  whether the user is kept off every leaderboard
    """

    adjusted: int = 0
    granted: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()
    awaited: frozenset[str] = frozenset()
    pauses: Mapping[str, Days] = field(default_factory=dict[str, Days])
    repairs: Mapping[str, Days] = field(default_factory=dict[str, Days])
    grants: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict[str, tuple[tuple[int, int], ...]])
    amnesty: Days = field(default_factory=Days)
    excluded: bool = False


NO_MANUAL_STATE = ManualState()


Scores = Mapping[str, Mapping[str, tuple[int, int]]]
"""Leaderboard -> key of a period -> (score, when it was reached, in microseconds since 1970, UTC)."""

NO_SCORES: Scores = {}


@plain
class Progress:
    """One user's sums. Adding an event is commutative, so the order of arrival cannot matter.

    totals      metric -> its number, at most 2^53 - 1
    days        streak -> the set of credited units; distinct-days metric -> the set of days
    capped      capped point rule -> day -> points of that day, at most the cap
    partial     streak that needs an amount -> unit -> how much of it so far, until it is credited
    folds       streak -> its runs and freezes, folded from its days
    badges      badge -> points it paid when it was awarded; an event never takes one away
    points      the balance: the sum of the user's ledger
    reached_at  when the event that last changed the points occurred (ties on a board: first come, first)
    zones       the user's dated time zones
    joined_at   when the user joined the app, if it said so
    told        what was said of the user beside the events
    scores      what `scoring.py` keeps for leaderboards, in periods that are open
    """

    totals: Mapping[str, int] = field(default_factory=dict[str, int])
    days: Mapping[str, Days] = field(default_factory=dict[str, Days])
    capped: Mapping[str, Mapping[int, int]] = field(default_factory=dict[str, Mapping[int, int]])
    partial: Mapping[str, Mapping[int, int]] = field(default_factory=dict[str, Mapping[int, int]])
    folds: Mapping[str, Fold] = field(default_factory=dict[str, Fold])
    badges: Mapping[str, int] = field(default_factory=dict[str, int])
    points: int = 0
    reached_at: datetime | None = None
    zones: Zones = field(default_factory=Zones)
    joined_at: datetime | None = None
    manual: ManualState = NO_MANUAL_STATE
    scores: Scores = field(default_factory=dict[str, Mapping[str, tuple[int, int]]])

    def longest(self, streak: str) -> int:
        """The length of the streak's longest run."""
        fold = self.folds.get(streak)
        return fold.longest if fold else 0


@plain
class Award:
    """This act earned this badge, which paid these points."""

    badge: str
    points: int


@plain
class LedgerEntry:
    """One change of the balance. `reason` says which kind, `ref` which rule or badge."""

    amount: int
    reason: Literal["badge", "rule", "catalog", "reversal", "grant", "revocation", "adjustment"]
    ref: str


@plain
class Change:
    """A number, before and after."""

    before: int
    after: int


@plain
class Notification:
    """Something worth telling: badge.earned, badge.revoked, level.reached, level.lost, streak.extended, streak.corrected."""

    type: str
    data: Mapping[str, Any]


@plain
class Outcome:
    """What one act changed, and the progress after it. Empty fields mean: nothing of that kind.

    `streaks` holds, for each streak that changed, its length as read today before and after; `revoked` the badges taken away.
    """

    progress: Progress
    awards: tuple[Award, ...] = ()
    revoked: tuple[str, ...] = ()
    entries: tuple[LedgerEntry, ...] = ()
    points: Change | None = None
    level: Change | None = None
    streaks: Mapping[str, Change] = field(default_factory=dict[str, Change])
    notifications: tuple[Notification, ...] = ()
