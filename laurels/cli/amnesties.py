"""`laurels amnesty`: days on which no activity is required, of all users or of a group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from cyclopts import Parameter

from laurels.cli import OK
from laurels.cli.adjustments import Actor
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note, when
from laurels.cli.tables import cell, console, table
from laurels.errors import AmnestyNotFound
from laurels.present.amnesties import Amnesties, Amnesty
from laurels.present.principals import who
from laurels.service.admin import Admin
from laurels.service.opening import changing, login_name, reading
from laurels.settings import Settings


def add(
    *,
    first: Annotated[date, Parameter(name="--from", help="first day, such as 2026-03-01")],
    last: Annotated[date, Parameter(name="--to", help="last day")],
    reason: Annotated[str, Parameter(help="reason, stored with it")],
    group: Annotated[str | None, Parameter(help="only for users of this group", show_default=False)] = None,
    actor: Actor = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """Excuse a range of days: they end no streak, and freezes used for them are given back.

    It takes milliseconds for any number of users: each is updated when next read or written.
    """
    by = actor or login_name()
    added = asyncio.run(_add(settings_of(database=database), first, last, reason, by, group))
    if json:
        emit(added)
    else:
        note(f"{_days(added)} excused for {_users(added)}. To undo it: laurels amnesty lift {added.id}")
    return OK


async def _add(settings: Settings, first: date, last: date, reason: str, actor: str, group: str | None) -> Amnesty:
    async with changing(settings) as laurels:
        return await Admin(laurels).add_amnesty(first, last, reason, actor, group)


def list_amnesties(*, database: Database = None, json: Json = False) -> int:
    """List all amnesties, oldest first, also those that were lifted."""
    amnesties = asyncio.run(_list(settings_of(database=database)))
    if json:
        emit(Amnesties(amnesties=list(amnesties)))
        return OK
    shown = table("id", "days", "for", "reason", "by", "since", "lifted")
    for amnesty in amnesties:
        times = when(amnesty.created_at), when(amnesty.lifted_at)
        by = who(amnesty.principal, amnesty.actor)
        cells = (amnesty.id, _days(amnesty), _users(amnesty), amnesty.reason, by, *times)
        shown.add_row(*map(cell, cells), style="dim" if amnesty.lifted_at else "")
    console().print(shown if amnesties else "No amnesties.")
    return OK


async def _list(settings: Settings) -> Sequence[Amnesty]:
    async with reading(settings) as laurels:
        return await Admin(laurels).amnesties()


def lift(
    amnesty: Annotated[str, Parameter(help="id of the amnesty")],
    *,
    reason: Annotated[str | None, Parameter(help="why, stored with it", show_default=False)] = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """End an amnesty, as if it had never been: its days are required again. It stays in the list."""
    asyncio.run(_lift(settings_of(database=database), amnesty, reason))
    if json:
        emit({"id": amnesty, "lifted": True})
    else:
        note(f"The amnesty {amnesty} is lifted.")
    return OK


async def _lift(settings: Settings, amnesty_id: str, reason: str | None) -> None:
    async with changing(settings) as laurels:
        try:
            await Admin(laurels).lift_amnesty(amnesty_id, reason, login_name())
        except AmnestyNotFound:
            raise AmnestyNotFound(
                f"there is no amnesty '{amnesty_id}' in force; 'laurels amnesty list' shows all"
            ) from None


def _days(amnesty: Amnesty) -> str:
    return f"{amnesty.first}" if amnesty.first == amnesty.last else f"{amnesty.first} to {amnesty.last}"


def _users(amnesty: Amnesty) -> str:
    return "all users" if amnesty.group is None else f"the group {amnesty.group}"
