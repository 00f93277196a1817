"""/console/health: how the process that answers does, and how the database is kept."""

from __future__ import annotations

from datetime import timedelta

from litestar import get
from litestar.response import Response

from laurels.console.guards import render, shown
from laurels.console.session import ROOT, Visit
from laurels.http.answers import Answer
from laurels.http.context import HttpRequest

PATH = ROOT + "/health"


@get(PATH)
async def health_page(request: HttpRequest) -> Response[bytes]:
    """Show what an operator asks first."""
    return await shown(request, _health)


async def _health(visit: Visit) -> Answer:
    process_status = await visit.context.insights.process_status()
    return render(
        visit,
        "health.html",
        process_status=process_status,
        uptime=str(timedelta(seconds=int(process_status.uptime_seconds))),
        workers=visit.context.settings.workers,
        now=visit.context.laurels.clock(),  # the machine's, as the notes have it, also in a sandbox
    )


HANDLERS = (health_page,)
