"""Users pause themselves as long as no 365 days hold more different days of pause than the catalog allows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support import at, catalog
from tests.support.app import COOKIE, App, open_app

pytestmark = pytest.mark.anyio

START = at("2026-01-01T12:00")
RULES: dict[str, Any] = {"streaks": {"login": {"events": ["login"], "pause_days": 5}}}


async def pause(home: App, user: str, first: int, last: int) -> str:
    """Pause days by their numbers, from the start on: '' or why not."""
    token = await home.sign_in(user)
    days = {name: str((START + timedelta(days=on)).date()) for name, on in (("first", first), ("last", last))}
    body = {"id": f"{first}-{last}", "kind": "pause", "streak": "login", **days}
    headers = {"cookie": f"{COOKIE}={token}"}
    answer = await home.client.post("/api/gamification/adjustments", json=body, headers=headers)
    return "" if answer.is_success else f"{answer.status_code} {answer.json()['detail']}"


async def test_days_that_are_paused_twice_count_once(database: str) -> None:
    async with open_app(catalog(**RULES), database=database, start=START) as home:
        assert await pause(home, "ada", 10, 12) == ""
        assert await pause(home, "ada", 11, 14) == ""
        assert "only 0 of 5" in await pause(home, "ada", 15, 15)

        assert await pause(home, "bob", 400, 404) == ""
        assert await pause(home, "bob", 1, 1) == ""

        assert await pause(home, "cy", 1, 5) == ""
        assert await pause(home, "cy", 368, 370) == ""
        assert "409" in await pause(home, "cy", 371, 373)
        assert await pause(home, "cy", 371, 372) == ""
