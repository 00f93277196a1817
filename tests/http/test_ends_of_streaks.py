"""When a streak ends, where clocks go back over midnight: in 2010 in St John's, from 00:01 to 23:01."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import at
from tests.support.app import USERS, App, event, open_app

pytestmark = pytest.mark.anyio


async def streak_at(home: App, when: str) -> tuple[Any, ...]:
    home.clock.set(at(when))
    (streak,) = (await home.client.get(f"{USERS}/ada/streaks", headers=home.by_key)).json()["streaks"]
    assert (await home.profile_of("ada"))["streak"] == streak["length"]
    return streak["length"], streak["status"], streak["endsAt"]


async def test_a_streak_lasts_until_its_day_cannot_come_back(database: str) -> None:
    async with open_app(database=database, start=at("2010-11-05T12:00"), late_window=None) as home:
        await home.client.put(f"{USERS}/ada", json={"timeZone": "America/St_Johns"}, headers=home.by_key)
        await home.record(event("ada", "login", "on the fifth"))
        ends = "2010-11-07T03:30:00Z"

        assert await streak_at(home, "2010-11-06T12:00") == (1, "at_risk", ends)
        assert await streak_at(home, "2010-11-07T02:29:59") == (1, "at_risk", ends)
        assert await streak_at(home, "2010-11-07T02:30:30") == (1, "at_risk", ends)  # 00:00:30 on the seventh
        assert await streak_at(home, "2010-11-07T02:31") == (1, "at_risk", ends)  # 23:01 on the sixth again
        assert await streak_at(home, "2010-11-07T03:29:59.999999") == (1, "at_risk", ends)
        assert await streak_at(home, "2010-11-07T03:30") == (0, "ended", None)

        await home.record(event("ada", "login", "on the sixth", occurredAt="2010-11-07T03:29:00Z"))
        assert await streak_at(home, "2010-11-07T03:31") == (2, "at_risk", "2010-11-08T03:30:00Z")
