"""GET /api/gamification/catalog and /rarity: what can be earned, and how rare it is. Public: they name no user."""

from __future__ import annotations

from laurels.http.access import PUBLIC
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.profile import PROFILE_EXAMPLE
from laurels.http.responses import Headers
from laurels.present.catalog import CatalogSummary, catalog_summary
from laurels.present.reports import RarityReport

A_MINUTE: Headers = [(b"cache-control", b"public, max-age=60")]

CATALOG_EXAMPLE = {
    "name": "default",
    "levels": [{"level": 1, "title": "Newcomer", "points": 0}],
    "badges": PROFILE_EXAMPLE["badges"],
    "categories": [{"id": "onboarding", "name": "First steps"}],
    "boosts": [
        {"id": "launch", "name": "Launch weekend", "factor": "2", "firstDay": "2026-06-05", "lastDay": "2026-06-07"}
    ],
}
RARITY_EXAMPLE = {
    "computedAt": "2026-01-05T12:00:00Z",
    "users": 240,
    "badges": [{"id": "first_agent", "holders": 96, "share": 0.4}],
}


@endpoint(
    "GET",
    "/api/gamification/catalog",
    access=PUBLIC,
    in_languages=True,
    operation=Operation("getCatalog", "Get catalog", "catalog"),
    result=Result(CatalogSummary, "The levels and the badges, in order", CATALOG_EXAMPLE, headers=A_MINUTE),
)
async def get_catalog(request: Request[None, None]) -> CatalogSummary:
    """Read the levels, the badges, and the boosts that count now or later."""
    laurels = request.context.laurels
    return catalog_summary(laurels.catalog, await laurels.now() if laurels.catalog.boosts else None)


@endpoint(
    "GET",
    "/api/gamification/rarity",
    access=PUBLIC,
    operation=Operation("getRarity", "Get badge rarity", "catalog"),
    result=Result(RarityReport, "The badges of the catalog, in order", RARITY_EXAMPLE, headers=A_MINUTE),
)
async def get_rarity(request: Request[None, None]) -> RarityReport:
    """Read what share of all users holds each badge, as counted a few minutes ago at most.

    Below the number of users in the setting `rules.rarity_users`, all numbers are null.
    """
    return await request.context.insights.public_rarity()


ENDPOINTS = (get_catalog, get_rarity)
