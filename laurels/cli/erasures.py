"""`laurels erasures`: which users were erased, as hashes, for a later restore, and rewriting a file in which traces are left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from laurels.cli import OK
from laurels.cli.options import Database, DatabaseOptions, settings_of
from laurels.cli.output import counted, note
from laurels.errors import InvalidInput
from laurels.service.clock import utc_now
from laurels.service.erasures import rewrite
from laurels.service.opening import database_of_file, existing
from laurels.settings import DatabaseSettings
from laurels.storage.codec import to_micros
from laurels.storage.copying import Erased
from laurels.storage.secret_file import stored_keyring
from laurels.storage.secrets import Keyring, erased_mark

EVERY = 2**31 - 1

SQLITE = b"SQLite format 3\x00"
"""How an SQLite file begins."""


class Erasure(msgspec.Struct, frozen=True):
    """An erased user: the hash, in hexadecimal, and when."""

    hash: str
    at: datetime


class ErasureList(msgspec.Struct, frozen=True):
    """The file: a mark of the database whose secret made the hashes, all its erasures, and those that are pending.

    Of a pending one, `at` is when the user is to be erased.
    """

    database: str
    erasures: list[Erasure]
    pending: list[Erasure] = []


def export(
    file: Annotated[Path, Parameter(help="file to write; one with this name is replaced")],
    /,
    *,
    database: Database = None,
) -> int:
    """Write the list of all users who were erased, or are to be, into a file.

    It has times, and hashes that only this database's secret can make.
    Store it apart from the backups, and write it often. 'laurels restore BACKUP --erasures FILE' then erases in the restored
    database those users who were erased since the backup, and hides those who are to be erased until then.
    """
    found = asyncio.run(_read(settings_of(database=database).database))
    part = file.with_name(file.name + ".part")
    try:
        part.write_bytes(msgspec.json.encode(found) + b"\n")
        part.replace(file)
    except OSError as error:
        raise InvalidInput("FILE", f"cannot write '{file}': {error.strerror}") from error
    pending = f", and {len(found.pending):,} pending" if found.pending else ""
    note(f"{counted(len(found.erasures), 'erasure')}{pending} written to {file}.")
    return OK


def clean(*, database: Database = None) -> int:
    """Rewrite an SQLite file, so that nothing of erased users is left between the rows of others.

    Servers do so after an erasure, if the file has at most 64 MB. Run it for a larger one at a quiet time: servers may run
    meanwhile and read, but all that they write waits, about two seconds for each 100 MB. It needs twice the size of the file
    as free space meanwhile.
    """
    settings = settings_of(database=database)
    if not asyncio.run(_clean(settings.database)):
        fix = "docs/moving.md says when to use VACUUM FULL"
        raise InvalidInput("--database", f"{settings.database} is not an SQLite file; on PostgreSQL, {fix}")
    note("The file is rewritten.")
    return OK


async def _clean(database: DatabaseSettings) -> bool:
    async with existing(database) as store:
        done = await rewrite(store, utc_now())
        while done and not await store.clean_files():  # noqa: ASYNC110  # a long read goes on, maybe of another process
            await asyncio.sleep(1)
    return done


async def _read(database: DatabaseSettings) -> ErasureList:
    async with existing(database) as store:
        found = sorted((await store.tombstones()).items(), key=lambda one: (one[1], one[0]))
        keyring = stored_keyring(database.secret_file, await store.stored_secret())
        pending = await store.pending_erasures(EVERY)
    if keyring is None:
        raise InvalidInput(
            "database", f"{database} has no secret, so its hashes mean nothing; use one with its credentials"
        )
    due = [(keyring.tombstone(row.user_id), row.erase_at) for row in pending]
    return ErasureList(keyring.database_mark(), _listed(found), _listed(due))


def _listed(found: Sequence[tuple[bytes, datetime]]) -> list[Erasure]:
    return [Erasure(erased_mark(digest), at) for digest, at in found]


async def erased_since(source: str, keyring: Keyring, secret_file: str) -> Erased:
    """The erasures in `source`: the address of a database, a backup, or a file of 'laurels erasures export'.

    `keyring` has the keys of the database to restore, and `secret_file` is the file that may have them. Raises InvalidInput for
    a list that was made with others.
    """
    listed = _address(source) if "://" in source else _read_file(Path(source), secret_file)
    found = listed if isinstance(listed, ErasureList) else await _read(listed)
    if found.database != keyring.database_mark():
        raise InvalidInput("--erasures", f"'{source}' is of another database than the backup")
    erased, pending = (
        {bytes.fromhex(one.hash): to_micros(one.at) for one in of} for of in (found.erasures, found.pending)
    )
    return Erased(erased, keyring, pending)


def _address(address: str) -> DatabaseSettings:
    """The settings of a database at this address, with the schema of the settings."""
    return settings_of(database=DatabaseOptions(url=address)).database


def _read_file(file: Path, secret_file: str) -> ErasureList | DatabaseSettings:
    """The list in a file, or the settings of a file that is a database."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidInput("--erasures", f"cannot read '{file}': {error.strerror}") from error
    if content.startswith(SQLITE):
        return database_of_file(file, secret_file)
    try:
        return msgspec.json.decode(content, type=ErasureList)
    except (msgspec.DecodeError, ValueError) as error:
        fix = "write one with 'laurels erasures export'"
        raise InvalidInput("--erasures", f"'{file}' is neither a list of erasures nor a backup; {fix}") from error
