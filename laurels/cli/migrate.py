"""`laurels migrate`: create the database, or update its schema."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from laurels.cli import OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note
from laurels.service.opening import store_of
from laurels.settings import DatabaseSettings
from laurels.storage.contract import AppliedMigration

MARKS = {
    "pre": "pre: servers of older versions may continue",
    "post": "post: servers of older versions must be stopped",
}


def migrate(*, database: Database = None, json: Json = False) -> int:
    """Create the database, or update its schema. 'laurels serve' does the same when it starts."""
    ran = asyncio.run(_migrate(settings_of(database=database).database))
    if json:
        emit({"ran": [{"name": migration.name, "mark": migration.mark} for migration in ran]})
    for migration in ran:
        note(f"Applied {migration.name} ({MARKS[migration.mark]}).")
    if not ran:
        note("The schema is up to date.")
    return OK


async def _migrate(database: DatabaseSettings) -> Sequence[AppliedMigration]:
    store = store_of(database)
    try:
        return await store.migrate()
    finally:
        await store.close()
