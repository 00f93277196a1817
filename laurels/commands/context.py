"""DecisionContext: what the decisions of a transaction depend on besides its rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from laurels.engine.catalog import Catalog
from laurels.storage.contract import UNBOUND, RevisionKey


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What every decision of a transaction depends on besides its rows: the catalog in force, and settings.

    `revision` is the key of the catalog's revision. `must_bind`: it must be stored before a user is. `announced` are the rules
    whose users are notified of what they get or lose when they are brought under the catalog; None: those of all rules.
    """

    catalog: Catalog
    default_zone: str = "UTC"
    late_window: timedelta | None = timedelta(days=30)
    revision: RevisionKey = UNBOUND
    must_bind: bool = False
    announced: Collection[str] | None = None

    @property
    def number(self) -> int | None:
        """The number of the catalog's revision, for awards and ledger entries; None if there is none."""
        return self.revision[0] or None

    def is_silent_for(self, rules: str) -> bool:
        """Whether bringing a user from these rules under the catalog notifies of nothing."""
        return self.announced is not None and rules not in self.announced
