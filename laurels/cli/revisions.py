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
from laurels.cli.options import Database, Json, WholeNumber, settings_of
from laurels.cli.output import counted, emit, note, when
from laurels.cli.tables import cell, console, count_progress, table
from laurels.engine.catalog import Catalog
from laurels.present.catalog import AppliedCatalog, CatalogRevision
from laurels.present.principals import who
from laurels.service.admin import Admin
from laurels.service.opening import existing, laurels_over, login_name, read_catalog
from laurels.settings import Settings

File = Annotated[str, Parameter(help="a catalog file")]
Reason = Annotated[str | None, Parameter(help="why, for the list of revisions", show_default=False)]
PlanTokenText = Annotated[
    str | None, Parameter(name="--plan", help="the token of a plan; another one is refused", show_default=False)
]
Silent = Annotated[
    bool, Parameter(help="do not notify users of what they get or lose by it", negative="", show_default=False)
]
T = TypeVar("T")
Apply = Callable[[Admin, Catalog, str, str], Awaitable[AppliedCatalog]]


class Revisions(msgspec.Struct, frozen=True):
    """All revisions, oldest first."""

    revisions: list[CatalogRevision]


def apply(
    file: File,
    /,
    *,
    plan: PlanTokenText = None,
    silent: Silent = False,
    reason: Reason = None,
    actor: Actor = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """Put a catalog in force, as the next revision of the database's catalog. Running servers use it at once.

    Users are brought under it when next read or written; with --plan, all of them at once, and 'laurels rebuild' does it, too.
    The same file again changes nothing. While there is no user, it replaces the revision in force.
    """
    settings, catalog = settings_of(database=database), read_catalog(file)
    why = (reason or f"the file {file}", actor or login_name())

    def apply_it(admin: Admin) -> Awaitable[AppliedCatalog]:
        return admin.apply_catalog(catalog, *why, plan=plan, silent=silent)

    return asyncio.run(_apply_planned(settings, plan, json, apply_it))


def rollback(
    number: Annotated[WholeNumber, Parameter(help="the number of an earlier revision")],
    /,
    *,
    plan: PlanTokenText = None,
    silent: Silent = False,
    reason: Reason = None,
    actor: Actor = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """Put the catalog of an earlier revision in force again, as the next revision, as 'laurels catalog apply' does.

    'laurels catalog plan --rollback N' shows what that would do. Badges that users earned since stay.
    """
    settings = settings_of(database=database)
    why = (reason or f"back to revision {number}", actor or login_name())

    def apply_it(admin: Admin) -> Awaitable[AppliedCatalog]:
        return admin.rollback_catalog(number, *why, plan=plan, silent=silent)

    return asyncio.run(_apply_planned(settings, plan, json, apply_it))


async def _apply_planned(
    settings: Settings, plan: str | None, json: bool, apply: Callable[[Admin], Awaitable[AppliedCatalog]]
) -> int:
    """Apply a catalog; with a plan, bring all users under it at once, with a progress bar."""
    async with existing(settings.database) as store:
        admin = Admin(laurels_over(store, settings, None, "follow"))
        applied = await apply(admin)
        if json:
            emit(applied)
        else:
            _note_applied(applied, planned=plan is not None)
        if plan is not None:
            with count_progress("Bringing users under it", (await store.counts()).users) as update:
                await admin.fill(update)
    return OK


def _note_applied(applied: AppliedCatalog, *, planned: bool) -> None:
    if not applied.is_new:
        note(f"Revision {applied.revision.number} of the catalog has this text already; nothing changed.")
        return
    note(f"Revision {applied.revision.number} of the catalog is in force, with the rules {applied.revision.rules}.")
    if not planned:
        note("Each user is brought under it when next read or written; 'laurels rebuild' does it for all of them.")
    elif applied.moved is None:
        note("Who changed since the plan could not be read; the catalog is in force.")
    elif applied.moved:
        users = counted(len(applied.moved), "user")
        note(f"{users} changed since the plan, which may not be right for them: {', '.join(applied.moved)}")


def adopt(
    file: File, /, *, reason: Reason = None, actor: Actor = None, database: Database = None, json: Json = False
) -> int:
    """Store the catalog of a database that an earlier version of Laurels made, as its first revision.

    That version stored none. A server or a command whose file has the rules of the users stores it without this command.
    Users who were judged under other rules are brought under it when next read or written.
    """
    return _adopt(Admin.adopt_catalog, file, reason, actor, settings_of(database=database), json=json)


def _adopt(apply: Apply, file: str, reason: str | None, actor: str | None, settings: Settings, *, json: bool) -> int:
    catalog = read_catalog(file)
    why = reason or f"the file {file}"
    applied = asyncio.run(_with(settings, lambda admin: apply(admin, catalog, why, actor or login_name())))
    if json:
        emit(applied)
    else:
        _note_applied(applied, planned=False)
    return OK


def history(*, database: Database = None, json: Json = False) -> int:
    """List the revisions of the database's catalog, oldest first: number, rules, time, who and why, and whether it was silent."""
    revisions = asyncio.run(_with(settings_of(database=database), Admin.catalog_revisions))
    if json:
        emit(Revisions(revisions))
        return OK
    shown = table("", "applied", "by", "reason", "rules", "users notified", right=("",))
    for row in revisions:
        style = "bold" if row is revisions[-1] else ""
        by = cell(who(row.principal, row.applied_by))
        what = (cell(row.reason), row.rules, "no" if row.silent else "yes")
        shown.add_row(str(row.number), when(row.applied_at), by, *what, style=style)
    console().print(shown if revisions else Text("No catalog is stored yet; the first user stores it."))
    return OK


async def _with(settings: Settings, work: Callable[[Admin], Awaitable[T]]) -> T:
    async with existing(settings.database) as store:
        return await work(Admin(laurels_over(store, settings, None, "follow")))
