"""Faults of earlier versions, planted by hand in a database that an earlier version made: `verify` finds, `rebuild` repairs.

A   a user of another season has a line in a closed period
A2  a closed week has the score of another week
B   a closed score is turned round
C   a user is no longer first among equals on the leaderboard of points
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from laurels.service.admin import Admin
from laurels.service.closed_lines import database_differences, fix_database
from laurels.service.laurels import Laurels
from laurels.storage.contract import Store
from tests.storage.readings import read_again
from tests.storage.test_earlier_databases import CATALOG, DUMPS, EXPECTED, earlier
from tests.support import sql

__all__ = ["earlier"]

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", DUMPS)]

LINE = "INSERT INTO standings (user_id, board, period, sort_key, reached_at) VALUES"
PLANTED = {
    "A": (f"{LINE} ('ada', 'weekly', '2026-W05', -3, 1771416000000000) RETURNING 1", ("ada", "closed period")),
    "A2": (
        "UPDATE standings SET sort_key = -5000 WHERE user_id = 'bea' AND board = 'weekly' AND period = '2026-W07' RETURNING 1",
        ("bea", "closed period"),
    ),
    "B": (
        "UPDATE standings SET sort_key = 130 WHERE user_id = 'ada' AND board = 'weekly' AND period = '2026-W04' RETURNING 1",
        ("ada", "closed period"),
    ),
    "C": (
        "UPDATE standings SET reached_at = reached_at + 86400000000 WHERE user_id = 'ada' AND board = 'points' RETURNING 1",
        ("ada", "standings"),
    ),
}


async def differences(app: Laurels) -> set[tuple[str, str]]:
    """(user, what) of everything that `verify` finds."""
    admin = Admin(app)
    found = [one async for user_id in admin.users() for one in await admin.verify(user_id)]
    return {(one.user_id, one.what) for one in (*found, *await database_differences(app.core))}


@pytest.mark.parametrize("fault", PLANTED)
async def test_verify_finds_a_fault_of_an_earlier_version_and_rebuild_repairs_it(earlier: Store, fault: str) -> None:
    statement, expected = PLANTED[fault]
    assert await sql(earlier, statement)
    await earlier.migrate()
    app = Laurels(earlier, CATALOG, clock=lambda: datetime.fromisoformat(EXPECTED["now"]))
    await app.period_rules.apply(live=False)

    assert expected in await differences(app)

    admin = Admin(app)
    async for user_id in admin.users():
        await admin.rebuild(user_id)
    await fix_database(app.core)
    await earlier.rebuild_tallies()
    assert await differences(app) == set()
    boards = (await read_again(app, EXPECTED))["leaderboards"]
    for period in ("2026-W04", "2026-W05", "2026-W07"):
        assert closed_lines(boards, period) == closed_lines(EXPECTED["leaderboards"], period)


def closed_lines(boards: dict[str, Any], period: str) -> Any:
    """The lines of a closed week, as they were shown."""
    return boards["weekly"]["periods"][period]["pages"][0]["standings"]
