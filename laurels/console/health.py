"""/console/health: how the process that answers does, and how the database is kept."""

from __future__ import annotations

from datetime import timedelta

from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.http.responses import Response

PATH = ROOT + "/health"


@page(PATH)
async def health_page(request: Shown) -> Response:
    """Show what an operator asks first."""
    visit = request.caller
    process_status = await visit.context.insights.process_status()
    return render(
        visit,
        "health.html",
        process_status=process_status,
        uptime=str(timedelta(seconds=int(process_status.uptime_seconds))),
        workers=visit.context.settings.server.workers,
        now=visit.context.laurels.clock(),  # the machine's, as the notes have it, also in a sandbox
    )


ENDPOINTS = (health_page,)
