from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.periods import ALWAYS, KINDS, Kind, Period, Periods
from tests.support import at, day

ZONES = [
    *("UTC", "Europe/Berlin", "America/Havana", "Asia/Beirut", "Africa/Cairo", "America/Sao_Paulo", "Pacific/Apia"),
    *("Pacific/Kiritimati", "Pacific/Pago_Pago", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"),
]
SEASONS = (
    ("one", day("2025-01-01"), day("2025-03-31")),
    ("two", day("2025-04-01"), day("2025-04-01")),
    ("three", day("2026-11-01"), day("2027-02-28")),
)
MICROSECOND = timedelta(microseconds=1)
MOMENTS = st.timedeltas(timedelta(), timedelta(days=24_000)).map(lambda by: at("1971-01-01") + by)
MOMENTS |= st.sampled_from([at("2018-11-04"), at("2011-12-30"), at("2011-12-31"), at("2026-03-29")]).flatmap(
    lambda near: st.timedeltas(timedelta(hours=-30), timedelta(hours=30)).map(lambda by: near + by)
)


def periods(kind: Kind, zone: str = "UTC", week_start: int = 0) -> Periods:
    return Periods(kind, zone, week_start, SEASONS if kind == "season" else ())


ANY = st.builds(periods, st.sampled_from(KINDS), st.sampled_from(ZONES), st.integers(0, 6))


@given(ANY, MOMENTS)
def test_every_instant_is_in_exactly_one_period_and_periods_meet(of: Periods, instant: datetime) -> None:
    period = of.at(instant)
    if period is None:
        assert of.kind == "season"
        assert not any(one.contains(instant) for name, _, _ in SEASONS if (one := of.named(name)))
        return
    assert period.contains(instant)
    if period is ALWAYS:
        assert of.kind == "all"
        return
    assert period.start
    assert period.end
    assert of.at(period.start) == of.at(period.end - MICROSECOND) == period
    before, following = of.at(period.start - MICROSECOND), of.at(period.end)
    if of.kind != "season":
        assert before
        assert following
        assert (before.end, following.start) == (period.start, period.end)
        assert (of.before(period), of.before(following)) == (before, period)
        assert before.last_day < period.first_day
        assert following.first_day > period.last_day
    assert [one for one in (before, following) if one and one.contains(instant)] == []


@given(ANY, MOMENTS)
def test_a_key_leads_back_to_its_period_and_keys_sort_by_time(of: Periods, instant: datetime) -> None:
    period = of.at(instant)
    if period:
        assert of.named(period.key) == period
        before = of.before(period)
        assert before is None or of.kind == "season" or before.key < period.key


@given(ANY, MOMENTS)
def test_the_period_is_that_of_the_date_on_a_clock_of_the_zone(of: Periods, instant: datetime) -> None:
    on = instant.astimezone(ZoneInfo(of.zone)).date()
    again = instant.astimezone(ZoneInfo(of.zone)).replace(fold=1).utcoffset()
    period = of.at(instant)
    if of.kind == "day" and again == instant.astimezone(ZoneInfo(of.zone)).utcoffset():
        assert period
        assert period.key == on.isoformat()
    elif of.kind == "year":
        assert period
        assert abs(int(period.key) - on.year) <= (1 if (on.month, on.day) in ((1, 1), (12, 31)) else 0)


@given(MOMENTS, st.sampled_from(ZONES))
def test_weeks_from_monday_are_those_of_the_iso_calendar(instant: datetime, zone: str) -> None:
    period = periods("week", zone).at(instant)
    assert period
    year, week, weekday = date.fromordinal(period.first_day).isocalendar()
    assert (period.key, weekday, period.last_day - period.first_day) == (f"{year}-W{week:02}", 1, 6)


@pytest.mark.parametrize(
    ("week_start", "on", "key", "first"),
    [
        (0, "2026-12-31", "2026-W53", "2026-12-28"),
        (0, "2027-01-03", "2026-W53", "2026-12-28"),
        (0, "2027-01-04", "2027-W01", "2027-01-04"),
        (0, "2024-12-30", "2025-W01", "2024-12-30"),
        (0, "2026-01-01", "2026-W01", "2025-12-29"),
        (6, "2026-01-03", "2025-W53", "2025-12-28"),  # its middle day is the last of December
        (6, "2026-01-04", "2026-W01", "2026-01-04"),
        (5, "2026-01-02", "2025-W52", "2025-12-27"),
        (5, "2026-01-03", "2026-W01", "2026-01-03"),
    ],
)
def test_a_week_belongs_to_the_year_of_its_middle_day(week_start: int, on: str, key: str, first: str) -> None:
    of = periods("week", week_start=week_start)
    period = of.at(at(f"{on}T12:00"))
    assert period
    assert (period.key, period.first_day) == (key, day(first))
    assert of.named(key) == period


@pytest.mark.parametrize(
    ("kind", "zone", "key", "start", "end"),
    [
        ("day", "America/Havana", "2024-03-10", "2024-03-10T05:00", "2024-03-11T04:00"),  # begins at 01:00
        ("day", "America/Havana", "2024-11-03", "2024-11-03T04:00", "2024-11-04T05:00"),  # 00:00 comes twice
        ("day", "Asia/Beirut", "2026-03-29", "2026-03-28T22:00", "2026-03-29T21:00"),
        ("day", "Africa/Cairo", "2026-04-24", "2026-04-23T22:00", "2026-04-24T21:00"),
        ("day", "America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", "2018-11-05T02:00"),
        ("month", "America/Sao_Paulo", "2018-11", "2018-11-01T03:00", "2018-12-01T02:00"),
        ("month", "Europe/Berlin", "2026-03", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("day", "Pacific/Apia", "2011-12-29", "2011-12-29T10:00", "2011-12-30T10:00"),
        ("day", "Pacific/Apia", "2011-12-31", "2011-12-30T10:00", "2011-12-31T10:00"),
        ("year", "Pacific/Apia", "2011", "2011-01-01T10:00", "2011-12-31T10:00"),
        ("year", "Asia/Kathmandu", "2026", "2025-12-31T18:15", "2026-12-31T18:15"),
    ],
)
def test_periods_begin_with_the_first_instant_of_their_day(
    kind: Kind, zone: str, key: str, start: str, end: str
) -> None:
    period = periods(kind, zone).named(key)
    assert period
    assert (period.start, period.end) == (at(start), at(end))


def test_a_skipped_day_contains_no_instant() -> None:
    skipped = periods("day", "Pacific/Apia").named("2011-12-30")
    assert skipped is None or skipped.start == skipped.end


def test_a_midnight_that_occurs_twice_belongs_to_the_later_day_both_times() -> None:
    """Havana's clocks go from 01:00 back to 00:00; so both hours between are of the new day."""
    of = periods("day", "America/Havana")
    for instant in ("2024-11-03T04:30", "2024-11-03T05:30"):
        period = of.at(at(instant))
        assert period
        assert period.key == "2024-11-03"


@pytest.mark.parametrize(
    ("on", "key", "before"),
    [
        ("2024-12-31", None, None),
        ("2025-01-01", "one", None),
        ("2025-04-01", "two", "one"),
        ("2025-04-02", None, "two"),
        ("2026-10-31", None, "two"),
        ("2026-11-01", "three", "two"),
        ("2027-03-01", None, "three"),
    ],
)
def test_seasons_leave_gaps(on: str, key: str | None, before: str | None) -> None:
    of, instant = periods("season"), at(f"{on}T12:00")

    def key_of(period: Period | None) -> str | None:
        return period.key if period else None

    assert (key_of(of.at(instant)), key_of(of.latest_before(instant))) == (key, before)
    assert of.named("four") is None


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("all", ["", "ever", "2026"]),
        ("year", ["26", "2026-01", "0000", "20260", "２０２６", " 2026", "-026"]),
        ("month", ["2026-13", "2026-00", "2026-1", "2026", "2026-01-01", "2026-W01", "2026-01\n"]),
        ("week", ["2026-W54", "2026-W00", "2025-W53", "2026-w01", "2026-01", "0000-W01"]),
        ("day", ["2026-02-29", "2026-02-30", "2026-2-3", "2026-02", "9999-99-99", "0000-01-01"]),
        ("season", ["", "ONE", "one ", "2026"]),
    ],
)
def test_an_invalid_key_gives_no_period(kind: Kind, keys: list[str]) -> None:
    assert {key: periods(kind).named(key) for key in keys} == dict.fromkeys(keys)


@pytest.mark.parametrize("kind", ["year", "month", "week", "day"])
def test_the_ends_of_the_calendar_are_handled(kind: Kind) -> None:
    keys = {"year": "{}", "month": "{}-12", "week": "{}-W52", "day": "{}-12-31"}
    for year in ("0001", "9998", "9999"):
        periods(kind, "Pacific/Kiritimati").named(keys[kind].format(year))
        periods(kind, "Pacific/Pago_Pago").named(keys[kind].format(year))
