from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.days import Days, Zones
from laurels.engine.events import Event
from laurels.engine.progress import Progress
from laurels.engine.streaks import length, read
from laurels.errors import ZoneChangeTooSoon
from tests.support import at, cases, day, fold

CATALOG = Catalog.default()

# Freezes and amnesties belong to a later feature: their cases wait here by the keys that only they have.
LATER = {"freezes", "amnesties"}
CASES = [case for case in cases("streaks") if not LATER & case.keys()]


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
    moments = [at(event["at"]) for event in case["events"]]
    return [Event("ada", f"e{i}", "login", moment, day=zones.day(moment)) for i, moment in enumerate(moments)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_streaks_of_the_conformance_cases(case: dict[str, Any]) -> None:
    zones = zones_of(case)
    events = logins(case, zones)
    for order in (events, events[::-1], events[1::2] + events[::2], events * 2):
        progress = fold(CATALOG, order, Progress(zones=zones))
        days = progress.days["login"]
        reading = read(days, zones.day(at(case["readAt"])), zones.skipped())
        assert [date.fromordinal(one).isoformat() for one in days] == case["dates"]
        assert reading.length == case["length"]
        assert reading.status == case.get("status", reading.status)
        assert progress.longest["login"] == case.get("longest", progress.longest["login"])
        assert [one.id for one in CATALOG.badges if one.id in progress.badges] == case.get("badges", [])


def test_only_the_cases_of_a_later_feature_wait() -> None:
    waiting = [case["name"] for case in cases("streaks") if case not in CASES]
    assert len(waiting) == 4
    assert all("freeze" in name or "amnesty" in name for name in waiting)


def days(*dates: str) -> Days:
    found = Days()
    for one in dates:
        found = found.with_day(day(one))
    return found


NONE = Days()
THREE = days("2026-01-05", "2026-01-06", "2026-01-07")


@pytest.mark.parametrize(
    ("today", "status", "expected"),
    [
        ("2026-01-07", "active", 3),
        ("2026-01-08", "at_risk", 3),
        ("2026-01-09", "ended", 0),
        ("2027-01-07", "ended", 0),
    ],
)
def test_a_streak_stands_through_today_and_ends_when_a_day_closed_without_an_event(
    today: str, status: str, expected: int
) -> None:
    reading = read(THREE, day(today), NONE)
    assert (reading.status, reading.length) == (status, expected)
    assert (reading.total_days, reading.last_day) == (3, day("2026-01-07"))


def test_a_streak_that_never_began_reads_none() -> None:
    reading = read(NONE, day("2026-01-07"), NONE)
    assert (reading.status, reading.length, reading.total_days, reading.last_day) == ("none", 0, 0, None)


def test_after_a_journey_westward_the_run_up_to_the_newest_day_counts() -> None:
    assert length(THREE, day("2026-01-06"), NONE) == 3
    assert read(THREE, day("2026-01-06"), NONE).status == "active"


def test_a_day_that_never_was_is_not_missed_on_the_day_after_it_either() -> None:
    skipped = days("2011-12-30")
    credited = days("2011-12-28", "2011-12-29")
    assert length(credited, day("2011-12-31"), skipped) == 2
    assert read(credited, day("2011-12-31"), skipped).status == "at_risk"
    assert length(credited, day("2012-01-01"), skipped) == 0
    assert length(credited.with_day(day("2011-12-31")), day("2012-01-01"), skipped) == 3
