"""PUT /api/gamification/visibility: how a user wants to be shown on leaderboards, said by themselves."""

from __future__ import annotations

import msgspec
from litestar import put
from litestar.response import Response

from laurels.http.answers import json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import BODY_PROBLEMS, BY_SESSION, STORE_PROBLEMS, operation, problems, ref, shows, takes
from laurels.http.requests import decode, read_body
from laurels.http.streaks import PRIVATE
from laurels.http.users import USER_EXAMPLE
from laurels.present.shapes import User, VisibilityIn

_visibility = msgspec.json.Decoder(VisibilityIn)


@put(
    "/api/gamification/visibility",
    status_code=200,
    opt=operation(
        "setVisibility",
        "How one is shown on leaderboards",
        "leaderboards",
        security=BY_SESSION,
        body=takes(ref(VisibilityIn), {"pseudonym": {"visibility": "pseudonym"}}),
        answers=shows(User, "The user, as stored now", {**USER_EXAMPLE, "visibility": "pseudonym"})
        | problems("unauthorized", "user-erased", *BODY_PROBLEMS, *STORE_PROBLEMS),
    ),
)
async def put_visibility(request: HttpRequest) -> Response[bytes]:
    """Choose how to be shown: by name, under an invented name that stays the same, or to nobody else.

    It holds at once, on closed periods too. A hidden user still reads their own rank.
    """
    context = context_of(request)
    caller = await context.caller(request.scope)
    said = decode(_visibility, await read_body(request.scope, request.receive, context.settings.body_limit))
    user = await context.laurels.update_user(caller.user_id, visibility=said.visibility)
    return json_answer(user, headers=PRIVATE).response()
