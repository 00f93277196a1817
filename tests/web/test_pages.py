"""The public pages in a real browser: on every screen, signed out, without a jump, and with the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from laurels.settings import RuleSettings, Settings
from tests.support.app import LEADERBOARDS, PROFILE, App, event
from tests.web.checks import check_accessible, check_fits, first_paint, layout_shift, tab_order
from tests.web.chromium import DARK_PHONE, GERMAN, LIGHT, PHONE, SCREENS, Look
from tests.web.serving import app_on_port
from tests.web.visitor import BROKEN, Site, site

pytestmark = pytest.mark.anyio

OTHERS = ("bob", "cay", "dan", "eve", "fay", "gus", "hal")
PAGES = {
    "/profile": "Agent Creator",
    "/leaderboards": "Beginner",
    "/leaderboards/weekly": "Beginner",
    "/badges": "Agent Creator",
    "/badges/first_agent": "Create 1 agent",
}


async def lived_in(context: App) -> None:
    """Ada leads, and seven others follow."""
    for place, name in enumerate(("ada", *OTHERS)):
        await context.laurels.update_user(name, name=name.title() + " of the Long Name" * (place == 1))
        await context.record(event(name, "agent.created", quantity=2), event(name, quantity=120 - 15 * place))


async def opened(home: Site, path: str, user_id: str | None = "ada") -> Page:
    """A page that has loaded its content."""
    page = await (await home.visit(user_id)).open(path)
    await expect(page.get_by_text(PAGES[path]).first).to_be_visible()
    return page


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_every_page_fits_and_is_accessible(home: Site, context: App) -> None:
    await lived_in(context)
    visitor = await home.visit("ada")

    for path, shown in PAGES.items():
        page = await visitor.open(path)
        await expect(page.get_by_text(shown).first).to_be_visible()
        await check_fits(page)
        await check_accessible(page)


@pytest.mark.parametrize("look", [LIGHT, DARK_PHONE], ids=str)
@pytest.mark.parametrize("path", ["/profile", "/leaderboards", "/leaderboards/weekly"])
async def test_a_signed_out_visitor_sees_the_message_once(home: Site, path: str) -> None:
    visitor = await home.visit()
    boards = {"/profile": ["points"], "/leaderboards": ["points", "weekly", "monthly"]}.get(path, ["weekly"])
    for board in boards:
        visitor.expects(401, f"{LEADERBOARDS}/{board}")
    if path == "/profile":
        visitor.expects(401, PROFILE)

    page = await visitor.open(path)
    await page.wait_for_load_state("networkidle")

    await expect(page.get_by_role("heading", name="You're signed out")).to_have_count(1)
    await check_fits(page)
    await check_accessible(page)


@pytest.mark.parametrize("look", [LIGHT, PHONE], ids=str)
@pytest.mark.parametrize("path", ["/profile", "/leaderboards/weekly"])
async def test_loading_does_not_shift_the_layout(home: Site, context: App, path: str) -> None:
    await lived_in(context)

    page = await opened(home, path)

    assert await layout_shift(page) < 0.1


async def test_the_first_paint_of_the_profile_waits_for_two_requests_at_most(home: Site, context: App) -> None:
    await lived_in(context)

    painted = await first_paint(await opened(home, "/profile"))

    needed = [path for path in painted.requests if not path.startswith("/static/laurels.svg")]  # the browser's own icon
    assert len(needed) <= 2, needed


async def test_the_profile_page_requests_profile_and_leaderboard_once_each(home: Site, context: App) -> None:
    await lived_in(context)
    visitor = await home.visit("ada")
    asked: list[str] = []
    visitor.context.on("request", lambda request: asked.append(request.url.removeprefix(visitor.address)))

    page = await visitor.open("/profile")
    await expect(page.get_by_role("table")).to_have_count(2)
    await expect(page.get_by_text("day in a row")).to_be_visible()

    read = [path.partition("?")[0] for path in asked if path.startswith("/api/")]
    assert sorted(read) == [LEADERBOARDS + "/points", PROFILE, "/api/gamification/stream"]


@pytest.mark.parametrize("look", [GERMAN], ids=str)
async def test_a_german_browser_reads_german_pages(home: Site, context: App) -> None:
    await lived_in(context)
    page = await (await home.visit("ada")).open("/profile")

    await expect(page.get_by_role("heading", name="Verdiente Abzeichen")).to_be_visible()
    await page.get_by_role("link", name="Abzeichen").click()
    await expect(page.get_by_text("1.000 Punkte")).to_be_visible()
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_text("1,000 points")).to_be_visible()


async def test_the_tab_order_of_the_profile_follows_the_page(home: Site, context: App) -> None:
    await lived_in(context)

    assert await tab_order(await opened(home, "/profile")) == [
        "link Skip to content",
        "link Laurels",
        "link Profile",
        "link Leaderboards",
        "link Badges",
        "button Show more",
        "link English",
        "link Deutsch",
    ]


async def test_a_leaderboard_opens_from_the_list(home: Site, context: App) -> None:
    await lived_in(context)
    page = await opened(home, "/leaderboards")

    await page.get_by_role("link", name="Weekly").focus()
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", level=1, name="Weekly")).to_be_visible()
    await expect(page.get_by_role("row", name="Hal", exact=False)).to_be_visible()


async def test_a_page_keeps_its_content_and_shows_one_message_while_the_server_is_down(
    home: Site, context: App
) -> None:
    await lived_in(context)
    page = await opened(home, "/profile")
    await expect(page.get_by_role("table")).to_have_count(2)
    visitor = await home.visit("bob")
    page = await visitor.open("/profile")
    await expect(page.get_by_role("table")).to_have_count(2)
    for path in (PROFILE, LEADERBOARDS + "/points"):
        visitor.expects(BROKEN, path)
    await visitor.context.route("**/api/gamification/{profile**,leaderboards/**}", lambda route: route.abort(), times=2)

    await page.evaluate("dispatchEvent(new Event('laurels:refresh'))")
    await expect(page.locator(".old", has_text="Couldn't refresh")).to_have_count(1)
    await expect(page.get_by_role("heading", name="Badges earned")).to_be_visible()
    await context.give_points("bob", agents=1)
    await page.get_by_role("button", name="Try again").click()

    await expect(page.get_by_text("Agent Army").first).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)


async def test_the_page_of_a_badge_shows_its_rarity_if_there_are_enough_users(browser: object, look: Look) -> None:
    async with app_on_port(settings=Settings(rules=RuleSettings(rarity_users=4))) as many:
        await lived_in(many)
        async with site(browser, str(many.client.base_url), many.sign_in, look) as at:  # type: ignore[arg-type]
            page = await (await at.visit()).open("/badges/first_agent")

            await expect(page.get_by_text("Earned by all 8 users")).to_be_visible()
            await check_accessible(page)
