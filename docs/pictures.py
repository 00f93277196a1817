"""Takes the screenshots in the docs: `make pictures`, or only some: `make pictures PICTURES="profile playground"`.

A sample community from a fixed seed is served at a fixed time, so that a picture changes only when a page does; only the log of
the playground shows keys, ids and durations that differ each time. Each picture is a row of PICTURES and has its own copy of the
community.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, FloatRect, Page

from laurels import Catalog, Laurels
from laurels.auth.keys import create_key
from laurels.auth.sessions import Sessions
from laurels.demo.filling import demo_catalog, fill
from laurels.demo.sample import BRINK_ID, SEED, community
from laurels.server.app import create_app
from laurels.service.opening import address_of_file
from laurels.settings import Settings
from laurels.testing import TestClock
from tests.web.chromium import LIGHT, MISSING, PHONE, Look, chromium, find_chromium
from tests.web.serving import listening
from tests.web.visitor import Visitor, visiting

FOLDER = Path(__file__).parent / "pictures"
NOW = datetime(2026, 5, 13, 15, 30, tzinfo=UTC)
USERS, DAYS = 240, 90
MOST_BYTES = 200_000
"""The largest size of a picture, in bytes, to keep the docs fast and the repository small."""

MARGIN = 12
"""Space below the last element in a picture."""

CONSOLE = "/console"
HIGH_UP = "zesty-hawk"
"""A member near the top of the weekly leaderboard."""

STEADY = "golden-hawk"
"""A member with a long history."""


# ---- preparing a page ---------------------------------------------------------------------------


def showing(text: str) -> Callable[[Page], Awaitable[None]]:
    """Wait until the page shows this text; a page with an open stream never becomes idle."""

    async def wait(page: Page) -> None:
        await page.get_by_text(text, exact=True).first.wait_for()

    return wait


async def elements_there(page: Page) -> None:
    """Wait until profile, streak and leaderboard have loaded."""
    for element in ("profile .points", "streak .length", "leaderboard .mine"):
        await page.locator(f"laurels-{element}").first.wait_for()


async def badge_earned(page: Page) -> None:
    """Send the messages that earn a badge, and wait for its toast."""
    await elements_there(page)
    await page.get_by_role("button", name="Send 10 messages").click()
    await page.locator("laurels-toast .toast").first.wait_for()
    await page.locator("laurels-profile .earned", has_text="Century Club").wait_for()
    await page.locator("#log > .request", has_text="message.sent").wait_for()


async def charts_made(page: Page) -> None:
    """Refresh until the charts are ready."""
    again = page.get_by_role("link", name="Refresh")
    charts = page.get_by_role("heading", name="Retention")
    while True:
        await again.or_(charts).wait_for()
        if await charts.is_visible():
            return
        await again.click()


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its name, the address, the preparation, the screen, and the signed-in user ("" for none).

    It ends below the element that `down_to` selects, so that nothing is cut off.
    """

    name: str
    path: str
    first: Callable[[Page], Awaitable[None]]
    look: Look = LIGHT
    user_id: str = BRINK_ID
    down_to: str = ""

    @property
    def file(self) -> Path:
        """The picture's file."""
        return FOLDER / f"{self.name}.png"


WIDE = replace(LIGHT, width=1160, height=1200)
BROAD = replace(LIGHT, width=1280, height=920)
NARROW = replace(PHONE, width=390, height=1400)
LONG = replace(LIGHT, width=1160, height=9000)
EARNED = "laurels-profile .earned"

PICTURES = (
    Picture("profile", "/profile", elements_there, WIDE, down_to=EARNED),
    Picture("profile-dark", "/profile", elements_there, replace(WIDE, scheme="dark"), down_to=EARNED),
    Picture("profile-phone", "/profile", elements_there, NARROW, down_to="laurels-streak"),
    Picture(
        "leaderboard",
        "/leaderboards/weekly",
        showing("Zesty Hawk"),
        WIDE,
        HIGH_UP,
        ".line:nth-child(9)",
    ),
    Picture("playground", "/playground", badge_earned, BROAD, ""),
    Picture("playground-dark", "/playground", badge_earned, replace(BROAD, scheme="dark"), ""),
    Picture("badge", "/badges/message_100", showing("Century Club"), WIDE, down_to="main dl"),
    Picture("console", CONSOLE, charts_made, WIDE, "", ".charts > :nth-child(3)"),
    Picture("console-user", f"{CONSOLE}/users/{STEADY}", showing("Activity"), LONG, "", ".timeline > :nth-child(4)"),
)


# ---- taking the pictures ------------------------------------------------------------------------


async def open_console(visitor: Visitor, laurels: Laurels) -> None:
    """Sign in as an operator."""
    key = await create_key(laurels.store, "anna", NOW, "admin")
    page = await visitor.open(CONSOLE)
    await page.get_by_label("Admin key").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", level=1, name="Overview").wait_for()


async def take(picture: Picture, browser: Browser, address: str, laurels: Laurels) -> None:
    """Take one picture. Raises AssertionError if the page has a fault or the picture is too large."""
    async with visiting(browser, address, picture.look) as visitor:
        await visitor.page.clock.set_fixed_time(NOW)
        if picture.user_id:
            await laurels.profile(
                picture.user_id, login=True
            )  # count today's visit now, so that it causes no toast later
            session = await Sessions(laurels).create(picture.user_id, timedelta(days=1))
            await visitor.sign_in(session.token)
        if picture.path.startswith(CONSOLE):
            await open_console(visitor, laurels)
        page = await visitor.open(picture.path)
        await picture.first(page)
        taken = await page.screenshot(animations="disabled", caret="hide", clip=await _clip(page, picture))
    assert len(taken) <= MOST_BYTES, f"{picture.name} has {len(taken)} bytes, more than {MOST_BYTES}"
    picture.file.write_bytes(taken)
    print(f"{picture.file.relative_to(FOLDER.parent.parent)}  {len(taken) / 1000:.0f} KB", flush=True)


async def _clip(page: Page, picture: Picture) -> FloatRect:
    """The visible part of the page."""
    bottom = picture.look.height
    if picture.down_to:
        box = await page.locator(picture.down_to).first.bounding_box()
        assert box is not None, f"{picture.name}: {picture.down_to} is not on the page"
        bottom = box["y"] + box["height"] + MARGIN
        assert bottom <= picture.look.height, f"{picture.name}: {picture.down_to} ends at {bottom}"
    return {"x": 0, "y": 0, "width": picture.look.width, "height": bottom}


async def take_all(pictures: tuple[Picture, ...], program: str, folder: Path) -> None:
    """Take these pictures, each with its own copy of one community in this folder."""
    catalog, filled = Catalog.parse(demo_catalog()), folder / "filled.db"
    print(f"Filling a community of {USERS} members and {DAYS} days ...", flush=True)
    await fill(filled, catalog, community(SEED, USERS, DAYS, NOW), NOW, lambda: None)
    async with chromium(program) as browser:
        for picture in pictures:
            file = folder / f"{picture.name}.db"
            shutil.copy(filled, file)
            async with Laurels.open(address_of_file(file), catalog, clock=TestClock(NOW)) as laurels:
                await laurels.store.set_clock_offset(timedelta())
                app = create_app(laurels, Settings(), playground=await create_key(laurels.store, "demo", NOW))
                async with listening(app) as address:
                    await take(picture, browser, address, laurels)


def main(names: list[str]) -> None:
    """Take the pictures with these names, or all."""
    known = {picture.name: picture for picture in PICTURES}
    if unknown := set(names) - known.keys():
        sys.exit(f"no such picture: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    program = find_chromium()
    if program is None:
        sys.exit(MISSING)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(take_all(tuple(known[name] for name in names) or PICTURES, program, Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
