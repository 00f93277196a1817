"""The schema of a database: bringing it up to date, and whether this process can work with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from laurels.engine.values import plain

Mark = Literal["pre", "post"]
"""What a migration means for processes of older versions.

pre   they may continue while it runs and afterwards
post  all of them must have stopped before it runs
"""


@plain
class AppliedMigration:
    """A migration that ran."""

    name: str
    mark: Mark


class Schema(Protocol):
    """The life of a database's schema, and of this process's connections to it."""

    @property
    def engine(self) -> str:
        """The name of this kind of database, for people: 'SQLite', 'PostgreSQL'."""
        ...

    async def migrate(self) -> Sequence[AppliedMigration]:
        """Bring the schema up to date. Returns the migrations that ran, in order; none if it was up to date.

        Safe to run from several processes at once. Raises MigrationError if the database has a migration that this version
        does not know and that older versions cannot work with, or one whose text differs from ours.
        """
        ...

    async def ready(self) -> str:
        """The database's kind and version, such as 'SQLite 3.54.1', if it answers and this version can work with its schema.

        Migrations of newer versions that are marked 'pre' do no harm. Otherwise raises StoreUnavailable or MigrationError.
        """
        ...

    async def close(self) -> None:
        """Finish running operations and disconnect. Closing twice is harmless."""
        ...
