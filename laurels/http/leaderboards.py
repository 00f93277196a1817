"""Leaderboards: all of them, and the lines of one within a period. For users with a session, and for the app's back end.

A leaderboard is public among the users who may read it, so a session may ask for the lines around any user; the user whose own
line is shown next to them is always the session's. To a session whose user may not read it, it does not exist.
"""

from __future__ import annotations

from typing import Any

from laurels.auth.chain import Caller
from laurels.engine.events import MAX_NAME, MAX_USER_ID
from laurels.errors import InvalidInput
from laurels.http import costs
from laurels.http.access import by_session_or_key
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import Parameter, in_path, number, text
from laurels.http.problems import InvalidParameter
from laurels.http.requests import text_of, values_of
from laurels.http.responses import Headers, Scope
from laurels.present.base import SAFE
from laurels.present.leaderboards import ClosedPeriods, LeaderboardList, LeaderboardPage
from laurels.service.leaderboards import BOARD_PAGE

PATH = "/api/gamification/leaderboards"
PRIVATE: Headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Cookie, Authorization")]

ME = "me"
"""The value of `around` that means the reader."""

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
    "previous": None,
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

BOARD = in_path("board", "The leaderboard's id", "weekly", MAX_NAME)
LIMIT = number(
    "limit",
    f"How many lines; at most {MAX_LINES_BY_SESSION} with a session. Left out with `friends`: all of them",
    MAX_LINES,
    BOARD_PAGE,
)
FRIENDS = Parameter(
    name="friends",
    description=(
        f"Only the lines of these users, at most {MAX_FRIENDS}, with their ranks on the whole leaderboard. One value may hold "
        "several ids separated by commas; ids that contain a comma are sent as values of their own, at least two"
    ),
    schema={
        "type": "array",
        "maxItems": MAX_FRIENDS,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_USER_ID, "pattern": SAFE},
    },
    more={"style": "form", "explode": True},
)
PARAMETERS: list[Parameter] = [
    BOARD,
    text("period", "`current`, `previous`, or a period's key", MAX_NAME, default="current", example="2026-W10"),
    LIMIT,
    text("after", "Only lines after this cursor: the `next` of the previous page", MAX_CURSOR),
    text("before", "Only the last lines before this cursor: the `previous` of the next page", MAX_CURSOR),
    text("around", f"The lines around this user; `{ME}` is the reader, if there is one", MAX_USER_ID),
    FRIENDS,
    text(
        "within",
        "On a leaderboard that ranks users apart: the value whose users are shown, such as `de`. By default the reader's, "
        "or the first one",
        MAX_NAME,
    ),
    text("me", "API key only: the user whose own line is shown; with a session, it is the session's", MAX_USER_ID),
]
CLOSED_LIMIT = number("limit", "How many periods", MAX_LINES, BOARD_PAGE)


@endpoint(
    "GET",
    PATH,
    access=by_session_or_key("users:read"),
    in_languages=True,
    operation=Operation("getLeaderboards", "List leaderboards", "leaderboards"),
    result=Result(
        LeaderboardList,
        "The leaderboards, in the catalog's order",
        {"leaderboards": [BOARD_EXAMPLE]},
        headers=PRIVATE,
    ),
)
async def get_leaderboards(request: Request[Caller | Key, None]) -> LeaderboardList:
    """Read what each leaderboard counts, and its current period. A session reads only those that its user may read."""
    return await request.context.laurels.leaderboards(_reader(request.caller))


@endpoint(
    "GET",
    PATH + "/{board}",
    access=by_session_or_key("users:read"),
    in_languages=True,
    operation=Operation("getLeaderboard", "Get leaderboard", "leaderboards"),
    parameters=PARAMETERS,
    result=Result(LeaderboardPage, "The lines, and the reader's own", LEADERBOARD_EXAMPLE, headers=PRIVATE),
    problems=["leaderboard-not-found", "period-not-found"],
)
async def get_leaderboard(request: Request[Caller | Key, None]) -> LeaderboardPage:
    """Read the first lines of a period, those after or before a cursor, those around a user, or those of some friends.

    Ranks are exact and count the whole leaderboard, however the lines were chosen. `me` is the line of the session's user, or
    of the user that the back end names.
    """
    scope, caller = request.scope, request.caller
    period, me, friends = text_of(scope, "period"), _me(scope, caller), _friends(scope)
    limit = LIMIT.read(scope, MAX_LINES_BY_SESSION if isinstance(caller, Caller) else MAX_LINES)
    try:
        page = await request.context.laurels.leaderboard(
            request.path["board"],
            "current" if period is None else period,
            limit=limit,
            after=text_of(scope, "after"),
            before=text_of(scope, "before"),
            around=_around(scope, me),
            friends=friends,
            me=me,
            within=text_of(scope, "within"),
            readable_by=_reader(caller),
        )
    except InvalidInput as error:
        raise InvalidParameter(error.field, str(error)) from None
    dense = page.ranked_users if page.board.ties == "dense" else 0
    cost = costs.of_lines(limit or BOARD_PAGE, len(friends or ()), page.ranked_teams + len(page.values), dense)
    request.context.charge(caller, cost)
    return page


@endpoint(
    "GET",
    PATH + "/{board}/periods",
    access=by_session_or_key("users:read"),
    operation=Operation("getClosedPeriods", "List closed periods", "leaderboards"),
    parameters=[BOARD, CLOSED_LIMIT],
    result=Result(ClosedPeriods, "The closed periods, the newest first", CLOSINGS_EXAMPLE, headers=PRIVATE),
    problems=["leaderboard-not-found"],
)
async def get_closed_periods(request: Request[Caller | Key, None]) -> ClosedPeriods:
    """Read which periods are closed and final. Read their lines as any other's, with the key as `?period=`."""
    limit = CLOSED_LIMIT.read(request.scope) or BOARD_PAGE
    return await request.context.laurels.closings(request.path["board"], limit, _reader(request.caller))


def _reader(caller: Caller | Key) -> str | None:
    """The user who must be allowed to read a leaderboard; None: the app's back end, which may read all."""
    return None if isinstance(caller, Key) else caller.user_id


def _me(scope: Scope, caller: Caller | Key) -> str | None:
    """The user whose own line is shown: the session's, or the one that the back end names."""
    named = text_of(scope, "me")
    if isinstance(caller, Key):
        return named
    if named is not None and named != caller.user_id:
        raise InvalidParameter("me", "must be the session's own user; leave it out, or send an API key")
    return caller.user_id


def _around(scope: Scope, me: str | None) -> str | None:
    """The user whose neighbours are shown. `me` is the reader; for an API key that names no reader, the user of this id."""
    around = text_of(scope, "around")
    return me or around if around == ME else around


def _friends(scope: Scope) -> list[str] | None:
    """The friends, once each; None if the parameter is missing. A single value is split at its commas."""
    values = values_of(scope["query_string"], "friends")
    if not values:
        return None
    friends = list(dict.fromkeys(values[0].split(",") if len(values) == 1 else values))
    friends = [friend for friend in friends if friend]
    if len(friends) > MAX_FRIENDS:
        raise InvalidParameter("friends", f"must be at most {MAX_FRIENDS} users, not {len(friends)}")
    return friends


ENDPOINTS = (get_leaderboards, get_leaderboard, get_closed_periods)
