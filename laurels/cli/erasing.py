"""`laurels user erase` and `restore`, `laurels erasures list` and `run`: erasing users, perhaps after some days."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter

from laurels.cli import OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import counted, emit, note, when
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import InvalidInput, UserNotFound
from laurels.present.erasures import PendingUser
from laurels.present.principals import who
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.service.opening import changing
from laurels.settings import CatalogSettings, Settings
from laurels.storage.contract import AuditFilter

User = Annotated[str, Parameter(help="the user's id")]
Reason = Annotated[str | None, Parameter(help="why, for the audit", show_default=False)]


class Erased(msgspec.Struct, frozen=True, rename="camel"):
    """What was done: erased, or hidden until `erase_at`."""

    user_id: str
    erased: bool
    erase_at: datetime | None


def erase(
    user: User,
    /,
    *,
    reason: Reason = None,
    yes: Annotated[bool, Parameter(negative=(), help="do not ask for confirmation", show_default=False)] = False,
    now: Annotated[
        bool, Parameter(negative=(), help="erase at once, whatever rules.erase_after_days is", show_default=False)
    ] = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Erase all data of a user for good. With the setting rules.erase_after_days, hide the user until then.

    Asks for the user's id again, unless --yes is given. Later events of the user are refused.
    """
    check_text("USER", user, MAX_USER_ID)
    settings = settings_of(database=database)
    delay = 0 if now else settings.rules.erase_after_days
    asyncio.run(_check_known(settings, user))
    if not yes:
        _confirm(user, delay)
    erased = asyncio.run(_erase(settings, user, reason, at_once=now))
    if json:
        emit(erased)
    elif erased.erase_at:
        note(f"'{user}' is hidden, and will be erased at {when(erased.erase_at)}.")
        note(f"Until then, this undoes it: laurels user restore '{user}'")
    else:
        note(f"Erased '{user}'.")
    return OK


def _confirm(user: str, days: int) -> None:
    """Ask for the id again. Raises InvalidInput for another answer, and if no one can be asked."""
    if not sys.stdin.isatty():
        raise InvalidInput("--yes", "no one can be asked for confirmation here; add --yes to erase the user")
    what = f"This hides '{user}' now, and erases all data in {counted(days, 'day')}." if days else ""
    note(what or f"This erases all data of '{user}' for good. It cannot be undone.")
    sys.stderr.write("Type the user's id to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().rstrip("\n") != user:
        raise InvalidInput("USER", "that is not the user's id; nothing was erased")


async def _check_known(settings: Settings, user: str) -> None:
    """Raise UserNotFound for an id of which nothing is stored: a mistyped id would be blocked from then on."""
    async with _changing(settings) as laurels:
        store = laurels.store
        if await store.user(user) is not None or await store.is_erased(user):
            return
        waiting = await store.newest_adjustments(1, only=AuditFilter(user_id=user))  # maybe waiting reversals
        if not waiting:
            raise UserNotFound(f"there is no user '{user}'")


async def _erase(settings: Settings, user: str, reason: str | None, *, at_once: bool) -> Erased:
    async with _changing(settings) as laurels:
        erase_at = await laurels.erase_user(user, reason=reason, at_once=at_once)
        if erase_at is None:
            await laurels.erasures.finish()  # nothing else goes on with it after this process ends
        return Erased(user, erase_at is None, erase_at)


def restore_user(user: User, /, *, reason: Reason = None, database: Database = None, json: Json = False) -> int:
    """Undo the pending erasure of a user: all but the user's sessions is as before."""
    check_text("USER", user, MAX_USER_ID)
    was_pending = asyncio.run(_restore(settings_of(database=database), user, reason))
    if json:
        emit({"userId": user, "wasPending": was_pending})
    else:
        note(f"Restored '{user}'." if was_pending else f"No erasure of '{user}' is pending, so nothing changed.")
    return OK


async def _restore(settings: Settings, user: str, reason: str | None) -> bool:
    async with _changing(settings) as laurels:
        try:
            return await laurels.restore_user(user, reason=reason)
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user}'") from None


def list_pending(*, database: Database = None, json: Json = False) -> int:
    """List the users who are to be erased, those who are first due first, with who asked for it."""
    from laurels.cli.tables import cell, console, table  # noqa: PLC0415  # rich loads slowly, and `run` does not need it

    found = asyncio.run(_pending(settings_of(database=database)))
    if json:
        emit({"pending": found})
        return OK
    shown = table("user", "name", "erased at", "requested", "by", "reason")
    for one in found:
        by = who(one.principal, "") if one.principal else None
        times = (when(one.erase_at), when(one.requested_at))
        shown.add_row(*map(cell, (one.user_id, one.name, *times, by, one.reason)))
    console().print(shown if found else "No erasures are pending.")
    return OK


async def _pending(settings: Settings) -> list[PendingUser]:
    async with _changing(settings) as laurels:
        return await Admin(laurels).pending_erasures()


def run_due(*, database: Database = None, json: Json = False) -> int:
    """Erase the users whose pending erasures are due, and finish what earlier erasures left. A server does it every minute."""
    erased = asyncio.run(_run(settings_of(database=database)))
    if json:
        emit({"erased": erased})
    else:
        note(f"Erased {counted(erased, 'user')}.")
    return OK


async def _run(settings: Settings) -> int:
    async with _changing(settings) as laurels:
        erased = await laurels.erase_due()
        await laurels.erasures.finish()
        return erased


@asynccontextmanager
async def _changing(settings: Settings) -> AsyncIterator[Laurels]:
    """The facade over the database with its own catalog, so that no catalog file can keep anyone from erasing."""
    async with changing(msgspec.structs.replace(settings, catalog=CatalogSettings())) as laurels:
        try:
            yield laurels
        finally:
            await laurels.erasures.stop()
