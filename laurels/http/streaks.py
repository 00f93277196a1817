"""Streaks: their lengths and states, and why each day counts, for the user and for the app's back end."""

from __future__ import annotations

from laurels.auth.chain import Caller
from laurels.http import costs
from laurels.http.access import SESSION, by_key
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import USER_ID
from laurels.http.profile import DAYS
from laurels.http.responses import Headers
from laurels.http.users import PATH as USER_PATH
from laurels.present.streaks import STREAK_DAYS, UserStreaks

PRIVATE: Headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Cookie")]

EXAMPLE = {
    "streaks": [
        {
            "name": "login",
            "title": "Login",
            "unit": "day",
            "length": 3,
            "status": "at_risk",
            "since": "2026-02-27",
            "endsAt": "2026-03-02T23:00:00Z",
            "endsAtLocal": "2026-03-03T00:00:00+01:00",
            "longest": 12,
            "longestFrom": "2026-01-05",
            "longestTo": "2026-01-16",
            "totalDays": 31,
            "lastDay": "2026-03-01",
            "freezes": 0,
            "neededDays": None,
            "doneDays": None,
            "days": [{"day": "2026-03-02", "why": "open"}, {"day": "2026-03-01", "why": "credited"}],
        }
    ]
}
DESCRIPTION = "All streaks, and why each day counts"


@endpoint(
    "GET",
    "/api/gamification/streaks",
    access=SESSION,
    in_languages=True,
    operation=Operation("getStreaks", "Get your streaks", "streaks"),
    parameters=[DAYS],
    result=Result(UserStreaks, DESCRIPTION, EXAMPLE, headers=PRIVATE),
    problems=["user-not-found", "erasure-pending"],
)
async def get_streaks(request: Request[Caller, None]) -> UserStreaks:
    """Read all streaks: length and status, when each would end, the longest run, and why each of the last days counts."""
    return await _streaks(request, request.caller.user_id)


@endpoint(
    "GET",
    USER_PATH + "/streaks",
    access=by_key("users:read"),
    in_languages=True,
    operation=Operation("getUserStreaks", "Get a user's streaks", "streaks"),
    parameters=[USER_ID, DAYS],
    result=Result(UserStreaks, DESCRIPTION, EXAMPLE),
    problems=["user-not-found", "erasure-pending"],
)
async def get_user_streaks(request: Request[Key, None]) -> UserStreaks:
    """Read all streaks of a user. It does not count as a login."""
    return await _streaks(request, request.path["userId"])


async def _streaks(request: Request[Caller, None] | Request[Key, None], user_id: str) -> UserStreaks:
    """The streaks of a user, counted against the caller's rate by the days they explain."""
    days = DAYS.read(request.scope) or STREAK_DAYS
    streaks = await request.context.laurels.streaks(user_id, days)
    request.context.charge(request.caller, costs.beyond(days * len(streaks.streaks), costs.DAYS))
    return streaks


ENDPOINTS = (get_streaks, get_user_streaks)
