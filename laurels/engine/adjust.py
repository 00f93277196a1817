"""adjust: applies adjustments to a user. Here the kinds meet the catalog, and the rules for what users may do themselves."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from laurels.engine.adding import calendar_of
from laurels.engine.adjustments import Caller, day_from
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.holding import given_back, is_met
from laurels.engine.judge import read_streak_of, today_of
from laurels.engine.parsing import closest
from laurels.engine.progress import LedgerEntry, LostBadge, ManualState, Progress, entries_of
from laurels.engine.streaks import Streak
from laurels.errors import AdjustmentRefused, BadgeNotFound, InvalidInput, StreakNotFound

QUOTA_DAYS = 365


@dataclass(frozen=True, slots=True)
class AdjustedUser:
    """The user whom an adjustment is for: what `adjustments.Target` asks for.

    pauses  the data of all pauses in force
    now     the time; None: the beginning of `today`
    none_left  limited badges of which no copy is left for this user
    """

    catalog: Catalog
    progress: Progress
    pauses: Sequence[Mapping[str, Any]]
    today: int
    caller: Caller
    now: datetime | None = None
    none_left: Collection[str] = ()

    def _today_of(self, streak: Streak) -> int:
        """The day of a streak, whose days may start later than at midnight."""
        return today_of(streak, self.progress, self.now) if self.now else self.today

    def points(self, kind: str) -> tuple[int, int, str]:
        """What the user earned of a kind of points ('': the contract's), what of it they can spend, and the word for several.

        Raises InvalidInput for a kind that the catalog does not have.
        """
        if not kind:
            return self.progress.earned, self.progress.balance, "points"
        known = self.catalog.kinds.get(kind)
        if known is None:
            fix = (
                closest(kind, self.catalog.kinds) if self.catalog.kinds else "add it to the catalog, or leave 'of' out"
            )
            raise InvalidInput("of", f"the catalog has no kind of points '{kind}'; {fix}")
        return known.earned(self.progress), known.balance(self.progress), known.many

    def badge(self, badge: str, *, held: bool = False) -> str:
        """The current id of a badge of the catalog or, with `held`, of one that the user has.

        Raises BadgeNotFound, and without `held` AdjustmentRefused for a badge that the user does not have and that is retired, or
        of which no copy is left.
        """
        found = self.catalog.badge(badge)
        if found is None and not (held and badge in self.progress.badges):
            known = [item.id for item in self.catalog.badges]
            raise BadgeNotFound(f"the catalog has no badge '{badge}'; {closest(badge, known)}")
        if found and found.retired and not held and found.id not in self.progress.badges:
            raise AdjustmentRefused(
                f"the badge '{badge}' is retired and no longer awarded; to grant it, remove 'retired' from it in the catalog"
            )
        if found and not held and found.id in self.none_left:
            raise AdjustmentRefused(
                f"all {found.supply:,} copies of the badge '{badge}' are taken; to grant it, revoke one, or raise its supply"
            )
        return found.id if found else badge

    def streak(self, streak: str) -> str:
        """The current name of a streak of the catalog. Raises StreakNotFound."""
        current = self.catalog.renames.streak(streak)
        if current not in self.catalog.streaks:
            raise StreakNotFound(f"the catalog has no streak '{streak}'; {closest(streak, self.catalog.streaks)}")
        return current

    def check_pause(self, streak: str, first: int, last: int) -> None:
        """Raises AdjustmentRefused unless the user may pause this streak from day `first` to day `last` themselves."""
        rule = self.catalog.streaks[streak]
        check_pause(rule, self.pauses, first, last, self._today_of(rule))

    def check_repair(self, streak: str, last: int) -> None:
        """Raises AdjustmentRefused unless the user may repair a gap that ended on day `last` themselves."""
        rule = self.catalog.streaks[streak]
        check_repair(rule, last, self._today_of(rule))

    def gap_around(self, streak: str, day: int) -> tuple[int, int]:
        """The first and last day of the gap that holds a missed day. Raises AdjustmentRefused if it was not missed."""
        rule = self.catalog.streaks[streak]
        return gap_around(rule, self.progress, day, self._today_of(rule))


def with_manual_state(
    catalog: Catalog,
    progress: Progress,
    manual: ManualState,
    lost: Iterable[LostBadge] = (),
    none_left: Collection[str] = (),
) -> tuple[Progress, list[LedgerEntry]]:
    """The progress with this manual state, and the ledger entries that follow. Streaks and other badges are settled later.

    A badge is given if it is granted and missing, unless no copy of it is left. It is taken if it is barred, or if its grant was
    undone and its condition is not met; so is one that the catalog no longer has. `lost` are badges that an adjustment took
    which is undone now.
    """
    entries = entries_of(manual.adjusted - progress.manual.adjusted, "adjustment", "points")
    entries += entries_of(progress.manual.spent - manual.spent, "spend", "points")
    held = dict(progress.badges)
    for badge in [*progress.badges, *(badge.id for badge in catalog.badges if badge.id not in progress.badges)]:
        ungranted = badge in held and badge in progress.manual.granted and badge not in manual.granted
        known = catalog.badge(badge)
        if badge in held and (badge in manual.barred or (ungranted and not is_met(catalog, progress, badge))):
            entries += entries_of(-held.pop(badge), "revocation", badge)
        elif known and badge in manual.granted and badge not in held and badge not in none_left:
            held[badge] = known.points
            entries += entries_of(known.points, "grant", badge)
    after = replace(progress, badges=held, manual=manual, zones=progress.zones.corrected(manual.corrections))
    for badge, points in given_back(catalog, after, lost, none_left).items():
        held[badge] = points
        entries += entries_of(points, "revocation", badge)
    return after, entries


def gap_around(streak: Streak, progress: Progress, day: int, today: int) -> tuple[int, int]:
    """The first and last day of the gap that holds this missed day: between credited units, or up to yesterday's unit.

    Raises AdjustmentRefused if the day was not missed.
    """
    credited, calendar = progress.days.get(streak.name, Days()), calendar_of(streak, progress)
    reading = read_streak_of(streak, progress, today)
    unit = streak.unit(day)
    missed = reading.last is not None and credited.first < unit < max(streak.unit(today), reading.last)
    if not missed or unit in credited or unit in reading.frozen or calendar.excuses(unit):
        raise AdjustmentRefused(f"{date.fromordinal(day)} was not missed, so there is nothing to repair")
    first = last = unit
    while first - 1 not in credited:
        first -= 1
    while last + 1 not in credited and last + 1 < streak.unit(today):
        last += 1
    return streak.first_day(first), streak.first_day(last + 1) - 1


def check_pause(streak: Streak, pauses: Iterable[Mapping[str, Any]], first: int, last: int, today: int) -> None:
    """Whether a user may pause this streak for these days themselves. Raises AdjustmentRefused, which says why not.

    Within any `QUOTA_DAYS` days, the different days that the user paused are at most the streak's `pause_days`.
    """
    if first < today:
        raise AdjustmentRefused("a pause must begin today or later; ask the app's operator for a day in the past")
    paused = Days()
    for pause in pauses:
        if pause["streak"] == streak.name and pause.get("own"):
            paused = paused | Days.span(day_from(pause["first"]), day_from(pause["last"]))
    wanted = Days.span(first, last)
    if wanted | paused == paused:
        return
    if _most_in_a_window(paused | wanted, first, last) > streak.pause_days:
        left = max(streak.pause_days - _most_in_a_window(paused, first, last), 0)
        raise AdjustmentRefused(f"only {left} of {streak.pause_days} days of pause are left in {QUOTA_DAYS} days")


def _most_in_a_window(days: Days, first: int, last: int) -> int:
    """The most of these days within any `QUOTA_DAYS` days that hold a day from `first` to `last`."""
    near = list(days.within(first - QUOTA_DAYS + 1, last + QUOTA_DAYS - 1))
    # A window can be moved on to its first day of these, or to `last`, without losing one.
    starts = [*(day for day in near if day < last), last]
    return max(bisect_right(near, start + QUOTA_DAYS - 1) - bisect_left(near, start) for start in starts)


def check_repair(streak: Streak, last: int, today: int) -> None:
    """Whether a user may repair a gap that ended on day `last` themselves. Raises AdjustmentRefused."""
    if not streak.repair_days:
        raise AdjustmentRefused(f"only the app's operator can repair the streak '{streak.name}'")
    if today - last > streak.repair_days:
        raise AdjustmentRefused(f"a gap can be repaired until {streak.repair_days} days after its end")
