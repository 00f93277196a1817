"""Rates: what each caller may ask, and that no address forgets to count."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from laurels.auth.keys import create_key
from laurels.http.limits import BURST_SECONDS, KEEP_FULL, Rate
from laurels.http.problems import TooManyRequests
from laurels.service.clock import utc_now
from laurels.settings import LimitSettings, Settings
from laurels.storage import open_store
from tests.support.app import CATALOG, EVENTS, PROFILE, USERS, App, event, open_app
from tests.support.serving import Served

pytestmark = pytest.mark.anyio


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def taken(rate: Rate, caller: str, tries: int = 1000) -> int:
    """How many of this number of simultaneous requests are admitted."""
    for number in range(tries):
        try:
            rate.take(caller)
        except TooManyRequests:
            return number
    return tries


def waits(rate: Rate, caller: str) -> int:
    """After how many seconds the refused is to come again."""
    with pytest.raises(TooManyRequests) as refused:
        rate.take(caller)
    return int(dict(refused.value.headers)[b"retry-after"])


# ---- the bucket -------------------------------------------------------------------------------


def test_a_burst_of_unused_requests_is_allowed_and_then_the_rate(seconds: Seconds) -> None:
    rate = Rate("session", 20, clock=seconds)

    assert taken(rate, "a") == 20 * BURST_SECONDS
    seconds.now += 1.001
    assert taken(rate, "a") == 20
    seconds.now += 1000
    assert taken(rate, "a") == 20 * BURST_SECONDS


def test_the_flood_of_one_touches_no_other(seconds: Seconds) -> None:
    rate = Rate("key", 3, clock=seconds)

    assert [taken(rate, caller) for caller in ("a", "b", "a")] == [15, 15, 0]


def test_a_request_after_retry_after_is_admitted(seconds: Seconds) -> None:
    rate = Rate("key", 1, clock=seconds)
    taken(rate, "a")
    seconds.now += 0.3

    wait = waits(rate, "a")
    assert wait == 1
    seconds.now += wait
    rate.take("a")


def test_a_large_batch_is_admitted_and_the_next_request_waits_for_it(seconds: Seconds) -> None:
    rate = Rate("key", 100, clock=seconds)
    rate.take("a")
    rate.charge("a", 999)

    assert waits(rate, "a") == 6  # 1,000 taken, 500 there: 501 tokens at 100 a second
    seconds.now += 6
    rate.take("a")


def test_of_several_processes_each_allows_its_share(seconds: Seconds) -> None:
    assert taken(Rate("key", 20, processes=4, clock=seconds), "a") == 5 * BURST_SECONDS
    assert taken(Rate("key", 1, processes=100, clock=seconds), "a") == 1


def test_0_is_any_number(seconds: Seconds) -> None:
    rate = Rate("key", 0, clock=seconds)
    rate.charge("a", 1_000_000)

    assert taken(rate, "a") == 1000
    assert len(rate) == 0


def test_a_full_bucket_is_dropped_and_an_empty_one_is_not(seconds: Seconds) -> None:
    rate = Rate("session", 20, clock=seconds)
    rate.charge("deep in debt", 1_000_000)
    for number in range(50 * KEEP_FULL):
        seconds.now += 0.01
        rate.take(number)

    assert len(rate) <= KEEP_FULL + 1
    assert taken(rate, "deep in debt") == 0


# ---- every address ----------------------------------------------------------------------------


@pytest.fixture
async def strict() -> AsyncIterator[App]:
    """A server that takes one request a second of anybody."""
    async with open_app(settings=Settings(limits=LimitSettings(key_rate=1, session_rate=1))) as one:
        yield one


async def test_no_address_forgets_to_count(strict: App) -> None:
    token = await strict.sign_in("ada")
    document = (await strict.client.get("/docs/openapi.json")).json()
    while (await strict.send(event("ada"))).status_code == 200:
        pass
    while (await strict.visit(token)).status_code == 200:
        pass
    asked = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if not operation.get("security") or {} in operation["security"]:
                continue
            asked += 1
            by_key = any("apiKey" in way for way in operation["security"])
            headers = strict.by_key if by_key else {"cookie": f"laurels-session={token}"}
            address = re.sub(r"\{\w+\}", "x", path)
            for written in (address, address + "/"):  # the hot lanes, and the framework's own handlers
                for _ in range(10):  # one more may be allowed each second
                    answer = await strict.client.request(method, written, headers=headers)
                    if answer.status_code == 429:
                        break
                assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-requests"), written
                assert int(answer.headers["retry-after"]) >= 1
                policy = answer.headers["ratelimit-policy"]
                assert policy == ('"key";q=5;w=5' if by_key else '"session";q=5;w=5')
                assert answer.headers["ratelimit"].startswith(policy.partition(";")[0] + ";r=0;t=")
            assert "429" in operation["responses"]
    assert asked > 10
    for open_to_all in (CATALOG, "/livez", "/readyz", "/docs"):
        assert (await strict.client.get(open_to_all)).status_code == 200


async def test_each_event_of_an_array_counts_and_a_refused_request_records_nothing(strict: App) -> None:
    first = await strict.send([event("ada", event_id=f"e{number}") for number in range(20)])
    second = await strict.send(event("ada", event_id="late"))

    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["retry-after"]) in (15, 16)
    assert (await strict.laurels.store.counts()).events == 20


async def test_sessions_of_one_user_are_counted_apart(strict: App) -> None:
    one, other = await strict.sign_in("ada"), await strict.sign_in("ada")
    while (await strict.visit(one)).status_code == 200:
        pass

    assert (await strict.visit(other)).status_code == 200
    assert (await strict.client.get(PROFILE, headers={"authorization": f"Bearer {one}"})).status_code == 429


# ---- a real server ----------------------------------------------------------------------------


async def test_a_flood_by_one_key_is_429_and_touches_no_other(tmp_path: Path) -> None:
    served = Served(f"sqlite:///{tmp_path / 'laurels.db'}", tmp_path)
    await served.prepare()
    store = open_store(served.database)
    other: dict[str, Any] = {"authorization": f"Bearer {await create_key(store, 'other', utc_now())}"}
    await store.close()
    async with served.server(key_rate=2) as server:
        flood = await asyncio.gather(*[server.send(event("ada", event_id=f"{number}")) for number in range(40)])
        refused = [answer for answer in flood if answer.status_code == 429]
        taken = [answer for answer in flood if answer.status_code == 200]
        beside = await server.client.get(f"{USERS}/ada", headers=other)
        wait = max(int(answer.headers["retry-after"]) for answer in refused)
        await asyncio.sleep(wait)
        again = await server.client.post(EVENTS, json=event("ada", event_id="again"), headers=server.by_key)

    assert len(taken) >= 10
    assert len(refused) >= 10
    assert len(taken) + len(refused) == 40
    assert (beside.status_code, again.status_code) == (200, 200)
