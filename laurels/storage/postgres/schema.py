"""The schema on PostgreSQL: migrations, in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from laurels.errors import MigrationError
from laurels.storage.contract import CONNECTIONS, AppliedMigration
from laurels.storage.migrate import Recorded, check_ready, load_migrations, pending, recorded
from laurels.storage.postgres.connections import LOCK_SPACE, Connections
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, SCHEMA, WRITE_SECONDS, Connection

MIGRATING = -1
LOCK_MIGRATIONS = "SELECT pg_advisory_xact_lock($1, $2)"
HAS_SCHEMA = "SELECT to_regnamespace($1) IS NOT NULL"
CREATE_SCHEMA = f"CREATE SCHEMA {SCHEMA}"
CREATE_MIGRATIONS = (
    'CREATE TABLE IF NOT EXISTS migrations (name TEXT COLLATE "C" NOT NULL PRIMARY KEY, checksum TEXT NOT NULL)'
)
"""As in the first version; migrations add its other columns."""

HAS_MIGRATIONS = "SELECT to_regclass('migrations')"
MIGRATIONS = "SELECT name, checksum, to_jsonb(m) ->> 'mark' FROM migrations AS m"
"""The mark is null as long as there is no such column; `SELECT *` would fail in a connection that prepared it before."""

ADD_MIGRATION = "INSERT INTO migrations (name, checksum, mark) VALUES ($1, $2, $3)"
ADD_SECRET = "INSERT INTO secrets (name, value) VALUES ('tombstones', $1) ON CONFLICT (name) DO NOTHING"


class Schema(Connections):
    """Migrating the database, and checking whether this version can work with it."""

    engine = "PostgreSQL"

    def __init__(self, address: str, connections: int = CONNECTIONS, patience: float = WRITE_SECONDS) -> None:
        self._migrations = load_migrations("laurels.storage.postgres")
        super().__init__(address, connections, patience)

    async def migrate(self) -> Sequence[AppliedMigration]:
        return await self._pool.run(self._migrate, self._patience)

    async def _migrate(self, connection: Connection) -> Sequence[AppliedMigration]:
        async with connection.transaction():
            await connection.execute(LOCK_MIGRATIONS, LOCK_SPACE, MIGRATING, timeout=LONG_STATEMENT_SECONDS)
            # Checked first: even IF NOT EXISTS needs the right to create a schema.
            if not await connection.fetchval(HAS_SCHEMA, SCHEMA):
                await connection.execute(CREATE_SCHEMA)
            await connection.execute(CREATE_MIGRATIONS)
            missing = pending(self._migrations, await _applied(connection))
            for migration in missing:
                await connection.execute(migration.sql, timeout=LONG_STATEMENT_SECONDS)
            for migration in missing:  # after all of them ran, for a later one adds the column of the marks
                await connection.execute(ADD_MIGRATION, migration.name, migration.checksum, migration.mark)
            await connection.execute(ADD_SECRET, secrets.token_bytes(32))
        return [migration.applied for migration in missing]

    async def ready(self) -> str:
        async def check(connection: Connection) -> str:
            if await connection.fetchval(HAS_MIGRATIONS) is None:
                raise MigrationError("the database is empty; run 'laurels migrate'")
            check_ready(self._migrations, await _applied(connection))
            version = connection.get_server_version()
            return f"{self.engine} {version.major}.{version.minor}"

        return await self._pool.run(check)


async def _applied(connection: Connection) -> dict[str, Recorded]:
    return recorded(await connection.fetch(MIGRATIONS))
