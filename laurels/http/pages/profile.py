"""/profile: the reader's level, badges and streak, and the board of all points. And / which leads there."""

from __future__ import annotations

from litestar import get
from litestar.response import Response

from laurels.engine.boards import POINTS
from laurels.http.answers import Answer
from laurels.http.context import HttpRequest
from laurels.http.pages.html import site_page

PATH = "/profile"


@get(PATH)
async def profile_page(request: HttpRequest) -> Response[bytes]:
    """Show the shell of the profile; the elements in it read the rest with the visitor's cookie."""
    return site_page(request, "profile.html", here=PATH, board=POINTS).response()


@get("/")
async def front_page() -> Response[bytes]:
    """Lead to the profile."""
    return Answer(302, [(b"location", PATH.encode()), (b"cache-control", b"no-store")], b"").response()
