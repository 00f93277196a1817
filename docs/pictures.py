"""Makes the pictures of the documents anew: `make pictures`, or only some: `make pictures PICTURES="reference"`.

A sample community of a fixed seed is served at a fixed moment, so that a picture changes when a page does. Each picture is a
row of PICTURES.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, Page

from laurels import Catalog, Laurels
from laurels.cli.filling import demo_catalog, fill
from laurels.cli.opening import address_of_file
from laurels.cli.sample import BRINK_ID, SEED, community
from laurels.http.server import create_app
from laurels.sessions.own import OwnSessions
from laurels.settings import Settings
from laurels.testing import TestClock
from tests.web.chromium import LIGHT, MISSING, Look, chromium, find_chromium
from tests.web.serving import listening
from tests.web.visitor import visiting

FOLDER = Path(__file__).parent / "pictures"
NOW = datetime(2026, 5, 13, 15, 30, tzinfo=UTC)
USERS, DAYS = 240, 90
MOST_BYTES = 200_000
"""What a picture may weigh, so that the documents stay quick to open and the repository small."""


def showing(text: str) -> Callable[[Page], Awaitable[None]]:
    """Wait until the page shows this text; a page that listens to the stream never rests, so its rest cannot be waited for."""

    async def wait(page: Page) -> None:
        await page.get_by_text(text, exact=True).first.wait_for()

    return wait


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its name, the address, how it is looked at, by whom ("" is nobody), and what is done first."""

    name: str
    path: str
    first: Callable[[Page], Awaitable[None]]
    look: Look = LIGHT
    user_id: str = BRINK_ID

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return FOLDER / f"{self.name}.png"


PICTURES = (Picture("reference", "/docs", showing("/api/gamification/profile"), user_id=""),)


async def take(picture: Picture, browser: Browser, address: str, laurels: Laurels) -> None:
    """Make one picture. Raises AssertionError where the page has a fault, or the picture weighs too much."""
    async with visiting(browser, address, picture.look) as visitor:
        await visitor.page.clock.set_fixed_time(NOW)
        if picture.user_id:
            session = await OwnSessions(laurels).create(picture.user_id, timedelta(days=1))
            await visitor.sign_in(session.token)
        page = await visitor.open(picture.path)
        await picture.first(page)
        taken = await page.screenshot(animations="disabled", caret="hide")
    assert len(taken) <= MOST_BYTES, f"{picture.name} has {len(taken)} bytes, more than {MOST_BYTES}"
    picture.file.write_bytes(taken)
    print(f"{picture.file.relative_to(FOLDER.parent.parent)}  {len(taken) / 1000:.0f} KB", flush=True)


async def take_all(pictures: tuple[Picture, ...], program: str, folder: Path) -> None:
    """Make these pictures, of one community in this folder."""
    catalog, file = Catalog.parse(demo_catalog()), folder / "demo.db"
    print(f"Filling a community of {USERS} members and {DAYS} days ...", flush=True)
    await fill(file, catalog, community(SEED, USERS, DAYS, NOW), NOW, lambda: None)
    opened = Laurels.open(address_of_file(file), catalog, clock=TestClock(NOW))
    async with opened as laurels, chromium(program) as browser, listening(create_app(laurels, Settings())) as address:
        for picture in pictures:
            await take(picture, browser, address, laurels)


def main(names: list[str]) -> None:
    """Make the pictures of these names, or all."""
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
