"""/api/gamification/clock: reading the clock, and moving the clock of a sandbox in tests."""

from __future__ import annotations

from datetime import UTC, datetime

from laurels.errors import InvalidInput
from laurels.http.access import by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.present.base import as_whole
from laurels.present.clock import MAX_DAYS_ON, ClockIn, SandboxClock
from laurels.service.admin import Admin

PATH = "/api/gamification/clock"
EXAMPLE = {"now": "2026-03-01T09:00:00Z", "sandbox": True}
EXAMPLES = {"tomorrow": {"days": 1, "timeZone": "Europe/Berlin"}, "later": {"hours": 2.5}}


@endpoint(
    "GET",
    PATH,
    access=by_key("users:read"),
    operation=Operation("getClock", "Get clock", "sandbox"),
    result=Result(SandboxClock, "The time as Laurels sees it", EXAMPLE),
)
async def get_clock(request: Request[Key, None]) -> SandboxClock:
    """Read the time as Laurels sees it, and whether this is a sandbox."""
    laurels = request.context.laurels
    return _in_utc(await laurels.now(), sandbox=await laurels.sandboxed())


@endpoint(
    "POST",
    PATH,
    access=by_key("adjustments:write"),
    operation=Operation("moveClock", "Move the sandbox clock", "sandbox"),
    body=JsonBody([ClockIn], EXAMPLES),
    result=Result(SandboxClock, "The new time", EXAMPLE),
    problems=["not-a-sandbox"],
)
async def post_clock(request: Request[Key, ClockIn]) -> SandboxClock:
    """Move the clock forward for all users of a sandbox, a database for tests; it is refused for any other database.

    The clock runs on from there and never goes back. Each request counts: if a response was lost, read the clock first.
    """
    body = request.body
    days = as_whole(body.days)
    if not isinstance(days, int) or not 0 <= days <= MAX_DAYS_ON:
        raise InvalidInput("days", f"must be a whole number from 0 to {MAX_DAYS_ON}")
    now = await Admin(request.context.laurels).advance_clock(days, body.hours, body.time_zone)
    return _in_utc(now, sandbox=True)


def _in_utc(now: datetime, *, sandbox: bool) -> SandboxClock:
    return SandboxClock(now=now.astimezone(UTC), sandbox=sandbox)


ENDPOINTS = (get_clock, post_clock)
