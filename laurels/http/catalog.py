"""GET /api/gamification/catalog and /rarity: what can be earned, and how rare it is. Public: they say nothing of anybody."""

from __future__ import annotations

from litestar import get
from litestar.response import Response

from laurels.http.answers import json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import STORE_PROBLEMS, operation, problems, shows
from laurels.http.profile import PROFILE_EXAMPLE
from laurels.present.shapes import CatalogSummary, RarityReport

CATALOG_EXAMPLE = {
    "name": "default",
    "levels": [{"level": 1, "title": "Newcomer", "points": 0}],
    "badges": PROFILE_EXAMPLE["badges"],
}


@get(
    "/api/gamification/catalog",
    opt=operation(
        "getCatalog",
        "Everything that can be earned",
        "catalog",
        answers=shows(CatalogSummary, "The levels and the badges, in their order", CATALOG_EXAMPLE)
        | problems("overloaded"),
    ),
)
async def get_catalog(request: HttpRequest) -> Response[bytes]:
    """Read the levels and the badges."""
    shape = context_of(request).laurels.views.whole_catalog()
    return json_answer(shape, headers=[(b"cache-control", b"public, max-age=60")]).response()


RARITY_EXAMPLE = {
    "computedAt": "2026-01-05T12:00:00Z",
    "users": 240,
    "badges": [{"id": "first_agent", "holders": 96, "share": 0.4}],
}


@get(
    "/api/gamification/rarity",
    opt=operation(
        "getRarity",
        "How rare each badge is",
        "catalog",
        answers=shows(RarityReport, "The badges of the catalog, in their order", RARITY_EXAMPLE)
        | problems(*STORE_PROBLEMS),
    ),
)
async def get_rarity(request: HttpRequest) -> Response[bytes]:
    """Read what share of all users holds each badge, as counted some minutes ago at most.

    Where there are fewer users than the setting `rarity_users`, nothing is told of how many there are.
    """
    shape = await context_of(request).insights.public_rarity()
    return json_answer(shape, headers=[(b"cache-control", b"public, max-age=60")]).response()
