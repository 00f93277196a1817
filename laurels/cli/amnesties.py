"""`laurels amnesty`: days on which nothing was required of anybody, or of a group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from cyclopts import Parameter

from laurels.cli import OK
from laurels.cli.adjustments import Actor, login_name
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note, when
from laurels.cli.tables import cell, console, table
from laurels.errors import AmnestyNotFound
from laurels.present.shapes import Amnesties, Amnesty
from laurels.service.admin import Admin
from laurels.service.opening import changing, reading
from laurels.settings import Settings


def add(
    *,
    first: Annotated[date, Parameter(name="--from", help="the first day, such as 2026-03-01")],
    last: Annotated[date, Parameter(name="--to", help="the last day")],
    reason: Annotated[str, Parameter(help="why, for the record")],
    group: Annotated[str | None, Parameter(help="only for users in this group", show_default=False)] = None,
    actor: Actor = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """Excuse the days from one date to another: no streak ends by them, and freezes that covered them come back.

    It takes milliseconds, however many users there are: each is brought under it when next read or written.
    """
    who = actor or login_name()
    added = asyncio.run(_add(settings_of(database=database), first, last, reason, who, group))
    if json:
        emit(added)
    else:
        note(f"Excused for {_whom(added)}: {_days(added)}. To undo it: laurels amnesty lift {added.id}")
    return OK


async def _add(settings: Settings, first: date, last: date, reason: str, actor: str, group: str | None) -> Amnesty:
    async with changing(settings) as laurels:
        return laurels.views.amnesty(await Admin(laurels).add_amnesty(first, last, reason, actor, group))


def list_amnesties(*, database: Database = None, json: Json = False) -> int:
    """List all amnesties, lifted ones too, oldest first."""
    amnesties = asyncio.run(_list(settings_of(database=database)))
    if json:
        emit(Amnesties(amnesties=list(amnesties)))
        return OK
    shown = table("id", "days", "for", "reason", "by", "since", "lifted")
    for one in amnesties:
        cells = (one.id, _days(one), _whom(one), one.reason, one.actor, when(one.created_at), when(one.lifted_at))
        shown.add_row(*map(cell, cells), style="dim" if one.lifted_at else "")
    console().print(shown if amnesties else "No amnesties.")
    return OK


async def _list(settings: Settings) -> Sequence[Amnesty]:
    async with reading(settings) as laurels:
        return [laurels.views.amnesty(row) for row in await laurels.store.amnesties()]


def lift(
    amnesty: Annotated[str, Parameter(help="the amnesty's id")], *, database: Database = None, json: Json = False
) -> int:
    """Let the days of an amnesty be required again: everything is as if it had never been, and its record stays."""
    asyncio.run(_lift(settings_of(database=database), amnesty))
    if json:
        emit({"id": amnesty, "lifted": True})
    else:
        note(f"The amnesty {amnesty} is lifted.")
    return OK


async def _lift(settings: Settings, amnesty_id: str) -> None:
    async with changing(settings) as laurels:
        try:
            await Admin(laurels).lift_amnesty(amnesty_id, actor=login_name())
        except AmnestyNotFound:
            raise AmnestyNotFound(
                f"no amnesty stands under the id '{amnesty_id}'; 'laurels amnesty list' shows all"
            ) from None


def _days(amnesty: Amnesty) -> str:
    return f"{amnesty.first}" if amnesty.first == amnesty.last else f"{amnesty.first} to {amnesty.last}"


def _whom(amnesty: Amnesty) -> str:
    return "everybody" if amnesty.group is None else f"the group {amnesty.group}"
