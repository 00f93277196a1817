"""/profile: the reader's level, badges and streak, and the board of all points. And / which leads there."""

from __future__ import annotations

from typing import cast

from litestar import get
from litestar.response import Response

from laurels.engine.leaderboards import POINTS
from laurels.http.answers import Answer, Scope
from laurels.http.context import HttpRequest, context_of
from laurels.site.html import site_page
from laurels.site.texts import asked_language

PATH = "/profile"
PLAYGROUND = "/playground"
"""Where a demo has its playground."""


@get(PATH)
async def profile_page(request: HttpRequest) -> Response[bytes]:
    """Show the shell of the profile; the elements in it read the rest with the visitor's cookie."""
    return site_page(request, "profile.html", here=PATH, board=POINTS).response()


@get("/")
async def front_page(request: HttpRequest) -> Response[bytes]:
    """Lead to the profile; in a demo, to the playground. A language that was asked for stays."""
    path = PLAYGROUND if context_of(request).playground else PATH
    asked = asked_language(cast(Scope, request.scope))
    location = f"{path}?lang={asked}" if asked else path
    return Answer(302, [(b"location", location.encode()), (b"cache-control", b"no-store")], b"").response()
