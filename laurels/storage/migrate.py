"""Numbered .sql files, each run once, in order, with a checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from laurels.errors import MigrationError


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. `name` is the file's name without its ending; `checksum` is over its text."""

    name: str
    sql: str
    checksum: str


def load_migrations(package: str) -> list[Migration]:
    """The migrations of an engine, in order. `package` is where its .sql files lie."""
    folder = resources.files(package).joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [_migration(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]


def pending(known: list[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """The migrations still to run, given those that ran (name -> checksum).

    Raises MigrationError where one ran that is unknown here, or that differs from ours.
    """
    names = {migration.name for migration in known}
    strangers = sorted(applied.keys() - names)
    if strangers:
        raise MigrationError(
            f"the database has the migration '{strangers[0]}', which this version does not know; use a newer one"
        )
    for migration in known:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"the migration '{migration.name}' ran on this database with another text than this version's"
            )
    return [migration for migration in known if migration.name not in applied]


def _migration(name: str, sql: str) -> Migration:
    return Migration(name, sql, hashlib.sha256(sql.encode()).hexdigest())
