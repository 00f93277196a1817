"""/api/gamification/users/{userId}: what the app's back end tells of a user, and reads of one. API key only."""

from __future__ import annotations

import msgspec
from litestar import delete, get, put
from litestar.params import FromPath
from litestar.response import Response

from laurels.engine.events import MAX_NUMBER, MAX_USER_ID
from laurels.http.answers import json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import (
    BODY_PROBLEMS,
    BY_KEY,
    DAYS,
    INCLUDE,
    STORE_PROBLEMS,
    USER_ID,
    operation,
    problems,
    ref,
    shows,
    shows_nothing,
    takes,
)
from laurels.http.profile import PROFILE_EXAMPLE, asked_for
from laurels.http.requests import decode, id_in_path, read_body, whole_number
from laurels.present.shapes import History, Profile, User, UserIn
from laurels.service.laurels import HISTORY_PAGE

PATH = "/api/gamification/users/{user_id:str}"
MAX_PAGE = 500

USER_EXAMPLE = {
    "userId": "ada",
    "name": "Ada",
    "timeZone": "Europe/Berlin",
    "timeZones": [{"since": None, "timeZone": "Europe/Berlin"}],
    "joinedAt": "2026-01-05T12:00:00Z",
    "createdAt": "2026-01-05T12:00:00Z",
    "groups": [],
    "visibility": None,
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
                "reversed": False,
            },
            "act": None,
            "awards": [{"badge": "message_100", "points": 100}],
            "points": [{"amount": 100, "reason": "badge", "ref": "message_100"}],
        }
    ],
    "next": None,
}

LIMIT = {
    "name": "limit",
    "in": "query",
    "description": "How many acts to a page",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": HISTORY_PAGE},
}
BEFORE = {
    "name": "before",
    "in": "query",
    "description": "Only acts older than this revision: the `next` of the page before",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER},
}
READ_PROBLEMS = problems("unauthorized", "user-not-found", "invalid-input", *STORE_PROBLEMS)

_user = msgspec.json.Decoder(UserIn)


@put(
    PATH,
    opt=operation(
        "putUser",
        "Make or change a user",
        "users",
        security=BY_KEY,
        parameters=[USER_ID],
        body=takes(ref(UserIn), {"user": {"name": "Ada", "timeZone": "Europe/Berlin"}}),
        answers=shows(User, "The user as stored", USER_EXAMPLE)
        | problems("unauthorized", "zone-change-too-soon", "user-erased", *BODY_PROBLEMS, *STORE_PROBLEMS),
    ),
)
async def put_user(request: HttpRequest, user_id: FromPath[str]) -> Response[bytes]:
    """Say a user's name, time zone, joining time or groups. What is left out stays. A zone can be changed once in 24 hours."""
    context = context_of(request)
    await context.require_key(request.scope)
    text = await read_body(request.scope, request.receive, context.settings.body_limit)
    user = decode(_user, text)
    shape = await context.laurels.update_user(
        user_id_of(user_id),
        name=user.name,
        time_zone=user.time_zone,
        joined_at=user.joined_at,
        groups=user.groups,
        visibility=user.visibility,
    )
    return json_answer(shape).response()


@get(
    PATH,
    opt=operation(
        "getUser",
        "A user as stored",
        "users",
        security=BY_KEY,
        parameters=[USER_ID],
        answers=shows(User, "The user", USER_EXAMPLE) | READ_PROBLEMS,
    ),
)
async def get_user(request: HttpRequest, user_id: FromPath[str]) -> Response[bytes]:
    """Read what is stored of a user, with the dated history of time zones."""
    context = context_of(request)
    await context.require_key(request.scope)
    return json_answer(await context.laurels.user(user_id_of(user_id))).response()


@delete(
    PATH,
    status_code=204,
    opt=operation(
        "deleteUser",
        "Erase a user",
        "users",
        security=BY_KEY,
        parameters=[USER_ID],
        answers=shows_nothing("Nothing of the user is left")
        | problems("unauthorized", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def delete_user(request: HttpRequest, user_id: FromPath[str]) -> Response[None]:
    """Erase every trace of a user, for good. Harmless to repeat.

    A keyed hash stays, so that a late event cannot bring the user back.
    """
    context = context_of(request)
    await context.require_key(request.scope)
    await context.laurels.erase_user(user_id_of(user_id))
    return Response(None, status_code=204)


@get(
    PATH + "/profile",
    opt=operation(
        "getUserProfile",
        "A user's profile, for the back end",
        "users",
        security=BY_KEY,
        parameters=[USER_ID, INCLUDE, DAYS],
        answers=shows(Profile, "The profile", PROFILE_EXAMPLE) | READ_PROBLEMS,
    ),
)
async def get_user_profile(request: HttpRequest, user_id: FromPath[str]) -> Response[bytes]:
    """Read a user's profile in the contract's shape. It earns no day."""
    context = context_of(request)
    await context.require_key(request.scope)
    more = asked_for(request.scope)
    return json_answer(await context.laurels.profile(user_id_of(user_id), **more)).response()


@get(
    PATH + "/history",
    opt=operation(
        "getUserHistory",
        "What happened to a user",
        "users",
        security=BY_KEY,
        parameters=[USER_ID, LIMIT, BEFORE],
        answers=shows(History, "A page of the history, newest first", HISTORY_EXAMPLE) | READ_PROBLEMS,
    ),
)
async def get_user_history(request: HttpRequest, user_id: FromPath[str]) -> Response[bytes]:
    """Read a user's events, awards and ledger, one entry for each act, newest first."""
    context = context_of(request)
    await context.require_key(request.scope)
    limit = whole_number(request.scope, "limit", most=MAX_PAGE) or HISTORY_PAGE
    before = whole_number(request.scope, "before", most=MAX_NUMBER)
    return json_answer(await context.laurels.history(user_id_of(user_id), limit, before)).response()


def user_id_of(raw: str) -> str:
    """The user id in the address. Raises InvalidParameter."""
    return id_in_path(raw, "userId", MAX_USER_ID)
