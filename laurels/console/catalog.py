"""/console/catalog: everything that can be earned: badges with who has them, levels, what pays, streaks, leaderboards."""

from __future__ import annotations

from litestar import get
from litestar.response import Response

from laurels.console.guards import render, shown
from laurels.console.session import ROOT, Visit
from laurels.http.answers import Answer
from laurels.http.context import HttpRequest

PATH = ROOT + "/catalog"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@get(PATH)
async def catalog_page(request: HttpRequest) -> Response[bytes]:
    """Show the catalog in force."""
    return await shown(request, _catalog)


async def _catalog(visit: Visit) -> Answer:
    laurels = visit.context.laurels
    rarity = await visit.context.insights.rarity()
    catalog = laurels.catalog
    return render(
        visit,
        "catalog.html",
        catalog=laurels.views.whole_catalog(),
        rarity={row.id: row for row in rarity.badges},
        users=rarity.users,
        computed_at=rarity.computed_at,
        rules=catalog.point_rules,
        streaks=catalog.streaks.values(),
        rests={streak.name: rest_of(streak.rest) for streak in catalog.streaks.values()},
        boards=(await laurels.leaderboards()).leaderboards,
    )


def rest_of(bits: int) -> str:
    """The days of rest of a streak, in words."""
    return ", ".join(day for index, day in enumerate(DAYS) if bits >> index & 1) or "none"


HANDLERS = (catalog_page,)
