"""Leaderboards: all of them, and the lines of one within a period. For users with a session, and for the app's back end.

A board is public among the app's users, so a session may ask for the lines around anybody; only whose own line
stands beside them is the session's to say.
"""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.params import FromPath
from litestar.response import Response

from laurels.auth.chain import Caller
from laurels.engine.events import MAX_NAME, MAX_USER_ID
from laurels.errors import InvalidInput
from laurels.http.answers import Headers, Scope, json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import BY_BOTH, STORE_PROBLEMS, in_path, operation, problems, shows
from laurels.http.problems import InvalidParameter
from laurels.http.requests import id_in_path, text_of, values_of, whole_number
from laurels.present.shapes import SAFE, ClosedPeriods, LeaderboardList, LeaderboardPage
from laurels.service.laurels import BOARD_PAGE

PATH = "/api/gamification/leaderboards"
PRIVATE: Headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Cookie, Authorization")]

ME = "me"
"""In `around`, the reader."""

MAX_LINES = 1000
MAX_LINES_BY_SESSION = 100
MAX_FRIENDS = 200
MAX_CURSOR = 1300

BOARD_EXAMPLE: dict[str, Any] = {
    "id": "weekly",
    "name": "Weekly",
    "by": "points",
    "of": None,
    "order": "highest",
    "ties": "first",
    "groups": [],
    "teams": None,
    "visibility": "public",
    "period": "week",
    "zone": "UTC",
    "current": {
        "key": "2026-W10",
        "start": "2026-03-02T00:00:00Z",
        "end": "2026-03-09T00:00:00Z",
        "closesAt": "2026-03-10T00:00:00Z",
        "status": "running",
    },
}
STANDING_EXAMPLE = {
    "rank": 1,
    "userId": "ada",
    "name": "Ada",
    "score": 150,
    "reachedAt": "2026-03-03T09:00:00Z",
    "points": 900,
    "level": 3,
    "title": "Intermediate",
}
LEADERBOARD_EXAMPLE: dict[str, Any] = {
    "board": BOARD_EXAMPLE,
    "period": BOARD_EXAMPLE["current"],
    "standings": [STANDING_EXAMPLE],
    "me": {**STANDING_EXAMPLE, "rank": 17, "userId": "bob", "name": "Bob", "score": 50, "points": 50, "level": 1}
    | {"title": "Newcomer"},
    "rankedUsers": 240,
    "computedAt": "2026-03-04T12:00:00Z",
    "next": "k9H_agHPAAZMG0wVMsAB",
}


def _in_query(name: str, description: str, most: int, **more: Any) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": most, "pattern": SAFE, **more}
    return {"name": name, "in": "query", "description": description, "schema": schema}


PARAMETERS: list[dict[str, Any]] = [
    in_path("board", "The leaderboard's id", "weekly", MAX_NAME),
    _in_query("period", "`current`, `previous`, or a period's key", MAX_NAME, default="current")
    | {"example": "2026-W10"},
    {
        "name": "limit",
        "in": "query",
        "description": f"How many lines; at most {MAX_LINES_BY_SESSION} by a session. Left out with `friends`: all of them",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LINES, "default": BOARD_PAGE},
    },
    _in_query("after", "Only lines behind here: the `next` of the page before", MAX_CURSOR),
    _in_query("around", f"The lines around this user; `{ME}` is the reader", MAX_USER_ID),
    {
        "name": "friends",
        "in": "query",
        "description": (
            f"Only the lines of these users, at most {MAX_FRIENDS}, with their ranks on the whole board. One value may hold "
            "several ids with commas between; ids that themselves hold a comma are sent as values of their own, at least two"
        ),
        "style": "form",
        "explode": True,
        "schema": {
            "type": "array",
            "maxItems": MAX_FRIENDS,
            "items": {"type": "string", "minLength": 1, "maxLength": MAX_USER_ID, "pattern": SAFE},
        },
    },
    _in_query("me", "By key only: whose own line stands beside the others; a session's is its user's", MAX_USER_ID),
]


CLOSINGS_LIMIT = {
    "name": "limit",
    "in": "query",
    "description": "How many periods",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LINES, "default": BOARD_PAGE},
}
CLOSINGS_EXAMPLE = {
    "closings": [
        {
            "period": "2026-W09",
            "start": "2026-02-23T00:00:00Z",
            "end": "2026-03-02T00:00:00Z",
            "closedAt": "2026-03-03T00:00:21Z",
        }
    ]
}


@get(
    PATH,
    opt=operation(
        "getLeaderboards",
        "All leaderboards",
        "leaderboards",
        security=BY_BOTH,
        answers=shows(LeaderboardList, "The leaderboards, in the catalog's order", {"leaderboards": [BOARD_EXAMPLE]})
        | problems("unauthorized", *STORE_PROBLEMS),
    ),
)
async def get_leaderboards(request: HttpRequest) -> Response[bytes]:
    """Read what each leaderboard counts, and its period of now."""
    context = context_of(request)
    await context.caller_or_key(request.scope)
    return json_answer(await context.laurels.leaderboards(), headers=PRIVATE).response()


@get(
    PATH + "/{board:str}",
    opt=operation(
        "getLeaderboard",
        "Lines of a leaderboard",
        "leaderboards",
        security=BY_BOTH,
        parameters=PARAMETERS,
        answers=shows(LeaderboardPage, "The lines, and the reader's own", LEADERBOARD_EXAMPLE)
        | problems("unauthorized", "leaderboard-not-found", "period-not-found", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def get_leaderboard(request: HttpRequest, board: FromPath[str]) -> Response[bytes]:
    """Read the first lines of a period, those behind a cursor, those around a user, or those of some friends.

    Ranks are exact and those of the whole board, however the lines were chosen. `me` is the line of the session's user, or of the
    user that the back end names.
    """
    context, scope = context_of(request), request.scope
    caller = await context.caller_or_key(scope)
    period, me = text_of(scope, "period"), _me(scope, caller)
    try:
        shown = await context.laurels.leaderboard(
            id_in_path(board, "board", MAX_NAME),
            "current" if period is None else period,
            limit=whole_number(scope, "limit", most=MAX_LINES_BY_SESSION if caller else MAX_LINES),
            after=text_of(scope, "after"),
            around=_around(scope, me),
            friends=_friends(scope),
            me=me,
        )
    except InvalidInput as error:
        raise InvalidParameter(error.field, str(error)) from None
    return json_answer(shown, headers=PRIVATE).response()


@get(
    PATH + "/{board:str}/periods",
    opt=operation(
        "getClosedPeriods",
        "Closed periods of a leaderboard",
        "leaderboards",
        security=BY_BOTH,
        parameters=[PARAMETERS[0], CLOSINGS_LIMIT],
        answers=shows(ClosedPeriods, "The closed periods, the newest first", CLOSINGS_EXAMPLE)
        | problems("unauthorized", "leaderboard-not-found", "invalid-input", *STORE_PROBLEMS),
    ),
)
async def get_closed_periods(request: HttpRequest, board: FromPath[str]) -> Response[bytes]:
    """Read which periods are closed for good. Their lines are read as any other's, by `?period=` the key."""
    context, scope = context_of(request), request.scope
    await context.caller_or_key(scope)
    limit = whole_number(scope, "limit", most=MAX_LINES) or BOARD_PAGE
    closings = await context.laurels.closings(id_in_path(board, "board", MAX_NAME), limit)
    return json_answer(closings, headers=PRIVATE).response()


def _me(scope: Scope, caller: Caller | None) -> str | None:
    """Whose own line is shown: a session's user, or whom the back end names."""
    named = text_of(scope, "me")
    if caller is None:
        return named
    if named is not None and named != caller.user_id:
        raise InvalidParameter("me", "is the session's own user; leave it out, or ask with an API key")
    return caller.user_id


def _around(scope: Scope, me: str | None) -> str | None:
    """Around whom, with `me` as the reader."""
    around = text_of(scope, "around")
    if around != ME:
        return around
    if me is None:
        raise InvalidParameter("around", f"an API key is nobody: say who '{ME}' is with me=USER, or write around=USER")
    return me


def _friends(scope: Scope) -> list[str] | None:
    """The friends, once each; None where none were asked for. A single value is taken apart at its commas."""
    said = values_of(scope["query_string"], "friends")
    if not said:
        return None
    friends = list(dict.fromkeys(said[0].split(",") if len(said) == 1 else said))
    friends = [friend for friend in friends if friend]
    if len(friends) > MAX_FRIENDS:
        raise InvalidParameter("friends", f"must be at most {MAX_FRIENDS} users, not {len(friends)}")
    return friends
