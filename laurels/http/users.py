"""/api/gamification/users/{userId}: what the app's back end writes and reads about a user. API key only."""

from __future__ import annotations

from collections.abc import AsyncIterator

from laurels.engine.events import MAX_NUMBER
from laurels.errors import InvalidInput
from laurels.http import costs
from laurels.http.access import by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint, nothing
from laurels.http.parameters import REASON, USER_ID, instant, number, reason_in
from laurels.http.problems import InvalidParameter
from laurels.http.profile import DAYS, INCLUDE, PROFILE_EXAMPLE, charge, requested
from laurels.http.responses import JSON, NO_STORE, PiecewiseResponse, Response
from laurels.http.sources import source_of
from laurels.present.exports import UserExport
from laurels.present.history import History
from laurels.present.past import UserProfile
from laurels.present.profiles import Profile
from laurels.present.users import User, UserIn
from laurels.service.admin import Admin
from laurels.service.laurels import HISTORY_PAGE

PATH = "/api/gamification/users/{userId}"
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
            "adjustment": None,
            "awards": [{"badge": "message_100", "points": 100, "earnedAt": "2026-03-01T09:00:00Z"}],
            "points": [{"amount": 100, "reason": "badge", "ref": "message_100"}],
        }
    ],
    "next": None,
}

EXPORT_EXAMPLE = {
    "userId": "ada",
    "exportedAt": "2026-03-01T09:00:00Z",
    "user": USER_EXAMPLE,
    "profile": PROFILE_EXAMPLE,
    "account": [{"name": "Ada", "createdAt": "2026-01-05T12:00:00Z", "visibility": None}],
    "events": [{"eventId": "message-42", "type": "message.sent", "occurredAt": "2026-03-01T09:00:00Z"}],
    **{
        name: []
        for name in ("adjustments", "awards", "ledger", "notifications", "standings", "sessions", "former", "audit")
    },
}

LIMIT = number("limit", "How many entries to a page", MAX_PAGE, HISTORY_PAGE)
BEFORE = number("before", "Only entries older than this revision: the `next` of the previous page", MAX_NUMBER)

AS_OF = instant("asOf", "Read the profile as it was at this time")
KNOWN_AT = instant("knownAt", "With `asOf`: by what was recorded until this time; by default until `asOf`")


@endpoint(
    "PUT",
    PATH,
    access=by_key("users:write"),
    in_languages=True,
    operation=Operation("putUser", "Create or update user", "users"),
    parameters=[USER_ID],
    body=JsonBody([UserIn], {"user": {"name": "Ada", "timeZone": "Europe/Berlin"}}),
    result=Result(User, "The user", USER_EXAMPLE),
    problems=["zone-change-too-soon", "user-erased"],
)
async def put_user(request: Request[Key, UserIn]) -> User:
    """Set a user's name, time zone, joining time, groups or visibility. Fields that are left out stay as they are.

    The time zone can be changed once in 24 hours.
    """
    user = request.body
    return await request.context.laurels.update_user(
        request.path["userId"],
        name=user.name,
        time_zone=user.time_zone,
        joined_at=user.joined(),
        groups=user.groups,
        visibility=user.visibility,
        source=source_of(request.scope, request.caller),
    )


@endpoint(
    "GET",
    PATH,
    access=by_key("users:read"),
    in_languages=True,
    operation=Operation("getUser", "Get user", "users"),
    parameters=[USER_ID],
    result=Result(User, "The user", USER_EXAMPLE),
    problems=["user-not-found", "erasure-pending"],
)
async def get_user(request: Request[Key, None]) -> User:
    """Read what is stored about a user, with all time zones by date."""
    return await request.context.laurels.user(request.path["userId"])


@endpoint(
    "DELETE",
    PATH,
    access=by_key("users:erase"),
    operation=Operation("deleteUser", "Erase user", "users"),
    parameters=[USER_ID, REASON],
    result=nothing("All data of the user is erased, or the user is hidden until it will be"),
)
async def delete_user(request: Request[Key, None]) -> None:
    """Erase all data of a user for good. It is safe to repeat.

    If the operator has set `rules.erase_after_days`, the user is hidden and signed out at once, and erased after these days.
    Until then it can be undone, and the user exported; everything else about the user answers 410 `erasure-pending`.

    A keyed hash remains, so that a late event cannot create the user again. In the background, the id is replaced by a reference
    in the `data` of other users' events.
    """
    source, reason = source_of(request.scope, request.caller), reason_in(request.scope)
    await request.context.laurels.erase_user(request.path["userId"], source, reason)


@endpoint(
    "POST",
    PATH + "/restore",
    access=by_key("users:erase"),
    in_languages=True,
    operation=Operation("restoreUser", "Undo a pending erasure", "users"),
    parameters=[USER_ID, REASON],
    result=nothing("No erasure of the user is pending"),
    problems=["user-not-found", "user-erased"],
)
async def restore_user(request: Request[Key, None]) -> None:
    """Undo the erasure of a user that is pending. It is safe to repeat.

    The user is as before, except that all sessions have ended. A streak that needed a day since then has ended, too.
    """
    source, reason = source_of(request.scope, request.caller), reason_in(request.scope)
    await request.context.laurels.restore_user(request.path["userId"], source, reason)


@endpoint(
    "GET",
    PATH + "/profile",
    access=by_key("users:read"),
    in_languages=True,
    operation=Operation("getUserProfile", "Get a user's profile", "users"),
    parameters=[USER_ID, INCLUDE, DAYS, AS_OF, KNOWN_AT],
    result=Result(UserProfile, "The profile", PROFILE_EXAMPLE),
    problems=["user-not-found", "erasure-pending", "past-not-stored"],
)
async def get_user_profile(request: Request[Key, None]) -> Profile:
    """Read a user's profile, as the user sees it. It does not count as a login.

    With `asOf`, it is what a read at that time answered, without what depends on other users: `leaderboard` and `userRank` are
    null, and `include` may not have `rank` or `copies`. With `knownAt`, what was recorded about that time until then counts, too.
    """
    more, laurels = requested(request.scope), request.context.laurels
    as_of, known_at = AS_OF.read(request.scope), KNOWN_AT.read(request.scope)
    try:
        profile = await laurels.profile(request.path["userId"], as_of=as_of, known_at=known_at, **more)
    except InvalidInput as error:
        raise InvalidParameter(error.field, str(error)) from None
    charge(request, more)
    if as_of is not None:
        changes = (await laurels.core.user(request.path["userId"])).revision
        request.context.charge(request.caller, costs.beyond(changes, costs.CHANGES))
    return profile


@endpoint(
    "GET",
    PATH + "/history",
    access=by_key("users:read"),
    operation=Operation("getUserHistory", "Get a user's history", "users"),
    parameters=[USER_ID, LIMIT, BEFORE],
    result=Result(History, "A page of the history, newest first", HISTORY_EXAMPLE),
    problems=["user-not-found", "erasure-pending"],
)
async def get_user_history(request: Request[Key, None]) -> History:
    """Read a user's events, adjustments, awards and points, newest first."""
    limit = LIMIT.read(request.scope) or HISTORY_PAGE
    page = await request.context.laurels.history(request.path["userId"], limit, BEFORE.read(request.scope))
    request.context.charge(request.caller, costs.beyond(len(page.entries), costs.ENTRIES))
    return page


@endpoint(
    "GET",
    PATH + "/export",
    access=by_key("users:read"),
    operation=Operation("exportUser", "Export a user", "users"),
    parameters=[USER_ID],
    result=Result(UserExport, "Everything that is stored about the user", EXPORT_EXAMPLE),
    problems=["user-not-found"],
)
async def export_user(request: Request[Key, None]) -> Response:
    """Read everything that is stored about a user, as one document: for requests for access and portability.

    It is sent in pieces while it is read. Tokens of sessions are left out; a session shows when it began and ends.
    """
    pieces = Admin(request.context.laurels).export_user(request.path["userId"])
    return PiecewiseResponse(200, (JSON, NO_STORE), await anext(pieces), _charged(request, pieces))


async def _charged(request: Request[Key, None], pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each counted against the caller's rate when it is made."""
    total = 0
    async for piece in pieces:
        before, total = costs.beyond(total, costs.EXPORTED_BYTES), total + len(piece)
        request.context.charge(request.caller, costs.beyond(total, costs.EXPORTED_BYTES) - before)
        yield piece


ENDPOINTS = (put_user, get_user, delete_user, restore_user, get_user_profile, get_user_history, export_user)
