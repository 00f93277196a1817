"""`laurels doctor`: everything that can be wrong around Laurels, each with its mend."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import metadata
from pathlib import Path

import msgspec
from rich.text import Text

from laurels.cli import OK, REJECTED
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, size, when
from laurels.cli.tables import cell, console, table
from laurels.errors import CatalogError, LaurelsError, MigrationError, SettingsError
from laurels.service.laurels import utc_now
from laurels.service.opening import database_file, existing, read_catalog
from laurels.settings import Settings
from laurels.storage.contract import AmnestyRow, Counts, Store

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""
LARGEST_LOG = 256_000_000
"""Bytes; it is copied into the database every 16 MB, unless something keeps an old snapshot open."""
LEAST_FREE = 1_000_000_000
OLDEST_ZONES = 2
"""Years; governments change their clocks more often than that."""
AHEAD = timedelta(minutes=5)
LOOKED_BACK = 30
"""For how many days a gap in all events is sought."""
NAMED = 3
"""How many amnesties are named."""
WRITTEN = datetime.fromisoformat("2026-01-01T00:00:00Z")
"""No clock that is right says less."""


class Finding(msgspec.Struct, frozen=True):
    """What one check found.

    `mend` says what to do about it; '' where nothing is wrong. `proposal` is what one may do, where nothing is wrong.
    """

    what: str
    found: str
    fix: str = ""
    proposal: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look into the database found. `quiet` are the days of the last month without any event, of anybody."""

    now: datetime
    offset: timedelta | None
    counts: Counts
    amnesties: Sequence[AmnestyRow]
    quiet: Sequence[int]


class Report(msgspec.Struct, frozen=True):
    """All findings; `ok` where none of them needs a mend."""

    ok: bool
    findings: list[Finding]


def doctor(*, database: Database = None, catalog: CatalogFile = None, json: Json = False) -> int:
    """Look at versions, settings, catalog, database, disk and clock, and say how to mend what is wrong. Changes nothing.

    Proposes an amnesty for whole days of the last month without any event. Exits 1 where anything is wrong.
    """
    findings = [*_versions(), _settings(database, catalog)]
    if not findings[-1].fix:
        findings += _around(settings_of(database=database, catalog=catalog))
    report = Report(all(not finding.fix for finding in findings), findings)
    if json:
        emit(report)
    else:
        _show(report)
    return OK if report.ok else REJECTED


def _around(settings: Settings) -> Iterator[Finding]:
    yield _catalog(settings)
    looked, finding = asyncio.run(_database(settings))
    yield finding
    if looked:
        yield from (_rows(looked.counts), _amnesties(looked), *_gaps(looked, settings), _sandbox(looked))
    file = database_file(settings.database.url.reveal())
    if file and file.is_file():
        yield from (_writable(file), _log(file), _disk(file))
    yield _clock(looked.now, looked.counts.last_recorded_at) if looked else _clock(utc_now(), None)


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
    return Finding("settings", f"in order, database {settings.database.url}")


def _catalog(settings: Settings) -> Finding:
    try:
        catalog = read_catalog(settings.catalog.file)
    except CatalogError as error:
        return Finding("catalog", counted(len(error.faults), "fault"), "see them with 'laurels catalog check'")
    except SettingsError as error:
        return Finding("catalog", str(error), "mend the setting 'catalog'")
    return Finding("catalog", f"'{catalog.name}', {counted(len(catalog.badges), 'badge')}")


async def _database(settings: Settings) -> tuple[Looked | None, Finding]:
    """What is in it, where the database answers and has our schema."""
    try:
        async with existing(settings.database.url.reveal()) as store:
            return await _look(store), Finding("database", "answers, and its schema is this version's")
    except MigrationError as error:
        return None, Finding("database", str(error), "run 'laurels migrate', or use the version that made it")
    except LaurelsError as error:
        return None, Finding("database", str(error), "make it with 'laurels migrate', or mend the setting 'database'")


async def _look(store: Store) -> Looked:
    offset = await store.clock_offset()
    now = utc_now() + (offset or timedelta())
    today = now.toordinal()
    return Looked(
        now=now,
        offset=offset,
        counts=await store.counts(),
        amnesties=[row for row in await store.amnesties() if row.lifted_at is None],
        quiet=await store.days_without_events(today - LOOKED_BACK, today),
    )


def _amnesties(looked: Looked) -> Finding:
    """The amnesties that stand, the newest few by name."""
    if not looked.amnesties:
        return Finding("amnesties", "none stands")
    newest = [f"{_span(row.first_day, row.last_day)} ({row.reason})" for row in looked.amnesties[-NAMED:]]
    return Finding("amnesties", f"{counted(len(looked.amnesties), 'stands', 'stand')}: {', '.join(newest)}")


def _gaps(looked: Looked, settings: Settings) -> Iterator[Finding]:
    """Whole days without any event, between days that have some: most likely nothing could be recorded."""
    excused = {day for row in looked.amnesties if not row.for_group for day in range(row.first_day, row.last_day + 1)}
    for first, last in gaps(looked.quiet, looked.now.toordinal()):
        if not excused.issuperset(range(first, last + 1)):
            days = ("--from", str(date.fromordinal(first)), "--to", str(date.fromordinal(last)))
            where = (
                () if settings.database.url == Settings().database.url else ("--database", str(settings.database.url))
            )
            add = shlex.join(("laurels", "amnesty", "add", *days, "--reason", "an outage", *where))
            yield Finding(
                "gap",
                f"nobody has an event on {_span(first, last)}",
                proposal=f"if it was an outage: {add}",
            )


def gaps(quiet: Sequence[int], today: int) -> list[tuple[int, int]]:
    """The runs of quiet days, as (first, last), that have a day with events before and after them within the days looked at."""
    days = set(quiet)
    runs = [(day, _last_of_run(days, day)) for day in quiet if day - 1 not in days]
    return [(first, last) for first, last in runs if first > today - LOOKED_BACK and last < today]


def _last_of_run(days: set[int], day: int) -> int:
    while day + 1 in days:
        day += 1
    return day


def _span(first: int, last: int) -> str:
    days = (date.fromordinal(first).isoformat(), date.fromordinal(last).isoformat())
    return days[0] if first == last else f"{days[0]} to {days[1]}"


def _sandbox(looked: Looked) -> Finding:
    if looked.offset is None:
        return Finding("sandbox", "no: the machine's clock counts")
    return Finding("sandbox", f"yes: its clock stands at {when(looked.now)}, and can be moved with 'laurels clock'")


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
    fix = "" if free >= needed else f"free some: at least {size(needed)} should be"
    return Finding("disk", f"{size(free)} free at {folder}", fix)


def _log(file: Path) -> Finding:
    log = file.with_name(file.name + "-wal")
    length = log.stat().st_size if log.is_file() else 0
    fix = "" if length <= LARGEST_LOG else "some program keeps a transaction open on the database; end it"
    return Finding("write-ahead log", size(length), fix)


def _writable(file: Path) -> Finding:
    """Whether this user may write the file and beside it, where SQLite keeps its log."""
    for path in (file, file.absolute().parent):
        if not os.access(path, os.W_OK):
            return Finding("permissions", f"{path} cannot be written", "give this user the right to write it")
    return Finding("permissions", "the database can be written")


def _clock(now: datetime, last_recorded_at: datetime | None) -> Finding:
    """A clock that stands wrong gives wrong days."""
    fix = "set this machine's clock, and keep it right with NTP"
    if now < WRITTEN:
        return Finding("clock", f"{when(now)} is before this version was made", fix)
    if last_recorded_at and last_recorded_at - now > AHEAD:
        return Finding("clock", f"{when(now)}, but an event was recorded {when(last_recorded_at)}", fix)
    return Finding("clock", when(now))


def _show(report: Report) -> None:
    to = console()
    shown = table("", "", "")
    shown.show_header = False
    for finding in report.findings:
        mark = Text("✗", style="bold red") if finding.fix else Text("✓", style="green")
        mark = Text("?", style="yellow") if finding.proposal else mark
        text = Text(finding.found)
        if finding.fix or finding.proposal:
            text += Text(f"\n{finding.fix or finding.proposal}", style="yellow")
        shown.add_row(mark, cell(finding.what), text)
    to.print(shown)
    wrong = sum(1 for finding in report.findings if finding.fix)
    to.print(Text("\nAll is well." if report.ok else f"\n{counted(wrong, 'problem')}.", style="bold"))
