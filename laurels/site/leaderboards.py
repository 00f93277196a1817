"""/leaderboards: all leaderboards with their leaders; /leaderboards/{board}: one, with the reader's own line."""

from __future__ import annotations

from laurels.engine.events import MAX_NAME
from laurels.errors import LeaderboardNotFound
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.parameters import PAGE_PARAMETERS, in_path
from laurels.http.responses import Response
from laurels.site.html import site_page

PATH = "/leaderboards"
PREVIEWS = 6
"""How many leaderboards show their leaders, each by one request; the others are only linked."""


@endpoint("GET", PATH, access=PUBLIC, parameters=PAGE_PARAMETERS)
async def leaderboards_page(request: Request[None, None]) -> Response:
    """Show all leaderboards."""
    boards = (await request.context.laurels.leaderboards()).leaderboards
    return site_page(request, "leaderboards.html", here=PATH, boards=boards, previews=PREVIEWS)


@endpoint("GET", PATH + "/{board}", access=PUBLIC, parameters=[in_path("board", longest=MAX_NAME), *PAGE_PARAMETERS])
async def leaderboard_page(request: Request[None, None]) -> Response:
    """Show one leaderboard, also a retired one, under any of its ids.

    Raises LeaderboardNotFound, which a browser gets as a page.
    """
    laurels, board_id = request.context.laurels, request.path["board"]
    await laurels.follow_catalog()
    boards, renames = laurels.catalog.boards, laurels.catalog.renames.boards
    found = boards.get(renames.get(board_id, board_id))
    if found is None:
        raise LeaderboardNotFound
    return site_page(request, "leaderboard.html", here=PATH, board=found)


ENDPOINTS = (leaderboards_page, leaderboard_page)
