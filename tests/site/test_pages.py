"""Pages for users: their content and language, and what a browser may load for them."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import laurels
from laurels.engine.catalog import Catalog
from laurels.errors import StoreUnavailable
from laurels.site.static import files
from laurels.site.texts import TEXTS
from tests.support import catalog
from tests.support.app import COOKIE, LEADERBOARDS, App, open_app

pytestmark = pytest.mark.anyio

PAGES = ("/profile", "/leaderboards", "/leaderboards/weekly")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
MOST_BYTES = 32_800
EVIL = "<img src=x onerror=alert(1)>"


async def opened(home: App, path: str, **headers: str) -> httpx2.Response:
    """A page as a browser opens it."""
    sent = {"accept": BROWSER, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await home.client.get(path, headers=sent)


@pytest.fixture
async def evil() -> AsyncIterator[App]:
    """A server with a leaderboard that has markup for a name."""
    text = (
        (Path(laurels.__file__).parent / "engine/default.toml")
        .read_text("utf-8")
        .replace('name = "Weekly"', f'name = "{EVIL}"')
    )
    async with open_app(Catalog.parse(text)) as one:
        yield one


# ---- what a browser may load ------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_private_and_declares_its_language(home: App, path: str) -> None:
    answer = await opened(home, path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["vary"] == "Cookie, Accept-Language"
    assert '<html lang="en">' in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_load_only_our_own_files_and_its_inline_style(home: App, path: str) -> None:
    answer = await opened(home, path)
    policy = answer.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)

    assert b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in policy
    assert not re.findall(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=", answer.text)
    loaded = re.findall(r'<(?:script|img|link)[^>]*\s(?:src|href)="([^"]*)"', answer.text)
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)


async def test_the_profile_page_loads_one_script_and_has_the_elements(home: App) -> None:
    page = (await opened(home, "/profile")).text

    assert page.count("<script") == 1
    assert all(f"<laurels-{name}" in page for name in ("profile", "streak", "leaderboard", "toast"))


async def test_opening_a_page_without_its_script_is_not_a_visit(home: App) -> None:
    token = await home.sign_in("ada")
    await opened(home, "/profile", cookie=f"{COOKIE}={token}")

    assert (await home.profile_of("ada"))["streak"] == 0


async def test_the_front_page_redirects_to_the_profile(home: App) -> None:
    answer = await opened(home, "/")

    assert (answer.status_code, answer.headers["location"]) == (302, "/profile")


# ---- what stands there ------------------------------------------------------------------------


async def test_every_leaderboard_of_the_catalog_has_a_page(home: App) -> None:
    page = (await opened(home, "/leaderboards")).text

    assert re.findall(r'<laurels-leaderboard board="(\w+)"', page) == ["points", "weekly", "monthly"]
    assert 'href="/leaderboards/weekly"' in page
    assert "<h1>Weekly</h1>" in (await opened(home, "/leaderboards/weekly")).text


async def test_a_retired_leaderboard_has_a_page_under_all_its_ids_and_is_not_listed() -> None:
    retired = {"id": "season", "was": "summer", "period": "week", "retired": True}
    async with open_app(catalog(leaderboards=[retired])) as home:
        assert "season" not in (await opened(home, "/leaderboards")).text
        for board in ("season", "summer"):
            assert (
                '<laurels-leaderboard class="whole" board="season"'
                in (await opened(home, f"/leaderboards/{board}")).text
            )


async def test_a_name_with_markup_is_escaped(evil: App) -> None:
    for path in ("/leaderboards", "/leaderboards/weekly"):
        page = (await opened(evil, path)).text
        assert "<img src=x" not in page, path
        assert "&lt;img src=x" in page, path


async def test_an_unknown_leaderboard_is_a_page_for_browsers_and_a_problem_for_programs(home: App) -> None:
    page = await opened(home, "/leaderboards/nothing?lang=de")
    problem = await home.client.get("/leaderboards/nothing")
    by_api = await opened(home, f"{LEADERBOARDS}/nothing", authorization=home.by_key["authorization"])

    assert page.status_code == 404
    assert "Seite nicht gefunden" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert problem.json()["type"] == "/problems/leaderboard-not-found"
    assert by_api.headers["content-type"] == "application/problem+json"


async def test_an_unknown_address_is_a_page_with_a_link_to_the_profile(home: App) -> None:
    page = await opened(home, "/nothing/here")

    assert page.status_code == 404
    assert 'href="/profile"' in page.text


async def test_an_invalid_address_is_a_page_for_browsers_too(home: App) -> None:
    page, problem = await opened(home, "/badges/%ff"), await home.client.get("/badges/%ff")

    assert (page.status_code, problem.status_code) == (422, 422)
    assert "Page not found" in page.text
    assert problem.json()["type"] == "/problems/invalid-input"


async def test_while_the_database_is_unavailable_a_page_asks_to_try_again(
    home: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> Any:
        raise StoreUnavailable

    monkeypatch.setattr(home.laurels.store, "badge_holders", away)
    page, problem = await opened(home, "/badges"), await home.client.get("/badges")

    assert (page.status_code, problem.status_code) == (503, 503)
    assert page.headers["retry-after"] == problem.headers["retry-after"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "Something went wrong" in page.text
    assert problem.json()["type"] == "/problems/store-unavailable"


# ---- languages --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("liked", "language"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr,de;q=0.3,en;q=0.2", "de"),
        ("fr", "en"),
        ("de;q=0", "en"),
        ("de;q=much", "en"),
        (",;,;q=,", "en"),
        ("", "en"),
    ],
)
async def test_the_language_is_the_one_that_the_browser_prefers(home: App, liked: str, language: str) -> None:
    page = (await opened(home, "/profile", accept_language=liked)).text

    assert f'<html lang="{language}">' in page
    assert f"<h1>{TEXTS[language]['profile_title']}</h1>" in page


async def test_a_requested_language_is_preserved_in_links(home: App) -> None:
    page = (await opened(home, "/leaderboards?lang=de", accept_language="en")).text

    assert "<h1>Ranglisten</h1>" in page
    assert 'href="/profile?lang=de"' in page
    assert 'href="/leaderboards/weekly?lang=de"' in page


async def test_an_unsupported_language_is_ignored(home: App) -> None:
    page = (await opened(home, '/profile?lang="><script>', accept_language="de")).text

    assert '<html lang="de">' in page
    assert "<script>" not in page


def test_every_text_of_a_page_exists_in_every_language() -> None:
    for language, texts in TEXTS.items():
        assert texts.keys() == TEXTS["en"].keys(), language
        assert all(texts.values()), language


# ---- the script -------------------------------------------------------------------------------


def test_the_script_is_small() -> None:
    assert len(files()["laurels.js"].body) < MOST_BYTES


def test_every_text_of_an_element_exists_in_every_language_and_is_used() -> None:
    script = files()["laurels.js"].body.decode()
    (table,) = re.findall(r"^const TEXTS = (\{.*?^\});", script, re.DOTALL | re.MULTILINE)
    texts = json.loads(re.sub(r'(\w+):(?=["{])', r'"\1":', table))

    assert texts.keys() == {"en", "de"}
    assert texts["en"].keys() == texts["de"].keys()
    for key, text in texts["en"].items():
        assert shape_of(text) == shape_of(texts["de"][key]), key
        named = key.startswith("is_") or key in (
            "day",
            "week",
            "credited",
            "excused",
            "missed",
            "open",
            "paused",
            "frozen",
        )
        assert named or f'"{key}"' in script, key


def shape_of(text: str | dict[str, str]) -> object:
    """What a text takes: its plurals, or the values that are put in."""
    return sorted(text) if isinstance(text, dict) else sorted(re.findall(r"\{\w+\}", text))


def test_no_text_of_an_element_mentions_loss() -> None:
    script = files()["laurels.js"].body.decode()

    assert not re.search(r"\b(lose|loses|losing|lost|verlier\w*|verloren)\b", script, re.IGNORECASE)


def test_the_script_never_parses_markup_or_evaluates_text() -> None:
    script = files()["laurels.js"].body.decode()

    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://(?!www\.w3\.org/)",
        script,
    )
