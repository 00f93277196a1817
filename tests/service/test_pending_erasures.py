"""Erasing a user after some days: hidden until then, undone until then, and erased once, whatever happens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from laurels import Admin, Catalog, ErasurePending, Laurels, Principal, Source, UserErased, UserNotFound
from laurels.engine.events import Event
from laurels.engine.metrics import REFERENCE
from laurels.errors import StoreError
from laurels.service.erasures import Erasures
from laurels.storage.contract import AuditFilter
from laurels.testing import TestClock
from tests.service.test_history import check_stored
from tests.support import LASTING_ENGINES, catalog, check_tallies, contents

pytestmark = pytest.mark.anyio

DAYS = 7
AFTER = timedelta(days=DAYS)
BY = Source(Principal("key", "my-app"))


@pytest.fixture
async def opened(database: str) -> AsyncIterator[tuple[Laurels, TestClock]]:
    clock = TestClock()
    async with Laurels.open(database, clock=clock, erase_after=AFTER) as laurels:
        for user in ("ada", "bob"):
            await laurels.record(Event(user, "1", "agent.created", data={"text": f"words of {user}"}))
        yield laurels, clock


async def signed_in(laurels: Laurels, clock: TestClock, user: str = "ada") -> None:
    await laurels.store.add_session(user, f"of {user}".encode(), clock(), clock() + timedelta(days=300))


async def is_signed_in(laurels: Laurels, clock: TestClock, user: str = "ada") -> bool:
    return await laurels.store.has_session(user, f"of {user}".encode(), clock())


async def ranked(laurels: Laurels) -> list[str]:
    return [line.user_id for line in (await laurels.leaderboard()).standings]


async def stored(laurels: Laurels, but: set[str]) -> dict[str, Any]:
    found = await contents(laurels.store)
    return {table: rows for table, rows in found.items() if table not in {"audit", "sessions", *but}}


# ---- until then -------------------------------------------------------------------------------


async def test_the_user_is_hidden_and_signed_out_at_once(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await signed_in(laurels, clock)

    assert await laurels.erase_user("ada") == clock() + AFTER

    assert await ranked(laurels) == ["bob"]
    assert (await laurels.profile("bob")).user_rank == 1
    assert (await laurels.rank("ada")).rank is None
    assert not await is_signed_in(laurels, clock)
    await check_tallies(laurels.store)


async def test_nothing_of_the_user_is_read_or_changed(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.erase_user("ada")
    admin = Admin(laurels)
    before = await stored(laurels, set())
    for work in (
        laurels.user("ada"),
        laurels.profile("ada"),
        laurels.profile("ada", login=True),
        laurels.history("ada"),
        laurels.streaks("ada"),
        laurels.explain("ada", "first_agent"),
        laurels.record(Event("ada", "2", "agent.created")),
        laurels.update_user("ada", name="Ada"),
        admin.adjust("ada", "a", "points", {"amount": 5}, "a reason", "anna"),
        admin.reverse("ada", "1", "a reason", "anna"),
        admin.sessions("ada"),
        admin.end_sessions("ada"),
        signed_in(laurels, clock),
    ):
        with pytest.raises(ErasurePending, match="to be erased at 2026-01-12T12:00:00Z"):
            await work
    assert await stored(laurels, set()) == before


async def test_operators_read_and_export_the_user(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.erase_user("ada")
    assert (await laurels.overview("ada")).erase_at == clock() + AFTER
    exported = b"".join([piece async for piece in Admin(laurels).export_user("ada")])
    assert b"words of ada" in exported


async def test_it_is_listed_with_who_asked_and_why(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.erase_user("bob")
    clock.advance(hours=1)
    await laurels.erase_user("ada", BY, "asked by mail")

    bob, ada = await Admin(laurels).pending_erasures()

    assert (bob.user_id, bob.erase_at) == ("bob", clock() + AFTER - timedelta(hours=1))
    assert (ada.principal, ada.reason, ada.requested_at) == (BY.principal, "asked by mail", clock())


async def test_asking_again_changes_nothing(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    first = await laurels.erase_user("ada")
    clock.advance(days=1)
    before = await contents(laurels.store)
    assert await laurels.erase_user("ada") == first
    assert await contents(laurels.store) == before


async def test_an_unknown_user_is_blocked_too(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.erase_user("new")
    with pytest.raises(ErasurePending):
        await laurels.record(Event("new", "1", "agent.created"))
    clock.advance(days=DAYS)
    assert await laurels.erase_due() == 1
    with pytest.raises(UserErased):
        await laurels.record(Event("new", "1", "agent.created"))


# ---- undoing it -------------------------------------------------------------------------------


async def test_a_restored_user_is_as_before(database: str) -> None:
    clock = TestClock()
    async with Laurels.open(database, clock=clock, erase_after=AFTER) as laurels:
        await laurels.update_user("ada", name="Ada", groups=["club:a"])
        for number in range(30):
            await laurels.record(Event("ada", f"e{number}", random.Random(number).choice(["agent.created", "login"])))
        board, profile = await laurels.leaderboard(), await laurels.profile("ada", include=["rank", "streaks"])
        await laurels.erase_user("ada")
        clock.advance(hours=3)

        assert await laurels.restore_user("ada", BY, "a mistake")

        assert (await laurels.leaderboard()).standings == board.standings
        assert (await laurels.profile("ada", include=["rank", "streaks"])).points == profile.points
        await check_stored(laurels)
        await check_tallies(laurels.store)
        assert not await laurels.restore_user("ada"), "it is safe to repeat"
        await laurels.record(Event("ada", "later", "agent.created"))
        (row,) = await laurels.store.audit(9, only=AuditFilter(kind="user.restored"))
        assert (row.principal, row.target, row.detail) == (BY.principal, "ada", {"reason": "a mistake"})


async def test_who_is_not_there_or_was_erased_cannot_be_restored(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    with pytest.raises(UserNotFound):
        await laurels.restore_user("unknown")
    await laurels.erase_user("ada")
    clock.advance(days=DAYS)
    await laurels.erase_due()
    with pytest.raises(UserErased):
        await laurels.restore_user("ada")


async def test_a_stored_user_agrees_with_a_rebuild_while_pending(opened: tuple[Laurels, TestClock]) -> None:
    laurels, _ = opened
    await laurels.erase_user("ada")
    assert await Admin(laurels).verify("ada") == []
    assert await Admin(laurels).rebuild("ada") is False
    assert await ranked(laurels) == ["bob"]


def worth(points: int) -> Catalog:
    return catalog(
        points=[{"id": "agents", "events": ["agent.created"], "amount": points, "past": "recompute"}],
        leaderboards=[{"id": "weekly", "period": "week"}, {"id": "clubs", "teams": "club:"}],
    )


async def test_other_rules_leave_the_user_hidden_and_count_after_a_restore(database: str) -> None:
    async with Laurels.open(database, worth(5), erase_after=AFTER) as laurels:
        for user in ("ada", "bob"):
            await laurels.record(Event(user, "1", "agent.created"))
        await laurels.erase_user("ada")
        await Admin(laurels).apply_catalog(worth(7), "a test", "anna")
        for user in ("ada", "bob"):
            await Admin(laurels).rebuild(user)
        assert await ranked(laurels) == ["bob"]
        await laurels.restore_user("ada")
        assert await ranked(laurels) == ["ada", "bob"]
        await check_stored(laurels)
        await check_tallies(laurels.store)


@pytest.mark.parametrize("outdated", [False, True])
async def test_a_catalog_can_be_planned_meanwhile(database: str, *, outdated: bool) -> None:
    async with Laurels.open(database, worth(5), erase_after=AFTER) as laurels:
        for user in ("ada", "bob"):
            await laurels.record(Event(user, "1", "agent.created"))
        await laurels.erase_user("ada")
        if outdated:
            await Admin(laurels).apply_catalog(worth(6), "a test", "anna")
        plan = await Admin(laurels).plan_catalog(worth(7))

        assert (plan.users, plan.affected, plan.from_events) == (2, 2, 2)
        assert plan.points.after == 14


async def test_teams_and_closed_periods_show_nothing_of_the_user(database: str) -> None:
    clock = TestClock()
    async with Laurels.open(database, worth(5), clock=clock, erase_after=AFTER) as laurels:
        for user in ("ada", "bob"):
            await laurels.update_user(user, groups=[f"club:{user}"])
            await laurels.record(Event(user, "1", "agent.created"))
        clock.advance(days=7)
        await laurels.close_periods()
        await laurels.erase_user("ada")

        teams = await laurels.leaderboard("clubs")
        closed = await laurels.leaderboard("weekly", "previous")

        assert [team.team for team in teams.teams or ()] == ["club:bob"]
        assert [line.user_id for line in closed.standings] == ["bob"]
        assert (await laurels.leaderboard("weekly", "previous", around="ada")).standings == []
        assert (await laurels.leaderboard("weekly", "previous", friends=["ada", "bob"])).standings == closed.standings
        await laurels.restore_user("ada")
        assert len((await laurels.leaderboard("weekly", "previous")).standings) == 2


# ---- then -------------------------------------------------------------------------------------


async def test_it_is_erased_when_it_is_due_and_not_before(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.erase_user("ada", BY, "asked by mail")
    clock.advance(days=DAYS, seconds=-1)
    assert await laurels.erase_due() == 0

    clock.advance(seconds=1)
    assert await laurels.erase_due() == 1
    await laurels.erasures.finish()

    found = await contents(laurels.store)
    assert {table for table, rows in found.items() if "'ada'" in repr(rows) or "words of ada" in repr(rows)} == set()
    assert await laurels.erase_due() == 0
    (row,) = await laurels.store.audit(9, only=AuditFilter(kind="user.erased"))
    assert (row.principal, row.detail) == (BY.principal, {"reason": "asked by mail"})
    with pytest.raises(UserErased):
        await laurels.record(Event("ada", "1", "agent.created"))


async def test_at_once_does_not_wait(opened: tuple[Laurels, TestClock]) -> None:
    laurels, _ = opened
    await laurels.erase_user("ada")
    assert await laurels.erase_user("ada", at_once=True) is None
    with pytest.raises(UserNotFound):
        await laurels.user("ada")
    assert await laurels.erase_user("ada") is None, "there is nothing to wait for"


async def test_a_user_who_is_restored_while_others_are_erased_stays(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    for user in ("ada", "bob"):
        await laurels.erase_user(user)
    clock.advance(days=DAYS)
    await laurels.restore_user("ada")
    assert await laurels.erase_due() == 1
    assert await ranked(laurels) == ["ada"]


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_a_user_who_cannot_be_erased_keeps_no_other_and_no_start_from_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, users = TestClock(), ("ada", "bob", "cyd")
    monkeypatch.setattr("laurels.service.erasures.DUE_TOGETHER", 1)
    async with Laurels.open(database, clock=clock, erase_after=AFTER) as laurels:
        for user in users:
            await laurels.record(Event(user, "1", "agent.created"))
            await laurels.erase_user(user)
    clock.advance(days=DAYS)
    make_invisible = Erasures._make_invisible  # pyright: ignore[reportPrivateUsage]

    async def failing(erasures: Erasures, user_id: str, *rest: Any, **more: Any) -> bool:
        if user_id == "ada":
            raise StoreError("a row of this user cannot be read")
        return await make_invisible(erasures, user_id, *rest, **more)

    monkeypatch.setattr(Erasures, "_make_invisible", failing)
    async with Laurels.open(database, clock=clock) as laurels:
        assert [one.user_id for one in await laurels.store.pending_erasures(9)] == ["ada"]
        assert await laurels.erase_due() == 0
        monkeypatch.undo()
        assert await laurels.erase_due() == 1


async def test_ids_of_others_are_replaced_in_the_events_of_a_hidden_user(opened: tuple[Laurels, TestClock]) -> None:
    laurels, clock = opened
    await laurels.record(Event("ada", "2", "friend.added", data={"friend": "bob"}))
    await laurels.update_user("ada", groups=["friends-of:bob", "eu"])
    await laurels.erase_user("ada")
    await laurels.erase_user("bob", at_once=True)
    await laurels.erasures.finish()
    clock.advance(days=1)
    await laurels.restore_user("ada")
    event = await laurels.store.event("ada", "2")
    assert event is not None
    assert event.event.data is not None
    assert event.event.data["friend"].startswith(REFERENCE)
    assert "bob" not in "".join((await laurels.user("ada")).groups)


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_of_several_processes_one_erases_and_a_late_one_still_does(database: str) -> None:
    clock = TestClock()
    users = [f"user-{number}" for number in range(12)]
    async with Laurels.open(database, clock=clock, erase_after=AFTER) as laurels:
        for user in users:
            await laurels.record(Event(user, "1", "agent.created"))
            await laurels.erase_user(user)
    clock.advance(days=90)
    async with Laurels.open(database, clock=clock) as one, Laurels.open(database, clock=clock) as other:
        # The first to open it erases them; whatever is left, the others do.
        await asyncio.gather(*(each.erase_due() for each in (one, other, one, other)))
        rows = await one.store.audit(99, only=AuditFilter(kind="user.erased"))
        assert len(rows) == len({row.target for row in rows}) == len(users)
        assert not await one.store.pending_erasures(9)


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_racing_restores_erasures_and_events_leave_one_truth(database: str) -> None:
    clock = TestClock()
    async with (
        Laurels.open(database, clock=clock, erase_after=AFTER) as one,
        Laurels.open(database, clock=clock, erase_after=AFTER) as other,
    ):
        for turn in range(8):
            user = f"user-{turn}"
            await one.record(Event(user, "1", "agent.created"))
            await one.erase_user(user)
            clock.advance(days=DAYS)
            work = [one.erase_due(), other.restore_user(user), other.record(Event(user, "2", "agent.created"))]
            random.Random(turn).shuffle(work)
            await asyncio.gather(*work, return_exceptions=True)
            await one.erasures.finish()
            if await one.store.is_erased(user):
                assert user not in repr((await contents(one.store))["events"])
            else:
                assert (await one.user(user)).user_id == user
        await check_stored(one)
        await check_tallies(one.store)
