"""/api/gamification/users/{userId}: what the app's back end tells of a user, and reads of one. API key only."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import delete, get, put
from litestar.params import Parameter
from litestar.response import Response

from laurels.app import HISTORY_PAGE
from laurels.engine.events import MAX_NUMBER, MAX_USER_ID, check_text
from laurels.errors import InvalidInput
from laurels.http.answers import json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import BY_KEY, body, problems, ref, shows
from laurels.http.problems import InvalidParameter
from laurels.http.profile import PROFILE_EXAMPLE, Include, asked_for
from laurels.http.requests import decode, path_text, read_body
from laurels.shapes import HistoryShape, ProfileShape, UserIn, UserShape

PATH = "/api/gamification/users/{user_id:str}"

UserIdInPath = Annotated[
    str,
    Parameter(
        description="The app's own id of the user, percent-encoded", min_length=1, max_length=3 * 4 * MAX_USER_ID
    ),
]

USER_EXAMPLE = {
    "userId": "ada",
    "name": "Ada",
    "timeZone": "Europe/Berlin",
    "timeZones": [{"since": None, "timeZone": "Europe/Berlin"}],
    "joinedAt": "2026-01-05T12:00:00Z",
    "createdAt": "2026-01-05T12:00:00Z",
    "points": 150,
    "level": 2,
    "title": "Beginner",
}
HISTORY_EXAMPLE = {
    "entries": [
        {
            "revision": 3,
            "at": "2026-03-01T09:00:01Z",
            "event": {
                "id": "message-42",
                "type": "message.sent",
                "occurredAt": "2026-03-01T09:00:00Z",
                "day": "2026-03-01",
                "quantity": 1,
                "data": None,
            },
            "awards": [{"badge": "message_100", "points": 100}],
            "points": [{"amount": 100, "reason": "badge", "ref": "message_100"}],
        }
    ],
    "next": None,
}

_user = msgspec.json.Decoder(UserIn)


@put(
    PATH,
    operation_id="putUser",
    summary="Make or change a user",
    tags=["users"],
    security=BY_KEY,
    operation_class=body(ref(UserIn), {"user": {"name": "Ada", "timeZone": "Europe/Berlin"}}),
    responses=shows(UserShape, "The user as stored", USER_EXAMPLE) | problems(400, 401, 409, 410, 413, 415, 422, 503),
)
async def put_user(request: HttpRequest, user_id: UserIdInPath) -> Response[bytes]:
    """Say a user's name, time zone or joining time. What is left out stays. A time zone can be changed once in 24 hours."""
    context = context_of(request)
    await context.require_key(request.scope)
    text = await read_body(request.scope, request.receive, context.settings.body_limit)
    user = decode(_user, text)
    shape = await context.laurels.update_user(
        user_id_of(user_id), name=user.name, time_zone=user.time_zone, joined_at=user.joined_at
    )
    return json_answer(shape).response()


@get(
    PATH,
    operation_id="getUser",
    summary="A user as stored",
    tags=["users"],
    security=BY_KEY,
    responses=shows(UserShape, "The user", USER_EXAMPLE) | problems(401, 404, 422, 503),
)
async def get_user(request: HttpRequest, user_id: UserIdInPath) -> Response[bytes]:
    """Read what is stored of a user, with the dated history of time zones."""
    context = context_of(request)
    await context.require_key(request.scope)
    return json_answer(await context.laurels.user(user_id_of(user_id))).response()


@delete(
    PATH,
    operation_id="deleteUser",
    summary="Erase a user",
    tags=["users"],
    status_code=204,
    security=BY_KEY,
    responses=problems(401, 422, 503),
)
async def delete_user(request: HttpRequest, user_id: UserIdInPath) -> Response[None]:
    """Erase every trace of a user, for good. A keyed hash stays, so that a late event cannot bring the user back.
    Harmless to repeat.
    """
    context = context_of(request)
    await context.require_key(request.scope)
    await context.laurels.erase_user(user_id_of(user_id))
    return Response(None, status_code=204)


@get(
    PATH + "/profile",
    operation_id="getUserProfile",
    summary="A user's profile, for the back end",
    tags=["users"],
    security=BY_KEY,
    responses=shows(ProfileShape, "The profile", PROFILE_EXAMPLE) | problems(401, 404, 422, 503),
)
async def get_user_profile(
    request: HttpRequest, user_id: UserIdInPath, include_more: Include = None
) -> Response[bytes]:
    """Read a user's profile in the contract's shape. It earns no day."""
    context = context_of(request)
    await context.require_key(request.scope)
    include = asked_for(request.scope["query_string"])
    return json_answer(await context.laurels.profile(user_id_of(user_id), include=include)).response()


@get(
    PATH + "/history",
    operation_id="getUserHistory",
    summary="What happened to a user",
    tags=["users"],
    security=BY_KEY,
    responses=shows(HistoryShape, "A page of the history, newest first", HISTORY_EXAMPLE)
    | problems(401, 404, 422, 503),
)
async def get_user_history(
    request: HttpRequest,
    user_id: UserIdInPath,
    limit: Annotated[int, Parameter(ge=1, le=500, description="How many acts to a page")] = HISTORY_PAGE,
    before: Annotated[
        int | None,
        Parameter(ge=1, le=MAX_NUMBER, description="Only acts older than this revision: the `next` of the page before"),
    ] = None,
) -> Response[bytes]:
    """Read a user's events, awards and ledger, one entry for each act, newest first."""
    context = context_of(request)
    await context.require_key(request.scope)
    return json_answer(await context.laurels.history(user_id_of(user_id), limit, before)).response()


def user_id_of(raw: str) -> str:
    """The user id in the address. Raises InvalidParameter."""
    user_id = path_text(raw, "userId")
    try:
        check_text("userId", user_id, MAX_USER_ID)
    except InvalidInput as error:
        raise InvalidParameter("userId", str(error)) from None
    return user_id
