"""`laurels verify` of a sandbox with events that lie ahead of its clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from laurels.engine.events import Event
from laurels.service.laurels import Laurels
from tests.cli.conftest import Cli


@pytest.mark.parametrize("only", [(), ("--user", "ada")])
def test_verify_says_that_events_lie_ahead_of_the_clock(cli: Cli, only: tuple[str, ...]) -> None:
    assert cli("clock", "set", "2026-03-01T09:00:00Z", "--database", cli.database).code == 0

    async def record_ahead() -> None:
        async with Laurels.open(cli.database) as laurels:
            for weeks in range(4):
                with laurels.pretend(await laurels.now() + timedelta(weeks=weeks)):
                    await laurels.record(Event("ada", f"{weeks}", "agent.created"))

    asyncio.run(record_ahead())

    shown = cli("verify", *only, "--database", cli.database)
    document = cli("verify", *only, "--database", cli.database, "--json").json

    assert (shown.code, shown.out) == (0, "")
    assert "1 user with events that lie ahead of the clock, up to 2026-03-22" in shown.err
    assert "laurels clock set" in shown.err
    assert (document["ok"], document["usersAheadOfClock"]) == (True, 1)
    assert document["aheadOfClock"].startswith("2026-03-22T09:00")
