"""The playground in a real browser: effects and log of its buttons, keyboard use, and errors."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from laurels import Catalog, Laurels
from laurels.auth.keys import create_key
from laurels.demo.filling import demo_catalog, fill
from laurels.demo.sample import BRINK_ID, SEED, community
from laurels.server.app import create_app
from laurels.service.opening import address_of_file
from laurels.settings import LimitSettings, Settings
from laurels.testing import TestClock
from tests.support.app import EVENTS, PROFILE, SESSIONS, event
from tests.web.checks import MOST_STOPS, check_accessible, check_fits
from tests.web.chromium import GERMAN, SCREENS, Look
from tests.web.serving import listening
from tests.web.visitor import BROKEN, Site, Visitor, site

pytestmark = pytest.mark.anyio

PATH = "/playground"
BOARD = "/api/gamification/leaderboards/weekly"
NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ground:
    """A small demo of this process, for one test, that can be visited."""

    laurels: Laurels
    key: str
    site: Site

    async def begin(self, look: Look | None = None) -> Player:
        """A player who has just loaded the playground as the user one message short of a badge."""
        visitor = await self.site.visit(look=look)
        player = Player(visitor, await visitor.open(PATH))
        await expect(player.person).to_have_value("Maple Fox")
        await player.at_rest()
        return player

    async def points(self) -> int:
        """The points of the user one message short of a badge."""
        return (await self.laurels.profile(BRINK_ID)).points


class Player:
    """A visitor of the playground and the parts of the page."""

    def __init__(self, visitor: Visitor, page: Page) -> None:
        self.visitor = visitor
        self.page = page
        self.person = page.get_by_role("combobox")
        self.result = page.locator("#result")
        self.trouble = page.get_by_role("alert")
        self.ring = page.locator("laurels-profile .points")
        self.streak = page.locator("laurels-streak .length")
        self.mine = page.locator("laurels-leaderboard .mine")
        self.toasts = page.locator("laurels-toast .toast")
        self.entries = page.locator("#log > li.request")

    def button(self, name: str) -> Locator:
        """The button with this name."""
        return self.page.get_by_role("button", name=name)

    async def at_rest(self) -> None:
        """Wait until the elements have loaded and no action is running."""
        await expect(self.ring).to_be_visible()
        await expect(self.streak).to_be_visible()
        await expect(self.mine.first).to_be_visible()
        await expect(self.page.locator("#playground [aria-disabled=true]")).to_have_count(0)

    async def press(self, name: str, says: str) -> None:
        """Press a button, and wait until the page says so."""
        await self.button(name).click()
        await expect(self.result).to_contain_text(says)
        await self.at_rest()


@pytest.fixture(scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with a community of twenty members, to copy."""
    file = tmp_path_factory.mktemp("playground") / "demo.db"
    await fill(file, Catalog.parse(demo_catalog()), community(SEED, 20, 40, NOW), NOW, lambda: None)
    return file


@asynccontextmanager
async def grounds(browser: Browser, file: Path, look: Look, settings: Settings) -> AsyncIterator[Ground]:
    """A demo over this file."""
    async with Laurels.open(address_of_file(file), Catalog.parse(demo_catalog()), clock=TestClock(NOW)) as laurels:
        await laurels.store.set_clock_offset(timedelta())
        key = await create_key(laurels.store, "demo", NOW)

        async def no_session(user_id: str) -> str:
            raise LookupError(user_id)

        async with (
            listening(create_app(laurels, settings, playground=key)) as address,
            site(browser, address, no_session, look) as at,
        ):
            yield Ground(laurels, key, at)


@pytest.fixture
def settings() -> Settings:
    """Those of the demo."""
    return Settings()


@pytest.fixture
async def ground(
    browser: Browser, look: Look, filled: Path, settings: Settings, tmp_path: Path
) -> AsyncIterator[Ground]:
    file = tmp_path / "demo.db"
    shutil.copy(filled, file)
    async with grounds(browser, file, look, settings) as one:
        yield one


# ---- on every screen ----------------------------------------------------------------------------


@pytest.mark.parametrize("look", [replace(one, motion="reduce") for one in SCREENS], ids=str)
async def test_it_fits_and_is_accessible_from_the_first_look_to_a_toast(ground: Ground, look: Look) -> None:
    player = await ground.begin()
    await check_fits(player.page)
    await check_accessible(player.page)

    await player.person.click()
    await expect(player.page.get_by_role("option").first).to_be_visible()
    await check_fits(player.page)
    await check_accessible(player.page)
    await player.person.press("Escape")

    await player.press("Send 10 messages", "Century Club")
    await expect(player.toasts.first).to_be_visible()
    await check_fits(player.page)
    await check_accessible(player.page)


# ---- the effects of the buttons -----------------------------------------------------------------


async def test_actions_update_points_streak_leaderboard_and_toasts(ground: Ground) -> None:
    player = await ground.begin()
    before = await ground.points()
    days = int(await player.streak.inner_text())
    await expect(player.ring).to_have_text(f"{before:,}")

    await player.press("Send 10 messages", "Earned 💬 Century Club (+100).")
    after = await ground.points()
    assert after >= before + 100
    await expect(player.result).to_contain_text(f"{before:,} → {after:,} points.")
    await expect(player.ring).to_have_text(f"{after:,}")
    await expect(player.page.locator("laurels-profile .earned .badge", has_text="Century Club")).to_be_visible()
    await expect(player.toasts.filter(has_text="Century Club")).to_be_visible()
    await expect(player.page.locator("laurels-toast [role=status]")).to_contain_text("Badge earned: Century Club")
    board = await ground.laurels.leaderboard("weekly", me=BRINK_ID)
    assert board.me
    await expect(player.mine.locator("td").last).to_have_text(f"{board.me.score:,}")

    await player.press("Come back tomorrow", f"{days + 1}-day streak.")
    await expect(player.result).to_contain_text("It's now Thursday")
    await expect(player.streak).to_have_text(str(days + 1))


async def test_one_skipped_day_puts_the_streak_at_risk_and_a_second_ends_or_freezes_it(ground: Ground) -> None:
    player = await ground.begin()
    status = player.page.locator("laurels-streak .note").first
    await expect(status).to_have_text(re.compile("^All done! Come back by Thursday"))

    await player.press("Skip a day", "A day passed without a visit. See how the streak changed.")
    await expect(status).to_contain_text("Not done yet: you have until Thursday")
    await expect(player.page.locator("#clock")).to_contain_text("Thursday")

    await player.press("Skip a day", "A day passed without a visit.")
    await expect(status).not_to_contain_text("Thursday")


async def test_a_double_click_sends_one_event(ground: Ground) -> None:
    player = await ground.begin()
    before = await ground.points()

    await player.button("Create an agent").dblclick()
    await expect(player.result).to_contain_text("Recorded.")
    await player.at_rest()

    await expect(player.entries.filter(has_text=EVENTS)).to_have_count(1)
    await expect(player.result).to_contain_text(f"{before:,} → {await ground.points():,} points.")


# ---- the log ------------------------------------------------------------------------------------


async def test_the_log_shows_request_and_response_but_no_secret(ground: Ground) -> None:
    player = await ground.begin()
    await player.press("Send 10 messages", "Century Club")

    entry = player.entries.first
    for shown in (
        "POST",
        EVENTS,
        "200",
        "Bearer laurels_key_",
        '"type": "message.sent"',
        '"quantity": 10',
        '"recorded"',
    ):
        await expect(entry).to_contain_text(shown)
    notification = player.page.locator("#log > li.notification", has_text="badge.earned").last
    await notification.locator("summary").click()
    await expect(notification).to_contain_text('"name": "Century Club"')
    assert ground.key not in await player.page.locator("#log").inner_text()

    await player.button("Clear").click()
    await expect(player.page.locator("#log > li")).to_have_count(0)


async def run_in_a_shell(command: str) -> Any:
    """The output of a command pasted into a terminal, as JSON."""
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, command
    return json.loads(output)


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the focus is there."""
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("(one) => one === document.activeElement"):
            return
    pytest.fail(f"Tab never leads to {wanted}")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
async def test_a_command_that_works_in_a_shell_is_copied_with_the_keyboard_alone(ground: Ground) -> None:
    player = await ground.begin()
    await player.visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keys, page = player.page.keyboard, player.page

    await tab_to(player.page, player.person)
    await keys.press("ArrowDown")
    await keys.press("ArrowDown")
    await expect(page.locator("#people [aria-selected=true]")).to_be_visible()
    await keys.press("Enter")
    await expect(player.result).to_contain_text("You are")
    await expect(player.person).not_to_have_value("Maple Fox")
    await player.at_rest()
    await keys.press("Control+a")
    await keys.type("maple")
    await expect(page.get_by_role("option")).to_have_count(1)
    await keys.press("Enter")
    await expect(player.result).to_contain_text("You are now Maple Fox.")
    await expect(player.person).to_be_focused()
    await player.at_rest()

    await keys.press("Tab")
    await expect(player.button("Create an agent")).to_be_focused()
    await keys.press("Enter")
    await expect(player.result).to_contain_text("Recorded.")
    await player.at_rest()
    await expect(player.button("Create an agent")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Space")
    await expect(player.result).to_contain_text("Century Club")
    await expect(player.button("Send 10 messages")).to_be_focused()
    await player.at_rest()
    sent = await ground.points()

    await keys.press("Tab")
    await keys.press("Tab")
    await keys.press("Enter")
    await expect(player.result).to_contain_text("-day streak.")
    await expect(player.button("Come back tomorrow")).to_be_focused()
    await player.at_rest()

    copy = player.entries.filter(has_text=EVENTS).first.locator(".copy")
    await tab_to(page, copy)
    await keys.press("Enter")
    await expect(player.result).to_have_text("Copied")
    command = await page.evaluate("navigator.clipboard.readText()")
    answer = await run_in_a_shell(command)
    assert [one["status"] for one in answer["results"]] == ["duplicate"]
    assert (await ground.points()) >= sent

    await player.entries.filter(has_text=PROFILE).first.locator(".copy").press("Enter")
    profile = await run_in_a_shell(await page.evaluate("navigator.clipboard.readText()"))
    assert profile["points"] == await ground.points()


async def test_a_command_can_be_copied_by_hand_if_the_browser_blocks_copying(ground: Ground) -> None:
    player = await ground.begin()
    await player.page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")

    await player.entries.first.locator(".copy").click()

    await expect(player.result).to_contain_text("copy it yourself")
    await expect(player.page.locator("#log textarea")).to_be_focused()
    assert (await player.page.locator("#log textarea").input_value()).startswith("curl -s")
    await check_accessible(player.page)


# ---- when something fails -----------------------------------------------------------------------


async def test_a_lost_response_is_shown_and_a_retry_counts_once(ground: Ground) -> None:
    player = await ground.begin()
    before = await ground.points()

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort("connectionreset")

    await player.page.route("**" + EVENTS, lose_the_answer)
    player.visitor.expects(BROKEN, EVENTS)
    await player.button("Create an agent").click()
    await expect(player.trouble).to_contain_text("The server doesn't respond. Is the demo still running?")
    await check_accessible(player.page)
    await player.page.unroute("**" + EVENTS)
    after = await ground.points()
    assert after > before

    await player.button("Try again").press("Enter")
    await expect(player.result).to_contain_text("Already recorded, so it counts once.")
    await expect(player.trouble).to_be_empty()
    await expect(player.button("Create an agent")).to_be_focused()
    assert await ground.points() == after


async def test_an_expired_session_is_renewed_and_the_clock_moves_once(ground: Ground) -> None:
    player = await ground.begin()
    await player.visitor.context.clear_cookies()
    player.visitor.expects(401, PROFILE)
    player.visitor.expects(401, BOARD)
    moved = await ground.laurels.now()

    await player.button("Come back tomorrow").click()
    await expect(player.trouble).to_contain_text("The session has ended")
    await player.button("Sign in again as Maple Fox").press("Enter")

    await expect(player.result).to_contain_text("-day streak.")
    await expect(player.trouble).to_be_empty()
    await expect(player.button("Come back tomorrow")).to_be_focused()
    await player.at_rest()
    assert (await ground.laurels.now()) - moved == timedelta(days=1)


@pytest.mark.parametrize("settings", [Settings(limits=LimitSettings(key_rate=4))])
async def test_after_too_many_requests_a_retry_works_once_the_wait_is_over(ground: Ground) -> None:
    player = await ground.begin()
    many = [event("another", event_id=f"m-{number}") for number in range(40)]
    async with httpx2.AsyncClient(base_url=ground.site.address, trust_env=False) as client:
        answer = await client.post(EVENTS, json=many, headers={"authorization": f"Bearer {ground.key}"})
        assert answer.status_code == 200

    player.visitor.expects(429, EVENTS)
    await player.button("Create an agent").click()
    await expect(player.trouble).to_contain_text("Too many requests. Try again in ")
    seconds = int((await player.trouble.inner_text()).partition(" in ")[2].partition(" s.")[0])
    assert 1 <= seconds <= 10
    await asyncio.sleep(seconds)
    await player.button("Try again").click()

    await expect(player.result).to_contain_text("Recorded.")
    await expect(player.trouble).to_be_empty()


async def test_a_restarted_demo_asks_for_a_reload(ground: Ground) -> None:
    player = await ground.begin()
    assert await ground.laurels.store.revoke_key("demo", NOW)
    player.visitor.expects(401, EVENTS)

    await player.button("Create an agent").click()

    await expect(player.trouble).to_contain_text("restarted after this page was loaded")
    await expect(player.button("Reload page")).to_be_visible()


# ---- the current user ---------------------------------------------------------------------------


async def test_a_reload_keeps_the_user_and_the_session(ground: Ground) -> None:
    player = await ground.begin()
    await player.person.fill("new user")
    await player.person.press("Enter")
    await expect(player.result).to_contain_text("You are now Visitor")
    name = await player.person.input_value()

    await player.page.reload()

    await expect(player.person).to_have_value(name)
    await expect(player.entries.filter(has_text=PROFILE)).to_have_count(1)
    await expect(player.entries.filter(has_text=SESSIONS)).to_have_count(0)
    await expect(player.page.locator("#seen-title")).to_have_text(f"What {name} sees")


async def test_choosing_a_user_applies_to_other_tabs(ground: Ground) -> None:
    player = await ground.begin()
    other = Player(player.visitor, await player.visitor.open_tab(PATH))
    await other.at_rest()

    await player.person.fill("new user")
    await player.person.press("Enter")
    await expect(player.result).to_contain_text("You are now Visitor")

    await expect(other.result).to_contain_text("as chosen in another tab")
    await expect(other.person).to_have_value(await player.person.input_value())
    await player.at_rest()
    await expect(other.ring).to_have_text(await player.ring.inner_text())


async def test_a_search_without_matches_says_so_and_escape_changes_nothing(ground: Ground) -> None:
    player = await ground.begin()
    await player.person.fill("an unknown name")
    await expect(player.page.get_by_role("option")).to_have_text("No matches")

    await player.person.press("Enter")
    await player.person.press("Escape")

    await expect(player.person).to_have_value("Maple Fox")
    await expect(player.page.get_by_role("listbox")).to_be_hidden()


@pytest.mark.parametrize("look", [GERMAN], ids=str)
async def test_everything_is_in_german_for_a_german_browser(ground: Ground, look: Look) -> None:
    player = await ground.begin()
    await expect(player.page.locator("html")).to_have_attribute("lang", "de")
    await expect(player.result).to_contain_text("Du bist jetzt Maple Fox.")

    await player.press("10 Nachrichten", "Aufgezeichnet.")
    await expect(player.toasts.first).to_contain_text("Abzeichen verdient")
    await player.press("Morgen wiederkommen", "Es ist jetzt Donnerstag, 5. März 2026.")
    await expect(player.entries.first.locator(".copy")).to_have_text("Als curl kopieren")
