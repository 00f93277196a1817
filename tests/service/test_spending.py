"""Earned points and the balance: a spend lowers only the balance; conditions, levels and ranks go by what was earned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from laurels.engine.events import Event
from laurels.errors import AdjustmentConflict, AdjustmentRefused, InvalidInput
from laurels.present.changes import NumberChange
from laurels.service.admin import Admin
from laurels.service.blocking import BlockingLaurels
from laurels.service.laurels import Laurels
from tests.service.test_history import Place, check_stored, place
from tests.support import LASTING_ENGINES, badge, catalog, sql

pytestmark = pytest.mark.anyio

RULES = catalog(
    points=[{"id": "buy", "events": ["buy"], "amount": 1, "per": "quantity"}],
    badges=[badge("p100", 10, points_of=100)],
    leaderboards=[{"id": "week", "period": "week"}],
)


@pytest.fixture
async def home(database: str) -> AsyncIterator[Place]:
    async with place(RULES, database=database) as one:
        yield one


async def buy(home: Place, name: str, quantity: int) -> None:
    await home.send(name, "buy", quantity=quantity)


async def spend(home: Place, amount: int, name: str = "s") -> Any:
    return await home.adjust(name, "points", amount=amount, spend=True)


async def numbers(home: Place) -> tuple[int, int | None]:
    """The points that were earned, and the balance."""
    profile = await home.laurels.profile("ada", include=["balance"])
    return profile.points, profile.balance


async def test_a_spend_lowers_the_balance_only_and_undoing_it_restores_the_balance(home: Place) -> None:
    await buy(home, "1", 150)
    before = await home.laurels.profile("ada")
    spent = await spend(home, 80)
    assert (spent.points, spent.balance) == (None, NumberChange(before=160, after=80))
    assert await numbers(home) == (160, 80)
    assert await home.laurels.profile("ada") == before
    assert (await home.laurels.leaderboard("week")).standings[0].score == 160
    assert (await home.laurels.leaderboard("points")).standings[0].score == 160
    undone = await home.admin.undo("ada", "s")
    assert (undone.status, undone.points, undone.balance) == ("undone", None, NumberChange(before=80, after=160))
    assert await numbers(home) == (160, 160)
    assert (await home.admin.undo("ada", "s")).duplicate


async def test_more_than_the_balance_is_refused_and_nothing_is_stored(home: Place) -> None:
    await buy(home, "1", 50)
    await spend(home, 30, "first")
    with pytest.raises(AdjustmentRefused, match="the balance is 20, which is less than 21; spend at most 20"):
        await spend(home, 21)
    assert (await numbers(home), len((await home.laurels.history("ada")).entries)) == ((50, 20), 2)
    await spend(home, 20)
    with pytest.raises(AdjustmentRefused, match="points must be earned first"):
        await spend(home, 1, "more")


@pytest.mark.parametrize(
    "data", [{"amount": -5, "spend": True}, {"amount": 5, "spend": "yes"}, {"amount": 5, "spend": 1}]
)
async def test_a_spend_that_makes_no_sense_is_refused(home: Place, data: dict[str, Any]) -> None:
    await buy(home, "1", 50)
    with pytest.raises(InvalidInput):
        await home.adjust("s", "points", **data)
    assert await numbers(home) == (50, 50)


async def test_a_spend_counts_once_under_its_id(home: Place) -> None:
    await buy(home, "1", 50)
    await spend(home, 30)
    assert (await spend(home, 30)).duplicate
    for other in ({"amount": 30}, {"amount": 30, "spend": False}, {"amount": 20, "spend": True}):
        with pytest.raises(AdjustmentConflict):
            await home.adjust("s", "points", **other)
    assert await numbers(home) == (50, 20)


async def test_a_flag_that_is_off_is_the_same_as_one_that_is_left_out(home: Place) -> None:
    await buy(home, "1", 50)
    await home.adjust("a", "points", amount=5)
    assert (await home.adjust("a", "points", amount=5, spend=False)).duplicate


async def test_a_correction_lowers_both_and_cannot_take_what_was_not_earned(home: Place) -> None:
    await buy(home, "1", 60)
    await spend(home, 50)
    result = await home.adjust("c", "points", amount=-20)
    assert (result.points, result.balance) == (NumberChange(before=60, after=40), NumberChange(before=10, after=-10))
    with pytest.raises(AdjustmentRefused, match="it would leave -1 points; use an amount from -40"):
        await home.adjust("c2", "points", amount=-41)
    assert await numbers(home) == (40, -10)


async def test_a_reversal_may_leave_a_negative_balance_and_nothing_is_spent_until_it_is_positive(home: Place) -> None:
    await buy(home, "1", 60)
    await buy(home, "2", 30)
    await spend(home, 80)
    reversal = await home.admin.reverse("ada", "1", "because", "a test")
    assert (reversal.points, reversal.balance) == (
        NumberChange(before=90, after=30),
        NumberChange(before=10, after=-50),
    )
    with pytest.raises(AdjustmentRefused, match="the balance is -50"):
        await spend(home, 1, "more")
    await buy(home, "3", 52)
    await spend(home, 2, "more")
    assert await numbers(home) == (82, 0)


async def test_who_spent_keeps_a_badge_that_others_keep_and_loses_one_that_others_lose(home: Place) -> None:
    await buy(home, "1", 130)
    await buy(home, "2", 10)
    await spend(home, 50)
    await home.admin.reverse("ada", "2", "because", "a test")
    assert (await home.badges(), await numbers(home)) == (["p100"], (140, 90))
    await spend(home, 90, "all")
    result = await home.admin.reverse("ada", "1", "because", "a test")
    assert (result.revoked, await home.badges(), await numbers(home)) == (["p100"], [], (0, -140))


async def test_a_badge_that_a_correction_left_without_its_points_is_not_lost_by_the_next_reversal(
    database: str,
) -> None:
    """Before and after the reversal are both read without the badge's own points: 80 and 79 of 100."""
    rules = catalog(
        points=[{"id": "buy", "events": ["buy"], "amount": 1, "per": "quantity"}],
        badges=[badge("p100", 30, points_of=100)],
    )
    async with place(rules, database=database) as home:
        await buy(home, "1", 99)
        await buy(home, "2", 1)
        await home.adjust("c", "points", amount=-20)
        assert (await home.badges(), await home.points()) == (["p100"], 110)
        result = await home.admin.reverse("ada", "2", "because", "a test")
        assert (result.revoked, await home.badges(), await home.points()) == ((), ["p100"], 109)
        await check_stored(home.laurels)


async def test_a_spend_and_a_later_event_leave_who_was_first_on_a_board_first(home: Place) -> None:
    await buy(home, "1", 50)
    home.clock.advance(hours=1)
    await home.laurels.record(Event("bob", "1", "buy", quantity=50))
    home.clock.advance(hours=1)
    await spend(home, 20)
    for board in ("points", "week"):
        assert [line.user_id for line in (await home.laurels.leaderboard(board)).standings] == ["ada", "bob"]


async def test_a_spend_whose_ledger_entry_was_lost_is_found_and_repaired(database: str) -> None:
    async with place(RULES, database=database) as home:
        await buy(home, "1", 50)
        await spend(home, 30)
        await sql(home.laurels.store, "DELETE FROM ledger WHERE reason = 'spend' RETURNING 1")
        (found,) = await home.admin.verify("ada")
        assert (found.what, found.stored, found.rebuilt) == ("spends in the ledger", "0", "30")
        assert await home.admin.rebuild("ada")
        assert await numbers(home) == (50, 20)


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_spends_at_once_from_several_processes_never_overdraw(database: str) -> None:
    async with AsyncExitStack() as stack:
        many = [await stack.enter_async_context(Laurels.open(database, RULES)) for _ in range(3)]
        await many[0].record(Event("ada", "1", "buy", quantity=95))

        async def one_spend(laurels: Laurels, name: str) -> bool:
            try:
                data = {"amount": 10, "spend": True}
                return not (await Admin(laurels).adjust("ada", name, "points", data, "a prize", "a test")).duplicate
            except AdjustmentRefused:
                return False

        names = [f"s{number}" for number in range(12)]
        done = await asyncio.gather(*(one_spend(laurels, name) for laurels in many for name in names))
        assert sum(done) == 9
        profile = await many[1].profile("ada", include=["balance"])
        assert (profile.points, profile.balance) == (95, 5)
        await check_stored(many[0])


async def test_the_blocking_library_spends_and_shows_the_balance() -> None:
    def at_a_shop() -> tuple[int, int | None]:
        with BlockingLaurels("sqlite://", RULES) as laurels:
            laurels.record(Event("ada", "1", "buy", quantity=50))
            laurels.admin.adjust("ada", "s", "points", {"amount": 20, "spend": True}, "a prize", "a test")
            profile = laurels.profile("ada", include=["balance"])
            return profile.points, profile.balance

    assert await asyncio.to_thread(at_a_shop) == (50, 30)
