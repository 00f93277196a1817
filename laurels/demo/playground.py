"""/playground, only in a demo: act as one of its members through the API, and see what changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from laurels.demo.personas import Persona, PersonaFinder
from laurels.demo.playground_texts import PAGE, SCRIPT, STORIES
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.parameters import PAGE_PARAMETERS
from laurels.http.problems import NoSuchPage
from laurels.http.responses import Response
from laurels.service.laurels import Laurels
from laurels.site.html import site_page
from laurels.site.static import address
from laurels.site.texts import language_of

PATH = "/playground"

BEST, OTHERS = 100, 300
"""How many users personas are chosen among: the first on points, and the first by id, who may have any rank."""


class Person(msgspec.Struct, frozen=True, rename="camel"):
    """A user to act as. Without a user id: a user who does not exist yet."""

    user_id: str | None
    name: str
    story: str
    time_zone: str | None


class Given(msgspec.Struct, frozen=True, rename="camel"):
    """The data for the page's script."""

    key: str
    elements: str
    now: datetime
    people: list[Person]
    texts: Mapping[str, str]


@endpoint("GET", PATH, access=PUBLIC, parameters=PAGE_PARAMETERS, cross_origin=False)
async def playground_page(request: Request[None, None]) -> Response:
    """Show the playground; its script uses the demo's key."""
    context = request.context
    if context.playground is None:
        raise NoSuchPage
    language = language_of(request.scope)
    people = await _people(context.laurels, language)
    now = await context.laurels.now()
    given = Given(context.playground, address("laurels.js"), now, people, SCRIPT[language])
    return site_page(
        request, "demo/playground.html", here=PATH, p=PAGE[language], given=msgspec.json.encode(given).decode()
    )


async def _people(laurels: Laurels, language: str) -> list[Person]:
    """The chosen members, from three queries, and a new user."""
    store, now, texts = laurels.store, await laurels.now(), STORIES[language]
    best = [standing.place.user_id for standing in (await store.profile_view("", BEST)).top]
    users = await store.users([*{*best, *await store.user_ids("", OTHERS)}])
    personas = PersonaFinder(laurels.catalog, [*users.values()], now).personas()
    new_user = Person(None, SCRIPT[language]["new_user"], texts["new"], None)
    return [*(_person(persona, texts, persona.user.progress.zones.at(now)) for persona in personas), new_user]


def _person(persona: Persona, texts: Mapping[str, str], time_zone: str) -> Person:
    user = persona.user
    return Person(user.user_id, user.name or user.user_id, texts[persona.kind].format(**persona.facts), time_zone)


ENDPOINTS = (playground_page,)
