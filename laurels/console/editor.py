"""/console/catalog/edit and /check: the text of a catalog, checked when an operator asks for it, and while they type."""

from __future__ import annotations

from laurels.console.candidates import (
    EDIT,
    FORM_LIMIT,
    begun,
    candidate_of,
    checked,
    edit_page,
)
from laurels.console.guards import Sent, Shown, form, fragment, page
from laurels.console.revisions import revision_in
from laurels.console.session import ROOT
from laurels.errors import InvalidInput
from laurels.http.parameters import in_query
from laurels.http.requests import text_of
from laurels.http.responses import HTML, NO_STORE, Response

CHECK = ROOT + "/catalog/check"
CHARGED = 10_000
"""For how many characters a check counts as one request more."""


@page(EDIT, in_query("revision"), role="editor")
async def edit_begin(request: Shown) -> Response:
    """Show the editor with the catalog in force, or with the text of an earlier revision."""
    visit = request.caller
    asked = text_of(visit.scope, "revision")
    rows = await visit.context.laurels.store.catalog_revisions() if asked else ()
    return await edit_page(visit, await begun(visit, revision_in(rows, asked).number if asked else None))


@form(EDIT, role="editor", limit=FORM_LIMIT)
async def edit_check(request: Sent) -> Response:
    """Check a text, and show it again with its faults, or with how it differs from the catalog in force. Stores nothing."""
    visit = request.caller
    candidate = candidate_of(request.body)
    if "back" in request.body:
        return await edit_page(visit, candidate)
    try:
        return await edit_page(visit, candidate, await checked(visit, candidate))
    except InvalidInput as error:
        return await edit_page(visit, candidate, error=error)


@form(CHECK, role="editor", limit=FORM_LIMIT)
async def check_while_typing(request: Sent) -> Response:
    """What a check says, for the script of the editor: it reads the text and nothing else. Raises TooManyRequests."""
    visit = request.caller
    rate, caller = visit.context.session_rate, ("console", visit.principal)
    candidate = candidate_of(request.body)
    rate.take(caller)
    rate.charge(caller, len(candidate.text) // CHARGED)
    try:
        body = fragment(visit, "check.html", result=await checked(visit, candidate), error=None, is_live=True)
    except InvalidInput as error:
        body = fragment(visit, "check.html", result=None, error=error, is_live=True)
    return Response(200, [HTML, NO_STORE], body.encode())


ENDPOINTS = (edit_begin, edit_check, check_while_typing)
