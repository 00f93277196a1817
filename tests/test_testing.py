from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from laurels import Event, EventTooLate
from laurels.testing import TestClock, sandbox
from tests.support import MONDAY, at, badge, catalog

pytestmark = pytest.mark.anyio


async def test_the_example_of_its_documentation() -> None:
    async with sandbox() as (laurels, clock):
        for _ in range(7):
            profile = await laurels.profile("ada", login=True)
            clock.advance(days=1)
        assert profile.badge_awarded == "login_streak_7"


async def test_two_sandboxes_know_nothing_of_each_other() -> None:
    async with sandbox() as (one, _), sandbox() as (other, _):
        await one.update_user("ada")
        assert (await other.store.counts()).users == 0


async def test_a_sandbox_takes_a_catalog_a_start_a_zone_and_a_window() -> None:
    made = catalog(badges=[badge("b", streak="login", streak_of=1)])
    start = datetime(2026, 7, 1, 20, tzinfo=UTC)
    window = timedelta(days=1)
    async with sandbox(made, start=start, default_zone="Asia/Tokyo", late_window=window) as (laurels, _):
        assert (await laurels.profile("ada", login=True)).badge_awarded == "b"
        row = await laurels.store.user("ada")
        assert row
        assert row.progress.days["login"].last == at("2026-07-02").toordinal()
        with pytest.raises(EventTooLate):
            await laurels.record(Event("ada", "e", "x", start - timedelta(days=2)))


async def test_a_sandbox_can_lie_in_a_file(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'laurels.db'}"
    for expected in (1, 2):
        async with sandbox(database=database) as (laurels, clock):
            clock.advance(days=expected)
            assert (await laurels.profile("ada", login=True)).streak == expected


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = TestClock(MONDAY)
    assert clock() == clock() == MONDAY
    clock.advance(days=1, hours=2, seconds=3)
    assert clock() == MONDAY + timedelta(days=1, hours=2, seconds=3)
    clock.set(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert (clock(), clock().tzinfo) == (at("2026-01-01"), UTC)
