"""`laurels catalog`: check a catalog file, and show what can be earned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.text import Text

from laurels.cli import OK, REJECTED
from laurels.cli.leaderboards import table_of
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import counted, emit, note, say
from laurels.cli.tables import cell, console, table
from laurels.engine.catalog import Catalog
from laurels.errors import CatalogError, Fault
from laurels.present.badges import BadgeInfo
from laurels.present.boosts import CatalogBoost, time_of
from laurels.present.catalog import CatalogLevel, CatalogSummary, catalog_summary
from laurels.present.entitlements import Entitlement, unlocked_by
from laurels.present.leaderboards import LeaderboardInfo, leaderboard_info
from laurels.service.clock import utc_now
from laurels.service.opening import database_file, existing, read_catalog
from laurels.service.revisions import parsed
from laurels.settings import Settings

File = Annotated[str | None, Parameter(help="a catalog file; without it, the one in the settings")]


def check(file: File = None, /, *, json: Json = False) -> int:
    """Check a catalog file, and report all errors at once: place, problem and fix. The exit code is 1 if there is one."""
    file = settings_of(catalog=file).catalog.file
    try:
        catalog = read_catalog(file)
    except CatalogError as error:
        _report(error.faults, json=json)
        return REJECTED
    if json:
        emit({"ok": True, "faults": [], **summary(catalog)})
    else:
        counts = ", ".join(counted(number, word.removesuffix("s"), word) for word, number in summary(catalog).items())
        note(f"{file or 'The default catalog'} is valid: {counts}.")
    return OK


def summary(catalog: Catalog) -> dict[str, int]:
    """How many badges, levels and so on a catalog has."""
    return {
        "badges": len(catalog.badges),
        "levels": len(catalog.levels.all),
        "metrics": len(catalog.metrics),
        "streaks": len(catalog.streaks),
        "leaderboards": len(catalog.boards),
    }


def _report(faults: Sequence[Fault], *, json: bool) -> None:
    if json:
        emit({"ok": False, "faults": [asdict(fault) for fault in faults]})
        return
    to = console(stderr=True)
    for fault in faults:
        to.print(Text(fault.where, style="bold") + Text(f": {fault.what}; ") + Text(fault.fix, style="green"))
    note(counted(len(faults), "error"))


def show(
    *,
    toml: Annotated[bool, Parameter(negative=(), help="print the catalog file instead", show_default=False)] = False,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Show the levels, badges and leaderboards of the database's catalog; with --catalog, of that file.

    Without a database, they are those of the file in the settings, or of the default catalog.
    """
    settings = settings_of(database=database, catalog=catalog)
    read, number = (read_catalog(catalog), None) if catalog else asyncio.run(_in_force(settings))
    if toml:
        say(read.text.rstrip("\n"))
        return OK
    now = utc_now()
    shape, boards = (
        catalog_summary(read, now, for_operators=True),
        [leaderboard_info(board, now) for board in read.boards.values()],
    )
    if json:
        emit({**msgspec.to_builtins(shape), "revision": number, "leaderboards": boards})
    else:
        _show(shape, number, boards)
    return OK


async def _in_force(settings: Settings) -> tuple[Catalog, int | None]:
    """The database's catalog and the number of its revision; what a new database would get if there is none."""
    file = database_file(settings.database.url.reveal())
    if not file or file.is_file():
        async with existing(settings.database) as store:
            if newest := (await store.catalog_state()).newest:
                return parsed(newest), newest.number
    # Read only here: 'catalog show --toml > catalog.toml' finds the file of the settings empty.
    return read_catalog(settings.catalog.file), None


def _show(shape: CatalogSummary, number: int | None, boards: Sequence[LeaderboardInfo]) -> None:
    to = console()
    revision = f", revision {number} in the database" if number else ""
    to.print(Text(f"Catalog '{shape.name}'{revision}\n", style="bold"))
    to.print(_levels(shape.levels))
    to.print()
    to.print(_badges(shape.badges))
    to.print()
    if shape.entitlements:
        to.print(_entitlements(shape.entitlements))
        to.print()
    if shape.boosts:
        to.print(_boosts(shape.boosts))
        to.print()
    to.print(table_of(boards))


def _boosts(boosts: Sequence[CatalogBoost]) -> object:
    shown = table("boost", "rules", "times", "when")
    for one in boosts:
        shown.add_row(cell(one.id), cell(", ".join(one.rules) or "all"), one.factor, time_of(one))
    return shown


def _levels(levels: Sequence[CatalogLevel]) -> object:
    shown = table("level", "title", "points", right=("level", "points"))
    for level in levels:
        shown.add_row(str(level.level), cell(level.title), f"{level.points:,}")
    return shown


def _entitlements(entitlements: Sequence[Entitlement]) -> object:
    shown = table("unlocks", "by")
    for one in entitlements:
        shown.add_row(cell(one.name), cell(unlocked_by(one)))
    return shown


def _badges(badges: Sequence[BadgeInfo]) -> object:
    shown = table("", "badge", "id", "category", "points", "earned by", right=("points",))
    for badge in badges:
        points = f"{badge.points:,}"
        shown.add_row(cell(badge.icon), cell(badge.name), cell(badge.id), badge.category, points, cell(badge.condition))
    return shown
