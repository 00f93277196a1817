"""Revisions of the catalog: which one is stored next, and what is said where a given catalog is not the database's.

A new check of what may follow what goes into CHECKS.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from laurels.engine.catalog import Catalog
from laurels.engine.rule_versions import read_past, text_of
from laurels.engine.succession import Ids, ids_at_stake, lost_names
from laurels.errors import CatalogDiffers, CatalogError, Fault
from laurels.present.principals import who
from laurels.service.plan_tokens import PlanToken, check_token
from laurels.storage.contract import UNBOUND, CatalogRow, CatalogState, Principal

log = logging.getLogger(__name__)

Check = Callable[[CatalogState, Catalog, Catalog], list[Fault]]
"""Given what is stored, the catalog in force and the one to follow it: why it cannot. Pure, and run in the transaction."""


def _keeps_names(state: CatalogState, present: Catalog, following: Catalog) -> list[Fault]:
    return lost_names(present, following, state.in_use)


CHECKS: tuple[Check, ...] = (_keeps_names,)


def at_stake(newest: CatalogRow, following: Catalog) -> Ids:
    """The ids of which a check needs to know whether they are in use."""
    present = parsed_or_none(newest)
    return ids_at_stake(present, following) if present else Ids()


IN_PYTHON = Fault(
    "the catalog", "was changed in Python, so its text does not describe it", "change its TOML, and use Catalog.parse"
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A catalog that is to be put in force: when, by whom, and why.

    adopts      also for users of an earlier version of Laurels who were judged under other rules, of which the database
                has no catalog
    only_first  only if the database has no revision
    plan        the plan that is applied: only on the revision that it began from; all users are then brought under the catalog
    silent      users are not notified of what they get or lose by it
    by_opening  a program was opened with on_difference="apply", as in tests and while developing: what users have may lose its
                name, and a warning says what
    """

    catalog: Catalog
    at: datetime
    actor: str
    reason: str
    principal: Principal
    adopts: bool = False
    only_first: bool = False
    by_opening: bool = False
    plan: PlanToken | None = None
    silent: bool = False


def next_revision(state: CatalogState, proposal: Proposal) -> CatalogRow | None:
    """The revision to store; None if it is in force already. While there is no user, it replaces the one in force.

    Raises CatalogError for a catalog that must not follow the one in force, and CatalogDiffers for a database that has users
    but no revision, unless they were judged under the same rules or the proposal adopts them. Raises PlanOutdated.
    """
    newest, catalog = state.newest, proposal.catalog.as_written
    _check_text(catalog)
    if proposal.plan:
        check_token(proposal.plan, newest.key if newest else UNBOUND, catalog, silent=proposal.silent)
    if newest is None:
        if not proposal.adopts and not is_adoptable(state, catalog):
            raise CatalogDiffers(f"{foreign_users(state, catalog)}; {ADOPT}")
        return _row(1, catalog, proposal)
    if newest.text == catalog.text:
        return None
    if proposal.only_first:
        raise CatalogDiffers(
            f"the database has a catalog already, {revision_text(newest)}; see 'laurels catalog apply'"
        )
    if not state.is_used:
        return _row(newest.number, catalog, proposal)
    present = parsed_or_none(newest)
    faults = [fault for check in CHECKS for fault in check(state, present, catalog)] if present else []
    if faults and not proposal.by_opening:
        raise CatalogError(faults)
    for fault in faults:
        log.warning("%s: %s; %s", fault.where, fault.what, fault.fix)
    return _row(newest.number + 1, _with_past(present, catalog, proposal), proposal)


def _with_past(present: Catalog | None, catalog: Catalog, proposal: Proposal) -> Catalog:
    """The catalog with what the database is to know of the rules before it; nothing if this version cannot read them."""
    return catalog.with_past(present.past_before(catalog.point_rules, proposal.at)) if present else catalog


def _row(number: int, catalog: Catalog, proposal: Proposal) -> CatalogRow:
    by = (proposal.actor, proposal.reason, proposal.principal)
    policies = (proposal.silent, None if proposal.plan is None else 0)
    past = text_of(catalog.past)
    return CatalogRow(number, catalog.text, catalog.digest, catalog.rules, proposal.at, *by, *policies, past=past)


def announced_rules(rows: Sequence[CatalogRow]) -> frozenset[str] | None:
    """The rules whose users are notified of what they get or lose when brought under the newest revision; None: all.

    Those of revisions after which none is silent: what a silent one awards cannot be separated from what others award.
    """
    changed = [new for old, new in zip([None, *rows], rows, strict=False) if old is None or new.rules != old.rules]
    last_silent = max((row.number for row in changed if row.silent), default=None)
    if last_silent is None:
        return None
    newer = [row for row in rows if row.number >= last_silent]
    # This version may compute another fingerprint for the same text than the one that stored the revision.
    computed = [catalog.rules for catalog in map(parsed_or_none, newer) if catalog]
    return frozenset([*(row.rules for row in newer), *computed])


def _check_text(catalog: Catalog) -> None:
    """Raise CatalogError for a catalog whose text would be read as another one."""
    try:
        same = Catalog.parse(catalog.text) == catalog
    except CatalogError:
        same = False
    if not same:
        raise CatalogError([IN_PYTHON])


def is_adoptable(state: CatalogState, catalog: Catalog) -> bool:
    """Whether users without a revision were last judged under this catalog, also by an earlier version, or there are none."""
    return state.judged_by in (None, catalog.rules, catalog.rules_before)


def default_for(state: CatalogState) -> Catalog:
    """The default catalog; for users of an earlier version who were judged by its default catalog, that one."""
    earlier = () if state.judged_by is None else Catalog.earlier_defaults()
    return next((one for one in earlier if one.rules == state.judged_by), Catalog.default())


def parsed(row: CatalogRow) -> Catalog:
    """The catalog of a revision, with the earlier versions of its point rules.

    Raises CatalogError, which names the revision: an earlier version of Laurels may have allowed it.
    """
    try:
        return Catalog.parse(row.text).with_past(read_past(row.past))
    except CatalogError as error:
        where = f"the database's catalog, revision {row.number}"
        raise CatalogError([Fault(f"{where}, {one.where}", one.what, one.fix) for one in error.faults]) from error


def parsed_or_none(row: CatalogRow) -> Catalog | None:
    """The catalog of a revision; None if this version cannot read it."""
    try:
        return parsed(row)
    except CatalogError:
        return None


# ---- messages ---------------------------------------------------------------------------------


def named(catalog: Catalog) -> str:
    """A given catalog in a message: its file, or its name."""
    return f"the file '{catalog.file}'" if catalog.file else f"the given catalog '{catalog.name}'"


def revision_text(row: CatalogRow) -> str:
    """A revision in a message."""
    by = who(row.principal, row.applied_by)
    return f"revision {row.number} (rules {row.rules}, applied {row.applied_at:%Y-%m-%d} by '{by}')"


def difference(given: Catalog, row: CatalogRow, stored: Catalog) -> str:
    """How a given catalog differs from the database's, without a fix."""
    how = "has other texts" if given.rules == stored.as_written.rules else f"has other rules ({given.rules})"
    return f"{named(given)} {how} than the database's catalog, {revision_text(row)}"


def refused(given: Catalog, row: CatalogRow, stored: Catalog) -> str:
    """The difference, with the two ways to go on."""
    if given.file:
        fix = f"leave the file out to use the database's, or put it in force with 'laurels catalog apply {given.file}'"
    else:
        fix = "pass no catalog or on_difference='follow' to use the database's, or on_difference='apply' to put it in force"
    return f"{difference(given, row, stored)}; {fix}"


ADOPT = "store the catalog that they belong to with 'laurels catalog adopt FILE'"
"""What to do about users of an earlier version of Laurels who were judged by another catalog."""


def foreign_users(state: CatalogState, catalog: Catalog) -> str:
    """Why a database of an earlier version cannot be used with this catalog."""
    given = named(catalog) if catalog != Catalog.default() or catalog.file else "the default catalog"
    return (
        f"the database has no catalog yet, and its users were last judged under other rules ({state.judged_by}) than those "
        f"of {given} ({catalog.rules})"
    )
