"""The faults of the engine that our contract comes from, each as a case of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import anyio
import apsw
import pytest

from laurels.engine.events import Event
from laurels.service.laurels import Laurels
from laurels.storage.sqlite.store import SQLiteStore
from laurels.testing import TestClock, sandbox
from tests.support import at, catalog, check_ledgers
from tests.support.app import App, event, open_app

pytestmark = pytest.mark.anyio

Opened = tuple[Laurels, TestClock]


@pytest.fixture
async def home() -> AsyncIterator[Opened]:
    async with sandbox(start=at("2026-04-01T09:00")) as opened:
        yield opened


async def earned(laurels: Laurels, user_id: str = "ada") -> set[str]:
    return {one.id for one in (await laurels.profile(user_id)).badges}


# ---- the streak -------------------------------------------------------------------------------


async def test_two_visits_a_day_for_a_month_are_a_streak_of_30(home: Opened) -> None:
    laurels, clock = home
    for _ in range(30):
        await laurels.profile("ada", login=True)
        clock.advance(hours=12)
        profile = await laurels.profile("ada", login=True)
        clock.advance(hours=12)
    assert profile.streak == 30


async def test_a_skipped_date_does_not_extend_a_streak_however_few_hours_passed(home: Opened) -> None:
    laurels, clock = home
    clock.set(at("2026-04-01T23:30"))
    await laurels.profile("ada", login=True)
    clock.set(at("2026-04-03T00:30"))
    assert (await laurels.profile("ada", login=True)).streak == 1


async def test_one_visit_a_day_at_changing_hours_extends_a_streak(home: Opened) -> None:
    laurels, clock = home
    clock.set(at("2026-04-01T00:10"))
    await laurels.profile("ada", login=True)
    clock.set(at("2026-04-02T23:50"))
    assert (await laurels.profile("ada", login=True)).streak == 2


# ---- the board --------------------------------------------------------------------------------


async def test_a_board_sorts_points_as_numbers() -> None:
    levels = [{"title": "One", "points": 0}]
    rule = {"id": "work", "events": ["work"], "amount": 1, "per": "quantity"}
    async with sandbox(catalog(levels=levels, points=[rule])) as (laurels, _):
        for points in (95, 10_000, 900):
            await laurels.record(Event(f"user-{points}", "w", "work", quantity=points))
        assert [line.points for line in (await laurels.leaderboard()).standings] == [10_000, 900, 95]
        assert [(await laurels.rank(f"user-{points}")).rank for points in (10_000, 900, 95)] == [1, 2, 3]


# ---- writing ----------------------------------------------------------------------------------


async def test_no_update_of_the_points_is_lost_with_simultaneous_events(home: Opened) -> None:
    laurels, _ = home

    async def create(index: int) -> None:
        await laurels.record(Event("ada", f"agent-{index}", "agent.created"))
        await laurels.record(Event("ada", f"message-{index}", "message.sent", quantity=2))

    async with anyio.create_task_group() as tasks:
        for index in range(50):
            tasks.start_soon(create, index)
    user = await laurels.store.user("ada")
    assert user is not None
    assert user.progress.totals == {"agents": 50, "messages": 100}
    await check_ledgers(laurels.store)


async def test_a_lost_race_for_a_badge_is_no_500_and_awards_it_once() -> None:
    async with open_app() as home:
        async with anyio.create_task_group() as tasks:
            statuses: list[int] = []
            for index in range(20):
                tasks.start_soon(send, home, index, statuses)
        assert statuses == [200] * 20
        awards = await home.laurels.store.awards("ada")
        assert [award.badge for award in awards].count("first_agent") == 1


async def send(home: App, index: int, statuses: list[int]) -> None:
    answer = await home.send(event("ada", "agent.created", f"agent-{index}"))
    statuses.append(answer.status_code)


async def test_a_retried_event_counts_once(home: Opened) -> None:
    laurels, _ = home
    for _ in range(3):
        await laurels.record(Event("ada", "agent-1", "agent.created"))
    assert (await laurels.profile("ada")).points == 50


# ---- badges -----------------------------------------------------------------------------------


async def test_ten_agents_at_once_earn_the_lower_badges_too(home: Opened) -> None:
    laurels, _ = home
    await laurels.record(Event("ada", "a", "agent.created", quantity=10))
    assert await earned(laurels) == {"first_agent", "agent_3", "agent_10"}


async def test_message_badges_can_be_earned(home: Opened) -> None:
    laurels, _ = home
    for index in range(100):
        await laurels.record(Event("ada", f"m-{index}", "message.sent"))
    assert "message_100" in await earned(laurels)


async def test_of_many_at_once_the_event_that_crosses_a_threshold_awards_its_badge(home: Opened) -> None:
    laurels, _ = home
    await laurels.record(Event("ada", "many", "message.sent", quantity=97))
    async with anyio.create_task_group() as tasks:
        for index in range(4):
            tasks.start_soon(laurels.record, Event("ada", f"m-{index}", "message.sent"))
    assert "message_100" in await earned(laurels)


# ---- cost -------------------------------------------------------------------------------------


async def statements_of(laurels: Laurels, user_id: str) -> list[tuple[str, Any]]:
    """Every statement that a visit and an event of this user run, with its values."""
    store = laurels.store
    assert isinstance(store, SQLiteStore)
    ran: list[tuple[str, Any]] = []

    def note(_: apsw.Cursor, statement: str, values: Any) -> bool:
        ran.append((statement, values))
        return True

    connection = cast(apsw.Connection, store._writer)
    connection.set_exec_trace(note)
    await laurels.profile(user_id, login=True)
    await laurels.record(Event(user_id, f"agent-{len(ran)}", "agent.created"))
    await laurels.rank(user_id)
    connection.set_exec_trace(None)
    return ran


async def test_the_statements_of_a_visit_do_not_grow_with_the_users(home: Opened) -> None:
    laurels, clock = home
    await laurels.leaderboard()  # the database's secret is read once
    counts: list[int] = []
    for users in (30, 300):  # enough that a newcomer is not among the first ranks, of which one is told
        many = [Event(f"{users}-{index}", "a", "agent.created", quantity=index % 12 + 1) for index in range(users)]
        await laurels.record_many(many)
        clock.advance(seconds=1)
        counts.append(len(await statements_of(laurels, f"new-{users}")))
    assert counts[0] == counts[1]


async def test_no_statement_of_a_visit_reads_a_whole_table(home: Opened) -> None:
    laurels, clock = home
    await laurels.record_many([Event(f"user-{index}", "a", "agent.created") for index in range(50)])
    clock.advance(seconds=1)
    store = laurels.store
    assert isinstance(store, SQLiteStore)
    for statement, values in await statements_of(laurels, "ada"):
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
            plan = [row[3] for row in store._writer.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            whole = [step for step in plan if step.startswith("SCAN") and "CONSTANT ROW" not in step]
            assert set(whole) <= {"SCAN amnesties", "SCAN catalog_revisions"}, statement  # few rows, or one of them


async def test_a_badge_is_checked_only_for_events_that_can_earn_it(home: Opened) -> None:
    laurels, _ = home
    asked = {kind: [one.id for one in rules.badges] for kind, rules in laurels.catalog.rule_indexes.items()}
    assert asked["message.sent"] == ["message_100", "message_1000"]
    assert asked["agent.created"] == ["first_agent", "agent_3", "agent_10"]


# ---- faults of others -------------------------------------------------------------------------


async def test_tied_users_stand_in_one_order_on_page_and_in_rank(home: Opened) -> None:
    laurels, clock = home
    for user_id in ("zoe", "ada", "bob"):
        await laurels.record(Event(user_id, "a", "agent.created"))
        clock.advance(seconds=1)
    board = [line.user_id for line in (await laurels.leaderboard()).standings]
    ranks = [(await laurels.rank(user_id)).rank for user_id in board]
    assert (board, ranks) == (["zoe", "ada", "bob"], [1, 2, 3])


async def test_a_retry_on_the_next_day_credits_the_day_of_the_event(home: Opened) -> None:
    laurels, clock = home
    login = Event("ada", "in", "login", clock.now)
    await laurels.record(login)
    clock.advance(days=1)
    assert (await laurels.record(login)).duplicate
    (streak,) = (await laurels.streaks("ada")).streaks
    assert (streak.total_days, streak.status) == (1, "at_risk")


async def test_no_day_is_credited_by_the_back_ends_reading(home: Opened) -> None:
    laurels, clock = home
    await laurels.profile("ada", login=True)
    clock.advance(days=1)
    assert (await laurels.profile("ada")).streak == 1
    clock.set(clock.now + timedelta(days=1))
    assert (await laurels.profile("ada")).streak == 0
