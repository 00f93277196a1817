"""Elements and pages in a real browser show the texts of a catalog in the language of their page, else of the browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.http.test_languages import CLUB
from tests.support.app import event
from tests.web.chromium import LIGHT
from tests.web.hosting import Host
from tests.web.serving import app_on_port
from tests.web.visitor import site

pytestmark = pytest.mark.anyio

ELEMENTS = "<laurels-profile></laurels-profile><laurels-toast></laurels-toast>"


async def test_elements_and_pages_speak_the_language_of_their_page(browser: Browser) -> None:
    async with app_on_port(catalog=CLUB) as context:
        await context.record(event("ada", "book.finished"))
        async with site(browser, str(context.client.base_url), context.sign_in, LIGHT) as home:
            host = Host(home, home.address)
            german = await host.show(await host.visit("ada"), ELEMENTS, lang="de-AT")
            english = await host.show(await host.visit("ada"), ELEMENTS)
            page = await (await home.visit("ada")).open("/badges?lang=de")

            await expect(german.get_by_text("Erstes Buch").first).to_be_visible()
            await expect(german.get_by_text("Kenner").first).to_be_visible()
            await expect(german.get_by_text("First book")).to_have_count(0)
            await expect(english.get_by_text("First book").first).to_be_visible()
            await expect(page.get_by_text("Zehn Bücher").first).to_be_visible()

            await context.record(*(event("ada", "book.finished", f"book-{number}") for number in range(9)))
            await expect(german.get_by_text("Zehn Bücher · 10 Punkte", exact=True)).to_be_visible()
            await expect(english.get_by_text("Ten books · 10 points", exact=True)).to_be_visible()
