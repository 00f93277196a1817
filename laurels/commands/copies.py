"""The copies of limited badges in one transaction, as its commands change users."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from laurels.engine.catalog import Catalog
from laurels.engine.progress import Progress
from laurels.engine.supply import Copies
from laurels.storage.contract import Loaded, UserRow


class UserCopies:
    """Follows which limited badges the users of a transaction have, from what was loaded to what is to be written."""

    def __init__(self, catalog: Catalog, found: Loaded) -> None:
        self._catalog = catalog
        self._copies = Copies(catalog.limited, found.supplies) if catalog.limited else None

    def none_left(self, progress: Progress) -> Collection[str]:
        """The limited badges of which no copy is left for a user with this progress, under current names."""
        return self._copies.none_left(progress.badges) if self._copies else ()

    def change(self, before: UserRow | None, after: Iterable[str]) -> None:
        """Take and free copies for a user who was this row, perhaps under earlier names, and has these badges now."""
        if self._copies:
            held = before.progress.badges if before else ()
            self._copies.move({self._catalog.renames.badge(badge) for badge in held}, after)

    @property
    def changes(self) -> Mapping[str, tuple[int, int]]:
        """See `Copies.changes`."""
        return self._copies.changes if self._copies else {}

    @property
    def taken(self) -> Mapping[str, int]:
        """See `Copies.taken`."""
        return self._copies.taken if self._copies else {}
