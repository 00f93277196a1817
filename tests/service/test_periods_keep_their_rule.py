"""A period has its own bounds and rule: a new catalog rewrites nothing that was closed, and mixes nothing that is live."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.ranking import Move
from laurels.service.admin import Admin
from laurels.service.closed_lines import database_differences, fix_database, fix_lines
from laurels.service.laurels import Laurels
from laurels.service.revisions import Proposal
from laurels.storage.codec import to_micros
from laurels.storage.contract import ClosedPeriodRow, Principal, Store
from laurels.testing import TestClock
from tests.support import at, catalog, count, sql
from tests.support.arena import fixed

pytestmark = pytest.mark.anyio

WEDNESDAY = at("2026-11-18T12:00")
"""In the week 2026-W47 from Monday 16, or from Sunday 15."""


def rules(board: dict[str, Any], **more: Any) -> Catalog:
    return catalog(
        metrics={"m": {"kind": "sum", "events": ["m"]}, "n": count("m")},
        points=[{"id": "m", "events": ["m"], "amount": 1, "per": "quantity"}],
        leaderboards=[{"id": "b", **board}],
        **more,
    )


@asynccontextmanager
async def opened(database: str, of: Catalog, clock: TestClock) -> AsyncIterator[Laurels]:
    async with Laurels.open(database, of, clock=clock, on_difference="apply") as laurels:
        yield laurels


async def send(laurels: Laurels, user: str, quantity: int, when: datetime) -> None:
    await laurels.record(Event(user, f"{user}-{when.isoformat()}", "m", when, quantity))


async def put_in_force(laurels: Laurels, of: Catalog) -> None:
    await laurels.rules.apply(Proposal(of, await laurels.now(), "a test", "because", Principal("library", "")))


async def lines(laurels: Laurels, period: str = "current", board: str = "b") -> list[tuple[int, str, int]]:
    page = await laurels.leaderboard(board, period)
    return [(line.rank, line.user_id, line.score) for line in page.standings]


async def differences(laurels: Laurels) -> list[tuple[str, str]]:
    admin = Admin(laurels)
    found = [one async for user_id in admin.users() for one in await admin.verify(user_id)]
    return [(one.user_id, one.what) for one in (*found, *await database_differences(laurels.core))]


async def rebuilt(laurels: Laurels) -> None:
    admin = Admin(laurels)
    async for user_id in admin.users():
        await admin.rebuild(user_id)
    await fix_database(laurels.core)
    assert await laurels.store.wrong_tallies() == 0
    assert await differences(laurels) == []


def season(name: str, year: int) -> dict[str, Any]:
    days = {"first": date(year, 6, 1), "last": date(year, 8, 31)}
    return {"period": "season", "seasons": [{"name": name, **days}]}


LASTING = pytest.mark.parametrize("engine", ["sqlite-file", "postgresql"])


@LASTING
async def test_a_season_with_the_name_of_a_closed_one_is_another_season(database: str) -> None:
    clock = TestClock(at("2026-07-01"))
    async with opened(database, rules(season("Summer", 2026)), clock) as laurels:
        await send(laurels, "ada", 5, clock.now)
        clock.set(at("2026-09-05"))
        assert await lines(laurels, "Summer") == [(1, "ada", 5)]
    clock.set(at("2027-07-01"))
    async with opened(database, rules(season("Summer", 2027)), clock) as laurels:
        for user in ("ada", "bob"):
            await send(laurels, user, 3, clock.now)
        assert await lines(laurels) == [(1, "ada", 3), (2, "bob", 3)]
        assert (await laurels.leaderboard("b")).period.key == "Summer~2027-06-01"
        page = await laurels.leaderboard("b", "Summer")
        assert (page.period.start, page.period.end, page.period.status) == (
            at("2026-06-01"),
            at("2026-09-01"),
            "closed",
        )
        assert await lines(laurels, "Summer") == [(1, "ada", 5)]
        assert await differences(laurels) == []
        clock.set(at("2027-09-05"))
        await laurels.close_periods()
        assert [row.period for row in (await laurels.closings("b")).closings] == ["Summer~2027-06-01", "Summer"]
        assert await lines(laurels, "previous") == await lines(laurels, "Summer~2027-06-01")
    async with opened(database, rules(season("Summer", 2026)), clock) as laurels:
        assert await lines(laurels, "Summer") == [(1, "ada", 5)]
        assert await lines(laurels, "Summer~2027-06-01") == [(1, "ada", 3), (2, "bob", 3)]


@LASTING
async def test_a_week_that_begins_on_another_day_shows_no_one_of_last_week(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    async with opened(database, rules({"period": "week"}), clock) as laurels:
        await send(laurels, "ada", 5, clock.now)
        await send(laurels, "bob", 4, clock.now)
        clock.set(at("2026-11-15T12:00"))  # the Sunday that ends the week
        await send(laurels, "bob", 7, clock.now)
        clock.set(WEDNESDAY)
        await send(laurels, "cyd", 1, clock.now)
        before = await laurels.leaderboard("b", "previous")
        assert [(line.user_id, line.score) for line in before.standings] == [("bob", 11), ("ada", 5)]
    async with opened(database, rules({"period": "week", "week_starts": "sun"}), clock) as laurels:
        await laurels.period_rules.recompute()
        assert await lines(laurels) == [(1, "bob", 7), (2, "cyd", 1)]
        for period in ("previous", "2026-W46"):
            after = await laurels.leaderboard("b", period)
            assert (after.period, fixed(after)) == (before.period, fixed(before))
        await send(laurels, "ada", 2, at("2026-11-15T11:00"))
        assert await lines(laurels) == [(1, "bob", 7), (2, "ada", 2), (3, "cyd", 1)]
        assert fixed(await laurels.leaderboard("b", "2026-W46")) == fixed(before)
        assert (await laurels.closings("b")).closings[0].start == at("2026-11-09")
        await rebuilt(laurels)


@LASTING
async def test_a_closed_week_keeps_its_order_and_a_live_one_is_right_or_says_that_it_is_not(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    scores = {"ada": 5000, "bob": 40, "cyd": 7}
    async with opened(database, rules({"period": "week", "ties": "shared"}), clock) as laurels:
        for when in (clock.now, WEDNESDAY):
            clock.set(when)
            for user, score in scores.items():
                await send(laurels, user, score, when)
        closed = await laurels.leaderboard("b", "previous")
        assert [line.score for line in closed.standings] == [5000, 40, 7]
    turned = rules({"period": "week", "order": "lowest", "by": "metric", "of": "m"})
    async with opened(database, turned, clock) as laurels:
        await laurels.period_rules.stop()
        assert (await laurels.leaderboard("b")).recomputing
        after = await laurels.leaderboard("b", "previous")
        assert (fixed(after), after.board.order, after.board.ties) == (fixed(closed), "highest", "shared")
        assert not after.recomputing
        await send(laurels, "bob", 1, clock.now + timedelta(seconds=1))
        await laurels.period_rules.recompute()
        page = await laurels.leaderboard("b")
        assert not page.recomputing
        assert [(line.user_id, line.score) for line in page.standings] == [("cyd", 7), ("bob", 41), ("ada", 5000)]
        assert await differences(laurels) == []
    async with opened(database, turned, clock) as laurels:
        assert not (await laurels.leaderboard("b")).recomputing
        assert fixed(await laurels.leaderboard("b", "2026-W46")) == fixed(closed)


@LASTING
async def test_a_period_of_a_kind_that_the_catalog_no_longer_has_can_still_be_read(database: str) -> None:
    clock = TestClock(at("2026-11-11T12:00"))
    async with opened(database, rules({"period": "week"}), clock) as laurels:
        await send(laurels, "ada", 5, clock.now)
        clock.set(WEDNESDAY)
        await laurels.close_periods()
    async with opened(database, rules({"period": "month", "by": "metric", "of": "n"}), clock) as laurels:
        page = await laurels.leaderboard("b", "2026-W46")
        assert [(line.user_id, line.score) for line in page.standings] == [("ada", 5)]
        assert (page.board.by, page.period.start) == ("points", at("2026-11-09"))
        await laurels.period_rules.recompute()
        assert await lines(laurels) == [(1, "ada", 1)]


# ---- planted by hand --------------------------------------------------------------------------


@pytest.fixture
async def old(database: str) -> AsyncIterator[tuple[Laurels, TestClock]]:
    """A closed week and a closed season, as an older version stored them: without bounds and rules."""
    clock = TestClock(at("2026-07-01"))
    both = [{"id": "b", "period": "week"}, {"id": "cup", **season("Summer", 2026)}]
    of = catalog(points=[{"id": "m", "events": ["m"], "amount": 1, "per": "quantity"}], leaderboards=both)
    async with opened(database, of, clock) as laurels:
        for user, quantity in (("ada", 5000), ("bob", 40), ("cyd", 7)):
            await send(laurels, user, quantity, clock.now)
        clock.set(at("2026-09-05"))
        await laurels.close_periods()
        await forget_rules(laurels)
        yield laurels, clock


async def forget_rules(laurels: Laurels) -> None:
    statement = "UPDATE closings SET starts_at = NULL, ends_at = NULL, rule = NULL RETURNING 1"
    assert await sql(laurels.store, statement)


async def test_an_older_database_without_faults_has_no_differences(old: tuple[Laurels, TestClock]) -> None:
    laurels, _ = old
    before = [await lines(laurels, "2026-W27"), await lines(laurels, "Summer", "cup")]
    await laurels.period_rules.apply()
    assert await differences(laurels) == []
    await rebuilt(laurels)
    assert [await lines(laurels, "2026-W27"), await lines(laurels, "Summer", "cup")] == before
    assert before[0] == [(1, "ada", 5000), (2, "bob", 40), (3, "cyd", 7)]


@pytest.mark.parametrize("known", [True, False], ids=["catalog of 2026", "catalog of 2027"])
async def test_verify_finds_lines_of_another_year_in_a_closed_season(
    old: tuple[Laurels, TestClock], known: bool
) -> None:
    laurels, clock = old
    clock.set(at("2027-07-01"))
    for user in ("bob", "dan"):
        await send(laurels, user, 3, clock.now)
    at_now = to_micros(clock.now)
    line = f"('dan', 'cup', 'Summer', -3, {at_now})"
    await sql(
        laurels.store, f"INSERT INTO standings (user_id, board, period, sort_key, reached_at) VALUES {line} RETURNING 1"
    )
    changed = f"UPDATE standings SET sort_key = -3, reached_at = {at_now} WHERE board = 'cup' AND user_id = 'bob'"
    await sql(laurels.store, f"{changed} RETURNING 1")
    await laurels.store.rebuild_tallies()
    if not known:
        other = [{"id": "b", "period": "week"}, {"id": "cup", **season("Summer", 2027)}]
        of = catalog(points=[{"id": "m", "events": ["m"], "amount": 1, "per": "quantity"}], leaderboards=other)
        await put_in_force(laurels, of)
    await laurels.period_rules.apply()
    found = await differences(laurels)
    assert {("bob", "closed period"), ("dan", "closed period")} <= set(found)
    assert (("", "closed period") in found) == (not known)
    await rebuilt(laurels)
    whole = [(1, "ada", 5000), (2, "bob", 40), (3, "cyd", 7)]
    assert await lines(laurels, "Summer", "cup") == (whole if known else [(1, "ada", 5000), (2, "cyd", 7)])


async def test_verify_finds_scores_that_a_closed_week_got_from_another_week(old: tuple[Laurels, TestClock]) -> None:
    laurels, _ = old
    await laurels.period_rules.apply()
    statement = "UPDATE standings SET sort_key = -4000 WHERE board = 'b' AND period = '2026-W27' AND user_id = 'cyd'"
    await sql(laurels.store, f"{statement} RETURNING 1")
    assert await differences(laurels) == [("cyd", "closed period")]
    await laurels.store.rebuild_tallies()
    await rebuilt(laurels)
    assert await lines(laurels, "2026-W27") == [(1, "ada", 5000), (2, "bob", 40), (3, "cyd", 7)]


async def test_verify_finds_a_closed_week_that_the_catalog_would_turn_round(old: tuple[Laurels, TestClock]) -> None:
    laurels, _ = old
    turned = [{"id": "b", "period": "week", "order": "lowest"}, {"id": "cup", **season("Summer", 2026)}]
    points = [{"id": "m", "events": ["m"], "amount": 1, "per": "quantity"}]
    await put_in_force(laurels, catalog(points=points, leaderboards=turned))
    await laurels.period_rules.apply()
    whole = [(1, "ada", 5000), (2, "bob", 40), (3, "cyd", 7)]
    assert await lines(laurels, "2026-W27") == whole
    assert await differences(laurels) == [("", "closed period")]
    await sql(laurels.store, "UPDATE standings SET sort_key = 40 WHERE board = 'b' AND user_id = 'bob' RETURNING 1")
    assert ("bob", "closed period") in await differences(laurels)
    await laurels.store.rebuild_tallies()
    await rebuilt(laurels)
    assert await lines(laurels, "2026-W27") == whole


async def test_a_correction_does_not_bring_back_a_user_who_was_erased_meanwhile(
    old: tuple[Laurels, TestClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    laurels, _ = old
    await laurels.period_rules.apply()
    where = "board = 'b' AND period = '2026-W27' AND user_id = 'cyd'"
    await sql(laurels.store, f"UPDATE standings SET sort_key = -4000 WHERE {where} RETURNING 1")
    correct = type(laurels.store).correct_standings

    async def erase_first(store: Store, moves: Sequence[Move]) -> None:
        await laurels.erase_user("cyd")
        await correct(store, moves)

    monkeypatch.setattr(type(laurels.store), "correct_standings", erase_first)
    assert await fix_lines(laurels.core, "cyd")
    assert await sql(laurels.store, "SELECT 1 FROM standings WHERE user_id = 'cyd'") == []
    assert [line[0] for line in await lines(laurels, "2026-W27")] == [
        1,
        3,
    ]  # the erased user leaves the place as it was


async def test_verify_finds_who_is_not_first_and_lines_without_a_user(old: tuple[Laurels, TestClock]) -> None:
    laurels, clock = old
    await laurels.period_rules.apply()
    later = to_micros(clock.now + timedelta(days=1))
    for table in ("users", "standings"):
        where = "board = 'points' AND user_id = 'ada'" if table == "standings" else "user_id = 'ada'"
        await sql(laurels.store, f"UPDATE {table} SET reached_at = {later} WHERE {where} RETURNING 1")
    assert await differences(laurels) == [("ada", "reached_at")]
    planted = (
        "INSERT INTO standings (user_id, board, period, sort_key, reached_at) VALUES ('gone', 'b', '2026-W27', -1, 5)"
    )
    await sql(laurels.store, f"{planted} RETURNING 1")
    assert ("gone", "standings") in await differences(laurels)
    await laurels.store.rebuild_tallies()
    await rebuilt(laurels)


async def test_a_closing_stores_its_bounds_and_its_rule(old: tuple[Laurels, TestClock]) -> None:
    laurels, _ = old
    await laurels.period_rules.apply()
    (row,) = [one for one in await laurels.store.all_closings() if one.board == "b"]
    assert isinstance(row, ClosedPeriodRow)
    assert (row.starts_at, row.ends_at) == (at("2026-06-29"), at("2026-07-06"))
    assert row.rule
    assert '"order":"highest"' in row.rule
    assert row.closed_at.tzinfo == UTC
