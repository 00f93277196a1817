"""A browser with another name of the same zone is no journey, and does not use up the change of 24 hours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support import at
from tests.support.app import SESSIONS, USERS, App, event, open_app

pytestmark = pytest.mark.anyio


async def sign_in(home: App, zone: str) -> dict[str, Any]:
    answer = await home.client.post(SESSIONS, json={"userId": "ada", "timeZone": zone}, headers=home.by_key)
    home.client.cookies.clear()
    assert answer.status_code == 201
    return answer.json()


@pytest.mark.parametrize(
    ("old", "new"),
    [("Asia/Calcutta", "Asia/Kolkata"), ("Europe/Kiev", "Europe/Kyiv"), ("US/Pacific", "America/Los_Angeles")],
)
async def test_another_name_is_not_a_zone_change_and_a_zone_change_still_counts(home: App, old: str, new: str) -> None:
    await sign_in(home, old)
    assert "ignored" not in await sign_in(home, new)

    put = await home.client.put(f"{USERS}/ada", json={"timeZone": new}, headers=home.by_key)
    assert [one["since"] for one in put.json()["timeZones"]] == [None]
    flown = await home.client.put(f"{USERS}/ada", json={"timeZone": "Pacific/Auckland"}, headers=home.by_key)
    assert flown.status_code == 200
    assert flown.json()["timeZone"] == "Pacific/Auckland"


@pytest.mark.parametrize("other", ["Asia/Calcutta", "Asia/Kolkata"])
async def test_a_flight_on_the_day_of_a_second_browser_keeps_the_streak(database: str, other: str) -> None:
    async with open_app(database=database, start=at("2026-04-07T10:00")) as home:
        steps = [
            *[("2026-04-07T10:00", "Asia/Calcutta"), ("2026-04-08T12:00", ""), ("2026-04-09T12:00", "")],
            *[("2026-04-10T02:00", other), ("2026-04-10T17:00", "Europe/London"), ("2026-04-10T20:00", "")],
            *[("2026-04-11T17:00", "Europe/London"), ("2026-04-11T20:00", "")],
        ]
        for when, zone in steps:
            home.clock.set(at(when))
            if zone:
                assert "ignored" not in await sign_in(home, zone)
            else:
                await home.record(event("ada", "login", when))

        assert (await home.profile_of("ada"))["streak"] == 4


async def test_two_browsers_with_two_names_store_one_zone(home: App) -> None:
    for day in range(16):
        await sign_in(home, ("Asia/Calcutta", "Asia/Kolkata")[day % 2])
        home.clock.set(home.clock.now + timedelta(hours=25))

    user = (await home.client.get(f"{USERS}/ada", headers=home.by_key)).json()
    assert user["timeZones"] == [{"since": None, "timeZone": "Asia/Calcutta"}]
