"""Live notifications in pages: in every tab, from every process, after a lost connection, and without the stream."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.app import EVENTS, PROFILE, App, event
from tests.support.serving import Server
from tests.web.visitor import BROKEN, Site, Visitor

pytestmark = pytest.mark.anyio

STREAM = "/api/gamification/stream"
SOON = 3.0
"""Within how many seconds a toast must appear on a busy machine; on an idle one it takes less than one."""

HEAR = "document.addEventListener('laurels-notification', ({detail}) => (window.heard ??= []).push(detail))"


async def listening(visitor: Visitor, tab: Page | None = None, path: str = "/profile") -> Page:
    """The page in this tab, when its stream has answered."""
    tab = tab or visitor.page
    async with tab.expect_response(lambda answer: urlsplit(answer.url).path == STREAM and answer.ok):
        await visitor.open(path, tab)
    await tab.evaluate(HEAR)
    return tab


async def many_tabs(visitor: Visitor, number: int) -> list[Page]:
    """Tabs that listen, `number` of them."""
    tabs = [visitor.page, *[await visitor.context.new_page() for _ in range(number - 1)]]
    return [await listening(visitor, tab) for tab in tabs]


async def send_alone(server: Server, content: Any) -> None:
    """Send events over a connection of their own, to either process."""
    async with httpx2.AsyncClient(base_url=server.client.base_url, timeout=60, trust_env=False) as client:
        answer = await client.post(EVENTS, json=content, headers=server.by_key)
    assert answer.status_code == 200, answer.text


async def visited(server: Server, user_id: str) -> None:
    """Create a user who visited today, so that opening a page changes nothing."""
    await server.send(event(user_id))
    cookie = await server.sign_in(user_id)
    assert (await server.client.get(PROFILE, headers=cookie)).json()["streak"] == 1


def toast(page: Page, text: str) -> Locator:
    """The toast with this text."""
    return page.locator("laurels-toast .toast", has_text=text)


async def heard(page: Page) -> list[str]:
    """The badges in the page's notifications, in order, with repetitions."""
    return await page.evaluate("(window.heard ?? []).map(({badge}) => badge?.id).filter(Boolean)")


async def check_hears(page: Page, badges: list[str]) -> None:
    """Fail unless the page gets these badges, each once and in this order."""
    await page.wait_for_function("(last) => window.heard?.some(({badge}) => badge?.id === last)", arg=badges[-1])
    assert await heard(page) == badges


# ---- two tabs, two processes ----------------------------------------------------------------------


async def test_a_badge_recorded_by_any_process_shows_as_a_toast_in_every_tab(served: Site, server: Server) -> None:
    await visited(server, "ada")
    await visited(server, "bob")
    ada, bob = await served.visit("ada"), await served.visit("bob")
    tabs, other = await many_tabs(ada, 3), await listening(bob)

    for kind, name in (("agent.created", "Agent Creator"), ("referral.completed", "Referrer")):
        began = asyncio.get_running_loop().time()
        await send_alone(server, event("ada", kind))
        await asyncio.gather(*[expect(toast(tab, name)).to_be_visible() for tab in tabs])
        assert asyncio.get_running_loop().time() - began < SOON

    for tab in tabs:
        assert await heard(tab) == ["first_agent", "first_referral"]
        await expect(tab.locator("laurels-profile .earned .badge")).to_have_count(2)
    assert await heard(other) == []
    await expect(other.locator("laurels-toast .toast")).to_have_count(0)


# ---- lost, stopped and refused streams ------------------------------------------------------------


def workers(server: Server) -> list[int]:
    """The ids of the processes that answer."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, to find the processes of a server")
async def test_after_a_process_was_killed_a_page_gets_every_notification_once(served: Site, server: Server) -> None:
    await visited(server, "ada")
    visitor = await served.visit("ada")
    page = await listening(visitor)
    await send_alone(server, event("ada", "agent.created"))
    await check_hears(page, ["first_agent"])
    for element in (
        "profile .points",
        "leaderboard .mine",
    ):  # what it heard is read, so that the kill cuts the stream alone
        await expect(page.locator(f"laurels-{element}")).to_contain_text("50")

    visitor.expects(BROKEN, STREAM)
    for process in workers(server):
        os.kill(process, signal.SIGKILL)
    await send_alone(server, event("ada", "referral.completed"))
    await send_alone(server, event("ada", event_id="many", quantity=100))

    await check_hears(page, ["first_agent", "first_referral", "message_100"])
    await expect(page.locator("laurels-profile .earned .badge")).to_have_count(3)
    await send_alone(server, event("ada", "agent.created", "two more", quantity=2))
    await check_hears(page, ["first_agent", "first_referral", "message_100", "agent_3"])


async def test_a_stopping_server_does_not_wait_for_open_tabs(served: Site, server: Server) -> None:
    await visited(server, "ada")
    visitor = await served.visit("ada")
    tabs = await many_tabs(visitor, 2)

    visitor.expects(BROKEN, STREAM)
    began = asyncio.get_running_loop().time()
    async with tabs[0].expect_event("requestfailed", lambda request: urlsplit(request.url).path == STREAM):
        assert await server.stop() == 0
        assert asyncio.get_running_loop().time() - began < 10

    await expect(tabs[0].locator("laurels-profile .points")).to_be_visible()


@pytest.mark.parametrize("status", [404, 503])
async def test_pages_refresh_while_the_stream_is_down(home: Site, context: App, status: int) -> None:
    await context.give_points("ada", agents=1)
    visitor = await home.visit("ada")
    visitor.expects(status, STREAM)
    await visitor.context.route(f"**{STREAM}*", lambda route: route.fulfill(status=status))
    page = await visitor.open("/profile")
    ring = page.locator("laurels-profile .points")
    await expect(ring).to_have_text("50")

    await context.record(event("ada", "referral.completed"))
    await page.evaluate("window.dispatchEvent(new Event('laurels:refresh'))")

    await expect(ring).to_have_text("150")
    await expect(page.locator("laurels-leaderboard .mine")).to_contain_text("150")
    await visitor.open("/leaderboards/weekly")
    await expect(page.locator("laurels-leaderboard .mine")).to_contain_text("150")


async def test_a_page_reconnects_when_the_stream_is_back(home: Site, context: App) -> None:
    await context.record(event("ada"))
    visitor = await home.visit("ada")
    visitor.expects(503, STREAM)
    await visitor.context.route(f"**{STREAM}*", lambda route: route.fulfill(status=503), times=1)

    async with visitor.context.expect_event(
        "response", lambda answer: urlsplit(answer.url).path == STREAM and answer.ok
    ) as connected:
        page = await visitor.open("/profile")
        await expect(page.locator("laurels-profile .points")).to_be_visible()
        while not connected.is_done():  # a refresh before the refusal has arrived changes nothing
            await page.evaluate("window.dispatchEvent(new Event('laurels:refresh'))")
            await asyncio.sleep(0.2)
    await connected.value

    await context.record(event("ada", "agent.created"))
    await expect(toast(page, "Agent Creator")).to_be_visible()
