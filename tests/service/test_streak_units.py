"""Streaks by weeks, months and numbers of days, as users and operators meet them, and what happens when their units change."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import AdjustmentRefused, CatalogError
from laurels.present.streaks import UserStreak
from tests.support import at, badge, catalog
from tests.support.arena import Arena, arena

pytestmark = pytest.mark.anyio

GYM = {
    "title": "Three workouts a week",
    "events": ["workout"],
    "cadence": "weekly",
    "days": 3,
    "week_starts": "sun",
    "freezes": {"initial": 1},
    "pause_days": 7,
    "repair_days": 10,
}
BOOKS = {"title": "A book a month", "events": ["book"], "cadence": "monthly", "day_starts": "04:00"}
SUNDAY = at("2026-01-04T12:00")


def with_streaks(**streaks: dict[str, Any]) -> Catalog:
    badges = [badge(f"{name}-2", 20, streak=name, streak_of=2) for name in streaks]
    boards = [{"id": f"{name}-runs", "by": "streak", "of": name, "period": "month"} for name in streaks]
    return catalog(streaks=streaks, badges=badges, leaderboards=boards)


async def do(one: Arena, what: str, *days: str) -> None:
    """One event on each of these days of 2026 at noon; the clock stays."""
    for day in days:
        await one.laurels.record(Event("ada", f"{what}-{day}", what, at(f"2026-{day}T12:00")))


async def streak(one: Arena, name: str) -> UserStreak:
    return next(found for found in (await one.laurels.streaks("ada")).streaks if found.name == name)


def whys(found: UserStreak) -> list[tuple[date, str]]:
    return [(day.day, day.why) for day in found.days]


async def test_ada_works_out_three_times_a_week_and_sees_how_many_days_are_left(database: str) -> None:
    async with arena(database, with_streaks(gym=GYM), start=SUNDAY) as one:
        one.clock.set(at("2026-01-07T12:00"))
        await do(one, "workout", "01-04", "01-06")
        first = await streak(one, "gym")
        assert (first.title, first.unit, first.status, first.needed_days, first.done_days) == (
            "Three workouts a week",
            "week",
            "none",
            3,
            2,
        )
        await do(one, "workout", "01-07")
        first = await streak(one, "gym")
        assert (first.length, first.status, first.done_days) == (1, "active", 3)
        assert first.ends_at == at("2026-01-25")  # the week after the next, because one freeze covers the next

        one.clock.set(at("2026-01-17T12:00"))  # a Saturday, the last day of the next week
        await do(one, "workout", "01-12", "01-13")
        second = await streak(one, "gym")
        assert (second.length, second.status, second.done_days) == (1, "at_risk", 2)
        assert whys(second) == [(date(2026, 1, 11), "open"), (date(2026, 1, 4), "credited")]
        explained = await one.laurels.explain("ada", "gym-2")
        assert explained.sentence == "1 more week in a row to earn Gym-2."
        await do(one, "workout", "01-17")
        assert (await streak(one, "gym")).length == 2
        assert (await one.laurels.explain("ada", "gym-2")).checks[0].text == "2 weeks in a row"
        assert await one.lines("gym-runs") == [(1, "ada", 2)]


async def test_a_week_that_was_missed_takes_a_freeze_and_can_be_repaired(database: str) -> None:
    async with arena(database, with_streaks(gym=GYM), start=SUNDAY) as one:
        one.clock.set(at("2026-01-21T12:00"))
        await do(one, "workout", "01-04", "01-06", "01-07", "01-12", "01-13", "01-18", "01-19", "01-20")
        frozen = await streak(one, "gym")
        assert (frozen.length, frozen.freezes) == (2, 0)
        assert whys(frozen)[1] == (date(2026, 1, 11), "frozen")
        await one.admin.adjust(
            "ada", "r", "pause", {"streak": "gym", "first": "2026-01-11", "last": "2026-01-15"}, "ill", "x"
        )
        assert whys(await streak(one, "gym"))[1] == (date(2026, 1, 11), "paused")  # two days are left of three
        await one.admin.undo("ada", "r", "a test", "x")
        one.clock.set(at("2026-02-04T12:00"))
        assert (await streak(one, "gym")).status == "ended"
        repaired = await one.admin.adjust(
            "ada", "rr", "repair", {"streak": "gym", "day": "2026-01-27"}, "ok", "x", own=True
        )
        assert repaired.streaks["gym"].after == 2
        with pytest.raises(AdjustmentRefused):
            await one.admin.adjust("ada", "r3", "repair", {"streak": "gym", "day": "2026-01-14"}, "ok", "x", own=True)


async def test_bea_reads_a_book_a_month_and_a_late_one_joins_the_months(database: str) -> None:
    async with arena(database, with_streaks(books=BOOKS), start=at("2026-01-31T12:00")) as one:
        await do(one, "book", "01-31")
        one.clock.set(at("2026-03-01T03:30"))  # before 04:00: still February
        await one.laurels.record(Event("ada", "night", "book"))
        february = await streak(one, "books")
        assert (february.unit, february.length, february.ends_at) == ("month", 2, at("2026-04-01T04:00"))
        assert whys(february) == [(date(2026, 2, 1), "credited"), (date(2026, 1, 1), "credited")]
        sentence = (await one.laurels.explain("ada", "books-2")).sentence
        assert sentence == "Books-2 was earned on 2026-03-01 with the event night: 2 months in a row."
        await one.admin.reverse("ada", "night", "a mistake", "a test")
        one.clock.set(at("2026-03-02T12:00"))
        assert (await streak(one, "books")).status == "ended"
        await do(one, "book", "02-15", "03-01")
        assert (await streak(one, "books")).length == 3
        corrected = [json.loads(data) for _, data in await one.notifications("streak.corrected")]
        assert [(data["before"], data["length"]) for data in corrected] == [(2, 1), (0, 2), (2, 3)]


CADENCES = [{}, {"cadence": "weekly"}, {"cadence": "weekly", "week_starts": "wed"}, {"cadence": "monthly"}]


@pytest.mark.parametrize("before", CADENCES, ids=str)
@pytest.mark.parametrize("after", CADENCES, ids=str)
async def test_another_cadence_counts_the_streak_again_from_all_events(
    database: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    async with arena(database, with_streaks(s={"events": ["workout"], **before}), start=SUNDAY) as one:
        one.clock.set(at("2026-01-16T12:00"))
        await do(one, "workout", "01-04", "01-05", "01-06", "01-14", "01-15")
        following = with_streaks(s={"events": ["workout"], **after})
        plan = await one.admin.plan_catalog(following)
        await one.apply(following)
        outdated = await one.laurels.overview("ada", refresh=False)
        assert outdated.outdated == (before != after)
        lengths = {"": (2, 5), "weekly": (3, 3), "monthly": (1, 1)}[after.get("cadence", "")]
        if after.get("week_starts"):
            lengths = (1, 2)  # 4 to 6 January are in the week from Wednesday 31 December
        found = await streak(one, "s")
        assert (found.length, found.total_days) == lengths
        assert [change.length.after for user in plan.most_affected for change in user.streaks] in ([], [found.length])


async def test_a_retired_streak_keeps_its_units(database: str) -> None:
    daily, weekly = {"events": ["workout"]}, {"events": ["workout"], "cadence": "weekly"}
    async with arena(database, with_streaks(s=daily), start=SUNDAY) as one:
        await do(one, "workout", "01-04")
        with pytest.raises(CatalogError) as caught:
            await one.apply(with_streaks(s={**weekly, "retired": True}))
        (fault,) = caught.value.faults
        assert (fault.where, fault.what) == (
            "streaks 's'",
            "is retired with another 'cadence' or 'week_starts' than its days were counted by",
        )
        await one.apply(with_streaks(s=weekly))
        await one.apply(with_streaks(s={**weekly, "retired": True}))  # no one has read ada since
        assert ((await streak(one, "s")).total_days, (await streak(one, "s")).longest) == (1, 1)
