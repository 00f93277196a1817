"""The leaderboard element for hidden readers, who see their line in its own place, and for teams."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from laurels.engine.catalog import Catalog
from laurels.service.admin import Admin
from tests.support.app import App, event
from tests.web.checks import check_accessible, check_fits
from tests.web.chromium import SCREENS, Look
from tests.web.hosting import Host
from tests.web.serving import app_on_port
from tests.web.test_elements import DEFAULT
from tests.web.visitor import Site, site

pytestmark = pytest.mark.anyio

TEAMS = """[[leaderboards]]
id = "teams"
name = "Teams"
teams = "team:"

[[leaderboards]]
id = "fewest"
name = "Fewest agents"
by = "metric"
of = "agents"
order = "lowest"

[[leaderboards]]
id = "local"
name = "In your country"
within = "country"

# ---- levels"""
ONLY_YOU = {"en": ("You", "Only you see this"), "de": ("Du", "Nur du siehst das")}


@pytest.fixture
async def context() -> AsyncIterator[App]:
    """A server with 24 users, of whom u01 is the best; ada is hidden between u06 and u07, and of the team of u01."""
    async with app_on_port(catalog=Catalog.parse(DEFAULT.replace("# ---- levels", TEAMS, 1))) as one:
        await one.record(*(event(f"u{number:02}", "message.sent", quantity=1000) for number in range(1, 7)))
        for number in range(1, 25):
            await one.laurels.update_user(f"u{number:02}", groups=[f"team:{'red' if number % 2 else 'blue'}"])
            await one.record(event(f"u{number:02}", "agent.created", quantity=3 if number < 13 else 1))
        await one.laurels.update_user("ada", visibility="hidden", groups=["team:red"])
        await one.record(event("ada", "message.sent", quantity=100), event("ada", "agent.created", quantity=2))
        await one.record(event("ada", "referral.completed"))
        yield one


@pytest.fixture
async def host(browser: Browser, context: App, look: Look) -> AsyncIterator[Host]:
    async with site(browser, str(context.client.base_url), context.sign_in, look) as at:
        yield Host(at, at.address)


async def shown(host: Host, board: str, limit: int = 20, lang: str = "en", user: str = "ada") -> Page:
    visitor = await host.visit(user)
    page = await host.show(
        visitor, f"<laurels-leaderboard board='{board}' limit='{limit}'></laurels-leaderboard>", lang=lang
    )
    await expect(page.get_by_role("table")).to_be_visible()
    return page


async def ranks(page: Page) -> list[str]:
    return await page.locator("laurels-leaderboard tbody tr td:first-child").all_inner_texts()


@pytest.mark.parametrize("look", SCREENS, ids=str)
@pytest.mark.parametrize("lang", ONLY_YOU)
async def test_a_hidden_user_sees_their_line_in_its_place(host: Host, lang: str) -> None:
    page = await shown(host, "points", lang=lang)
    own = page.locator("[aria-current=true]")

    you, only_you = ONLY_YOU[lang]
    await expect(own).to_contain_text(you)
    await expect(own).to_contain_text(only_you)
    found = await ranks(page)
    rank = int(await own.locator("td").first.inner_text())
    assert found == [*map(str, range(1, rank + 1)), *map(str, range(rank, 21))]
    assert found.index(str(rank)) == rank - 1
    assert await page.locator("tbody tr").nth(rank - 1).get_attribute("aria-current") == "true"
    await check_fits(page)
    await check_accessible(page)


async def test_the_line_of_a_hidden_user_moves_into_the_page_that_it_belongs_to(host: Host) -> None:
    page = await shown(host, "points", limit=4)
    below = page.get_by_role("rowgroup", name="Your rank")
    await expect(below).to_contain_text("Only you see this")
    await page.get_by_role("button", name="Show more").click()
    await expect(below).to_have_count(0)
    await expect(page.locator("tbody tr")).to_have_count(9)
    await expect(page.locator("[aria-current=true]")).to_contain_text("Only you see this")


@pytest.mark.parametrize(("quantity", "place"), [(0, 12), (2, 24)])
async def test_the_lowest_score_comes_first_for_a_hidden_user_too(
    host: Host, context: App, quantity: int, place: int
) -> None:
    if quantity:
        await context.record(event("ada", "agent.created", "more", quantity=quantity))
    page = await shown(host, "fewest", limit=50)
    own = page.locator("tbody tr").nth(place)
    await expect(own).to_contain_text("Only you see this")


async def test_the_only_one_on_a_leaderboard_sees_their_line_though_it_is_hidden(home: Site, browser: Browser) -> None:
    async with app_on_port() as one:
        await one.laurels.update_user("ada", name="Ada", visibility="hidden")
        await one.record(event("ada", "agent.created"))
        async with site(browser, str(one.client.base_url), one.sign_in) as at:
            page = await shown(Host(at, at.address), "points")
            await expect(page.locator("[aria-current=true]")).to_have_text(re.compile("1Ada.*Only you see this"))


async def test_a_user_who_is_shown_is_not_marked_as_hidden(host: Host) -> None:
    page = await shown(host, "points", user="u02")
    await expect(page.locator("[aria-current=true]")).to_contain_text("You")
    await expect(page.get_by_text("Only you see this")).to_have_count(0)


@pytest.mark.parametrize(("lang", "count", "yours"), [("en", "2 teams", "Your team"), ("de", "2 Teams", "Dein Team")])
async def test_teams_are_counted_and_named_as_teams(host: Host, lang: str, count: str, yours: str) -> None:
    page = await shown(host, "teams", lang=lang)

    await expect(page.get_by_text(count, exact=True)).to_be_visible()
    names = await page.locator("tbody .name:first-child").all_inner_texts()
    assert set(names) >= {"red", "blue"}
    await expect(page.get_by_text("team:")).to_have_count(0)
    await expect(page.locator("[aria-current=true]")).to_contain_text(yours)
    await expect(page.locator("[aria-current=true]")).to_contain_text("red")
    await check_accessible(page)


@pytest.mark.parametrize(("lang", "says"), [("en", "Being recomputed"), ("de", "Wird neu berechnet")])
async def test_a_leaderboard_says_that_it_is_being_recomputed(host: Host, context: App, lang: str, says: str) -> None:
    page = await shown(host, "fewest", lang=lang)
    await expect(page.get_by_text(says)).to_have_count(0)

    turned = DEFAULT.replace("# ---- levels", TEAMS.replace('order = "lowest"', 'order = "highest"'), 1)
    await context.laurels.period_rules.stop()
    await Admin(context.laurels).apply_catalog(Catalog.parse(turned), "Most agents first", "anna")

    page = await shown(host, "fewest", lang=lang)
    await expect(page.get_by_text(says, exact=True)).to_be_visible()
    await check_accessible(page)
    await context.laurels.period_rules.recompute()
    page = await shown(host, "fewest", lang=lang)
    await expect(page.get_by_text(says)).to_have_count(0)


async def test_readers_choose_one_leaderboard_of_several(host: Host, context: App) -> None:
    for user, country in (("u01", "fr"), ("u02", "de"), ("ada", "de")):
        await context.laurels.update_user(user, name=user.upper(), groups=[f"country:{country}"], visibility=None)
    page = await shown(host, "local")
    names = page.locator("laurels-leaderboard tbody tr td:nth-child(2) bdi")
    choice = page.get_by_role("combobox", name="country")
    await expect(choice).to_have_value("de")
    await expect(names).to_have_text(["U02", "ADA"])
    await choice.select_option("fr")
    await expect(names).to_have_text(["U01"])
    await check_accessible(page)
    await check_fits(page)
