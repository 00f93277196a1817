"""Streaks: runs of consecutive days, weeks or months, how one is folded from a set of units, and its state on a day.

A unit is a day, or for a weekly or monthly streak a week or month (see `units.py`). A unit is credited when its events reached
the rule's amount; with a number of days, when those of as many different days did. Days are excused if the zone skipped them,
they are rest days, an amnesty or a pause covers them, or they were repaired; a unit is excused if fewer of its days are left
than it needs. The rest are missed. A gap of missed units ends the run, unless there are enough freezes for the whole gap.
Excused and frozen units continue a run without adding to its length.

The rules and their cases: docs/streaks.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from laurels.engine.dated_values import Step, read_dated, value_on
from laurels.engine.days import Days, Fold
from laurels.engine.events import Event
from laurels.engine.names import title_of
from laurels.engine.parsing import Table, nearest
from laurels.engine.renames import read_was
from laurels.engine.units import (
    SHORTEST,
    UNITS,
    WEEK,
    WEEKDAYS,
    Cadence,
    Unit,
    first_of_month,
    first_of_week,
    month_of,
    week_of,
)
from laurels.engine.values import plain
from laurels.engine.where import Where, read_where
from laurels.engine.zones import Zones

Status = Literal["active", "at_risk", "frozen", "paused", "ended", "none"]
Mark = Literal["credited", "frozen", "excused", "paused", "missed", "open"]

_EVERY_DAY = (1 << WEEK) - 1
_PATTERN_WEEKS = 4000
_REPEAT = sum(1 << (WEEK * week) for week in range(_PATTERN_WEEKS))
_NO_DAYS = Days()
_CLOCK = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Freezes:
    """How many freezes a user starts with, earns (one for every `per_days` units of a run; 0: none), and may have."""

    initial: int = 0
    per_days: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Streak:
    """The rule of one streak.

    amount       the quantity that a unit needs, or with `days` each of its days that counts; the
                 newest one, where `amounts` has several
    amounts      the quantity from certain days on; a unit needs what its first day does, 1 before the first of them
    rest         weekdays that are not required, bit 0 is Monday
    cadence      what its units are
    days         how many different days a week or month needs; 1: its events together need the amount
    week_starts  the weekday with which its weeks begin
    late_days    events recorded more days late than this credit nothing (None: no limit)
    pause_days   how many days in 365 users may pause themselves; 0: only operators pause
    repair_days  how many days after its end users may repair a gap themselves; 0: only operators repair
    day_starts   how many minutes after midnight its days start, by the user's clock
    was          its earlier names
    retired      whether it credits no more days: its run is over, and it is shown only to users who have some
    title        its name for people
    """

    name: str
    events: tuple[str, ...]
    where: Where
    amount: int = 1
    rest: int = 0
    cadence: Cadence = "daily"
    days: int = 1
    week_starts: str = "mon"
    freezes: Freezes = Freezes()
    late_days: int | None = None
    pause_days: int = 0
    repair_days: int = 0
    day_starts: int = 0
    was: tuple[str, ...] = ()
    retired: bool = False
    title: str = ""
    amounts: tuple[Step, ...] = ()

    def amount_of(self, unit: int) -> int:
        """The quantity that a unit needs."""
        return value_on(self.amounts, self.first_day(unit), 1) if self.amounts else self.amount

    @property
    def unit_name(self) -> Unit:
        """What one unit is called."""
        return UNITS[self.cadence]

    def day_of(self, event: Event, zones: Zones) -> int:
        """The day on which a dated event counts."""
        assert event.occurred_at is not None
        assert event.day is not None
        return zones.day(event.occurred_at, self.day_starts) if self.day_starts else event.day

    def late_by(self, event: Event, zones: Zones) -> int:
        """How many days before the day of its recording that is."""
        if not self.day_starts or event.recorded_at is None:
            return event.late_by
        return zones.day(event.recorded_at, self.day_starts) - self.day_of(event, zones)

    def unit(self, day: int) -> int:
        """The unit that holds this day."""
        if self.cadence == "daily":
            return day
        return week_of(day, self.week_starts) if self.cadence == "weekly" else month_of(day)

    def first_day(self, unit: int) -> int:
        """The first day of a unit."""
        if self.cadence == "daily":
            return unit
        return first_of_week(unit, self.week_starts) if self.cadence == "weekly" else first_of_month(unit)

    def days_of(self, unit: int) -> range:
        """The days of a unit."""
        return range(self.first_day(unit), self.first_day(unit + 1))

    def partial_key(self, day: int) -> int:
        """Under what a partial amount is stored that a day adds to: with `days` the day, otherwise its unit."""
        return day if self.days > 1 else self.unit(day)

    def days_reached(self, amounts: Mapping[int, int], unit: int) -> int:
        """With `days`, how many different days of a unit have the amount, by the partial amounts."""
        return sum(1 for day in self.days_of(unit) if amounts.get(day, 0) >= self.amount_of(unit))

    def is_reached(self, amounts: Mapping[int, int], unit: int) -> bool:
        """Whether a unit is credited with these partial amounts."""
        if self.days > 1:
            return self.days_reached(amounts, unit) >= self.days
        return amounts.get(unit, 0) >= self.amount_of(unit)


@plain
class Calendar:
    """Which days one streak requires of one user.

    excused  days on which nothing is required: skipped by the zone, under an amnesty, repaired
    paused   days that a pause covers
    grants   freezes that were given by hand, as (day, how many)
    """

    streak: Streak
    excused: Days
    paused: Days = _NO_DAYS
    grants: tuple[tuple[int, int], ...] = ()

    def granted(self, after: int, until: int) -> int:
        """How many freezes were given in the units after `after` and up to `until`."""
        return sum(count for day, count in self.grants if after < self.streak.unit(day) <= until)

    def bits(self, first: int, count: int) -> int:
        """Which of `count` units from `first` on are excused or paused, as bits."""
        streak = self.streak
        if streak.cadence == "daily":
            return self._day_bits(first, count)
        begin = streak.first_day(first)
        days, bits = self._day_bits(begin, streak.first_day(first + count) - begin), 0
        for index in range(count if days else 0):
            length = len(streak.days_of(first + index))
            left = length - (days & ((1 << length) - 1)).bit_count()
            bits |= (left < streak.days) << index
            days >>= length
        return bits

    def missing(self, first: int, count: int) -> int:
        """How many of `count` units from `first` on are required."""
        return count - self.bits(first, count).bit_count() if count > 0 else 0

    def excuses(self, unit: int) -> bool:
        """Whether nothing is required in this unit."""
        return self.bits(unit, 1) == 1

    def pauses(self, unit: int) -> bool:
        """Whether nothing is required in this unit, at least in part because of a pause."""
        return self.excuses(unit) and any(day in self.paused for day in self.streak.days_of(unit))

    def covered(self, last: int, until: int, freezes: int) -> bool:
        """Whether freezes cover the gap between `last` and `until`: those held in `last`, and those given in the gap.

        A freeze covers a missed unit when the unit ends, so one that is given later does not count for it.
        """
        if not any(last < self.streak.unit(day) < until for day, _ in self.grants):
            return self.missing(last + 1, until - last - 1) <= freezes
        missing = 0
        for unit in range(last + 1, until):
            missing += 0 if self.excuses(unit) else 1
            if missing > freezes + self.granted(last, unit):
                return False
        return True

    def _day_bits(self, first: int, count: int) -> int:
        window = (1 << count) - 1
        bits = self.excused.shifted(first) | self.paused.shifted(first)
        if self.streak.rest:
            bits |= _REPEAT * self.streak.rest >> (first - 1) % WEEK
        return bits & window


def extended(streak: Streak, fold: Fold | None, credited: Days, unit: int, calendar: Calendar) -> Fold:
    """The fold after `unit` was credited. `credited` contains it already; `fold` is the fold without it.

    The newest unit continues the fold. For an older one everything is folded again, because it may join runs and free freezes.
    """
    if fold is None or unit != credited.last:
        return folded(streak, credited, calendar)
    return _with_run(streak, fold, _last_before(credited), unit, unit, calendar)


def folded(streak: Streak, credited: Days, calendar: Calendar) -> Fold:
    """The fold of all credited units, oldest first."""
    fold, last = Fold(freezes=streak.freezes.initial), -1
    for first, end in _runs(credited):
        for begin, stop in _pieces(first, end, calendar):
            fold = _with_run(streak, fold, last, begin, stop, calendar)
            last = stop
    return fold


def _pieces(first: int, end: int, calendar: Calendar) -> Iterator[tuple[int, int]]:
    """A run, cut after each unit in which freezes were given: how many can be earned depends on how many the user has."""
    given = {calendar.streak.unit(day) for day, _ in calendar.grants}
    for stop in sorted({unit for unit in given if first <= unit < end} | {end}):
        yield first, stop
        first = stop + 1


def _with_run(streak: Streak, fold: Fold, last: int, first: int, end: int, calendar: Calendar) -> Fold:
    """The fold with one more unbroken run of credited units; `last` is the newest unit before it (-1: none).

    Freezes may have been given in its last unit, but not in earlier ones (see `_pieces`).
    """
    missing = calendar.missing(last + 1, first - last - 1) if last >= 0 else 0
    freezes, frozen = fold.freezes + calendar.granted(last, first - 1), fold.frozen
    start, length = (fold.start, fold.length) if last >= 0 else (first, 0)
    if missing and not calendar.covered(last, first, fold.freezes):
        start, length = first, 0
    elif missing:
        freezes -= missing
        for unit in range(last + 1, first):
            frozen = frozen if calendar.excuses(unit) else frozen.with_day(unit)
    longer = length + end - first + 1
    rule = streak.freezes
    if rule.per_days:
        earned = longer // rule.per_days - length // rule.per_days
        freezes = max(freezes, min(rule.most, freezes + earned))
    freezes += calendar.granted(first - 1, end)
    best = (fold.longest, fold.longest_start, fold.longest_end)
    if longer > fold.longest:
        best = (longer, start, end)
    return Fold(start, longer, freezes, *best, frozen)


def _runs(days: Days) -> Iterator[tuple[int, int]]:
    """The unbroken runs of a set, oldest first, as (first, last)."""
    bits, day = days.bits, days.first
    while bits:
        zeros = (bits & -bits).bit_length() - 1
        bits >>= zeros
        ones = (~bits & (bits + 1)).bit_length() - 1
        day += zeros
        yield day, day + ones - 1
        bits >>= ones
        day += ones


def _last_before(days: Days) -> int:
    """The newest day in this set but one; -1 if there is none."""
    rest = days.bits ^ 1 << (days.bits.bit_length() - 1)
    return days.first + rest.bit_length() - 1 if rest else -1


@plain
class Reading:
    """The state of a streak in one unit.

    length    credited units of the active run; 0 without one
    status    active: nothing is missing in this unit. at_risk: the run is active, and this unit still needs its event.
              frozen: the run is active because freezes cover missed units. paused: it is active, and a pause covers this unit.
              ended: a required unit ended without its event, or the streak is retired. none: it never began.
    ends      the unit after which the run would end without another event; None without an active run
    start     the first unit of the active run, or None
    """

    length: int
    status: Status
    start: int | None
    ends: int | None
    freezes: int
    frozen: Days
    longest: int
    longest_start: int | None
    longest_end: int | None
    total: int
    last: int | None


def read(streak: Streak, credited: Days, fold: Fold | None, calendar: Calendar, today: int) -> Reading:
    """The streak on the day `today`. It stays active in a unit without an event, and ends when the unit ends.

    After a zone change to the west, the newest credited day can be after today; then the streak is read on that day.
    """
    if fold is None or not credited.bits:
        freezes = streak.freezes.initial + calendar.granted(-1, streak.unit(today))
        return Reading(0, "none", None, None, freezes, _NO_DAYS, 0, None, None, 0, None)
    last = credited.last
    now = max(streak.unit(today), last)
    missing = calendar.missing(last + 1, now - last - 1)
    freezes = fold.freezes + calendar.granted(last, now)
    active = not streak.retired and calendar.covered(last, now, fold.freezes)
    frozen = fold.frozen
    if active and missing:
        for unit in range(last + 1, now):
            frozen = frozen if calendar.excuses(unit) else frozen.with_day(unit)
    return Reading(
        length=fold.length if active else 0,
        status=_status(credited, calendar, now, missing, active=active),
        start=fold.start if active else None,
        ends=_end(calendar, last, now, freezes) if active else None,
        freezes=freezes - missing if active else freezes,
        frozen=frozen,
        longest=fold.longest,
        longest_start=fold.longest_start,
        longest_end=fold.longest_end,
        total=len(credited),
        last=last,
    )


def _status(credited: Days, calendar: Calendar, now: int, missing: int, *, active: bool) -> Status:
    if not active:
        return "ended"
    if now in credited:
        return "active"
    if calendar.pauses(now):
        return "paused"
    if missing:
        return "frozen"
    return "active" if calendar.excuses(now) else "at_risk"


def _end(calendar: Calendar, last: int, now: int, freezes: int) -> int:
    """The first unit that would end with more missed units than freezes; not before `now`."""
    missing, unit = 0, last
    while missing <= freezes:
        unit += 1
        missing += 0 if calendar.excuses(unit) else 1
    return max(unit, now)


def marks(
    streak: Streak, credited: Days, reading: Reading, calendar: Calendar, today: int, count: int
) -> list[tuple[int, Mark]]:
    """How each of the last `count` units counts, newest first, back to the first credited one."""
    if reading.last is None:
        return []
    now = reading.last if streak.retired else max(streak.unit(today), reading.last)
    oldest = max(credited.first, now - count + 1)
    return [(unit, _mark(credited, reading, calendar, unit, now)) for unit in range(now, oldest - 1, -1)]


def _mark(credited: Days, reading: Reading, calendar: Calendar, unit: int, now: int) -> Mark:
    if unit in credited:
        return "credited"
    if calendar.pauses(unit):
        return "paused"
    if calendar.excuses(unit):
        return "excused"
    if unit in reading.frozen:
        return "frozen"
    return "open" if unit == now else "missed"


# ---- the catalog ------------------------------------------------------------------------------


def read_streak(name: str, table: Table) -> Streak:
    """A [streaks.NAME] table."""
    amount, amounts = read_dated(table, "amount") if table.has("amount") else (1, ())
    cadence = _read_cadence(table)
    streak = Streak(
        name=name,
        events=table.texts("events"),
        where=read_where(table),
        amount=amount,
        rest=_read_rest(table),
        cadence=cadence,
        days=_read_days(table, cadence),
        week_starts=table.choice("week_starts", WEEKDAYS, "day of the week", "mon") or "mon",
        freezes=_read_freezes(table),
        late_days=table.integer("late_days") if table.has("late_days") else None,
        pause_days=table.integer("pause_days", 0),
        repair_days=table.integer("repair_days", 0),
        day_starts=_read_day_starts(table),
        was=read_was(table),
        retired=table.boolean("retired"),
        title=table.words("title", title_of(name)),
        amounts=amounts,
    )
    if cadence != "daily" and streak.rest:
        table.fault("rest_days", f"a {cadence} streak has no rest days", "take it out, or make the streak daily")
    if cadence != "weekly" and table.has("week_starts"):
        table.fault("week_starts", f"a {cadence} streak has no weeks", 'take it out, or write cadence = "weekly"')
    table.done()
    return streak


def _read_cadence(table: Table) -> Cadence:
    return cast(Cadence, table.choice("cadence", UNITS, "cadence", "daily") or "daily")


def _read_days(table: Table, cadence: Cadence) -> int:
    """How many different days a unit needs; without the key 1."""
    days = table.integer("days", 1, least=2) if table.has("days") else table.integer("days", 1)
    if days == 1:
        return 1
    if cadence == "daily":
        table.fault("days", "a daily streak needs one day", 'take it out, or write cadence = "weekly"')
    elif days > SHORTEST[cadence]:
        most, unit = SHORTEST[cadence], UNITS[cadence]
        table.fault("days", f"not every {unit} has {days} days", f"write at most {most}")
    return days


def _read_day_starts(table: Table) -> int:
    text = table.text("day_starts", "00:00")
    found = _CLOCK.fullmatch(text)
    if not found:
        if text:
            table.fault("day_starts", f"must be a time from 00:00 to 23:59, not '{text}'", 'write day_starts = "04:00"')
        return 0
    return int(found[1]) * 60 + int(found[2])


def _read_rest(table: Table) -> int:
    if not table.has("rest_days"):
        return 0
    days = table.texts("rest_days")
    for day in days:
        if day not in WEEKDAYS:
            near = nearest(day, WEEKDAYS)
            fix = f"did you mean '{near}'?" if near else f"known are {', '.join(WEEKDAYS)}"
            table.fault("rest_days", f"unknown weekday '{day}'", fix)
    rest = sum(1 << WEEKDAYS.index(day) for day in days if day in WEEKDAYS)
    if rest == _EVERY_DAY:
        table.fault("rest_days", "leaves no required day", "take at least one day out")
        return 0
    return rest


def _read_freezes(table: Table) -> Freezes:
    inner = table.table("freezes") if table.has("freezes") else None
    if inner is None:
        return Freezes()
    initial = inner.integer("initial", 0)
    freezes = Freezes(initial, inner.integer("per_days", 0), inner.integer("most", initial))
    if freezes.most < freezes.initial:
        inner.fault("most", "is less than 'initial'", f"write most = {freezes.initial}, or more")
    inner.done()
    return freezes
