"""`laurels doctor`: everything that can be wrong around Laurels, each with its mend."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

import msgspec
from rich.text import Text

from laurels.app import utc_now
from laurels.cli import OK, REJECTED
from laurels.cli.opening import database_file, existing, read_catalog
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, size, when
from laurels.cli.tables import cell, console, table
from laurels.errors import CatalogError, LaurelsError, MigrationError, SettingsError
from laurels.settings import Settings
from laurels.storage.base import Counts

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""
LARGEST_LOG = 256_000_000
"""Bytes; it is copied into the database every 16 MB, unless something keeps an old snapshot open."""
LEAST_FREE = 1_000_000_000
OLDEST_ZONES = 2
"""Years; governments change their clocks more often than that."""
AHEAD = timedelta(minutes=5)
WRITTEN = datetime.fromisoformat("2026-01-01T00:00:00Z")
"""No clock that is right says less."""


class Finding(msgspec.Struct, frozen=True):
    """What one check found. `mend` says what to do about it; '' where nothing is wrong."""

    what: str
    found: str
    mend: str = ""


class Report(msgspec.Struct, frozen=True):
    """All findings; `ok` where none of them needs a mend."""

    ok: bool
    findings: list[Finding]


def doctor(*, database: Database = None, catalog: CatalogFile = None, json: Json = False) -> int:
    """Look at versions, settings, catalog, database, disk and clock, and say how to mend what is wrong. Changes nothing.

    Exits 1 where anything is wrong.
    """
    findings = [*_versions(), _settings(database, catalog)]
    if not findings[-1].mend:
        findings += _around(settings_of(database=database, catalog=catalog))
    report = Report(all(not finding.mend for finding in findings), findings)
    if json:
        emit(report)
    else:
        _show(report)
    return OK if report.ok else REJECTED


def _around(settings: Settings) -> Iterator[Finding]:
    yield _catalog(settings)
    now = utc_now()
    counts, finding = asyncio.run(_database(settings))
    yield finding
    if counts:
        yield _rows(counts)
    file = database_file(settings.database)
    if file and file.is_file():
        yield from (_writable(file), _log(file), _disk(file))
    yield _clock(now, counts.last_recorded_at if counts else None)


def _versions() -> list[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    zones = metadata.version("tzdata")
    year = int(zones.partition(".")[0])
    return [
        Finding("Laurels", metadata.version("laurels")),
        Finding("Python", python, "" if sys.version_info >= OLDEST_PYTHON else "use Python 3.11 or later"),
        Finding(
            "SQLite",
            sqlite3.sqlite_version,
            "" if sqlite3.sqlite_version_info >= OLDEST_SQLITE else "use a Python that comes with SQLite 3.37 or later",
        ),
        Finding(
            "tzdata",
            zones,
            "" if utc_now().year - year < OLDEST_ZONES else "upgrade tzdata: zones have changed their rules since",
        ),
    ]


def _settings(database: str | None, catalog: str | None) -> Finding:
    try:
        settings = settings_of(database=database, catalog=catalog)
    except SettingsError as error:
        return Finding("settings", str(error), "mend that setting")
    return Finding("settings", f"in order, database {settings.database}")


def _catalog(settings: Settings) -> Finding:
    try:
        catalog = read_catalog(settings.catalog)
    except CatalogError as error:
        return Finding("catalog", counted(len(error.faults), "fault"), "see them with 'laurels catalog check'")
    except SettingsError as error:
        return Finding("catalog", str(error), "mend the setting 'catalog'")
    return Finding("catalog", f"'{catalog.name}', {counted(len(catalog.badges), 'badge')}")


async def _database(settings: Settings) -> tuple[Counts | None, Finding]:
    """The counts, where the database answers and has our schema."""
    try:
        async with existing(settings.database) as store:
            return await store.counts(), Finding("database", "answers, and its schema is this version's")
    except MigrationError as error:
        return None, Finding("database", str(error), "run 'laurels migrate', or use the version that made it")
    except LaurelsError as error:
        return None, Finding("database", str(error), "make it with 'laurels migrate', or mend the setting 'database'")


def _rows(counts: Counts) -> Finding:
    rows = ", ".join(
        (
            counted(counts.users, "user"),
            counted(counts.events, "event"),
            counted(counts.awards, "award"),
            counted(counts.sessions, "session"),
        )
    )
    return Finding("rows", f"{rows}; the newest event was recorded {when(counts.last_recorded_at)}")


def _disk(file: Path) -> Finding:
    folder = file.absolute().parent
    free = shutil.disk_usage(folder).free
    needed = max(LEAST_FREE, file.stat().st_size)
    mend = "" if free >= needed else f"free some: at least {size(needed)} should be"
    return Finding("disk", f"{size(free)} free at {folder}", mend)


def _log(file: Path) -> Finding:
    log = file.with_name(file.name + "-wal")
    length = log.stat().st_size if log.is_file() else 0
    mend = "" if length <= LARGEST_LOG else "some program keeps a transaction open on the database; end it"
    return Finding("write-ahead log", size(length), mend)


def _writable(file: Path) -> Finding:
    """Whether this user may write the file and beside it, where SQLite keeps its log."""
    for path in (file, file.absolute().parent):
        if not os.access(path, os.W_OK):
            return Finding("permissions", f"{path} cannot be written", "give this user the right to write it")
    return Finding("permissions", "the database can be written")


def _clock(now: datetime, last_recorded_at: datetime | None) -> Finding:
    """A clock that stands wrong gives wrong days."""
    mend = "set this machine's clock, and keep it right with NTP"
    if now < WRITTEN:
        return Finding("clock", f"{when(now)} is before this version was made", mend)
    if last_recorded_at and last_recorded_at - now > AHEAD:
        return Finding("clock", f"{when(now)}, but an event was recorded {when(last_recorded_at)}", mend)
    return Finding("clock", when(now))


def _show(report: Report) -> None:
    to = console()
    shown = table("", "", "")
    shown.show_header = False
    for finding in report.findings:
        mark = Text("✗", style="bold red") if finding.mend else Text("✓", style="green")
        text = Text(finding.found)
        if finding.mend:
            text += Text(f"\n{finding.mend}", style="yellow")
        shown.add_row(mark, cell(finding.what), text)
    to.print(shown)
    wrong = sum(1 for finding in report.findings if finding.mend)
    to.print(Text("\nAll is well." if report.ok else f"\n{counted(wrong, 'problem')}.", style="bold"))
