"""`laurels catalog apply`, `adopt` and `history`: the revisions of the database's catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import msgspec
from cyclopts import Parameter
from rich.text import Text

from laurels.cli import OK
from laurels.cli.adjustments import Actor
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note, when
from laurels.cli.tables import cell, console, table
from laurels.engine.catalog import Catalog
from laurels.present.catalog import AppliedCatalog, CatalogRevision
from laurels.present.principals import who
from laurels.service.admin import Admin
from laurels.service.opening import existing, laurels_over, login_name, read_catalog
from laurels.settings import Settings

File = Annotated[str, Parameter(help="a catalog file")]
Reason = Annotated[str | None, Parameter(help="why, for the list of revisions", show_default=False)]
T = TypeVar("T")
Apply = Callable[[Admin, Catalog, str, str], Awaitable[AppliedCatalog]]


class Revisions(msgspec.Struct, frozen=True):
    """All revisions, oldest first."""

    revisions: list[CatalogRevision]


def apply(
    file: File, /, *, reason: Reason = None, actor: Actor = None, database: Database = None, json: Json = False
) -> int:
    """Put a catalog in force, as the next revision of the database's catalog. Running servers use it at once.

    Users are brought under it when next read or written; 'laurels rebuild' does it for all of them. The same file again
    changes nothing. While there is no user, it replaces the revision in force.
    """
    return _apply(Admin.apply_catalog, file, reason, actor, settings_of(database=database), json=json)


def adopt(
    file: File, /, *, reason: Reason = None, actor: Actor = None, database: Database = None, json: Json = False
) -> int:
    """Store the catalog of a database that an earlier version of Laurels made, as its first revision.

    That version stored none. A server or a command whose file has the rules of the users stores it without this command.
    Users who were judged under other rules are brought under it when next read or written.
    """
    return _apply(Admin.adopt_catalog, file, reason, actor, settings_of(database=database), json=json)


def _apply(apply: Apply, file: str, reason: str | None, actor: str | None, settings: Settings, *, json: bool) -> int:
    catalog = read_catalog(file)
    why = reason or f"the file {file}"
    applied = asyncio.run(_with(settings, lambda admin: apply(admin, catalog, why, actor or login_name())))
    if json:
        emit(applied)
    elif applied.is_new:
        note(f"Revision {applied.revision.number} of the catalog is in force, with the rules {applied.revision.rules}.")
        note("Each user is brought under it when next read or written; 'laurels rebuild' does it for all of them.")
    else:
        note(f"Revision {applied.revision.number} of the catalog has this text already; nothing changed.")
    return OK


def history(*, database: Database = None, json: Json = False) -> int:
    """List the revisions of the database's catalog, oldest first: number, rules, time, who and why."""
    revisions = asyncio.run(_with(settings_of(database=database), Admin.catalog_revisions))
    if json:
        emit(Revisions(revisions))
        return OK
    shown = table("", "applied", "by", "reason", "rules", right=("",))
    for row in revisions:
        style = "bold" if row is revisions[-1] else ""
        by = cell(who(row.principal, row.applied_by))
        shown.add_row(str(row.number), when(row.applied_at), by, cell(row.reason), row.rules, style=style)
    console().print(shown if revisions else Text("No catalog is stored yet; the first user stores it."))
    return OK


async def _with(settings: Settings, work: Callable[[Admin], Awaitable[T]]) -> T:
    async with existing(settings.database) as store:
        return await work(Admin(laurels_over(store, settings, None, "follow")))
