"""GET /api/gamification/catalog: everything that can be earned. Public: it says nothing of anybody."""

from __future__ import annotations

from litestar import get
from litestar.response import Response

from laurels.http.answers import json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import operation, problems, shows
from laurels.http.profile import PROFILE_EXAMPLE
from laurels.shapes import CatalogShape

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
        answers=shows(CatalogShape, "The levels and the badges, in their order", CATALOG_EXAMPLE)
        | problems("overloaded"),
    ),
)
async def get_catalog(request: HttpRequest) -> Response[bytes]:
    """Read the levels and the badges."""
    shape = context_of(request).laurels.views.whole_catalog()
    return json_answer(shape, headers=[(b"cache-control", b"public, max-age=60")]).response()
