"""A user story: a badge is secret, and nothing tells users who do not have it more than its locked text."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import CatalogError
from tests.support import badge, catalog, catalog_text, count
from tests.support.app import CATALOG, PROFILE, USERS, App, open_app

pytestmark = pytest.mark.anyio

SECRETS = ("owl", "Owl", "\U0001f989", "Hoot", "4242", "bird")
"""What no user without the badge may read."""

OWL = {
    **badge("owl", 4242, metric="posts", at_least=2),
    "description": "Hoot twice",
    "icon": "\U0001f989",
    "condition": "Hoot 2 times",
    "family": "bird",
    "tier": 2,
    "supply": 77,
    "secret": True,
    "locked": {"name": "Night", "description": "For those who cannot sleep"},
}
BADGES = [
    {**badge("egg", 5, metric="posts", at_least=1), "family": "bird-of-all", "tier": 1},
    {**OWL, "family": "bird-of-all"},
    badge("after", 7, all_of=[{"has_badge": "owl"}, {"metric": "posts", "at_least": 3}]),
]
RULES = catalog(metrics={"posts": count("post", one="post", many="posts")}, badges=BADGES)
INCLUDE = "balance,rank,next,toward,streaks,history,earned,details,copies"
RARITY = "/api/gamification/rarity"


def path(name: str) -> str:
    return f"/api/gamification/badges/{name}/explanation"


async def read(home: App, user: str) -> dict[str, str]:
    """All that a user can read of badges, by address."""
    session = await home.sign_in(user)
    addresses = [
        PROFILE,
        f"{PROFILE}?include={INCLUDE}",
        path("after"),
        path("owl"),
        path("secret-1"),
        CATALOG,
        RARITY,
        "/badges",
        "/badges/secret-1",
        "/badges/owl",
    ]
    found = {one: await home.client.get(one, headers={"authorization": f"Bearer {session}"}) for one in addresses}
    return {one: answer.text for one, answer in found.items()}


def without(text: str) -> str:
    """A text without what names the family, the badge that is asked for, and what is not about the secret badge."""
    return text.replace("bird-of-all", "").replace("/badges/owl", "").replace("badges/owl/explanation", "")


async def test_users_without_a_secret_badge_read_its_locked_text_and_nothing_else() -> None:
    async with open_app(RULES) as home:
        await home.record(
            {"userId": "ada", "id": "e-1", "type": "post"}, {"userId": "bob", "id": "e-1", "type": "post"}
        )
        await home.record({"userId": "bob", "id": "e-2", "type": "post"})
        seen = await read(home, "ada")
        profile = (await home.client.get(f"{USERS}/ada/profile?include=details,toward", headers=home.by_key)).json()
        explained = await home.client.get(f"{USERS}/ada/badges/owl/explanation", headers=home.by_key)

    for address, text in seen.items():
        assert not [word for word in SECRETS if word in without(text)], address
    assert profile["availableBadges"][0] == {
        "id": "secret-1",
        "name": "Night",
        "description": "For those who cannot sleep",
        "icon": "\U0001f512",
        "category": "usage",
        "points": 0,
        "condition": "For those who cannot sleep",
    }
    assert [one["id"] for one in profile["toward"]] == ["after"]
    assert profile["details"][:2] == [
        {"id": "egg", "categoryName": "Usage", "family": "bird-of-all", "tier": 1, "nextTier": "secret-1"},
        {"id": "secret-1", "categoryName": "Usage", "secret": True},
    ]
    assert "the badge Night" in seen[path("after")]
    assert '"badge-not-found"' in seen[path("owl")].replace("/problems/", "") or "badge-not-found" in seen[path("owl")]
    assert seen[path("owl")].replace("owl", "x") == seen[path("secret-1")].replace("secret-1", "x")
    assert explained.json()["name"] == "Owl", "operators see all"


async def test_holders_see_a_secret_badge_as_any_other() -> None:
    async with open_app(RULES) as home:
        await home.record(*({"userId": "bob", "id": f"e-{number}", "type": "post"} for number in range(2)))
        session = await home.sign_in("bob")
        headers = {"authorization": f"Bearer {session}"}
        profile = (await home.client.get(f"{PROFILE}?include=details", headers=headers)).json()
        explained = await home.client.get(path("owl"), headers=headers)

    assert [(one["id"], one["name"], one["points"]) for one in profile["badges"]] == [
        ("egg", "Egg", 5),
        ("owl", "Owl", 4242),
    ]
    assert profile["details"][1] == {
        "id": "owl",
        "categoryName": "Usage",
        "family": "bird-of-all",
        "tier": 2,
        "secret": True,
    }
    assert explained.status_code == 200


async def test_operators_see_secret_badges_of_users_who_do_not_have_them() -> None:
    async with open_app(RULES) as home:
        await home.laurels.record(Event("ada", "e-1", "post"))
        overview = await home.laurels.overview("ada")

    assert [one.id for one in overview.profile.available_badges] == ["owl", "after"]
    assert [one.id for one in overview.profile.next] == ["after", "owl"] or "owl" in [
        one.id for one in overview.profile.next
    ]


def faults(*badges: dict[str, Any]) -> list[str]:
    with pytest.raises(CatalogError) as raised:
        Catalog.parse(catalog_text(metrics={"posts": count("post")}, badges=[*badges]))
    return [f"{fault.where}: {fault.what}; {fault.fix}" for fault in raised.value.faults]


def test_a_locked_text_needs_a_secret_badge_and_ids_of_locked_ones_are_reserved() -> None:
    plain = badge("secret-1", metric="posts", at_least=1)

    assert faults({**badge("a", metric="posts", at_least=1), "locked": {"nam": "?"}}) == [
        "badges[1] 'a'.locked: has no meaning for a badge that is not secret; add secret = true, or take it out",
        "badges[1] 'a'.locked.nam: unknown key 'nam'; did you mean 'name'?",
    ]
    assert faults(plain, {**badge("b", metric="posts", at_least=1), "secret": True}) == [
        "badges 'secret-1'.id: begins with 'secret-', as the ids do under which users see secret badges; give it another id"
    ]
    assert catalog(metrics={"posts": count("post")}, badges=[plain])


def test_being_secret_decides_nothing() -> None:
    known = [{key: value for key, value in one.items() if key not in ("secret", "locked")} for one in BADGES]

    assert catalog(metrics={"posts": count("post", one="post", many="posts")}, badges=known).rules == RULES.rules
