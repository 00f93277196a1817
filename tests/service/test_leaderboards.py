"""Leaderboards through all layers: each event in its own period, once, whatever comes when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.commands.events import RecordEvent
from laurels.engine.events import Event
from laurels.present.leaderboards import LeaderboardPage
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import sandbox
from tests.service.test_history import check_stored
from tests.support import KINDS, LASTING_ENGINES, at, catalog, check_tallies, count, new_database

pytestmark = pytest.mark.anyio

DAILY = catalog(
    metrics={"m": count("a"), "size": {"kind": "sum", "events": ["a"]}},
    points=[{"id": "a", "events": ["a"], "amount": 10, "per": "quantity"}],
    leaderboards=[
        {"id": "now", "period": "day", "late_hours": 0},
        {"id": "later", "by": "metric", "of": "m", "period": "day", "late_hours": 6},
    ],
)
MIDNIGHT = at("2026-01-06")


def scores(page: LeaderboardPage) -> dict[str, int]:
    return {line.user_id: line.score for line in page.standings}


def lines(page: LeaderboardPage) -> bytes:
    """The lines of a page, without the fields that show the user's current state."""
    kept = [(line.rank, line.user_id, line.score, line.reached_at) for line in page.standings]
    return msgspec.json.encode((kept, page.ranked_users, page.next))


async def test_a_late_event_counts_where_it_occurred_until_that_period_closes_and_never_after(database: str) -> None:
    async with sandbox(DAILY, start=at("2026-01-05T20:00"), database=database) as (laurels, clock):
        await laurels.record(Event("ada", "e1", "a"))
        clock.set(at("2026-01-06T05:59:59"))
        await laurels.record(Event("ada", "e2", "a", at("2026-01-05T21:00")))
        assert scores(await laurels.leaderboard("later", "2026-01-05")) == {"ada": 2}
        assert scores(await laurels.leaderboard("later")) == {}
        assert scores(await laurels.leaderboard("now", "previous")) == {"ada": 10}  # it had closed at midnight
        before = {name: lines(await laurels.leaderboard(name, "2026-01-05")) for name in ("now", "later")}
        clock.set(at("2026-01-06T06:00"))
        for late in (Event("ada", "e3", "a", at("2026-01-05T22:00")), Event("bob", "e4", "a", at("2026-01-05T22:00"))):
            await laurels.record(late)
        await laurels.update_user("ada", groups=["red"])
        assert {name: lines(await laurels.leaderboard(name, "2026-01-05")) for name in before} == before
        assert scores(await laurels.leaderboard()) == {"ada": 30, "bob": 10}  # the points are theirs all the same
        await check_stored(laurels)


async def test_what_is_taken_back_after_a_period_closed_stays_in_it(database: str) -> None:
    async with sandbox(DAILY, start=at("2026-01-05T20:00"), database=database) as (laurels, clock):
        await laurels.record(Event("ada", "e1", "a"))
        await laurels.record(Event("bob", "e1", "a", quantity=2))
        before = lines(await laurels.leaderboard("now"))
        clock.advance(days=1)
        await Admin(laurels).reverse("bob", "e1", "because", "a test")
        await Admin(laurels).rebuild("ada")
        assert lines(await laurels.leaderboard("now", "previous")) == before
        assert scores(await laurels.leaderboard()) == {"ada": 10}
        await check_stored(laurels)


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_writers_that_race_with_the_end_of_a_period_put_each_event_into_its_own(database: str) -> None:
    """Two processes, each with its recorder, accept events before, at and after midnight, all at once."""
    async with AsyncExitStack() as left:
        opened = (Laurels.open(database, DAILY, clock=lambda: MIDNIGHT + timedelta(hours=3)) for _ in range(2))
        servers = [await left.enter_async_context(one) for one in opened]
        await race(servers)


async def race(servers: Sequence[Laurels]) -> None:
    chance = random.Random(3)
    notifications = [
        MIDNIGHT + timedelta(microseconds=chance.choice([-1, 0, 1]) * chance.randint(1, 2000)) for _ in range(150)
    ]
    adjustments = [
        RecordEvent(Event(f"u{number % 7}", f"e{number}", "a"), moment)
        for number, moment in enumerate(sorted(notifications))
    ]

    async def write(number: int) -> None:
        await asyncio.sleep(chance.random() / 50)
        await servers[number % 2].group_commit.submit([adjustments[number]])

    await asyncio.gather(*map(write, range(len(adjustments))))
    expected: dict[str, dict[str, int]] = {"2026-01-05": {}, "2026-01-06": {}}
    for act in adjustments:
        of_day = expected["2026-01-05" if act.at < MIDNIGHT else "2026-01-06"]
        of_day[act.user_id] = of_day.get(act.user_id, 0) + 1
    for key, counts in expected.items():
        assert scores(await servers[0].leaderboard("later", key)) == counts
        assert scores(await servers[1].leaderboard("now", key)) == {user: 10 * many for user, many in counts.items()}
    await check_tallies(servers[0].store)


# ---- order ------------------------------------------------------------------------------------

ORDERLESS = catalog(
    metrics={
        "m": count("a"),
        "most": {"kind": "max", "events": ["a", "b"]},
        "days": {"kind": "distinct_days", "events": ["a"]},
    },
    streaks={"s": {"events": ["a", "b"]}},
    points=[{"id": "a", "events": ["a"], "amount": 3}, {"id": "b", "events": ["b"], "amount": 2, "per": "quantity"}],
    leaderboards=[
        {"id": f"{by}-{of}-{period}", "by": by, "period": period, "zone": "America/St_Johns", "late_hours": 24 * 30}
        | ({"of": of} if of else {})
        for by, of in [("points", ""), ("metric", "m"), ("metric", "most"), ("metric", "days"), ("streak", "s")]
        for period in ("all", "year", "month", "week", "day")
    ],
)
NOW = at("2026-01-10T12:00")
EVENTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 13 * 24), st.integers(1, 3), st.sampled_from(["ada", "bob"])),
    min_size=1,
    max_size=12,
)


async def deliver(kind: str, events: list[Event], sizes: list[int]) -> dict[tuple[str, str], object]:
    """All standings after events arrived in batches of these sizes."""
    with new_database(kind) as database:
        async with sandbox(ORDERLESS, start=NOW, database=database) as (laurels, clock):
            while events:
                size = sizes.pop() if sizes else 1
                await laurels.record_many(events[:size])
                events = events[size:]
                clock.advance(seconds=1)
            await check_tallies(laurels.store)
            found = [await laurels.store.user_snapshot(user) for user in ("ada", "bob")]
            return {(one.user.user_id, *key): place for one in found if one for key, place in one.standings.items()}


@settings(max_examples=25)
@given(EVENTS, st.data())
async def test_the_order_of_arrival_does_not_matter_on_any_board(
    drawn: list[tuple[str, int, int, str]], data: st.DataObject
) -> None:
    events = [
        Event(user, f"e{index}", kind, NOW - timedelta(hours=ago), many)
        for index, (kind, ago, many, user) in enumerate(drawn)
    ]
    shuffled = data.draw(st.permutations([*events, *events[:2]]))
    sizes = data.draw(st.lists(st.integers(1, 6), max_size=6))
    expected = await deliver("sqlite-memory", events, [])
    assert expected
    for kind in KINDS:
        assert await deliver(kind, shuffled, [*sizes]) == expected
