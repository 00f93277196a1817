"""`laurels clock`: the clock of a sandbox, a database whose time can be set and moved."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from laurels.cli import OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note, say
from laurels.engine.catalog import Catalog
from laurels.engine.events import check_instant
from laurels.errors import InvalidInput
from laurels.present.shapes import MAX_DAYS_ON, SandboxClock
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels, utc_now
from laurels.service.opening import laurels_over, made, reading
from laurels.settings import Settings

Mark = Annotated[
    bool,
    Parameter(
        name="--mark-as-sandbox",
        negative=(),
        help="take a database that already holds events of the real clock",
        show_default=False,
    ),
]


def show(*, database: Database = None, json: Json = False) -> int:
    """Show where the database's clock stands, and whether it can be moved."""
    _show(asyncio.run(_read(settings_of(database=database))), json=json)
    return OK


async def _read(settings: Settings) -> SandboxClock:
    async with reading(settings) as laurels:
        return SandboxClock(now=await laurels.now(), sandbox=await laurels.sandboxed())


def set_to(
    moment: Annotated[str, Parameter(help="such as 2026-03-01T09:00:00Z")],
    *,
    mark_as_sandbox: Mark = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Set the clock to a moment, from which it runs on, and mark the database as a sandbox; it is made where it is missing.

    For tests only. A server that was started before must be started again to see that it serves a sandbox.
    """
    moved = asyncio.run(_move(settings_of(database=database), _moment(moment), timedelta(), mark=mark_as_sandbox))
    _show(moved, json=json)
    return OK


def advance(
    *,
    days: Annotated[float, Parameter(help="how many days of 24 hours", validator=Number(gte=0, lte=MAX_DAYS_ON))] = 0,
    hours: Annotated[float, Parameter(help="how many hours", validator=Number(gte=0, lte=24 * MAX_DAYS_ON))] = 0,
    mark_as_sandbox: Mark = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Move the clock on, and mark the database as a sandbox. A running server of this sandbox sees it at once."""
    by = timedelta(days=days, hours=hours)
    if not by:
        raise InvalidInput("--days", "say how far with --days or --hours")
    _show(asyncio.run(_move(settings_of(database=database), None, by, mark=mark_as_sandbox)), json=json)
    return OK


async def _move(settings: Settings, to: datetime | None, by: timedelta, *, mark: bool) -> SandboxClock:
    async with made(settings.database) as store:
        laurels = laurels_over(store, settings, Catalog.default())  # nobody is judged here
        if not mark:
            await _check_sandbox(laurels)
        return SandboxClock(now=await Admin(laurels).move_clock(to, by), sandbox=True)


async def _check_sandbox(laurels: Laurels) -> None:
    """Raise InvalidInput where moving the clock would spoil what a real clock has recorded."""
    if not await laurels.sandboxed() and (await laurels.store.counts()).events:
        raise InvalidInput(
            "--mark-as-sandbox",
            "this database holds events of the real clock, which a moved clock would spoil; "
            "name a database for tests, or add --mark-as-sandbox",
        )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("MOMENT", f"'{text}' is no moment; write it like 2026-03-01T09:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    check_instant("MOMENT", moment)
    return moment.astimezone(UTC)


def _show(shape: SandboxClock, *, json: bool) -> None:
    if json:
        emit(shape)
        return
    say(f"{shape.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    if shape.sandbox:
        ahead = shape.now - utc_now()
        note(
            f"A sandbox, its clock {abs(ahead).days} days {'ahead of' if ahead > timedelta() else 'behind'} the machine's."
        )
    else:
        note("No sandbox: the machine's clock counts.")
