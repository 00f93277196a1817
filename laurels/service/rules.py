"""Rules: the catalog in force. It belongs to the database, and every process follows the newest revision there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from laurels.commands.context import DecisionContext
from laurels.engine.catalog import Catalog
from laurels.errors import CatalogDiffers, CatalogError
from laurels.service.clock import DatabaseClock
from laurels.service.closed_periods import after_closings, closed_before
from laurels.service.revisions import (
    ADOPT,
    Proposal,
    announced_rules,
    at_stake,
    default_for,
    difference,
    foreign_users,
    is_adoptable,
    named,
    next_revision,
    parsed,
    parsed_or_none,
    refused,
)
from laurels.storage.contract import (
    UNBOUND,
    AuditOf,
    CatalogChange,
    CatalogRow,
    CatalogState,
    Principal,
    RevisionKey,
    Store,
)

log = logging.getLogger(__name__)

OnDifference = Literal["raise", "follow", "apply"]
"""What to do when the given catalog is not the database's: raise CatalogDiffers, use the database's, or put it in force."""

LAURELS = "laurels"
ITSELF = Principal("library", LAURELS)
"""Who applied a revision that no one asked for by name."""

_UNREAD: RevisionKey = (-1, "")


@dataclass(frozen=True, slots=True)
class InForce:
    """A catalog, and the key of the revision that the database has with it.

    `must_bind`: the revision does not have this catalog yet, which is stored before the first user is. `announced`: see
    `DecisionContext`.
    """

    catalog: Catalog
    revision: RevisionKey
    must_bind: bool = False
    announced: frozenset[str] | None = None

    def context(self, default_zone: str, late_window: timedelta | None) -> DecisionContext:
        """The context of decisions under it."""
        bound = (self.revision, self.must_bind, self.announced)
        return DecisionContext(self.catalog, default_zone, late_window, *bound)


class Rules:
    """Holds the catalog in force.

    A transaction or an answer reads `in_force` once, when it begins, and works under that catalog until it ends. A transaction
    that finds another revision in the database than that catalog's writes nothing: it begins again under the newest one.
    """

    def __init__(self, store: Store, clock: DatabaseClock, given: Catalog | None, on_difference: OnDifference) -> None:
        """Nothing is read yet. `given` is the catalog of this process (None: the database's, or the default one)."""
        self._store = store
        self._clock = clock
        self._given = given
        self.on_difference: OnDifference = on_difference
        self._asked_to_apply = on_difference == "apply"  # by the program, and not because the database is a sandbox
        self._refusal = ""
        self._in_force = InForce(given or Catalog.default(), _UNREAD)
        self._has_bound = False  # whether the database's catalog was in force here: from then on it is followed
        self._lock = asyncio.Lock()
        self.difference = ""
        """How the given catalog differs from the one in force; '' if it does not."""

    @property
    def in_force(self) -> InForce:
        """The catalog in force, with its revision."""
        return self._in_force

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self._in_force.catalog

    @property
    def number(self) -> int | None:
        """The number of the revision in force; None before the first user, or before anything was read."""
        number, bound = self._in_force.revision[0], not self._in_force.must_bind
        return number if number > 0 and bound else None

    async def follow(self, found: RevisionKey | None = None) -> None:
        """Put the database's newest revision in force, if another one is. `found` is the key that was just read there.

        Raises CatalogDiffers, and CatalogError if this version cannot read the revision.
        """
        if found is None:
            found = await self._store.catalog_key()
        if not self.is_current(found):
            async with self._lock:
                if not self.is_current(found):
                    await self._read()

    def is_current(self, found: RevisionKey) -> bool:
        """Whether a revision that was just read is the one in force here.

        One that is to be replaced before the first user never is: that user may exist meanwhile.
        """
        held = self._in_force
        return found == held.revision and not (held.must_bind and found != UNBOUND)

    async def bind(self) -> None:
        """Store the catalog in force as revision 1, unless another process has bound the database meanwhile.

        Raises CatalogDiffers.
        """
        async with self._lock:
            held = self._in_force
            if not held.must_bind:
                return
            reason = "the first user" if held.revision == UNBOUND else "replaced before the first user"
            proposal = Proposal(held.catalog, await self._clock.now(), LAURELS, reason, ITSELF, adopts=True)

            def decide(state: CatalogState) -> CatalogRow | None:
                newest = state.newest
                is_free = newest.key == held.revision and not state.is_used if newest else held.revision == UNBOUND
                return next_revision(state, proposal) if is_free else None

            await self._change(decide, proposal)
            await self._read()

    async def apply(self, proposal: Proposal, audit_of: AuditOf | None = None) -> tuple[CatalogRow, bool]:
        """Store a catalog as the next revision, with a row of the audit, and put it in force.

        Returns the revision in force, and whether it is new.

        All processes use it from their next transaction on. Raises CatalogError, CatalogDiffers.
        """
        async with self._lock:
            stored = await self._store_next(proposal, audit_of)
            await self._read()
        return stored

    async def _store_next(self, proposal: Proposal, audit_of: AuditOf | None = None) -> tuple[CatalogRow, bool]:
        row, is_new = await self._change(lambda state: next_revision(state, proposal), proposal, audit_of)
        assert row is not None, "there is a revision now"
        self._has_bound = True
        return row, is_new

    async def _change(
        self,
        decide: Callable[[CatalogState], CatalogRow | None],
        proposal: Proposal,
        audit_of: AuditOf | None = None,
    ) -> tuple[CatalogRow | None, bool]:
        """Store what `decide` makes of a proposal, and close the periods that must not come under it.

        Returns the revision in force then, and whether `decide` made it.
        """
        found: list[tuple[CatalogRow | None, bool]] = []

        def deciding(state: CatalogState) -> CatalogChange | None:
            revision = decide(state)
            found[:] = [(revision or state.newest, revision is not None)]
            if revision is None:
                return None
            present = parsed_or_none(state.newest) if state.newest else None
            return CatalogChange(revision, closed_before(state, present, proposal.catalog, proposal.at))

        await self._store.change_catalog(deciding, lambda newest: at_stake(newest, proposal.catalog), audit_of)
        self._has_bound = self._has_bound or found[0][1]
        return found[0]

    def refine(self, catalog: Catalog) -> None:
        """Use the catalog in force with more of what the database says about its periods."""
        self._in_force = replace(self._in_force, catalog=catalog)

    # ---- choosing -----------------------------------------------------------------------------

    async def _read(self) -> None:
        """Put in force what the database says. Raises CatalogDiffers, CatalogError."""
        before, chosen = self._in_force, await self._choose(await self._store.catalog_state())
        announced = announced_rules(await self._store.catalog_revisions())
        catalog = after_closings(chosen.catalog, await self._store.all_closings())
        chosen = replace(chosen, catalog=catalog, announced=announced)
        if chosen == before:
            return
        self._in_force = chosen
        if before.revision[0] > 0 and not chosen.must_bind:
            log.info("revision %s of the catalog is in force, with the rules %s", self.number, chosen.catalog.rules)
        if self.difference:
            log.warning("%s, which judges all users", self.difference)

    async def _choose(self, state: CatalogState) -> InForce:
        newest, given = state.newest, self._given
        self.difference = ""
        if newest is None:
            return await self._without_revision(state)
        if given and not state.is_used and not self._has_bound and given.text != newest.text:
            return InForce(given, newest.key, must_bind=True)
        stored = parsed(newest)
        if given and given != stored.as_written:
            if not self._has_bound and self.on_difference == "apply":
                if await self._apply_given(given):
                    return await self._choose(await self._store.catalog_state())
            elif not self._has_bound and self.on_difference == "raise":
                raise CatalogDiffers(refused(given, newest, stored))
            self.difference = difference(given, newest, stored) + self._refusal
        self._has_bound = True
        return InForce(stored, newest.key)

    async def _without_revision(self, state: CatalogState) -> InForce:
        """The given catalog, or the default one, for a database that has not been bound."""
        catalog = self._given or default_for(state)
        if not is_adoptable(state, catalog) and not (self._given and self.on_difference == "apply"):
            raise CatalogDiffers(f"{foreign_users(state, catalog)}; {ADOPT}")
        self._has_bound = False
        return InForce(catalog, UNBOUND, must_bind=True)

    async def _apply_given(self, given: Catalog) -> bool:
        """Store the given catalog as the next revision. Returns False, with the reason in `_refusal`, if it must not follow.

        Raises CatalogError then, if the program asked for it.
        """
        by = (LAURELS, f"{named(given)} was opened", ITSELF)
        proposal = Proposal(given, await self._clock.now(), *by, adopts=True, by_opening=self._asked_to_apply)
        try:
            await self._store_next(proposal)
        except CatalogError as error:
            if self._asked_to_apply:
                raise
            self._refusal = f"; it was not applied: {error}"
            return False
        return True
