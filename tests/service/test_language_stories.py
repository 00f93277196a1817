"""Texts in several languages, as programs and their users read them through the library."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from laurels import BlockingLaurels, Event, in_language
from laurels.engine.catalog import Catalog
from tests.support import badge, catalog, count
from tests.support.arena import arena

pytestmark = pytest.mark.anyio


def club(**names: str) -> Catalog:
    """A community whose badge for one page has these names, each by its language."""
    read: dict[str, Any] = count("read", one={"en": "page", "de": "Seite"}, many={"en": "pages", "de": "Seiten"})
    return catalog(
        metrics={"pages": read},
        levels=[
            {"title": {"en": "One", "de": "Eins"}, "points": 0},
            {"title": {"en": "Two", "de": "Zwei"}, "points": 10},
        ],
        badges=[{**badge("first", 10, metric="pages", at_least=1), "name": names}],
    )


CLUB = club(en="First page", de="Erste Seite")


async def test_an_app_reads_a_profile_and_its_reasons_in_the_language_of_the_user(database: str) -> None:
    async with arena(database, CLUB) as one:
        with in_language("de-AT", "en"):
            result = await one.read("ada", 3)
            profile = await one.laurels.profile("ada", include=["next", "details"])
            explained = await one.laurels.explain("ada", "first")
            sent = await one.laurels.notifications({"ada": (0, 0)})
        plain = await one.laurels.profile("ada")

    assert [award.name for award in result.awards] == ["Erste Seite"]
    assert ([badge.name for badge in profile.badges], profile.title) == (["Erste Seite"], "Zwei")
    assert (explained.name, explained.checks[0].text) == ("Erste Seite", "1 Seite")
    named = {message.type: message for _, message in sent["ada"] if message}
    assert named["badge.earned"].badge and named["badge.earned"].badge.name == "Erste Seite"  # noqa: PT018
    assert (named["level.reached"].title, named["level.reached"].data["title"]) == ("Zwei", "Two")
    assert ([badge.name for badge in plain.badges], plain.title) == (["First page"], "Two")


async def test_a_new_translation_is_read_at_once_and_no_user_is_judged_again(database: str) -> None:
    async with arena(database, CLUB) as one:
        await one.read("ada", 1)
        with in_language("de"):
            assert (await one.laurels.profile("ada")).badges[0].name == "Erste Seite"
        plan = await one.admin.plan_catalog(club(en="First page", de="Die erste Seite"))
        before = one.laurels.catalog.rules
        await one.apply(club(en="First page", de="Die erste Seite"))
        with in_language("de"):
            assert (await one.laurels.profile("ada")).badges[0].name == "Die erste Seite"
        assert (await one.laurels.profile("ada")).badges[0].name == "First page"
        assert one.laurels.catalog.rules == before

    assert plan.differences == ["badges 'first'.name.de: from 'Erste Seite' to 'Die erste Seite'"]
    assert plan.affected == 0


async def test_a_read_of_the_past_has_the_texts_of_then_in_the_language_of_now(database: str) -> None:
    async with arena(database, CLUB) as one:
        await one.read("ada", 1)
        one.clock.now += timedelta(days=1)
        then = one.clock.now
        one.clock.now += timedelta(days=1)
        await one.apply(club(en="First page", de="Die erste Seite"))
        with in_language("de"):
            past = await one.laurels.profile("ada", as_of=then)

    assert past.badges[0].name == "Erste Seite"


async def test_what_is_decided_within_a_language_is_stored_as_without(database: str) -> None:
    async with arena(database, CLUB) as one:
        with in_language("de"):
            await one.read("ada", 1)
        assert await one.notifications("level.reached") == [("ada", '{"level":2,"title":"Two"}')]


def test_a_thread_without_asyncio_reads_in_its_language() -> None:
    with BlockingLaurels("sqlite://", CLUB) as laurels:
        laurels.record(Event("ada", "e-1", "read"))
        with in_language("de"):
            german = laurels.profile("ada")
        plain = laurels.profile("ada")

    assert (german.badges[0].name, plain.badges[0].name) == ("Erste Seite", "First page")
