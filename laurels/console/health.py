"""/console/health: live figures of this server process, and the last backup and verify."""

from __future__ import annotations

from datetime import timedelta

from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.http.responses import Response

PATH = ROOT + "/health"


@page(PATH)
async def health_page(request: Shown) -> Response:
    """Show the health of this process and of the database."""
    visit = request.caller
    process_status = await visit.context.insights.process_status()
    return render(
        visit,
        "health.html",
        process_status=process_status,
        uptime=str(timedelta(seconds=int(process_status.uptime_seconds))),
        workers=visit.context.settings.server.workers,
        now=visit.context.laurels.clock(),  # the real clock, also in a sandbox, as in the recorded runs
    )


ENDPOINTS = (health_page,)
