"""The schema on PostgreSQL: migrations, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from laurels.errors import MigrationError, SettingsError, StoreUnavailable
from laurels.storage.contract import CONNECTIONS, SCHEMA, AppliedMigration
from laurels.storage.migrate import Recorded, check_ready, load_migrations, pending, recorded
from laurels.storage.postgres.connections import Connections
from laurels.storage.postgres.pool import LONG_STATEMENT_SECONDS, WRITE_SECONDS, Connection, no_tables

MIGRATING = -1
LOCK_MIGRATIONS = "SELECT pg_advisory_xact_lock($1, $2)"
RIGHTS = """
SELECT quote_ident(current_user), (
    SELECT has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1
)
"""
"""The role, and whether it may create tables in the schema: null without the schema."""

CREATE_SCHEMA = 'CREATE SCHEMA "%s"'
FOREIGN_TABLE = """
SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p') ORDER BY relname LIMIT 1
"""
CREATE_MIGRATIONS = 'CREATE TABLE migrations (name TEXT COLLATE "C" NOT NULL PRIMARY KEY, checksum TEXT NOT NULL)'
"""As in the first version; migrations add its other columns."""

HAS_MIGRATIONS = """
SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('migrations') AND attname = 'checksum' AND NOT attisdropped
"""
"""Other programs have a table of this name, too, but without checksums."""

MIGRATIONS = "SELECT name, checksum, to_jsonb(m) ->> 'mark' FROM migrations AS m"
"""The mark is null as long as there is no such column; `SELECT *` would fail in a connection that prepared it before."""

ADD_MIGRATION = "INSERT INTO migrations (name, checksum, mark) VALUES ($1, $2, $3)"


class Schema(Connections):
    """Migrating the database, and checking whether this version can work with it."""

    engine = "PostgreSQL"

    def __init__(
        self, address: str, connections: int = CONNECTIONS, patience: float = WRITE_SECONDS, schema: str = SCHEMA
    ) -> None:
        self._migrations = load_migrations("laurels.storage.postgres")
        super().__init__(address, connections, patience, schema)

    async def migrate(self) -> Sequence[AppliedMigration]:
        return await self._pool.run(self._migrate, self._patience)

    async def _migrate(self, connection: Connection) -> Sequence[AppliedMigration]:
        async with connection.transaction():
            await connection.execute(LOCK_MIGRATIONS, self._locks.users, MIGRATING, timeout=LONG_STATEMENT_SECONDS)
            if await connection.fetchval(HAS_MIGRATIONS) is None:
                await self._begin(connection)
            missing = pending(self._migrations, await _applied(connection))
            for migration in missing:
                await connection.execute(migration.sql, timeout=LONG_STATEMENT_SECONDS)
            for migration in missing:  # after all of them ran, for a later one adds the column of the marks
                await connection.execute(ADD_MIGRATION, migration.name, migration.checksum, migration.mark)
        return [migration.applied for migration in missing]

    async def _begin(self, connection: Connection) -> None:
        """Create the table of migrations, and its schema unless an administrator has. Raises what is wrong with the schema."""
        role, may_use = await connection.fetchrow(RIGHTS, self._schema)
        if may_use is None:  # checked first: even IF NOT EXISTS needs the right to create a schema
            try:
                await connection.execute(CREATE_SCHEMA % self._schema)
            except asyncpg.InsufficientPrivilegeError as error:
                fix = f'CREATE SCHEMA "{self._schema}" AUTHORIZATION {role}'
                raise StoreUnavailable(self._forbidden(role, "create", fix)) from error
        elif not may_use:
            fix = f'GRANT USAGE, CREATE ON SCHEMA "{self._schema}" TO {role}'
            raise StoreUnavailable(self._forbidden(role, "create tables in", fix))
        if name := await connection.fetchval(FOREIGN_TABLE, self._schema):
            raise SettingsError(
                f"the PostgreSQL schema '{self._schema}' has tables of another program, such as '{name}'; "
                "set 'database.schema' to one for Laurels alone"
            )
        await connection.execute(CREATE_MIGRATIONS)

    def _forbidden(self, role: str, what: str, fix: str) -> str:
        return (
            f"the role {role} may not {what} the PostgreSQL schema '{self._schema}'; let an administrator run "
            f"'{fix}', or set 'database.schema'"
        )

    async def ready(self) -> str:
        async def check(connection: Connection) -> str:
            if await connection.fetchval(HAS_MIGRATIONS) is None:
                raise MigrationError(no_tables(self._schema))
            check_ready(self._migrations, await _applied(connection))
            version = connection.get_server_version()
            return f"{self.engine} {version.major}.{version.minor}"

        return await self._pool.run(check)


async def _applied(connection: Connection) -> dict[str, Recorded]:
    return recorded(await connection.fetch(MIGRATIONS))
