"""`laurels secret`: the keys behind cursors, invented names, references and the hashes of erased users, in a file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from cyclopts import Parameter

from laurels.cli import OK
from laurels.cli.options import Database, Json, settings_of
from laurels.cli.output import emit, note
from laurels.errors import SettingsError
from laurels.service.clock import utc_now
from laurels.service.opening import command_line, existing
from laurels.service.secrets import SecretFile
from laurels.settings import DatabaseSettings
from laurels.storage.contract import Source
from laurels.storage.secret_file import Keys, shown

T = TypeVar("T")

COPY = "Keep a copy of the file apart from the backups of the database: without it, no backup can be used."
LEFT = "Earlier backups and PostgreSQL's archives still have the secret."
AGAIN = "run 'laurels secret move' again when no backup is running."
NOT_CLEAN = {
    "sqlite": f"The database's files may still have the secret, because its log is in use; {AGAIN}",
    "postgresql": f"PostgreSQL may still have the secret in the table's file; {AGAIN}",
}
"""What is said when the files could not be cleaned, for each engine."""


class FileInfo(msgspec.Struct, frozen=True):
    """The file after a command, and whether it changed anything.

    key   the first digits of the fingerprint of its newest key
    old   those of the key that is being replaced; null without one
    clean  whether the files of the database have nothing left of a moved secret; null after a command that moves none
    """

    file: str
    changed: bool
    key: str
    created: datetime
    old: str | None
    clean: bool | None = None


def move(*, database: Database = None, json: Json = False) -> int:
    """Move the database's secret into the file of the setting database.secret_file, which is created, readable by its owner.

    Nothing of it stays in the database, except in its earlier backups. Invented names, references, cursors and erased users stay
    as they are. Servers may run meanwhile; start them again with the setting. It can be repeated after an interruption.
    """
    settings = _settings(database)

    async def run(secret: SecretFile) -> tuple[Keys, bool, bool]:
        return *await secret.move(), await _cleaned(secret)

    keys, changed, is_clean = asyncio.run(_with_file(settings, run))
    if json:
        emit(msgspec.structs.replace(_info(settings, keys, changed=changed), clean=is_clean))
    else:
        done = f"The keys of the database are in {settings.secret_file}"
        note(f"{done} now. {LEFT}" if changed else f"{done} already.")
        note(COPY)
    if not is_clean:
        note(NOT_CLEAN["sqlite" if str(settings.url).startswith("sqlite:") else "postgresql"])
    return OK


def rotate(*, database: Database = None, json: Json = False) -> int:
    """Make a new key, which is used from now on for cursors and hashes of erased users. The one before is still accepted.

    Running servers take it within a second, if they read the same file. If servers run on other machines, copy the file there at
    once: until then, they refuse new users with 503. It can be repeated after an interruption.
    """
    settings = _settings(database)
    keys = asyncio.run(_with_file(settings, SecretFile.rotate))
    if json:
        emit(_info(settings, keys, changed=True))
    else:
        note(
            f"{settings.secret_file} has a new key, {shown(keys.newest.fingerprint)}. Servers take it within a second."
        )
        note(
            "Copy the file to other machines with servers now, and renew the copy that you keep apart from the backups."
        )
        note(
            "When all servers have it, end the rotation with 'laurels secret drop-old', which says what stops working."
        )
    return OK


def drop_old(
    *,
    new_names: Annotated[
        bool,
        Parameter(negative=(), help="change all invented names, which stay the same otherwise", show_default=False),
    ] = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """End a rotation: the key before is used no longer. Cursors and tokens of plans that were made with it are refused.

    Erased users stay erased, and invented names and references stay the same: what they need of the key is kept in the file. With
    --new-names, all pseudonymous users get other names.
    """
    settings = _settings(database)

    async def run(secret: SecretFile) -> Keys:
        return await secret.drop_old(new_names=new_names)

    keys = asyncio.run(_with_file(settings, run))
    if json:
        emit(_info(settings, keys, changed=True))
        return OK
    note(
        "Cursors from before the rotation are refused with 422: who has such a page open begins again. So are tokens of plans."
    )
    note("Erased users stay erased, also in restored backups. References to users stay the same.")
    note("All invented names have changed." if new_names else "Invented names stay the same.")
    note("Copy the file to other machines with servers, and renew the copy that you keep.")
    return OK


def _settings(database: Database) -> DatabaseSettings:
    """The database of the settings. Raises SettingsError if they name no file."""
    settings = settings_of(database=database).database
    if not settings.secret_file:
        raise SettingsError("name the file: set database.secret_file or LAURELS_SECRET_FILE, or give --secret-file")
    return settings


async def _with_file(settings: DatabaseSettings, work: Callable[[SecretFile], Awaitable[T]]) -> T:
    async with existing(settings) as store:
        source = Source(command_line())
        return await work(SecretFile(store, settings.secret_file, source, str(settings.url), utc_now))


async def _cleaned(secret: SecretFile) -> bool:
    """Whether the database's files have nothing left of the secret, as far as that can be known."""
    return await secret.store.clean_secrets()


def _info(settings: DatabaseSettings, keys: Keys, *, changed: bool) -> FileInfo:
    old = shown(keys.old.fingerprint) if keys.old else None
    newest = keys.newest
    return FileInfo(settings.secret_file, changed, shown(newest.fingerprint), newest.created, old)
