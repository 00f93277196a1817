"""`laurels audit`: adjustments and everything else that was done, with who did it, as JSON lines or one JSON document."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from laurels.cli import OK
from laurels.cli.options import Database, Json, WholeNumber, settings_of
from laurels.cli.output import emit, say
from laurels.present.audit import AuditEntry
from laurels.service.audit import all_audit_entries, check_kind
from laurels.service.opening import existing
from laurels.settings import DatabaseSettings
from laurels.storage.contract import AuditFilter

MOST = 1_000_000


def audit(
    *,
    who: Annotated[
        str | None, Parameter(help="only by this key, operator, system user or program", show_default=False)
    ] = None,
    kind: Annotated[
        str | None,
        Parameter(help="only this kind, such as user.erased, adjustment or adjustment.grant", show_default=False),
    ] = None,
    user: Annotated[str | None, Parameter(help="only changes of this user", show_default=False)] = None,
    first: Annotated[date | None, Parameter(name="--from", help="first day, in UTC", show_default=False)] = None,
    last: Annotated[date | None, Parameter(name="--to", help="last day, in UTC", show_default=False)] = None,
    limit: Annotated[WholeNumber, Parameter(help="how many entries", validator=Number(gte=1, lte=MOST))] = 1000,
    database: Database = None,
    json: Json = False,
) -> int:
    """Print who did what, newest first, one JSON object to a line: adjustments, and what else was done by hand.

    With --json, print one JSON document instead.
    """
    check_kind(kind)
    until = _start(last) + timedelta(days=1) if last else None
    only = AuditFilter(who, kind, user, _start(first) if first else None, until)
    entries = asyncio.run(_print(settings_of(database=database).database, only, limit, in_lines=not json))
    if json:
        emit({"entries": entries})
    return OK


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def _print(database: DatabaseSettings, only: AuditFilter, limit: int, *, in_lines: bool) -> list[AuditEntry]:
    """Print the entries as lines while they are read, or return all of them."""
    found: list[AuditEntry] = []
    async with existing(database) as store:
        async for entries in all_audit_entries(store, only, limit):
            for entry in entries if in_lines else ():
                say(entry.to_json().decode())
            found += () if in_lines else entries
    return found
