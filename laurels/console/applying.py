"""/console/catalog/apply: putting a catalog in force as it was planned, bound to the plan that the operator saw."""

from __future__ import annotations

from laurels.console.candidates import FORM_LIMIT, Candidate, candidate_of, catalog_in, edit_page, refused
from laurels.console.guards import Form, Sent, form, redirect, render
from laurels.console.revisions import PATH as REVISIONS
from laurels.console.revisions import about
from laurels.console.session import ROOT, Visit
from laurels.errors import CatalogError, InvalidInput, PlanOutdated
from laurels.http.problems import kind_of
from laurels.http.responses import Response
from laurels.present.catalog import AppliedCatalog
from laurels.service.admin import MAX_REASON
from laurels.service.plan_tokens import PlanToken, read_token

PATH = ROOT + "/catalog/apply"
MOST_MOVED = 5
"""How many users who changed since the plan are named."""


@form(PATH, role="editor", limit=FORM_LIMIT)
async def apply_plan(request: Sent) -> Response:
    """Put a catalog in force as it was planned. A form that arrives twice counts once."""
    visit, typed = request.caller, request.body
    candidate, reason, token = candidate_of(typed), typed.get("reason", "").strip(), typed.get("plan", "")
    try:
        catalog = await catalog_in(visit, candidate)
        applied = await visit.admin.apply_catalog(catalog, reason, visit.operator, plan=token, silent=candidate.silent)
    except CatalogError as error:
        if candidate.revision:
            raise
        return await edit_page(visit, candidate, refused(candidate.text, error))
    except (InvalidInput, PlanOutdated) as error:
        if isinstance(error, InvalidInput) and error.field in ("text", "revision"):
            return await edit_page(visit, candidate, error=error)
        return await _again(visit, candidate, typed, error)
    number = applied.revision.number
    return redirect(f"{REVISIONS}/{number}?done={visit.message(about(number), lines_of(applied))}")


async def _again(visit: Visit, candidate: Candidate, typed: Form, error: Exception) -> Response:
    """The form to apply with what is wrong: the reason, or the plan, which then must be made again."""
    plan = typed.get("plan", "")
    return render(
        visit,
        "apply.html",
        status=kind_of(error).status,
        candidate=candidate,
        plan=plan,
        said=await _said(visit, plan),
        typed=typed,
        error=error,
        outdated=isinstance(error, PlanOutdated) or (isinstance(error, InvalidInput) and error.field == "plan"),
        longest=MAX_REASON,
    )


async def _said(visit: Visit, plan: str) -> PlanToken | None:
    """What the token of a plan says; None if this database did not sign it."""
    try:
        return read_token(await visit.context.laurels.store.keyring(), plan)
    except InvalidInput:
        return None


def lines_of(applied: AppliedCatalog) -> list[str]:
    """What happened, in sentences."""
    number, moved = applied.revision.number, applied.moved
    lines = [f"Revision {number} is in force." if applied.is_new else f"Revision {number} was in force already."]
    if moved is None:
        lines.append("Which users changed since the plan was made could not be read.")
    elif moved:
        named = ", ".join(moved[:MOST_MOVED]) + (", …" if len(moved) > MOST_MOVED else "")
        users = "1 user has" if len(moved) == 1 else f"{len(moved):,} users have"
        lines.append(f"{users} changed since the plan was made, so it may not be right for them: {named}.")
    return lines


ENDPOINTS = (apply_plan,)
