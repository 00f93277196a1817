"""A second implementation of streaks: day by day, with plain dates and sets, slowly, and without the engine's arithmetic.

Also of the conditions `member_for` and `in_order`: from all visits at once, by looking at ever more of them.

It is written from the prose only (`laurels/engine/streaks.py` has the rules, docs/streaks.md their cases). Where the two differ,
one of them has a bug.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)


@cache
def clock(name: str) -> ZoneInfo:
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def zone_names() -> list[str]:
    return resources.files("tzdata").joinpath("zones").read_text("utf-8").split()


@dataclass
class Visit:
    """Something a user did: when, how many, and when it was recorded."""

    at: datetime
    quantity: int = 1
    recorded: datetime | None = None
    id: str = ""


@dataclass
class Life:
    """Everything that decides one streak of one user."""

    zone: str
    moves: list[tuple[datetime, str]] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    cadence: str = "daily"
    days: int = 1  # how many different days a unit needs
    week_starts: int = 0  # a weekday, 0 is Monday
    starts: int = 0  # minutes after midnight
    amount: int = 1
    later: list[tuple[date, int]] = field(default_factory=list)  # the amount from these days on, in order
    rest: set[int] = field(default_factory=set)  # weekdays, 0 is Monday
    late_days: int | None = None
    initial: int = 0
    per_days: int = 0
    most: int = 0
    grants: list[tuple[date, int]] = field(default_factory=list)
    excused: set[date] = field(default_factory=set)  # amnesties and repairs
    paused: set[date] = field(default_factory=set)
    joined: datetime | None = None
    member_for: int = 0  # the days of membership that a badge asks for; 0: there is no such badge
    chain: list[tuple[str, int]] = field(default_factory=list)  # what a badge asks for in order: of METRICS, at least
    late_chain: list[tuple[str, int]] = field(default_factory=list)  # the same of another badge

    def zone_at(self, instant: datetime) -> str:
        name = self.zone
        for since, other in self.moves:
            if since <= instant:
                name = other
        return name

    def wall(self, instant: datetime) -> datetime:
        return instant.astimezone(clock(self.zone_at(instant))).replace(tzinfo=None)

    def date_at(self, instant: datetime) -> date:
        wall = self.wall(instant)
        before = wall.time() < time(self.starts // 60, self.starts % 60)
        return wall.date() - DAY if before else wall.date()

    def dates_shown(self, first: date, last: date) -> set[date]:
        """Every date that the user's clock showed at some instant of these days, and on which a day of the streak was."""
        instant = datetime(first.year, first.month, first.day, tzinfo=UTC) - 2 * DAY
        end = datetime(last.year, last.month, last.day, tzinfo=UTC) + 3 * DAY
        looked = [since for since, _ in self.moves]
        while instant <= end:
            looked.append(instant)
            if self.starts % 15:  # a skipped date may leave one minute of the day that starts then
                looked += [instant + n * QUARTER + self.starts % 15 * MINUTE for n in range(4)]
            near = any(abs(instant - since) < 2 * DAY for since, _ in self.moves)
            instant += QUARTER if near else HOUR
        return {self.wall(instant).date() for instant in looked} & {self.date_at(instant) for instant in looked}

    # ---- units ------------------------------------------------------------------------------

    def unit(self, day: date) -> date:
        """A unit is represented by its first day."""
        while not self.begins(day):
            day -= DAY
        return day

    def begins(self, day: date) -> bool:
        """Whether a unit begins on this day."""
        if self.cadence == "monthly":
            return day.day == 1
        return self.cadence == "daily" or day.weekday() == self.week_starts

    def days_of(self, unit: date) -> list[date]:
        days = [unit]
        while not self.begins(days[-1] + DAY):
            days.append(days[-1] + DAY)
        return days

    def after(self, unit: date) -> date:
        return self.days_of(unit)[-1] + DAY

    def credited(self) -> set[date]:
        by_day: dict[date, int] = defaultdict(int)
        for visit in self.visits:
            day = self.date_at(visit.at)
            recorded = self.date_at(visit.recorded or visit.at)
            if self.late_days is None or (recorded - day).days <= self.late_days:
                by_day[day] += visit.quantity
        sums: dict[date, int] = defaultdict(int)
        for day, total in by_day.items():
            sums[self.unit(day)] += total if self.days == 1 else total >= self.needed(self.unit(day))
        return {unit for unit, total in sums.items() if total >= (self.needed(unit) if self.days == 1 else self.days)}

    def needed(self, unit: date) -> int:
        return [self.amount, *(amount for since, amount in self.later if since <= unit)][-1]

    def given_in(self, unit: date) -> int:
        return sum(count for day, count in self.grants if self.unit(day) == unit)


METRICS = {
    "days": {"kind": "distinct_days", "events": ["visit"]},
    "sum": {"kind": "sum", "events": ["visit"]},
    "most": {"kind": "max", "events": ["visit"]},
}
"""The metrics of a life, as a catalog has them."""


def is_member(life: Life, now: datetime) -> bool:
    """Whether the user has been a member for as long as the badge asks."""
    return life.joined is not None and (now - life.joined).total_seconds() >= life.member_for * 86_400


def met_in_order(life: Life, chain: Sequence[tuple[str, int]]) -> bool:
    """Whether these were reached one after the other, each by visits after the one that reached the one before it."""
    rest = sorted(life.visits, key=lambda visit: (visit.at, visit.id))
    for metric, needed in chain:
        lengths = (n for n in range(1, len(rest) + 1) if _metric(life, metric, rest[:n]) >= needed)
        reached = next(lengths, None)
        if reached is None:
            return False
        rest = rest[reached:]
    return True


def _metric(life: Life, metric: str, visits: Sequence[Visit]) -> int:
    if metric == "days":
        return len({life.wall(visit.at).date() for visit in visits})
    return (max if metric == "most" else sum)(visit.quantity for visit in visits)


@dataclass
class Expected:
    """What the streak is."""

    length: int = 0
    status: str = "none"
    since: date | None = None
    ends: date | None = None
    longest: int = 0
    longest_from: date | None = None
    longest_to: date | None = None
    total: int = 0
    freezes: int = 0
    frozen: set[date] = field(default_factory=set)
    why: dict[date, str] = field(default_factory=dict)


@dataclass
class _Run:
    """The current run, unit by unit."""

    alive: bool = False
    start: date | None = None
    length: int = 0
    gap: list[date] = field(default_factory=list)


def expected_reading(life: Life, now: datetime) -> Expected:
    """The streak as it reads at this time."""
    today = life.unit(life.date_at(now))
    credited = life.credited()
    expected = Expected(freezes=life.initial, total=len(credited))
    if not credited:
        expected.freezes += sum(count for day, count in life.grants if life.unit(day) <= today)
        return expected
    newest = max([today, *credited])
    first = min([*credited, *(life.unit(day) for day, _ in life.grants)])
    shown = life.dates_shown(first, newest + (430 if life.cadence == "monthly" else 90) * DAY)
    calendar = _Calendar(life, shown)
    run = _Run()
    for unit in _units(life, first, newest):
        if unit in credited:
            _credit(life, expected, run, unit)
            expected.freezes += life.given_in(unit)
        else:
            expected.freezes += life.given_in(unit)
            if unit != newest and run.alive and not calendar.excuses(unit):
                run.gap.append(unit)
                if len(run.gap) > expected.freezes:  # freezes cannot cover the whole gap, so none is used
                    run.alive, run.gap = False, []
    if run.alive:
        expected.length, expected.since = run.length, run.start
        expected.ends = _end(life, calendar, expected, run, newest, credited)
        expected.frozen |= set(run.gap)
        expected.freezes -= len(run.gap)
    expected.status = _status(calendar, run, newest, credited)
    units = _units(life, min(credited), newest)
    expected.why = {unit: _why(calendar, expected, unit, newest, credited) for unit in units}
    return expected


def _units(life: Life, first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first = life.after(first)


class _Calendar:
    """Which units require nothing, and which of them because of a pause."""

    def __init__(self, life: Life, shown: set[date]) -> None:
        self.life = life
        self.shown = shown

    def excuses(self, unit: date) -> bool:
        life = self.life
        left = [
            day
            for day in life.days_of(unit)
            if day in self.shown and not (day.weekday() in life.rest or day in life.excused or day in life.paused)
        ]
        return len(left) < life.days

    def paused(self, unit: date) -> bool:
        return self.excuses(unit) and any(day in self.life.paused for day in self.life.days_of(unit))


def _credit(life: Life, expected: Expected, run: _Run, unit: date) -> None:
    if run.alive:
        expected.frozen |= set(run.gap)
        expected.freezes -= len(run.gap)
    else:
        run.alive, run.start, run.length = True, unit, 0
    run.gap = []
    run.length += 1
    if life.per_days and run.length % life.per_days == 0 and expected.freezes < life.most:
        expected.freezes += 1
    if run.length > expected.longest:
        expected.longest, expected.longest_from, expected.longest_to = run.length, run.start, unit


def _end(life: Life, calendar: _Calendar, expected: Expected, run: _Run, now: date, credited: set[date]) -> date:
    missed = len(run.gap)
    unit = life.after(now) if now in credited else now
    while True:
        missed += 0 if calendar.excuses(unit) else 1
        if missed > expected.freezes:
            return unit
        unit = life.after(unit)


def _status(calendar: _Calendar, run: _Run, now: date, credited: set[date]) -> str:
    if not run.alive:
        return "ended"
    if now in credited:
        return "active"
    if calendar.paused(now):
        return "paused"
    if run.gap:
        return "frozen"
    return "active" if calendar.excuses(now) else "at_risk"


def _why(calendar: _Calendar, expected: Expected, unit: date, now: date, credited: set[date]) -> str:
    if unit in credited:
        return "credited"
    if calendar.paused(unit):
        return "paused"
    if calendar.excuses(unit):
        return "excused"
    if unit in expected.frozen:
        return "frozen"
    return "open" if unit == now else "missed"
