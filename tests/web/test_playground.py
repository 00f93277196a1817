"""The playground in a real browser: what its buttons do is seen, said and logged; the keyboard alone; and if something fails."""

from __future__ import annotations

import asyncio
import json
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
from tests.http.app import EVENTS, PROFILE, SESSIONS, event
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
        """Somebody who has just loaded the playground, and is the member on the brink."""
        visitor = await self.site.visit(look=look)
        player = Player(visitor, await visitor.open(PATH))
        await expect(player.person).to_have_value("Maple Fox")
        await player.at_rest()
        return player

    async def points(self) -> int:
        """Of the member on the brink."""
        return (await self.laurels.profile(BRINK_ID)).points


class Player:
    """Somebody on the playground, and what of it they look at."""

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
        """The button whose name begins so."""
        return self.page.get_by_role("button", name=name)

    async def at_rest(self) -> None:
        """Wait until the elements are there, and what was pressed is done."""
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
    """A file with a community of twenty members, to be copied."""
    file = tmp_path_factory.mktemp("playground") / "demo.db"
    await fill(file, Catalog.parse(demo_catalog()), community(SEED, 20, 40, NOW), NOW, lambda: None)
    return file


@asynccontextmanager
async def grounds(browser: Browser, file: Path, look: Look, settings: Settings) -> AsyncIterator[Ground]:
    """A demo over this file."""
    async with Laurels.open(address_of_file(file), Catalog.parse(demo_catalog()), clock=TestClock(NOW)) as laurels:
        await laurels.store.set_clock_offset(timedelta())
        key = await create_key(laurels.store, "demo", NOW)

        async def nobody(user_id: str) -> str:
            raise LookupError(user_id)

        async with (
            listening(create_app(laurels, settings, playground=key)) as address,
            site(browser, address, nobody, look) as at,
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


# ---- what the buttons move ----------------------------------------------------------------------


async def test_ring_streak_board_and_toast_move_with_what_is_done(ground: Ground) -> None:
    player = await ground.begin()
    before = await ground.points()
    days = int(await player.streak.inner_text())
    await expect(player.ring).to_have_text(f"{before:,}")

    await player.press("Send 10 messages", "Earned 💬 Century Club, 100 points.")
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

    await player.press("Come back tomorrow", f"A streak of {days + 1}.")
    await expect(player.result).to_contain_text("It is Thursday")
    await expect(player.streak).to_have_text(str(days + 1))


async def test_a_skipped_day_leaves_the_streak_open_and_one_more_ends_or_freezes_it(ground: Ground) -> None:
    player = await ground.begin()
    status = player.page.locator("laurels-streak .note").first
    await expect(status).to_have_text("You are all set.")

    await player.press("Skip a day", "A day has passed without a visit. Look at the streak.")
    await expect(status).to_contain_text("Still open, until Thursday")
    await expect(player.page.locator("#clock")).to_contain_text("Thursday")

    await player.press("Skip a day", "A day has passed without a visit.")
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


async def test_the_log_shows_request_and_answer_but_no_secret(ground: Ground) -> None:
    player = await ground.begin()
    await player.press("Send 10 messages", "Century Club")

    entry = player.entries.first
    for said in (
        "POST",
        EVENTS,
        "200",
        "Bearer laurels_key_",
        '"type": "message.sent"',
        '"quantity": 10',
        '"recorded"',
    ):
        await expect(entry).to_contain_text(said)
    moment = player.page.locator("#log > li.moment", has_text="badge.earned").last
    await moment.locator("summary").click()
    await expect(moment).to_contain_text('"name": "Century Club"')
    assert ground.key not in await player.page.locator("#log").inner_text()

    await player.button("Clear").click()
    await expect(player.page.locator("#log > li")).to_have_count(0)


async def run_in_a_shell(command: str) -> Any:
    """What a command answers that somebody pastes into a terminal."""
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0, command
    return json.loads(said)


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the focus is there."""
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("(one) => one === document.activeElement"):
            return
    pytest.fail(f"Tab never leads to {wanted}")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
async def test_the_keyboard_alone_leads_from_loading_to_a_command_that_works_in_a_shell(ground: Ground) -> None:
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
    await expect(player.result).to_contain_text("You are Maple Fox now.")
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
    await expect(player.result).to_contain_text("A streak of")
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


async def test_what_the_browser_does_not_let_copy_can_be_copied_by_hand(ground: Ground) -> None:
    player = await ground.begin()
    await player.page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")

    await player.entries.first.locator(".copy").click()

    await expect(player.result).to_contain_text("copy it by hand")
    await expect(player.page.locator("#log textarea")).to_be_focused()
    assert (await player.page.locator("#log textarea").input_value()).startswith("curl -s")
    await check_accessible(player.page)


# ---- when something fails -----------------------------------------------------------------------


async def test_an_answer_that_was_lost_is_told_and_another_try_counts_once(ground: Ground) -> None:
    player = await ground.begin()
    before = await ground.points()

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort("connectionreset")

    await player.page.route("**" + EVENTS, lose_the_answer)
    player.visitor.expects(BROKEN, EVENTS)
    await player.button("Create an agent").click()
    await expect(player.trouble).to_contain_text("The server does not answer. Does the demo still run?")
    await check_accessible(player.page)
    await player.page.unroute("**" + EVENTS)
    after = await ground.points()
    assert after > before

    await player.button("Try again").press("Enter")
    await expect(player.result).to_contain_text("It was recorded before, and counts once.")
    await expect(player.trouble).to_be_empty()
    await expect(player.button("Create an agent")).to_be_focused()
    assert await ground.points() == after


async def test_a_session_that_is_gone_is_opened_again_and_no_day_passes_twice(ground: Ground) -> None:
    player = await ground.begin()
    await player.visitor.context.clear_cookies()
    player.visitor.expects(401, PROFILE)
    player.visitor.expects(401, BOARD)
    moved = await ground.laurels.now()

    await player.button("Come back tomorrow").click()
    await expect(player.trouble).to_contain_text("The session has ended")
    await player.button("Sign in again as Maple Fox").press("Enter")

    await expect(player.result).to_contain_text("A streak of")
    await expect(player.trouble).to_be_empty()
    await expect(player.button("Come back tomorrow")).to_be_focused()
    await player.at_rest()
    assert (await ground.laurels.now()) - moved == timedelta(days=1)


@pytest.mark.parametrize("settings", [Settings(limits=LimitSettings(key_rate=4))])
async def test_too_many_requests_are_told_with_the_wait_and_mended_after_it(ground: Ground) -> None:
    player = await ground.begin()
    many = [event("somebody", event_id=f"m-{number}") for number in range(40)]
    async with httpx2.AsyncClient(base_url=ground.site.address, trust_env=False) as client:
        answer = await client.post(EVENTS, json=many, headers={"authorization": f"Bearer {ground.key}"})
        assert answer.status_code == 200

    player.visitor.expects(429, EVENTS)
    await player.button("Create an agent").click()
    await expect(player.trouble).to_contain_text("too many requests at once. In ")
    seconds = int((await player.trouble.inner_text()).partition(" In ")[2].partition(" s ")[0])
    assert 1 <= seconds <= 10
    await asyncio.sleep(seconds)
    await player.button("Try again").click()

    await expect(player.result).to_contain_text("Recorded.")
    await expect(player.trouble).to_be_empty()


async def test_a_demo_that_was_started_anew_says_reload(ground: Ground) -> None:
    player = await ground.begin()
    assert await ground.laurels.store.revoke_key("demo", NOW)
    player.visitor.expects(401, EVENTS)

    await player.button("Create an agent").click()

    await expect(player.trouble).to_contain_text("started anew since this page was loaded")
    await expect(player.button("Reload the page")).to_be_visible()


# ---- who one is ---------------------------------------------------------------------------------


async def test_a_reload_keeps_the_person_and_the_session(ground: Ground) -> None:
    player = await ground.begin()
    await player.person.fill("somebody new")
    await player.person.press("Enter")
    await expect(player.result).to_contain_text("You are Visitor")
    name = await player.person.input_value()

    await player.page.reload()

    await expect(player.person).to_have_value(name)
    await expect(player.entries.filter(has_text=PROFILE)).to_have_count(1)
    await expect(player.entries.filter(has_text=SESSIONS)).to_have_count(0)
    await expect(player.page.locator("#seen-title")).to_have_text(f"What {name} sees")


async def test_another_tab_takes_over_who_was_chosen(ground: Ground) -> None:
    player = await ground.begin()
    other = Player(player.visitor, await player.visitor.open_tab(PATH))
    await other.at_rest()

    await player.person.fill("somebody new")
    await player.person.press("Enter")
    await expect(player.result).to_contain_text("You are Visitor")

    await expect(other.result).to_contain_text("as you chose in another tab")
    await expect(other.person).to_have_value(await player.person.input_value())
    await player.at_rest()
    await expect(other.ring).to_have_text(await player.ring.inner_text())


async def test_who_is_sought_in_vain_is_said_and_escape_takes_nothing(ground: Ground) -> None:
    player = await ground.begin()
    await player.person.fill("nobody of that name")
    await expect(player.page.get_by_role("option")).to_have_text("Nobody is found for that.")

    await player.person.press("Enter")
    await player.person.press("Escape")

    await expect(player.person).to_have_value("Maple Fox")
    await expect(player.page.get_by_role("listbox")).to_be_hidden()


@pytest.mark.parametrize("look", [GERMAN], ids=str)
async def test_it_speaks_german_throughout(ground: Ground, look: Look) -> None:
    player = await ground.begin()
    await expect(player.page.locator("html")).to_have_attribute("lang", "de")
    await expect(player.result).to_contain_text("Du bist jetzt Maple Fox.")

    await player.press("10 Nachrichten", "Aufgezeichnet.")
    await expect(player.toasts.first).to_contain_text("Abzeichen verdient")
    await player.press("Morgen wiederkommen", "Es ist Donnerstag, 5. März 2026.")
    await expect(player.entries.first.locator(".copy")).to_have_text("Als curl kopieren")
