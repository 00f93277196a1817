"""Progress: everything that Laurels knows about one user. Outcome: what one command changed. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from laurels.engine.day_sums import DaySums
from laurels.engine.days import Days, Fold
from laurels.engine.distinct import DistinctValues
from laurels.engine.events import MAX_NUMBER
from laurels.engine.values import plain
from laurels.engine.zones import Correction, Zones

SPEND = "spend"

Reason = Literal[
    "badge", "rule", "boost", "catalog", "reversal", "grant", "revocation", "adjustment", "zone", "moved", "spend"
]
"""Why the points changed. A spend, and the undo of one, changes the balance only; anything else what the user earned."""


@plain
class ManualState:
    """The state of one user that was set by hand: what all adjustments in force amount to.

    adjusted  the sum of all points adjustments that are not spends
    granted   badges that were granted
    barred    badges that were revoked and are not awarded again
    awaited   ids of events that were reversed before they arrived
    pauses    streak ('' for all) -> days that a pause covers
    repairs   streak -> days that were repaired
    grants    streak -> freezes given, as (day, how many)
    amnesty   the days that amnesties excuse this user from
    excluded  whether the user is excluded from all leaderboards
    corrections  the zones that the user was in for a time, the newest last; `Progress.zones` has them too
    spent     the sum of all spends
    kinds     kind of points -> the sum of its adjustments that are not spends, and that of its spends
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
    corrections: tuple[Correction, ...] = ()
    spent: int = 0
    kinds: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


NO_MANUAL_STATE = ManualState()


Scores = Mapping[str, Mapping[str, tuple[int, int]]]
"""Leaderboard -> key of a period -> (score, when it was reached in microseconds since 1970, UTC)."""

NO_SCORES: Scores = {}

BoardDays = Mapping[str, Mapping[str, Days]]
"""Leaderboard of distinct days or of a streak -> key of a period -> the days or units that its events fed."""

UNKNOWN = datetime.max.replace(tzinfo=UTC)
"""The newest event of a user whom an earlier version stored. It is after all others, so each event may be out of order."""


Tally = DistinctValues | DaySums
"""What is stored for a metric whose number needs more than the number: the different values, or the sums of days."""

ValuesWithin = Mapping[str, Mapping[str, Tally]]
"""Leaderboard -> key of a period -> the tally of its metric within the period."""

NO_VALUES_WITHIN: ValuesWithin = {}


@plain
class Stage:
    """How far a user is in conditions that must be met in order.

    done   how many of them are met
    since  when the event occurred that met the last of them, in microseconds since 1970, UTC, and that event's id: what
           occurred later counts for the next one
    sums   what the next one counts, in a progress with nothing else; None: nothing yet
    """

    done: int = 0
    since: tuple[int, str] = (-(1 << 62), "")
    sums: Progress | None = None


NO_STAGE = Stage()


@plain
class Progress:
    """The sums of one user. Adding events is commutative, so the order of arrival does not matter.

    totals      metric -> its number, at most 2^53 - 1
    days        streak -> the set of credited units; distinct-days metric -> the set of days
    capped      capped point rule -> day -> points of that day, at most the cap
    partial     streak that needs an amount -> unit -> the amount so far, until the unit is credited
    folds       streak -> its run and freezes, folded from its days
    badges      badge -> points that it paid when it was awarded; events never take a badge away
    points      what the user earned: the sum of the ledger without spends, shown up to MAX_NUMBER
    reached_at  the instant of the newest ledger entry that still counts (equal points: the earlier is ranked first)
    zones       the user's dated time zones
    joined_at   when the user joined the app, if the app sent it
    manual      what was set by hand
    scores      the scores that `scoring.py` stores for leaderboards, in open periods
    values      metric that needs a tally -> the tally
    values_within  leaderboard by such a metric within periods -> key of an open period -> the tally of the events in it
    latest      metric of kind last -> when its event occurred, in microseconds since 1970, UTC
    board_days  leaderboard of days -> key of an open period -> the days or units of the events in it (None: an earlier version
                stored the user, and they are read from `days`)
    newest      when the newest event that counts occurred (None: no event counts; UNKNOWN: not known)
    beyond      what the user earned beyond what `points` can show; 0 for all but the largest sums
    cap_reached  capped point rule -> when an event last used up the cap of a day, in order of occurrence, in microseconds since
                1970, UTC (missing: no event did, or an earlier version stored the user)
    stages      the key of conditions in order -> how far the user is in them
    kinds       kind of points -> what its rules pay for events, at most 2^53 - 1, and when the newest event occurred for
                which one of them counts, in microseconds since 1970, UTC; see `point_kinds.PointKind.earned`
    as_of       up to when passing time counts for conditions that it alone lets hold; not stored
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
    latest: Mapping[str, int] = field(default_factory=dict[str, int])
    values: Mapping[str, Tally] = field(default_factory=dict[str, Tally])
    values_within: ValuesWithin = field(default_factory=dict[str, Mapping[str, Tally]])
    board_days: BoardDays | None = None
    newest: datetime | None = None
    beyond: int = 0
    cap_reached: Mapping[str, int] = field(default_factory=dict[str, int])
    stages: Mapping[str, Stage] = field(default_factory=dict[str, Stage])
    kinds: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    as_of: datetime | None = field(default=None, compare=False)

    @property
    def earned(self) -> int:
        """What the user earned, without a limit, so that no order of changes loses a part of it."""
        return self.points + self.beyond

    @property
    def balance(self) -> int:
        """What the user can spend: the points without what was spent. Below 0 if points that were spent are taken back."""
        return self.points - self.manual.spent

    def longest(self, streak: str) -> int:
        """The length of the streak's longest run."""
        fold = self.folds.get(streak)
        return fold.longest if fold else 0


def limited(earned: int) -> tuple[int, int]:
    """The points that are shown for a sum, and what it is beyond them."""
    points = max(-MAX_NUMBER, min(earned, MAX_NUMBER))
    return points, earned - points


@plain
class Award:
    """A badge that was earned, and the points that it paid."""

    badge: str
    points: int


class Amount(Protocol):
    """What a ledger entry and its stored row have in common."""

    @property
    def amount(self) -> int:
        """How much the points or the balance changed."""
        ...

    @property
    def reason(self) -> str:
        """Why they changed."""
        ...


@plain
class LedgerEntry:
    """One change of the points or, with the reason SPEND, of the balance only.

    The amount lies between -MAX_NUMBER and MAX_NUMBER. `ref` is the rule, badge or event that caused it.
    zone: the event pays more or less because it is on another day since the user's zones changed.
    moved: in pairs that add up to 0; points count at another instant from now on.
    """

    amount: int
    reason: Reason
    ref: str


def entries_of(amount: int, reason: Reason, ref: str) -> list[LedgerEntry]:
    """The ledger entries that change the points by this amount: one, or more where one number is too small for it."""
    entries: list[LedgerEntry] = []
    while amount:
        part, amount = limited(amount)
        entries.append(LedgerEntry(part, reason, ref))
    return entries


def earned_by(entries: Iterable[Amount]) -> int:
    """What these ledger entries add up to without spends."""
    return sum(entry.amount for entry in entries if entry.reason != SPEND)


def spent_by(entries: Iterable[Amount]) -> int:
    """What these ledger entries spend."""
    return -sum(entry.amount for entry in entries if entry.reason == SPEND)


@plain
class LostBadge:
    """A badge that an adjustment or a reversal took away. `met`: it was held because its condition was met."""

    badge: str
    points: int
    met: bool


@plain
class Change:
    """A number, before and after."""

    before: int
    after: int


@plain
class Notification:
    """Something to notify the user of. Types: badge.earned, badge.revoked, level.reached, level.lost, streak.extended, ..."""

    type: str
    data: Mapping[str, Any]


@plain
class Outcome:
    """What one command changed, and the progress after it. Empty fields mean that nothing of that kind changed.

    `streaks` has the length today, before and after, of each streak that changed. `revoked` has the badges that were lost, and
    `repaid` those that pay another number of points now than when they were awarded.
    """

    progress: Progress
    awards: tuple[Award, ...] = ()
    revoked: tuple[str, ...] = ()
    entries: tuple[LedgerEntry, ...] = ()
    points: Change | None = None
    level: Change | None = None
    streaks: Mapping[str, Change] = field(default_factory=dict[str, Change])
    notifications: tuple[Notification, ...] = ()
    repaid: tuple[str, ...] = ()

    @property
    def corrected(self) -> tuple[str, ...]:
        """The badges of which the ledger corrects what they paid."""
        return (*self.revoked, *self.repaid) if self.repaid else self.revoked
