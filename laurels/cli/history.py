"""`laurels user history`: the events and adjustments of a user, and what they changed."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import Database, Json, WholeNumber, settings_of
from laurels.cli.output import emit, note, when
from laurels.cli.tables import cell, console, table
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import UserNotFound
from laurels.present.history import History, HistoryAdjustment, HistoryEntry, Undo
from laurels.present.principals import who
from laurels.service.opening import reading
from laurels.settings import Settings


def history(
    user: Annotated[str, Parameter(help="the user's id")],
    *,
    limit: Annotated[WholeNumber, Parameter(help="how many entries", validator=Number(gte=1, lte=1000))] = 20,
    before: Annotated[
        WholeNumber | None, Parameter(help="only entries before this revision", show_default=False)
    ] = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """Show a user's history, newest first: events, adjustments with reason and actor, and how they changed points and badges."""
    check_text("USER", user, MAX_USER_ID)
    page = asyncio.run(_read(settings_of(database=database), user, limit, before))
    if json:
        emit(page)
    else:
        _show(page)
    return OK


async def _read(settings: Settings, user_id: str, limit: int, before: int | None) -> History:
    async with reading(settings) as laurels:
        try:
            return await laurels.history(user_id, limit, before)
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user_id}'") from None


def _show(page: History) -> None:
    shown = table("rev", "recorded", "what", "id", "points", "badges", right=("rev", "points"))
    for entry in page.entries:
        gone = (entry.event is not None and entry.event.reversed) or (
            entry.adjustment is not None and entry.adjustment.undone
        )
        amount = sum(change.amount for change in entry.points)
        badges = ", ".join(award.badge for award in entry.awards)
        shown.add_row(
            str(entry.revision),
            when(entry.at),
            _what(entry),
            cell(_id(entry)),
            f"{amount:+,}" if entry.points else "",
            cell(badges),
            style="dim" if gone else "",
        )
    console().print(shown)
    if page.next is not None:
        note(f"More with --before {page.next}.")


def _id(entry: HistoryEntry) -> str:
    return entry.event.id if entry.event else entry.adjustment.id if entry.adjustment else ""


def _what(entry: HistoryEntry) -> Text:
    """As in 'message.sent × 3, reversed', or 'grant early_adopter, by ada: at our conference'."""
    if entry.adjustment:
        return Text(adjustment_line(entry.adjustment))
    if entry.event is None:
        return Text(", ".join(f"{change.reason} {change.ref}" for change in entry.points) or "profile changed")
    times = f" × {entry.event.quantity:,}" if entry.event.quantity > 1 else ""
    boosts = dict.fromkeys(change.ref for change in entry.points if change.reason == "boost")
    times += f", boost {', '.join(boosts)}" if boosts else ""
    return Text(entry.event.type + times + (", reversed" if entry.event.reversed else ""))


def adjustment_line(adjustment: HistoryAdjustment) -> str:
    """An adjustment as a line: kind, subject, actor and reason; and who undid it, with the reason if there is one."""
    about = " ".join(str(value) for value in adjustment.data.values() if value not in ("", True, False))
    kind = "points spent" if adjustment.data.get("spend") else adjustment.kind
    line = f"{kind} {about}, by {who(adjustment.principal, adjustment.actor)}: {adjustment.reason}"
    return line + (f"; {undo_line(adjustment.undo)}" if adjustment.undone else "")


def undo_line(undo: Undo | None) -> str:
    """Who undid an adjustment and why; just that it is undone if an earlier version did it."""
    if undo is None:
        return "undone"
    by = who(undo.principal, undo.actor)
    return f"undone {when(undo.at)}{f' by {by}' if by else ''}{f': {undo.reason}' if undo.reason else ''}"
