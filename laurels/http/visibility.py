"""PUT /api/gamification/visibility: how users want to be shown on leaderboards, by their own choice."""

from __future__ import annotations

from laurels.auth.chain import Caller
from laurels.http.access import SESSION
from laurels.http.bodies import JsonBody
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.streaks import PRIVATE
from laurels.http.users import USER_EXAMPLE
from laurels.present.users import User, VisibilityIn


@endpoint(
    "PUT",
    "/api/gamification/visibility",
    access=SESSION,
    operation=Operation("setVisibility", "Set visibility", "leaderboards"),
    body=JsonBody([VisibilityIn], {"pseudonym": {"visibility": "pseudonym"}}),
    result=Result(User, "The user", {**USER_EXAMPLE, "visibility": "pseudonym"}, headers=PRIVATE),
    problems=["user-erased"],
)
async def put_visibility(request: Request[Caller, VisibilityIn]) -> User:
    """Choose how to be shown: by name, under a made-up name that stays the same, or to no other user.

    It takes effect at once, on closed periods too. A hidden user still reads their own rank.
    """
    return await request.context.laurels.update_user(request.caller.user_id, visibility=request.body.visibility)


ENDPOINTS = (put_visibility,)
