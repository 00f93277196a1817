"""How many copies of badges with a limited supply are taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from laurels.storage.contract.catalogs import RevisionKey


class Supplies(Protocol):
    """Reading and counting copies. Transactions that award or revoke such badges write them; see `Changes.copies`.

    They are counted from the awards when a catalog is put in force, so that all of its limited badges are there under it.
    """

    async def supplies(self) -> Mapping[str, int]:
        """How many copies of each limited badge are taken."""
        ...

    async def counted_supplies(self, ids: Mapping[str, str]) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """What `supplies` returns, and the number of users with an award of each badge, from one snapshot.

        `ids` gives the current id of each id that is counted. Badges that no one has are left out of the second.
        """
        ...

    async def count_supplies(self, ids: Mapping[str, str], key: RevisionKey) -> None:
        """Store what the awards say, for the limited badges of the catalog with this key and no others; `ids` are as above.

        Others may write meanwhile. Raises OtherRevision if another catalog is in force.
        """
        ...
