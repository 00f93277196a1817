"""Opens the catalog and the database that the settings name. The command line reaches a store only through this module."""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, unquote

from laurels.engine.catalog import Catalog
from laurels.errors import (
    CatalogError,
    Fault,
    MigrationError,
    NotEmpty,
    SettingsError,
    StoreError,
    StoreUnavailable,
)
from laurels.service.laurels import Laurels
from laurels.service.rules import OnDifference
from laurels.settings import DatabaseSettings, DatabaseUrl, Settings
from laurels.storage import open_store
from laurels.storage.contract import Principal, Store


def read_catalog(file: str) -> Catalog:
    """The catalog in this file; '' means the default catalog. Raises SettingsError (no such file) and CatalogError."""
    return given_catalog(file) or Catalog.default()


def given_catalog(file: str) -> Catalog | None:
    """The catalog in this file; None for '', which means the database's. Raises SettingsError and CatalogError."""
    if not file:
        return None
    try:
        text = Path(file).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise CatalogError([Fault(file, f"is not UTF-8: {error}", "save it as UTF-8")]) from error
    except OSError as error:
        raise SettingsError(f"cannot read the catalog '{file}': {error.strerror}") from error
    return replace(Catalog.parse(text), file=file)


def database_file(database: str) -> Path | None:
    """The file of an SQLite address; None for a database in memory, and for other engines."""
    rest = database.removeprefix("sqlite:///")
    return Path(unquote(rest)) if rest != database and rest not in ("", ":memory:") else None


def address_of_file(file: Path) -> str:
    """The database address of an SQLite file."""
    return f"sqlite:///{quote(str(file))}"


def database_of_file(file: Path, secret_file: str = "") -> DatabaseSettings:
    """The settings of a database in an SQLite file, whose keys may be in another file."""
    return DatabaseSettings(DatabaseUrl(address_of_file(file)), secret_file=secret_file)


def store_of(database: DatabaseSettings) -> Store:
    """The store that these settings name. Raises SettingsError and MissingExtra."""
    return open_store(database.url.reveal(), database.connections, database.schema, secret_file=database.secret_file)


FIRST_MIGRATION = "0001"
"""How the name of the migration begins that only a new database lacks."""


@asynccontextmanager
async def made(database: DatabaseSettings, created: Callable[[], None] = lambda: None) -> AsyncIterator[Store]:
    """The store, created if it is missing, with its schema up to date. `created` is called if it was missing."""
    async with _closing(store_of(database)) as store:
        ran = await store.migrate()
        if ran and ran[0].name.startswith(FIRST_MIGRATION):
            created()
        yield store


@asynccontextmanager
async def made_to_fill(database: DatabaseSettings) -> AsyncIterator[Store]:
    """The store, created if it is missing. Raises NotEmpty, and changes nothing, if it has users under an older schema."""
    async with _closing(store_of(database)) as store:
        try:
            await store.ready()
        except MigrationError:
            if await _has_users(store):
                raise NotEmpty from None
            await store.migrate()
        yield store


async def _has_users(store: Store) -> bool:
    """Whether there are users, under any version of the schema."""
    try:
        return bool(await store.user_ids("", 1))
    except StoreError:  # there is no schema yet
        return False


@asynccontextmanager
async def existing(
    database: DatabaseSettings, fix: str = "'laurels serve' or 'laurels migrate' creates it"
) -> AsyncIterator[Store]:
    """An existing store, never created or migrated. Raises StoreUnavailable with `fix`, MigrationError."""
    file = database_file(database.url.reveal())
    if file is not None and not file.is_file():
        raise StoreUnavailable(f"there is no database at {file}; {fix}")
    async with _closing(store_of(database)) as store:
        await store.ready()
        yield store


def laurels_over(
    store: Store,
    settings: Settings,
    catalog: Catalog | None,
    on_difference: OnDifference = "raise",
    *,
    serves: bool = False,
) -> Laurels:
    """The facade over a store, with these settings. Closing it closes the store.

    `catalog` is what the settings give, None if they give none; `on_difference` as for `Laurels.open`. `serves`: others wait
    while a long history is computed, so that this is done in a process of its own.
    """
    return Laurels(
        store,
        catalog,
        default_zone=settings.rules.default_zone,
        late_window=timedelta(days=settings.rules.late_days),
        erase_after=timedelta(days=settings.rules.erase_after_days),
        queue_limit=settings.queue.events,
        batch_limit=settings.queue.batch,
        queue_seconds=settings.queue.seconds,
        on_difference=on_difference,
        database=settings.database.url.reveal() if serves else None,
        schema=settings.database.schema,
        secret_file=settings.database.secret_file,
        principal=command_line(),
    )


def command_line() -> Principal:
    """The principal of every command: the user whom the operating system runs it as, whatever the environment says."""
    try:
        import pwd  # noqa: PLC0415  # not on Windows

        return Principal("cli", pwd.getpwuid(os.getuid()).pw_name)
    except ImportError:
        return Principal("cli", getpass.getuser())
    except KeyError:  # an operating system user without a name, as some containers have
        return Principal("cli", f"uid {os.getuid()}")


def login_name() -> str:
    """The login name of the person who runs this command, as the environment says."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an operating system user without a name, as some containers have
        return f"uid {os.getuid()}"


@asynccontextmanager
async def serving(
    settings: Settings, catalog: Catalog | None, on_difference: OnDifference = "follow"
) -> AsyncIterator[Laurels]:
    """The facade over the database, created if it is missing and migrated. It finishes queued writes at the end.

    Raises CatalogDiffers for a database of an earlier version whose users were judged by another catalog.
    """
    laurels = laurels_over(store_of(settings.database), settings, catalog, on_difference, serves=True)
    try:
        await laurels.start()
        yield laurels
    finally:
        await laurels.close()


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Laurels]:
    """The facade over an existing database, for commands that only read. It judges by the database's catalog.

    Raises CatalogDiffers if the settings name a file with another one.
    """
    catalog = given_catalog(settings.catalog.file)
    async with existing(settings.database) as store:
        laurels = laurels_over(store, settings, catalog)
        await laurels.follow_catalog()
        await laurels.period_rules.look()
        yield laurels


@asynccontextmanager
async def changing(settings: Settings) -> AsyncIterator[Laurels]:
    """The facade over an existing database, for commands that may write. At the end, queued writes are finished."""
    async with reading(settings) as laurels:
        await laurels.period_rules.apply(live=False)
        try:
            yield laurels
        finally:
            await laurels.group_commit.close()


@asynccontextmanager
async def _closing(store: Store) -> AsyncIterator[Store]:
    try:
        yield store
    finally:
        await store.close()
