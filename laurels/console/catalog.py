"""/console/catalog: everything users can earn: badges with their holders, levels, point rules, streaks, leaderboards."""

from __future__ import annotations

from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.http.responses import Response
from laurels.present.boosts import time_of
from laurels.present.catalog import catalog_summary
from laurels.present.copies import badge_copies
from laurels.present.entitlements import unlocked_by
from laurels.present.leaderboards import leaderboard_info

PATH = ROOT + "/catalog"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@page(PATH)
async def catalog_page(request: Shown) -> Response:
    """Show the catalog in force."""
    visit = request.caller
    laurels = visit.context.laurels
    await laurels.follow_catalog()
    rarity = await visit.context.insights.rarity()
    catalog, now = laurels.catalog, await laurels.now()
    everything, taken = [badge.id for badge in catalog.badges], await laurels.core.supplies()
    return render(
        visit,
        "catalog.html",
        catalog=catalog_summary(laurels.catalog, now, for_operators=True),
        tiers={badge.id: badge for badge in catalog.badges if badge.family},
        available={badge.id: badge.available.words for badge in catalog.badges if badge.available},
        revision=laurels.rules.number,
        unlocked_by=unlocked_by,
        rarity={row.id: row for row in rarity.badges},
        copies={one.badge: one for one in badge_copies(catalog, taken, everything)},
        users=rarity.users,
        computed_at=rarity.computed_at,
        rules=catalog.point_rules,
        time_of=time_of,
        streaks=catalog.streaks.values(),
        rests={streak.name: rest_of(streak.rest) for streak in catalog.streaks.values()},
        boards=[leaderboard_info(board, now) for board in catalog.boards.values()],
        unknown_types=await visit.context.insights.unknown_types(),
    )


def rest_of(bits: int) -> str:
    """The days of rest of a streak, in words."""
    return ", ".join(day for index, day in enumerate(DAYS) if bits >> index & 1) or "none"


ENDPOINTS = (catalog_page,)
