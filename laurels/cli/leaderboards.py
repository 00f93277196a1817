"""`laurels leaderboard`: the lines of a leaderboard, the list of leaderboards, and their closed periods."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import CatalogFile, Database, Json, WholeNumber, settings_of
from laurels.cli.output import ago, emit, lasting, when
from laurels.cli.tables import cell, console, table
from laurels.engine.numbers import decimal_text
from laurels.engine.zones import zone
from laurels.present.leaderboards import (
    ClosedPeriods,
    LeaderboardInfo,
    LeaderboardList,
    LeaderboardPage,
    LeaderboardPeriod,
    LeaderboardStanding,
    TeamStanding,
)
from laurels.service.opening import changing, reading
from laurels.settings import Settings
from laurels.storage.contract import POINTS_BOARD

BAR = 14
"""The width of a bar, in columns; it shrinks to leave room for names."""

NAMES = 4
"""A name takes at most one part in this many of the width."""

MOST_OTHERS = 10
"""How many other values of a leaderboard are named."""

MOST_LINES = 100_000
INSTANT = timedelta(microseconds=1)
TIES = {"first": "1 2 3 4", "shared": "1 2 2 4", "dense": "1 2 2 3"}
MINE = "▸ "


def leaderboard(
    board: Annotated[str, Parameter(help="a leaderboard's id, as --list names it")] = POINTS_BOARD,
    /,
    *,
    period: Annotated[
        str, Parameter(help="'current', 'previous', or a key such as 2026-W47, 2026-11 or 2026")
    ] = "current",
    limit: Annotated[WholeNumber, Parameter(help="how many lines", validator=Number(gte=1, lte=MOST_LINES))] = 10,
    around: Annotated[str | None, Parameter(help="show the lines around this user")] = None,
    me: Annotated[str | None, Parameter(help="mark this user's line, or show it below the others")] = None,
    within: Annotated[
        str | None, Parameter(help="on a leaderboard with 'within': the value whose users are shown, such as 'de'")
    ] = None,
    after: Annotated[str | None, Parameter(help="show the lines after those of an earlier page: its 'next'")] = None,
    before: Annotated[str | None, Parameter(help="show the lines before those of a page: its 'previous'")] = None,
    all_boards: Annotated[
        bool, Parameter(name="--list", negative=(), help="show all leaderboards instead", show_default=False)
    ] = False,
    history: Annotated[
        bool, Parameter(negative=(), help="show the periods that are closed instead", show_default=False)
    ] = False,
    close: Annotated[
        bool,
        Parameter(negative=(), help="close every period that is due, on all leaderboards", show_default=False),
    ] = False,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Show a leaderboard of the catalog within a period; by default, all points."""
    settings = settings_of(database=database, catalog=catalog)
    if close:
        return _close(settings, json=json)
    if history:
        closings = asyncio.run(_closings(settings, board, limit))
        emit(closings) if json else console().print(_table_of_closings(closings))
        return OK
    if all_boards:
        boards = asyncio.run(_all(settings))
        emit(boards) if json else console().print(table_of(boards.leaderboards))
        return OK
    shown = asyncio.run(_read(settings, board, period, limit, around, (after, before), me or around, within))
    if json:
        emit(shown)
    else:
        _show(shown, period, me or around)
    return OK


def _close(settings: Settings, *, json: bool) -> int:
    """Close the periods that are due. Servers do it automatically; without a server, this notifies the users in front."""
    closed = asyncio.run(_closed(settings))
    if json:
        emit({"closed": [{"board": board, "period": period} for board, period in closed]})
    elif closed:
        console().print("\n".join(f"closed {board} {period}" for board, period in closed), markup=False)
    else:
        console().print("No period is due.")
    return OK


async def _closed(settings: Settings) -> list[tuple[str, str]]:
    async with changing(settings) as laurels:
        return await laurels.close_periods()


async def _closings(settings: Settings, board: str, limit: int) -> ClosedPeriods:
    async with reading(settings) as laurels:
        return await laurels.closings(board, limit)


def _table_of_closings(closings: ClosedPeriods) -> object:
    if not closings.closings:
        return "No period is closed here yet."
    shown = table("period", "from", "to", "closed")
    for closing in closings.closings:
        shown.add_row(cell(closing.period), when(closing.start), when(closing.end), when(closing.closed_at))
    return shown


async def _all(settings: Settings) -> LeaderboardList:
    async with reading(settings) as laurels:
        return await laurels.leaderboards()


async def _read(  # what the options say
    settings: Settings,
    board: str,
    period: str,
    limit: int,
    around: str | None,
    cursors: tuple[str | None, str | None],
    me: str | None,
    within: str | None,
) -> LeaderboardPage:
    after, before = cursors
    async with reading(settings) as laurels:
        return await laurels.leaderboard(
            board, period, limit=limit, around=around, after=after, before=before, me=me, within=within
        )


# ---- all of them ------------------------------------------------------------------------------


def table_of(boards: Sequence[LeaderboardInfo]) -> object:
    """What each leaderboard counts, within which periods, and which ranks equal scores show."""
    shown = table("leaderboard", "name", "counts", "within", "ranks", "now")
    for board in boards:
        now = board.current.key if board.current else "retired" if board.retired else None
        within = "all time" if board.period == "all" else f"{board.period}, {board.zone}"
        shown.add_row(cell(board.id), cell(board.name), cell(_counts(board)), cell(within), TIES[board.ties], cell(now))
    return shown


def _counts(board: LeaderboardInfo) -> str:
    """'points', 'metric books, lowest first', '10 x books + pages, not of staff, read by hr'."""
    parts = [board.by if board.of is None else f"{board.by} {board.of}"]
    if board.weights:
        weighted = ((name, "" if weight == 1 else f"{weight} x ") for name, weight in board.weights.items())
        parts = [" + ".join(f"{weight}{name}" for name, weight in weighted)]
    if board.order == "lowest":
        parts.append("lowest first")
    if board.teams:
        parts.append(f"of teams '{board.teams}…'")
    if board.within:
        parts.append(f"within each {board.within}")
    if board.groups:
        parts.append(f"of {' or '.join(board.groups)}")
    if board.except_groups:
        parts.append(f"not of {' or '.join(board.except_groups)}")
    if board.readers:
        parts.append(f"read by {' or '.join(board.readers)}")
    return ", ".join(parts)


# ---- one of them ------------------------------------------------------------------------------


RECOMPUTING = "This leaderboard is being recomputed: some lines are still those of the rule before.\n"


def _show(shown: LeaderboardPage, period: str, me: str | None) -> None:
    to = console()
    key = "of all time" if shown.board.period == "all" else shown.period.key
    value = f"  {shown.board.within} {shown.within}" if shown.within else ""
    to.print(Text.assemble((shown.board.name, "bold"), f"  {_counts(shown.board)}  {key}{value}"))
    if shown.board.period != "all":
        to.print(Text(_bounds(shown.board, shown.period, shown.computed_at), style="dim"))
    to.print(RECOMPUTING if shown.recomputing else "")
    if isinstance(shown.teams, list) and shown.teams:
        to.print(_teams(shown.teams, shown.board.scale))
    elif shown.standings or shown.me_hidden:
        to.print(_lines(shown, me))
    elif not shown.ranked_users:
        to.print(_why_empty(shown.period, period))
    elif me is None:
        to.print("There are no more lines.")
    if me is not None and shown.me is None and shown.ranked_users and not shown.teams:
        to.print(f"'{me}' is not ranked here.")
    if shown.me_hidden:
        to.print(f"Only '{me}' sees the line marked {MINE.strip()}.")
    for line in _below(shown):
        to.print(line, style="dim")


def _below(shown: LeaderboardPage) -> Iterator[str]:
    """How many are ranked, and how to read on."""
    if shown.board.teams and shown.ranked_teams:
        yield f"\n{shown.ranked_teams:,} team{'s' if shown.ranked_teams != 1 else ''}"
    elif shown.ranked_users:
        yield f"\n{shown.ranked_users:,} ranked"
    others = [value for value in shown.values if value != shown.within]
    if others:
        yield f"others: --within {', '.join(others[:MOST_OTHERS])}{', ...' if len(others) > MOST_OTHERS else ''}"
    if shown.previous:
        yield f"before: --before {shown.previous}"
    if shown.next:
        yield f"more: --after {shown.next}"


def _bounds(board: LeaderboardInfo, period: LeaderboardPeriod, now: datetime) -> str:
    """The days of a period, and whether it still takes events."""
    assert period.closes_at
    if period.start is None or period.end is None:  # closed by an older version, under a catalog that is not known
        return f"closed {ago(period.closes_at, now)}."
    where = zone(board.zone)
    first, last = period.start.astimezone(where), (period.end - INSTANT).astimezone(where)
    days = f"{first:%a %Y-%m-%d}" if first.date() == last.date() else f"{first:%a %Y-%m-%d} to {last:%a %Y-%m-%d}"
    if period.status == "coming":
        state = f"begins in {lasting(period.start - now)}"
    elif period.status == "running":
        state = f"ends in {lasting(period.end - now)}"
    elif period.status == "ended":
        state = f"ended {ago(period.end, now)}, takes late events until {when(period.closes_at)}"
    else:
        state = f"closed {ago(period.closes_at, now)}"
    return f"{days} ({board.zone}): {state}."


def _why_empty(period: LeaderboardPeriod, requested: str) -> str:
    if period.status in ("ended", "closed"):
        return "No one was ranked here."
    hint = "; see the previous period with --period previous" if requested == "current" and period.start else ""
    return f"No one is ranked here yet{hint}."


def _lines(shown: LeaderboardPage, me: str | None) -> object:
    """The lines, with the reader's own marked, or added below."""
    lines = table("rank", "name", "user", "score", "level", "", right=("rank", "score"))
    names, ids = lines.columns[1:3]
    names.no_wrap, names.max_width = True, console().width // NAMES
    ids.overflow = "fold"  # an id must be whole to be copied
    most = max([1, *(line.score for line in shown.standings)])
    in_place, below = _with_own(shown, me)
    for line in in_place:
        _add(lines, line, most, shown.board.scale, mine=line.user_id == me)
    if below:
        lines.add_row("…")
        _add(lines, below, most, shown.board.scale, mine=True)
    return lines


def _with_own(shown: LeaderboardPage, me: str | None) -> tuple[list[LeaderboardStanding], LeaderboardStanding | None]:
    """The lines, with that of a hidden reader in its place if it is on this page; and the own line if it is on no page shown."""
    lines, own = list(shown.standings), shown.me
    if own is None or any(line.user_id == me for line in lines):
        return lines, None
    ahead = sum(_order(shown.board, line) < _order(shown.board, own) for line in lines)
    on_this_page = (ahead or not shown.previous) and (ahead < len(lines) or not shown.next)
    if not shown.me_hidden or not on_this_page:
        return lines, own
    return [*lines[:ahead], own, *lines[ahead:]], None


def _order(board: LeaderboardInfo, line: LeaderboardStanding) -> tuple[int, datetime, str]:
    return (line.score if board.order == "lowest" else -line.score), line.reached_at, line.user_id


def _teams(teams: Sequence[TeamStanding], scale: int) -> object:
    """The teams, with the reader's own marked."""
    lines = table("rank", "team", "score", "members", "", right=("rank", "score", "members"))
    most = max(1, *(team.score for team in teams))
    for team in teams:
        lines.add_row(
            f"{MINE if team.mine else ''}{team.rank:,}",
            cell(team.name),
            f"{team.score / scale:,.2f}".removesuffix(".00"),
            f"{team.members:,}",
            _bar(team.score, most),
            style="bold" if team.mine else None,
        )
    return lines


def _bar(score: float, most: float) -> ProgressBar:
    return ProgressBar(
        total=most, completed=min(score, most), width=BAR, complete_style="yellow", finished_style="yellow"
    )


def _add(lines: Table, line: LeaderboardStanding, most: int, scale: int, *, mine: bool) -> None:
    lines.add_row(
        f"{MINE if mine else ''}{line.rank:,}",
        cell(line.name),
        cell(line.user_id),
        decimal_text(line.score, scale),
        cell(f"{line.level} {line.title}"),
        _bar(line.score, most),
        style="bold" if mine else None,
    )
