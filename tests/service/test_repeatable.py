"""A user story of a badge that users earn again and again, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import CatalogError
from laurels.simulate.comparing import notification_text
from tests.support import at, badge, catalog, catalog_text, count
from tests.support.arena import Arena, arena

METRICS: dict[str, Any] = {
    "books": count("book", one="book", many="books"),
    "best": {"kind": "max", "events": ["book"]},
}
SHELF: dict[str, Any] = {**badge("shelf", 0, metric="books", at_least=3), "repeatable": True}
START = at("2026-06-01T12:00")


async def read(one: Arena, *names: str) -> None:
    for name in names:
        await one.laurels.record(Event("ada", name, "book", START))


async def times(one: Arena, user_id: str = "ada") -> int | None:
    (details,) = (await one.laurels.profile(user_id, include=["details"])).details
    return details.times


async def news(one: Arena) -> list[str]:
    found = await one.laurels.notifications({"ada": (0, 0)}, 100)
    shown = [message for _, message in found["ada"] if message and message.type.startswith("badge")]
    return [notification_text(message) for message in shown]


@pytest.mark.anyio
async def test_a_reader_has_the_badge_once_for_every_three_books() -> None:
    async with arena(of=catalog(metrics=METRICS, badges=[SHELF]), start=START) as one:
        await read(one, "b1", "b2")
        assert await times(one) == 0
        await read(one, "b3", "b4", "b5")
        assert await times(one) == 1
        await read(one, "b6", "b6", "b7", "b8", "b9")
        assert await times(one) == 3
        assert [shown.id for shown in (await one.laurels.profile("ada")).badges] == ["shelf"]
        assert await news(one) == ["badge.earned shelf", "badge.repeated shelf 2", "badge.repeated shelf 3"]

        await one.admin.reverse("ada", "b2", "a double entry", "a test")
        assert await times(one) == 2


@pytest.mark.anyio
async def test_one_event_may_reach_the_number_several_times() -> None:
    pages = {"pages": {"kind": "sum", "events": ["book"]}}
    shelf = {**badge("shelf", 0, metric="pages", at_least=100), "repeatable": True}
    async with arena(of=catalog(metrics=pages, badges=[shelf]), start=START) as one:
        await one.laurels.record(Event("ada", "b1", "book", quantity=250))
        assert await times(one) == 2
        assert await news(one) == ["badge.earned shelf", "badge.repeated shelf 2"]
        await one.laurels.record(Event("bob", "b1", "book"))
        await one.adjust("bob", "grant", "g1", badge="shelf")
        assert await times(one, "bob") == 1, "one that was granted counts once"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"when": {"metric": "best", "at_least": 3}}, "needs a condition of one metric"),
        ({"when": {"points_of": 100}}, "needs a condition of one metric"),
        ({"points": 10}, "cannot pay"),
        ({"retired": True}, "would go on counting"),
    ],
)
def test_what_has_no_exact_number_of_times_is_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(CatalogError, match=what):
        Catalog.parse(catalog_text(metrics=METRICS, badges=[SHELF | changes]))


def test_a_retired_one_stops_with_the_days_of_its_events() -> None:
    ended = SHELF | {"retired": True, "available": {"until": date(2026, 7, 1)}}
    assert Catalog.parse(catalog_text(metrics=METRICS, badges=[ended])).badges[0].repeatable
