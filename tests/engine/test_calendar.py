"""What a user's days require: days that never were, weeks, rest days, and freezes given on a day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from laurels.engine.days import Days
from laurels.engine.streaks import Calendar, Freezes, Reading, Streak, folded, marks, read
from laurels.engine.where import Where
from laurels.engine.zones import Zones
from tests.support import at, day

FIRST = day("2026-01-05")  # a Monday
NONE = Days()


def streak(*, weekly: bool = False, rest: int = 0, freezes: Freezes = Freezes()) -> Streak:  # noqa: B008  # a frozen value
    cadence = "weekly" if weekly else "daily"
    return Streak("s", ("visit",), Where(), cadence=cadence, rest=rest, freezes=freezes)


def days(*after: int) -> Days:
    """These days, counted from the first Monday."""
    found = NONE
    for one in after:
        found = found.with_day(FIRST + one)
    return found


def read_on(of: Streak, credited: Days, today: int, **manual: object) -> Reading:
    calendar = Calendar(of, NONE, **manual)  # type: ignore[arg-type]  # what each is, the tests say
    return read(of, credited, folded(of, credited, calendar), calendar, FIRST + today)


@pytest.mark.parametrize(
    ("left", "arrived"), [("Pacific/Pago_Pago", "Pacific/Kiritimati"), ("Etc/GMT+12", "Etc/GMT-14")]
)
def test_a_day_skipped_by_a_zone_change_over_the_date_line_is_not_required(left: str, arrived: str) -> None:
    moved = at("2026-01-07T10:30")
    zones = Zones(left).changed(arrived, moved)
    assert zones.day(moved) == zones.day(moved - timedelta(microseconds=1)) + 2
    assert list(zones.skipped()) == [zones.day(moved) - 1]


def test_a_zone_change_that_repeats_a_date_skips_none() -> None:
    assert list(Zones("Asia/Tokyo").changed("America/Los_Angeles", at("2026-05-04T18:00")).skipped()) == []


def test_a_skipped_date_counts_for_a_user_who_had_it_in_another_zone() -> None:
    gone = day("2011-12-30")
    assert gone in Zones("Pacific/Apia").skipped()
    assert gone not in Zones("UTC").changed("Pacific/Apia", at("2011-12-30T09:00")).skipped()
    assert gone in Zones("UTC").changed("Pacific/Apia", at("2011-12-28T09:00")).skipped()
    assert gone not in Zones("Pacific/Apia").changed("UTC", at("2011-12-29T09:00")).skipped()


def test_a_freeze_covers_from_the_day_on_which_it_is_given() -> None:
    credited = days(0, 3)
    for given, length in [(1, 2), (2, 1), (3, 1)]:
        reading = read_on(streak(), credited, 3, grants=((FIRST + given, 2),))
        assert (reading.length, reading.freezes) == (length, 0 if length == 2 else 2)


def test_a_freeze_given_today_does_not_revive_a_streak_that_ended_yesterday() -> None:
    assert read_on(streak(), days(0), 2, grants=((FIRST + 2, 1),)).status == "ended"
    assert read_on(streak(), days(0), 2, grants=((FIRST + 1, 1),)).status == "frozen"


@pytest.mark.parametrize(("paused", "why", "length"), [(7, "paused", 2), (6, "missed", 1)])
def test_a_week_is_paused_only_if_all_its_days_are(paused: int, why: str, length: int) -> None:
    weekly = streak(weekly=True)
    credited = NONE.with_day(weekly.unit(FIRST)).with_day(weekly.unit(FIRST + 14))
    calendar = Calendar(weekly, NONE, Days.span(FIRST + 7, FIRST + 6 + paused))
    reading = read(weekly, credited, folded(weekly, credited, calendar), calendar, FIRST + 14)
    marked = [one for _, one in marks(weekly, credited, reading, calendar, FIRST + 14, 9)]
    assert (reading.length, marked) == (length, ["credited", why, "credited"])


def test_a_week_that_is_paused_in_part_is_still_at_risk() -> None:
    weekly = streak(weekly=True)
    credited = NONE.with_day(weekly.unit(FIRST))
    calendar = Calendar(weekly, NONE, Days.span(FIRST + 7, FIRST + 9))
    assert read(weekly, credited, folded(weekly, credited, calendar), calendar, FIRST + 8).status == "at_risk"


def test_rest_days_continue_a_run_without_adding_to_it() -> None:
    weekend = 0b1100000
    reading = read_on(streak(rest=weekend), days(3, 4), 6)
    assert (reading.length, reading.status, reading.ends) == (2, "active", FIRST + 7)
    assert read_on(streak(rest=weekend), days(3, 4, 7), 7).length == 3


def test_a_run_earns_freezes_up_to_the_limit() -> None:
    earning = streak(freezes=Freezes(initial=0, per_days=3, most=2))
    assert [read_on(earning, days(*range(length)), length - 1).freezes for length in (2, 3, 6, 9)] == [0, 1, 2, 2]
