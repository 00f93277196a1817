"""Order of occurrence decides: which event earned a badge, in which period its points count, and who was first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.service.laurels import Laurels
from tests.service.test_history import Place, check_stored, place
from tests.support import at, badge, catalog, count, new_database

pytestmark = pytest.mark.anyio

SUNDAY, MONDAY = at("2026-01-11T23:50"), at("2026-01-12T00:10")
START = at("2026-01-12T08:00")  # both weeks take events


def rules(**more: Any) -> Catalog:
    return catalog(
        **{
            "metrics": {"m": {"kind": "sum", "events": ["m"]}},
            "badges": [badge("ten", 100, metric="m", at_least=10)],
            "leaderboards": [{"id": "week", "period": "week"}],
            **more,
        }
    )


CAPPED = rules(badges=[], points=[{"id": "m", "events": ["m"], "amount": 1, "per": "quantity", "cap_per_day": 7}])


async def weeks(laurels: Laurels) -> dict[str, int]:
    """Ada's points in each of the two weeks."""
    pages = [await laurels.leaderboard("week", week) for week in ("2026-W02", "2026-W03")]
    return {page.period.key: line.score for page in pages for line in page.standings}


@asynccontextmanager
async def sent(database: str, of: Catalog, events: Sequence[tuple[datetime, int]]) -> AsyncIterator[Place]:
    """A place where these events arrived, a minute apart."""
    async with place(of, start=START, database=database) as here:
        for when, quantity in events:
            await here.send(when.isoformat(), "m", when, quantity=quantity)
            here.clock.advance(seconds=60)
        yield here


@pytest.mark.parametrize("order", [*permutations([(SUNDAY, 5), (MONDAY, 5)])], ids=["in order", "out of order"])
async def test_the_event_that_completes_a_badge_in_order_of_occurrence_picks_its_week(
    database: str, order: Sequence[tuple[datetime, int]]
) -> None:
    async with sent(database, rules(), order) as here:
        assert await weeks(here.laurels) == {"2026-W03": 100}
        (line,) = (await here.laurels.leaderboard()).standings
        assert line.reached_at == MONDAY
        why = await here.laurels.explain("ada", "ten")
        assert why.event
        assert (why.event.id, why.earned_at) == (MONDAY.isoformat(), MONDAY)
        (earned,) = (await here.laurels.profile("ada", include=["earned"])).earned
        assert (earned.badge, earned.earned_at, earned.event_id) == ("ten", MONDAY, MONDAY.isoformat())
        assert earned.awarded_at > START
        (award,) = [one for entry in (await here.laurels.history("ada")).entries for one in entry.awards]
        assert award.earned_at == MONDAY


async def test_a_late_event_moves_a_badge_between_open_weeks(database: str) -> None:
    earlier = SUNDAY - timedelta(hours=1)
    async with sent(database, rules(), [(SUNDAY, 5), (MONDAY, 5), (earlier, 5)]) as here:
        assert await weeks(here.laurels) == {"2026-W02": 100}
        assert (await here.laurels.leaderboard()).standings[0].reached_at == SUNDAY
        entries = (await here.laurels.history("ada")).entries
        assert [[one.amount for one in entry.points] for entry in entries] == [[], [100], []]
        await here.admin.reverse("ada", earlier.isoformat(), "a mistake", "a test")
        assert await weeks(here.laurels) == {"2026-W03": 100}
        await here.admin.undo("ada", f"reversal:{earlier.isoformat()}")
        assert await weeks(here.laurels) == {"2026-W02": 100}


async def test_a_badge_of_a_closed_week_counts_for_all_time_only(database: str) -> None:
    tuesday = MONDAY + timedelta(days=1)
    async with sent(database, rules(), [(SUNDAY, 5)]) as here:
        here.clock.set(tuesday)  # the week of Sunday has closed
        await here.send("late", "m", SUNDAY - timedelta(hours=1), quantity=5)
        assert await weeks(here.laurels) == {}
        assert await here.points() == 100
        assert (await here.laurels.explain("ada", "ten")).earned_at == SUNDAY


async def test_a_late_event_moves_no_points_that_were_counted_in_another_week(database: str) -> None:
    async with sent(database, rules(), [(SUNDAY, 5), (MONDAY, 5)]) as here:
        here.clock.set(MONDAY + timedelta(days=1))
        await here.send("late", "m", SUNDAY - timedelta(hours=1), quantity=5)
        assert await weeks(here.laurels) == {"2026-W03": 100}
        assert (await here.laurels.explain("ada", "ten")).earned_at == SUNDAY


@pytest.mark.parametrize("order", [*permutations([(SUNDAY, 5), (MONDAY, 5)])], ids=["in order", "out of order"])
async def test_a_cap_is_used_up_in_order_of_occurrence_across_a_boards_midnight(
    database: str, order: Sequence[tuple[datetime, int]]
) -> None:
    async with place(CAPPED, start=START, database=database) as here:
        await here.laurels.update_user("ada", time_zone="America/New_York")  # both are of Sunday there
        for when, quantity in order:
            await here.send(when.isoformat(), "m", when, quantity=quantity)
        assert await weeks(here.laurels) == {"2026-W02": 5, "2026-W03": 2}
        assert await here.points() == 7
        await here.admin.reverse("ada", SUNDAY.isoformat(), "a mistake", "a test")
        assert await weeks(here.laurels) == {"2026-W03": 5}
        await here.admin.undo("ada", f"reversal:{SUNDAY.isoformat()}")
        assert await weeks(here.laurels) == {"2026-W02": 5, "2026-W03": 2}


@pytest.mark.parametrize("kind", ["sqlite-memory", "postgresql"])
async def test_many_late_events_in_one_request_are_put_in_order_once(kind: str) -> None:
    instants = [MONDAY - timedelta(minutes=index) for index in range(60)]
    with new_database(kind) as database:
        async with place(rules(), start=START, database=database) as here:
            await here.laurels.record_many([Event("ada", f"e{n}", "m", when) for n, when in enumerate(instants)])
            tenth = sorted(instants)[9]
            assert (await here.laurels.explain("ada", "ten")).earned_at == tenth
            assert await weeks(here.laurels) == {"2026-W02": 100}


# ---- who was first ----------------------------------------------------------------------------


def paying(amount: int = 1, **more: Any) -> Catalog:
    return catalog(
        metrics={"m": {"kind": "sum", "events": ["m"]}},
        points=[{"id": "m", "events": ["m"], "amount": amount, "per": "quantity", "past": "recompute"}],
        leaderboards=[{"id": "week", "period": "week"}, {"id": "ma", "by": "metric", "of": "m"}],
        **more,
    )


async def order_on(here: Place, *boards: str) -> list[list[tuple[str, str]]]:
    return [
        [(line.user_id, f"{line.reached_at:%H:%M}") for line in (await here.laurels.leaderboard(board)).standings]
        for board in boards
    ]


async def test_what_was_taken_back_and_what_a_catalog_pays_sort_no_tie_again(database: str) -> None:
    def on(hour: int, minute: int = 0) -> datetime:
        return at("2026-01-06").replace(hour=hour, minute=minute)

    async def send(here: Place, user: str, name: str, quantity: int, when: datetime) -> None:
        here.clock.set(when)
        await here.laurels.record(Event(user, name, "m", when, quantity=quantity))

    boards, first = ("points", "week", "ma"), [("ada", "10:00"), ("bob", "10:05")]
    async with place(paying(), start=at("2026-01-06T09:00"), database=database) as here:
        await send(here, "ada", "1", 50, on(10))
        await send(here, "bob", "1", 50, on(10, 5))
        await send(here, "ada", "2", 7, on(11))
        here.clock.set(on(11, 5))
        await here.admin.reverse("ada", "2", "a mistake", "a test")
        assert await order_on(here, *boards) == [first] * 3
        await here.admin.adjust("bob", "a", "points", {"amount": 5}, "a gift", "a test")
        here.clock.advance(seconds=300)
        await here.admin.undo("bob", "a")
        assert await order_on(here, *boards) == [first] * 3
        more = paying(2, badges=[badge("m50", 9, metric="m", at_least=50)])
        other = Place(
            Laurels(here.laurels.store, more, clock=here.clock, on_difference="apply"), here.admin, here.clock
        )
        for user in ("bob", "ada"):
            here.clock.advance(seconds=300)
            await other.laurels.profile(user)
        assert await order_on(other, *boards) == [first] * 3
        (earned,) = (await other.laurels.profile("bob", include=["earned"])).earned
        assert (earned.earned_at, earned.event_id) == (on(10, 5), None)
        for user in ("bob", "ada"):
            await here.laurels.profile(user)


async def test_points_that_only_a_new_catalog_pays_were_reached_with_the_newest_event_that_pays(database: str) -> None:
    async with place(catalog(metrics={"m": count("m")}), start=START, database=database) as here:
        await here.send("e", "m", SUNDAY)
        other = Laurels(here.laurels.store, paying(), clock=here.clock, on_difference="apply")
        await other.profile("ada")
        (line,) = (await other.leaderboard()).standings
        assert (line.score, line.reached_at) == (1, SUNDAY)
        await here.laurels.profile("ada")


async def test_after_a_rename_a_late_event_still_moves_the_points_of_the_badge_that_it_decides(database: str) -> None:
    new_name = rules(badges=[{**badge("decade", 100, metric="m", at_least=10), "was": "ten"}])
    async with sent(database, rules(), [(MONDAY, 10)]) as here:
        await here.admin.apply_catalog(new_name, "because", "a test")
        await here.send("late", "m", SUNDAY, quantity=10)

        assert await weeks(here.laurels) == {"2026-W02": 100}
        (award,) = await here.laurels.store.awards("ada")
        assert (award.badge, award.event_id) == ("decade", "late")
        await check_stored(here.laurels)
