"""Retention: removing what is older than the settings keep it, in parts, by one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from laurels.service.audit import audit_row
from laurels.settings import RetentionSettings
from laurels.storage.contract import MaintenanceRun, OldRows, RetainedTable, RowKey, Source, Store
from laurels.storage.contract.retention import REMOVED_TOGETHER
from laurels.storage.retention import first_key

TASK = "retention"
EVERY = timedelta(days=1)
"""How long after a run the next one begins."""

LEASE = timedelta(minutes=10)
"""How long a run may be silent until another process goes on with what is left: the one that began it has ended."""

RENEWED = timedelta(minutes=1)
"""How often a run says that it goes on."""

RUNNING: Mapping[str, object] = {"running": True}
"""The outcome of a run that has not ended."""

CLOCKS_APART = timedelta(hours=1)
"""How far the clocks of two processes may be apart."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What is removed: the rows of these tables that are not newer than `before`. `what` is their name for people."""

    what: str
    tables: tuple[RetainedTable, ...]
    before: datetime


def limits_of(settings: RetentionSettings, now: datetime) -> list[Limit]:
    """What the settings remove at this time."""
    kept: list[tuple[str, tuple[RetainedTable, ...], int]] = [
        ("expired sessions", ("sessions", "operator_sessions"), settings.expired_session_days),
        ("notifications", ("outbox",), settings.notification_days),
        ("audit", ("audit",), settings.audit_days),
    ]
    return [Limit(what, tables, now - timedelta(days=days)) for what, tables, days in kept if days]


async def count_old(store: Store, settings: RetentionSettings, now: datetime) -> Mapping[str, int]:
    """How many rows a run would remove now, by what they are."""
    return {
        limit.what: sum([await store.count_old_rows(table, limit.before) for table in limit.tables])
        for limit in limits_of(settings, now)
    }


class _Claim:
    """The right to run, which one process has: the time that it last stored."""

    def __init__(self, store: Store, stored_at: datetime | None) -> None:
        """`stored_at`: the time of the run that it takes the place of; None: there was none."""
        self._store = store
        self._stored_at = stored_at

    async def renew(self, now: datetime, outcome: Mapping[str, object]) -> bool:
        """Store that the run goes on, or its outcome. Returns whether this process still has the right."""
        run = MaintenanceRun(TASK, now, outcome)
        stored_at, self._stored_at = self._stored_at, now
        return await self._store.replace_maintenance_run(run, stored_at)

    async def keep(self, now: datetime) -> bool:
        """The same while it runs, once a minute at most."""
        silent = None if self._stored_at is None else now - self._stored_at
        return (silent is not None and silent < RENEWED) or await self.renew(now, RUNNING)


class Retention:
    """Removes old rows of one database."""

    def __init__(
        self, store: Store, settings: RetentionSettings, now: Callable[[], Awaitable[datetime]], source: Source
    ) -> None:
        """`source` is who the audit says removed rows of it."""
        self._store = store
        self._settings = settings
        self._now = now
        self._source = source

    async def run_if_due(self) -> bool:
        """Run, unless a process did so within a day or does so now. Returns whether this call ran to the end."""
        now = await self._now()
        if not limits_of(self._settings, now):
            return False
        last = next((run for run in await self._store.maintenance_runs() if run.task == TASK), None)
        if last and -CLOCKS_APART < now - last.at < (LEASE if last.outcome == RUNNING else EVERY):
            return False
        claim = _Claim(self._store, last.at if last else None)
        if not await claim.renew(now, RUNNING):
            return False
        removed = await self._remove_old(claim)
        return removed is not None and await claim.renew(await self._now(), removed)

    async def run(self) -> Mapping[str, int]:
        """Remove what is old now, also while another process does. Returns how many rows this removed, by what they were."""
        removed = await self._remove_old(None) or {}
        await self._store.save_maintenance_run(MaintenanceRun(TASK, await self._now(), removed))
        return removed

    async def _remove_old(self, claim: _Claim | None) -> Mapping[str, int] | None:
        """How many rows were removed; None if another process has taken over."""
        now = await self._now()
        removed: dict[str, int] = {}
        for limit in limits_of(self._settings, now):
            removed[limit.what] = 0
            audit = audit_row(self._source, now, "audit.removed", until=limit.before.isoformat())
            for table in limit.tables:
                async for keys in self._old_rows(table, limit.before):
                    if claim and not await claim.keep(await self._now()):
                        return None
                    in_audit = audit if table == "audit" else None
                    removed[limit.what] += await self._store.remove_rows(table, keys, limit.before, in_audit)
        if any(removed.values()):
            await self._store.clean_files()
        return removed

    async def _old_rows(self, table: RetainedTable, before: datetime) -> AsyncIterator[Sequence[RowKey]]:
        """The keys of old rows, some at a time. After each part it waits as long as that took, so that others can write."""
        page = OldRows((), first_key(table))
        while page.last is not None:
            page = await self._store.old_rows(table, before, page.last)
            for first in range(0, len(page.keys), REMOVED_TOGETHER):
                began = monotonic()
                yield page.keys[first : first + REMOVED_TOGETHER]
                await asyncio.sleep(monotonic() - began)
