"""An event whose type no rule names says so, and operators see which types these are."""

from __future__ import annotations

import pytest

from laurels.engine.catalog import Catalog
from laurels.present.reports import unknown_types
from tests.support.app import App, event
from tests.support.operator import Operator

pytestmark = pytest.mark.anyio


async def test_an_event_of_an_unknown_type_is_recorded_and_not_counted(home: App) -> None:
    wrong = event("ada", "mesage.sent", "m-1")

    (first,) = await home.record(wrong)
    again, right = await home.record(wrong, event("ada", "message.sent", "m-2"))

    assert first == {"id": "m-1", "userId": "ada", "status": "recorded", "counted": False}
    assert again == {**first, "status": "duplicate"}
    assert "counted" not in right


async def test_an_event_that_was_reversed_before_it_arrived_says_only_that(home: App) -> None:
    address = "/api/gamification/events/ada/m-1/reversal"
    answer = await home.client.post(address, json={"reason": "a mistake"}, headers=home.by_key)
    assert answer.status_code == 200, answer.text

    (result,) = await home.record(event("ada", "message.sent", "m-1"))

    assert result["reversed"]
    assert "counted" not in result


def test_unknown_types_are_in_order_of_their_events_with_the_nearest_known_type() -> None:
    found = unknown_types(Catalog.default(), {"message.sent": 9, "mesage.sent": 3, "zzz": 3, "coffee": 5})

    assert [(row.type, row.events, row.nearest) for row in found] == [
        ("coffee", 5, None),
        ("mesage.sent", 3, "message.sent"),
        ("zzz", 3, None),
    ]


async def test_the_catalog_page_of_the_console_lists_unknown_types(home: App, work: Operator) -> None:
    await home.record(event("ada", "mesage.sent", "m-1"), event("ada", "mesage.sent", "m-2"))

    page = await work.page("/console/catalog")

    assert "Unknown event types" in page.text
    assert "mesage.sent 2 Did you mean message.sent ?" in page.text


async def test_the_catalog_page_says_nothing_of_types_where_all_are_known(home: App, work: Operator) -> None:
    await home.record(event("ada", "message.sent", "m-1"))

    assert "Unknown event types" not in (await work.page("/console/catalog")).text
