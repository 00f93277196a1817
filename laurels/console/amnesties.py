"""/console/amnesties: days that don't break streaks, for all users or a group: the list, adding and lifting."""

from __future__ import annotations

from datetime import date

from laurels.console.guards import Form, Sent, Shown, field_of, form, page, redirect, render
from laurels.console.session import ROOT, Visit, new_nonce
from laurels.engine.events import MAX_EVENT_ID, check_text
from laurels.errors import AdjustmentConflict, AmnestyNotFound, InvalidInput
from laurels.http.parameters import in_query
from laurels.http.problems import kind_of
from laurels.http.requests import text_of
from laurels.http.responses import Response
from laurels.present.amnesties import Amnesty
from laurels.service.admin import MAX_REASON, Admin

PATH = ROOT + "/amnesties"
ABOUT = "amnesties"
"""The page that a message belongs to."""


@page(PATH, in_query("done"))
async def amnesties_page(request: Shown) -> Response:
    """Show all amnesties, lifted ones too, and the form that adds one."""
    return await _list(request.caller, {"amnesty": new_nonce()})


async def _list(visit: Visit, typed: Form, error: Exception | None = None) -> Response:
    laurels = visit.context.laurels
    amnesties = await Admin(laurels).amnesties()
    return render(
        visit,
        "amnesties.html",
        status=kind_of(error).status if error else 200,
        message=visit.read_message(ABOUT, text_of(visit.scope, "done")),
        amnesties=amnesties[::-1],
        typed=typed,
        error=error,
        wrong=field_of(error, ("first", "last", "group", "reason")),
        longest=MAX_REASON,
    )


@form(PATH, role="editor")
async def add_amnesty(request: Sent) -> Response:
    """Excuse days for all users or a group; a form that arrives twice counts once."""
    visit, typed = request.caller, request.body
    reason, group = typed.get("reason", "").strip(), typed.get("group", "").strip() or None
    try:
        first, last = _day(typed, "first"), _day(typed, "last")
        added = await visit.admin.add_amnesty(first, last, reason, visit.operator, group, typed.get("amnesty", ""))
    except AdjustmentConflict as error:
        return await _list(visit, {**typed, "amnesty": new_nonce()}, error)
    except InvalidInput as error:
        return await _list(visit, typed, error)
    return _go_on(visit, f"{span_of(added)} excused for {added.group or 'all users'}.")


def span_of(amnesty: Amnesty) -> str:
    """The days of an amnesty, as in '2026-03-01 to 2026-03-02'."""
    return f"{amnesty.first}" if amnesty.first == amnesty.last else f"{amnesty.first} to {amnesty.last}"


def _day(typed: Form, name: str) -> date:
    try:
        return date.fromisoformat(typed.get(name, "").strip())
    except ValueError:
        raise InvalidInput(name, "must be a date such as 2026-03-01") from None


@page(PATH + "/lift", in_query("id"), role="editor")
async def lift_page(request: Shown) -> Response:
    """Ask for confirmation and a reason to lift an amnesty."""
    return await _ask(request.caller, text_of(request.scope, "id") or "", {})


async def _ask(visit: Visit, amnesty_id: str, typed: Form, error: Exception | None = None) -> Response:
    laurels = visit.context.laurels
    amnesty = next((item for item in await Admin(laurels).amnesties() if item.id == amnesty_id), None)
    if amnesty is None or amnesty.lifted_at:
        raise AmnestyNotFound
    return render(
        visit,
        "lift.html",
        status=kind_of(error).status if error else 200,
        amnesty=amnesty,
        typed=typed,
        error=error,
        longest=MAX_REASON,
    )


@form(PATH + "/lift", role="editor")
async def lift_amnesty(request: Sent) -> Response:
    """Require the days of an amnesty again."""
    visit, typed = request.caller, request.body
    amnesty_id, reason = typed.get("id", ""), typed.get("reason", "").strip()
    try:
        check_text("id", amnesty_id, MAX_EVENT_ID)
        await visit.admin.lift_amnesty(amnesty_id, reason, visit.operator)
    except InvalidInput as error:
        return await _ask(visit, amnesty_id, typed, error)
    except AmnestyNotFound:
        return _go_on(visit, "Already lifted, so nothing changed.")
    return _go_on(visit, "Amnesty lifted: its days count again.")


def _go_on(visit: Visit, line: str) -> Response:
    return redirect(f"{PATH}?done={visit.message(ABOUT, [line])}")


ENDPOINTS = (amnesties_page, add_amnesty, lift_page, lift_amnesty)
