"""/console/audit: what was done to users by anybody, newest first, with who and why."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

import msgspec

from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.engine.events import MAX_EVENT_ID, MAX_USER_ID, check_instant, check_text
from laurels.engine.values import plain
from laurels.errors import InvalidInput
from laurels.http.problems import InvalidParameter
from laurels.http.requests import text_of
from laurels.http.responses import Response, Scope
from laurels.present.history import HistoryAdjustment, history_adjustment

PATH = ROOT + "/audit"
ACTS_PAGE = 50
MAX_ADJUSTMENT_ID = len("reversal:") + MAX_EVENT_ID


@plain
class Line:
    """One act: of whom, when, and what was told."""

    user_id: str
    at: datetime
    adjustment: HistoryAdjustment


@page(PATH)
async def audit_page(request: Shown) -> Response:
    """Show the newest adjustments of all users."""
    visit = request.caller
    behind = _behind(visit.scope)
    rows = await visit.context.laurels.store.newest_adjustments(ACTS_PAGE, behind)
    last = rows[-1] if len(rows) == ACTS_PAGE else None
    older = {"at": last.at.isoformat(), "user": last.user_id, "act": last.adjustment_id} if last else None
    return render(
        visit,
        "audit.html",
        lines=[Line(row.user_id, row.at, history_adjustment(row)) for row in rows],
        older=f"{PATH}?{urlencode(older)}" if older else "",
        first=behind is None,
    )


def _behind(scope: Scope) -> tuple[datetime, str, str] | None:
    """Behind which act the page begins. Raises InvalidParameter."""
    moment = text_of(scope, "at")
    if moment is None:
        return None
    user_id, adjustment_id = text_of(scope, "user") or "", text_of(scope, "act") or ""
    try:
        at = msgspec.convert(moment, datetime)
        check_instant("at", at)
        check_text("user", user_id, MAX_USER_ID)
        check_text("act", adjustment_id, MAX_ADJUSTMENT_ID)
    except (msgspec.ValidationError, InvalidInput):
        raise InvalidParameter("at", "The address is not one of this list.") from None
    return at, user_id, adjustment_id


ENDPOINTS = (audit_page,)
