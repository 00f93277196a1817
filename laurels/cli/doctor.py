"""`laurels doctor`: check everything that Laurels depends on, and say how to fix what is wrong."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import metadata
from ipaddress import ip_network
from pathlib import Path

import msgspec
from rich.text import Text

from laurels.cli import OK, REJECTED
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, size, when
from laurels.cli.tables import cell, console, table
from laurels.configuration import unknown_variables
from laurels.engine.catalog import Catalog
from laurels.errors import CatalogError, LaurelsError, MigrationError, SettingsError
from laurels.present.reports import unknown_types
from laurels.service.clock import utc_now
from laurels.service.erasures import is_rewritten
from laurels.service.opening import database_file, existing, given_catalog
from laurels.service.retention import count_old
from laurels.service.revisions import ADOPT, default_for, difference, foreign_users, is_adoptable, parsed
from laurels.settings import ConsoleSettings, DatabaseSettings, Settings
from laurels.storage.contract import AmnestyRow, CatalogState, Counts, PendingErasure, Store
from laurels.storage.secret_file import StoredSecret, check_no_file, keys_of, mode_of, shown
from laurels.storage.sqlite import driver

OLDEST_PYTHON = (3, 11)
LARGEST_LOG = 256_000_000
"""Bytes; the log is copied into the database every 16 MB, unless a transaction holds an old snapshot."""
LEAST_FREE = 1_000_000_000
OLDEST_ZONES = 2
"""Years; governments change time zones more often than that."""
AHEAD = timedelta(minutes=5)
LOOKED_BACK = 30
"""How many days are searched for days without events."""
NAMED = 3
"""How many amnesties are listed."""
FEW_ADDRESSES = 256
"""How many addresses a proxy may have without a remark."""
NAMED_TYPES = 10
"""How many unknown event types are listed."""
MOST_PENDING = 1000
OVERDUE = timedelta(hours=1)
"""A server erases users within a minute after they are due."""
RELEASED = datetime.fromisoformat("2026-01-01T00:00:00Z")
"""A clock before this date is wrong."""


class Finding(msgspec.Struct, frozen=True):
    """What one check found. `fix` says what to do; '' if nothing is wrong. `proposal` is a command that may be useful."""

    what: str
    found: str
    fix: str = ""
    proposal: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the database contains.

    `days_without_events` are days of the last month on which no user has an event; `event_types` are numbers of events, and
    `old` those of rows that are older than the settings keep them. `is_clean`: the file was rewritten since the last erasure.
    """

    now: datetime
    offset: timedelta | None
    counts: Counts
    amnesties: Sequence[AmnestyRow]
    days_without_events: Sequence[int]
    event_types: Mapping[str, int]
    catalog: CatalogState
    secret: StoredSecret
    old: Mapping[str, int]
    is_clean: bool
    pending: Sequence[PendingErasure]


UNCLEAN = Finding(
    "erasures",
    "the file was not rewritten since the last erasure: parts of erased rows may be left between others",
    proposal="at a quiet time: laurels erasures clean",
)


class Report(msgspec.Struct, frozen=True):
    """All findings; `ok` if nothing has to be fixed."""

    ok: bool
    findings: list[Finding]


def doctor(*, database: Database = None, catalog: CatalogFile = None, json: Json = False) -> int:
    """Check versions, settings, catalog, database, disk and clock, and say how to fix what is wrong. Changes nothing.

    Proposes an amnesty for whole days of the last month without any event. Exits 1 if anything is wrong.
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
    given, broken = _given(settings)
    contents, database = asyncio.run(_database(settings))
    catalog, finding = (None, broken) if broken else _catalog(given, contents.catalog if contents else None)
    yield from (finding, database, *_console(settings.console))
    if contents:
        yield from _secret(settings.database.secret_file, contents.secret, contents.now)
        yield from (_rows(contents.counts), _erasures(contents), _retention(contents))
        yield from (_amnesties(contents), *_gaps(contents, settings), _sandbox(contents))
        yield from _unknown(catalog, contents.event_types) if catalog else ()
    file = database_file(settings.database.url.reveal())
    if file and file.is_file():
        yield from (_writable(file), *readers(file), _log(file), _disk(file))
        yield from () if contents is None or contents.is_clean else (UNCLEAN,)
    yield _clock(contents.now, contents.counts.last_recorded_at) if contents else _clock(utc_now(), None)


def _versions() -> list[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    zones = metadata.version("tzdata")
    year = int(zones.partition(".")[0])
    return [
        Finding("Laurels", metadata.version("laurels")),
        Finding("Python", python, "" if sys.version_info >= OLDEST_PYTHON else "use Python 3.11 or later"),
        _sqlite(driver.version()),
        Finding(
            "tzdata",
            zones,
            "" if utc_now().year - year < OLDEST_ZONES else "upgrade tzdata: zones have changed their rules since",
        ),
    ]


def _sqlite(version: str) -> Finding:
    """Whether several processes may write: `serve --workers`, or a command while a server runs."""
    brought = f"{version}, brought by apsw {metadata.version('apsw')}"
    if driver.is_safe(version):
        return Finding("SQLite", f"{brought}; several processes can write safely")
    return Finding("SQLite", f"{brought}; it can lose commits when several processes write", driver.UPGRADE)


def _settings(database: Database, catalog: str | None) -> Finding:
    try:
        settings = settings_of(database=database, catalog=catalog)
    except SettingsError as error:
        return Finding("settings", str(error), "fix that setting")
    unknown = unknown_variables(Settings, os.environ)
    named = [f"{name} is no setting: {suggestion}" for name, suggestion in unknown.items()]
    return Finding("settings", f"valid, database {settings.database}", proposal="\n".join(named))


def _given(settings: Settings) -> tuple[Catalog | None, Finding | None]:
    """The catalog of the settings, if they name one, or what is wrong with it."""
    try:
        return given_catalog(settings.catalog.file), None
    except CatalogError as error:
        return None, Finding("catalog", counted(len(error.faults), "fault"), "see them with 'laurels catalog check'")
    except SettingsError as error:
        return None, Finding("catalog", str(error), "fix the setting 'catalog.file'")


def _catalog(given: Catalog | None, state: CatalogState | None) -> tuple[Catalog | None, Finding]:
    """The catalog in force, or the one that a new database would get. `state` is the database's, if that answers."""
    newest, catalog = state.newest if state else None, given or (default_for(state) if state else Catalog.default())
    if newest is None:
        if state and not is_adoptable(state, catalog):
            return None, Finding("catalog", foreign_users(state, catalog), ADOPT)
        return catalog, Finding("catalog", f"{_summary(catalog)}; the first user stores it in the database")
    try:
        stored = parsed(newest)
    except CatalogError as error:
        return None, Finding(
            "catalog", str(error.faults[0]), "put a corrected one in force: 'laurels catalog apply FILE'"
        )
    found = f"{_summary(stored)}, revision {newest.number} in the database"
    if given and given != stored.as_written:
        fix = f"use it with 'laurels catalog apply {given.file}', or remove the file from the settings"
        return stored, Finding("catalog", difference(given, newest, stored), fix)
    return stored, Finding("catalog", found)


def _summary(catalog: Catalog) -> str:
    return f"'{catalog.name}', {counted(len(catalog.badges), 'badge')}"


def _unknown(catalog: Catalog, events: Mapping[str, int]) -> Iterator[Finding]:
    """The event types that no rule names, the most frequent ones alone."""
    rows = unknown_types(catalog, events)
    for row in rows[:NAMED_TYPES]:
        found = f"{counted(row.events, 'event')} of the type '{row.type}', which no rule of the catalog names"
        fix = f"did you mean '{row.nearest}'?" if row.nearest else "they count for nothing until a rule names the type"
        yield Finding("unknown type", found, proposal=fix)
    if len(rows) > NAMED_TYPES:
        yield Finding(
            "unknown type", f"{len(rows) - NAMED_TYPES:,} more", proposal="see the catalog page of the console"
        )


async def _database(settings: Settings) -> tuple[Contents | None, Finding]:
    """What the database contains, if it answers and has the schema of this version."""
    try:
        async with existing(settings.database) as store:
            answering = await store.ready()
            return await _read(store, settings), Finding(
                "database", f"{answering} answers, with the schema of this version"
            )
    except MigrationError as error:
        return None, Finding("database", str(error), "run 'laurels migrate', or use the version that created it")
    except LaurelsError as error:
        return None, Finding(
            "database",
            str(error),
            "create it with 'laurels migrate', or fix the settings 'database.url' and 'database.schema'",
        )


async def _read(store: Store, settings: Settings) -> Contents:
    offset = await store.clock_offset()
    now = utc_now() + (offset or timedelta())
    today = now.toordinal()
    return Contents(
        now=now,
        offset=offset,
        counts=await store.counts(),
        amnesties=[row for row in await store.amnesties() if row.lifted_at is None],
        days_without_events=await store.days_without_events(today - LOOKED_BACK, today),
        event_types=await store.event_types(),
        catalog=await store.catalog_state(),
        old=await count_old(store, settings.retention, now),
        is_clean=await is_rewritten(store),
        secret=await store.stored_secret(),
        pending=await store.pending_erasures(MOST_PENDING),
    )


def _console(settings: ConsoleSettings) -> Iterator[Finding]:
    """How operators sign in, and who else could."""
    proxy = settings.proxy
    if settings.sign_in == "key":
        unused = "set console.sign_in to 'proxy' or 'both', or remove console.proxy" if proxy.header else ""
        yield Finding("console", "operators sign in with admin keys", proposal=unused)
        return
    keys = ", or with admin keys" if settings.sign_in == "both" else ""
    yield Finding("console", f"operators sign in through the proxy at {', '.join(proxy.addresses)}{keys}")
    if proxy.names.is_empty and proxy.groups.is_empty:
        fix = "list operators in console.proxy.names or console.proxy.groups"
        yield Finding("roles", "no name and no group has a role, so no one can sign in through the proxy", fix)
    for network in map(ip_network, proxy.addresses):
        if network.num_addresses > FEW_ADDRESSES:
            found = f"{network.num_addresses:,} addresses of {network} can name anyone as the operator"
            yield Finding("proxy", found, proposal="list the proxy's own addresses alone")
        if network.is_loopback:
            found = f"every program on this machine can connect from {network} and name anyone as the operator"
            yield Finding("proxy", found, proposal="run nothing else on this machine, or the proxy on another")


def _secret(file: str, stored: StoredSecret, now: datetime) -> Iterator[Finding]:
    """Where the keys of the database are, how old the newest one is, and whether a rotation goes on."""
    if not file and stored.fingerprint is None:
        yield Finding("secret", "in the database, and in each backup; 'laurels secret move' moves it into a file")
        return
    try:
        if not file:
            check_no_file(stored)
        keys = keys_of(file, stored)
        mode = mode_of(file)
    except SettingsError as error:
        yield Finding("secret", str(error), "fix the setting 'database.secret_file', or put the file there")
        return
    newest = keys.newest
    found = f"in {file}, key {shown(newest.fingerprint)}, created {_aged(newest.created, now)}"
    fix = ""
    if stored.fingerprint is None:
        fix = "a move into the file is half done; run 'laurels secret move' again"
    elif stored.fingerprint != newest.fingerprint:
        fix = "a rotation is half done; run 'laurels secret rotate' again, or start a server"
    old = f"; the key before, {shown(keys.old.fingerprint)}, is still accepted" if keys.old else ""
    yield Finding("secret", found + old, fix, "end the rotation with 'laurels secret drop-old'" if keys.old else "")
    if mode & stat.S_IRGRP:
        shared = f"the users of a group can read {file}"
        yield Finding("access", shared, proposal=f"if they should not: chmod 600 {quoted(Path(file))}")


def _aged(at: datetime, now: datetime) -> str:
    return f"{when(at)}, {counted(max(0, (now - at).days), 'day')} ago"


def _amnesties(contents: Contents) -> Finding:
    """The amnesties in force, the newest few with their days."""
    if not contents.amnesties:
        return Finding("amnesties", "none in force")
    newest = [f"{_span(row.first_day, row.last_day)} ({row.reason})" for row in contents.amnesties[-NAMED:]]
    return Finding("amnesties", f"{len(contents.amnesties):,} in force: {', '.join(newest)}")


def _gaps(contents: Contents, settings: Settings) -> Iterator[Finding]:
    """Whole days without any event, between days with events: probably nothing could be recorded."""
    excused = {day for row in contents.amnesties if not row.for_group for day in range(row.first_day, row.last_day + 1)}
    for first, last in gaps(contents.days_without_events, contents.now.toordinal()):
        if not excused.issuperset(range(first, last + 1)):
            days = ("--from", str(date.fromordinal(first)), "--to", str(date.fromordinal(last)))
            where = _where(settings.database, Settings().database)
            add = shlex.join(("laurels", "amnesty", "add", *days, "--reason", "an outage", *where))
            yield Finding(
                "gap",
                f"no user has an event on {_span(first, last)}",
                proposal=f"if it was an outage: {add}",
            )


def _where(database: DatabaseSettings, default: DatabaseSettings) -> Iterator[str]:
    """The options that name this database."""
    if database.url != default.url:
        yield from ("--database", str(database.url))
    if database.schema != default.schema:
        yield from ("--schema", database.schema)


def gaps(days_without_events: Sequence[int], today: int) -> list[tuple[int, int]]:
    """Runs of days without events, as (first, last), with a day that has events before and after them in the days searched."""
    days = set(days_without_events)
    runs = [(day, _last_of_run(days, day)) for day in days_without_events if day - 1 not in days]
    return [(first, last) for first, last in runs if first > today - LOOKED_BACK and last < today]


def _last_of_run(days: set[int], day: int) -> int:
    while day + 1 in days:
        day += 1
    return day


def _span(first: int, last: int) -> str:
    days = (date.fromordinal(first).isoformat(), date.fromordinal(last).isoformat())
    return days[0] if first == last else f"{days[0]} to {days[1]}"


def _sandbox(contents: Contents) -> Finding:
    if contents.offset is None:
        return Finding("sandbox", "no: it uses the machine's clock")
    return Finding("sandbox", f"yes: its clock is at {when(contents.now)}, and can be moved with 'laurels clock'")


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


def _retention(contents: Contents) -> Finding:
    """How much is older than the settings keep it: servers remove it once a day."""
    old = ", ".join(f"{what}: {number:,}" for what, number in contents.old.items())
    proposal = "servers remove it once a day; without one: laurels retention run" if any(contents.old.values()) else ""
    return Finding("retention", f"to remove: {old}" if old else "everything is kept", proposal=proposal)


def _erasures(contents: Contents) -> Finding:
    """The pending erasures, and whether no one runs those that are due."""
    if not contents.pending:
        return Finding("pending erasures", "none")
    first = contents.pending[0].erase_at
    found = f"{len(contents.pending):,}, the first is due {when(first)}"
    is_late = contents.now - first > OVERDUE
    return Finding("pending erasures", found, "start a server, or run 'laurels erasures run'" if is_late else "")


def _disk(file: Path) -> Finding:
    folder = file.absolute().parent
    free = shutil.disk_usage(folder).free
    needed = max(LEAST_FREE, file.stat().st_size)
    fix = "" if free >= needed else f"free at least {size(needed)}"
    return Finding("disk", f"{size(free)} free at {folder}", fix)


def _log(file: Path) -> Finding:
    log = file.with_name(file.name + "-wal")
    length = log.stat().st_size if log.is_file() else 0
    fix = "" if length <= LARGEST_LOG else "a program has an open transaction on the database; end it"
    return Finding("write-ahead log", size(length), fix)


def _writable(file: Path) -> Finding:
    """Whether this user may write the file and its directory, in which SQLite creates its log."""
    for path in (file, file.absolute().parent):
        if not os.access(path, os.W_OK):
            return Finding("permissions", f"{path} cannot be written", "give this user the right to write it")
    return Finding("permissions", "the database can be written")


def readers(file: Path) -> Iterator[Finding]:
    """Other users of the machine who may read the database or its logs, or replace a file in its folder."""
    if os.name != "posix":
        return
    for path in (file, *(file.with_name(file.name + ending) for ending in ("-wal", "-shm"))):
        mode = path.stat().st_mode if path.exists() else 0
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            yield Finding("access", f"every user of this machine can read {path}", f"run: chmod 600 {quoted(path)}")
        elif mode & (stat.S_IRGRP | stat.S_IWGRP):
            found = f"the users of a group can read {path}"
            yield Finding("access", found, proposal=f"if they should not: chmod 600 {quoted(path)}")
    folder = file.absolute().parent
    if folder.stat().st_mode & stat.S_IWOTH:
        fix = f"move the database into a folder of its own, or run: chmod o-w {quoted(folder)}"
        yield Finding("access", f"every user of this machine can put files into {folder}", fix)


def quoted(path: Path) -> str:
    """A path as a shell takes it."""
    return shlex.quote(str(path))


def _clock(now: datetime, last_recorded_at: datetime | None) -> Finding:
    """A wrong clock credits wrong days."""
    fix = "set this machine's clock, and synchronise it with NTP"
    if now < RELEASED:
        return Finding("clock", f"{when(now)} is before this version was released", fix)
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
