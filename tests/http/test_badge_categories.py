"""A user story: a community has badge categories of its own, and its pages show them by their names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.errors import CatalogError
from tests.support import badge, catalog, catalog_text
from tests.support.app import CATALOG, open_app

pytestmark = pytest.mark.anyio

CATEGORIES: dict[str, Any] = {
    "winter": {"name": "Winter <2026>", "order": 1},
    "other": {"name": "Everything else"},
    "social": {"name": "Neighbours"},
}


def of(name: str, category: str) -> dict[str, Any]:
    return {**badge(name, streak="login", streak_of=7), "category": category}


BADGES = [of("a", "other"), of("b", "social"), of("c", "usage"), of("d", "winter"), of("e", "onboarding")]


async def test_the_pages_and_answers_of_a_community_group_badges_by_its_own_categories() -> None:
    async with open_app(catalog(categories=CATEGORIES, badges=BADGES)) as home:
        served = (await home.client.get(CATALOG)).json()
        page = (await home.client.get("/badges?lang=de")).text
        one = (await home.client.get("/badges/d")).text

    assert served["categories"] == [
        {"id": "onboarding", "name": "First steps"},
        {"id": "winter", "name": "Winter <2026>"},
        {"id": "usage", "name": "Usage"},
        {"id": "social", "name": "Neighbours"},
        {"id": "other", "name": "Everything else"},
    ]
    assert re.findall(r'<h2 id="([\w-]+)">([^<]+)</h2>', page) == [
        ("onboarding", "Erste Schritte"),
        ("winter", "Winter &lt;2026&gt;"),
        ("usage", "Nutzung"),
        ("social", "Neighbours"),
        ("other", "Everything else"),
    ]
    assert re.findall(r'class="card" href="/badges/(\w)\?', page) == ["e", "d", "c", "b", "a"]
    assert "<dd>Winter &lt;2026&gt;</dd>" in one


async def test_categories_without_badges_are_not_shown() -> None:
    async with open_app(catalog(categories=CATEGORIES, badges=[of("d", "winter")])) as home:
        served = (await home.client.get(CATALOG)).json()

    assert [one["id"] for one in served["categories"]] == ["winter"]


def faults(**tables: Any) -> list[str]:
    with pytest.raises(CatalogError) as raised:
        Catalog.parse(catalog_text(**tables))
    return [f"{fault.where}: {fault.what}; {fault.fix}" for fault in raised.value.faults]


def test_an_unknown_category_is_refused_and_the_nearest_one_named() -> None:
    (fault,) = faults(categories=CATEGORIES, badges=[of("d", "winters")])

    assert fault == "badges[1] 'd'.category: unknown category 'winters'; did you mean 'winter'?"


def test_a_category_needs_a_name_and_an_id_that_fits_in_links() -> None:
    found = faults(categories={"two words": {"name": "x"}, "plain": {"order": 0, "colour": "red"}})

    assert [fault.partition(";")[0] for fault in found] == [
        "categories.two words: may have only letters, digits, '_' and '-' in its id",
        "categories.plain.order: must be a whole number of 1 or more, not 0",
        "categories.plain.name: is missing",
        "categories.plain.colour: unknown key 'colour'",
    ]


def test_categories_decide_nothing_and_their_changes_are_said_in_plans() -> None:
    plain, named = catalog(badges=[of("b", "social")]), catalog(categories=CATEGORIES, badges=[of("b", "social")])

    assert plain.rules == named.rules
    assert "categories 'social'.name: from 'Community' to 'Neighbours'" in differences(plain, named)
