"""What reads cost: each counts against its caller's rate by what it makes the server do, and none costs more than it counts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import resources

import httpx2
import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.http.leaderboards import MAX_FRIENDS
from laurels.http.limits import Rate
from laurels.http.requests import MAX_PARAMETERS
from laurels.settings import LimitSettings, Settings
from tests.support import KINDS, new_database
from tests.support.app import COOKIE, LEADERBOARDS, PROFILE, USERS, App, open_app

pytestmark = pytest.mark.anyio

BADGES = 250
COMMUNITY = 300
TRIES = 5

PROFILES = 30
"""No read may cost more than this number of profiles for each request that it counts as: an order of magnitude, and noise."""

FRIENDS = ",".join(f"u{number}" for number in range(MAX_FRIENDS))
EVERYTHING = "balance,rank,next,toward,streaks,history,earned,details"

BY_SESSION = {
    f"{PROFILE}": 1,
    f"{PROFILE}?include=balance,rank,history,earned": 1,
    f"{PROFILE}?include=next": 3,
    f"{PROFILE}?include={EVERYTHING}&days=366": 6,
    "/api/gamification/streaks": 1,
    "/api/gamification/streaks?days=366": 2,
    "/api/gamification/badges/message_100/explanation": 1,
    LEADERBOARDS: 1,
    f"{LEADERBOARDS}/points": 1,
    f"{LEADERBOARDS}/points?limit=100": 1,
    f"{LEADERBOARDS}/points?limit=100&around=u200": 1,
    f"{LEADERBOARDS}/points?friends=u1,u2": 1,
    f"{LEADERBOARDS}/points?friends={FRIENDS}": 8,
    f"{LEADERBOARDS}/dense?friends={FRIENDS}": 8,
    f"{LEADERBOARDS}/weekly?friends={FRIENDS}": 8,
    f"{LEADERBOARDS}/clubs": 2,
    f"{LEADERBOARDS}/weekly/periods?limit=1000": 1,
}
"""As how many requests each of these reads counts."""

BY_KEY = {
    f"{USERS}/u0": 1,
    f"{USERS}/u0/profile?include={EVERYTHING}&days=366": 6,
    f"{USERS}/u0/streaks?days=366": 2,
    f"{USERS}/u0/history": 1,
    f"{USERS}/u0/history?limit=500": 10,
    f"{USERS}/u0/profile?asOf=2026-01-05T12:00:00Z": 25,
    f"{LEADERBOARDS}/points?limit=1000": 10,
    f"{LEADERBOARDS}/points?limit=1000&around=u200": 10,
}


class Counting(Rate):
    """A rate that refuses nothing, and counts."""

    def __init__(self) -> None:
        super().__init__("test", 0)
        self.counted = 0

    def take(self, caller: Hashable) -> None:  # as Rate has it
        self.counted += 1

    def charge(self, caller: Hashable, tokens: int) -> None:  # as Rate has it
        self.counted += tokens


@dataclass(frozen=True, slots=True)
class Crowd:
    """An application with a community in it, one of whose users reads."""

    app: App
    token: str

    async def get(self, path: str, *, by_key: bool = False) -> httpx2.Response:
        headers = self.app.by_key if by_key else {"cookie": f"{COOKIE}={self.token}"}
        answer = await self.app.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer

    async def counted(self, path: str, *, by_key: bool) -> int:
        """As how many requests a read counts."""
        rate, context = Counting(), self.app.app.context
        self.app.app.context = replace(context, **{"key_rate" if by_key else "session_rate": rate})
        await self.get(path, by_key=by_key)
        self.app.app.context = context
        return rate.counted

    async def seconds(self, path: str, *, by_key: bool = False) -> float:
        """The least processor time of this process for a read."""
        found: list[float] = []
        for _ in range(TRIES):
            before = time.process_time()
            await self.get(path, by_key=by_key)
            found.append(time.process_time() - before)
        return min(found)


def many_badges() -> Catalog:
    """The default catalog with hundreds of badges, a leaderboard of teams, and one with dense ranks."""
    text = resources.files("laurels.engine").joinpath("default.toml").read_text("utf-8")
    text += '\n[[leaderboards]]\nid = "clubs"\nname = "Clubs"\nteams = "team:"\n'
    text += '\n[[leaderboards]]\nid = "dense"\nname = "Dense"\nties = "dense"\n'
    for number in range(BADGES - len(Catalog.default().badges)):
        text += (
            f'\n[[badges]]\nid = "b{number}"\nname = "B{number}"\ndescription = "D"\nicon = "x"\ncategory = "usage"\n'
            f'points = 1\ncondition = "C"\nwhen = {{ metric = "messages", at_least = {number * 100 + 50} }}\n'
        )
    return Catalog.parse(text)


@asynccontextmanager
async def crowd(database: str) -> AsyncIterator[Crowd]:
    settings = Settings(limits=LimitSettings(session_rate=0))
    async with open_app(many_badges(), settings, database=database) as app:
        laurels = app.laurels
        for number in range(COMMUNITY):
            await laurels.update_user(f"u{number}", groups=[f"team:{number}"])
        events = [Event(f"u{number}", "e", "message.sent", None, 1 + number * 7 % 500) for number in range(COMMUNITY)]
        events += [Event("u0", f"e{number}", "message.sent") for number in range(600)]
        await laurels.record_many(events)
        session = await app.app.context.sessions.create("u0", timedelta(days=1))
        yield Crowd(app, session.token)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_read_counts_by_what_it_reads(kind: str) -> None:
    with new_database(kind) as database:
        async with crowd(database) as one:
            await one.get(PROFILE)  # today's login
            by_session = {path: await one.counted(path, by_key=False) for path in BY_SESSION}
            by_key = {path: await one.counted(path, by_key=True) for path in BY_KEY}

    assert by_session == BY_SESSION
    assert by_key == BY_KEY


async def test_no_read_costs_much_more_than_profiles_for_each_request_that_it_counts_as() -> None:
    async with crowd("sqlite://") as one:
        await one.get(PROFILE)
        profile = await one.seconds(PROFILE)
        paths = [(path, False, count) for path, count in BY_SESSION.items()]
        paths += [(path, True, count) for path, count in BY_KEY.items()]
        costs = {path: await one.seconds(path, by_key=by_key) / count / profile for path, by_key, count in paths}

    assert {path: cost for path, cost in costs.items() if cost > PROFILES} == {}


async def test_more_parameters_than_any_address_has_are_refused(home: App) -> None:
    token = await home.sign_in("ada")
    for path in (PROFILE, f"{LEADERBOARDS}/points", "/badges", "/livez"):
        many = "&".join(["days=1"] * (MAX_PARAMETERS + 1))
        answer = await home.client.get(f"{path}?{many}", headers={"cookie": f"{COOKIE}={token}"})
        assert (answer.status_code, answer.json()["type"]) == (431, "/problems/head-too-large"), path


async def test_the_page_of_all_badges_is_made_once_for_each_language_and_catalog(home: App) -> None:
    for path in ("/badges", "/badges?lang=de", "/badges", "/badges?lang=en"):
        texts = {(await home.client.get(path)).text for _ in range(2)}
        assert len(texts) == 1
        assert ("Abzeichen" in texts.pop()) == ("de" in path)
    assert "Century Club" in (await home.client.get("/badges")).text
