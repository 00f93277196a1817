"""/api/gamification/sessions: the back end creates a session, the browser sends it."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from laurels.auth.sessions import COOKIE
from laurels.engine.zones import agree
from laurels.errors import InvalidInput
from laurels.http.access import ANY_SESSION, by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import Key
from laurels.http.cookies import is_secure, set_cookie
from laurels.http.endpoint import AnyRequest, Operation, Request, Result, endpoint, nothing
from laurels.http.requests import credentials
from laurels.http.responses import JSON, NO_STORE, Header, Response, encode
from laurels.present.base import as_whole
from laurels.present.sessions import MAX_LIFETIME, Ignored, Session, SessionIn
from laurels.settings import Settings

PATH = "/api/gamification/sessions"

EXAMPLE = {"token": "laurels_session_YWRh.…", "expiresAt": "2026-04-01T09:00:00Z"}
USER = {"userId": "ada", "name": "Ada", "timeZone": "Europe/Berlin"}

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
)
async def delete_session(request: Request[None, None]) -> Response:
    """End the caller's session, at once and everywhere, and remove the cookie. Without a session, nothing changes."""
    await request.context.sessions.end(credentials(request.scope))
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


ENDPOINTS = (post_session, delete_session)
