"""/badges: all badges with their rarity; /badges/{id}: one badge, to link to."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from laurels.engine.catalog import Catalog
from laurels.engine.events import MAX_NAME
from laurels.engine.values import plain
from laurels.errors import BadgeNotFound
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.parameters import PAGE_PARAMETERS, in_path
from laurels.http.responses import Response
from laurels.present.badges import BadgeInfo
from laurels.present.catalog import catalog_summary
from laurels.present.reports import RarityReport
from laurels.service.insights import Insights
from laurels.site.html import site_page
from laurels.site.texts import TEXTS, asked_language, grouped, language_of

PATH = "/badges"
WORDS = ((0.5, "rarity_common"), (0.2, "rarity_uncommon"), (0.05, "rarity_rare"), (0.0, "rarity_very_rare"))
"""The least share of holders for each word, by the name of its text; the first that fits applies."""


@plain
class Rarity:
    """How rare a badge is, for a page: names of its texts, a whole percentage, and the number of users."""

    word: str
    percent: int
    held: str
    users: str


class _Made(NamedTuple):
    """The page of all badges in one language, and what it was made from."""

    catalog: Catalog
    rarity: tuple[datetime, int | None]
    response: Response


_pages: WeakKeyDictionary[Insights, dict[tuple[str, str | None, str], _Made]] = WeakKeyDictionary()
"""The newest page by its language, the one that was asked for, and that of the badges.

Everyone may ask for it, and making it takes milliseconds with hundreds of badges."""


@endpoint("GET", PATH, access=PUBLIC, in_languages=True, parameters=PAGE_PARAMETERS)
async def badges_page(request: Request[None, None]) -> Response:
    """Show all badges by category."""
    context, scope = request.context, request.scope
    rarity = await context.insights.public_rarity()
    pages = _pages.setdefault(context.insights, {})
    catalog = context.laurels.catalog
    languages = (language_of(scope), asked_language(scope), catalog.shown_in)
    made = pages.get(languages)
    if made is None or made.catalog is not catalog or made.rarity != (rarity.computed_at, rarity.users):
        response = _badges_page(request, catalog, rarity)
        made = pages[languages] = _Made(catalog, (rarity.computed_at, rarity.users), response)
    return Response(made.response.status, made.response.headers, made.response.body)


def _badges_page(request: Request[None, None], catalog: Catalog, rarity: RarityReport) -> Response:
    language, summary = language_of(request.scope), catalog_summary(catalog)
    sections = [
        (
            category,
            _name(catalog, category.id, language),
            [one for one in summary.badges if one.category == category.id],
        )
        for category in summary.categories
    ]
    return site_page(request, "badges.html", here=PATH, sections=sections, rarities=_rarities(rarity, language))


def _name(catalog: Catalog, category_id: str, language: str) -> str:
    """The name of a category on a page: that of the catalog or, for one of the contract's, ours in the page's language."""
    category = catalog.categories[category_id]
    return TEXTS[language][f"category_{category.id}"] if category.translated else category.name


@endpoint(
    "GET",
    PATH + "/{badge}",
    access=PUBLIC,
    in_languages=True,
    parameters=[in_path("badge", longest=MAX_NAME), *PAGE_PARAMETERS],
)
async def badge_page(request: Request[None, None]) -> Response:
    """Show one badge. Raises BadgeNotFound, which a browser gets as a page."""
    badge_id = request.path["badge"]
    badges, rarities = await _all(request)
    found = next((badge for badge in badges if badge.id == badge_id), None)
    if found is None:
        raise BadgeNotFound
    category = _name(request.context.laurels.catalog, found.category, language_of(request.scope))
    context: dict[str, Any] = {"badge": found, "category": category, "rarity": rarities.get(badge_id)}
    return site_page(request, "badge.html", here=PATH, **context)


async def _all(request: Request[None, None]) -> tuple[list[BadgeInfo], dict[str, Rarity]]:
    context = request.context
    rarity = await context.insights.public_rarity()
    return catalog_summary(context.laurels.catalog).badges, _rarities(rarity, language_of(request.scope))


def _rarities(shape: RarityReport, language: str) -> dict[str, Rarity]:
    """The rarity of each badge; empty if there are too few users."""
    found: dict[str, Rarity] = {}
    for badge in shape.badges:
        if badge.share is not None:
            word = next(word for least, word in WORDS if badge.share >= least)
            users = grouped(shape.users or 0, language)
            found[badge.id] = Rarity(word, round(100 * badge.share), _held(badge.holders, badge.share), users)
    return found


def _held(holders: int | None, share: float) -> str:
    """The text for the share of holders. Rounding must not turn a few into none, or most into all."""
    if not holders:
        return "rarity_none"
    if share == 1:
        return "rarity_all"
    if share < 0.01:  # noqa: PLR2004  # the least whole percentage
        return "rarity_below"
    return "rarity_above" if round(100 * share) == 100 else "rarity_share"  # noqa: PLR2004


ENDPOINTS = (badges_page, badge_page)
