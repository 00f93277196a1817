"""Times as clients write them, over HTTP: with nine digits, and as leap seconds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from laurels.engine.catalog import Catalog
from tests.support import at
from tests.support.app import USERS, App, event, open_app

pytestmark = pytest.mark.anyio

CLOCK = "/api/gamification/clock"
LAST_MOMENTS = [
    *["2026-01-31T23:59:59.9999995Z", "2026-01-31T23:59:59.9999999Z", "2026-01-31T23:59:59.999999999Z"],
    *["2026-02-01T05:29:59.999999999+05:30", "2026-01-31T23:59:60Z"],
]


def login(event_id: str, occurred_at: str) -> dict[str, str]:
    return event("ada", Catalog.default().login_event, event_id, occurredAt=occurred_at)


async def day_of(home: App, event_id: str) -> str:
    history = (await home.client.get(f"{USERS}/ada/history", headers=home.by_key)).json()
    return next(one["event"]["day"] for one in history["entries"] if one["event"] and one["event"]["id"] == event_id)


@pytest.mark.parametrize("moment", LAST_MOMENTS)
async def test_an_event_at_the_last_moment_of_a_day_counts_for_it(database: str, moment: str) -> None:
    async with open_app(database=database, start=at("2026-02-01T12:00")) as home:
        await home.record(login("last", moment), login("noon", "2026-02-01T12:00:00Z"))
        alone = await home.send(login("alone", moment))

        assert alone.status_code == 200
        assert (await day_of(home, "last"), await day_of(home, "alone")) == ("2026-01-31", "2026-01-31")
        assert (await home.profile_of("ada"))["streak"] == 2


@pytest.mark.parametrize("moment", LAST_MOMENTS)
async def test_a_joining_time_at_the_last_moment_of_a_day_stays_in_it(home: App, moment: str) -> None:
    answer = await home.client.put(f"{USERS}/ada", json={"joinedAt": moment}, headers=home.by_key)

    assert answer.json()["joinedAt"] == "2026-01-31T23:59:59.999999Z"


@pytest.mark.parametrize("moment", LAST_MOMENTS)
async def test_the_time_of_a_request_to_a_sandbox_stays_in_its_day(home: App, moment: str) -> None:
    await home.laurels.set_clock_offset(timedelta())
    answer = await home.client.get(CLOCK, headers={**home.by_key, "laurels-now": moment})

    assert answer.json()["now"] == "2026-01-31T23:59:59.999999Z"


async def test_a_wrong_time_is_refused_alone_and_named(home: App) -> None:
    results = await home.record(login("a", "2026-01-05"), login("b", "2026-01-05T10:00:00Z"))

    assert [one["status"] for one in results] == ["rejected", "recorded"]
    assert results[0]["id"] == "a"
    assert results[0]["problem"]["errors"][0]["pointer"] == "/0/occurredAt"
    single = await home.send(login("c", "2026-01-05T10:00:00"))
    assert single.status_code == 422
    assert single.json()["errors"][0]["pointer"] == "/occurredAt"
    user = await home.client.put(f"{USERS}/ada", json={"joinedAt": "yesterday"}, headers=home.by_key)
    assert user.status_code == 422
    assert user.json()["errors"][0]["pointer"] == "/joinedAt"
