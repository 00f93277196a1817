"""A real server with many clients at once: counted once, lost never."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels.service.clock import utc_now
from tests.support import LASTING_ENGINES
from tests.support.app import EVENTS, PROFILE, USERS, event
from tests.support.serving import Served, Server

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("engine", LASTING_ENGINES)]

CLIENTS = 64


@pytest.fixture
async def served(database: str, tmp_path: Path) -> Served:
    one = Served(database, tmp_path)
    await one.prepare()
    return one


# ---- the same events from everybody -----------------------------------------------------------

USERS_OF_ALL = [f"user-{number:02}" for number in range(20)]
KINDS = [
    ("message.sent", 30, 4),
    ("agent.created", 12, 1),
    ("referral.completed", 6, 1),
    ("onboarding.completed", 2, 1),
]


def the_same_thousand() -> list[Any]:
    """50 events for each of 20 users: 120 messages, 12 agents, 6 referrals, onboarding done twice."""
    return [
        event(user_id, kind, f"{kind}-{number}", quantity=quantity)
        for user_id in USERS_OF_ALL
        for kind, count, quantity in KINDS
        for number in range(count)
    ]


EARNED = {"message_100", "first_agent", "agent_3", "agent_10", "first_referral", "referral_5", "onboarding_complete"}
POINTS = 100 + 50 + 150 + 500 + 100 + 500 + 100


async def send_all(server: Server, client: int) -> list[Any]:
    """All results of one client, which sends the thousand in an order and in portions of its own."""
    dice = random.Random(client)
    events = the_same_thousand()
    dice.shuffle(events)
    results: list[Any] = []
    while events:
        size = dice.choice([1, 20, 100, 250, 500])
        portion, events = events[:size], events[size:]
        answer = await server.send(portion)
        assert answer.status_code == 200, answer.text
        results += answer.json()["results"]
    return results


async def test_the_same_events_from_64_clients_at_once_count_once(served: Served) -> None:
    async with served.server(queue_events=CLIENTS * 1000, queue_seconds=600) as server:
        by_client = await asyncio.gather(*[send_all(server, client) for client in range(CLIENTS)])
        profiles = [
            (await server.client.get(f"{USERS}/{user_id}/profile", headers=server.by_key)).json()
            for user_id in USERS_OF_ALL
        ]
        assert await server.stop() == 0

    results = [result for of_client in by_client for result in of_client]
    assert Counter(result["status"] for result in results) == {"recorded": 1000, "duplicate": 1000 * (CLIENTS - 1)}
    awarded = Counter(
        (result["userId"], award["id"])
        for result in results
        if result["status"] == "recorded"
        for award in result.get("awards", [])
    )
    assert awarded == {(user_id, badge): 1 for user_id in USERS_OF_ALL for badge in EARNED}
    for profile in profiles:
        assert {badge["id"] for badge in profile["badges"]} == EARNED
        assert profile["points"] == POINTS
    await served.check_books()


async def test_every_answer_for_the_same_event_is_the_same(served: Served) -> None:
    same = [event("ada", "agent.created", f"agent-{number}") for number in range(10)]
    async with served.server() as server:
        answers = await asyncio.gather(*[server.send(same) for _ in range(CLIENTS)])

    told = [{**result, "status": ""} for answer in answers for result in answer.json()["results"]]
    for number in range(10):
        assert len({repr(one) for one in told if one["id"] == f"agent-{number}"}) == 1


# ---- the seventh day --------------------------------------------------------------------------


async def test_of_fifty_visits_at_once_on_the_seventh_day_one_awards_the_badge(served: Served) -> None:
    now = utc_now()
    noon = f"Etc/GMT{now.hour - 12:+d}"  # where it is about noon now, so that no midnight comes in between
    async with served.server(limits_session_requests=64) as server:
        cookie = await server.sign_in("ada", timeZone=noon)
        days = [now - timedelta(days=days) for days in range(1, 7)]
        await server.send([event("ada", "login", f"{day:%d}", occurredAt=day.isoformat()) for day in days])

        answers = await asyncio.gather(*[server.client.get(PROFILE, headers=cookie) for _ in range(50)])

    profiles = [answer.json() for answer in answers]
    assert Counter(profile["badgeAwarded"] for profile in profiles) == {"login_streak_7": 1, None: 49}
    assert {(profile["streak"], profile["points"], profile["userRank"]) for profile in profiles} == {(7, 200, 1)}
    await served.check_books()


# ---- the end of a server ----------------------------------------------------------------------


async def load(server: Server, sender: str, acknowledged: list[Any]) -> None:
    """Send event after event, alone and in portions, until the server is gone; keep what it has acknowledged."""
    dice = random.Random(sender)
    for number in range(10_000):
        portion = [
            event(f"user-{dice.randrange(30)}", kind, f"{sender}-{number}-{place}", quantity=dice.randrange(1, 40))
            for place, kind in enumerate(
                dice.choices(["message.sent", "agent.created", "login"], k=dice.choice([1, 1, 5, 40]))
            )
        ]
        try:
            answer = await server.send(portion[0] if len(portion) == 1 else portion)
        except httpx2.TransportError:
            return
        if answer.status_code == 503:
            return
        assert answer.status_code == 200, answer.text
        assert answer.json()["recorded"] == len(portion)
        acknowledged += portion


async def nothing_is_lost(server: Server, acknowledged: list[Any]) -> None:
    """Every acknowledged event is there: sent again, it is a duplicate."""
    for start in range(0, len(acknowledged), 1000):
        portion = acknowledged[start : start + 1000]
        answer = (await server.send(portion)).json()
        assert answer["duplicates"] == len(portion)


async def test_a_server_stopped_under_load_loses_nothing_that_it_acknowledged(served: Served) -> None:
    acknowledged: list[Any] = []
    async with served.server() as server:
        senders = [asyncio.create_task(load(server, f"s{number}", acknowledged)) for number in range(16)]
        await asyncio.sleep(0.7)
        assert await server.stop() == 0
        await asyncio.gather(*senders)
    async with served.server() as again:
        await nothing_is_lost(again, acknowledged)
        assert await again.stop() == 0

    assert acknowledged
    await served.check_books()


async def test_a_server_killed_under_load_loses_nothing_that_it_acknowledged(served: Served) -> None:
    dice = random.Random(7)
    acknowledged: list[Any] = []
    for life in range(4):
        async with served.server() as server:
            await nothing_is_lost(server, acknowledged)
            before = len(acknowledged)
            senders = [asyncio.create_task(load(server, f"l{life}s{number}", acknowledged)) for number in range(16)]
            await asyncio.sleep(dice.uniform(0.2, 0.7))
            async with asyncio.timeout(60):  # on a busy machine, nothing may be acknowledged yet
                while len(acknowledged) == before:  # noqa: ASYNC110  # what fills it says nothing
                    await asyncio.sleep(0.01)
            await server.kill()
            await asyncio.gather(*senders)
        await served.check_books()
    async with served.server() as server:
        await nothing_is_lost(server, acknowledged)


# ---- too much at once -------------------------------------------------------------------------


async def send_until_taken(server: Server, portion: list[Any]) -> int:
    """Send until the server takes it, and count how often it said to come again."""
    refused = 0
    while (answer := await server.send(portion)).status_code != 200:
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/overloaded"
        assert int(answer.headers["retry-after"]) >= 1
        refused += 1
        await asyncio.sleep(0.01)  # less than it says, so that the test is no longer than it must be
    return refused


async def test_a_full_queue_is_503_and_nothing_of_it_was_recorded(served: Served) -> None:
    portions = [
        [event("ada", "message.sent", f"{client}-{number}") for number in range(20)] for client in range(CLIENTS)
    ]
    async with served.server(queue_events=40) as server:
        refusals = await asyncio.gather(*[send_until_taken(server, portion) for portion in portions])
        answers = [await server.send(portion) for portion in portions]
        profile = (await server.client.get(f"{USERS}/ada/profile", headers=server.by_key)).json()

    assert sum(refusals) > 0
    assert all(answer.json()["duplicates"] == 20 for answer in answers)
    assert [badge["id"] for badge in profile["badges"]] == ["message_100", "message_1000"]
    await served.check_books()


# ---- bodies on a real wire --------------------------------------------------------------------


async def ten_megabytes() -> AsyncIterator[bytes]:
    for _ in range(160):
        yield b" " * 65536


async def test_a_body_too_large_gets_its_answer_over_the_wire(served: Served) -> None:
    async with served.server() as server:
        headers = {**server.by_key, "content-type": "application/json"}
        for _ in range(3):
            announced = await server.client.post(EVENTS, content=b" " * 10_000_000, headers=headers)
            chunked = await server.client.post(EVENTS, content=ten_megabytes(), headers=headers)
            unknown = await server.client.post(EVENTS, content=b" " * 10_000_000)

            assert [answer.status_code for answer in (announced, chunked, unknown)] == [413, 413, 401]
        assert (await server.send(event("ada"))).json()["recorded"] == 1


async def test_headers_too_large_break_nothing_over_the_wire(served: Served) -> None:
    async with served.server() as server:
        for headers in ({"cookie": "x=" + "y" * 100_000}, {f"x-{number}": "y" * 100 for number in range(1000)}):
            answer = await server.client.get(PROFILE, headers=headers)

            assert 400 <= answer.status_code < 500
        assert (await server.client.get("/readyz")).status_code == 200
