"""`laurels retention run`: remove what is older than the settings keep it, as servers do once a day."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from laurels.cli import OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note
from laurels.service.clock import DatabaseClock, utc_now
from laurels.service.opening import command_line, existing
from laurels.service.retention import Retention
from laurels.settings import Settings
from laurels.storage.contract import Source


def run(*, database: Database = None, json: Json = False) -> int:
    """Remove expired sessions, notifications and rows of the audit that are older than the settings in [retention] keep them.

    Servers do so once a day; this is for databases without a server. It deletes in small parts, and servers may run meanwhile.
    If it is stopped, the next run goes on. 'laurels doctor' shows how much would be removed.
    """
    removed = asyncio.run(_run(settings_of(database=database)))
    if json:
        emit(removed)
    else:
        note(f"Removed {summary(removed)}.")
    return OK


def summary(rows: Mapping[str, int]) -> str:
    """As in 'expired sessions: 12, notifications: 0'."""
    return ", ".join(f"{what}: {number:,}" for what, number in rows.items()) or "nothing: the settings keep everything"


async def _run(settings: Settings) -> Mapping[str, int]:
    async with existing(settings.database) as store:
        now = DatabaseClock(store, utc_now).now
        return await Retention(store, settings.retention, now, Source(command_line())).run()
