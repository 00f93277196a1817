"""How often recording events reads the whole history of a user: never in order, and not again and again out of order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.progress import UNKNOWN
from laurels.service.laurels import Laurels
from laurels.storage import codec
from laurels.storage.contract import Changes, Decide, Loaded, LoadRequest, UserRow
from tests.service.test_history import Place, check_stored, place
from tests.support import at, badge, catalog, sql

pytestmark = pytest.mark.anyio

START = at("2026-01-12T06:00")
SECOND, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)


def rules(least: int = 1, **more: Any) -> Catalog:
    return catalog(
        metrics={"m": {"kind": "sum", "events": ["m"]}}, badges=[badge("first", 5, metric="m", at_least=least)], **more
    )


def reads(laurels: Laurels, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The users whose whole history is loaded from now on, once for each time."""
    loaded, store = list[str](), type(laurels.store)
    load, change = store.load, store.change

    async def loading(self: Any, request: LoadRequest) -> Loaded:
        found = await load(self, request)
        loaded.extend(found.histories)
        return found

    async def changing(self: Any, request: LoadRequest, decide: Decide) -> object:
        def deciding(found: Loaded) -> Changes:
            loaded.extend(found.histories)
            return decide(found)

        return await change(self, request, deciding)

    monkeypatch.setattr(store, "load", loading)
    monkeypatch.setattr(store, "change", changing)
    return loaded


async def send(here: Place, name: str, *instants: datetime, kind: str = "m") -> None:
    """Events that arrive one by one."""
    for number, instant in enumerate(instants):
        await here.send(f"{name}-{number}", kind, instant)


def seconds(since: datetime, count: int = 10) -> list[datetime]:
    return [since + number * SECOND for number in range(count)]


def late_by_a_millisecond(newest: datetime, count: int = 10) -> list[datetime]:
    """Each is a millisecond before the one that arrived before it."""
    return [newest - number * MILLISECOND for number in range(1, count + 1)]


async def ada(here: Place) -> UserRow:
    row = await here.laurels.store.user("ada")
    assert row
    return row


# ---- databases of earlier versions ------------------------------------------------------------


async def as_an_earlier_version_stored(here: Place) -> None:
    """Leave the user without the time of the newest event, and without dates of badges."""
    packed = codec.pack_progress(replace((await ada(here)).progress, newest=UNKNOWN))
    await sql(
        here.laurels.store, "UPDATE users SET earned = NULL, progress = ? WHERE user_id = 'ada' RETURNING 1", packed
    )


async def test_a_user_of_an_earlier_version_is_read_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place(rules(), start=START, database=database) as here:
        await send(here, "before", *seconds(START - 60 * SECOND))
        await as_an_earlier_version_stored(here)
        here.clock.advance(seconds=100)
        found, since = reads(here.laurels, monkeypatch), START + 60 * SECOND
        await send(here, "in-order", *seconds(since))
        assert found == ["ada"]
        await send(here, "late", *late_by_a_millisecond(since + 9 * SECOND))
        assert found == ["ada"]
        row = await ada(here)
        assert row.progress.newest == since + 9 * SECOND
        assert (await here.laurels.explain("ada", "first")).earned_at == START - 60 * SECOND


async def test_a_badge_that_was_granted_in_an_earlier_version_gets_the_date_of_its_grant(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place(rules(1000), start=START, database=database) as here:
        await send(here, "before", *seconds(START - 60 * SECOND))
        await here.adjust("g", "grant", badge="first")
        await as_an_earlier_version_stored(here)
        here.clock.advance(seconds=100)
        found, since = reads(here.laurels, monkeypatch), START + 60 * SECOND
        await send(here, "in-order", *seconds(since))
        await send(here, "late", *late_by_a_millisecond(since + 9 * SECOND))
        assert found == ["ada"]
        assert (await here.laurels.explain("ada", "first")).earned_at == START


async def test_so_does_one_whose_condition_its_events_do_not_meet_any_more(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place(rules(), start=START, database=database) as here:
        await send(here, "before", *seconds(START - 60 * SECOND))
        await here.admin.apply_catalog(rules(1000), "because", "a test")
        await here.laurels.profile("ada")
        await as_an_earlier_version_stored(here)
        here.clock.advance(seconds=100)
        found, since = reads(here.laurels, monkeypatch), START + 60 * SECOND
        await send(here, "in-order", *seconds(since))
        await send(here, "late", *late_by_a_millisecond(since + 9 * SECOND))
        assert found == ["ada"]
        assert (await here.laurels.explain("ada", "first")).earned_at == START - 60 * SECOND
        await check_stored(here.laurels)
