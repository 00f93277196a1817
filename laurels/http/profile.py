"""GET /api/gamification/profile: the contract, to the letter. The hottest path of all."""

from __future__ import annotations

import logging
from typing import TypedDict

from litestar import get
from litestar.response import Response

from laurels.errors import Overloaded, Unauthorized, UserErased, UserNotFound
from laurels.http.answers import JSON, Answer, Scope, encode
from laurels.http.context import Context, HttpRequest, context_of
from laurels.http.openapi import BY_SESSION, DAYS, INCLUDE, MAX_DAYS, operation, problems, shows
from laurels.http.problems import InvalidParameter, TooManyRequests, answer_for, profile_failed
from laurels.http.requests import values_of, whole_number
from laurels.present.shapes import Profile
from laurels.present.views import STREAK_DAYS
from laurels.service.laurels import INCLUDES

log = logging.getLogger(__name__)

PATH = "/api/gamification/profile"
PRIVATE = [JSON, (b"cache-control", b"private, no-store"), (b"vary", b"Cookie")]

PREFETCH_MARKS = (b"prefetch", b"prerender", b"preview")
PREFETCH_HEADERS = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
NEXT_HEADERS = (b"next-router-prefetch", b"x-middleware-prefetch")

PROFILE_EXAMPLE = {
    "badges": [
        {
            "id": "first_agent",
            "name": "Agent Creator",
            "description": "Create your first AI agent",
            "icon": "🤖",
            "category": "onboarding",
            "points": 50,
            "condition": "Create 1 agent",
        }
    ],
    "points": 150,
    "level": 2,
    "title": "Beginner",
    "nextLevel": 500,
    "progress": 30,
    "streak": 3,
    "badgeAwarded": "login_streak_7",
    "leaderboard": [{"userId": "ada", "name": "Ada", "points": 900, "level": 3, "title": "Intermediate"}],
    "userRank": 4,
    "availableBadges": [],
}


@get(
    PATH,
    opt=operation(
        "getProfile",
        "The caller's profile",
        "profile",
        security=BY_SESSION,
        parameters=[INCLUDE, DAYS],
        answers=shows(Profile, "The profile", PROFILE_EXAMPLE)
        | problems("unauthorized", "invalid-input", "profile-failed", "overloaded"),
    ),
)
async def get_profile(request: HttpRequest) -> Response[bytes]:
    """Read the caller's badges, points, level, streak and rank.

    Each request also counts as the day's login, unless it is a prefetch or a HEAD.
    """
    return (await read_profile(context_of(request), request.scope)).response()


async def read_profile(context: Context, scope: Scope) -> Answer:
    """The answer to a profile request: 200, 401, 422, 429, 503, or the contract's 500."""
    try:
        caller = await context.caller(scope)
        more: Requested = asked_for(scope) if scope["query_string"] else {}
        profile = await context.laurels.profile(caller.user_id, login=earns_day(scope), **more)
    except (UserNotFound, UserErased):
        return answer_for(Unauthorized())
    except (Unauthorized, Overloaded, TooManyRequests, InvalidParameter) as error:
        return answer_for(error)
    except Exception:
        log.exception("a profile could not be read")
        return profile_failed()
    return Answer(200, PRIVATE, encode(profile))


class Requested(TypedDict, total=False):
    """What a request wants of a profile beyond the contract."""

    include: list[str]
    days: int


def asked_for(scope: Scope) -> Requested:
    """What `?include=` and `?days=` ask for. Raises InvalidParameter for a name that is not known, and for other days."""
    asked = [name.strip() for value in values_of(scope["query_string"], "include") for name in value.split(",")]
    asked = [name for name in asked if name]
    for name in asked:
        if name not in INCLUDES:
            raise InvalidParameter("include", f"'{name}' is not known; use any of {', '.join(INCLUDES)}")
    return {"include": asked, "days": whole_number(scope, "days", most=MAX_DAYS) or STREAK_DAYS}


def earns_day(scope: Scope) -> bool:
    """Whether a request is a person's own visit: no HEAD, no prefetch, no link from a foreign site to this address."""
    if scope.get("laurels.head"):
        return False
    cross_site = navigates = False
    for name, value in scope["headers"]:
        if name in PREFETCH_HEADERS and any(mark in value.lower() for mark in PREFETCH_MARKS):
            return False
        if name in NEXT_HEADERS:
            return False
        cross_site = cross_site or (name == b"sec-fetch-site" and value == b"cross-site")
        navigates = navigates or (name == b"sec-fetch-mode" and value == b"navigate")
    return not (cross_site and navigates)
