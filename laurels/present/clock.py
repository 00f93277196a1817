"""The clock of a sandbox, a database for tests whose time can be moved."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from laurels.present.base import Answer, Body, UtcTime, ZoneName

MAX_DAYS_ON = 36_500
"""The most days by which the clock of a sandbox can be moved at once."""


class ClockIn(Body, frozen=True):
    """How far the clock of a sandbox is moved forward: by calendar days in `timeZone`, then by hours."""

    days: Annotated[
        int | float,
        Meta(
            description="Calendar days: to the same time of day, however long these days last in the time zone",
            extra_json_schema={"type": "integer", "minimum": 0, "maximum": MAX_DAYS_ON},
        ),
    ] = 0
    hours: Annotated[float, Meta(ge=0, le=24 * MAX_DAYS_ON, description="Hours, added after the days")] = 0
    time_zone: ZoneName = "UTC"


class SandboxClock(Answer, frozen=True):
    """The current time as Laurels sees it, and whether the database is a sandbox, whose clock can be moved."""

    now: UtcTime
    sandbox: bool
