"""`laurels copy`, `backup` and `restore`: a whole database into another one, of the same or another engine."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from cyclopts import Parameter

from laurels.cli import OK, REJECTED
from laurels.cli.erasures import EVERY, erased_since
from laurels.cli.keys import KeyInfo, list_stored
from laurels.cli.maintenance import save_maintenance_run
from laurels.cli.options import CatalogFile, Database, DatabaseOptions, Json, settings_of
from laurels.cli.output import counted, emit, note, size, when
from laurels.cli.tables import count_progress
from laurels.cli.verify import show, verify_all
from laurels.errors import CatalogDiffers, InvalidInput, MigrationError, NotEmpty, SettingsError
from laurels.present.verification import Verification
from laurels.service.admin import Admin
from laurels.service.audit import audit_row
from laurels.service.clock import utc_now
from laurels.service.laurels import Laurels
from laurels.service.opening import (
    command_line,
    database_file,
    database_of_file,
    existing,
    given_catalog,
    laurels_over,
    made_to_fill,
)
from laurels.service.readable import ALL_READERS, check_catalog
from laurels.settings import DatabaseSettings, Settings
from laurels.storage import check_schema
from laurels.storage.columns import CREDENTIALS, SECRETS
from laurels.storage.contract import AuditKind, Source, Store
from laurels.storage.copying import copy as copy_store
from laurels.storage.secret_file import StoredSecret, shown, stored_keyring
from laurels.storage.secrets import Keyring

Rows = Mapping[str, int]


def schema_of(side: str) -> Parameter:
    """The option for the schema of one side of a copy."""
    return Parameter(help=f"PostgreSQL schema of {side} (default: the setting database.schema)", show_default=False)


class Copied(msgspec.Struct, frozen=True):
    """The number of rows of each table, the result of comparing every user of the copy with a recomputation, and active keys.

    Because of `--erasures`, `erased` users were erased in the copy, and `hidden` users are to be erased.
    """

    ok: bool
    rows: Rows
    verified: Verification
    keys: Sequence[KeyInfo]
    erased: int = 0
    hidden: int = 0


class _Copied(NamedTuple):
    """The number of rows of each table, of users who were then erased in the copy, and of those who are to be."""

    rows: Rows
    erased: int
    hidden: int


class BackedUp(msgspec.Struct, frozen=True):
    """The backup's file, its size in bytes, and the number of rows of each table."""

    file: str
    bytes: int
    rows: Rows


WithoutCredentials = Annotated[
    bool,
    Parameter(negative=(), help="leave out keys, sessions and the database's secret", show_default=False),
]


def copy(
    from_: Annotated[str, Parameter(name="FROM", help="address of the database to copy; it is only read")],
    to: Annotated[str, Parameter(name="TO", help="address of an empty database; a file is created")],
    /,
    *,
    from_schema: Annotated[str | None, schema_of("FROM")] = None,
    to_schema: Annotated[str | None, schema_of("TO")] = None,
    without_credentials: WithoutCredentials = False,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Copy FROM into TO, read it back, and compare every user with a recomputation, as 'laurels verify' does.

    Servers may run on FROM meanwhile, but TO does not get what they write after the start: stop them to move to another
    database. If the copy is interrupted, TO stays empty; run it again. The exit code is 1 if a user differs, in FROM as well.
    FROM and TO can be two schemas of one PostgreSQL database. The active keys that came along are listed. For a test system, use
    --without-credentials.
    """
    source = _side(from_, from_schema, "--from-schema")
    settings = msgspec.structs.replace(settings_of(catalog=catalog), database=_side(to, to_schema, "--to-schema"))
    _check_places(source, settings.database, "FROM and TO")
    asyncio.run(_check_catalog(settings, source))
    full = "TO is not empty; choose an empty database"
    if without_credentials:
        settings = _with_own_secret(settings)
    copied = asyncio.run(_copy(source, settings.database, "FROM", full, _left_out(without_credentials)))
    asyncio.run(_note(settings.database, "database.copied", str(source.url)))
    return _finished(settings, copied, json=json)


def backup(
    file: Annotated[Path, Parameter(help="file to write")],
    /,
    *,
    force: Annotated[bool, Parameter(negative=(), help="replace an existing file", show_default=False)] = False,
    without_credentials: WithoutCredentials = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Write the database, as it is now, into one SQLite file, and read it back. Servers may run meanwhile.

    The file contains personal data, and unless --without-credentials is given, hashes of keys and sessions; only its owner may
    read it. It appears when it is complete. It is a database: check it with 'laurels verify --database sqlite:///FILE', or fill
    an empty one from it with 'laurels restore FILE'. The time of the last backup is stored in the database.
    """
    settings = settings_of(database=database)
    _check_places(settings.database, database_of_file(file), "the database and its backup")
    if file.exists() and not (force and file.is_file()):
        raise InvalidInput("FILE", f"'{file}' already exists; choose another name, or replace it with --force")
    with _appearing(file) as part:
        left_out = _left_out(without_credentials)
        secret_file = "" if without_credentials else settings.database.secret_file
        target = database_of_file(part, secret_file)
        rows = asyncio.run(_copy(settings.database, target, "the database", without=left_out, for_use=False)).rows
    asyncio.run(_note(settings.database, "database.backed_up", str(file.absolute())))
    done = BackedUp(str(file), file.stat().st_size, rows)
    save_maintenance_run(settings, "backup", {"bytes": done.bytes, "users": rows["users"], "rows": sum(rows.values())})
    if json:
        emit(done)
    else:
        note(f"{_totals(rows)} backed up to {file}, {size(done.bytes)}, and read back without a difference.")
        _show_needed(database_of_file(file, settings.database.secret_file))
    return OK


def restore(
    file: Annotated[Path, Parameter(help="a backup, or any SQLite database that is not in use")],
    /,
    *,
    erasures: Annotated[
        str | None,
        Parameter(
            help="erase who was erased since the backup: a file of 'laurels erasures export', or the database or a newer backup",
            show_default=False,
        ),
    ] = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Fill the database of the settings, which must be empty, from a backup; read it back, and verify every user.

    The database is created if it does not exist. If the restore is interrupted, it stays empty; run it again. The exit code is
    1 if a user differs from a recomputation, in the backup as well. The active keys that came along are listed: revoke those that
    you do not know.
    """
    settings = settings_of(database=database, catalog=catalog)
    if not file.is_file():
        raise InvalidInput("FILE", f"there is no file '{file}'")
    source = database_of_file(file, settings.database.secret_file)
    _check_places(source, settings.database, "the backup and the database of the settings")
    asyncio.run(_check_catalog(settings, source))
    full = "the database of the settings is not empty; choose an empty one with --database"
    copied = asyncio.run(_copy(source, settings.database, str(file), full, erasures=erasures))
    asyncio.run(_note(settings.database, "database.restored", str(file.absolute())))
    if not json:
        _show_erasures(copied, erasures)
    return _finished(settings, copied, json=json)


# ---- copying ----------------------------------------------------------------------------------


def _side(address: str, schema: str | None, option: str) -> DatabaseSettings:
    """One side of a copy. Without the option, the schema of the settings is that of each PostgreSQL address."""
    if schema is not None:
        try:
            check_schema(schema)
        except SettingsError as error:
            raise InvalidInput(option, f"{option}: {error}") from error
    return settings_of(database=DatabaseOptions(url=address, schema=schema)).database


def _check_places(source: DatabaseSettings, target: DatabaseSettings, names: str) -> None:
    """Raise SettingsError if the target is the source, or a database in memory."""
    if target.url.reveal() in ("sqlite://", "sqlite:///:memory:"):
        raise SettingsError("a copy in memory would be lost when this command ends; choose a file or a server")
    files = [file.resolve() for file in (database_file(one.url.reveal()) for one in (source, target)) if file]
    if (source.url, source.schema) == (target.url, target.schema) or (len(files) == 2 and files[0] == files[1]):  # noqa: PLR2004  # source and target
        raise SettingsError(f"{names} are the same")


async def _check_catalog(settings: Settings, source: DatabaseSettings) -> None:
    """Raise CatalogDiffers if the settings name a catalog that is not the source's, before anything is copied."""
    given = given_catalog(settings.catalog.file)
    if given:
        async with existing(source) as store:
            await laurels_over(store, settings, given).follow_catalog()


def _left_out(without_credentials: bool) -> Collection[str]:
    return CREDENTIALS if without_credentials else ()


async def _copy(
    source: DatabaseSettings,
    target: DatabaseSettings,
    name: str,
    full: str = "",
    without: Collection[str] = (),
    erasures: str | None = None,
    *,
    for_use: bool = True,
) -> _Copied:
    """What was copied. `name` is how errors call the source, `full` is the error for a target with rows.

    `erasures` says who was erased since. `for_use`: the copy is not a backup, so its keys must be there.
    """
    async with AsyncExitStack() as stack:
        try:
            source_store = await stack.enter_async_context(existing(source))
        except MigrationError as error:
            raise MigrationError(f"{name}: {error}") from error
        await check_catalog(source_store)
        if SECRETS.name in without and (await source_store.stored_secret()).fingerprint:
            await _check_finished(source_store)
        keyring = await _keyring_of(source_store, source, name) if for_use and SECRETS.name not in without else None
        if erasures and keyring is None:
            raise InvalidInput("--erasures", f"{name} has no secret, so no hash of an erased user can be compared")
        since = await erased_since(erasures, keyring, source.secret_file) if erasures and keyring else None
        try:
            other = await stack.enter_async_context(made_to_fill(target))
            rows = await copy_store(source_store, other, count_progress, without, since, ALL_READERS)
        except NotEmpty:
            raise NotEmpty(full) from None
        before = (
            {row.user_id for row in await source_store.pending_erasures(EVERY)}
            if since and since.pending
            else set[str]()
        )
        return await _finish_erasures(other, rows, before, is_listed=bool(since and since.pending))


async def _check_finished(store: Store) -> None:
    """Raise InvalidInput while an erasure is unfinished: a copy without the keys of the file could only end it with others."""
    if await store.unfinished_erasures():
        raise InvalidInput(
            "--without-credentials", "an erasure is not finished; run 'laurels erasures run', then repeat this command"
        )


def _with_own_secret(settings: Settings) -> Settings:
    """The settings for a copy without credentials: it makes a secret of its own, and does not need the keys of the original."""
    return msgspec.structs.replace(settings, database=msgspec.structs.replace(settings.database, secret_file=""))


async def _keyring_of(store: Store, database: DatabaseSettings, name: str) -> Keyring | None:
    """The keys with which the copy is used, before anything is copied; None if there are none yet. Raises SettingsError."""
    try:
        keyring = stored_keyring(database.secret_file, await store.stored_secret())
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from error
    if keyring is None and database.secret_file:
        raise SettingsError(
            f"{name} has no keys, and there is no file '{database.secret_file}' (database.secret_file); leave out the setting, "
            "and run 'laurels secret move' afterwards"
        )
    return keyring


async def _note(database: DatabaseSettings, kind: AuditKind, place: str) -> None:
    """Write into the audit of this database what was done with it, or from where it was filled."""
    async with existing(database) as store:
        await store.add_audit(audit_row(Source(command_line()), utc_now(), kind, ("database", place)))


async def _finish_erasures(store: Store, rows: Rows, before: Collection[str], *, is_listed: bool) -> _Copied:
    """Finish unfinished erasures in a copy, which may be stored for years without a server on it.

    Users whose erasure is pending by a list, and was not `before`, leave the leaderboards.
    """
    laurels = Laurels(store)
    users = [one.user_id for one in await store.unfinished_erasures()]
    try:
        with_rows = await store.users(users)
        if users:  # or else a new file would be rewritten, in which no row has moved yet
            await laurels.erasures.finish()
        hidden = [one.user_id for one in await store.pending_erasures(EVERY)] if is_listed else []
        new = [user_id for user_id in hidden if user_id not in before]
        with suppress(
            CatalogDiffers
        ):  # of an earlier version: a catalog must be adopted first, which brings all users under it
            for user_id in new:
                await Admin(laurels).rebuild(user_id)
        return _Copied(rows, len(with_rows), len(new))
    finally:
        await laurels.erasures.stop()
        await laurels.group_commit.close()


def _show_erasures(copied: _Copied, erasures: str | None) -> None:
    """Say what became of users who were erased since the backup, or are to be."""
    if erasures is None:
        note(
            "Users who were erased since the backup, or were to be, are as they were then; --erasures erases them again."
        )
        return
    hidden = f", and hidden {counted(copied.hidden, 'user')} who will be" if copied.hidden else ""
    note(
        f"By the list '{erasures}', restore erased {counted(copied.erased, 'user')} who had been erased since{hidden}."
    )


def _finished(settings: Settings, copied: _Copied, *, json: bool) -> int:
    """Compare the copy with a recomputation, and print the result."""
    rows, erased = copied.rows, copied.erased
    verified, why = _verified(settings)
    keys = [key for key in asyncio.run(list_stored(settings.database)) if key.revoked_at is None]
    if json:
        emit(Copied(verified.ok, rows, verified, keys, erased, copied.hidden))
    else:
        note(f"{_totals(rows)} copied, and read back without a difference.")
        show(verified)
        _show_credentials(keys, rows["sessions"], str(settings.database.url))
        _show_needed(settings.database)
    if left_out := rows["users"] - erased - verified.users:
        note(f"{counted(left_out, 'user')} not compared: {why}.")
    return OK if verified.ok else REJECTED


def _show_credentials(keys: Sequence[KeyInfo], sessions: int, database: str) -> None:
    """Name what came along and is valid: a backup that someone else made may have keys of theirs."""
    for key in keys:
        role = "admin key" if key.kind == "admin" else "API key"
        note(f"Active: the {role} '{key.name}' ({key.hint}…), created {when(key.created_at)}.")
    if keys:
        note(f"Revoke a key that you do not know: laurels key revoke NAME --database '{database}'")
    if sessions:
        note(f"{counted(sessions, 'session')} of users came along.")


def _show_needed(database: DatabaseSettings) -> None:
    """Name the file with the keys of a copy, which does not have them."""
    stored = asyncio.run(_stored_secret(database))
    if stored.fingerprint is not None:
        file = database.secret_file or "the file of database.secret_file"
        note(f"It needs {file} with the key {shown(stored.fingerprint)}: keep a copy of that file apart from it.")


async def _stored_secret(database: DatabaseSettings) -> StoredSecret:
    async with existing(database) as store:
        return await store.stored_secret()


def _verified(settings: Settings) -> tuple[Verification, str]:
    """The result of comparing the users of the copy, and why some are not compared."""
    try:
        found = verify_all(settings, refresh=False)
    except CatalogDiffers as error:  # an earlier version made the database, and stored no catalog
        return Verification(ok=True, users=0, wrong_tallies=0, differences=[]), str(error)
    return found, "last judged under an earlier revision of the catalog, or before an amnesty"


def _totals(rows: Rows) -> str:
    return f"{counted(sum(rows.values()), 'row')} of {counted(rows['users'], 'user')}"


# ---- the file ---------------------------------------------------------------------------------


@contextmanager
def _appearing(file: Path) -> Iterator[Path]:
    """A new file next to it, readable by its owner only, renamed to it when it is complete and on the disk."""
    part = file.with_name(file.name + ".part")
    descriptor = _taken(part)
    try:
        _remove(part, "-wal", "-shm")  # left by a backup that was killed
        os.ftruncate(descriptor, 0)
        yield part
        os.fsync(descriptor)
        _remove(file, "-wal", "-shm")  # SQLite would apply the log of an older file with this name to the new one
        part.replace(file)
        _sync_folder(file)
    except BaseException:
        _remove(part, "", "-wal", "-shm")
        raise
    finally:
        os.close(descriptor)


def _taken(part: Path) -> int:
    """The file, created if it is missing, locked by this process."""
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
        os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise InvalidInput("FILE", f"cannot write '{part}': {error.strerror}") from error
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), part.stat()):  # it may just have been renamed
            return descriptor
    os.close(descriptor)
    raise InvalidInput("FILE", f"another backup is writing '{part}'; wait until it is done")


def _remove(file: Path, *endings: str) -> None:
    for ending in endings:
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _sync_folder(file: Path) -> None:
    """Sync the directory, so that the new name survives a power cut."""
    folder = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
