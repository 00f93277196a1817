"""The clock of a sandbox over HTTP: it only moves forward, for all users; other databases are not changed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.support.app import EVENTS, LEADERBOARDS, PROFILE, SESSIONS, USERS, App, event

pytestmark = pytest.mark.anyio

CLOCK = "/api/gamification/clock"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
async def playing(home: App) -> App:
    """A server over a sandbox, whose clock stands at noon of 5 January 2026 until it is moved."""
    await home.laurels.set_clock_offset(timedelta())
    return home


async def move(home: App, **by: Any) -> httpx2.Response:
    return await home.client.post(CLOCK, json=by, headers=home.by_key)


def notification_of(answer: httpx2.Response) -> datetime:
    assert answer.status_code == 200, answer.text
    return datetime.fromisoformat(answer.json()["now"])


@pytest.mark.parametrize(
    ("by", "ahead"),
    [
        ({}, timedelta()),
        ({"days": 1}, timedelta(days=1)),
        ({"days": 2.0, "hours": 1.5}, timedelta(days=2, hours=1.5)),
        ({"hours": 0.25}, timedelta(minutes=15)),
        ({"days": 36_500}, timedelta(days=36_500)),
    ],
)
async def test_the_clock_moves_on_and_is_read(playing: App, by: dict[str, float], ahead: timedelta) -> None:
    moved = await move(playing, **by)
    read = await playing.client.get(CLOCK, headers=playing.by_key)

    assert notification_of(moved) == notification_of(read) == NOON + ahead
    assert moved.json() == read.json() == {"now": moved.json()["now"], "sandbox": True}


@pytest.mark.parametrize(
    ("start", "zone", "tomorrow"),
    [
        # 25 hours: the clocks go back in between, and 00:10 comes again after a whole day of 25.
        ("2026-10-24T22:10:00+00:00", "Europe/Berlin", "2026-10-25T23:10:00+00:00"),
        # 23 hours: another 24 would land on the day after the next.
        ("2026-03-28T22:30:00+00:00", "Europe/Berlin", "2026-03-29T21:30:00+00:00"),
        ("2026-03-28T01:30:00+00:00", "Europe/Berlin", "2026-03-29T01:30:00+00:00"),  # 02:30 is skipped: read as 03:30
        ("2026-03-28T22:30:00+00:00", "UTC", "2026-03-29T22:30:00+00:00"),
    ],
)
async def test_tomorrow_is_the_next_date_of_the_zone_however_long_the_day_is(
    playing: App, start: str, zone: str, tomorrow: str
) -> None:
    playing.clock.set(datetime.fromisoformat(start))

    assert notification_of(await move(playing, days=1, timeZone=zone)) == datetime.fromisoformat(tomorrow)


async def test_a_daily_login_continues_a_streak_and_two_missed_days_end_it(
    playing: App,
) -> None:
    token = await playing.sign_in("ada", timeZone="Europe/Berlin")
    streaks = [(await playing.visit(token)).json()["streak"]]
    for days in (1, 1, 1, 2):
        await move(playing, days=days, timeZone="Europe/Berlin")
        streaks.append((await playing.visit(token)).json()["streak"])

    assert streaks == [1, 2, 3, 4, 1]


async def test_simultaneous_requests_each_move_it(playing: App) -> None:
    answers = await asyncio.gather(*(move(playing, days=1) for _ in range(8)))

    assert sorted(map(notification_of, answers)) == [NOON + timedelta(days=days) for days in range(1, 9)]
    assert await playing.laurels.now() == NOON + timedelta(days=8)


@pytest.mark.parametrize(
    ("by", "pointer"),
    [
        ({"days": -1}, "/days"),
        ({"days": 0.5}, "/days"),
        ({"days": 36_501}, "/days"),
        ({"days": "1"}, "/days"),
        ({"hours": -0.1}, "/hours"),
        ({"hours": 876_001}, "/hours"),
        ({"days": 1, "timeZone": "Mars/Olympus"}, "/timeZone"),
        ({"to": "2025-01-01T00:00:00Z"}, "/to"),
    ],
)
async def test_a_move_that_cannot_be_names_its_field(playing: App, by: dict[str, Any], pointer: str) -> None:
    answer = await move(playing, **by)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert await playing.laurels.now() == NOON


async def test_at_its_farthest_everything_else_still_works(playing: App) -> None:
    token = await playing.sign_in("ada")
    await playing.visit(token)
    assert notification_of(await move(playing, days=36_500)).year == 2125
    beyond = await move(playing, days=26)
    assert (beyond.status_code, beyond.json()["errors"][0]["pointer"]) == (422, "/days")

    assert (await playing.visit(token)).status_code == 401
    again = await playing.sign_in("ada", lifetimeSeconds=365 * 86400)
    profile = (await playing.visit(again, f"{PROFILE}?include=rank,next,streaks,history")).json()
    assert profile["streak"] == 1
    assert (await playing.record(event("ada", "agent.created")))[0]["status"] == "recorded"
    for path in (LEADERBOARDS, f"{LEADERBOARDS}/weekly?period=previous", f"{USERS}/ada/streaks?days=60"):
        assert (await playing.client.get(path, headers=playing.by_key)).status_code == 200
    assert await playing.laurels.close_periods() == []


async def test_a_clock_that_the_command_line_set_far_ahead_is_not_moved_beyond_all_dates(
    playing: App,
) -> None:
    await playing.laurels.set_clock_offset(datetime(9998, 12, 31, tzinfo=UTC) - NOON)

    for by in ({"days": 36_500}, {"hours": 876_000}, {"days": 1}):
        assert (await move(playing, **by)).status_code == 422


async def test_the_clock_of_a_real_database_is_read_but_never_moved(home: App) -> None:
    read = await home.client.get(CLOCK, headers=home.by_key)
    moved = await move(home, days=1)

    assert read.json() == {"now": "2026-01-05T12:00:00Z", "sandbox": False}
    assert (moved.status_code, moved.json()["type"]) == (409, "/problems/not-a-sandbox")
    assert await home.laurels.store.clock_offset() is None
    assert not await home.laurels.sandboxed()


async def test_users_do_not_move_the_clock(playing: App) -> None:
    token = await playing.sign_in("ada")
    for headers in ({}, {"cookie": f"laurels-session={token}"}, {"authorization": f"Bearer {token}"}):
        assert (await playing.client.get(CLOCK, headers=headers)).status_code == 401
        assert (await playing.client.post(CLOCK, json={"days": 1}, headers=headers)).status_code == 401
    assert await playing.laurels.now() == NOON


async def test_events_and_sessions_happen_at_the_moved_time(playing: App) -> None:
    await move(playing, days=40)

    session = await playing.client.post(SESSIONS, json={"userId": "ada"}, headers=playing.by_key)
    sent = await playing.client.post(
        EVENTS, json=event("ada", occurredAt="2026-02-14T11:00:00Z"), headers=playing.by_key
    )

    assert datetime.fromisoformat(session.json()["expiresAt"]) > NOON + timedelta(days=41)
    assert sent.json()["recorded"] == 1
