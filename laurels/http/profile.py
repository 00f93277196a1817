"""GET /api/gamification/profile: exactly the contract. The busiest endpoint."""

from __future__ import annotations

import logging
from typing import TypedDict

from laurels.auth.chain import Caller
from laurels.engine.parsing import excerpt
from laurels.errors import Overloaded, Unauthorized, UserErased, UserNotFound
from laurels.http import costs
from laurels.http.access import SESSION
from laurels.http.context import Key
from laurels.http.endpoint import AnyRequest, Operation, Request, Result, endpoint
from laurels.http.parameters import Parameter, number
from laurels.http.problems import (
    BadRequest,
    HeadTooLarge,
    InvalidParameter,
    TooManyRequests,
    problem_response,
    profile_failed,
)
from laurels.http.requests import values_of
from laurels.http.responses import Headers, Response, Scope
from laurels.present.profiles import Profile
from laurels.present.streaks import STREAK_DAYS
from laurels.service.profiles import INCLUDES

log = logging.getLogger(__name__)

PATH = "/api/gamification/profile"
PRIVATE: Headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Cookie")]
MAX_DAYS = 366

PREFETCH_MARKS = (b"prefetch", b"prerender", b"preview")
PREFETCH_HEADERS = frozenset((b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"))
NEXT_HEADERS = frozenset((b"next-router-prefetch", b"x-middleware-prefetch"))
"""Headers that the router of a JavaScript framework sends with a prefetch."""

PURPOSE_HEADERS = PREFETCH_HEADERS | NEXT_HEADERS | {b"sec-fetch-site", b"sec-fetch-mode"}
"""All headers that say what a request is for."""

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


DAYS = number("days", "For how many days (or weeks, or months) streaks explain why each counts", MAX_DAYS, STREAK_DAYS)
INCLUDE = Parameter(
    name="include",
    description="Fields beyond the eleven of the contract, separated by commas",
    schema={"type": "array", "items": {"enum": list(INCLUDES)}},
    more={"style": "form", "explode": False, "example": ["next", "rank"]},
)


def profile_error(_: AnyRequest, error: Exception) -> Response:
    """The response to an error: 400, 401, 422, 429, 431, 503, or the contract's 500 for anything else."""
    if isinstance(error, UserNotFound | UserErased):
        error = Unauthorized()
    if isinstance(error, Unauthorized | Overloaded | TooManyRequests | InvalidParameter | BadRequest | HeadTooLarge):
        return problem_response(error)
    log.error("a profile could not be read", exc_info=error)
    return profile_failed()


@endpoint(
    "GET",
    PATH,
    access=SESSION,
    in_languages=True,
    operation=Operation("getProfile", "Get your profile", "profile"),
    parameters=[INCLUDE, DAYS],
    result=Result(Profile, "The profile", PROFILE_EXAMPLE, headers=PRIVATE),
    problems=["profile-failed"],
    uses_store=False,  # a database failure is answered with `profile-failed`
    error_response=profile_error,
)
async def get_profile(request: Request[Caller, None]) -> Profile:
    """Read the caller's badges, points, level, streak and rank.

    Each request also counts as the day's login, unless it is a prefetch or a HEAD.
    """
    scope = request.scope
    if not scope["query_string"]:
        return await request.context.laurels.profile(request.caller.user_id, login=is_visit(scope))
    more = requested(scope)
    profile = await request.context.laurels.profile(request.caller.user_id, login=is_visit(scope), **more)
    charge(request, more)
    return profile


class Requested(TypedDict):
    """What a request adds to the contract's profile."""

    include: list[str]
    days: int


def requested(scope: Scope) -> Requested:
    """The values of `?include=` and `?days=`. Raises InvalidParameter for an unknown name or a wrong number of days."""
    names = [name.strip() for value in values_of(scope["query_string"], "include") for name in value.split(",")]
    names = [name for name in names if name]
    for name in names:
        if name not in INCLUDES:
            raise InvalidParameter("include", f"'{excerpt(name)}' is unknown; use any of {', '.join(INCLUDES)}")
    return {"include": names, "days": DAYS.read(scope) or STREAK_DAYS}


def charge(request: Request[Caller, None] | Request[Key, None], more: Requested) -> None:
    """Count what a profile includes against the caller's rate."""
    catalog = request.context.laurels.catalog
    cost = costs.of_profile(more["include"], more["days"], len(catalog.badges), len(catalog.streaks))
    request.context.charge(request.caller, cost)


def is_visit(scope: Scope) -> bool:
    """Whether a request is a visit of its user: not a HEAD, a prefetch, or a link to this address on another site."""
    purposes = [pair for pair in scope["headers"] if pair[0] in PURPOSE_HEADERS]
    if is_prefetch(scope["method"], purposes):
        return False
    return not ((b"sec-fetch-site", b"cross-site") in purposes and (b"sec-fetch-mode", b"navigate") in purposes)


def is_prefetch(method: str, headers: Headers) -> bool:
    """Whether a request is a prefetch or a HEAD."""
    if method == "HEAD":
        return True
    for name, value in headers:
        if name in NEXT_HEADERS:
            return True
        if name in PREFETCH_HEADERS and any(mark in value.lower() for mark in PREFETCH_MARKS):
            return True
    return False


ENDPOINTS = (get_profile,)
