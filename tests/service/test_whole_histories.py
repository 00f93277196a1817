"""How often recording events reads the whole history of a user: never in order, and not again and again out of order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.instants import micros
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


# ---- caps per day -----------------------------------------------------------------------------


def capped(cap: int = 5, **more: Any) -> Catalog:
    """Messages pay up to a cap; likes always pay."""
    return catalog(
        points=[
            {"id": "m", "events": ["m"], "amount": 1, "cap_per_day": cap, **more},
            {"id": "like", "events": ["like"], "amount": 1},
        ],
    )


async def test_a_late_event_after_a_cap_was_reached_reads_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place(capped(), start=START + 100 * SECOND, database=database) as here:
        found = reads(here.laurels, monkeypatch)
        await send(here, "in-order", *seconds(START, 20))
        await send(here, "like", *seconds(START + 19 * SECOND), kind="like")
        assert found == []
        assert (await ada(here)).progress.cap_reached == {"m": micros(START + 4 * SECOND)}
        newest = START + 28 * SECOND
        await send(here, "late", *late_by_a_millisecond(newest))
        await send(here, "late-like", *late_by_a_millisecond(newest), kind="like")
        await send(here, "at-the-cap", START + 4 * SECOND)
        assert found == []
        await send(here, "before", START + 4 * SECOND - MILLISECOND)
        assert found == ["ada"]
        assert (await ada(here)).progress.cap_reached == {"m": micros(START + 4 * SECOND - MILLISECOND)}
        await check_stored(here.laurels)


async def test_late_events_that_use_up_a_cap_read_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place(capped(), start=START + 100 * SECOND, database=database) as here:
        await send(here, "in-order", *seconds(START, 3))
        found = reads(here.laurels, monkeypatch)
        await send(here, "late", *late_by_a_millisecond(START + 2 * SECOND, 2))
        assert found == ["ada"]  # the second one uses it up
        assert (await ada(here)).progress.cap_reached == {"m": micros(START + 2 * SECOND)}
        await send(here, "in-order-again", *seconds(START + 10 * SECOND))
        await send(here, "late-again", *late_by_a_millisecond(START + 19 * SECOND))
        assert found == ["ada"]
        await here.admin.reverse("ada", "in-order-0", "a mistake", "a test")
        assert (await ada(here)).progress.cap_reached == {"m": micros(START + 10 * SECOND)}
        await check_stored(here.laurels)


async def test_when_an_earlier_version_reached_a_cap_is_read_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place(capped(), start=START + 100 * SECOND, database=database) as here:
        await send(here, "before", *seconds(START))
        packed = codec.pack_progress(replace((await ada(here)).progress, newest=UNKNOWN, cap_reached={}))
        await sql(here.laurels.store, "UPDATE users SET progress = ? WHERE user_id = 'ada' RETURNING 1", packed)
        await check_stored(here.laurels)
        assert not await here.admin.rebuild("ada")
        found = reads(here.laurels, monkeypatch)
        await send(here, "in-order", *seconds(START + 20 * SECOND))
        await send(here, "late", *late_by_a_millisecond(START + 29 * SECOND))
        assert found == ["ada"]
        assert (await ada(here)).progress.cap_reached == {"m": micros(START + 4 * SECOND)}


async def test_a_cap_of_another_catalog_is_reached_at_another_time(database: str) -> None:
    async with place(capped(), start=START + 100 * SECOND, database=database) as here:
        await send(here, "e", *seconds(START))
        for cap, last in ((7, {"m": micros(START + 6 * SECOND)}), (50, {})):
            await here.admin.apply_catalog(capped(cap, past="recompute"), "because", "a test")
            await here.laurels.profile("ada")
            assert (await ada(here)).progress.cap_reached == last
            await check_stored(here.laurels)
