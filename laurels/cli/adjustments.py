"""`laurels user grant` and the other commands that change one user by hand. Each counts once under its id and can be undone.

The command of a kind of adjustment is made from its class; `reverse` and `undo` are written here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from inspect import Parameter as Argument
from inspect import Signature
from typing import Annotated, Any, cast

from cyclopts import Parameter
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import CatalogFile, Database, Json, WholeNumber, settings_of
from laurels.cli.output import counted, emit, note
from laurels.cli.tables import console
from laurels.engine.adjustments import Adjustment, kinds_for
from laurels.engine.fields import Field
from laurels.errors import AdjustmentNotFound, InvalidInput, LaurelsError
from laurels.present.adjustments import AdjustmentResult, ReversalResult
from laurels.present.changes import NumberChange
from laurels.service.admin import Admin
from laurels.service.opening import changing, login_name
from laurels.settings import Settings

User = Annotated[str, Parameter(help="the user's id")]
Reason = Annotated[str, Parameter(help="why, for the history")]
Actor = Annotated[
    str | None, Parameter(help="who does it, for the history (default: your login name)", show_default=False)
]
Id = Annotated[
    str | None,
    Parameter(
        name="--id", help="the adjustment's id: repeated, it counts once (default: a new one)", show_default=False
    ),
]

# ---- the commands of the kinds ----------------------------------------------------------------

HELPS = {
    "badge": "the badge's id",
    "streak": "the streak's name",
    "streak_or_all": "the streak's name; '' for all of them",
}
"""The help of a field whose type says it all."""

COMMON = {"reason": (Reason, Argument.empty), "id_": (Id, None), "actor": (Actor, None)}
PLACES = {"database": (Database, None), "catalog": (CatalogFile, None), "json": (Json, False)}
"""Options that every command has: their types and defaults."""


def __getattr__(name: str) -> Callable[..., int]:
    """The command of a kind of adjustment, by its name."""
    for kind in kinds_for("app"):
        if kind.command == name:
            return command_of(kind)
    raise AttributeError(name)


def command_of(kind: type[Adjustment]) -> Callable[..., int]:
    """The command that applies this kind: its fields as arguments and options, then what all of them take."""
    signature = _signature(kind)

    def command(*arguments: Any, **options: Any) -> int:
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        given = bound.arguments
        data = {field.name: _as_json(given[field.name]) for field in kind.fields()}
        apply = _apply(given["user"], kind.kind, data, given["reason"], given["id_"], given["actor"])
        return _do(apply, given["database"], given["catalog"], json=given["json"])

    command.__name__ = kind.command
    command.__doc__ = kind.meaning()
    vars(command)["__signature__"] = signature
    return command


def _signature(kind: type[Adjustment]) -> Signature:
    """The user, fields without an option's name, then options. Only a flag has a default, so that nothing is forgotten."""
    positional = [Argument("user", Argument.POSITIONAL_OR_KEYWORD, annotation=User)]
    options: list[Argument] = []
    for field in kind.fields():
        if field.option:
            default = {"flag": False, "point_kind": ""}.get(field.type, Argument.empty)
            options.append(Argument(field.name, Argument.KEYWORD_ONLY, annotation=_type_of(field), default=default))
        else:
            positional.append(Argument(field.name, Argument.POSITIONAL_OR_KEYWORD, annotation=_type_of(field)))
    options += [
        Argument(name, Argument.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in {**COMMON, **PLACES}.items()
    ]
    return Signature([*positional, *options], return_annotation=int)


def _type_of(field: Field) -> Any:
    kind: Any = {"number": WholeNumber, "date": date, "flag": bool}.get(field.type, str)
    text = HELPS.get(field.type) or field.description[0].lower() + field.description[1:]
    if field.type == "flag":
        return Annotated[kind, Parameter(name=field.option, help=text, negative="", show_default=False)]
    negative = field.type == "number" and field.least < 0
    return Annotated[kind, Parameter(name=field.option or None, help=text, allow_leading_hyphen=negative)]


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


# ---- reversing and undoing --------------------------------------------------------------------


def reverse(
    user: User,
    event: Annotated[str, Parameter(help="the event's id")],
    *more: Annotated[str, Parameter(help="ids of further events of the user")],
    reason: Reason,
    actor: Actor = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Reverse events: metrics, streaks, badges, points, level and ranks follow. It may come before its event."""
    by = actor or login_name()
    if not more:
        return _do(lambda admin: admin.reverse(user, event, reason, by), database, catalog, json=json)
    settings = settings_of(database=database, catalog=catalog)
    results = asyncio.run(_reverse_many(settings, user, (event, *more), reason, by))
    if json:
        emit({"results": results})
    else:
        statuses = Counter(result.status for result in results)
        before = f"{statuses['duplicate']:,} had been reversed before"
        note(f"Reversed {counted(statuses['applied'], 'event')} of '{user}'; {before}.")
        if statuses["pending"]:
            note(f"{counted(statuses['pending'], 'event')} not recorded yet: not counted if recorded later.")
    return OK


async def _reverse_many(
    settings: Settings, user: str, events: Sequence[str], reason: str, actor: str
) -> list[ReversalResult]:
    async with changing(settings) as laurels:
        results = await Admin(laurels).reverse_many([(user, event) for event in events], reason, actor)
    for result in results:
        if isinstance(result, LaurelsError):
            raise result
    return cast(list[ReversalResult], results)


def undo(
    user: User,
    adjustment: Annotated[
        str, Parameter(help="the adjustment's id, as 'laurels user history' shows it; 'reversal:EVENT' for a reversal")
    ],
    *,
    reason: Annotated[str | None, Parameter(help="why, for the history", show_default=False)] = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Undo an adjustment or a reversal. The history shows both. Undoing twice changes nothing."""

    async def undone(admin: Admin) -> AdjustmentResult:
        try:
            return await admin.undo(user, adjustment, reason, login_name())
        except AdjustmentNotFound:
            raise AdjustmentNotFound(f"the user '{user}' has no adjustment '{adjustment}'") from None

    return _do(undone, database, catalog, json=json)


# ---- running them -----------------------------------------------------------------------------

Doing = Callable[[Admin], Awaitable[AdjustmentResult]]


def _apply(user: str, kind: str, data: dict[str, Any], reason: str, id_: str | None, actor: str | None) -> Doing:
    adjustment_id = f"{kind}-{secrets.token_hex(8)}" if id_ is None else id_
    return lambda admin: admin.adjust(user, adjustment_id, kind, data, reason, actor or login_name())


def _do(doing: Doing, database: Database, catalog: str | None, *, json: bool) -> int:
    """Do it, and print what it changed."""
    shape = asyncio.run(_done(doing, database, catalog))
    if json:
        emit(shape)
    else:
        _show(shape)
    return OK


async def _done(doing: Doing, database: Database, catalog: str | None) -> AdjustmentResult:
    async with changing(settings_of(database=database, catalog=catalog)) as laurels:
        try:
            return await doing(Admin(laurels))
        except InvalidInput as error:
            raise InvalidInput(error.field, f"{error.field}: {error}") from None


HEADLINES = {
    "undone": "Undone",
    "pending": "Not recorded yet, and not counted if it is recorded later",
    "duplicate": "Done before, so nothing changed",
}


def _show(shape: AdjustmentResult) -> None:
    to = console()
    to.print(
        Text(f"{HEADLINES.get(shape.status, 'Done')}: {shape.kind}, {shape.user_id}, id {shape.id}", style="bold"),
        soft_wrap=True,
    )
    for label, text in changes(shape):
        to.print(Text(f"  {label:<8} ", style="dim") + Text(text))


def changes(shape: AdjustmentResult) -> list[tuple[str, str]]:
    """What an adjustment changed, as lines for people."""
    lines = [("badge", f"{award.icon} {award.name}, {award.points:+,} points") for award in shape.awards]
    lines += [("revoked", badge) for badge in shape.revoked]
    if shape.points:
        lines.append(("points", _change(shape.points)))
    if shape.balance:
        lines.append(("balance", _change(shape.balance)))
    if shape.level:
        lines.append(("level", f"{shape.level.before:,} → {shape.level.after:,} {shape.level.title}"))
    lines += [("streak", f"{name}: {_change(change)}") for name, change in shape.streaks.items()]
    return lines


def _change(change: NumberChange) -> str:
    return f"{change.before:,} → {change.after:,}"
