"""Verifying users for whom something was recorded later than the sandbox's clock, as Laurels-Now allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from laurels.engine.events import Event
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import TestClock, sandbox
from tests.console.test_users import at
from tests.support import sql
from tests.support.app import App, event
from tests.support.operator import Operator

pytestmark = pytest.mark.anyio

WEEKS = 5
AHEAD = timedelta(weeks=WEEKS)


@pytest.fixture
async def ahead(database: str) -> AsyncIterator[tuple[Laurels, TestClock]]:
    """Two users with events of five weeks to come, and one without."""
    async with sandbox(database=database) as (laurels, clock):
        await Admin(laurels).move_clock()
        await laurels.record(Event("cleo", "now", "agent.created"))
        for number in range(WEEKS + 1):
            with laurels.pretend(clock() + timedelta(weeks=number)):
                await laurels.record(Event("ada", f"a{number}", "agent.created"))
                await laurels.record(Event("bob", f"b{number}", "message.sent", quantity=60))
                await laurels.profile("bob", login=True)
        yield laurels, clock


async def test_what_lies_ahead_of_the_clock_is_no_difference_and_is_named(ahead: tuple[Laurels, TestClock]) -> None:
    laurels, clock = ahead
    admin = Admin(laurels)

    for user_id in ("ada", "bob"):
        assert await admin.verify(user_id) == []
        compared = await admin.compare(user_id)
        assert compared is not None
        assert compared.ahead_of_clock == clock() + AHEAD
    now = await admin.compare("cleo")
    assert now is not None
    assert (now.differences, now.ahead_of_clock) == ([], None)


async def test_when_the_clock_has_caught_up_nothing_is_named(ahead: tuple[Laurels, TestClock]) -> None:
    laurels, clock = ahead
    clock.advance(days=7 * WEEKS)

    compared = await Admin(laurels).compare("ada")

    assert compared is not None
    assert (compared.differences, compared.ahead_of_clock) == ([], None)


async def test_a_real_difference_is_found_ahead_of_the_clock_too(ahead: tuple[Laurels, TestClock]) -> None:
    laurels, _ = ahead
    assert await sql(laurels.store, "UPDATE users SET points = points + 7 WHERE user_id = 'ada' RETURNING 1")

    assert "points" in {one.what for one in await Admin(laurels).verify("ada")}


async def test_the_console_brings_a_user_up_to_date_and_verifies(home: App, work: Operator) -> None:
    await home.record(event("ada", "agent.created"))
    today = home.clock().date()
    await Admin(home.laurels).add_amnesty(today, today, "an outage", "anna")
    path = at("ada", "/verify")
    assert "Only current data can be compared" in (await work.page(path)).text

    shown = await work.do(path, "/verify")

    assert "0 differences" in shown.text
    assert "0 differences" in (await work.page(path)).text


async def test_the_console_names_what_lies_ahead_of_the_clock(home: App, work: Operator) -> None:
    await Admin(home.laurels).move_clock()
    with home.laurels.pretend(home.clock() + AHEAD):
        await home.laurels.record(Event("ada", "later", "agent.created"))

    text = (await work.page(at("ada", "/verify"))).text

    assert "lie ahead of the clock" in text
    assert "0 differences" in text
