"""Zones and days: which calendar date a moment belongs to, and sets of such dates.

A day is a plain number, `date.toordinal()`: the next day is always `day + 1`, however many hours it lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from zoneinfo import ZoneInfo

from laurels.engine.values import plain
from laurels.errors import InvalidInput, ZoneChangeTooSoon

LAST_SEARCHED_YEAR = 2038
"""No zone has announced that it will skip a day; until this year the search for skipped days looks."""

ZONE_CHANGE_PAUSE = timedelta(hours=24)
"""How long a zone stands before it may be changed again, so that hopping zones makes no days."""

INSTANT = timedelta(microseconds=1)

NEVER = date.max.toordinal() + 1
"""A day after all others."""

MAX_ZONE = 64
"""The longest name of a zone that is looked up; a file system raises errors of its own for much longer ones."""


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of this name, from the `tzdata` package, so that every machine has the same days.

    Raises InvalidInput for a name that the package does not hold.
    """
    parts = name.split("/")
    if len(name) > MAX_ZONE or not all(
        part.replace("_", "").replace("-", "").replace("+", "").isalnum() for part in parts
    ):
        raise InvalidInput("timeZone", unknown_zone(name))
    entry = resources.files("tzdata.zoneinfo").joinpath(*parts)
    if not entry.is_file() or parts[-1].endswith((".py", ".tab", ".zi")):
        raise InvalidInput("timeZone", unknown_zone(name))
    with entry.open("rb") as file:
        try:
            return ZoneInfo.from_file(file, key=name)
        except ValueError:
            raise InvalidInput("timeZone", unknown_zone(name)) from None


def unknown_zone(name: str) -> str:
    """The message for a zone nobody knows."""
    return f"unknown time zone '{name[:MAX_ZONE]}'; use an IANA name such as 'Europe/Berlin'"


def day_of(moment: datetime, zone_name: str) -> int:
    """The day of an aware moment in this zone."""
    return moment.astimezone(zone(zone_name)).toordinal()


def first_instant(day: int, zone_name: str) -> datetime:
    """The first instant of this day in this zone, in UTC. It may be 01:00, where a clock change skips midnight.

    For a day that the zone skipped, the first instant after it.
    """
    there = zone(zone_name)
    midnight = datetime.combine(date.fromordinal(day), time(), there)
    moment = midnight.astimezone(UTC)
    if moment.astimezone(there).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return moment
    # Midnight fell into a gap. The day begins where the clock jumped: search that instant.
    low, high = moment - timedelta(hours=26), moment + timedelta(hours=2)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(there).toordinal() < day:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


@lru_cache(maxsize=1024)
def skipped_days(zone_name: str) -> tuple[int, ...]:
    """The days since 1970 that never were in this zone (Apia's 30 December 2011), oldest first."""
    there = zone(zone_name)
    month = date(1970, 1, 1)
    skipped: list[int] = []
    before = datetime.combine(month, time(12), there).utcoffset()
    while month.year < LAST_SEARCHED_YEAR:
        month = (month.replace(day=28) + timedelta(days=7)).replace(day=1)
        offset = datetime.combine(month, time(12), there).utcoffset()
        assert before is not None
        assert offset is not None
        if abs(offset - before) >= timedelta(hours=20):
            skipped += [day for day in range(month.toordinal() - 31, month.toordinal()) if not exists(day, there)]
        before = offset
    return tuple(skipped)


def exists(day: int, there: ZoneInfo) -> bool:
    """Whether any clock in this zone ever showed this date."""
    noon = datetime.combine(date.fromordinal(day), time(12), there)
    return noon.astimezone(UTC).astimezone(there).toordinal() == day


@plain
class Zones:
    """Where a user's clock stood, and since when: the first zone, and dated changes after it.

    `first` is None until a zone is known; until then `default` counts, which was the setting when the user was new.
    """

    first: str | None = None
    changes: tuple[tuple[datetime, str], ...] = ()
    default: str = "UTC"

    def at(self, moment: datetime) -> str:
        """The zone in force at this moment."""
        for since, name in reversed(self.changes):
            if since <= moment:
                return name
        return self.first or self.default

    def day(self, moment: datetime) -> int:
        """The day of this moment in the zone then in force."""
        return day_of(moment, self.at(moment))

    def changed(self, name: str, now: datetime) -> Zones:
        """These zones with `name` in force from `now` on; the very first one is taken for all time before, too.

        Raises InvalidInput for an unknown zone, and ZoneChangeTooSoon for a second change within 24 hours.
        """
        zone(name)
        if self.first is None:
            return Zones(name, (), self.default)
        if self.at(now) == name:
            return self
        if self.changes and now - self.changes[-1][0] < ZONE_CHANGE_PAUSE:
            raise ZoneChangeTooSoon(self.changes[-1][0] + ZONE_CHANGE_PAUSE)
        return Zones(self.first, (*self.changes, (now, name)), self.default)

    def skipped(self) -> Days:
        """The days that this user's calendar never had."""
        if not self.changes:
            return skipped_set(self.first or self.default)
        stays = self._stays()
        gone = {day for first, last, name in stays for day in skipped_days(name) if first < day < last}
        for (_, left, _), (arrived, _, _) in pairwise(stays):
            gone.update(range(left + 1, arrived))  # a change from the far west to the far east leaps over a day
        days = Days()
        for day in sorted(gone):
            if not any(first <= day <= last and day not in skipped_days(name) for first, last, name in stays):
                days = days.with_day(day)
        return days

    def _stays(self) -> list[tuple[int, int, str]]:
        """The user's stays in one zone each, oldest first: the first and the last day that the clock there showed, the zone."""
        names = [self.first or self.default, *(name for _, name in self.changes)]
        firsts = [0, *(day_of(since, name) for since, name in self.changes)]
        lasts = [*(day_of(since - INSTANT, name) for (since, _), name in zip(self.changes, names, strict=False)), NEVER]
        return list(zip(firsts, lasts, names, strict=True))


@lru_cache(maxsize=1024)
def skipped_set(zone_name: str) -> Days:
    """`skipped_days` as a set."""
    days = Days()
    for day in skipped_days(zone_name):
        days = days.with_day(day)
    return days


@plain
class Days:
    """A set of days, one bit each: bit i of `bits` is the day `first + i`.

    A bit set keeps ten years in 456 bytes whatever the gaps, and runs are found a machine word at a time.
    An empty set has first 0; otherwise bit 0 is set, so that equal sets are equal values.
    """

    first: int = 0
    bits: int = 0

    def __repr__(self) -> str:
        return f"Days({len(self)} from {self.first} to {self.last})"

    def __contains__(self, day: int) -> bool:
        return day >= self.first and self.bits >> (day - self.first) & 1 == 1

    def __iter__(self) -> Iterator[int]:
        bits, day = self.bits, self.first
        while bits:
            step = (bits & -bits).bit_length()
            yield day + step - 1
            bits >>= step
            day += step

    def __len__(self) -> int:
        return self.bits.bit_count()

    @property
    def last(self) -> int:
        """The newest day, or -1 for an empty set."""
        return self.first + self.bits.bit_length() - 1

    def with_day(self, day: int) -> Days:
        """This set and that day."""
        if not self.bits:
            return Days(day, 1)
        if day >= self.first:
            return Days(self.first, self.bits | 1 << (day - self.first))
        return Days(day, self.bits << (self.first - day) | 1)

    def shifted(self, first: int) -> int:
        """The bits as seen from another first day; days before it are left out."""
        return self.bits << (self.first - first) if self.first >= first else self.bits >> (first - self.first)

    def within(self, first: int, last: int) -> Days:
        """The days of this set from `first` to `last`, both included."""
        low, bits = max(first, self.first), self.bits
        if last < low or not bits:
            return Days()
        bits = bits >> (low - self.first) & (1 << (min(last, self.last) - low + 1)) - 1 if self.last >= low else 0
        if not bits:
            return Days()
        zeros = (bits & -bits).bit_length() - 1
        return Days(low + zeros, bits >> zeros)

    def without_day(self, day: int) -> Days:
        """This set less that day."""
        if day not in self:
            return self
        bits = self.bits ^ 1 << (day - self.first)
        if not bits:
            return Days()
        zeros = (bits & -bits).bit_length() - 1
        return Days(self.first + zeros, bits >> zeros)

    def __or__(self, other: Days) -> Days:
        if not self.bits or not other.bits:
            return self if self.bits else other
        first = min(self.first, other.first)
        return Days(first, self.shifted(first) | other.shifted(first))

    @staticmethod
    def span(first: int, last: int) -> Days:
        """Every day from `first` to `last`, both included."""
        return Days(first, (1 << (last - first + 1)) - 1) if last >= first else Days()


@plain
class Fold:
    """A streak folded up to its newest credited unit (`streaks.py` folds it): its run, its freezes, its longest run.

    frozen  the units that freezes covered so far
    """

    start: int = 0
    length: int = 0
    freezes: int = 0
    longest: int = 0
    longest_start: int = 0
    longest_end: int = 0
    frozen: Days = Days()  # a frozen value, so it can be shared
