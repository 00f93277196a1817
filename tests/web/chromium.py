"""A real Chromium: where it is, how it is started, and for which visitor it shows a page."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, async_playwright

PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
MISSING = "needs Chromium: apt-get install chromium, or name one in LAURELS_TEST_CHROMIUM"

ARGUMENTS = (
    "--no-sandbox",  # it opens our own pages alone, and containers have no room for its sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # a page that a test makes has no address, and would not reach loopback
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # whatever a page asks for, nothing leaves this machine
)


def find_chromium() -> str | None:
    """The program that LAURELS_TEST_CHROMIUM names, or else the first of PLACES that is there."""
    named = os.environ.get("LAURELS_TEST_CHROMIUM")
    return named or next((place for place in PLACES if Path(place).exists()), None)


@asynccontextmanager
async def chromium(program: str) -> AsyncIterator[Browser]:
    """A running browser without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


@dataclass(frozen=True, slots=True)
class Look:
    """How a visitor sees pages: with which screen, in which colours and language, and whether things may move."""

    name: str
    width: int = 1280
    height: int = 800
    touch: bool = False
    scheme: str = "light"
    language: str = "en-GB"
    motion: str = "no-preference"
    scale: float = 1

    def __str__(self) -> str:
        return self.name

    async def context(self, browser: Browser) -> BrowserContext:
        """A context of its own, which knows no cookie and has seen no page."""
        return await browser.new_context(
            viewport={"width": self.width, "height": self.height},
            has_touch=self.touch,
            is_mobile=self.touch,
            color_scheme=self.scheme,
            locale=self.language,
            reduced_motion=self.motion,
            device_scale_factor=self.scale,
            timezone_id="UTC",
        )


LIGHT = Look("light")
DARK = Look("dark", scheme="dark")
PHONE = Look("phone", 320, 720, touch=True)
DARK_PHONE = Look("dark-phone", 320, 720, touch=True, scheme="dark")
GERMAN = Look("german", language="de-DE")
STILL = Look("still", motion="reduce")

SCREENS = (LIGHT, DARK, PHONE, DARK_PHONE)
"""What every page and element is looked at with."""
