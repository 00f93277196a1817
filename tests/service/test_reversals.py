"""Reversing many events in one call: as one after the other, each with its own result, and safe to repeat."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import AdjustmentNotFound, InvalidInput, LaurelsError, UserErased, UserNotFound
from laurels.present.adjustments import ReversalResult
from laurels.present.events import EventResult
from laurels.service import group_commit
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import sandbox
from tests.support import badge, catalog, check_ledgers, check_tallies, count, sql

pytestmark = pytest.mark.anyio

WHO = ("sent by a script", "anna")


def rules() -> Catalog:
    return catalog(
        metrics={"messages": count("message"), "days": {"kind": "distinct_days", "events": ["message"]}},
        streaks={"login": {"events": ["login"]}},
        points=[
            {"id": "message", "events": ["message"], "amount": 10},
            {"id": "like", "events": ["like"], "amount": 7, "cap_per_day": 20},
            {"id": "login", "events": ["login"], "amount": 5, "cap_per_day": 5},
        ],
        badges=[
            badge("two", 50, metric="messages", at_least=2),
            badge("rich", 30, points_of=100),
            badge("both", 5, all_of=[{"has_badge": "two"}, {"has_badge": "rich"}]),
        ],
        leaderboards=[
            {"id": "points", "name": "Points", "by": "points"},
            {"id": "weekly", "name": "Weekly", "by": "points", "period": "week"},
        ],
    )


@pytest.fixture
async def laurels(database: str) -> AsyncIterator[Laurels]:
    async with sandbox(rules(), database=database) as (one, _):
        yield one
        for user_id in [user_id for (user_id,) in await sql(one.store, "SELECT user_id FROM users")]:
            assert await Admin(one).verify(user_id) == []
        await check_tallies(one.store)
        await check_ledgers(one.store)


async def fill(laurels: Laurels, *users: str, events: int = 30) -> None:
    dice = random.Random(7)
    now = await laurels.now()
    for number in range(events):
        kind = dice.choice(("message", "like", "login"))
        day = now.replace(hour=dice.randrange(12)) - (now - now.replace(day=1)) * dice.random()
        for user_id in users:
            await laurels.record(Event(user_id, f"e{number}", kind, day, quantity=dice.choice((1, 1, 2))))


def statuses(results: Sequence[ReversalResult | LaurelsError]) -> list[Any]:
    return [one.status if isinstance(one, ReversalResult) else type(one) for one in results]


async def state(laurels: Laurels, user_id: str) -> Any:
    """What must not depend on how the events were reversed."""
    user = await laurels.store.user(user_id)
    snapshot = await laurels.store.user_snapshot(user_id)
    assert user
    assert snapshot
    taken = {(row.ref, row.amount, row.counts_at) for row in snapshot.ledger if row.reason == "reversal"}
    progress = user.progress
    reversed_events = {row.event.id for row in snapshot.events if row.reversed_by is not None}
    return (
        (progress.points, progress.badges, progress.totals, progress.days, progress.capped, progress.scores),
        snapshot.standings.keys(),
        (taken, reversed_events, sorted(row.adjustment_id for row in snapshot.adjustments)),
    )


@pytest.mark.parametrize("seed", range(3))
async def test_many_at_once_lead_to_the_state_of_one_after_the_other(laurels: Laurels, seed: int) -> None:
    await fill(laurels, "ada", "bob")
    names = [f"e{number}" for number in range(30)]
    chosen = random.Random(seed).sample(names, 12)
    admin = Admin(laurels)

    for name in chosen:
        await admin.reverse("ada", name, *WHO)
    results = await admin.reverse_many([("bob", name) for name in chosen], *WHO)

    assert statuses(results) == ["applied"] * 12
    assert await state(laurels, "bob") == await state(laurels, "ada")


async def test_what_changed_is_in_the_last_result_of_each_user(laurels: Laurels) -> None:
    for user_id in ("ada", "bob"):
        for number in range(3):
            await laurels.record(Event(user_id, f"m{number}", "message"))
    before = (await laurels.profile("ada")).points

    results = await Admin(laurels).reverse_many([("ada", "m0"), ("bob", "m0"), ("ada", "m1")], *WHO)

    first, bob, last = results
    assert isinstance(first, ReversalResult)
    assert isinstance(bob, ReversalResult)
    assert isinstance(last, ReversalResult)
    assert (first.points, first.revoked) == (None, ())
    assert bob.points
    assert bob.revoked == ()
    assert last.points
    assert (last.points.before, last.points.after, list(last.revoked)) == (before, 10, ["two"])
    assert (await laurels.profile("ada")).points == 10


async def test_repeating_it_changes_nothing(laurels: Laurels) -> None:
    await fill(laurels, "ada")
    events = [("ada", f"e{number}") for number in range(6)]
    admin = Admin(laurels)
    await admin.reverse("ada", "e1", *WHO)

    first = await admin.reverse_many([*events, events[0]], *WHO)
    once = await state(laurels, "ada")
    again = await admin.reverse_many(events, *WHO)

    assert statuses(first) == ["applied", "duplicate", *["applied"] * 4, "duplicate"]
    assert statuses(again) == ["duplicate"] * 6
    assert await state(laurels, "ada") == once


async def test_each_is_undone_by_its_own_id(laurels: Laurels) -> None:
    await fill(laurels, "ada")
    admin, before = Admin(laurels), (await laurels.profile("ada")).points
    names = [f"e{number}" for number in range(8)]
    await admin.reverse_many([("ada", name) for name in names], *WHO)

    for name in names:
        assert (await admin.undo("ada", f"reversal:{name}", *WHO)).status == "undone"

    assert (await laurels.profile("ada")).points == before


async def test_an_event_that_comes_later_is_reversed_too(laurels: Laurels) -> None:
    await fill(laurels, "ada")
    before = (await laurels.profile("ada")).points

    results = await Admin(laurels).reverse_many([("ada", "later"), ("new", "first")], *WHO)
    late = await laurels.record(Event("ada", "later", "message"))
    first = await laurels.record(Event("new", "first", "message"))

    assert statuses(results) == ["pending", "pending"]
    assert (late.reversed, first.reversed) == (True, True)
    assert (await laurels.profile("ada")).points == before


async def test_a_reversal_of_an_unknown_user_makes_none_and_waits(laurels: Laurels) -> None:
    admin = Admin(laurels)

    first = await admin.reverse("new", "later", *WHO)
    again = await admin.reverse("new", "later", *WHO)
    more = await admin.reverse_many([("new", "later"), ("new", "other"), ("new", "other")], *WHO)

    assert (first.status, again.status, statuses(more)) == (
        "pending",
        "duplicate",
        ["duplicate", "pending", "duplicate"],
    )
    assert [user async for user in admin.users()] == []
    for reading in (laurels.profile, laurels.history):
        with pytest.raises(UserNotFound):
            await reading("new")
    with pytest.raises(UserNotFound):
        await admin.adjust("new", "gift", "points", {"amount": 5}, *WHO)
    counted = await laurels.record(Event("new", "counts", "message"))
    late = await laurels.record(Event("new", "later", "message"))
    other = await laurels.record(Event("new", "other", "message"))
    assert (counted.reversed, late.reversed, other.reversed) == (False, True, True)
    assert (await laurels.profile("new")).points == 10
    assert [entry.adjustment.id for entry in (await laurels.history("new")).entries if entry.adjustment] == [
        "reversal:other",
        "reversal:later",
    ]
    assert not await admin.rebuild("new")


async def test_a_waiting_reversal_can_be_undone_and_made_again(laurels: Laurels) -> None:
    admin = Admin(laurels)
    await admin.reverse_many([("new", "a"), ("new", "b")], *WHO)

    undone = await admin.undo("new", "reversal:a", "a mistake", "anna")
    twice = await admin.undo("new", "reversal:a", "a mistake", "anna")
    await admin.undo("new", "reversal:b", "a mistake", "anna")
    again = await admin.reverse("new", "b", *WHO)
    with pytest.raises(AdjustmentNotFound):
        await admin.undo("new", "reversal:c", "a mistake", "anna")

    assert (undone.status, twice.status, again.status) == ("undone", "duplicate", "pending")
    assert [user async for user in admin.users()] == []
    both = await laurels.record_many([Event("new", "a", "message"), Event("new", "b", "message")])
    assert [one.reversed for one in both if isinstance(one, EventResult)] == [False, True]
    assert (await laurels.profile("new")).points == 10


async def test_a_user_who_is_made_otherwise_still_waits(laurels: Laurels) -> None:
    await Admin(laurels).reverse("new", "later", *WHO)

    await laurels.update_user("new", name="Nia")

    assert (await laurels.record(Event("new", "later", "message"))).reversed
    assert (await laurels.profile("new")).points == 0


async def test_erasing_an_unknown_user_erases_what_waits(laurels: Laurels) -> None:
    await Admin(laurels).reverse("new", "later", *WHO)

    await laurels.erase_user("new")

    assert await sql(laurels.store, "SELECT user_id FROM adjustments") == []
    with pytest.raises(UserErased):
        await laurels.record(Event("new", "later", "message"))


async def test_a_reversal_and_its_event_at_once_count_for_nothing(database: str) -> None:
    async with (
        sandbox(rules(), database=database) as (one, _),
        AsyncExitStack() as stack,
    ):
        other = one
        if not database.endswith("sqlite://") and ":memory:" not in database:
            other = await stack.enter_async_context(Laurels.open(database, on_difference="follow"))
        for number in range(20):
            user = f"user-{number}"
            await asyncio.gather(
                Admin(one).reverse(user, "e", *WHO),
                other.record(Event(user, "e", "message")),
                other.record(Event(user, "f", "message")),
            )
        assert [(await one.profile(f"user-{number}")).points for number in range(20)] == [10] * 20


async def test_what_is_wrong_with_one_does_not_affect_the_others(laurels: Laurels) -> None:
    await fill(laurels, "ada")
    await laurels.erase_user("gone")

    results = await Admin(laurels).reverse_many([("ada", ""), ("ada", "e0"), ("gone", "e0"), ("", "e0")], *WHO)

    assert statuses(results) == [InvalidInput, "applied", UserErased, InvalidInput]
    with pytest.raises(InvalidInput):
        await Admin(laurels).reverse_many([("ada", "e1")], "", "anna")


async def test_of_many_users_and_of_long_histories(laurels: Laurels, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [f"u{number}" for number in range(12)]
    await fill(laurels, *users, events=8)
    monkeypatch.setattr(group_commit, "LONG", 5)

    results = await Admin(laurels).reverse_many(
        [(user_id, f"e{number}") for number in range(8) for user_id in users], *WHO
    )

    assert statuses(results) == ["applied"] * 96
    assert {(await laurels.profile(user_id)).points for user_id in users} == {0}
