"""The playground: only a demo has it, and the stories of its users are true."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from laurels.auth.keys import create_key
from laurels.demo.filling import demo_catalog, fill
from laurels.demo.personas import ACTIONS, Persona, PersonaFinder
from laurels.demo.playground_texts import PAGE, SCRIPT, STORIES
from laurels.demo.sample import community
from laurels.engine.catalog import Catalog
from laurels.server.app import create_app
from laurels.service.laurels import Laurels
from laurels.settings import Settings
from laurels.testing import TestClock
from tests.support.app import App, client_of, event, open_app_over

pytestmark = pytest.mark.anyio

PLAYGROUND = "/playground"
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


@pytest.fixture
async def playing(home: App) -> AsyncIterator[App]:
    """A server whose application has a playground."""
    app = create_app(home.laurels, Settings(), playground=home.key)
    async with client_of(app, "http://localhost:8000") as client:
        yield replace(home, app=app, client=client)


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[App]:
    """A server over a sample community, with a playground."""
    file, catalog = tmp_path / "demo.db", Catalog.parse(demo_catalog())
    await fill(file, catalog, community(7, 60, 60, NOW), NOW, lambda: None)
    clock = TestClock(NOW)
    async with Laurels.open(f"sqlite:///{file}", catalog, clock=clock) as laurels:
        key = await create_key(laurels.store, "demo", NOW)
        async with open_app_over(laurels, clock) as one:
            app = create_app(laurels, Settings(), playground=key)
            async with client_of(app, "http://localhost:8000") as client:
                yield replace(one, app=app, client=client, key=key)


class Given(HTMLParser):
    """Finds what the page gives its script, as a browser reads it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if said.get("id") == "playground":
            self.found = json.loads(said["data-given"] or "")


async def given_by(home: App, query: str = "") -> Any:
    answer = await home.client.get(PLAYGROUND + query)
    assert answer.status_code == 200
    parser = Given()
    parser.feed(answer.text)
    return parser.found


async def finder_of(laurels: Laurels) -> PersonaFinder:
    users = await laurels.store.users(await laurels.store.user_ids("", 1000))
    return PersonaFinder(laurels.catalog, [*users.values()], await laurels.now())


def facts_of(stories: Iterable[Persona]) -> list[tuple[str, Mapping[str, int | str]]]:
    return [(story.user.user_id, story.facts) for story in stories]


# ---- who has it -------------------------------------------------------------------------------


async def test_only_a_demo_has_a_playground(home: App, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await home.client.get(PLAYGROUND)).status_code == 404
    assert (await home.client.get("/")).headers["location"] == "/profile"
    assert (await home.client.get("/?lang=de")).headers["location"] == "/profile?lang=de"
    monkeypatch.setenv("LAURELS_PLAYGROUND", home.key)
    app = create_app(home.laurels, Settings())
    async with client_of(app) as client:
        assert (await client.get(PLAYGROUND)).status_code == 404


async def test_the_front_page_of_a_demo_redirects_to_the_playground(playing: App) -> None:
    front = await playing.client.get("/")
    page = await playing.client.get(front.headers["location"])

    assert (front.status_code, front.headers["location"]) == (302, PLAYGROUND)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "private, no-store"
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    assert " style=" not in page.text


async def test_reading_the_page_creates_no_user(playing: App) -> None:
    given = await given_by(playing)

    assert given["key"] == playing.key
    assert [person["userId"] for person in given["people"]] == [None]
    assert (await playing.laurels.store.counts()).users == 0


@pytest.mark.parametrize("language", ["en", "de"])
async def test_the_page_is_in_the_requested_language(demo: App, language: str) -> None:
    page = (await demo.client.get(f"{PLAYGROUND}?lang={language}")).text
    given = await given_by(demo, f"?lang={language}")

    assert f'<html lang="{language}">' in page
    assert PAGE[language]["agent"] in page
    assert given["texts"] == SCRIPT[language]
    assert given["people"][-1]["story"] == STORIES[language]["new"]


def test_every_text_exists_in_every_language_with_the_same_facts() -> None:
    def facts(texts: Mapping[str, str]) -> dict[str, list[str]]:
        return {key: sorted(part.partition("}")[0] for part in text.split("{")[1:]) for key, text in texts.items()}

    for table in (PAGE, SCRIPT, STORIES):
        assert facts(table["en"]) == facts(table["de"])


async def test_a_name_cannot_break_out_of_the_page(playing: App) -> None:
    name = """</div><script>alert("x")</script>' &quot;"""
    await playing.laurels.update_user("eve", name=name, joined_at=NOW - timedelta(days=90))

    assert "<script>alert" not in (await playing.client.get(PLAYGROUND)).text
    assert name in [person["name"] for person in (await given_by(playing))["people"]]


# ---- what it says of people -------------------------------------------------------------------


async def test_about_twenty_users_are_offered_once_each_and_those_close_to_a_badge_first(demo: App) -> None:
    people = (await given_by(demo))["people"]

    ids = [person["userId"] for person in people]
    assert 12 <= len(ids) == len(set(ids)) <= 25
    assert people[0]["story"] == "99 of 100 for 💬 Century Club: one more to go"
    assert all(person["name"] and person["story"] for person in people)


async def test_a_user_one_action_short_of_a_badge_earns_it_with_that_action(demo: App) -> None:
    near = [*(await finder_of(demo.laurels)).near_a_badge()]
    assert len(near) >= 3

    for persona in near:
        one_each = [event(persona.user.user_id, event_type) for event_type in ACTIONS]
        awards = [award for result in await demo.record(*one_each) for award in result.get("awards", [])]
        assert persona.facts["badge"] in [f"{award['icon']} {award['name']}" for award in awards]


async def test_a_streak_story_ends_once_the_badge_is_earned(playing: App) -> None:
    token = await playing.sign_in("ada")
    kinds: list[list[str]] = []
    for _ in range(8):
        playing.clock.advance(days=1)
        before = await finder_of(playing.laurels)
        kinds.append([persona.kind for persona in before.near_a_streak_badge()])
        badge_awarded = (await playing.visit(token)).json()["badgeAwarded"]
        assert not [*(await finder_of(playing.laurels)).near_a_streak_badge()], (
            "a user who visited today is not asked to visit"
        )
        assert badge_awarded == ("login_streak_7" if len(kinds) == 7 else None)

    assert kinds == [[], [], [], [], [], ["badge_tomorrow"], ["badge_today"], []]


async def test_the_facts_of_the_other_stories_match_the_users(playing: App) -> None:
    laurels, clock = playing.laurels, playing.clock
    await laurels.profile("gone", login=True)
    clock.advance(days=20)
    await laurels.update_user("tom", name="Tom", time_zone="America/New_York", joined_at=clock.now)
    clock.advance(days=2)
    await laurels.update_user("tom", time_zone="Pacific/Auckland")
    await playing.give_points("lea", agents=10, messages=1000)  # 50 + 150 + 500 and 100 + 500 points
    await playing.give_points("ben", messages=1000)  # 100 + 500 points
    for user_id in ("lea", "ben"):
        await laurels.profile(user_id, login=True)
        clock.advance(days=1)
        await laurels.profile("lea", login=True)

    finder = await finder_of(laurels)

    assert facts_of(finder.leaders())[:2] == [("lea", {}), ("ben", {"points": 700, "name": "lea"})]
    assert facts_of(finder.away()) == [("gone", {"days": 24, "longest": 1})]
    assert facts_of(finder.travellers()) == [("tom", {"before": "America/New_York", "zone": "Pacific/Auckland"})]
    assert facts_of(finder.on_another_date()) == [("tom", {"zone": "Pacific/Auckland"})]
    assert facts_of(finder.newcomers()) == [("tom", {"date": "2026-01-25"})]
    assert facts_of(finder.longest_streak()) == [("lea", {"days": 3})]
    assert facts_of(finder.collectors()) == [("lea", {"badges": 5, "all": 11}), ("ben", {"badges": 2, "all": 11})]


async def test_a_user_close_to_a_level_is_shown_with_the_missing_points(
    playing: App,
) -> None:
    await playing.give_points("ada", agents=10, messages=1000)  # 1,300 points, and Expert from 2,500
    await playing.give_points("bob", agents=1)
    assert facts_of((await finder_of(playing.laurels)).near_a_level()) == []

    gift = {"id": "1", "kind": "points", "amount": 1195, "reason": "a test"}
    await playing.client.post("/api/gamification/users/ada/adjustments", json=gift, headers=playing.by_key)

    assert facts_of((await finder_of(playing.laurels)).near_a_level()) == [("ada", {"points": 5, "title": "Expert"})]
