"""`laurels key`: the API keys of the app's back end, and the admin keys that sign in to the console."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import msgspec
from cyclopts import Parameter

from laurels.auth.keys import Role, create_key, revoke_key, role_of_hint
from laurels.cli import NOT_FOUND, OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note, note_created, say, when
from laurels.service.clock import utc_now
from laurels.service.opening import command_line, existing, made
from laurels.settings import DatabaseSettings
from laurels.storage.contract import KeyRow, Source, Store

Name = Annotated[str, Parameter(help="name of the key, such as 'my-app'; for an admin key, of the person who uses it")]
Admin = Annotated[
    bool, Parameter(negative=(), help="create an admin key, which signs in to the console and not to the API")
]


class KeyInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A key as stored, without the key itself. `hint`: its first characters."""

    name: str
    role: Role
    hint: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


def create(
    *,
    name: Name,
    admin: Admin = False,
    create_database: Annotated[
        bool,
        Parameter(name="--create", negative=(), help="create the database if it does not exist", show_default=False),
    ] = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Create a key and print it, alone, to standard output. It is shown only once, as only its hash is stored.

    Fails if a key of this name is in use, or if the database does not exist; with --create it is created, or its schema updated.
    """
    role: Role = "admin" if admin else "app"
    at = settings_of(database=database).database
    opened = made(at, partial(note_created, at)) if create_database else existing(at, "add --create to create it")
    asyncio.run(_create(opened, name, role, json=json))
    return OK


async def _create(opened: AbstractAsyncContextManager[Store], name: str, role: Role, *, json: bool) -> None:
    """Create a key and print it. A key that cannot be printed is revoked, since no one knows it."""
    async with opened as store:
        source = Source(command_line())
        key = await create_key(store, name, utc_now(), role, source)
        try:
            if json:
                emit({"name": name, "role": role, "key": key})
            else:
                say(key)
        except OSError:
            await revoke_key(store, name, utc_now(), source)
            raise


def list_keys(*, database: Database = None, json: Json = False) -> int:
    """List all keys, oldest first, also those that were revoked."""
    from laurels.cli.tables import cell, console, table  # noqa: PLC0415  # rich loads slowly, and `create` does not need it

    rows = asyncio.run(list_stored(settings_of(database=database).database))
    if json:
        emit({"keys": [key_info(row) for row in rows]})
        return OK
    shown = table("name", "role", "begins with", "created", "last used", "revoked")
    for row in rows:
        times = map(when, (row.created_at, row.last_used_at, row.revoked_at))
        cells = (row.name, role_of_hint(row.hint), row.hint + "…", *times)
        shown.add_row(*map(cell, cells), style="dim" if row.revoked_at else "")
    console().print(shown if rows else "No keys yet. Create one with 'laurels key create --name my-app'.")
    return OK


def key_info(row: KeyRow) -> KeyInfo:
    """A stored key as it is shown."""
    return KeyInfo(row.name, role_of_hint(row.hint), row.hint, row.created_at, row.revoked_at, row.last_used_at)


async def list_stored(database: DatabaseSettings) -> Sequence[KeyRow]:
    """All keys of a database, oldest first."""
    async with existing(database) as store:
        return await store.keys()


def revoke(
    name: Annotated[str, Parameter(help="name of the key")], /, *, database: Database = None, json: Json = False
) -> int:
    """Revoke a key. All servers refuse it immediately."""
    at = datetime.now(UTC)
    if not asyncio.run(_revoke(settings_of(database=database).database, name, at)):
        note(f"laurels: there is no key '{name}' in use; 'laurels key list' shows all")
        return NOT_FOUND
    if json:
        emit({"name": name, "revokedAt": at})
    else:
        note(f"Revoked the key '{name}'.")
    return OK


async def _revoke(database: DatabaseSettings, name: str, at: datetime) -> bool:
    async with existing(database) as store:
        return await revoke_key(store, name, at, Source(command_line()))
