"""`laurels leaderboard`: the users with the most points."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from laurels.cli import OK
from laurels.cli.opening import reading
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import emit
from laurels.cli.tables import bar, cell, console, table
from laurels.settings import Settings
from laurels.shapes import StandingShape
from laurels.storage.base import Store

BAR = 24


class BoardShape(msgspec.Struct, frozen=True, rename="camel"):
    """Some lines of the points board, and how many users are on it."""

    ranked_users: int
    standings: list[StandingShape]


def leaderboard(
    *,
    limit: Annotated[int, Parameter(help="how many lines", validator=Number(gte=1, lte=1_000_000))] = 10,
    after: Annotated[int, Parameter(help="begin after this rank", validator=Number(gte=0, lte=2**53))] = 0,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Show who has the most points; of equals, who reached them first."""
    board = asyncio.run(_board(settings_of(database=database, catalog=catalog), limit, after))
    if json:
        emit(board)
    else:
        _show(board)
    return OK


async def _board(settings: Settings, limit: int, after: int) -> BoardShape:
    async with reading(settings) as laurels:
        return BoardShape(await ranked_users(laurels.store), await laurels.leaderboard(limit, after))


async def ranked_users(store: Store) -> int:
    """How many users have points."""
    return (await store.rank(""))[1]


def _show(board: BoardShape) -> None:
    if not board.standings:
        console().print("Nobody is ranked here yet.")
        return
    most = max(board.standings[0].points, 1)
    shown = table("rank", "name", "user", "points", "level", "", right=("rank", "points"))
    for line in board.standings:
        level = f"{line.level} {line.title}"
        shown.add_row(
            f"{line.rank:,}",
            cell(line.name),
            cell(line.user_id),
            f"{line.points:,}",
            cell(level),
            bar(line.points / most, BAR),
        )
    console().print(shown)
    console().print(f"\n{board.ranked_users:,} ranked", style="dim")
