"""Over HTTP, a catalog with several languages is read in the language of the reader; one with one language is as before."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.http.languages import accepted_languages
from tests.support import badge, catalog, count
from tests.support.app import CATALOG, LEADERBOARDS, PROFILE, USERS, App, event, open_app

pytestmark = pytest.mark.anyio

CLUB = catalog(
    metrics={"books": count("book.finished", one={"en": "book", "de": "Buch"}, many={"en": "books", "de": "Bücher"})},
    levels=[
        {"title": {"en": "Reader", "de": "Leser"}, "points": 0},
        {"title": {"en": "Expert", "de": "Kenner"}, "points": 10},
    ],
    badges=[
        {**badge("first", 10, metric="books", at_least=1), "name": {"en": "First book", "de": "Erstes Buch"}},
        {**badge("tenth", 10, metric="books", at_least=10), "name": {"en": "Ten books", "de": "Zehn Bücher"}},
    ],
    leaderboards=[{"id": "weekly", "name": {"en": "This week", "de": "Diese Woche"}, "period": "week"}],
)
GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}


def names(profile: dict[str, Any]) -> list[str]:
    return [one["name"] for one in (*profile["badges"], *profile["availableBadges"])]


async def visited(home: App, token: str, query: str = "", **headers: str) -> tuple[dict[str, Any], dict[str, str]]:
    answer = await home.visit(token, PROFILE + query, **headers)
    assert answer.status_code == 200, answer.text
    return answer.json(), dict(answer.headers)


async def test_two_readers_of_one_community_read_it_in_their_own_languages() -> None:
    """A user story: Ada's browser prefers German, Bob's English."""
    async with open_app(CLUB) as home:
        await home.record(event("ada", "book.finished"), event("bob", "book.finished"))
        ada, bob = await home.sign_in("ada"), await home.sign_in("bob")

        german, headers = await visited(home, ada, **GERMAN)
        english, of_bob = await visited(home, bob)
        again, _ = await visited(home, ada, **GERMAN)

    assert (german["title"], names(german)) == ("Kenner", ["Erstes Buch", "Zehn Bücher"])
    assert german["leaderboard"][0]["title"] == "Kenner"
    assert (english["title"], names(english)) == ("Expert", ["First book", "Ten books"])
    assert names(again) == names(german)
    assert (headers["content-language"], headers["vary"]) == ("de", "Cookie, Accept-Language")
    assert (of_bob["content-language"], of_bob["vary"]) == ("en", "Cookie, Accept-Language")


async def test_the_parameter_wins_and_an_unknown_language_falls_back() -> None:
    async with open_app(CLUB) as home:
        ada = await home.sign_in("ada")
        shown = {
            query: names((await visited(home, ada, query, **headers))[0])[0]
            for query, headers in (
                ("?lang=de", {}),
                ("?lang=en", GERMAN),
                ("?lang=fr", GERMAN),
                ("?lang=fr&include=rank", {}),
                ("?lang=", {}),
            )
        }

    assert shown == {
        "?lang=de": "Erstes Buch",
        "?lang=en": "First book",
        "?lang=fr": "Erstes Buch",
        "?lang=fr&include=rank": "First book",
        "?lang=": "First book",
    }


async def test_every_answer_with_texts_of_the_catalog_has_them_in_the_language() -> None:
    async with open_app(CLUB) as home:
        headers = {**home.by_key, **GERMAN}
        sent = await home.client.post("/api/gamification/events", json=[event("ada", "book.finished")], headers=headers)
        public = await home.client.get(CATALOG, headers=GERMAN)
        plain = await home.client.get(CATALOG)
        boards = (await home.client.get(f"{LEADERBOARDS}?lang=de", headers=home.by_key)).json()["leaderboards"]
        board = (await home.client.get(f"{LEADERBOARDS}/weekly?lang=de", headers=home.by_key)).json()
        user = (await home.client.get(f"{USERS}/ada?lang=de", headers=home.by_key)).json()
        why = f"{USERS}/ada/badges/tenth/explanation?lang=de"
        explained = (await home.client.get(why, headers=home.by_key)).json()
        adjusted = await home.client.post(
            f"{USERS}/ada/adjustments?lang=de",
            json={"id": "a", "kind": "grant", "badge": "tenth", "reason": "a gift", "actor": "eve"},
            headers=home.by_key,
        )

    assert sent.json()["results"][0]["awards"][0]["name"] == "Erstes Buch"
    assert [one["name"] for one in public.json()["badges"]] == ["Erstes Buch", "Zehn Bücher"]
    assert (public.headers["vary"], public.headers["content-language"]) == ("Accept-Language", "de")
    assert (plain.headers["vary"], plain.headers["content-language"]) == ("Accept-Language", "en")
    assert [one["name"] for one in boards] == ["All time", "Diese Woche"]
    assert board["standings"][0]["title"] == "Kenner"
    assert user["title"] == "Kenner"
    assert explained["name"] == "Zehn Bücher"
    assert explained["checks"][0]["text"] == "10 Bücher"
    assert adjusted.json()["awards"][0]["name"] == "Zehn Bücher"


async def test_pages_and_console_show_the_names_in_the_language_of_the_browser() -> None:
    async with open_app(CLUB) as home:
        page = {
            language: (await home.client.get("/badges", headers={"accept-language": language})).text
            for language in ("de", "en", "de")
        }
        asked = (await home.client.get("/badges?lang=de")).text
        one = (await home.client.get("/badges/first?lang=de")).text
        boards = (await home.client.get("/leaderboards?lang=de")).text

    assert "Zehn Bücher" in page["de"]
    assert "Ten books" not in page["de"]
    assert "Ten books" in page["en"]
    assert all(text in found for text, found in (("Zehn Bücher", asked), ("Erstes Buch", one), ("Diese Woche", boards)))


async def test_a_catalog_with_one_language_keeps_its_headers_and_bodies() -> None:
    async with open_app(Catalog.default()) as home:
        ada = await home.sign_in("ada")
        first, headers = await visited(home, ada)
        german, of_german = await visited(home, ada, **GERMAN)
        public = await home.client.get(CATALOG, headers=GERMAN)

    assert first == german
    for one in (headers, of_german):
        assert "content-language" not in one
        assert one["vary"] == "Cookie"
    assert "vary" not in public.headers
    assert "content-language" not in public.headers


async def test_errors_have_no_language_of_the_catalog() -> None:
    async with open_app(CLUB) as home:
        answer = await home.client.get(f"{LEADERBOARDS}/nothing?lang=de", headers=home.by_key)

    assert answer.status_code == 404
    assert "content-language" not in answer.headers


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("", ()),
        ("de", ("de",)),
        ("en;q=0.5, de-AT, de;q=0.9", ("de-AT", "de", "en")),
        ("de;q=0, en", ("en",)),
        ("*, de;q=0.1", ("de",)),
        ("de;q=high, fr;q=nan, en;q=inf, it;q=-1", ()),
        (",;,;q=1,", ()),
        (
            ",".join(f"a{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
            tuple(f"a{one}" for one in "abcdefghijklmnopqrst"),
        ),
    ],
)
def test_the_header_is_read_by_weight(header: str, languages: tuple[str, ...]) -> None:
    assert accepted_languages(header) == languages
