"""/playground, in a demo alone: act as one of its members through the API, and see what moves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from laurels.demo.personas import Narrator, Story
from laurels.demo.playground_texts import PAGE, SCRIPT, STORIES
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.problems import NoSuchPage
from laurels.http.responses import Response
from laurels.service.laurels import Laurels
from laurels.site.html import site_page
from laurels.site.static import address
from laurels.site.texts import language_of

PATH = "/playground"

BEST, OTHERS = 100, 300
"""Among how many stories are sought: the first on points, and the first by their ids, who stand anywhere."""


class Person(msgspec.Struct, frozen=True, rename="camel"):
    """Somebody whom one can be. Without a user id, somebody who does not exist yet."""

    user_id: str | None
    name: str
    story: str
    time_zone: str | None


class Given(msgspec.Struct, frozen=True, rename="camel"):
    """What the page's script is given."""

    key: str
    elements: str
    now: datetime
    people: list[Person]
    texts: Mapping[str, str]


@endpoint("GET", PATH, access=PUBLIC, cross_origin=False)
async def playground_page(request: Request[None, None]) -> Response:
    """Show the playground; its script acts with the demo's key."""
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
    """The most telling members, from three queries, and somebody new."""
    store, now, texts = laurels.store, await laurels.now(), STORIES[language]
    best = [standing.place.user_id for standing in (await store.profile_view("", BEST)).top]
    users = await store.users([*{*best, *await store.user_ids("", OTHERS)}])
    stories = Narrator(laurels.catalog, [*users.values()], now).stories()
    somebody_new = Person(None, SCRIPT[language]["somebody_new"], texts["new"], None)
    return [*(_person(story, texts, story.user.progress.zones.at(now)) for story in stories), somebody_new]


def _person(story: Story, texts: Mapping[str, str], time_zone: str) -> Person:
    user = story.user
    return Person(user.user_id, user.name or user.user_id, texts[story.kind].format(**story.facts), time_zone)


ENDPOINTS = (playground_page,)
