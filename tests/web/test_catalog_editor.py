"""Editing the catalog in a real browser: the check while typing, plan and apply, with the keyboard and on every screen."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.app import App, event
from tests.web.checks import check_accessible, check_fits, tab_order
from tests.web.chromium import SCREENS
from tests.web.test_console import operator
from tests.web.visitor import Site

pytestmark = pytest.mark.anyio

EDIT = "/console/catalog/edit"


async def lived_in(context: App) -> None:
    """Users of whom some earn a badge if 20 messages are enough."""
    for number in range(12):
        await context.record(event(f"user-{number}", quantity=number * 5), event(f"user-{number}", "agent.created"))


async def changed(page: Page, old: str, new: str) -> None:
    """Type another text into the editor."""
    text = page.get_by_label("Catalog (TOML)")
    await text.fill((await text.input_value()).replace(old, new, 1))


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_every_page_of_a_change_fits_and_is_accessible(home: Site, context: App) -> None:
    await lived_in(context)
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)
    await check_fits(page)
    await check_accessible(page)

    await changed(page, 'category = "usage"', 'category = "usag"')
    await expect(page.get_by_role("link", name="Line ")).to_have_count(1)
    await check_fits(page)
    await check_accessible(page)

    await changed(page, 'category = "usag"', 'category = "usage"')
    await changed(page, "at_least = 100 }", "at_least = 20 }")
    await page.get_by_role("button", name="Plan", exact=True).click()
    await expect(page.get_by_role("heading", name="Most affected users")).to_be_visible()
    await check_fits(page)
    await check_accessible(page)

    await page.get_by_label("Reason").fill("easier")
    await page.get_by_role("button", name="Apply this plan").click()
    await expect(page.get_by_text("Revision 2 is in force.")).to_be_visible()
    await check_fits(page)
    await check_accessible(page)


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_every_form_of_a_usual_change_fits_and_is_accessible(home: Site, context: App) -> None:
    await lived_in(context)
    visitor, page = await operator(home, context)
    for button in ("Change points", "Change a threshold", "Change a text", "Add a badge"):
        await visitor.open(EDIT)
        await page.get_by_role("button", name=button).press("Enter")
        await expect(page.get_by_role("heading", level=1, name=button)).to_be_visible()
        await check_fits(page)
        await check_accessible(page)
        if button != "Add a badge":
            await page.get_by_role("button", name="Next").press("Enter")
            await expect(page.get_by_label(re.compile("^New "))).to_be_visible()
            await check_fits(page)
            await check_accessible(page)

    visitor.expects(422, "/console/catalog/change")
    for label in ("Name", "ID", "Description", "Icon", "Condition in words"):
        await page.get_by_label(label, exact=True).fill("x")
    await page.get_by_label("Points").fill("many")
    await page.get_by_label("At least").fill("1")
    await page.get_by_role("button", name="Add a badge").press("Enter")
    await expect(page.get_by_label("Points")).to_be_focused()
    await check_fits(page)
    await check_accessible(page)


async def test_a_changed_threshold_comes_back_to_the_editor_in_words(home: Site, context: App) -> None:
    await lived_in(context)
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)
    await page.get_by_role("button", name="Change a threshold").click()
    await page.get_by_label("Which number").select_option("badges/2/when/at_least")
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("New number", exact=True).fill("20")
    await page.get_by_role("button", name="Change a threshold").click()

    await expect(page.get_by_role("status").first).to_contain_text("badges 'message_100'.when: from '100 messages' to")
    await expect(page.get_by_label("Catalog (TOML)")).to_have_value(re.compile('condition = "20 messages"'))
    await page.get_by_role("button", name="Plan", exact=True).click()
    await expect(page.get_by_role("heading", name="Most affected users")).to_be_visible()


async def test_faults_are_listed_while_one_types_and_lead_to_their_lines(home: Site, context: App) -> None:
    await lived_in(context)
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)
    text, status = page.get_by_label("Catalog (TOML)"), page.locator("[data-status]")

    await changed(page, 'category = "usage"', 'category = "usag"')
    await expect(status).to_have_text(re.compile("^1 fault"))
    await expect(text).to_be_focused()
    await page.get_by_role("link", name="Line ").press("Enter")

    await expect(text).to_be_focused()
    selected = "(area) => area.value.slice(area.selectionStart, area.selectionEnd)"
    assert await text.evaluate(selected) == 'category = "usag"'
    await page.keyboard.type('category = "usage"')
    await expect(status).to_have_text(re.compile("^No faults. Nothing but comments differs"))
    assert len(await context.laurels.store.catalog_revisions()) == 1


async def test_check_moves_the_focus_to_the_first_fault(home: Site, context: App) -> None:
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)
    await page.get_by_label("Catalog (TOML)").fill("name = 1\n[[badge]]\n")
    await page.get_by_role("button", name="Check").press("Enter")

    await expect(page.locator("[data-line]").first).to_be_focused()


async def test_an_answer_that_is_stale_is_dropped(home: Site, context: App) -> None:
    """The first check is answered after the second one."""
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)
    late, checks = asyncio.Event(), 0

    async def first_late(route: Route) -> None:
        nonlocal checks
        checks += 1
        if checks == 1:
            await late.wait()
        await route.continue_()

    await page.route("**/console/catalog/check", first_late)
    area, status = page.get_by_label("Catalog (TOML)"), page.locator("[data-status]")
    before = await area.input_value()
    async with page.expect_request("**/console/catalog/check"):
        await area.fill("[[badge]]")
    await area.fill(before)
    await expect(status).to_have_text(re.compile("^No faults"))
    late.set()
    await asyncio.sleep(0.3)

    await expect(status).to_have_text(re.compile("^No faults"))
    assert checks == 2


async def test_a_burst_of_keys_is_checked_once(home: Site, context: App) -> None:
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/check") else None)

    await page.get_by_label("Catalog (TOML)").press_sequentially("# a comment\n", delay=5)
    await expect(page.locator("[data-status]")).to_have_text(re.compile("^No faults"))

    assert len(sent) <= 2


async def test_the_editor_is_reachable_with_the_keyboard_and_is_no_trap(home: Site, context: App) -> None:
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)

    stops = await tab_order(page)

    order = [next(stop for stop in stops if name in stop) for name in ("Catalog (TOML)", "are notified", "button Plan")]
    assert sorted(order, key=stops.index) == order
    assert "button Check" in stops


async def test_numbers_stand_beside_the_lines(home: Site, context: App) -> None:
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)
    await page.get_by_label("Catalog (TOML)").fill("a = 1\nb = 2\nc = 3")

    await expect(page.locator(".numbers-of-lines")).to_have_text("1\n2\n3")


async def test_how_far_users_are_is_refreshed(home: Site, context: App) -> None:
    await lived_in(context)
    visitor, page = await operator(home, context)
    await visitor.open(EDIT)
    await changed(page, "at_least = 100 }", "at_least = 20 }")
    await page.get_by_role("button", name="Plan", exact=True).click()
    await page.get_by_label("Reason").fill("easier")
    await page.get_by_role("button", name="Apply this plan").click()

    await expect(page.locator("#filling")).to_contain_text("All users, since")
