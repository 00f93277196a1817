"""Time zones: which calendar day an instant belongs to, and which days a zone skipped. A day is `date.toordinal()`."""

from __future__ import annotations

from bisect import bisect_left
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from zoneinfo import ZoneInfo

from laurels.engine.days import Days
from laurels.engine.values import plain
from laurels.errors import InvalidInput, ZoneChangeTooSoon

LAST_SEARCHED_YEAR = 2038
"""The search for skipped days ends here: no zone has announced that it will skip one."""

ZONE_CHANGE_PAUSE = timedelta(hours=24)
"""The least time between two zone changes of a user, so that changing zones cannot produce extra days."""

YEARS_COMPARED = 30
"""How far ahead two zones are compared: longer than the 28 years after which dates fall on the same weekdays again."""

SECONDS_COMPARED = 14 * 86400
"""No zone changes its clocks twice within two weeks."""

INSTANT = timedelta(microseconds=1)

NEVER = date.max.toordinal() + 1
"""A day after all others."""

MAX_ZONE = 64
"""The longest zone name that is looked up; file systems raise their own errors for much longer ones."""


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of this name, from the `tzdata` package, so that every machine has the same days.

    Raises InvalidInput for a name that is not in the package.
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
    """The error text for an unknown zone name."""
    return f"unknown time zone '{name[:MAX_ZONE]}'; use an IANA name such as 'Europe/Berlin'"


HIDING = frozenset({"Factory", "GMT", "GMT+0", "GMT-0", "GMT0", "Greenwich", "UCT", "UTC", "Universal", "Zulu"})
"""Besides `Etc/...`, the zones that browsers report when they hide the user's zone."""


def reported_zone(report: object) -> str:
    """The zone that a browser's report means. Letter case, outer spaces and spaces for underscores do not matter.

    Raises InvalidInput for what is not an IANA name, and for UTC, GMT and `Etc/...`: browsers that hide the user's zone report
    these, so they say nothing about the user.
    """
    if not isinstance(report, str):
        raise InvalidInput("timeZone", "must be a text; use an IANA name such as 'Europe/Berlin'")
    name = _names_in_lower_case().get(report.strip().replace(" ", "_").lower())
    if name is None:
        raise InvalidInput("timeZone", unknown_zone(report))
    if name.startswith("Etc/") or name in HIDING:
        raise InvalidInput("timeZone", f"'{name}' is what browsers report that hide the user's zone, so it is not used")
    return name


@cache
def _names_in_lower_case() -> dict[str, str]:
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return {name.lower(): name for name in names}


def day_of(instant: datetime, zone_name: str, starts: int = 0) -> int:
    """The day of an aware datetime in this zone. Days start at midnight, or `starts` minutes later by the clock."""
    there = instant.astimezone(zone(zone_name))
    return (there.replace(tzinfo=None) - timedelta(minutes=starts)).toordinal() if starts else there.toordinal()


def agree(one: str, other: str, since: datetime) -> bool:
    """Whether clocks in both zones show the same from this instant on, as far as `YEARS_COMPARED` reach.

    Names do not matter: tzdata has several for most zones, and browsers differ in which one they report.
    """
    if one == other:
        return True
    if since.astimezone(zone(one)).utcoffset() != since.astimezone(zone(other)).utcoffset():
        return False
    begins = since.timestamp()
    shifts, others = _shifts(one, since.year), _shifts(other, since.year)
    return [shift for shift in shifts if shift[0] > begins] == [shift for shift in others if shift[0] > begins]


@lru_cache(maxsize=1024)
def _shifts(zone_name: str, year: int) -> tuple[tuple[int, timedelta], ...]:
    """The clock changes of a zone from this year on, for `YEARS_COMPARED`: when, and the offset from UTC after it."""
    there = zone(zone_name)

    def offset(second: int) -> timedelta:
        return datetime.fromtimestamp(second, there).utcoffset() or timedelta()

    first = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    last = int(datetime(min(year + YEARS_COMPARED, MAXYEAR), 1, 1, tzinfo=UTC).timestamp())
    shifts: list[tuple[int, timedelta]] = []
    before = offset(first)
    for low in range(first, last, SECONDS_COMPARED):
        high = min(low + SECONDS_COMPARED, last)
        after = offset(high)
        if after != before:
            high = low + bisect_left(range(low, high), True, key=lambda second, old=before: offset(second) != old)
            shifts.append((high, after))
        before = after
    return tuple(shifts)


def first_instant(day: int, zone_name: str, starts: int = 0) -> datetime:
    """The first instant of this day in this zone, in UTC. It is 01:00 local time if a clock change skips midnight.

    For a day that the zone skipped, the first instant after it. `starts`: see `day_of`.
    """
    tz = zone(zone_name)
    shown = datetime.combine(date.fromordinal(day), _clock(starts))
    instant = shown.replace(tzinfo=tz).astimezone(UTC)
    if instant.astimezone(tz).replace(tzinfo=None) == shown:
        return instant
    # The clock change skipped the start of the day. The day begins at the change: find it by bisection.
    low, high = instant - timedelta(hours=26), instant + timedelta(hours=2)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if day_of(middle, zone_name, starts) < day:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _clock(minutes: int, fold: int = 0) -> time:
    return time(minutes // 60, minutes % 60, fold=fold)


@lru_cache(maxsize=1024)
def end_of_day(day: int, zone_name: str, starts: int = 0) -> datetime:
    """The instant from which on clocks in this zone no longer show this day or an earlier one, in UTC. `starts`: see `day_of`.

    Where clocks go back over midnight, they show the day again after the next one began. A period of a leaderboard ends when the
    next one begins, so that every instant is in one; a day ends when it cannot come back, so that no one is late for it.
    """
    again = datetime.combine(date.fromordinal(day + 1), _clock(starts, fold=1), zone(zone_name)).astimezone(UTC)
    came_back = day_of(again - INSTANT, zone_name, starts) == day
    first = first_instant(day + 1, zone_name, starts)
    return max(first, again) if came_back else first


@lru_cache(maxsize=1024)
def skipped_days(zone_name: str) -> tuple[int, ...]:
    """The days since 1970 that this zone skipped (Apia: 30 December 2011), oldest first."""
    tz = zone(zone_name)
    month = date(1970, 1, 1)
    skipped: list[int] = []
    before = datetime.combine(month, time(12), tz).utcoffset()
    while month.year < LAST_SEARCHED_YEAR:
        month = (month.replace(day=28) + timedelta(days=7)).replace(day=1)
        offset = datetime.combine(month, time(12), tz).utcoffset()
        if before is not None and offset is not None and abs(offset - before) >= timedelta(hours=20):
            skipped += [day for day in range(month.toordinal() - 31, month.toordinal()) if not exists(day, tz)]
        before = offset
    return tuple(skipped)


def exists(day: int, tz: ZoneInfo) -> bool:
    """Whether clocks in this zone ever showed this date."""
    noon = datetime.combine(date.fromordinal(day), time(12), tz)
    return noon.astimezone(UTC).astimezone(tz).toordinal() == day


Correction = tuple[datetime, datetime, str]
"""A zone that a user was in from one instant until another, whatever the changes of zone say."""


@plain
class Zones:
    """The time zones of one user: the first zone, dated changes after it, and corrections of the past, the newest last.

    Its days start at midnight, or where `starts` is given, that many minutes later by the clock.

    `first` is None until a zone is known; until then `default` applies, the setting at the time the user was created. A first
    zone that became known after events is also the first of `changes`, dated when it became known.
    """

    first: str | None = None
    changes: tuple[tuple[datetime, str], ...] = ()
    default: str = "UTC"
    corrections: tuple[Correction, ...] = ()

    def at(self, instant: datetime) -> str:
        """The zone in force at this instant."""
        for since, until, name in reversed(self.corrections):
            if since <= instant < until:
                return name
        return self._uncorrected_at(instant)

    def _uncorrected_at(self, instant: datetime) -> str:
        for since, name in reversed(self.changes):
            if since <= instant:
                return name
        return self.first or self.default

    def corrected(self, corrections: tuple[Correction, ...]) -> Zones:
        """These zones with these corrections instead of their own."""
        if corrections == self.corrections:
            return self
        return Zones(self.first, self.changes, self.default, corrections)

    def journeys(self) -> list[tuple[datetime, str]]:
        """When the zone in force became another one, and which, oldest first."""
        ends = [end for since, until, _ in self.corrections for end in (since, until)]
        journeys: list[tuple[datetime, str]] = []
        before = self.first or self.default
        for instant in sorted({*ends, *(since for since, _ in self.changes)}):
            name = self.at(instant)
            if name != before:
                journeys.append((instant, name))
            before = name
        return journeys

    def day(self, instant: datetime, starts: int = 0) -> int:
        """The day of this instant in the zone in force at that time."""
        return day_of(instant, self.at(instant), starts)

    def open_day(self, instant: datetime, starts: int = 0) -> int:
        """The oldest day that has not ended at this instant: the day of the instant, or the one before if it will come back."""
        name = self.at(instant)
        day = day_of(instant, name, starts)
        return day - 1 if instant < end_of_day(day - 1, name, starts) else day

    def changed(self, name: str, now: datetime, *, has_events: bool = False) -> Zones:
        """These zones with `name` in force from `now` on; the very first zone also applies to all time before.

        A zone that agrees with the one in force from now on is no change, whatever its name. The first zone of a user who has
        events is one: it is dated, so that another change must wait for 24 hours.

        Raises InvalidInput for an unknown zone, and ZoneChangeTooSoon for a second change within 24 hours.
        """
        zone(name)
        if self.first is None:
            return Zones(name, ((now, name),) if has_events else (), self.default, self.corrections)
        if agree(self._uncorrected_at(now), name, now):
            return self
        if self.changes and now - self.changes[-1][0] < ZONE_CHANGE_PAUSE:
            raise ZoneChangeTooSoon(self.changes[-1][0] + ZONE_CHANGE_PAUSE)
        return Zones(self.first, (*self.changes, (now, name)), self.default, self.corrections)

    def would_change(self, name: str, now: datetime) -> bool:
        """Whether `changed` would return other zones."""
        try:
            return self.changed(name, now) != self
        except (InvalidInput, ZoneChangeTooSoon):
            return False

    def first_open_day(self, instant: datetime, starts: int = 0) -> int:
        """The first day that ends after this instant.

        A journey to the west can open days before it again, so a later change of zone can make it an earlier one.
        """
        journeys = (day_of(since, name, starts) for since, name in self.journeys() if since >= instant)
        return min([self.open_day(instant, starts), *journeys])

    def skipped(self, starts: int = 0) -> Days:
        """The days that are not required: dates that this user's calendar skipped, and days to which no instant belongs."""
        if not self.changes and not self.corrections:
            return skipped_set(self.first or self.default)
        dates = _skipped_by(self, 0)
        return dates | _skipped_by(self, starts) if starts else dates

    def stays(self, starts: int) -> list[tuple[int, int, str]]:
        """(first day, last day, zone) for each period in one zone, oldest first; days as clocks in that zone showed them."""
        journeys = self.journeys()
        names = [self.first or self.default, *(name for _, name in journeys)]
        firsts = [0, *(day_of(since, name, starts) for since, name in journeys)]
        left = ((since - INSTANT, name) for (since, _), name in zip(journeys, names, strict=False))
        lasts = [*(day_of(instant, name, starts) for instant, name in left), NEVER]
        return list(zip(firsts, lasts, names, strict=True))


@lru_cache(maxsize=1024)
def _skipped_by(zones: Zones, starts: int) -> Days:
    """The days that a user who travelled skipped."""
    stays = zones.stays(starts)
    gone = {day for first, last, name in stays for day in skipped_days(name) if first < day < last}
    for (_, left, _), (arrived, _, _) in pairwise(stays):
        gone.update(range(left + 1, arrived))  # a change from far west to far east skips a day
    days = Days()
    for day in sorted(gone):
        if not any(first <= day <= last and day not in skipped_days(name) for first, last, name in stays):
            days = days.with_day(day)
    return days


@lru_cache(maxsize=1024)
def skipped_set(zone_name: str) -> Days:
    """`skipped_days` as a set."""
    days = Days()
    for day in skipped_days(zone_name):
        days = days.with_day(day)
    return days
