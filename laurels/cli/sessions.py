"""`laurels user sessions` and `sign-out`: where a user is signed in, and ending it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from cyclopts import Parameter

from laurels.cli import OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import counted, emit, note, when
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import SessionNotFound, UserNotFound
from laurels.present.sessions import UserSession
from laurels.service.admin import Admin
from laurels.service.opening import existing, laurels_over, login_name
from laurels.settings import Settings

User = Annotated[str, Parameter(help="the user's id")]


def list_sessions(user: User, /, *, database: Database = None, json: Json = False) -> int:
    """List the sessions of a user that have not ended, newest first. Their tokens cannot be read."""
    from laurels.cli.tables import cell, console, table  # noqa: PLC0415  # rich loads slowly, and signing out does not need it

    check_text("USER", user, MAX_USER_ID)
    found = asyncio.run(_list(settings_of(database=database), user))
    if json:
        emit({"sessions": found})
        return OK
    shown = table("id", "created", "expires")
    for one in found:
        shown.add_row(*map(cell, (one.id, when(one.created_at), when(one.expires_at))))
    console().print(shown if found else "No sessions.")
    return OK


def sign_out(
    user: User,
    /,
    *,
    session: Annotated[
        str | None,
        Parameter(help="only the session with this id, as 'laurels user sessions' shows it", show_default=False),
    ] = None,
    reason: Annotated[str | None, Parameter(help="why, for the audit", show_default=False)] = None,
    database: Database = None,
    json: Json = False,
) -> int:
    """End all sessions of a user, at once for all servers. The user can sign in again."""
    check_text("USER", user, MAX_USER_ID)
    ended = asyncio.run(_end(settings_of(database=database), user, session, reason))
    if json:
        emit({"ended": ended})
    else:
        note(f"Ended {counted(ended, 'session')} of '{user}'.")
    return OK


async def _list(settings: Settings, user: str) -> list[UserSession]:
    async with _admin(settings, user) as admin:
        return await admin.sessions(user)


async def _end(settings: Settings, user: str, session: str | None, reason: str | None) -> int:
    async with _admin(settings, user) as admin:
        try:
            return await admin.end_sessions(user, session, reason, login_name())
        except SessionNotFound:
            raise SessionNotFound(f"the user '{user}' has no session '{session}'") from None


@asynccontextmanager
async def _admin(settings: Settings, user: str) -> AsyncIterator[Admin]:
    """Changes by the command line. It needs no catalog, so that no difference of catalogs can keep anyone from signing out."""
    async with existing(settings.database) as store:
        try:
            yield Admin(laurels_over(store, settings, None))
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user}'") from None
