"""`laurels leaderboard`: who stands where."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.markup import escape

from laurels.cli import OK
from laurels.cli.opening import reading
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import emit, when
from laurels.cli.tables import bar, cell, console, table
from laurels.settings import Settings
from laurels.shapes import LeaderboardShape, PeriodShape
from laurels.storage.base import POINTS_BOARD

BAR = 24
MOST_LINES = 100_000


def leaderboard(
    board: Annotated[str, Parameter(help="a leaderboard's id, as the catalog names it")] = POINTS_BOARD,
    /,
    *,
    period: Annotated[
        str, Parameter(help="'current', 'previous', or a key such as 2026-W47, 2026-11 or 2026")
    ] = "current",
    limit: Annotated[int, Parameter(help="how many lines", validator=Number(gte=1, lte=MOST_LINES))] = 10,
    around: Annotated[str | None, Parameter(help="show the lines around this user")] = None,
    after: Annotated[str | None, Parameter(help="go on behind these lines: the 'next' of the page before")] = None,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Show who leads: by points, or on another leaderboard of the catalog, within a period."""
    settings = settings_of(database=database, catalog=catalog)
    shown = asyncio.run(_read(settings, board, period, limit, around, after))
    if json:
        emit(shown)
    else:
        _show(shown, around)
    return OK


async def _read(
    settings: Settings, board: str, period: str, limit: int, around: str | None, after: str | None
) -> LeaderboardShape:
    async with reading(settings) as laurels:
        return await laurels.leaderboard(board, period, limit=limit, around=around, after=after, me=around)


def _show(shown: LeaderboardShape, around: str | None) -> None:
    console().print(f"[bold]{escape(shown.board.name)}[/]  {escape(_bounds(shown.period))}")
    if around is not None and shown.me is None:
        console().print(f"'{escape(around)}' is not ranked here.")
    elif not shown.standings:
        console().print("Nobody is ranked here yet.")
    if shown.standings:
        console().print(_lines(shown, around))
        console().print(f"\n{shown.ranked_users:,} ranked", style="dim")
    if shown.next:
        console().print(f"more: --after {shown.next}", style="dim")


def _bounds(period: PeriodShape) -> str:
    if period.start is None or period.end is None:
        return "all time"
    return f"{period.key}: {when(period.start)} to {when(period.end)}, {period.status}"


def _lines(shown: LeaderboardShape, around: str | None) -> object:
    most = max(1, *(line.score for line in shown.standings))
    lines = table("rank", "name", "user", "score", "level", "", right=("rank", "score"))
    for line in shown.standings:
        level = f"{line.level} {line.title}"
        lines.add_row(
            f"{line.rank:,}",
            cell(line.name),
            cell(line.user_id),
            f"{line.score:,}",
            cell(level),
            bar(line.score / most, BAR),
            style="bold" if line.user_id == around else None,
        )
    return lines
