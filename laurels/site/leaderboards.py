"""/leaderboards: all boards with who leads them; /leaderboards/{board}: one board with the reader's own line."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath
from litestar.response import Response

from laurels.engine.events import MAX_NAME
from laurels.errors import LeaderboardNotFound
from laurels.http.context import HttpRequest, context_of
from laurels.http.requests import id_in_path
from laurels.site.html import site_page

PATH = "/leaderboards"
PREVIEWS = 6
"""For how many boards the page shows who leads them; each is one request. The others stand there by name."""


@get(PATH)
async def leaderboards_page(request: HttpRequest) -> Response[bytes]:
    """Show all leaderboards."""
    boards = (await context_of(request).laurels.leaderboards()).leaderboards
    return site_page(request, "leaderboards.html", here=PATH, boards=boards, previews=PREVIEWS).response()


@get(PATH + "/{board:str}")
async def leaderboard_page(request: HttpRequest, board: FromPath[str]) -> Response[bytes]:
    """Show one leaderboard. Raises LeaderboardNotFound, which a browser reads as a page."""
    wanted = id_in_path(board, "board", MAX_NAME)
    boards = (await context_of(request).laurels.leaderboards()).leaderboards
    found = next((one for one in boards if one.id == wanted), None)
    if found is None:
        raise LeaderboardNotFound
    return site_page(request, "leaderboard.html", here=PATH, board=found).response()
