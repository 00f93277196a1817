"""Reading a user's profile as of an earlier time, over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from laurels.storage.contract import FIRST_FORMER_STATE, MaintenanceRun
from tests.support.app import USERS, App

pytestmark = pytest.mark.anyio

ADA = f"{USERS}/ada/profile"


async def test_a_profile_of_the_past_is_what_was_answered_then_byte_for_byte(home: App) -> None:
    await home.give_points("ada", agents=1, messages=3)
    path = f"{ADA}?include=balance,next,toward,streaks,history,earned"
    before, at = (await home.client.get(path, headers=home.by_key)).content, home.clock.now
    home.clock.advance(days=3)
    await home.give_points("ada", messages=200)

    answer = await home.client.get(f"{path}&asOf={at:%Y-%m-%dT%H:%M:%SZ}", headers=home.by_key)

    shown = json.loads(before)
    boards = (b'"leaderboard":%s' % encoded(shown["leaderboard"]), b'"userRank":%d' % shown["userRank"])
    assert answer.content == before.replace(boards[0], b'"leaderboard":null').replace(boards[1], b'"userRank":null')


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("sent", ["2026-01-06T14:00:00%2B02:00", "2026-01-07T14:00:00+02:00"])
async def test_a_time_may_have_any_offset(home: App, sent: str) -> None:
    await home.give_points("ada", agents=1)
    home.clock.advance(days=3)

    answer = await home.client.get(f"{ADA}?asOf={sent}&knownAt={sent}", headers=home.by_key)

    assert (answer.status_code, answer.json()["points"]) == (200, 50)


@pytest.mark.parametrize(
    ("query", "parameter", "fix"),
    [
        ("asOf=yesterday", "asOf", "RFC 3339"),
        ("asOf=2099-01-01T00:00:00Z", "asOf", "must not be in the future"),
        ("knownAt=2026-01-05T12:00:00Z", "knownAt", "needs 'asOf'"),
        ("asOf=2026-01-05T12:00:00Z&knownAt=2026-01-05T11:00:00Z", "knownAt", "must not be before 'asOf'"),
        ("asOf=2026-01-05T12:00:00Z&include=rank", "include", "depends on other users"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(home: App, query: str, parameter: str, fix: str) -> None:
    await home.give_points("ada", agents=1)

    answer = await home.client.get(f"{ADA}?{query}", headers=home.by_key)

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["parameter"]) == (422, parameter)
    assert fix in error["detail"]


async def test_before_what_is_stored_the_answer_names_the_earliest_time(home: App) -> None:
    await home.give_points("ada", agents=1)
    at = home.clock.now
    home.clock.advance(days=1)
    run = MaintenanceRun(FIRST_FORMER_STATE, home.clock.now - timedelta(hours=1), {})
    await home.laurels.store.save_maintenance_run(run)

    answer = await home.client.get(f"{ADA}?asOf={at:%Y-%m-%dT%H:%M:%SZ}", headers=home.by_key)

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (410, "/problems/past-not-stored")
    assert problem["earliest"] == f"{run.at:%Y-%m-%dT%H:%M:%SZ}"


async def test_a_user_who_did_not_exist_then_is_not_found(home: App) -> None:
    at = home.clock.now
    home.clock.advance(days=1)
    await home.give_points("ada", agents=1)

    answer = await home.client.get(f"{ADA}?asOf={at:%Y-%m-%dT%H:%M:%SZ}", headers=home.by_key)

    assert answer.status_code == 404
