"""The revisions of the catalog: the newest one is in force for every process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from laurels.engine.succession import NOTHING_IN_USE, Ids, InUse
from laurels.engine.values import plain
from laurels.storage.contract.audit import AuditRow
from laurels.storage.contract.closings import ClosedPeriodRow
from laurels.storage.contract.principals import Principal

RevisionKey = tuple[int, str]
"""The number of a revision and the digest of its text, which differs when revision 1 was replaced."""

UNBOUND: RevisionKey = (0, "")
"""The key of a database without a revision."""


class OtherRevision(Exception):  # noqa: N818
    """Another revision of the catalog is in force than the given one. Nothing was written; begin again under it."""


@plain
class CatalogRow:
    """A revision of the catalog, numbered from 1.

    `text` is its TOML, `digest` that text's digest, and `rules` the fingerprint of everything in it that decides. `applied_by`
    is what the principal said about who did it; `principal` is None if an earlier version applied it.

    `silent`: users are not notified of what they get or lose by it. `filled` is how many users were brought under it so far,
    because it was applied with a plan (None: it was not), and `filled_at` when all of them were. `past` is the TOML of the
    earlier versions of its point rules, see `engine/rule_versions.py`; '' without any.
    """

    number: int
    text: str
    digest: str
    rules: str
    applied_at: datetime
    applied_by: str
    reason: str
    principal: Principal | None = None
    silent: bool = False
    filled: int | None = None
    filled_at: datetime | None = None
    past: str = ""

    @property
    def is_to_be_filled(self) -> bool:
        """Whether users are still to be brought under it because it was applied with a plan."""
        return self.filled is not None and self.filled_at is None

    @property
    def key(self) -> RevisionKey:
        """What tells it from every other revision."""
        return self.number, self.digest


@plain
class CatalogState:
    """What decides about the next revision.

    newest    the revision in force; None if there is none yet
    is_used   whether any user exists, or existed and was erased
    in_use    what is stored under the ids that were asked about; read only where a catalog follows another
    judged_by the fingerprint of the rules under which users were last judged, if there is no revision: that of all users,
              or else that of the user with the newest event; None without a user
    periods   every (leaderboard, period) with a standing, except those closed and notified; read only where a catalog follows
    closings  the closed periods; read only where a catalog follows
    """

    newest: CatalogRow | None
    is_used: bool
    judged_by: str | None = None
    in_use: InUse = NOTHING_IN_USE
    periods: Sequence[tuple[str, str]] = ()
    closings: Sequence[ClosedPeriodRow] = ()


@plain
class CatalogChange:
    """A revision to store, which replaces the one with its number, and the periods to close before it is in force."""

    revision: CatalogRow
    closed: Sequence[ClosedPeriodRow] = ()


AuditOf = Callable[[CatalogRow], AuditRow]
"""The row of the audit for a revision that is stored."""

DecideCatalog = Callable[[CatalogState], CatalogChange | None]
"""A pure function: the change to store, or None to change nothing."""

AskAboutIds = Callable[[CatalogRow], Ids]
"""A pure function: the ids of which it must be known whether they are in use, given the revision in force."""


class Catalogs(Protocol):
    """Reading and changing the revisions of the catalog."""

    async def catalog_key(self) -> RevisionKey:
        """The key of the revision in force; UNBOUND if there is none."""
        ...

    async def catalog_state(self, ask: AskAboutIds | None = None) -> CatalogState:
        """What decides about the next revision, from one snapshot.

        With `ask`, also what is read only where a catalog follows another, as in `change_catalog`.
        """
        ...

    async def catalog_revisions(self) -> Sequence[CatalogRow]:
        """All revisions, oldest first."""
        ...

    async def note_filled(self, revision: RevisionKey, users: int, at: datetime | None = None) -> None:
        """Store how many users were brought under a revision, and when all of them were; not if all of them were before.

        Nothing is stored if there is no such revision, or it was applied without a plan.
        """
        ...

    async def change_catalog(self, decide: DecideCatalog, ask: AskAboutIds, audit_of: AuditOf | None = None) -> None:
        """Load, decide and save in one transaction that is durable when this returns, with a row of the audit.

        `decide` gets what is in use of the ids that `ask` names.

        Every transaction that changes a user has ended when `decide` is called, and the next one begins after this one
        ended: none of them spans two revisions. If `decide` raises, nothing is written and its error is passed on. What is
        stored under an earlier id of a leaderboard is stored under its current one afterwards.
        """
        ...
