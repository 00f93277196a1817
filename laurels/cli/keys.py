"""`laurels key`: the API keys of the app's back end, and the admin keys that sign in to the console."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter

from laurels.auth.keys import Role, create_key, role_of_hint
from laurels.cli import NOT_FOUND, OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note, say, when
from laurels.service.laurels import utc_now
from laurels.service.opening import existing, made
from laurels.storage.contract import KeyRow

Name = Annotated[str, Parameter(help="a name to know the key by, such as 'my-app'; of an admin key, who acts by it")]
Admin = Annotated[bool, Parameter(negative=(), help="an admin key, which signs in to the console instead of the API")]


class KeyInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A key as stored: never the key itself. `hint` is how it begins."""

    name: str
    role: Role
    hint: str
    created_at: datetime
    revoked_at: datetime | None


def create(*, name: Name, admin: Admin = False, database: Database = None, json: Json = False) -> int:
    """Make a key and print it alone on standard output. It is shown this once; only a hash of it is kept.

    The database is made where it is missing. Fails where a living key has this name.
    """
    role: Role = "admin" if admin else "app"
    key = asyncio.run(_create(settings_of(database=database).database, name, role))
    if json:
        emit({"name": name, "role": role, "key": key})
    else:
        say(key)
    return OK


async def _create(database: str, name: str, role: Role) -> str:
    async with made(database) as store:
        return await create_key(store, name, utc_now(), role)


def list_keys(*, database: Database = None, json: Json = False) -> int:
    """List all keys, revoked ones too, oldest first."""
    from laurels.cli.tables import cell, console, table  # noqa: PLC0415  # rich is not for `create`: a shell waits for it

    rows = asyncio.run(_list(settings_of(database=database).database))
    if json:
        shapes = [KeyInfo(row.name, role_of_hint(row.hint), row.hint, row.created_at, row.revoked_at) for row in rows]
        emit({"keys": shapes})
        return OK
    shown = table("name", "role", "begins with", "created", "revoked")
    for row in rows:
        cells = (row.name, role_of_hint(row.hint), row.hint + "…", when(row.created_at), when(row.revoked_at))
        shown.add_row(*map(cell, cells), style="dim" if row.revoked_at else "")
    console().print(shown if rows else "No keys yet; 'laurels key create --name my-app' makes one.")
    return OK


async def _list(database: str) -> Sequence[KeyRow]:
    async with existing(database) as store:
        return await store.keys()


def revoke(
    name: Annotated[str, Parameter(help="the key's name")], /, *, database: Database = None, json: Json = False
) -> int:
    """Revoke the living key of this name. Every server refuses it from now on."""
    at = datetime.now(UTC)
    if not asyncio.run(_revoke(settings_of(database=database).database, name, at)):
        note(f"laurels: no living key is named '{name}'; 'laurels key list' shows all")
        return NOT_FOUND
    if json:
        emit({"name": name, "revokedAt": at})
    else:
        note(f"The key '{name}' is revoked.")
    return OK


async def _revoke(database: str, name: str, at: datetime) -> bool:
    async with existing(database) as store:
        return await store.revoke_key(name, at)
