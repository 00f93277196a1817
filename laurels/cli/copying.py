"""`laurels copy`, `backup` and `restore`: all that a database holds in another one, whatever the engine of either."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from laurels.cli import OK, REJECTED
from laurels.cli.maintenance import save_maintenance_run
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, note, size
from laurels.cli.tables import count_progress
from laurels.cli.verify import Verified, show, verify_all
from laurels.errors import InvalidInput, MigrationError, NotEmpty, SettingsError
from laurels.service.opening import address_of_file, database_file, existing, made_to_fill
from laurels.settings import Settings
from laurels.storage.copying import copy as copy_store

Rows = Mapping[str, int]


class Copied(msgspec.Struct, frozen=True):
    """How many rows each table has, and what a comparison of every user with a rebuild found in the copy."""

    ok: bool
    rows: Rows
    verified: Verified


class BackedUp(msgspec.Struct, frozen=True):
    """Where the backup is, how many bytes it has, and how many rows each table."""

    file: str
    bytes: int
    rows: Rows


def copy(
    from_: Annotated[str, Parameter(name="FROM", help="the address of the database to copy; it is only read")],
    to: Annotated[str, Parameter(name="TO", help="the address of an empty database; a file is made where none is")],
    /,
    *,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Copy all that FROM holds into TO, read it back, and compare every user with a rebuild, as 'laurels verify' does.

    Servers may work on FROM meanwhile, but what they write after the beginning is not in TO: stop them to move house. Stopped
    in the middle, it leaves TO empty; run it again. Exits 1 where there is a difference: it is in FROM, too.
    """
    settings = settings_of(database=to, catalog=catalog)
    _check_places(from_, to, "FROM and TO")
    rows = asyncio.run(_copy(from_, to, "FROM", "TO holds something already; name an empty database"))
    return _finished(settings, rows, json=json)


def backup(
    file: Annotated[Path, Parameter(help="the file to write")],
    /,
    *,
    force: Annotated[
        bool, Parameter(negative=(), help="replace the file where it is there already", show_default=False)
    ] = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Write all that the database holds at this moment into one SQLite file, and read it back. Servers may work meanwhile.

    The file holds personal data, sessions and secrets, and only its owner may read it. It appears when it is complete. It is a
    database: 'laurels verify --database sqlite:///FILE' looks at it, 'laurels restore FILE' fills an empty one from it. The
    database that was backed up keeps when this was done.
    """
    settings = settings_of(database=database)
    _check_places(settings.database, address_of_file(file), "the database and its backup")
    if file.exists() and not (force and file.is_file()):
        raise InvalidInput("FILE", f"'{file}' is there already; choose another name, or replace it with --force")
    with _appearing(file) as part:
        rows = asyncio.run(_copy(settings.database, address_of_file(part), "the database"))
    done = BackedUp(str(file), file.stat().st_size, rows)
    save_maintenance_run(settings, "backup", {"bytes": done.bytes, "users": rows["users"], "rows": sum(rows.values())})
    if json:
        emit(done)
    else:
        note(f"{_told(rows)} backed up to {file}, {size(done.bytes)}; read back, they are the same.")
    return OK


def restore(
    file: Annotated[Path, Parameter(help="a backup, or any database in a file that nobody uses")],
    /,
    *,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Fill the empty database of the settings from a backup, read it back, and compare every user with a rebuild.

    The database is made where it is missing. Stopped in the middle, it is left empty; run it again. Exits 1 where there is a
    difference: it is in the backup, too.
    """
    settings = settings_of(database=database, catalog=catalog)
    if not file.is_file():
        raise InvalidInput("FILE", f"there is no file '{file}'")
    _check_places(address_of_file(file), settings.database, "the backup and the database of the settings")
    full = "the database of the settings holds something already; name an empty one with --database"
    return _finished(settings, asyncio.run(_copy(address_of_file(file), settings.database, str(file), full)), json=json)


# ---- copying ----------------------------------------------------------------------------------


def _check_places(source: str, target: str, names: str) -> None:
    """Raise SettingsError where the target is the source, or would not outlive this command."""
    if target in ("sqlite://", "sqlite:///:memory:"):
        raise SettingsError("a copy in memory would be gone when this ends; name a file or a server")
    files = [file.resolve() for file in map(database_file, (source, target)) if file]
    if source == target or (len(files) == 2 and files[0] == files[1]):  # noqa: PLR2004  # source and target
        raise SettingsError(f"{names} are the same")


async def _copy(source: str, target: str, name: str, full: str = "") -> Rows:
    """How many rows each table has. `name` is that of the source, `full` says what is wrong where the target holds something."""
    async with AsyncExitStack() as stack:
        try:
            one = await stack.enter_async_context(existing(source))
        except MigrationError as error:
            raise MigrationError(f"{name}: {error}") from error
        try:
            other = await stack.enter_async_context(made_to_fill(target))
            return await copy_store(one, other, count_progress)
        except NotEmpty:
            raise NotEmpty(full) from None


def _finished(settings: Settings, rows: Rows, *, json: bool) -> int:
    """Compare the copy with a rebuild of it, and say what was done."""
    verified = verify_all(settings, writing=False)
    if json:
        emit(Copied(verified.ok, rows, verified))
    else:
        note(f"{_told(rows)} copied; read back, they are the same.")
        show(verified)
    if left_out := rows["users"] - verified.users:
        note(
            f"{counted(left_out, 'user')} not compared: made under another catalog than this one (--catalog), "
            "or before an amnesty."
        )
    return OK if verified.ok else REJECTED


def _told(rows: Rows) -> str:
    return f"{counted(sum(rows.values()), 'row')} of {counted(rows['users'], 'user')}"


# ---- the file ---------------------------------------------------------------------------------


@contextmanager
def _appearing(file: Path) -> Iterator[Path]:
    """A new file beside it, for its owner alone, that takes its name when it is complete and safe on the disk."""
    part = file.with_name(file.name + ".part")
    descriptor = _taken(part)
    try:
        _remove(part, "-wal", "-shm")  # what a backup left that was killed
        os.ftruncate(descriptor, 0)
        yield part
        os.fsync(descriptor)
        _remove(file, "-wal", "-shm")  # a log left beside an older file of this name would be taken for this one's
        part.replace(file)
        _sync_folder(file)
    except BaseException:
        _remove(part, "", "-wal", "-shm")
        raise
    finally:
        os.close(descriptor)


def _taken(part: Path) -> int:
    """The file, made where it is missing, locked by this process."""
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
        os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise InvalidInput("FILE", f"cannot write '{part}': {error.strerror}") from error
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), part.stat()):  # it may have got its name just now
            return descriptor
    os.close(descriptor)
    raise InvalidInput("FILE", f"another backup is writing '{part}'; wait until it is done")


def _remove(file: Path, *endings: str) -> None:
    for ending in endings:
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _sync_folder(file: Path) -> None:
    """Make the file's name outlive a power cut."""
    folder = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
