"""/api/gamification/sessions: the back end asks for a session, the browser carries it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from litestar import delete, post
from litestar.response import Response

from laurels.auth.sessions import COOKIE
from laurels.errors import InvalidInput
from laurels.http.answers import NO_STORE, Scope, json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import (
    BODY_PROBLEMS,
    BY_KEY,
    BY_SESSION,
    STORE_PROBLEMS,
    operation,
    problems,
    ref,
    shows,
    shows_nothing,
    takes,
)
from laurels.http.requests import decode, read_body, session_request
from laurels.present.shapes import MAX_LIFETIME, Session, SessionIn, as_whole
from laurels.settings import Settings

PATH = "/api/gamification/sessions"

SESSION_EXAMPLE = {"token": "laurels_session_YWRh.…", "expiresAt": "2026-04-01T09:00:00Z"}

SETS_COOKIE = {"Set-Cookie": {"description": "The cookie `laurels-session`", "schema": {"type": "string"}}}

_session = msgspec.json.Decoder(SessionIn)


@post(
    PATH,
    status_code=201,
    opt=operation(
        "createSession",
        "Sign a user in",
        "sessions",
        security=BY_KEY,
        body=takes(ref(SessionIn), {"session": {"userId": "ada", "name": "Ada", "timeZone": "Europe/Berlin"}}),
        answers=shows(Session, "The session; also set as a cookie", SESSION_EXAMPLE, 201, SETS_COOKIE)
        | problems("unauthorized", "user-erased", *BODY_PROBLEMS, *STORE_PROBLEMS),
    ),
)
async def post_session(request: HttpRequest) -> Response[bytes]:
    """Make a session for a user whom the app has signed in.

    The token is shown once; the answer also sets it as the cookie `laurels-session`, which the app may pass on to the
    browser.
    """
    context = context_of(request)
    await context.require_key(request.scope)
    text = await read_body(request.scope, request.receive, context.settings.body_limit)
    wanted = decode(_session, text)
    await context.laurels.update_user(wanted.user_id, name=wanted.name, time_zone=wanted.time_zone, lenient_zone=True)
    lifetime = lifetime_of(wanted, context.settings)
    session = await context.sessions.create(wanted.user_id, lifetime)
    shape = Session(token=session.token, expires_at=session.expires_at)
    cookie = _cookie(session.token, int(lifetime.total_seconds()), request.scope)
    return json_answer(shape, status=201, headers=[NO_STORE, cookie]).response()


@delete(
    PATH,
    status_code=204,
    opt=operation(
        "endSession",
        "Sign the caller out",
        "sessions",
        security=[*BY_SESSION, {}],
        answers=shows_nothing("The caller has no session any more", SETS_COOKIE) | problems(*STORE_PROBLEMS),
    ),
)
async def delete_session(request: HttpRequest) -> Response[None]:
    """End the caller's session, at once and everywhere, and take the cookie away. Harmless without one."""
    context = context_of(request)
    await context.sessions.end(session_request(request.scope))
    response = Response[None](None, status_code=204)
    for name, value in (NO_STORE, _cookie("", 0, request.scope)):
        response.headers[name.decode()] = value.decode()
    return response


def lifetime_of(wanted: SessionIn, settings: Settings) -> timedelta:
    """How long the session is to live. Raises InvalidInput."""
    if wanted.lifetime_seconds is msgspec.UNSET:
        return timedelta(days=settings.session_days)
    seconds = as_whole(wanted.lifetime_seconds)
    if not isinstance(seconds, int) or not 1 <= seconds <= MAX_LIFETIME:
        raise InvalidInput("lifetimeSeconds", f"must be a whole number from 1 to {MAX_LIFETIME}")
    return timedelta(seconds=seconds)


def _cookie(token: str, seconds: int, scope: Scope) -> tuple[bytes, bytes]:
    """The Set-Cookie header; a lifetime of 0 takes the cookie away."""
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return b"set-cookie", f"{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}".encode()
