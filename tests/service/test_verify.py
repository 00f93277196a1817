"""What verify finds after changes outside of Laurels, and how a rebuild fixes it; both during writes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from laurels.engine.events import Event
from tests.service.test_history import Place, check_stored, place
from tests.support import sql

pytestmark = pytest.mark.anyio

CORRUPTIONS = {
    "points": ("UPDATE users SET points = 9999 WHERE user_id = 'ada'", {"points", "standings"}),
    "a deleted award": ("DELETE FROM awards WHERE badge = 'two'", {"awards"}),
    "an award that pays more": ("UPDATE awards SET points = 51 WHERE badge = 'two'", {"badges", "sum of the ledger"}),
    "a badge that was added": (
        "INSERT INTO awards (user_id, badge, revision, awarded_at, points) VALUES ('ada', 'run', 1, 0, 20)",
        {"badges", "sum of the ledger"},
    ),
    "a deleted ledger entry": (
        "DELETE FROM ledger WHERE ref = 'two'",
        {"sum of the ledger"},
    ),
    "a deleted standing": ("DELETE FROM standings WHERE user_id = 'ada'", {"standings"}),
    "a moved standing": ("UPDATE standings SET sort_key = -1 WHERE user_id = 'ada'", {"standings"}),
    "another's progress": (
        "UPDATE users SET progress = (SELECT progress FROM users WHERE user_id = 'bob') WHERE user_id = 'ada'",
        {"totals", "days", "folds", "badges"},
    ),
    "a deleted event": ("DELETE FROM events WHERE event_id = 'm3'", {"totals"}),
    "an event on another day": (
        "UPDATE events SET day = day - 9 WHERE event_id = 'in-2026-01-05'",
        {"days", "folds", "days of events"},
    ),
    "an event taken back": ("UPDATE events SET reversed_by = 1 WHERE event_id = 'm3'", {"totals"}),
    "an act undone": ("UPDATE adjustments SET undone_by = 1 WHERE adjustment_id = 'a1'", {"manual"}),
}


@pytest.fixture
async def home(database: str) -> AsyncIterator[Place]:
    """Two users with a history."""
    async with place(database=database) as here:
        await here.log_in("2026-01-04", "2026-01-05")
        for name in ("m1", "m2", "m3"):
            await here.send(name)
        await here.adjust("a1", "points", amount=7)
        await here.laurels.record(Event("bob", "m1", "message"))
        yield here


async def write(home: Place, statement: str) -> None:
    """Write past Laurels, as a hand at the database would."""
    assert await sql(home.laurels.store, f"{statement} RETURNING 1")


@pytest.mark.parametrize(("statement", "expected"), CORRUPTIONS.values(), ids=CORRUPTIONS)
async def test_verify_finds_a_corruption_and_a_rebuild_fixes_it(
    home: Place, statement: str, expected: set[str]
) -> None:
    await write(home, statement)
    found = await home.admin.verify("ada")
    assert {one.what for one in found} >= expected
    assert all(one.stored != one.rebuilt and one.user_id == "ada" for one in found)
    assert await home.admin.verify("bob") == []
    await home.admin.rebuild("ada")
    await home.laurels.store.rebuild_tallies()
    await check_stored(home.laurels)


async def test_one_rebuild_fixes_a_row_and_its_standings(home: Place) -> None:
    await write(home, "DELETE FROM awards WHERE badge = 'two'")  # the points stay as they were
    await write(home, "UPDATE standings SET sort_key = -1 WHERE user_id = 'ada'")
    assert await home.admin.rebuild("ada")
    await home.laurels.store.rebuild_tallies()
    await check_stored(home.laurels)


async def test_a_rebuild_gives_the_points_back_that_the_events_say(home: Place) -> None:
    before = await home.points()
    for statement in (
        "UPDATE users SET points = 1",
        "DELETE FROM ledger",
        "DELETE FROM awards",
        "DELETE FROM standings",
    ):
        await write(home, statement)
    async for user_id in home.admin.users():
        assert await home.admin.rebuild(user_id)
    await home.laurels.store.rebuild_tallies()
    assert (await home.points(), await home.badges()) == (before, ["two"])


@pytest.mark.parametrize("statement", ["UPDATE tallies SET amount = amount + 1", "DELETE FROM tallies WHERE level = 3"])
async def test_wrong_tallies_are_counted_and_rebuilt(home: Place, statement: str) -> None:
    await write(home, statement)
    assert await home.laurels.store.wrong_tallies() > 0
    await home.laurels.store.rebuild_tallies()
    assert await home.laurels.store.wrong_tallies() == 0


async def test_verify_and_rebuild_find_nothing_while_others_write(home: Place) -> None:
    written = anyio.Event()

    async def write_on() -> None:
        for index in range(40):
            await home.send(f"n{index}")
            await home.log_in(f"2026-01-{index % 5 + 1:02}")
            if index % 4 == 0:
                await home.admin.reverse("ada", f"n{index}", "a script", "a test")
        written.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write_on)
        while not written.is_set():
            assert await home.admin.verify("ada") == []
            assert not await home.admin.rebuild("ada")
            await home.laurels.store.rebuild_tallies()
            assert await home.laurels.store.wrong_tallies() == 0


async def test_two_rebuilds_at_once_pay_nothing_twice(home: Place) -> None:
    before = await home.points()
    await write(home, "DELETE FROM ledger WHERE ref = 'two'")
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(home.admin.rebuild, "ada")
    assert await home.points() == before
