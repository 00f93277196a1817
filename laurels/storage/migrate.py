"""Migrations: numbered .sql files, each run once, in order, with a checksum and a mark.

The first line of a file is its mark: `-- pre` if processes of older versions may continue while it runs and afterwards,
`-- post` if all of them must have stopped. The mark is stored with the migration, so that an older process knows
whether to continue when it finds an unknown one. Files without a mark are older than marks, and their checksums do not allow
to add one: they count as `post`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from laurels.errors import MigrationError
from laurels.storage.contract import AppliedMigration, Mark

_MARK = re.compile(r"-- (pre|post)\b")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. `name` is the file's name without its extension; `checksum` is that of its text."""

    name: str
    sql: str
    checksum: str
    mark: Mark = "post"

    @property
    def applied(self) -> AppliedMigration:
        """What is reported after it has run."""
        return AppliedMigration(self.name, self.mark)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a database has recorded about a migration."""

    checksum: str
    mark: Mark = "post"


def load_migrations(package: str) -> list[Migration]:
    """The migrations of an engine, in order. `package` has them in its folder 'migrations'."""
    folder = resources.files(package).joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [migration(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]


def migration(name: str, sql: str) -> Migration:
    """A migration with the mark on its first line."""
    mark = _MARK.match(sql)
    of_file: Mark = "pre" if mark and mark[1] == "pre" else "post"
    return Migration(name, sql, hashlib.sha256(sql.encode()).hexdigest(), of_file)


def recorded(rows: Iterable[Sequence[Any]]) -> dict[str, Recorded]:
    """The migrations that ran, by name, from (name, checksum) and the mark, if the database has marks already."""
    return {name: Recorded(checksum, "pre" if "pre" in mark else "post") for name, checksum, *mark in rows}


def pending(known: Sequence[Migration], applied: Mapping[str, Recorded]) -> list[Migration]:
    """The migrations still to run, given those that ran.

    Raises MigrationError for an unknown one that does not let older versions continue, and for one whose text differs.
    """
    names = {one.name for one in known}
    unsafe = sorted(name for name, one in applied.items() if name not in names and one.mark != "pre")
    if unsafe:
        raise MigrationError(
            f"the database has the migration '{unsafe[0]}', which this version does not know and cannot work with; "
            "use a newer version"
        )
    for one in known:
        if one.name in applied and applied[one.name].checksum != one.checksum:
            raise MigrationError(
                f"the migration '{one.name}' ran on this database with another text than this version's"
            )
    return [one for one in known if one.name not in applied]


def check_ready(known: Sequence[Migration], applied: Mapping[str, Recorded]) -> None:
    """Raise MigrationError unless this version can work with the schema."""
    if missing := pending(known, applied):
        raise MigrationError(f"the migration '{missing[0].name}' has not run; run 'laurels migrate'")
