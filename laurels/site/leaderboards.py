"""/leaderboards: all leaderboards with their leaders; /leaderboards/{board}: one, with the reader's own line.

To a visitor who may not read a leaderboard, or who has no session, it does not exist.
"""

from __future__ import annotations

from laurels.engine.events import MAX_NAME
from laurels.errors import Unauthorized
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.parameters import PAGE_PARAMETERS, in_path
from laurels.http.requests import credentials
from laurels.http.responses import Response
from laurels.site.html import site_page

PATH = "/leaderboards"
PREVIEWS = 6
"""How many leaderboards show their leaders, each by one request; the others are only linked."""


@endpoint("GET", PATH, access=PUBLIC, in_languages=True, parameters=PAGE_PARAMETERS)
async def leaderboards_page(request: Request[None, None]) -> Response:
    """Show all leaderboards."""
    boards = (await request.context.laurels.leaderboards(await _visitor(request))).leaderboards
    return site_page(request, "leaderboards.html", here=PATH, boards=boards, previews=PREVIEWS)


@endpoint(
    "GET",
    PATH + "/{board}",
    access=PUBLIC,
    in_languages=True,
    parameters=[in_path("board", longest=MAX_NAME), *PAGE_PARAMETERS],
)
async def leaderboard_page(request: Request[None, None]) -> Response:
    """Show one leaderboard, also a retired one, under any of its ids.

    Raises LeaderboardNotFound, which a browser gets as a page.
    """
    board = await request.context.laurels.find_leaderboard(request.path["board"], await _visitor(request))
    return site_page(request, "leaderboard.html", here=PATH, board=board)


async def _visitor(request: Request[None, None]) -> str | None:
    """The id of the visitor, '' without a session; None where all may read all leaderboards, so that no session is looked up."""
    laurels = request.context.laurels
    await laurels.follow_catalog()
    if not any(board.readers for board in laurels.catalog.boards.values()):
        return None
    try:
        return (await request.context.chain.caller(credentials(request.scope))).user_id
    except Unauthorized:
        return ""


ENDPOINTS = (leaderboards_page, leaderboard_page)
