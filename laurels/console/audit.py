"""/console/audit: all adjustments, newest first, with who made them and why."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.engine.events import MAX_EVENT_ID, MAX_USER_ID, check_instant, check_text
from laurels.engine.instants import read_instant
from laurels.engine.values import plain
from laurels.errors import InvalidInput
from laurels.http.parameters import in_query
from laurels.http.problems import InvalidParameter
from laurels.http.requests import text_of
from laurels.http.responses import Response, Scope
from laurels.present.history import HistoryAdjustment, history_adjustment

PATH = ROOT + "/audit"
PAGE_LENGTH = 50
MAX_ADJUSTMENT_ID = len("reversal:") + MAX_EVENT_ID


@plain
class Line:
    """One adjustment: the user, when, and what changed."""

    user_id: str
    at: datetime
    adjustment: HistoryAdjustment


@page(PATH, *map(in_query, ("at", "user", "adjustment")))
async def audit_page(request: Shown) -> Response:
    """Show the newest adjustments of all users."""
    visit = request.caller
    after = _after(visit.scope)
    rows = await visit.context.laurels.store.newest_adjustments(PAGE_LENGTH, after)
    last = rows[-1] if len(rows) == PAGE_LENGTH else None
    older = {"at": last.at.isoformat(), "user": last.user_id, "adjustment": last.adjustment_id} if last else None
    return render(
        visit,
        "audit.html",
        lines=[Line(row.user_id, row.at, history_adjustment(row)) for row in rows],
        older=f"{PATH}?{urlencode(older)}" if older else "",
        first=after is None,
    )


def _after(scope: Scope) -> tuple[datetime, str, str] | None:
    """The adjustment after which the page begins. Raises InvalidParameter."""
    text = text_of(scope, "at")
    if text is None:
        return None
    user_id, adjustment_id = text_of(scope, "user") or "", text_of(scope, "adjustment") or ""
    try:
        at = read_instant("at", text)
        check_instant("at", at)
        check_text("user", user_id, MAX_USER_ID)
        check_text("adjustment", adjustment_id, MAX_ADJUSTMENT_ID)
    except InvalidInput:
        raise InvalidParameter("at", "The address does not belong to this list.") from None
    return at, user_id, adjustment_id


ENDPOINTS = (audit_page,)
