"""/console/amnesties: days on which nothing is required of anybody, or of a group: the list, and adding and lifting one."""

from __future__ import annotations

from datetime import date
from functools import partial

from litestar import get, post
from litestar.response import Response

from laurels.console.guards import Form, done, field_of, redirect, render, shown
from laurels.console.session import ROOT, Visit, new_nonce
from laurels.engine.events import MAX_EVENT_ID, check_text
from laurels.errors import AdjustmentConflict, AmnestyNotFound, InvalidInput
from laurels.http.answers import Answer
from laurels.http.context import HttpRequest
from laurels.http.problems import kind_of
from laurels.http.requests import text_of
from laurels.present.shapes import Amnesty
from laurels.service.admin import MAX_REASON, Admin

PATH = ROOT + "/amnesties"
ABOUT = "amnesties"
"""For which page a message is."""


@get(PATH)
async def amnesties_page(request: HttpRequest) -> Response[bytes]:
    """Show every amnesty, lifted ones too, and the form that adds one."""
    return await shown(request, partial(_list, typed={"act": new_nonce()}))


async def _list(visit: Visit, typed: Form, error: Exception | None = None) -> Answer:
    laurels = visit.context.laurels
    rows = await laurels.store.amnesties()
    return render(
        visit,
        "amnesties.html",
        status=kind_of(error).status if error else 200,
        said=visit.read_message(ABOUT, text_of(visit.scope, "done")),
        amnesties=[laurels.views.amnesty(row) for row in reversed(rows)],
        typed=typed,
        error=error,
        wrong=field_of(error, ("first", "last", "group", "reason")),
        longest=MAX_REASON,
    )


@post(PATH, status_code=200)
async def add_amnesty(request: HttpRequest) -> Response[bytes]:
    """Excuse days for everybody or a group; a form that comes twice counts once."""
    return await done(request, _add)


async def _add(visit: Visit, form: Form) -> Answer:
    reason, group = form.get("reason", "").strip(), form.get("group", "").strip() or None
    try:
        first, last = _day(form, "first"), _day(form, "last")
        admin = Admin(visit.context.laurels)
        row = await admin.add_amnesty(first, last, reason, visit.operator, group, form.get("act", ""))
    except AdjustmentConflict as error:
        return await _list(visit, {**form, "act": new_nonce()}, error)
    except InvalidInput as error:
        return await _list(visit, form, error)
    return _go_on(
        visit, f"{span_of(visit.context.laurels.views.amnesty(row))} excused for {row.for_group or 'everybody'}."
    )


def span_of(amnesty: Amnesty) -> str:
    """The days of an amnesty, as in '2026-03-01 to 2026-03-02'."""
    return f"{amnesty.first}" if amnesty.first == amnesty.last else f"{amnesty.first} to {amnesty.last}"


def _day(form: Form, name: str) -> date:
    try:
        return date.fromisoformat(form.get(name, "").strip())
    except ValueError:
        raise InvalidInput(name, "must be a date such as 2026-03-01") from None


@get(PATH + "/lift")
async def lift_page(request: HttpRequest) -> Response[bytes]:
    """Ask whether an amnesty is to be lifted, and why."""

    async def ask(visit: Visit) -> Answer:
        return await _ask(visit, text_of(visit.scope, "id") or "", {})

    return await shown(request, ask)


async def _ask(visit: Visit, amnesty_id: str, typed: Form, error: Exception | None = None) -> Answer:
    laurels = visit.context.laurels
    row = next((row for row in await laurels.store.amnesties() if row.amnesty_id == amnesty_id), None)
    if row is None or row.lifted_at:
        raise AmnestyNotFound
    return render(
        visit,
        "lift.html",
        status=kind_of(error).status if error else 200,
        amnesty=laurels.views.amnesty(row),
        typed=typed,
        error=error,
        longest=MAX_REASON,
    )


@post(PATH + "/lift", status_code=200)
async def lift_amnesty(request: HttpRequest) -> Response[bytes]:
    """Let the days of an amnesty be required again."""
    return await done(request, _lift)


async def _lift(visit: Visit, form: Form) -> Answer:
    amnesty_id, reason = form.get("id", ""), form.get("reason", "").strip()
    try:
        check_text("id", amnesty_id, MAX_EVENT_ID)
        await Admin(visit.context.laurels).lift_amnesty(amnesty_id, reason, visit.operator)
    except InvalidInput as error:
        return await _ask(visit, amnesty_id, form, error)
    except AmnestyNotFound:
        return _go_on(visit, "It was lifted already, so nothing changed.")
    return _go_on(visit, "The amnesty is lifted: its days are required again.")


def _go_on(visit: Visit, line: str) -> Answer:
    return redirect(f"{PATH}?done={visit.message(ABOUT, [line])}")


HANDLERS = (amnesties_page, add_amnesty, lift_page, lift_amnesty)
