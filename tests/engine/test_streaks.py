from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.judge import length_of, read_streak_of
from laurels.engine.progress import Progress
from laurels.engine.streaks import Calendar, Reading, folded, read
from laurels.engine.zones import Zones
from laurels.errors import ZoneChangeTooSoon
from tests.support import at, cases, day, fold

CATALOG = Catalog.default()

LOGIN = CATALOG.streaks["login"]

# The catalog of the contract has no freezes; test_conformance_streaks.py takes every case, these too.
CASES = [case for case in cases("streaks") if not {"freezes", "amnesties"} & case.keys()]


def zones_of(case: dict[str, Any]) -> Zones:
    zones = Zones(case["zone"])
    for change in case.get("zoneChanges", []):
        if change.get("refused"):
            with pytest.raises(ZoneChangeTooSoon):
                zones.changed(change["zone"], at(change["at"]))
        else:
            zones = zones.changed(change["zone"], at(change["at"]))
    return zones


def logins(case: dict[str, Any], zones: Zones) -> list[Event]:
    instants = [at(event["at"]) for event in case["events"]]
    return [Event("ada", f"e{i}", "login", instant, day=zones.day(instant)) for i, instant in enumerate(instants)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_streaks_of_the_conformance_cases(case: dict[str, Any]) -> None:
    zones = zones_of(case)
    events = logins(case, zones)
    for order in (events, events[::-1], events[1::2] + events[::2], events * 2):
        progress = fold(CATALOG, order, Progress(zones=zones))
        days = progress.days["login"]
        reading = read_streak_of(LOGIN, progress, zones.day(at(case["readAt"])))
        assert [date.fromordinal(one).isoformat() for one in days] == case["dates"]
        assert reading.length == case["length"]
        assert reading.status == case.get("status", reading.status)
        assert reading.longest == case.get("longest", reading.longest)
        assert [one.id for one in CATALOG.badges if one.id in progress.badges] == case.get("badges", [])


def days(*dates: str) -> Days:
    found = Days()
    for one in dates:
        found = found.with_day(day(one))
    return found


THREE = days("2026-01-05", "2026-01-06", "2026-01-07")


def reading_of(credited: Days, today: str, skipped: Days = Days()) -> Reading:  # noqa: B008  # a frozen value
    calendar = Calendar(LOGIN, skipped)
    fold = folded(LOGIN, credited, calendar) if credited.bits else None
    return read(LOGIN, credited, fold, calendar, day(today))


@pytest.mark.parametrize(
    ("today", "status", "expected"),
    [
        ("2026-01-07", "active", 3),
        ("2026-01-08", "at_risk", 3),
        ("2026-01-09", "ended", 0),
        ("2027-01-07", "ended", 0),
    ],
)
def test_a_streak_is_active_through_today_and_ends_after_a_day_without_an_event(
    today: str, status: str, expected: int
) -> None:
    reading = reading_of(THREE, today)
    assert (reading.status, reading.length) == (status, expected)
    assert (reading.total, reading.last) == (3, day("2026-01-07"))


def test_a_streak_that_never_began_reads_none() -> None:
    reading = reading_of(Days(), "2026-01-07")
    assert (reading.status, reading.length, reading.total, reading.last) == ("none", 0, 0, None)


def test_after_a_zone_change_to_the_west_the_run_up_to_the_newest_day_counts() -> None:
    reading = reading_of(THREE, "2026-01-06")
    assert (reading.length, reading.status) == (3, "active")


def test_a_skipped_day_is_not_missed_on_the_day_after_it_either() -> None:
    skipped = days("2011-12-30")
    credited = days("2011-12-28", "2011-12-29")
    assert reading_of(credited, "2011-12-31", skipped).length == 2
    assert reading_of(credited, "2011-12-31", skipped).status == "at_risk"
    assert reading_of(credited, "2012-01-01", skipped).length == 0
    assert reading_of(credited.with_day(day("2011-12-31")), "2012-01-01", skipped).length == 3


def test_the_cheap_length_is_the_length_of_the_reading() -> None:
    for today in range(day("2026-01-05"), day("2026-01-12")):
        fold = folded(LOGIN, THREE, Calendar(LOGIN, Days()))
        progress = Progress(days={"login": THREE}, folds={"login": fold})
        assert length_of(LOGIN, progress, today) == read_streak_of(LOGIN, progress, today).length
