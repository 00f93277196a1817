"""`laurels clock`: the clock of a sandbox, which is a database for tests."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from laurels.cli import OK
from laurels.cli.options import Database, DecimalNumber, Json, settings_of
from laurels.cli.output import emit, note, note_created, say
from laurels.engine.events import check_instant
from laurels.engine.instants import read_instant
from laurels.errors import InvalidInput
from laurels.present.clock import MAX_DAYS_ON, SandboxClock
from laurels.service.admin import Admin
from laurels.service.clock import utc_now
from laurels.service.laurels import Laurels
from laurels.service.opening import laurels_over, made, reading
from laurels.settings import Settings

Mark = Annotated[
    bool,
    Parameter(
        name="--mark-as-sandbox",
        negative=(),
        help="allow it for a database that already has events recorded by the real clock",
        show_default=False,
    ),
]


def show(*, database: Database = None, json: Json = False) -> int:
    """Show the time of the database's clock, and whether it can be moved."""
    _show(asyncio.run(_read(settings_of(database=database))), json=json)
    return OK


async def _read(settings: Settings) -> SandboxClock:
    async with reading(settings) as laurels:
        return SandboxClock(now=await laurels.now(), sandbox=await laurels.sandboxed())


def set_to(
    time: Annotated[str, Parameter(help="such as 2026-03-01T09:00:00Z")],
    *,
    mark_as_sandbox: Mark = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Set the clock to a time, from which it runs on. The database becomes a sandbox, and is created if it does not exist.

    For tests only. Restart a server that runs on this database, so that it sees that it is a sandbox now.
    """
    moved = asyncio.run(_move(settings_of(database=database), _instant(time), timedelta(), mark=mark_as_sandbox))
    _show(moved, json=json)
    return OK


def advance(
    *,
    days: Annotated[
        DecimalNumber, Parameter(help="number of days of 24 hours", validator=Number(gte=0, lte=MAX_DAYS_ON))
    ] = 0,
    hours: Annotated[
        DecimalNumber, Parameter(help="number of hours", validator=Number(gte=0, lte=24 * MAX_DAYS_ON))
    ] = 0,
    mark_as_sandbox: Mark = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Move the clock forward. The database becomes a sandbox. Running servers of a sandbox use the new time immediately."""
    by = timedelta(days=days, hours=hours)
    if not by:
        raise InvalidInput("--days", "give --days or --hours")
    _show(asyncio.run(_move(settings_of(database=database), None, by, mark=mark_as_sandbox)), json=json)
    return OK


async def _move(settings: Settings, to: datetime | None, by: timedelta, *, mark: bool) -> SandboxClock:
    async with made(settings.database, partial(note_created, settings.database)) as store:
        laurels = laurels_over(store, settings, None)  # no event is judged here
        if not mark:
            await _check_sandbox(laurels)
        return SandboxClock(now=await Admin(laurels).move_clock(to, by), sandbox=True)


async def _check_sandbox(laurels: Laurels) -> None:
    """Raise InvalidInput if a moved clock would mix with events of the real clock."""
    if not await laurels.sandboxed() and (await laurels.store.counts()).events:
        raise InvalidInput(
            "--mark-as-sandbox",
            "this database has events recorded by the real clock, which must not be mixed with those of a moved clock; "
            "choose a database for tests, or add --mark-as-sandbox",
        )


def _instant(text: str) -> datetime:
    """A time, in UTC if it has no offset; any ISO 8601 form is accepted, such as a date."""
    for written in (text, f"{text}Z"):
        with suppress(InvalidInput):
            return _checked(read_instant("TIME", written))
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("TIME", f"'{text}' is not a time; write it like 2026-03-01T09:00:00Z") from None
    return _checked(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def _checked(instant: datetime) -> datetime:
    check_instant("TIME", instant)
    return instant.astimezone(UTC)


def _show(shape: SandboxClock, *, json: bool) -> None:
    if json:
        emit(shape)
        return
    say(f"{shape.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    if shape.sandbox:
        ahead = shape.now - utc_now()
        side = "ahead of" if ahead > timedelta() else "behind"
        note(f"A sandbox. Its clock is {abs(ahead).days} days {side} this machine's.")
    else:
        note("Not a sandbox: it uses this machine's clock.")
