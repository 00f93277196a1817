"""/api/gamification/sessions: the back end creates a session, the browser sends it, and either ends it."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from laurels.auth.sessions import COOKIE
from laurels.engine.zones import agree
from laurels.errors import InvalidInput, Unauthorized
from laurels.http import costs
from laurels.http.access import ANY_SESSION, by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import KEY_PREFIXES, Key
from laurels.http.cookies import is_secure, set_cookie
from laurels.http.endpoint import AnyRequest, Operation, Request, Result, endpoint, nothing
from laurels.http.parameters import REASON, USER_ID, in_path, reason_in
from laurels.http.requests import credentials
from laurels.http.responses import JSON, NO_STORE, Header, Response, encode
from laurels.http.sources import source_of
from laurels.present.base import as_whole
from laurels.present.sessions import (
    MAX_LIFETIME,
    SESSION_ID_LENGTH,
    EndedSessions,
    Ignored,
    Session,
    SessionIn,
    UserSessions,
)
from laurels.service.admin import Admin
from laurels.settings import Settings

PATH = "/api/gamification/sessions"
OF_USER = "/api/gamification/users/{userId}/sessions"

EXAMPLE = {"token": "laurels_session_YWRh.…", "expiresAt": "2026-04-01T09:00:00Z"}
USER = {"userId": "ada", "name": "Ada", "timeZone": "Europe/Berlin"}

LISTED = {
    "id": "5d0c1f0e9b7a4c3d8e2f1a6b7c8d9e0f",
    "createdAt": "2026-03-02T09:00:00Z",
    "expiresAt": "2026-04-01T09:00:00Z",
}
SESSIONS_EXAMPLE = {"sessions": [LISTED]}
SESSION_ID = in_path("sessionId", "The id of a session in the user's list", LISTED["id"], SESSION_ID_LENGTH)

OF_A_KEY = (
    "A key has no session, so this ends none. To end those of a user, send "
    "DELETE /api/gamification/users/{userId}/sessions with a key that has the scope 'sessions:write'."
)

TOO_SOON = Ignored(field="timeZone", why="was changed less than 24 hours ago; it can be changed once in 24 hours")

SETS_COOKIE = {"Set-Cookie": {"description": "The cookie `laurels-session`", "schema": {"type": "string"}}}


@endpoint(
    "POST",
    PATH,
    access=by_key("sessions:write"),
    operation=Operation("createSession", "Create session", "sessions"),
    body=JsonBody([SessionIn], {"session": USER}),
    result=Result(Session, "The session; also set as a cookie", EXAMPLE, status=201, documented=SETS_COOKIE),
    problems=["user-erased"],
)
async def post_session(request: Request[Key, SessionIn]) -> Response:
    """Create a session for a user who has signed in to the app.

    The token is shown once; the response also sets it as the cookie `laurels-session`, which the app may pass on to the
    browser. A name or time zone that cannot be used is left out and named in `ignored`.
    """
    body, context = request.body, request.context
    name, time_zone, ignored = body.read()
    lifetime = lifetime_of(body, context.settings)
    user = await context.laurels.update_user(body.user_id, name=name, time_zone=time_zone, lenient_zone=True)
    if isinstance(time_zone, str) and not agree(user.time_zone, time_zone, await context.laurels.now()):
        ignored.append(TOO_SOON)
    session = await context.sessions.create(body.user_id, lifetime)
    cookie = _cookie(session.token, int(lifetime.total_seconds()), request)
    created = Session(token=session.token, expires_at=session.expires_at, ignored=ignored or ())
    return Response(201, (JSON, NO_STORE, cookie), encode(created))


@endpoint(
    "DELETE",
    PATH,
    access=ANY_SESSION,
    operation=Operation("endSession", "End your session", "sessions"),
    result=nothing("The caller has no session any more", SETS_COOKIE),
    problems=["unauthorized"],
)
async def delete_session(request: Request[None, None]) -> Response:
    """End the caller's session, at once and everywhere, and remove the cookie. Without a session, nothing changes.

    A key has no session. The back end ends those of a user with `DELETE /api/gamification/users/{userId}/sessions`.
    """
    sent = credentials(request.scope)
    if (sent.bearer or "").startswith(KEY_PREFIXES):
        raise Unauthorized(OF_A_KEY)
    await request.context.sessions.end(sent)
    return Response(204, (NO_STORE, _cookie("", 0, request)))


def lifetime_of(body: SessionIn, settings: Settings) -> timedelta:
    """The lifetime of the new session. Raises InvalidInput."""
    if body.lifetime_seconds is msgspec.UNSET:
        return timedelta(days=settings.auth.session_days)
    seconds = as_whole(body.lifetime_seconds)
    if not isinstance(seconds, int) or not 1 <= seconds <= MAX_LIFETIME:
        raise InvalidInput("lifetimeSeconds", f"must be a whole number from 1 to {MAX_LIFETIME}")
    return timedelta(seconds=seconds)


def _cookie(token: str, seconds: int, request: AnyRequest) -> Header:
    """The Set-Cookie header; a lifetime of 0 removes the cookie."""
    secure = is_secure(request.context.settings, request.scope)
    return set_cookie(COOKIE, token, path="/", seconds=seconds, same_site="Lax", secure=secure)


# ---- the sessions of a user, by key ------------------------------------------------------------


@endpoint(
    "GET",
    OF_USER,
    access=by_key("users:read"),
    operation=Operation("listUserSessions", "List a user's sessions", "sessions"),
    parameters=[USER_ID],
    result=Result(UserSessions, "The sessions that have not ended, newest first, at most 1000", SESSIONS_EXAMPLE),
    problems=["user-not-found", "user-erased"],
)
async def get_user_sessions(request: Request[Key, None]) -> UserSessions:
    """List the sessions of a user: their ids, when each was created and when it expires. The tokens cannot be read."""
    found = await Admin(request.context.laurels).sessions(request.path["userId"])
    request.context.charge(request.caller, costs.beyond(len(found), costs.ENTRIES))
    return UserSessions(sessions=found)


@endpoint(
    "DELETE",
    OF_USER,
    access=by_key("sessions:write"),
    operation=Operation("endUserSessions", "End a user's sessions", "sessions"),
    parameters=[USER_ID, REASON],
    result=Result(EndedSessions, "How many sessions were ended", {"ended": 2}),
    problems=["user-not-found", "user-erased"],
)
async def delete_user_sessions(request: Request[Key, None]) -> EndedSessions:
    """End all sessions of a user, at once and in all processes: after a change of password, a lost device or a ban.

    Streams of the user end within 15 seconds, and send nothing more until then. It is safe to repeat.
    """
    admin = Admin(request.context.laurels, source_of(request.scope, request.caller))
    return EndedSessions(ended=await admin.end_sessions(request.path["userId"], reason=reason_in(request.scope)))


@endpoint(
    "DELETE",
    OF_USER + "/{sessionId}",
    access=by_key("sessions:write"),
    operation=Operation("endUserSession", "End one session of a user", "sessions"),
    parameters=[USER_ID, SESSION_ID, REASON],
    result=nothing("The session has ended"),
    problems=["user-not-found", "user-erased", "session-not-found"],
)
async def delete_user_session(request: Request[Key, None]) -> None:
    """End one session of a user, by its id in the list, at once and in all processes."""
    admin = Admin(request.context.laurels, source_of(request.scope, request.caller))
    await admin.end_sessions(request.path["userId"], request.path["sessionId"], reason_in(request.scope))


ENDPOINTS = (post_session, delete_session, get_user_sessions, delete_user_sessions, delete_user_session)
