"""/badges and /badges/{id}, and GET /api/gamification/rarity: public information about badges."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from laurels.settings import RuleSettings, Settings
from tests.support import badge, catalog
from tests.support.app import App, event, ids_of, open_app

pytestmark = pytest.mark.anyio

RARITY = "/api/gamification/rarity"
BROWSER = {"accept": "text/html"}


@pytest.fixture
async def many() -> AsyncIterator[App]:
    """A server that shows rarity from four users on, with five users: two of them created an agent."""
    async with open_app(settings=Settings(rules=RuleSettings(rarity_users=4))) as one:
        await one.record(*(event(f"u{number}", "agent.created" if number < 2 else "login") for number in range(5)))
        yield one


async def shown(home: App, path: str) -> str:
    """A page as text, each blank alike."""
    answer = await home.client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


# ---- rarity -----------------------------------------------------------------------------------


async def test_rarity_is_public_and_cached_for_a_minute(many: App) -> None:
    answer = await many.client.get(RARITY)

    assert answer.headers["cache-control"] == "public, max-age=60"
    report = answer.json()
    assert list(report) == ["computedAt", "users", "badges"]
    assert (report["computedAt"], report["users"]) == ("2026-01-05T12:00:00Z", 5)
    assert report["badges"][1] == {"id": "first_agent", "holders": 2, "share": 0.4}
    assert len(report["badges"]) == 11


async def test_rarity_is_hidden_below_the_minimum_of_users(home: App) -> None:
    await home.record(event("ada", "agent.created"))

    report = (await home.client.get(RARITY)).json()

    assert report["users"] is None
    assert {(one["holders"], one["share"]) for one in report["badges"]} == {(None, None)}


# ---- pages ------------------------------------------------------------------------------------


async def test_all_badges_are_listed_by_category_with_links(many: App) -> None:
    page = await shown(many, "/badges")

    served = (await many.client.get("/api/gamification/catalog")).json()["badges"]
    links = re.findall(r'class="card" href="/badges/([^"]+)"', page)
    assert sorted(links) == sorted(ids_of(served))
    assert re.findall(r'<h2 id="(\w+)"', page) == ["onboarding", "usage", "social", "achievement"]
    assert "Earned by 40% of 5 users" in page
    assert "Not yet earned by any of 5 users" in page


async def test_the_page_of_a_badge_shows_its_name_condition_points_and_rarity(many: App) -> None:
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


async def test_a_link_preview_of_a_badge_has_its_name_and_description(many: App) -> None:
    page = await shown(many, "/badges/first_agent")

    assert '<meta property="og:title" content="Agent Creator">' in page
    assert '<meta property="og:description" content="Create your first AI agent">' in page


@pytest.mark.parametrize("path", ["/badges", "/badges/first_agent"])
async def test_no_page_shows_rarity_below_the_minimum_of_users(home: App, path: str) -> None:
    await home.record(event("ada", "agent.created"))

    page = await shown(home, path)

    main = page[page.index("<main") : page.index("</main")]
    assert "Earned by" not in main
    assert "<circle" not in main
    assert "ommon" not in main


async def test_a_german_browser_gets_a_german_page(many: App) -> None:
    answer = await many.client.get("/badges/first_agent", headers={**BROWSER, "accept-language": "de-AT,en;q=0.5"})

    assert '<html lang="de">' in answer.text
    assert "50 Punkte" in answer.text
    assert "40\u00a0% von 5 Leuten haben es" in answer.text


async def test_an_unknown_badge_is_a_page_for_browsers_and_a_problem_for_programs(home: App) -> None:
    for_programs = await home.client.get("/badges/none")
    home.client.event_hooks = {}  # a page is not a problem document
    for_people = await home.client.get("/badges/none", headers=BROWSER)

    assert (for_people.status_code, for_programs.status_code) == (404, 404)
    assert "Page not found" in for_people.text
    assert for_programs.headers["content-type"] == "application/problem+json"


async def test_texts_of_the_catalog_are_escaped() -> None:
    odd = {**badge("a b?ü", streak="login", streak_of=2), "name": "<b>&", "description": '"<script>'}
    async with open_app(catalog(badges=[odd])) as home:
        page = await shown(home, "/badges")
        (link,) = re.findall(r'class="card" href="([^"]+)"', page)
        one = await shown(home, link)

    for text in (page, one):
        assert "<b>&" not in text
        assert "<script>" not in text
        assert "&lt;b&gt;&amp;" in text


async def test_a_catalog_without_badges_has_a_page() -> None:
    async with open_app(catalog()) as home:
        assert "No badges yet." in await shown(home, "/badges")


@pytest.mark.parametrize(
    ("holders", "users", "says"),
    [
        (0, 300, "Not yet earned by any of 300 users"),
        (1, 300, "Earned by fewer than 1% of 300 users"),
        (3, 300, "Earned by 1% of 300 users"),
        (299, 300, "Earned by more than 99% of 300 users"),
        (300, 300, "Earned by all 300 users"),
    ],
)
async def test_rounding_never_shows_a_few_as_none_or_most_as_all(holders: int, users: int, says: str) -> None:
    async with open_app() as home:
        kinds = ("agent.created" if number < holders else "login" for number in range(users))
        await home.record(*(event(f"u{number}", kind) for number, kind in enumerate(kinds)))

        assert says in await shown(home, "/badges/first_agent")
