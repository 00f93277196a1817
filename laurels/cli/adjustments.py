"""`laurels user grant` and its like: what an admin tells of one user. Each counts once under its id, and can be undone."""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import emit
from laurels.cli.tables import console
from laurels.commands.events import Applied
from laurels.errors import AdjustmentNotFound, InvalidInput
from laurels.present.shapes import AdjustmentResult, NumberChange
from laurels.service.admin import Admin
from laurels.service.opening import changing

User = Annotated[str, Parameter(help="the user's id")]
Badge = Annotated[str, Parameter(help="the badge's id")]
Streak = Annotated[str, Parameter(help="the streak's name")]
Reason = Annotated[str, Parameter(help="why, for the history")]
Actor = Annotated[
    str | None, Parameter(help="who does it, for the history (default: your login name)", show_default=False)
]
Id = Annotated[
    str | None,
    Parameter(name="--id", help="the act's id: repeated, it counts once (default: a new one)", show_default=False),
]


def grant(
    user: User,
    badge: Badge,
    *,
    reason: Reason,
    id_: Id = None,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Give a user a badge with its points, whatever its condition says."""
    act = _tell(user, "grant", {"badge": badge}, reason, id_, actor)
    return _do(act, database, catalog, json=json)


def revoke(
    user: User,
    badge: Badge,
    *,
    reason: Reason,
    id_: Id = None,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Take a badge away, with the points it paid. It is not awarded again until this is undone, or the badge granted."""
    act = _tell(user, "revocation", {"badge": badge}, reason, id_, actor)
    return _do(act, database, catalog, json=json)


def adjust(
    user: User,
    amount: Annotated[int, Parameter(help="how many points; negative takes away", allow_leading_hyphen=True)],
    *,
    reason: Reason,
    id_: Id = None,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Give a user points, or take some away; never below 0."""
    act = _tell(user, "points", {"amount": amount}, reason, id_, actor)
    return _do(act, database, catalog, json=json)


def exclude(
    user: User,
    *,
    reason: Reason,
    id_: Id = None,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Keep a user off every leaderboard until this is undone; points and badges stay."""
    return _do(_tell(user, "exclusion", {}, reason, id_, actor), database, catalog, json=json)


def freeze(
    user: User,
    streak: Streak,
    count: Annotated[int, Parameter(help="how many freezes")],
    *,
    reason: Reason,
    id_: Id = None,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Give a user freezes from today on: each covers one missed day, if the whole gap can be covered."""
    act = _tell(user, "freezes", {"streak": streak, "count": count}, reason, id_, actor)
    return _do(act, database, catalog, json=json)


def pause(
    user: User,
    streak: Annotated[str, Parameter(help="the streak's name; '' for all of them")],
    *,
    first: Annotated[date, Parameter(name="--from", help="the first day, such as 2026-07-01")],
    last: Annotated[date, Parameter(name="--to", help="the last day")],
    reason: Reason,
    id_: Id = None,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Pause a user's streak: nothing is required on these days, which may have passed."""
    data = {"streak": streak, "first": _day(first), "last": _day(last)}
    return _do(_tell(user, "pause", data, reason, id_, actor), database, catalog, json=json)


def repair(
    user: User,
    streak: Streak,
    day: Annotated[date, Parameter(help="any missed day of the gap, such as 2026-03-01")],
    *,
    reason: Reason,
    id_: Id = None,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Repair one gap in a user's streak, whole: the runs on both sides are one again."""
    act = _tell(user, "repair", {"streak": streak, "day": _day(day)}, reason, id_, actor)
    return _do(act, database, catalog, json=json)


def reverse(
    user: User,
    event: Annotated[str, Parameter(help="the event's id")],
    *,
    reason: Reason,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Take an event back: metrics, days, badges, points, level and standing follow. Before its event arrives, it holds."""
    who = actor or login_name()
    return _do(lambda admin: admin.reverse(user, event, reason, who), database, catalog, json=json)


def undo(
    user: User,
    act: Annotated[
        str, Parameter(help="the act's id, as 'laurels user history' shows it; 'reversal:EVENT' for a reversal")
    ],
    *,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Undo a grant, revocation, adjustment, freeze, pause, repair or reversal. The history keeps it. Twice is harmless."""

    async def undone(admin: Admin) -> Applied:
        try:
            return await admin.undo(user, act, actor=login_name())
        except AdjustmentNotFound:
            raise AdjustmentNotFound(f"nothing was told of '{user}' under the id '{act}'") from None

    return _do(undone, database, catalog, json=json)


def login_name() -> str:
    """Who runs this command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an operating system user without a name, as some containers have
        return f"uid {os.getuid()}"


# ---- doing it ---------------------------------------------------------------------------------

Doing = Callable[[Admin], Awaitable[Applied]]


def _day(day: date) -> str:
    return f"{day:%Y-%m-%d}"


def _tell(user: str, kind: str, data: dict[str, Any], reason: str, id_: str | None, actor: str | None) -> Doing:
    """What tells this of the user."""
    adjustment_id = f"{kind}-{secrets.token_hex(8)}" if id_ is None else id_
    return lambda admin: admin.tell(user, adjustment_id, kind, data, reason, actor or login_name())


def _do(doing: Doing, database: str | None, catalog: str | None, *, json: bool) -> int:
    """Do it, and say what it changed."""
    shape = asyncio.run(_done(doing, database, catalog))
    if json:
        emit(shape)
    else:
        _show(shape)
    return OK


async def _done(doing: Doing, database: str | None, catalog: str | None) -> AdjustmentResult:
    async with changing(settings_of(database=database, catalog=catalog)) as laurels:
        try:
            return laurels.views.adjustment_result(await doing(Admin(laurels)))
        except InvalidInput as error:
            raise InvalidInput(error.field, f"{error.field}: {error}") from None


HEADLINES = {
    "applied": "Done",
    "undone": "Undone",
    "duplicate": "It was done before, and nothing changed",
}


def _show(shape: AdjustmentResult) -> None:
    to = console()
    to.print(
        Text(f"{HEADLINES[shape.status]}: {shape.kind}, {shape.user_id}, id {shape.id}", style="bold"), soft_wrap=True
    )
    for label, text in changes(shape):
        to.print(Text(f"  {label:<8} ", style="dim") + Text(text))


def changes(shape: AdjustmentResult) -> list[tuple[str, str]]:
    """What an act changed, as lines for people."""
    lines = [("badge", f"{award.icon} {award.name}, {award.points:+,} points") for award in shape.awards or []]
    lines += [("revoked", badge) for badge in shape.revoked or []]
    if shape.points:
        lines.append(("points", _change(shape.points)))
    if shape.level:
        lines.append(("level", f"{shape.level.before:,} → {shape.level.after:,} {shape.level.title}"))
    lines += [("streak", f"{name}: {_change(change)}") for name, change in (shape.streaks or {}).items()]
    return lines


def _change(change: NumberChange) -> str:
    return f"{change.before:,} → {change.after:,}"
