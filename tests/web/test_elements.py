"""The elements in pages of another app: every state, every attribute, and the requests they send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request, Route, expect

import laurels
from laurels.engine.catalog import Catalog
from laurels.service.admin import Admin
from laurels.settings import Origin, ServerSettings, Settings
from tests.support.app import LEADERBOARDS, PROFILE, App, event
from tests.web.checks import animations, check_accessible, check_fits, layout_shift, tab_order
from tests.web.chromium import DARK, LIGHT, PHONE, SCREENS, STILL, Look
from tests.web.hosting import STREAM, Host, refused
from tests.web.serving import app_on_port
from tests.web.visitor import BROKEN, Site, Visitor, site

pytestmark = pytest.mark.anyio

DEFAULT = (Path(laurels.__file__).parent / "engine/default.toml").read_text("utf-8")
EVIL = "<img src=x onerror=alert(1)>"
ELSEWHERE = "http://127.0.0.1:4"
"""An origin that serves only its own page."""

ALL = """<laurels-profile><laurels-streak></laurels-streak></laurels-profile>
<laurels-leaderboard></laurels-leaderboard><laurels-toast></laurels-toast>"""
ALONE = {
    "<laurels-profile></laurels-profile>": "Next badges",
    "<laurels-streak></laurels-streak>": "in a row",
    "<laurels-leaderboard board='weekly'></laurels-leaderboard>": "Weekly",
    "<laurels-toast></laurels-toast>": "Agent Creator · 50 points",
}
REFRESH = "dispatchEvent(new Event('laurels:refresh'))"
COUNT_STREAMS = """
    window.streams = [];
    window.EventSource = class extends EventSource {
        constructor(...given) { super(...given); streams.push(this); }
    };"""
OPEN_STREAMS = "streams.filter((one) => one.readyState !== 2).length"


@pytest.fixture
async def host(home: Site) -> Host:
    """An app on Laurels' own origin."""
    return Host(home, home.address)


@pytest.fixture
async def far(browser: Browser, look: Look) -> AsyncIterator[tuple[Host, App]]:
    """An app on an origin that Laurels lists, and that Laurels."""
    async with (
        app_on_port(settings=Settings(server=ServerSettings(origins=(Origin(ELSEWHERE),)))) as one,
        site(browser, ELSEWHERE, one.sign_in, look) as app,
    ):
        yield Host(app, str(one.client.base_url)), one


async def shown(host: Host, body: str = ALL, **more: str) -> Page:
    """A page with these elements, signed in as ada, once they have loaded."""
    page = await host.show(await host.visit(), body, **more)
    await expect(
        page.locator("laurels-profile, laurels-streak, laurels-leaderboard").get_by_role("heading").first
    ).to_be_visible()
    return page


def requests_of(visitor: Visitor, path: str) -> list[Request]:
    """The requests of this visitor's pages to this path from now on."""
    asked: list[Request] = []
    visitor.context.on("request", lambda request: asked.append(request) if path in request.url else None)
    return asked


async def alone(host: Host, context: App) -> None:
    """Each element alone shows its content, fits, and is accessible."""
    visitor = await host.visit()
    for body, text in ALONE.items():
        await host.show(visitor, body)
        page = visitor.page
        if "toast" in body:
            await page.emulate_media(reduced_motion="reduce")  # half faded in, it has too little contrast
            await page.wait_for_load_state("networkidle")
            await asyncio.sleep(0.2)
            await context.give_points("ada", agents=1)
        await expect(page.get_by_text(text).filter(visible=True).last).to_be_visible()
        await check_fits(page)
        await check_accessible(page)


# ---- one element alone --------------------------------------------------------------------------


@pytest.mark.parametrize("look", SCREENS, ids=str)
async def test_each_element_works_alone(host: Host, context: App) -> None:
    await context.laurels.update_user("ada", name="Ada")
    await alone(host, context)


async def test_each_element_works_from_another_origin(far: tuple[Host, App]) -> None:
    host, context = far
    await context.laurels.update_user("ada", name="Ada")
    await alone(host, context)


async def test_an_origin_that_is_not_listed_shows_an_error(context: App, browser: Browser) -> None:
    async with site(browser, ELSEWHERE, context.sign_in) as app:
        host = Host(app, str(context.client.base_url))
        visitor = await host.visit()
        page = await host.show(visitor, "<laurels-streak></laurels-streak>")

        await expect(page.get_by_text("Can't reach the server.", exact=True)).to_be_visible()
        with pytest.raises(AssertionError, match="CORS policy"):
            visitor.check()


# ---- states -------------------------------------------------------------------------------------


async def test_signed_out_elements_show_the_apps_own_sign_in(host: Host) -> None:
    visitor = await host.visit(None)
    visitor.expects(401, PROFILE)

    page = await host.show(
        visitor, "<laurels-profile><a slot='signed-out' href='/in'>Sign in here</a></laurels-profile>"
    )

    await expect(page.get_by_role("heading", name="You're signed out")).to_be_visible()
    await expect(page.get_by_role("link", name="Sign in here")).to_be_visible()
    await check_accessible(page)


async def test_after_signing_in_a_refresh_shows_the_profile(host: Host, context: App) -> None:
    visitor = await host.visit(None)
    visitor.expects(401, PROFILE)
    page = await host.show(visitor, "<laurels-profile></laurels-profile>")
    await expect(page.get_by_role("heading", name="You're signed out")).to_be_visible()

    await visitor.sign_in(await context.sign_in("ada"))
    await page.evaluate(REFRESH)

    await expect(page.get_by_role("heading", name="Newcomer")).to_be_visible()
    assert (await context.profile_of("ada"))["streak"] == 1


@pytest.mark.parametrize("look", [DARK, PHONE], ids=str)
async def test_a_new_user_sees_a_first_step_and_an_empty_leaderboard(host: Host) -> None:
    page = await shown(host)

    await expect(page.get_by_role("heading", name="Your first step")).to_be_visible()
    await expect(page.get_by_text("No one here yet. Be the first!")).to_be_visible()
    await expect(page.get_by_text("1 day in a row")).to_be_visible()
    await check_fits(page)
    await check_accessible(page)


@pytest.mark.parametrize(
    ("status", "why"), [(500, "The server replied: Out of order"), (BROKEN, "Can't reach the server.")]
)
async def test_a_failure_is_shown_and_can_be_retried(host: Host, status: int, why: str) -> None:
    visitor = await host.visit()
    if status:
        await refused(visitor, PROFILE, status)
    else:
        visitor.expects(BROKEN, PROFILE)
        await visitor.context.route("**" + PROFILE + "?**", lambda route: route.abort(), times=1)
    page = await host.show(visitor, "<laurels-profile></laurels-profile>")

    await expect(page.get_by_role("status")).to_have_text(f"Can't load this right now. {why}")
    await expect(page.get_by_text(why, exact=True)).to_be_visible()
    await check_accessible(page)
    await page.get_by_role("button", name="Try again").click()

    await expect(page.get_by_role("heading", name="Newcomer")).to_be_visible()


async def test_old_content_stays_with_its_time_while_a_refresh_fails(host: Host) -> None:
    visitor = await host.visit()
    page = await host.show(visitor, "<laurels-streak></laurels-streak>")
    await expect(page.get_by_text("1 day in a row")).to_be_visible()
    await refused(visitor, PROFILE, 503)

    await page.evaluate(REFRESH)

    await expect(page.get_by_text("Couldn't refresh").filter(visible=True).last).to_be_visible()
    await expect(page.get_by_text("1 day in a row")).to_be_visible()
    await check_accessible(page)
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)


@pytest.mark.parametrize(
    "body",
    ["<laurels-leaderboard board='nope'></laurels-leaderboard>", "<laurels-streak streak='nope'></laurels-streak>"],
)
async def test_an_unknown_leaderboard_or_streak_is_not_found(host: Host, body: str) -> None:
    visitor = await host.visit()
    if "board" in body:
        visitor.expects(404, LEADERBOARDS + "/nope")
    page = await host.show(visitor, body)

    await expect(page.get_by_text("Not found.", exact=True)).to_be_visible()
    await check_accessible(page)


@pytest.mark.parametrize("look", [LIGHT, PHONE], ids=str)
async def test_loading_does_not_shift_the_layout(host: Host, context: App) -> None:
    await context.give_points("ada", agents=1)
    visitor, go = await host.visit(), asyncio.Event()

    async def hold(route: Route) -> None:
        await go.wait()
        await route.continue_()

    await visitor.context.route("**/api/gamification/{profile,leaderboards}**", hold)
    page = await host.show(visitor, ALL)

    await expect(page.locator("laurels-profile").get_by_role("status").first).to_have_text("Loading")
    await expect(page.locator("laurels-profile .ghost").first).to_be_visible()
    await check_accessible(page)
    await asyncio.sleep(0.6)  # a jump within half a second of an input would not count
    go.set()
    await expect(page.get_by_role("heading", name="Badges earned")).to_be_visible()
    assert await layout_shift(page) < 0.1


# ---- texts and styles ---------------------------------------------------------------------------


async def test_bars_have_names_and_values(host: Host, context: App) -> None:
    await context.give_points("ada", messages=40)
    page = await shown(host, "<laurels-profile></laurels-profile>")

    level = page.get_by_role("progressbar", name="Level 1")
    await expect(level).to_have_attribute("aria-valuenow", "0")
    await expect(level).to_have_attribute("aria-valuetext", "0 %, 100 points to level 2")
    century = page.get_by_role("progressbar", name="Century Club")
    await expect(century).to_have_attribute("aria-valuenow", "40")
    await expect(century).to_have_attribute("aria-valuetext", "40 / 100")


async def test_the_nearest_language_applies_and_each_text_can_be_replaced(host: Host) -> None:
    page = await shown(
        host,
        """<laurels-profile></laurels-profile><div lang="de-AT"><laurels-streak></laurels-streak></div>
        <laurels-leaderboard texts='{"empty": "Start the race!"}'></laurels-leaderboard>""",
    )

    await expect(page.get_by_role("heading", name="Next badges")).to_be_visible()
    await expect(page.get_by_text("1 Tag in Folge")).to_be_visible()
    await expect(page.get_by_text("Start the race!")).to_be_visible()

    await page.evaluate("document.querySelector('laurels-profile').lang = 'de'")
    await expect(page.get_by_role("heading", name="Nächste Abzeichen")).to_be_visible()


async def test_themes_properties_and_parts_take_effect(host: Host) -> None:
    page = await shown(
        host,
        """<laurels-streak theme="dark"></laurels-streak><laurels-leaderboard heading="4"></laurels-leaderboard>""",
        style="laurels-leaderboard { --laurels-ground: rgb(1, 2, 3) } laurels-leaderboard::part(heading) { color: rgb(9, 8, 7) }",
    )

    await expect(page.locator("laurels-streak .card")).to_have_css("background-color", "rgb(31, 29, 25)")
    await expect(page.locator("laurels-leaderboard .card")).to_have_css("background-color", "rgb(1, 2, 3)")
    await expect(page.get_by_role("heading", level=4, name="All time")).to_have_css("color", "rgb(9, 8, 7)")


@pytest.mark.parametrize("look", [LIGHT, STILL], ids=str)
async def test_nothing_moves_with_reduced_motion(host: Host, context: App, look: Look) -> None:
    await context.give_points("ada", messages=100)
    visitor = await host.visit()
    await visitor.context.add_init_script(
        "addEventListener('animationstart', (one) => (window.moved ??= []).push(one), true)"
    )
    page = await host.show(visitor, "<laurels-profile></laurels-profile>")
    await expect(page.get_by_role("heading", name="Badges earned")).to_be_visible()

    moving = await animations(page)

    assert moving == ([] if look is STILL else ["grow"])


async def test_names_with_markup_stay_text(browser: Browser) -> None:
    text = (
        DEFAULT.replace('"Agent Creator"', f'"{EVIL}"')
        .replace('"All time"', f'"{EVIL} board"')
        .replace('"🤖"', '"<b>"')
    )
    async with app_on_port(catalog=Catalog.parse(text)) as one:
        await one.laurels.update_user("ada", name=EVIL)
        async with site(browser, str(one.client.base_url), one.sign_in) as at:
            host = Host(at, at.address)
            page = await shown(host)
            await page.emulate_media(reduced_motion="reduce")  # half faded in, it has too little contrast
            await page.wait_for_load_state("networkidle")
            await asyncio.sleep(0.2)
            await one.give_points("ada", agents=1)

            await expect(page.locator("laurels-toast").get_by_text(f"{EVIL} · 50 points").last).to_be_visible()
            await expect(page.locator("laurels-leaderboard").get_by_text(EVIL, exact=True)).to_be_visible()
            await expect(page.locator("laurels-profile").get_by_text(EVIL, exact=True)).to_be_visible()
            assert await page.locator("img, b").count() == 0


# ---- with the keyboard --------------------------------------------------------------------------


async def crowd(context: App) -> None:
    """Thirty users on each leaderboard, and ada last."""
    await context.record(
        *(event(f"u{number:02}", "agent.created", quantity=3) for number in range(29)), event("ada", "agent.created")
    )


async def test_the_focus_stays_when_a_leaderboard_grows_or_changes_its_period(host: Host, context: App) -> None:
    await crowd(context)
    page = await shown(host, "<laurels-leaderboard board='weekly' limit='12'></laurels-leaderboard>")
    assert await tab_order(page) == ["button This week", "button Last week", "button Show more"]
    more = page.get_by_role("button", name="Show more")

    await more.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row")).to_have_count(1 + 24 + 1)  # the head, two pages, and one's own line below
    await expect(more).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row")).to_have_count(1 + 30)
    await expect(page.get_by_role("heading", name="Weekly")).to_be_focused()

    await page.get_by_role("button", name="last week").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No one here yet. Be the first!")).to_be_visible()
    await expect(page.get_by_role("button", name="last week")).to_be_focused()
    await expect(page.get_by_role("button", name="last week")).to_have_attribute("aria-pressed", "true")


# ---- requests -----------------------------------------------------------------------------------


async def test_all_elements_of_a_page_share_one_request_and_one_stream(host: Host) -> None:
    visitor = await host.visit()
    profiles, boards, streams = (requests_of(visitor, path) for path in (PROFILE, LEADERBOARDS, STREAM))
    page = await host.show(visitor, ALL * 3)
    await expect(page.get_by_text("1 day in a row")).to_have_count(3)
    await page.wait_for_load_state("networkidle")

    assert (len(profiles), len(boards), len(streams)) == (1, 1, 1)


async def test_a_refresh_is_a_preview_that_earns_no_day_and_a_new_date_is_a_visit(host: Host, context: App) -> None:
    visitor = await host.visit()
    page = await host.show(visitor, "<laurels-streak></laurels-streak>")
    await expect(page.get_by_text("1 day in a row")).to_be_visible()
    asked = requests_of(visitor, PROFILE)
    context.clock.advance(days=1)

    await page.evaluate(REFRESH)
    await expect(page.get_by_text("Not done yet: you have until")).to_be_visible()
    assert [await one.header_value("x-purpose") for one in asked] == ["preview"]
    assert (await context.profile_of("ada"))["streak"] == 1

    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await page.evaluate("Date.prototype.toDateString = () => 'the day after'")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.get_by_text("2 days in a row")).to_be_visible()
    assert [await one.header_value("x-purpose") for one in asked] == ["preview", None]


async def test_elements_that_are_moved_or_removed_leave_no_open_stream(host: Host) -> None:
    visitor = await host.visit()
    await visitor.context.add_init_script(COUNT_STREAMS)
    page = await host.show(visitor, ALL)
    await expect(page.get_by_text("1 day in a row")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate(OPEN_STREAMS) == 1

    await page.evaluate("document.body.append(...document.querySelectorAll('main > *'))")
    await expect(page.get_by_text("1 day in a row")).to_be_visible()
    assert await page.evaluate("streams.length") == 1

    await page.evaluate("document.body.replaceChildren()")
    assert await page.evaluate(OPEN_STREAMS) == 0


async def test_a_refused_stream_is_retried_later(host: Host) -> None:
    visitor = await host.visit()
    await visitor.page.clock.install()
    await refused(visitor, STREAM, 503, times=2)
    streams = requests_of(visitor, STREAM)
    page = await host.show(visitor, ALL)
    await expect(page.get_by_text("1 day in a row")).to_be_visible()
    await page.wait_for_load_state("networkidle")

    async def tried_after(seconds: int) -> int:
        for _ in range(seconds // 5):  # in steps, for a reading that takes 20 seconds is given up
            await page.clock.run_for(5000)
            await asyncio.sleep(0.15)
        return len(streams)

    assert await tried_after(25) == 1
    assert await tried_after(25) == 2
    assert await tried_after(40) == 2
    assert await tried_after(65) == 3
    assert await tried_after(100) == 3, "an open stream is not opened again"


async def test_a_stream_that_ends_with_the_session_stays_closed(host: Host, context: App) -> None:
    visitor = await host.visit()
    await visitor.page.clock.install()
    await refused(visitor, STREAM, 401)
    page = await host.show(visitor, "<laurels-streak></laurels-streak>")
    await expect(page.get_by_text("1 day in a row")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await visitor.context.clear_cookies()
    visitor.expects(401, PROFILE)
    asked = requests_of(visitor, "/api/")

    await page.clock.run_for(46_000)
    await expect(page.get_by_role("heading", name="You're signed out")).to_be_visible()
    await page.clock.run_for(900_000)
    await asyncio.sleep(0.3)

    assert len(asked) == 1


# ---- toasts -------------------------------------------------------------------------------------


def notification(kind: str, number: int, **more: Any) -> str:
    message = {"id": f"{number}-0", "type": kind, "at": "2026-01-05T12:00:00Z", "data": {}, **more}
    return f"id: {number}-0\nevent: notification\ndata: {json.dumps(message)}\n\n"


async def test_notifications_become_toasts_and_unknown_types_are_ignored(host: Host) -> None:
    visitor = await host.visit()
    board = {"id": "weekly", "name": "Weekly"}
    messages = [
        notification("badge.revoked", 1, badge={"id": "b", "name": "Lost", "icon": "🤖", "points": 5}),
        notification("season.dawned", 2),
        notification("leaderboard.top", 3, board=board, period="2026-W02", rank=3, before=None),
        notification("leaderboard.passed", 4, board=board, period="2026-W02", rank=2, before=3),
        notification("leaderboard.closed", 5, board=board, period="2026-W01", rank=1, ranked=9),
        notification("level.reached", 6, level=2, title="Beginner"),
        notification("streak.extended", 7, streak="login", before=2, length=3),
    ]
    await visitor.context.route(
        f"**{STREAM}*",
        lambda route: route.fulfill(content_type="text/event-stream", body="retry: 900000\n\n" + "".join(messages)),
        times=1,
    )
    page = await host.show(visitor, "<laurels-toast></laurels-toast>")

    toasts = page.locator("laurels-toast .toast")
    await expect(toasts).to_have_count(3)
    await expect(toasts).to_have_text(["3You're now #3Weekly", "2You're now #2Weekly", "1You finished #1Weekly"])
    await expect(page.get_by_role("region", name="Notifications")).to_be_visible()
    await page.get_by_role("button", name="Dismiss: You're now #3").click()
    await expect(toasts.last).to_have_text("2Level 2 reachedBeginner")
    await page.get_by_role("button", name="Dismiss: You're now #2").focus()
    await page.keyboard.press("Escape")
    await expect(toasts.last).to_have_text("Streak extended3 in a row")
    await expect(page.get_by_role("button", name="Dismiss: You finished #1")).to_be_focused()


# ---- streaks ------------------------------------------------------------------------------------

STREAKS = """
[streaks.practice]
events = ["minute.practised"]
freezes = { initial = 1, per_days = 7, most = 2 }

[streaks.reading]
events = ["book.finished"]
cadence = "weekly"

[streaks.training]
events = ["minute.practised"]
cadence = "monthly"
days = 3
title = "Monthly training"
"""


@pytest.fixture
async def practised() -> AsyncIterator[App]:
    """A server where ada practised for four weeks, with a missed, a frozen, an excused and a paused day."""
    text = DEFAULT.replace("# ---- leaderboards", STREAKS + "\n# ---- leaderboards")
    async with app_on_port(catalog=Catalog.parse(text)) as one:
        admin = Admin(one.laurels)
        began = one.clock().date()
        for day in range(28):
            if day not in (2, 3, 12, 18, 23):
                await one.record(event("ada", "minute.practised", f"p{day}"))
            if day in (0, 8, 15, 22):
                await one.record(event("ada", "book.finished", f"b{day}"))
            one.clock.advance(days=1)
        off = began + timedelta(days=18)
        await admin.add_amnesty(off, off, "an outage", "anna")
        paused = (began + timedelta(days=23)).isoformat()
        await admin.adjust(
            "ada", "p", "pause", {"streak": "practice", "first": paused, "last": paused}, "travel", "anna"
        )
        yield one


async def test_the_calendar_shows_how_each_day_counts(browser: Browser, practised: App) -> None:
    async with site(browser, str(practised.client.base_url), practised.sign_in) as at:
        page = await shown(Host(at, at.address), "<laurels-streak streak='practice'></laurels-streak>")

        for day, why in (
            ("Wednesday, January 7", "missed"),
            ("Saturday, January 17", "freeze used"),
            ("Friday, January 23", "excused"),
            ("Wednesday, January 28", "paused"),
            ("Sunday, February 1", "done"),
            ("Monday, February 2", "to do"),
        ):
            await expect(page.get_by_role("cell", name=f"{day}: {why}")).to_have_count(1)
        await expect(page.locator("[aria-current=date]")).to_have_text("Monday, February 2: to do")
        await expect(page.locator("laurels-streak .legend li")).to_have_count(6)
        await check_accessible(page)


async def test_a_weekly_streak_has_a_row_of_weeks(browser: Browser, practised: App) -> None:
    async with site(browser, str(practised.client.base_url), practised.sign_in) as at:
        page = await shown(Host(at, at.address), "<laurels-streak streak='reading'></laurels-streak>")

        await expect(page.get_by_text("4 weeks in a row")).to_be_visible()
        await expect(page.get_by_role("row")).to_have_count(1)
        await expect(page.get_by_role("cell")).to_have_count(5)
        await check_accessible(page)


async def test_a_monthly_streak_has_its_title_a_row_of_months_and_the_days_so_far(
    browser: Browser, practised: App
) -> None:
    async with site(browser, str(practised.client.base_url), practised.sign_in) as at:
        page = await shown(Host(at, at.address), "<laurels-streak streak='training'></laurels-streak>")

        await expect(page.get_by_text("1 month in a row")).to_be_visible()
        await expect(page.get_by_text("Monthly training", exact=True)).to_be_visible()
        await expect(page.get_by_role("row")).to_have_count(1)
        await expect(page.get_by_role("cell", name="January 2026: done")).to_have_count(1)
        await expect(page.locator("[aria-current=date]")).to_have_text("February 2026: to do")
        await expect(page.locator(".facts .number").first).to_have_text("1 of 3")
        await check_accessible(page)
