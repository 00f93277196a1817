"""/console/catalog/revisions and /differences: who changed the catalog, when, why and how, and each revision's text."""

from __future__ import annotations

from collections.abc import Sequence

from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.errors import CatalogError
from laurels.http.parameters import in_query, name_in_path
from laurels.http.problems import NoSuchPage
from laurels.http.requests import text_of
from laurels.http.responses import Response
from laurels.service.revisions import parsed
from laurels.storage.contract import CatalogRow

PATH = ROOT + "/catalog/revisions"
DIFFERENCES = ROOT + "/catalog/differences"


@page(PATH)
async def revisions_page(request: Shown) -> Response:
    """List all revisions, the newest first, with how far users are brought under them."""
    visit = request.caller
    store = visit.context.laurels.store
    rows, users = await store.catalog_revisions(), (await store.counts()).users
    return render(visit, "revisions.html", rows=rows[::-1], users=users, first=rows[0].number if rows else 0)


@page(PATH + "/{number}", name_in_path("number"), in_query("done"))
async def revision_page(request: Shown) -> Response:
    """Show a revision: its text, who applied it and how, and how it differs from the one before."""
    visit = request.caller
    store = visit.context.laurels.store
    rows = await store.catalog_revisions()
    row = revision_in(rows, request.path["number"])
    before = next((one for one in rows if one.number == row.number - 1), None)
    return render(
        visit,
        "revision.html",
        row=row,
        before=before,
        others=[one for one in rows[::-1] if one is not row],
        in_force=row is rows[-1],
        different=in_words(before, row) if before else None,
        users=(await store.counts()).users,
        message=visit.read_message(about(row.number), text_of(visit.scope, "done")),
    )


@page(DIFFERENCES, in_query("from"), in_query("to"))
async def differences_page(request: Shown) -> Response:
    """Say in words how one revision differs from another."""
    visit = request.caller
    rows = await visit.context.laurels.store.catalog_revisions()
    before, after = (revision_in(rows, text_of(visit.scope, name) or "") for name in ("from", "to"))
    different = in_words(before, after)
    return render(visit, "differences.html", rows=rows[::-1], before=before, after=after, different=different)


def about(number: int) -> str:
    """The page of a revision, to which a message belongs."""
    return f"revision {number}"


def revision_in(rows: Sequence[CatalogRow], number: str) -> CatalogRow:
    """The revision of this number, as it is in an address. Raises NoSuchPage."""
    for row in rows:
        if str(row.number) == number:
            return row
    raise NoSuchPage("The address names no revision of the catalog.")


def in_words(before: CatalogRow, after: CatalogRow) -> Sequence[str] | None:
    """How one revision differs from another; None if this version of Laurels cannot read one of them."""
    try:
        old, new = _written(before), _written(after)
    except CatalogError:
        return None
    return differences(old, new)


def _written(row: CatalogRow) -> Catalog:
    return parsed(row).as_written


ENDPOINTS = (revisions_page, revision_page, differences_page)
