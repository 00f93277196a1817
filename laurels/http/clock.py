"""/api/gamification/clock: where the clock stands, and in a sandbox, how tests move it on."""

from __future__ import annotations

from datetime import UTC

import msgspec
from litestar import get, post
from litestar.response import Response

from laurels.errors import InvalidInput
from laurels.http.answers import json_answer
from laurels.http.context import HttpRequest, context_of
from laurels.http.openapi import BODY_PROBLEMS, BY_KEY, STORE_PROBLEMS, operation, problems, ref, shows, takes
from laurels.http.requests import decode, read_body
from laurels.present.shapes import MAX_DAYS_ON, ClockIn, SandboxClock, as_whole
from laurels.service.admin import Admin

PATH = "/api/gamification/clock"
EXAMPLE = {"now": "2026-03-01T09:00:00Z", "sandbox": True}
EXAMPLES = {"tomorrow": {"days": 1, "timeZone": "Europe/Berlin"}, "in a while": {"hours": 2.5}}

_clock = msgspec.json.Decoder(ClockIn)


@get(
    PATH,
    opt=operation(
        "getClock",
        "Where the clock stands",
        "sandbox",
        security=BY_KEY,
        answers=shows(SandboxClock, "The moment as Laurels sees it", EXAMPLE)
        | problems("unauthorized", *STORE_PROBLEMS),
    ),
)
async def get_clock(request: HttpRequest) -> Response[bytes]:
    """Read the moment as Laurels sees it, and whether this is a sandbox."""
    context = context_of(request)
    await context.require_key(request.scope)
    laurels = context.laurels
    return _shown(SandboxClock(now=await laurels.now(), sandbox=await laurels.sandboxed()))


@post(
    PATH,
    status_code=200,
    opt=operation(
        "moveClock",
        "Move a sandbox's clock on",
        "sandbox",
        security=BY_KEY,
        body=takes(ref(ClockIn), EXAMPLES),
        answers=shows(SandboxClock, "The new moment", EXAMPLE)
        | problems("unauthorized", "not-a-sandbox", *BODY_PROBLEMS, *STORE_PROBLEMS),
    ),
)
async def post_clock(request: HttpRequest) -> Response[bytes]:
    """Let time pass for everybody in a sandbox, a database for tests; any other is left alone.

    The clock runs on from there. It is never moved back, and each request counts: after a lost answer, read it first.
    """
    context = context_of(request)
    await context.require_key(request.scope)
    wanted = decode(_clock, await read_body(request.scope, request.receive, context.settings.body_limit))
    days = as_whole(wanted.days)
    if not isinstance(days, int) or not 0 <= days <= MAX_DAYS_ON:
        raise InvalidInput("days", f"must be a whole number from 0 to {MAX_DAYS_ON}")
    now = await Admin(context.laurels).advance_clock(days, wanted.hours, wanted.time_zone)
    return _shown(SandboxClock(now=now, sandbox=True))


def _shown(clock: SandboxClock) -> Response[bytes]:
    return json_answer(msgspec.structs.replace(clock, now=clock.now.astimezone(UTC))).response()
