"""An event belongs to one period, by its instant in the leaderboard's zone, whatever the leaderboard counts."""

from __future__ import annotations

import msgspec
import pytest

from laurels.engine.progress import Progress
from laurels.service.laurels import Laurels
from laurels.storage.codec import pack_progress
from tests.service.test_history import check_stored, place
from tests.support import at, catalog, count, sql

pytestmark = pytest.mark.anyio

SOURCES = {
    "paid": {},
    "counted": {"by": "metric", "of": "counted"},
    "days": {"by": "metric", "of": "days"},
    "run": {"by": "streak", "of": "daily"},
    "amount": {"by": "streak", "of": "busy"},
}
RULES = catalog(
    metrics={"counted": count("a"), "days": {"kind": "distinct_days", "events": ["a"]}},
    streaks={"daily": {"events": ["a"]}, "busy": {"events": ["a"], "amount": 2}},
    points=[{"id": "a", "events": ["a"], "amount": 1}],
    leaderboards=[{"id": name, "period": "month", **source} for name, source in SOURCES.items()],
)
NEW_YEAR = at("2025-12-31T23:30")
"""In UTC, the zone of the leaderboards; in Kiritimati it is the afternoon of 1 January."""


async def months(laurels: Laurels, month: str) -> dict[str, list[int]]:
    return {name: [line.score for line in (await laurels.leaderboard(name, month)).standings] for name in SOURCES}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago"])
async def test_every_leaderboard_counts_an_event_in_the_month_of_its_own_zone(database: str, zone: str) -> None:
    async with place(RULES, start=NEW_YEAR, database=database) as here:
        await here.laurels.update_user("ada", time_zone=zone)
        for name in ("first", "second"):
            await here.send(name, "a", NEW_YEAR)
        expected = {"paid": [2], "counted": [2], "days": [1], "run": [1], "amount": [1]}
        assert await months(here.laurels, "2025-12") == expected
        here.clock.set(at("2026-01-01T00:30"))
        assert await months(here.laurels, "2026-01") == {name: [] for name in SOURCES}
        await here.send("third", "a", at("2026-01-01T00:10"))
        assert await months(here.laurels, "2025-12") == expected
        of_january = {"paid": [1], "counted": [1], "days": [1], "run": [1]}
        assert (await months(here.laurels, "2026-01")).items() >= of_january.items()


async def test_a_day_with_events_in_two_months_is_a_day_in_each(database: str) -> None:
    async with place(RULES, start=at("2026-01-01T02:00"), database=database) as here:
        await here.laurels.update_user("ada", time_zone="America/New_York")
        await here.send("before", "a", at("2025-12-31T23:00"))
        await here.send("after", "a", at("2026-01-01T01:00"))
        for month in ("2025-12", "2026-01"):
            assert (await months(here.laurels, month))["days"] == [1]
        await here.admin.reverse("ada", "before", "a mistake", "a test")
        assert (await months(here.laurels, "2025-12"))["days"] == []
        assert (await months(here.laurels, "2026-01"))["days"] == [1]


async def test_days_that_an_earlier_version_stored_go_on_from_the_users_own_dates(database: str) -> None:
    async with place(RULES, start=at("2026-01-10T12:00"), database=database) as here:
        for day in ("2026-01-08", "2026-01-09"):
            await here.send(day, "a", at(f"{day}T12:00"))
        row = await here.laurels.store.user("ada")
        assert row
        packed = pack_as_before(row.progress)
        await sql(here.laurels.store, "UPDATE users SET progress = ?, earned = NULL RETURNING 1", packed)
        assert (await months(here.laurels, "2026-01"))["run"] == [2]
        await check_stored(here.laurels)
        await here.send("now", "a")
        assert (await months(here.laurels, "2026-01"))["run"] == [3]


def pack_as_before(progress: Progress) -> bytes:
    """A progress as an earlier version stored it, without what it did not know."""
    return msgspec.msgpack.encode(msgspec.msgpack.decode(pack_progress(progress))[:8])
