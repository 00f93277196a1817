"""A server that is killed in the middle of many reversals: the same request again ends as one that nothing interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.service.admin import Admin
from laurels.service.clock import utc_now
from laurels.service.closed_lines import database_differences
from laurels.service.laurels import Laurels
from laurels.storage import open_store
from laurels.storage.contract import Store
from tests.support import LASTING_ENGINES, badge, catalog, count, sql
from tests.support.serving import SECONDS, Served, Server

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.parametrize("engine", LASTING_ENGINES)]

REVERSALS = "/api/gamification/events/reversals"
MANY = 1000
LONG, OF_LONG, OF_OTHERS = "long", 100, 5
"""One user has more events than a transaction loads; the others share transactions."""

KILLED_AT = (1, 250, 600)
"""How many reversals are stored when the server is killed."""

BASE = utc_now().replace(microsecond=0) - timedelta(days=2)


def rules() -> Catalog:
    return catalog(
        metrics={"notes": count("note")},
        points=[{"id": "note", "events": ["note"], "amount": 2}],
        badges=[badge(f"notes-{n}", n, metric="notes", at_least=n) for n in (4, 7, 500)],
        leaderboards=[{"id": "weekly", "period": "week"}, {"id": "most", "by": "metric", "of": "notes"}],
    )


def users() -> dict[str, int]:
    """Each user with the number of their events."""
    others = (MANY - OF_LONG) // OF_OTHERS
    return {f"user-{number:03}": 8 for number in range(others)} | {LONG: 520}


def reversed_events() -> list[dict[str, str]]:
    """The events of the request: the newest ones of the first users, then those of the long history, then of all others."""
    names = [*users()]
    order = [*names[:90], LONG, *names[90:-1]]
    return [
        {"userId": name, "eventId": f"note-{number}"}
        for name in order
        for number in range(OF_LONG if name == LONG else OF_OTHERS)
    ]


async def fill(laurels: Laurels) -> None:
    for name, events in users().items():
        notes = [Event(name, f"note-{number}", "note", BASE + timedelta(seconds=number)) for number in range(events)]
        await laurels.record_many(notes)


async def state(store: Store) -> dict[str, Any]:
    """Everything that the request decides; not when it was sent."""
    rows = {
        "users": "SELECT user_id, revision, points, reached_at FROM users",
        "events": "SELECT user_id, event_id, revision, reversed_by FROM events",
        "awards": "SELECT user_id, badge, revision, points, event_id FROM awards",
        "ledger": "SELECT user_id, revision, position, amount, reason, ref, event_id, counts_at FROM ledger",
        "standings": "SELECT user_id, board, period, sort_key, reached_at FROM standings",
        "outbox": "SELECT user_id, revision, position, type, data FROM outbox WHERE type LIKE 'badge%' OR type LIKE 'level%'",
    }
    found = {name: sorted(map(repr, map(tuple, await sql(store, statement)))) for name, statement in rows.items()}
    adjustments = "SELECT user_id, adjustment_id, revision, kind, reason, actor, undone_by, data FROM adjustments"
    return {**found, "adjustments": sorted([(*row[:-1], _untimed(row[-1])) for row in await sql(store, adjustments)])}


def _untimed(data: str) -> str:
    """The data of an adjustment without the time at which its badges had been awarded."""
    read = json.loads(data)
    for item in read.get("lost", ()):
        del item["awardedAt"]
    return json.dumps(read, sort_keys=True)


async def uninterrupted() -> dict[str, Any]:
    """The state after one request that nothing interrupts."""
    async with Laurels.open("sqlite://", rules()) as laurels:
        await fill(laurels)
        events = [(one["userId"], one["eventId"]) for one in reversed_events()]
        await Admin(laurels).reverse_many(events, "sent by a script", "anna")
        return await state(laurels.store)


async def stored(store: Store) -> int:
    return (await sql(store, "SELECT count(*) FROM adjustments"))[0][0]


async def send(server: Server) -> httpx2.Response:
    body = {"reason": "sent by a script", "actor": "anna", "events": reversed_events()}
    return await server.client.post(REVERSALS, json=body, headers=server.by_key)


async def killed(server: Server, store: Store, at_least: int) -> int:
    """Kill the server while it answers the request; how many reversals were stored then."""
    request = asyncio.create_task(send(server))
    async with asyncio.timeout(SECONDS):
        while await stored(store) < at_least:
            assert not request.done(), "the request was over before it could be interrupted"
            await asyncio.sleep(0.002)
    await server.kill()
    with contextlib.suppress(httpx2.TransportError):
        await request
    return await stored(store)


async def test_a_kill_in_the_middle_of_many_reversals_leaves_what_the_same_request_completes(
    database: str, tmp_path: Path
) -> None:
    served = Served(database, tmp_path)
    await served.prepare()
    async with Laurels.open(database, rules()) as laurels:
        await fill(laurels)
    store = open_store(database)
    counts: list[int] = []
    for at_least in KILLED_AT:
        async with served.server() as server:
            counts.append(await killed(server, store, at_least))
        await no_user_is_reversed_in_part(store)
    assert 0 < counts[0] <= counts[-1] < MANY
    async with served.server() as server:
        answer = await send(server)
        assert answer.status_code == 200, answer.text
        sums = answer.json()
        assert (sums["applied"], sums["duplicates"], sums["rejected"]) == (MANY - counts[-1], counts[-1], 0)
        again = (await send(server)).json()
        assert (again["applied"], again["duplicates"], again["rejected"]) == (0, MANY, 0)
        assert await server.stop() == 0
    assert await state(store) == await uninterrupted()
    await store.close()
    await nothing_differs(database)
    await served.check_books()


async def no_user_is_reversed_in_part(store: Store) -> None:
    """The reversals of one user are stored together, or none of them is."""
    rows: Sequence[Any] = await sql(store, "SELECT user_id, count(*) FROM adjustments GROUP BY user_id")
    assert {int(number) for name, number in rows if name != LONG} <= {OF_OTHERS}
    assert {int(number) for name, number in rows if name == LONG} <= {OF_LONG}


async def nothing_differs(database: str) -> None:
    async with Laurels.open(database, on_difference="follow") as laurels:
        admin = Admin(laurels)
        assert [found async for name in admin.users() for found in await admin.verify(name)] == []
        assert await database_differences(laurels.core) == []
