"""/profile: the reader's level, badges and streak, and the leaderboard of all points; / redirects there."""

from __future__ import annotations

from laurels.engine.leaderboards import POINTS
from laurels.http.access import PUBLIC
from laurels.http.endpoint import Request, endpoint
from laurels.http.parameters import PAGE_PARAMETERS
from laurels.http.responses import NO_STORE, Response
from laurels.site.html import site_page
from laurels.site.texts import asked_language

PATH = "/profile"
PLAYGROUND = "/playground"
"""Where a demo serves its playground."""


@endpoint("GET", PATH, access=PUBLIC, parameters=PAGE_PARAMETERS, uses_store=False)
async def profile_page(request: Request[None, None]) -> Response:
    """Show the profile page; its elements read the data with the visitor's cookie."""
    return site_page(request, "profile.html", here=PATH, board=POINTS)


@endpoint("GET", "/", access=PUBLIC, parameters=PAGE_PARAMETERS, uses_store=False)
async def front_page(request: Request[None, None]) -> Response:
    """Redirect to the profile, in a demo to the playground; a requested language is preserved."""
    path = PLAYGROUND if request.context.playground else PATH
    lang = asked_language(request.scope)
    location = f"{path}?lang={lang}" if lang else path
    return Response(302, [(b"location", location.encode()), NO_STORE])


ENDPOINTS = (profile_page, front_page)
