"""The console in a real browser: every page on every screen, without JavaScript, and with the keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect
from pyotp.totp import TOTP

from laurels import Event
from laurels.auth.keys import create_key
from laurels.service.admin import Admin
from tests.support.app import App, event
from tests.web.checks import check_accessible, check_fits, tab_order
from tests.web.chromium import SCREENS
from tests.web.visitor import Site, Visitor

pytestmark = pytest.mark.anyio

PAGES = (
    "",
    "/users",
    "/users?q=ada",
    "/users/ada",
    "/users/ada/verify",
    "/users/ada/adjustments/grant",
    "/users/ada/adjustments/points",
    "/users/ada/adjustments/pause",
    "/users/ada/undo?adjustment=gift",
    "/users/ada/reverse?event=message.sent",
    "/amnesties",
    "/audit",
    "/catalog",
    "/catalog/revisions",
    "/catalog/revisions/1",
    "/catalog/differences?from=1&to=1",
    "/health",
    "/second-factor",
)
LONG = "x" * 200


async def lived_in(context: App) -> None:
    """A user with activity of every kind, and one with the longest possible id."""
    await context.laurels.update_user("ada", name="Ada " + "Very" * 20, time_zone="Europe/Berlin", groups=["red"])
    await context.record(event("ada", "agent.created", quantity=3), event("ada", quantity=120))
    await context.laurels.record(Event(LONG, LONG, "agent.created", data={LONG: LONG}))
    await context.laurels.profile("ada", login=True)
    admin = Admin(context.laurels)
    await admin.adjust("ada", "gift", "points", {"amount": 50}, "a birthday", "anna")
    await admin.adjust("ada", "g", "grant", {"badge": "early_adopter"}, LONG * 2, "anna")
    await admin.undo("ada", "g", "a slip", "bob")
    await admin.add_amnesty(context.clock().date(), context.clock().date(), "an outage", "anna")


async def operator(home: Site, context: App) -> tuple[Visitor, Page]:
    """An operator who has signed in through the form."""
    key = await create_key(context.laurels.store, "anna", context.clock(), "admin")
    visitor = await home.visit()
    page = await visitor.open("/console")
    await page.get_by_label("Admin key").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    return visitor, page


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_every_page_fits_and_is_accessible(home: Site, context: App) -> None:
    await lived_in(context)
    visitor, page = await operator(home, context)
    await expect(
        page.get_by_role("heading", name="Retention").or_(page.get_by_text("Preparing charts"))
    ).to_be_visible()

    for path in (*PAGES, f"/users/{LONG}"):
        await visitor.open("/console" + path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        for summary in await page.locator("summary").all():
            await summary.click()
        await check_fits(page)
        await check_accessible(page)


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_empty_pages_and_an_unknown_user_fit_and_are_accessible(home: Site, context: App) -> None:
    visitor, page = await operator(home, context)

    for path in ("", "/users", "/users?q=unknown", "/amnesties", "/audit", "/catalog", "/health"):
        await visitor.open("/console" + path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await check_fits(page)
        await check_accessible(page)
    visitor.expects(404, "/console/users/unknown")
    await visitor.open("/console/users/unknown")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await check_fits(page)
    await check_accessible(page)


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_the_sign_in_form_and_its_error_are_accessible(home: Site) -> None:
    visitor = await home.visit()
    page = await visitor.open("/console/users")
    await check_fits(page)
    await check_accessible(page)
    visitor.expects(401, "/console/sign-in")
    await page.get_by_label("Admin key").fill("a guess")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("unknown or was revoked")).to_be_visible()
    await expect(page.get_by_label("Admin key")).to_be_focused()
    await check_accessible(page)


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_a_second_factor_is_set_up_with_the_keyboard(home: Site, context: App) -> None:
    key = await create_key(context.laurels.store, "otto", context.clock(), "admin")
    visitor = await home.visit()
    page = await visitor.open("/console/sign-in")
    await page.get_by_label("Admin key").fill(key)
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Second factor").press("Enter")
    assert await page.get_by_role("img", name="QR code").is_visible()
    secret = (await page.locator("#secret-text code").inner_text()).replace(" ", "")
    await page.get_by_label("Admin key").fill(key)
    visitor.expects(422, "/console/second-factor")
    await page.keyboard.press("Tab")
    await page.keyboard.type("000000")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Code", exact=True)).to_be_focused()
    await check_fits(page)
    await check_accessible(page)
    await page.keyboard.type(TOTP(secret).at(context.clock()))
    await page.get_by_label("Admin key").fill(key)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("set up")
    assert await page.locator(".codes li").count() == 10
    await check_fits(page)
    await check_accessible(page)


async def test_a_grant_and_its_undo_work_with_the_keyboard(home: Site, context: App) -> None:
    await context.record(event("ada"))
    visitor, page = await operator(home, context)
    await visitor.open("/console/users")
    await expect(page.get_by_label("Search by name or ID")).to_be_focused()
    await page.keyboard.type("ada")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Anonymous").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Grant a badge").focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Badge").select_option("early_adopter")
    await page.get_by_label("Reason").fill("spoke at our conference")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("status")).to_contain_text("Points: 0 → 500.")

    await page.get_by_role("link", name=re.compile("^Undo")).press("Enter")
    await page.get_by_label("Reason").fill("another speaker")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Points: 500 → 0.")


async def test_every_link_and_field_is_reachable_in_order(home: Site, context: App) -> None:
    await context.record(event("ada"))
    visitor, _ = await operator(home, context)
    page = await visitor.open("/console/users/ada/adjustments/pause")

    stops = await tab_order(page)

    assert stops[0].startswith("link Skip")
    assert [stop for stop in stops if "Streak" in stop or "Reason" in stop][-1].endswith("Reason")
    assert any(stop == "button Pause a streak" for stop in stops)


async def test_a_double_click_on_a_form_counts_once(home: Site, context: App) -> None:
    await context.record(event("ada"))
    visitor, page = await operator(home, context)
    await visitor.open("/console/users/ada/adjustments/points")
    await page.get_by_label("Points").fill("50")
    await page.get_by_label("Reason").fill("a birthday")

    await page.get_by_role("button", name="Adjust points").dblclick()

    await expect(page.get_by_role("status")).to_be_visible()
    assert (await context.laurels.profile("ada")).points == 50
    assert len((await context.laurels.history("ada")).entries) == 2


async def test_an_invalid_field_gets_the_focus_and_describes_its_error(home: Site, context: App) -> None:
    await context.record(event("ada"))
    visitor, page = await operator(home, context)
    await visitor.open("/console/users/ada/adjustments/points")
    visitor.expects(422, "/console/users/ada/adjustments/points")
    await page.get_by_label("Points").fill("many")
    await page.get_by_label("Reason").fill("a birthday")
    await page.get_by_role("button", name="Adjust points").click()

    await expect(page.get_by_label("Points")).to_be_focused()
    await expect(page.get_by_label("Points")).to_have_accessible_description(re.compile("must be a whole number"))
    await expect(page.get_by_label("Reason")).to_have_value("a birthday")
    await check_accessible(page)
