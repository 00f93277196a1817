"""What is missing for a badge for a streak is counted from the run that goes on, in the sentence and in the numbers."""

from __future__ import annotations

import pytest

from laurels import Event, Laurels
from laurels.present.badges import Explanation
from laurels.testing import TestClock, sandbox
from tests.support import at, badge, catalog

pytestmark = pytest.mark.anyio

CATALOG = catalog(
    metrics={"logins": {"kind": "count", "events": ["login"]}},
    badges=[
        badge("week", streak="login", streak_of=7),
        badge("both", all_of=[{"streak": "login", "streak_of": 7}, {"metric": "logins", "at_least": 100}]),
        badge("four", streak="login", streak_of=4),
    ],
)


async def visit(laurels: Laurels, clock: TestClock, *days: int) -> None:
    """A login on each of these days of January 2026."""
    for day in days:
        clock.set(at(f"2026-01-{day:02}T12:00"))
        await laurels.record(Event("ada", f"d-{day}", "login"))


def numbers(found: Explanation) -> tuple[int, int, bool]:
    return found.checks[0].current, found.checks[0].target, found.checks[0].met


async def test_the_numbers_are_those_of_the_run_that_goes_on(database: str) -> None:
    async with sandbox(CATALOG, start=at("2026-01-01T12:00"), database=database) as (laurels, clock):
        await visit(laurels, clock, 1, 2, 3, 4, 5, 6, 9, 10)
        week = await laurels.explain("ada", "week")
        assert (week.sentence, numbers(week)) == ("5 more days in a row to earn Week.", (2, 7, False))
        assert numbers(await laurels.explain("ada", "both")) == (2, 7, False)
        profile = await laurels.profile("ada", include=["toward"])
        toward = {one.id: one for one in profile.toward or ()}
        assert (toward["week"].current, toward["week"].target) == (2, 7)
        assert toward["week"].sentence == week.sentence


async def test_after_the_run_has_ended_nothing_is_done(database: str) -> None:
    async with sandbox(CATALOG, start=at("2026-01-01T12:00"), database=database) as (laurels, clock):
        await visit(laurels, clock, 1, 2, 3, 4, 5, 6)
        clock.set(at("2026-01-20T12:00"))
        week = await laurels.explain("ada", "week")
        assert (week.sentence, numbers(week)) == ("7 more days in a row to earn Week.", (0, 7, False))


async def test_a_requirement_that_was_met_stays_met_with_the_longest_run(database: str) -> None:
    async with sandbox(CATALOG, start=at("2026-01-01T12:00"), database=database) as (laurels, clock):
        await visit(laurels, clock, 1, 2, 3, 4, 5, 6, 9, 10)
        four = await laurels.explain("ada", "four")
        assert (four.earned, numbers(four)) == (True, (6, 4, True))
