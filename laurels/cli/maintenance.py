"""The record of maintenance in the database: the last backup, the last verify."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from laurels.cli.output import note
from laurels.errors import LaurelsError
from laurels.service.clock import utc_now
from laurels.service.opening import existing
from laurels.settings import Settings
from laurels.storage.contract import MaintenanceRun


def save_maintenance_run(settings: Settings, task: Literal["backup", "verify"], outcome: Mapping[str, Any]) -> None:
    """Store that this was done now. If the database cannot be written, the task is done nevertheless, and a note says so."""

    async def write() -> None:
        async with existing(settings.database) as store:
            await store.save_maintenance_run(MaintenanceRun(task, utc_now(), outcome))

    try:
        asyncio.run(write())
    except LaurelsError as error:
        note(f"It is not stored in the database that this was done: {error}")
