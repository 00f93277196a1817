"""A streak, told a second time: day by day, with plain dates and sets, slowly, and with nothing of the engine's own arithmetic.

It is written from the prose alone (`laurels/engine/streaks.py` says the rules, docs/streaks.md their cases), so that where the
two differ, one of them has misread it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
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
    """Something a user did: when, how much of it, and when it was recorded."""

    at: datetime
    quantity: int = 1
    recorded: datetime | None = None


@dataclass
class Life:
    """All that bears on one streak of one user."""

    zone: str
    moves: list[tuple[datetime, str]] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    weekly: bool = False
    amount: int = 1
    rest: set[int] = field(default_factory=set)  # weekdays, 0 is Monday
    late_days: int | None = None
    initial: int = 0
    per_days: int = 0
    most: int = 0
    grants: list[tuple[date, int]] = field(default_factory=list)
    excused: set[date] = field(default_factory=set)  # amnesties and repairs
    paused: set[date] = field(default_factory=set)

    def zone_at(self, moment: datetime) -> str:
        name = self.zone
        for since, other in self.moves:
            if since <= moment:
                name = other
        return name

    def date_at(self, moment: datetime) -> date:
        return moment.astimezone(clock(self.zone_at(moment))).date()

    def dates_shown(self, first: date, last: date) -> set[date]:
        """Every date that the user's clock showed at some moment of these days."""
        moment = datetime(first.year, first.month, first.day, tzinfo=UTC) - 2 * DAY
        end = datetime(last.year, last.month, last.day, tzinfo=UTC) + 3 * DAY
        shown = {self.date_at(since) for since, _ in self.moves}
        while moment <= end:
            shown.add(self.date_at(moment))
            near = any(abs(moment - since) < 2 * DAY for since, _ in self.moves)
            moment += QUARTER if near else HOUR
        return shown

    # ---- units ------------------------------------------------------------------------------

    def unit(self, day: date) -> date:
        """A unit is named by its first day."""
        return day - day.weekday() * DAY if self.weekly else day

    def days_of(self, unit: date) -> list[date]:
        return [unit + n * DAY for n in range(7 if self.weekly else 1)]

    def after(self, unit: date) -> date:
        return unit + (7 if self.weekly else 1) * DAY

    def credited(self) -> set[date]:
        sums: dict[date, int] = defaultdict(int)
        for visit in self.visits:
            day = self.date_at(visit.at)
            recorded = self.date_at(visit.recorded or visit.at)
            if self.late_days is None or (recorded - day).days <= self.late_days:
                sums[self.unit(day)] += visit.quantity
        return {unit for unit, total in sums.items() if total >= self.amount}

    def given_in(self, unit: date) -> int:
        return sum(count for day, count in self.grants if self.unit(day) == unit)


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
    """The run that stands while the days go by."""

    alive: bool = False
    start: date | None = None
    length: int = 0
    gap: list[date] = field(default_factory=list)


def expected_reading(life: Life, moment: datetime) -> Expected:
    """The streak as it reads at this moment."""
    today = life.unit(life.date_at(moment))
    credited = life.credited()
    manual = Expected(freezes=life.initial, total=len(credited))
    if not credited:
        manual.freezes += sum(count for day, count in life.grants if life.unit(day) <= today)
        return manual
    now = max([today, *credited])
    first = min([*credited, *(life.unit(day) for day, _ in life.grants)])
    shown = life.dates_shown(first, now + 90 * DAY)
    held = _Held(life, shown)
    run = _Run()
    for unit in _units(life, first, now):
        if unit in credited:
            _credit(life, manual, run, unit)
            manual.freezes += life.given_in(unit)
        else:
            manual.freezes += life.given_in(unit)
            if unit != now and run.alive and not held.integer(unit):
                run.gap.append(unit)
                if (
                    len(run.gap) > manual.freezes
                ):  # at its close, the gap is more than freezes can cover: none is burned
                    run.alive, run.gap = False, []
    if run.alive:
        manual.length, manual.since = run.length, run.start
        manual.ends = _end(life, held, manual, run, now, credited)
        manual.frozen |= set(run.gap)
        manual.freezes -= len(run.gap)
    manual.status = _status(held, run, now, credited)
    manual.why = {unit: _why(held, manual, unit, now, credited) for unit in _units(life, min(credited), now)}
    return manual


def _units(life: Life, first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first = life.after(first)


class _Held:
    """Which units ask for nothing, and which of them by a pause."""

    def __init__(self, life: Life, shown: set[date]) -> None:
        self.life = life
        self.shown = shown

    def integer(self, unit: date) -> bool:
        life = self.life
        return all(
            day not in self.shown or day.weekday() in life.rest or day in life.excused or day in life.paused
            for day in life.days_of(unit)
        )

    def paused(self, unit: date) -> bool:
        return self.integer(unit) and any(day in self.life.paused for day in self.life.days_of(unit))


def _credit(life: Life, manual: Expected, run: _Run, unit: date) -> None:
    if run.alive:
        manual.frozen |= set(run.gap)
        manual.freezes -= len(run.gap)
    else:
        run.alive, run.start, run.length = True, unit, 0
    run.gap = []
    run.length += 1
    if life.per_days and run.length % life.per_days == 0 and manual.freezes < life.most:
        manual.freezes += 1
    if run.length > manual.longest:
        manual.longest, manual.longest_from, manual.longest_to = run.length, run.start, unit


def _end(life: Life, held: _Held, manual: Expected, run: _Run, now: date, credited: set[date]) -> date:
    missed = len(run.gap)
    unit = life.after(now) if now in credited else now
    while True:
        missed += 0 if held.integer(unit) else 1
        if missed > manual.freezes:
            return unit
        unit = life.after(unit)


def _status(held: _Held, run: _Run, now: date, credited: set[date]) -> str:
    if not run.alive:
        return "ended"
    if now in credited:
        return "active"
    if held.paused(now):
        return "paused"
    if run.gap:
        return "frozen"
    return "active" if held.integer(now) else "at_risk"


def _why(held: _Held, manual: Expected, unit: date, now: date, credited: set[date]) -> str:
    if unit in credited:
        return "credited"
    if held.paused(unit):
        return "paused"
    if held.integer(unit):
        return "excused"
    if unit in manual.frozen:
        return "frozen"
    return "open" if unit == now else "missed"
