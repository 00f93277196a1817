"""Every case of tests/conformance/streaks.json, in every order and with repeats: on the engine, the store and over HTTP."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import httpx2
import pytest

from laurels.auth.keys import create_key
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.judge import judge, read_streak_of, rejudge
from laurels.engine.progress import Progress
from laurels.engine.zones import Zones
from laurels.errors import ZoneChangeTooSoon
from laurels.server.app import create_app
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.settings import Settings
from laurels.testing import TestClock, sandbox
from tests.support import at, badge, cases, catalog

Case = dict[str, Any]
Order = list[int]

CASES = cases("streaks")
ORDERS_ON_THE_ENGINE = 120  # all, for up to five events
ORDERS_ON_THE_STORE = 24  # all, for up to four
ORDERS_OVER_HTTP = 6  # all, for up to three

each_case = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


@cache
def rules(freezes: int) -> Catalog:
    """The contract's login streak and its badges, with so many freezes to begin with."""
    badges = [badge(f"login_streak_{length}", 10, streak="login", streak_of=length) for length in (7, 30)]
    return catalog(streaks={"login": {"events": ["login"], "freezes": {"initial": freezes}}}, badges=badges)


def rules_of(case: Case) -> Catalog:
    return rules(case.get("freezes", 0))


def orders(case: Case, most: int) -> Iterator[Order]:
    """Every order of the events where there are few; else as they are listed, backwards, and a sample. Each event twice."""
    listed = list(range(len(case["events"])))
    drawn = random.Random(case["name"])
    sample = [listed, listed[::-1], *(drawn.sample(listed, len(listed)) for _ in range(4))]
    for order in itertools.permutations(listed) if math.factorial(len(listed)) <= most else sample:
        repeats = drawn.sample(listed, len(listed))
        yield [one for pair in zip(order, repeats, strict=True) for one in pair]


def events_of(case: Case) -> list[Event]:
    return [Event("ada", f"e{index}", "login", at(event["at"])) for index, event in enumerate(case["events"])]


def begins(case: Case) -> datetime:
    """An instant before all that happens."""
    return min(at(one["at"]) for one in [*case["events"], *case.get("zoneChanges", [])]) - timedelta(hours=1)


@dataclass(frozen=True)
class Read:
    """What was read of a streak."""

    dates: list[str] | None
    length: int
    status: str
    longest: int
    freezes: int
    frozen: list[str]
    badges: list[str]


def check(case: Case, read: Read) -> None:
    assert read.length == case["length"]
    assert read.dates is None or read.dates == case["dates"]
    assert read.status == case.get("status", read.status)
    assert read.longest == case.get("longest", read.longest)
    assert read.freezes == case.get("freezesLeft", 0)
    assert read.frozen == case.get("frozen", [])
    assert read.badges == case.get("badges", [])


# ---- the engine -------------------------------------------------------------------------------


@each_case
def test_on_the_engine(case: Case) -> None:
    zones = zones_of(case)
    today = zones.day(at(case["readAt"]))
    for order in orders(case, ORDERS_ON_THE_ENGINE):
        check(case, read_of(rules_of(case), lived(case, zones, order), today))


def zones_of(case: Case) -> Zones:
    zones = Zones(case["zone"])
    for change in case.get("zoneChanges", []):
        if change.get("refused"):
            with pytest.raises(ZoneChangeTooSoon):
                zones.changed(change["zone"], at(change["at"]))
        else:
            zones = zones.changed(change["zone"], at(change["at"]))
    return zones


def lived(case: Case, zones: Zones, order: Order) -> Progress:
    """The progress once these events came; each counts once, as the store sees to. Amnesties come in the middle."""
    events, progress, seen = events_of(case), Progress(zones=zones), set[int]()
    for position, index in enumerate(order):
        if position == len(order) // 2:
            progress = excused(case, progress)
        if index not in seen:
            seen.add(index)
            day = zones.day(at(case["events"][index]["at"]))
            progress = judge(rules_of(case), progress, replace(events[index], day=day), day).progress
    return progress


def excused(case: Case, progress: Progress) -> Progress:
    days = Days()
    for amnesty in case.get("amnesties", []):
        days |= Days.span(*(date.fromisoformat(amnesty[end]).toordinal() for end in ("from", "to")))
    after = replace(progress, manual=replace(progress.manual, amnesty=days))
    return rejudge(rules_of(case), progress, after, at(case["readAt"])).progress


def read_of(of: Catalog, progress: Progress, today: int) -> Read:
    reading = read_streak_of(of.streaks["login"], progress, today)
    return Read(
        dates=[date.fromordinal(day).isoformat() for day in progress.days["login"]],
        length=reading.length,
        status=reading.status,
        longest=reading.longest,
        freezes=reading.freezes,
        frozen=[date.fromordinal(day).isoformat() for day in reading.frozen],
        badges=[one.id for one in of.badges if one.id in progress.badges],
    )


# ---- the store --------------------------------------------------------------------------------


@pytest.mark.anyio
@each_case
async def test_on_the_store(case: Case) -> None:
    for order in orders(case, ORDERS_ON_THE_STORE):
        async with sandbox(rules_of(case), start=begins(case), late_window=None) as (laurels, clock):
            await live_in(laurels, clock, case)
            clock.set(at(case["readAt"]))
            await record(laurels, case, order)
            read = await read_from(laurels)
            assert await Admin(laurels).verify("ada") == []
        check(case, read)


async def live_in(laurels: Laurels, clock: TestClock, case: Case) -> None:
    """The user's zones, each changed at its time."""
    await laurels.update_user("ada", time_zone=case["zone"])
    for change in case.get("zoneChanges", []):
        clock.set(at(change["at"]))
        if change.get("refused"):
            with pytest.raises(ZoneChangeTooSoon):
                await laurels.update_user("ada", time_zone=change["zone"])
        else:
            await laurels.update_user("ada", time_zone=change["zone"])


async def record(laurels: Laurels, case: Case, order: Order) -> None:
    events, half = events_of(case), len(order) // 2
    await laurels.record_many([events[index] for index in order[:half]])
    for amnesty in case.get("amnesties", []):
        first, last = (date.fromisoformat(amnesty[end]) for end in ("from", "to"))
        await Admin(laurels).add_amnesty(first, last, "an outage", "a test")
    for index in order[half:]:
        await laurels.record(events[index])


async def read_from(laurels: Laurels) -> Read:
    profile = await laurels.profile("ada")
    (streak,) = (await laurels.streaks("ada", 500)).streaks
    assert profile.streak == streak.length
    days = [(day.day.isoformat(), day.why) for day in reversed(streak.days)]
    return Read(
        dates=[day for day, why in days if why == "credited"],
        length=streak.length,
        status=streak.status,
        longest=streak.longest,
        freezes=streak.freezes,
        frozen=[day for day, why in days if why == "frozen"],
        badges=[one.id for one in profile.badges],
    )


# ---- over HTTP --------------------------------------------------------------------------------

ROOT = "/api/gamification"


@pytest.mark.anyio
@each_case
async def test_over_http(case: Case) -> None:
    for order in itertools.islice(orders(case, ORDERS_OVER_HTTP), ORDERS_OVER_HTTP):
        async with sandbox(rules_of(case), late_window=None) as (laurels, clock):
            await laurels.set_clock_offset(timedelta())
            key = await create_key(laurels.store, "tests", clock())
            transport = httpx2.ASGITransport(create_app(laurels, Settings()))
            async with httpx2.AsyncClient(transport=transport, base_url="http://laurels.test") as client:
                client.headers["authorization"] = f"Bearer {key}"
                check(case, await read_over_http(client, case, order))


async def read_over_http(client: httpx2.AsyncClient, case: Case, order: Order) -> Read:
    """The case as an app's back end would live through it, each request at its instant."""
    await ask(client, "PUT", "/users/ada", begins(case), {"timeZone": case["zone"]})
    for change in case.get("zoneChanges", []):
        expected = 409 if change.get("refused") else 200
        await ask(client, "PUT", "/users/ada", at(change["at"]), {"timeZone": change["zone"]}, expected)
    now = at(case["readAt"])
    sent = [
        {"userId": "ada", "id": f"e{index}", "type": "login", "occurredAt": case["events"][index]["at"]}
        for index in order
    ]
    results = (await ask(client, "POST", "/events", now, sent))["results"]
    assert [result["status"] for result in results] == statuses(order)
    for amnesty in case.get("amnesties", []):
        said = {"first": amnesty["from"], "last": amnesty["to"], "reason": "an outage"}
        await ask(client, "POST", "/amnesties", now, said, 201)
    (streak,) = (await ask(client, "GET", "/users/ada/streaks?days=366", now))["streaks"]
    profile = await ask(client, "GET", "/users/ada/profile", now)
    assert profile["streak"] == streak["length"]
    assert (streak["totalDays"], streak["lastDay"]) == (len(case["dates"]), case["dates"][-1])
    return Read(
        dates=[day["day"] for day in reversed(streak["days"]) if day["why"] == "credited"],
        length=streak["length"],
        status=streak["status"],
        longest=streak["longest"],
        freezes=streak["freezes"],
        frozen=[day["day"] for day in reversed(streak["days"]) if day["why"] == "frozen"],
        badges=[one["id"] for one in profile["badges"]],
    )


def statuses(order: Sequence[int]) -> list[str]:
    return ["duplicate" if index in order[:place] else "recorded" for place, index in enumerate(order)]


async def ask(
    client: httpx2.AsyncClient, method: str, path: str, instant: datetime, content: Any = None, expected: int = 200
) -> Any:
    sent = {"content-type": "application/json", "laurels-now": instant.isoformat()}
    text = None if content is None else json.dumps(content)
    answer = await client.request(method, ROOT + path, content=text, headers=sent)
    assert answer.status_code == expected, answer.text
    return answer.json()


def test_the_cases_with_freezes_and_amnesties_are_among_them() -> None:
    counted = Counter(key for case in CASES for key in case)
    assert (counted["freezes"], counted["amnesties"], counted["zoneChanges"], len(CASES)) == (4, 1, 3, 24)
