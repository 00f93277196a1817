"""Retention: what is older than the settings keep it goes, in parts, once among several processes, and through kills."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from laurels.service import retention as retention_module
from laurels.service.laurels import Laurels
from laurels.service.retention import EVERY, LEASE, RUNNING, TASK, Retention, count_old
from laurels.settings import RetentionSettings
from laurels.storage.contract import AuditRow, MaintenanceRun, OperatorSessionRow, Principal, Source, Store
from tests.support import LASTING_ENGINES, at, sql
from tests.support.arena import START, Arena, arena

pytestmark = pytest.mark.anyio

NOW = at("2027-06-01T12:00")
OLD, NEW = NOW - timedelta(days=400), NOW - timedelta(days=3)
FIRST = OLD - timedelta(days=1)
SETTINGS = RetentionSettings(expired_session_days=30, notification_days=365, audit_days=365)
SOURCE = Source(Principal("cli", "root"))


def retention(store: Store, settings: RetentionSettings = SETTINGS, now: datetime = NOW) -> Retention:
    async def clock() -> datetime:
        return now

    return Retention(store, settings, clock, SOURCE)


async def filled(store: Store, rows: int = 1) -> None:
    """Old and new rows of every table that retention knows."""
    for number in range(rows):
        for name, when in (("old", OLD), ("new", NEW)):
            token = f"{name}-{number}".encode()
            await store.add_audit(AuditRow(f"{name}-{number}", when, "user.changed", None, "user", "ada"))
            values = ("ada", 1000 * (1 + (name == "new")) + number, 0, micros(when), "x.y", "{}")
            await sql(store, f"INSERT INTO outbox VALUES ({marks(6)})", *values)
            await sql(store, f"INSERT INTO sessions VALUES ({marks(4)})", "ada", token, 0, micros(when))
            await store.add_operator_session(OperatorSessionRow(token, b"key", FIRST, FIRST, when))


def marks(number: int) -> str:
    return ", ".join("?" * number)


def micros(when: datetime) -> int:
    return (when - at("1970-01-01")) // timedelta(microseconds=1)


async def left(store: Store) -> dict[str, int]:
    tables = ("sessions", "operator_sessions", "outbox", "audit")
    return {name: (await sql(store, f"SELECT count(*) FROM {name}"))[0][0] for name in tables}


@pytest.fixture
async def kept(database: str) -> AsyncIterator[Arena]:
    async with arena(database, start=START) as one:
        await one.laurels.update_user("ada")
        yield one


async def test_what_is_older_than_the_settings_keep_it_goes_and_nothing_else(kept: Arena) -> None:
    store = kept.laurels.store
    await filled(store, 3)
    old = {"expired sessions": 6, "notifications": 3, "audit": 3}
    assert await count_old(store, SETTINGS, NOW) == old

    assert await retention(store).run() == old

    assert await left(store) == {"sessions": 3, "operator_sessions": 3, "outbox": 3, "audit": 3 + 1}
    assert await count_old(store, SETTINGS, NOW) == dict.fromkeys(old, 0)
    (run,) = [run for run in await store.maintenance_runs() if run.task == TASK]
    assert (run.at, run.outcome) == (NOW, old)


async def test_removing_rows_of_the_audit_is_a_row_of_the_audit(kept: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "REMOVED_TOGETHER", 2)
    store = kept.laurels.store
    await filled(store, 5)

    await retention(store).run()
    await retention(store).run()

    (row,) = [row for row in await store.audit(100) if row.kind == "audit.removed"]
    assert (row.times, row.principal, row.at) == (5, SOURCE.principal, NOW)
    assert row.detail == {"until": (NOW - timedelta(days=365)).isoformat()}


async def test_zero_days_keep_everything(kept: Arena) -> None:
    store = kept.laurels.store
    await filled(store)
    before = await left(store)
    nothing = RetentionSettings(expired_session_days=0, notification_days=0, audit_days=0)
    assert (await retention(store, nothing).run(), await retention(store, nothing).run_if_due()) == ({}, False)
    assert await left(store) == before


async def test_by_default_only_the_audit_is_kept_for_ever(kept: Arena) -> None:
    await filled(kept.laurels.store)
    assert await retention(kept.laurels.store, RetentionSettings()).run() == {"expired sessions": 2, "notifications": 1}


async def test_one_of_several_processes_runs_once_a_day(kept: Arena) -> None:
    store = kept.laurels.store
    await filled(store)
    assert sorted(await asyncio.gather(*(retention(store).run_if_due() for _ in range(8)))) == [False] * 7 + [True]
    assert not await retention(store, now=NOW + EVERY - timedelta(seconds=1)).run_if_due()
    assert await retention(store, now=NOW + EVERY).run_if_due()


async def test_another_process_goes_on_when_one_has_ended_in_the_middle(kept: Arena) -> None:
    store = kept.laurels.store
    await filled(store)
    await store.save_maintenance_run(MaintenanceRun(TASK, NOW, RUNNING))
    assert not await retention(store, now=NOW + LEASE - timedelta(seconds=1)).run_if_due()
    assert await retention(store, now=NOW + LEASE).run_if_due()
    assert (await left(store))["outbox"] == 1


async def test_a_process_stops_when_another_has_taken_over(kept: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "REMOVED_TOGETHER", 1)
    monkeypatch.setattr(retention_module, "RENEWED", timedelta())
    store = kept.laurels.store
    await filled(store, 3)
    remove = store.remove_rows

    async def overtaken(*values: object) -> int:
        await store.save_maintenance_run(MaintenanceRun(TASK, NOW + timedelta(seconds=1), RUNNING))
        return await remove(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "remove_rows", overtaken)
    assert not await retention(store).run_if_due()
    assert (await left(store))["sessions"] == 5


async def test_a_stream_goes_on_after_its_notifications_were_removed(kept: Arena) -> None:
    laurels = kept.laurels
    await kept.read("ada", 5)
    (newest, _) = (await laurels.notifications({"ada": (0, 0)}))["ada"][-1]
    await retention(laurels.store, now=NOW + timedelta(days=400)).run()
    assert await laurels.newest_notification("ada") == (0, -1) or (await laurels.newest_notification("ada")) < newest
    await kept.read("bob", 50)
    await kept.read("ada", 100)
    assert (await laurels.notifications({"ada": newest}))["ada"]


CHILD = """
import asyncio, sys
from datetime import datetime, timedelta
from laurels.service import retention
from laurels.settings import RetentionSettings
from laurels.storage import open_store
from laurels.storage.contract import Principal, Source

async def main():
    retention.REMOVED_TOGETHER = 10
    store = open_store(sys.argv[1])
    async def now():
        return datetime.fromisoformat(sys.argv[2])
    remove = store.remove_rows
    async def slowly(*values):
        await asyncio.sleep(0.02)
        return await remove(*values)
    store.remove_rows = slowly
    settings = RetentionSettings(expired_session_days=0, notification_days=0, audit_days=365)
    await retention.Retention(store, settings, now, Source(Principal("cli", "root"))).run()

asyncio.run(main())
"""
ROWS = 1500


@pytest.mark.parametrize("engine", LASTING_ENGINES)
async def test_a_kill_between_two_parts_leaves_the_audit_exact(database: str) -> None:
    async with Laurels.open(database) as laurels:
        store = laurels.store
        for number in range(ROWS):
            await sql(
                store,
                f"INSERT INTO audit (audit_id, at, kind, detail, times) VALUES ({marks(5)})",
                *(f"row-{number}", micros(OLD), "user.changed", "{}", 1),
            )
        command = [sys.executable, "-c", CHILD, database, NOW.isoformat()]
        with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as child:  # noqa: ASYNC220  # it is killed
            async with asyncio.timeout(60):
                while not await removed(store):  # noqa: ASYNC110  # it happens in another process
                    await asyncio.sleep(0.05)
            os.kill(child.pid, signal.SIGKILL)
        counted = await removed(store)
        assert 0 < counted < ROWS
        assert (await left(store))["audit"] == ROWS - counted + 1

        await retention(store).run()

        assert await removed(store) == ROWS
        assert (await left(store))["audit"] == 2


async def removed(store: Store) -> int:
    return sum(row.times for row in await store.audit(10_000) if row.kind == "audit.removed")
