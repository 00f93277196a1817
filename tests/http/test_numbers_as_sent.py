"""Numbers over HTTP and in the library: 5.0 is 5, what cannot be read is reported, and a retry may be written differently."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.events import Event
from laurels.service.admin import Admin
from laurels.testing import sandbox
from tests.service.test_history import check_stored
from tests.support import catalog
from tests.support.app import USERS, App, event, open_app

pytestmark = pytest.mark.anyio

CATALOG = catalog(
    metrics={
        "km": {"kind": "sum", "events": ["run"], "of": "km"},
        "a/b~c": {"kind": "max", "events": ["climb"], "of": "a/b~c"},
    },
    leaderboards=[{"id": "km", "by": "metric", "of": "km"}],
)


async def test_a_result_names_the_value_that_no_metric_can_read() -> None:
    async with open_app(CATALOG) as app:
        results = await app.record(
            *(
                event("ada", "run", f"r-{n}", data=data)
                for n, data in enumerate([{"km": 5.5}, {"km": "5"}, {"km": -5}])
            ),
            event("ada", "run", "r-8"),
            event("ada", "run", "r-9", data={"km": 5.0}),
            event("ada", "climb", "c-1", data={"a/b~c": None}),
        )

    assert [result["status"] for result in results] == ["recorded"] * 6
    assert [result.get("ignored") for result in results[:4]] == [
        [{"metric": "km", "pointer": "/data/km", "why": why}]
        for why in (
            "must be a whole number",
            "must be a number, not a text",
            "must be from 0 to 9007199254740991",
            "is missing",
        )
    ]
    assert "ignored" not in results[4]
    assert results[5]["ignored"][0]["pointer"] == "/data/a~1b~0c"


async def test_a_whole_number_counts_on_leaderboards_and_after_a_rebuild(database: str) -> None:
    async with sandbox(CATALOG, database=database) as (laurels, _):
        await laurels.record(Event("ada", "r-1", "run", data={"km": 5.0}))
        await laurels.record(Event("ada", "r-2", "run", data={"km": 2}))
        page = await laurels.leaderboard("km")
        assert [(line.user_id, line.score) for line in page.standings] == [("ada", 7)]
        await check_stored(laurels)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"km": 1}, {"km": 1.0}),
        ({"km": 1.0}, {"km": 1}),
        ({"a": [1, {"b": 2.0}]}, {"a": [1.0, {"b": 2}]}),
        ({}, None),
        (None, {}),
    ],
)
async def test_a_retry_that_is_written_differently_is_a_duplicate(database: str, first: Any, again: Any) -> None:
    async with sandbox(CATALOG, database=database) as (laurels, _):
        recorded = await laurels.record(Event("ada", "r-1", "run", data=first))
        repeated = await laurels.record(Event("ada", "r-1", "run", data=again))

    assert (recorded.status, repeated.status) == ("recorded", "duplicate")
    assert repeated.ignored == recorded.ignored


@pytest.mark.parametrize("again", [{"km": True}, {"km": "1"}, {"km": 1.5}, {"km": 1, "x": None}, {}, None])
async def test_a_retry_that_means_something_else_is_a_conflict(again: Any) -> None:
    async with open_app(CATALOG) as app:
        await app.record(event("ada", "run", "r-1", data={"km": 1}))
        answer = await app.send(event("ada", "run", "r-1", data=again))
        (result,) = answer.json()["results"]

    assert result["problem"]["status"] == 409


async def test_a_quantity_is_whole_however_it_is_written(home: App) -> None:
    laurels = home.laurels
    await home.record(event("ada", "message.sent", "m-1", quantity=2))

    again = await laurels.record(Event("ada", "m-1", "message.sent", quantity=2.0))  # type: ignore[arg-type]

    assert again.duplicate


async def test_an_adjustment_reads_a_whole_number_and_refuses_any_other(home: App) -> None:
    await home.record(event("ada", "message.sent"))
    address = f"{USERS}/ada/adjustments"

    async def adjust(amount: Any) -> tuple[int, Any]:
        body = {"id": "gift", "kind": "points", "amount": amount, "reason": "a gift"}
        answer = await home.client.post(address, json=body, headers=home.by_key)
        return answer.status_code, answer.json()

    for wrong in (1.5, "50", True, 0, 0.0, 1e300):
        status, problem = await adjust(wrong)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/amount"), wrong
    assert (await adjust(50.0))[1]["points"]["after"] == 50
    assert (await adjust(50))[1]["status"] == "duplicate"
    result = await Admin(home.laurels).adjust("ada", "gift", "points", {"amount": 50.0}, "a gift", "me")
    assert result.status == "duplicate"
