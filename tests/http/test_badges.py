"""/badges and /badges/{id}, and GET /api/gamification/rarity: what everybody may read of badges."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from laurels.settings import RuleSettings, Settings
from tests.http.app import App, event, ids_of, open_app
from tests.support import badge, catalog

pytestmark = pytest.mark.anyio

RARITY = "/api/gamification/rarity"
BROWSER = {"accept": "text/html"}


@pytest.fixture
async def many() -> AsyncIterator[App]:
    """A house that tells of rarity from four users on, with five users: two of them made an agent."""
    async with open_app(settings=Settings(rules=RuleSettings(rarity_users=4))) as one:
        await one.record(*(event(f"u{number}", "agent.created" if number < 2 else "login") for number in range(5)))
        yield one


async def shown(home: App, path: str) -> str:
    """A page as text, each blank alike."""
    answer = await home.client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


# ---- rarity -----------------------------------------------------------------------------------


async def test_rarity_is_public_and_may_be_kept_for_a_minute(many: App) -> None:
    answer = await many.client.get(RARITY)

    assert answer.headers["cache-control"] == "public, max-age=60"
    told = answer.json()
    assert list(told) == ["computedAt", "users", "badges"]
    assert (told["computedAt"], told["users"]) == ("2026-01-05T12:00:00Z", 5)
    assert told["badges"][1] == {"id": "first_agent", "holders": 2, "share": 0.4}
    assert len(told["badges"]) == 11


async def test_nothing_is_told_of_how_few_there_are(home: App) -> None:
    await home.record(event("ada", "agent.created"))

    told = (await home.client.get(RARITY)).json()

    assert told["users"] is None
    assert {(one["holders"], one["share"]) for one in told["badges"]} == {(None, None)}


# ---- pages ------------------------------------------------------------------------------------


async def test_all_badges_stand_by_category_each_with_a_page(many: App) -> None:
    page = await shown(many, "/badges")

    served = (await many.client.get("/api/gamification/catalog")).json()["badges"]
    links = re.findall(r'class="card" href="/badges/([^"]+)"', page)
    assert sorted(links) == sorted(ids_of(served))
    assert re.findall(r'<h2 id="(\w+)"', page) == ["onboarding", "usage", "social", "achievement"]
    assert "Held by 40% of 5 users" in page
    assert "Held by none of 5 users yet" in page


async def test_a_badge_has_its_name_words_points_and_rarity(many: App) -> None:
    page = await shown(many, "/badges/first_agent")

    for part in (
        "<h1>Agent Creator</h1>",
        "🤖",
        "Create 1 agent",
        "50 points",
        "First steps",
        "Uncommon",
        "40% of 5 users",
    ):
        assert part in page, part
    assert 'stroke-dasharray="40 100"' in page


async def test_a_link_to_a_badge_says_what_it_is(many: App) -> None:
    page = await shown(many, "/badges/first_agent")

    assert '<meta property="og:title" content="Agent Creator">' in page
    assert '<meta property="og:description" content="Create your first AI agent">' in page


@pytest.mark.parametrize("path", ["/badges", "/badges/first_agent"])
async def test_of_few_users_no_page_says_anything_of_rarity(home: App, path: str) -> None:
    await home.record(event("ada", "agent.created"))

    page = await shown(home, path)

    main = page[page.index("<main") : page.index("</main")]
    assert "Held by" not in main
    assert "<circle" not in main
    assert "ommon" not in main


async def test_german_readers_are_told_in_german(many: App) -> None:
    answer = await many.client.get("/badges/first_agent", headers={**BROWSER, "accept-language": "de-AT,en;q=0.5"})

    assert '<html lang="de">' in answer.text
    assert "50 Punkte" in answer.text
    assert "40\u00a0% von 5 Leuten haben es" in answer.text


async def test_a_badge_that_is_not_there_is_a_page_for_people_and_a_problem_for_programs(home: App) -> None:
    for_programs = await home.client.get("/badges/none")
    home.client.event_hooks = {}  # a page is no problem document
    for_people = await home.client.get("/badges/none", headers=BROWSER)

    assert (for_people.status_code, for_programs.status_code) == (404, 404)
    assert "There is nothing here" in for_people.text
    assert for_programs.headers["content-type"] == "application/problem+json"


async def test_what_a_catalog_says_is_text_on_a_page() -> None:
    odd = {**badge("a b?ü", streak="login", streak_of=2), "name": "<b>&", "description": '"<script>'}
    async with open_app(catalog(badges=[odd])) as home:
        page = await shown(home, "/badges")
        (link,) = re.findall(r'class="card" href="([^"]+)"', page)
        one = await shown(home, link)

    for text in (page, one):
        assert "<b>&" not in text
        assert "<script>" not in text
        assert "&lt;b&gt;&amp;" in text


async def test_a_catalog_without_badges_says_so() -> None:
    async with open_app(catalog()) as home:
        assert "There is no badge yet." in await shown(home, "/badges")


@pytest.mark.parametrize(
    ("holders", "users", "says"),
    [
        (0, 300, "Held by none of 300 users yet"),
        (1, 300, "Held by fewer than 1% of 300 users"),
        (3, 300, "Held by 1% of 300 users"),
        (299, 300, "Held by more than 99% of 300 users"),
        (300, 300, "Held by all 300 users"),
    ],
)
async def test_few_are_not_called_none_and_most_not_all(holders: int, users: int, says: str) -> None:
    async with open_app() as home:
        kinds = ("agent.created" if number < holders else "login" for number in range(users))
        await home.record(*(event(f"u{number}", kind) for number, kind in enumerate(kinds)))

        assert says in await shown(home, "/badges/first_agent")
