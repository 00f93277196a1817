"""`laurels key`: the API keys of the app's back end, and the admin keys that sign in to the console."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import msgspec
from cyclopts import Parameter

from laurels.auth.keys import KeyKind, Rights, create_key, kind_of_hint, remove_second_factor, revoke_key
from laurels.auth.roles import OWNER, ROLES, read_role
from laurels.auth.scopes import ABOUT, EVERY, USUAL, KeyScope, listed, read_addresses, read_age, read_scopes
from laurels.cli import NOT_FOUND, OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note, note_created, say, when
from laurels.errors import InvalidInput
from laurels.service.clock import utc_now
from laurels.service.opening import command_line, existing, made
from laurels.settings import DatabaseSettings
from laurels.storage.contract import KeyRow, Source, Store

Name = Annotated[str, Parameter(help="name of the key, such as 'my-app'; for an admin key, of the person who uses it")]
Admin = Annotated[
    bool, Parameter(negative=(), help="create an admin key, which signs in to the console and not to the API")
]
ScopeNames = Annotated[
    tuple[str, ...],
    Parameter(
        name="--scope",
        negative=(),
        show_default=False,
        help=f"what an API key may do; repeat it for several: {', '.join(ABOUT)}, or {EVERY} "
        f"(default: {', '.join(listed(USUAL))})",
    ),
]
RoleName = Annotated[
    str,
    Parameter(
        name="--role", show_default=False, help=f"what an admin key may do: {', '.join(ROLES)} (default {OWNER})"
    ),
]
Expires = Annotated[
    str,
    Parameter(
        show_default=False, help="how long the key is valid, such as 12h, 90d or 26w (default: until it is revoked)"
    ),
]
Addresses = Annotated[
    tuple[str, ...],
    Parameter(
        name="--address",
        negative=(),
        show_default=False,
        help="an IP address or network from which it may be used, such as 10.0.0.0/8; repeat it for several (default: any)",
    ),
]


class CreatedKey(msgspec.Struct, frozen=True, rename="camel"):
    """A new key, shown once, and what it may do."""

    name: str
    kind: KeyKind
    key: str
    scopes: Sequence[KeyScope]
    role: str | None
    expires_at: datetime | None
    addresses: Sequence[str]


class KeyInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A key as stored, without the key itself.

    hint           its first characters
    scopes         what an API key may do
    role           what an admin key may do; null for an API key
    second_factor  whether signing in with it needs a code as well
    """

    name: str
    kind: KeyKind
    hint: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    scopes: Sequence[KeyScope]
    role: str | None
    expires_at: datetime | None
    addresses: Sequence[str]
    second_factor: bool = False


def key_info(row: KeyRow, *, second_factor: bool = False) -> KeyInfo:
    """What is shown of a key."""
    return KeyInfo(
        *(row.name, kind_of_hint(row.hint), row.hint, row.created_at, row.revoked_at, row.last_used_at),
        *(listed(row.scopes), row.role or None, row.expires_at, row.addresses, second_factor),
    )


def create(
    *,
    name: Name,
    admin: Admin = False,
    scope: ScopeNames = (),
    role: RoleName = "",
    expires: Expires = "",
    address: Addresses = (),
    create_database: Annotated[
        bool,
        Parameter(name="--create", negative=(), help="create the database if it does not exist", show_default=False),
    ] = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Create a key and print it, alone, to standard output. It is shown only once, as only its hash is stored.

    An API key may do what its scopes name; without --scope it may not erase users nor change anything by hand.
    Fails if a key of this name is in use, or if the database does not exist; with --create it is created, or its schema updated.
    """
    kind: KeyKind = "admin" if admin else "app"
    rights = _rights(kind, scope, role, expires, address)
    at = settings_of(database=database).database
    opened = made(at, partial(note_created, at)) if create_database else existing(at, "add --create to create it")
    asyncio.run(_create(opened, name, kind, rights, json=json))
    if kind == "app" and not scope and not json:
        note(f"The key has the usual scopes, {_text(rights.scopes)}; name others with --scope.")
    return OK


def _rights(kind: KeyKind, scope: Sequence[str], role: str, expires: str, address: Sequence[str]) -> Rights:
    """What the new key may do. Raises InvalidInput."""
    if kind == "admin" and scope:
        raise InvalidInput("--scope", "an admin key has a role instead of scopes; leave out --scope, or name --role")
    if kind == "app" and role:
        raise InvalidInput("--role", "an API key has scopes instead of a role; add --admin, or leave out --role")
    return Rights(
        scopes=read_scopes(scope) if scope else USUAL,
        role=read_role(role) if role else OWNER,
        expires_at=utc_now() + read_age(expires) if expires else None,
        addresses=read_addresses(address),
    )


def _text(scopes: Iterable[str]) -> str:
    return ", ".join(listed(scopes))


async def _create(
    opened: AbstractAsyncContextManager[Store], name: str, kind: KeyKind, rights: Rights, *, json: bool
) -> None:
    """Create a key and print it. A key that cannot be printed is revoked, since no one knows it."""
    async with opened as store:
        source = Source(command_line())
        key = await create_key(store, name, utc_now(), kind, source, rights)
        try:
            if json:
                scopes, of_admin = (listed(rights.scopes), None) if kind == "app" else ([], rights.role)
                emit(CreatedKey(name, kind, key, scopes, of_admin, rights.expires_at, rights.addresses))
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
        emit({"keys": rows})
        return OK
    shown = table("name", "kind", "may", "begins with", "created", "last used", "expires", "from", "revoked")
    for row in rows:
        may = "all" if {*row.scopes} >= {*ABOUT} else row.role or _text(row.scopes)
        may += ", with a code" if row.second_factor else ""
        cells = (
            *(row.name, row.kind, may, row.hint + "…", when(row.created_at), when(row.last_used_at)),
            *(when(row.expires_at), ", ".join(row.addresses), when(row.revoked_at)),
        )
        shown.add_row(*map(cell, cells), style="dim" if row.revoked_at else "")
    console().print(shown if rows else "No keys yet. Create one with 'laurels key create --name my-app'.")
    return OK


async def list_stored(database: DatabaseSettings) -> Sequence[KeyInfo]:
    """All keys of a database, oldest first."""
    async with existing(database) as store:
        with_factor = {*await store.keys_with_second_factor()}
        return [key_info(row, second_factor=row.key_hash in with_factor) for row in await store.keys()]


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


def reset_totp(
    name: Annotated[str, Parameter(help="name of the admin key")], /, *, database: Database = None, json: Json = False
) -> int:
    """Remove the second factor of an admin key, for an operator who has lost it, and end the sessions of the key.

    The operator signs in with the key alone then. Where a second factor is required, it must be set up before anything else.
    """
    at = datetime.now(UTC)
    if not asyncio.run(_reset_totp(settings_of(database=database).database, name, at)):
        note(f"laurels: no key '{name}' in use has a second factor; 'laurels key list' shows all")
        return NOT_FOUND
    if json:
        emit({"name": name, "resetAt": at})
    else:
        note(f"Removed the second factor of the key '{name}'.")
    return OK


async def _reset_totp(database: DatabaseSettings, name: str, at: datetime) -> bool:
    async with existing(database) as store:
        key = next((key for key in await store.keys() if key.name == name and key.revoked_at is None), None)
        return key is not None and await remove_second_factor(store, key, at, Source(command_line()))
