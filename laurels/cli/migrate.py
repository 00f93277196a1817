"""`laurels migrate`: bring the database's schema up to date."""

from __future__ import annotations

import asyncio

from laurels.cli import OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note
from laurels.storage import open_store


def migrate(*, database: Database = None, json: Json = False) -> int:
    """Bring the schema up to date, making the database where it is missing. `laurels serve` does it by itself."""
    ran = asyncio.run(_migrate(settings_of(database=database).database))
    if json:
        emit({"ran": ran})
    for name in ran:
        note(f"ran {name}")
    if not ran:
        note("The schema is up to date.")
    return OK


async def _migrate(database: str) -> list[str]:
    store = open_store(database)
    try:
        return await store.migrate()
    finally:
        await store.close()
