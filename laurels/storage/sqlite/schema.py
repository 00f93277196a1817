"""The schema on SQLite: migrations, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from laurels.errors import MigrationError, StoreError
from laurels.storage.columns import TABLES
from laurels.storage.contract import AppliedMigration
from laurels.storage.migrate import Recorded, check_ready, load_migrations, pending, recorded
from laurels.storage.sqlite.connections import Connections, translated
from laurels.storage.sqlite.driver import Connection, is_complete, version

CREATE_MIGRATIONS = "CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL)"
"""As in the first version; migrations add its other columns."""

HAS_MIGRATIONS = "SELECT 1 FROM sqlite_schema WHERE name = 'migrations'"
MIGRATIONS = "SELECT * FROM migrations"
ADD_MIGRATION = "INSERT INTO migrations (name, checksum, mark) VALUES (?, ?, ?)"
NOT_TABLES = f"""
SELECT name, type FROM sqlite_schema
WHERE lower(name) IN ({", ".join(f"'{name}'" for name in (*TABLES, "operator_sessions", "tallies", "migrations"))})
    AND (type <> 'table' OR sql LIKE 'CREATE VIRTUAL%')
"""
COMPUTED = """
SELECT s.name || '.' || c.name, 'computed column' FROM sqlite_schema s JOIN pragma_table_xinfo(s.name) c
WHERE s.type = 'table' AND c.hidden <> 0
"""


class Schema(Connections):
    """Migrating the database, and checking whether this version can work with it."""

    engine = "SQLite"

    def __init__(self, path: Path | None) -> None:
        self._migrations = load_migrations("laurels.storage.sqlite")
        super().__init__(path)

    async def migrate(self) -> Sequence[AppliedMigration]:
        return await self._in_transaction(self._migrate)

    def _migrate(self, connection: Connection) -> Sequence[AppliedMigration]:
        _check_tables(connection)
        connection.execute(CREATE_MIGRATIONS)
        missing = pending(self._migrations, _applied(connection))
        for migration in missing:
            for statement in statements(migration.sql):
                connection.execute(statement)
        connection.executemany(
            ADD_MIGRATION, [(migration.name, migration.checksum, migration.mark) for migration in missing]
        )
        return [migration.applied for migration in missing]

    async def ready(self) -> str:
        with translated:
            _check_tables(self._reader)
            if not self._reader.execute(HAS_MIGRATIONS).fetchone():
                raise MigrationError("the database is empty; run 'laurels migrate'")
            applied = _applied(self._reader)
        check_ready(self._migrations, applied)
        return f"{self.engine} {version()}"


def _check_tables(connection: Connection) -> None:
    """Raise StoreError unless tables are tables: a view could hang its reader, or show other rows each time."""
    for name, kind in [*connection.execute(NOT_TABLES), *connection.execute(COMPUTED)]:
        raise StoreError(f"'{name}' in this file is a {kind}, not a table of Laurels; use a backup that you trust")


def _applied(connection: Connection) -> dict[str, Recorded]:
    return recorded(connection.execute(MIGRATIONS))


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if is_complete(statement):
            yield statement
            statement = ""
    if any(line.strip() and not line.strip().startswith("--") for line in statement.splitlines()):
        raise MigrationError("a migration ends in the middle of a statement")
