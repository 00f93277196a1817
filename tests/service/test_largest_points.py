"""Points beyond the largest number that JSON represents exactly: nothing is lost, and no order of changes matters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import permutations
from typing import Any

import pytest

from laurels.engine.events import MAX_NUMBER, Event
from laurels.errors import AdjustmentRefused
from laurels.present.changes import NumberChange
from tests.service.test_history import Place, place
from tests.support import MONDAY, badge, catalog, new_database

pytestmark = pytest.mark.anyio

RULES = catalog(
    metrics={"m": {"kind": "count", "events": ["a"]}},
    points=[{"id": "a", "events": ["a"], "amount": 1, "per": "quantity"}],
    badges=[badge("two", 50, metric="m", at_least=2)],
    leaderboards=[{"id": "week", "period": "week"}],
)
Step = Callable[[Place], Awaitable[Any]]


def send(name: str, quantity: int) -> Step:
    return lambda here: here.send(name, "a", quantity=quantity)


def reverse(name: str) -> Step:
    return lambda here: here.admin.reverse("ada", name, "because", "a test")


async def after(*steps: Step) -> tuple[Any, ...]:
    """The points, level, badges, awards and scores of a user after these steps; what is stored is checked."""
    async with place(RULES, start=MONDAY) as here:
        for step in steps:
            await step(here)
        profile = await here.laurels.profile("ada", include=["rank"])
        week = await here.laurels.leaderboard("week")
        awards = [(row.badge, row.points) for row in await here.laurels.store.awards("ada")]
        scores = [line.score for line in week.standings]
        return profile.points, profile.level, [one.id for one in profile.badges], awards, scores


async def test_an_event_beyond_the_largest_number_that_is_reversed_leaves_the_others_in_any_order() -> None:
    steps = [send("most", MAX_NUMBER), send("ten", 10), send("six", 6), reverse("most")]
    found = {repr(await after(*order)) for order in permutations(steps)}
    assert found == {repr((66, 1, ["two"], [("two", 50)], [66]))}


async def test_an_adjustment_beyond_the_largest_number_that_is_undone_leaves_the_events() -> None:
    async def give(here: Place) -> None:
        await here.adjust("gift", "points", amount=MAX_NUMBER)

    first, second, third = send("one", 10), send("two", 10), send("three", 10)
    assert await after(first, second, third) == (80, 1, ["two"], [("two", 50)], [80])
    async with place(RULES) as here:
        await here.laurels.update_user("ada", name="Ada")
        for step in (give, first, second, third):
            await step(here)
        assert await here.points() == MAX_NUMBER
        assert (await here.admin.undo("ada", "gift")).points == NumberChange(before=MAX_NUMBER, after=80)
        assert (await here.points(), await here.badges()) == (80, ["two"])


async def test_a_correction_counts_from_the_true_sum() -> None:
    most, more = send("most", MAX_NUMBER), send("more", 40)

    async def correct(here: Place) -> None:
        await here.adjust("correction", "points", amount=-30)

    assert await after(most, more, correct) == (MAX_NUMBER, 2, ["two"], [("two", 50)], [MAX_NUMBER])
    assert await after(most, correct, more) == (MAX_NUMBER, 2, ["two"], [("two", 50)], [MAX_NUMBER])
    assert await after(more, send("few", 1), correct, most) == (MAX_NUMBER, 2, ["two"], [("two", 50)], [MAX_NUMBER])


async def test_more_points_are_refused_at_the_largest_number() -> None:
    async with place(RULES) as here:
        await send("most", MAX_NUMBER)(here)
        with pytest.raises(AdjustmentRefused, match=f"use an amount from -{MAX_NUMBER} to 0"):
            await here.adjust("gift", "points", amount=1)


@pytest.mark.parametrize("kind", ["sqlite-memory", "postgresql"])
async def test_thousands_of_the_largest_events_are_stored_rebuilt_and_reported(kind: str) -> None:
    count = 1030  # their sum needs more than 64 bits
    cheap = catalog(
        points=[{"id": "a", "events": ["a"], "amount": 1}],
        badges=[badge("two", 50, points_of=10**9)],
        leaderboards=[{"id": "week", "period": "week", "retired": True}],
    )
    with new_database(kind) as database:
        async with place(RULES, database=database) as here:
            most = [Event("ada", f"e{number}", "a", quantity=MAX_NUMBER) for number in range(count)]
            await here.laurels.record_many(most)
            row = await here.laurels.store.user("ada")
            assert row
            assert (row.progress.points, row.progress.earned) == (MAX_NUMBER, count * MAX_NUMBER + 50)
            (reported,) = await here.laurels.store.community_report(["ada"])
            assert [(paid.reason, paid.amount) for paid in reported.paid] == [("badge", 50), ("rule", MAX_NUMBER)]
            await here.admin.apply_catalog(cheap, "because", "a test")
            assert await here.points() == count + 50
