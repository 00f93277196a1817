"""Entitlements: what a user has unlocked in the app, for the user and for the app's back end."""

from __future__ import annotations

from laurels.auth.chain import Caller
from laurels.http.access import SESSION, by_key
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import USER_ID
from laurels.http.streaks import PRIVATE
from laurels.http.users import PATH as USER_PATH
from laurels.present.entitlements import Entitlements

EXAMPLE = {"entitlements": [{"name": "custom-avatar", "levels": [3], "badges": ["bookworm"]}]}
DESCRIPTION = "What the user has unlocked, and by which levels and badges"


@endpoint(
    "GET",
    "/api/gamification/entitlements",
    access=SESSION,
    operation=Operation("getEntitlements", "Get your entitlements", "profile"),
    result=Result(Entitlements, DESCRIPTION, EXAMPLE, headers=PRIVATE),
    problems=["user-not-found", "erasure-pending"],
)
async def get_entitlements(request: Request[Caller, None]) -> Entitlements:
    """Read what you have unlocked at present, and by which levels and badges. It does not count as a login."""
    return await request.context.laurels.entitlements(request.caller.user_id)


@endpoint(
    "GET",
    USER_PATH + "/entitlements",
    access=by_key("users:read"),
    operation=Operation("getUserEntitlements", "Get a user's entitlements", "users"),
    parameters=[USER_ID],
    result=Result(Entitlements, DESCRIPTION, EXAMPLE),
    problems=["user-not-found", "erasure-pending"],
)
async def get_user_entitlements(request: Request[Key, None]) -> Entitlements:
    """Read what a user has unlocked at present, and by which levels and badges.

    Ask when it matters, and store no copy: an entitlement is lost with the level or badge that unlocks it.
    """
    return await request.context.laurels.entitlements(request.path["userId"])


ENDPOINTS = (get_entitlements, get_user_entitlements)
