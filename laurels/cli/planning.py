"""`laurels catalog plan`: what putting a catalog in force would do over all users."""

from __future__ import annotations

import asyncio
import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import Database, Json, WholeNumber, settings_of
from laurels.cli.output import counted, emit, note, say
from laurels.cli.revisions import Silent
from laurels.cli.tables import cell, console, count_progress, table
from laurels.errors import InvalidInput
from laurels.present.audit import csv_cell
from laurels.present.plans import CHANGE_COLUMNS, CatalogPlan, PlannedPay, PlannedUser, change_rows
from laurels.service.admin import Admin
from laurels.service.opening import existing, laurels_over, read_catalog
from laurels.service.planning import INFLATION
from laurels.settings import Settings

BASES = {
    "nothing": "no rule changes, so no user was computed",
    "progress": "the stored progress of users, which suffices",
    "events": "the events of users",
}


def plan(
    file: Annotated[str | None, Parameter(help="a catalog file")] = None,
    /,
    *,
    rollback: Annotated[
        WholeNumber | None, Parameter(help="plan going back to this revision instead", show_default=False)
    ] = None,
    csv: Annotated[
        str | None, Parameter(help="write every change of every user into this file", show_default=False)
    ] = None,
    inflation: Annotated[
        WholeNumber,
        Parameter(help="warn if the points of all users grow by more percent", validator=Number(gte=0, lte=1_000_000)),
    ] = INFLATION,
    silent: Silent = False,
    database: Database = None,
    json: Json = False,
) -> int:
    """Show what putting a catalog in force would do over all users: who gains or loses what. Nothing is stored.

    Servers may run meanwhile. The token at the end stands for what was shown: 'laurels catalog apply FILE --plan TOKEN'.
    """
    if (file is None) == (rollback is None):
        raise InvalidInput("FILE", "name a catalog file, or an earlier revision with --rollback N, and not both")
    settings = settings_of(database=database)
    with _rows_into(csv) as each:
        made = asyncio.run(_plan(settings, file, rollback, each, (inflation, silent)))
    if json:
        emit(made)
    else:
        _show(made, f"apply {file}" if file is not None else f"rollback {rollback}")
    return OK


async def _plan(
    settings: Settings,
    file: str | None,
    rollback: int | None,
    each: Callable[[PlannedUser], None] | None,
    policies: tuple[int, bool],
) -> CatalogPlan:
    given = read_catalog(file) if file is not None else None
    async with existing(settings.database) as store:
        admin = Admin(laurels_over(store, settings, None, "follow"))
        catalog = given or await admin.catalog_of(rollback or 0)
        with count_progress("Planning", (await store.counts()).users) as update:
            inflation, silent = policies
            return await admin.plan_catalog(catalog, each=each, progress=update, inflation=inflation, silent=silent)


@contextmanager
def _rows_into(file: str | None) -> Iterator[Callable[[PlannedUser], None] | None]:
    """What writes the changes of a user into a CSV file, which is there only when all of them are."""
    if file is None:
        yield None
        return
    unfinished = Path(f"{file}.unfinished")
    try:
        with open(
            unfinished, "w", encoding="utf-8", newline="", opener=_for_its_owner
        ) as stream:  # a Path has no opener
            writer = csv.writer(stream)
            writer.writerow(CHANGE_COLUMNS)
            yield lambda user: writer.writerows(
                [csv_cell("" if one is None else one) for one in row] for row in change_rows(user)
            )
        unfinished.replace(file)
    except OSError as error:
        raise InvalidInput("--csv", f"cannot write '{file}': {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _for_its_owner(file: str, flags: int) -> int:
    """Open a file that only its owner may read, because users are named in it."""
    return os.open(file, flags, 0o600)


# ---- for people -------------------------------------------------------------------------------


def _show(made: CatalogPlan, command: str) -> None:
    to = console()
    for line in made.differences or ["The catalog differs in nothing but comments."]:
        to.print(Text(line), soft_wrap=True)
    for warning in made.warnings:
        to.print(Text("Warning: ", style="yellow") + Text(warning), soft_wrap=True)
    to.print()
    _show_totals(made)
    if made.most_affected:
        to.print()
        to.print(_most_affected(made))
    note(f"Computed from {BASES[made.basis]}: {counted(made.users, 'user')} in {made.seconds:.1f} s.")
    if made.outdated:
        note(
            f"{counted(made.outdated, 'user')} were not read since the last revision or amnesty; they come under the new "
            "catalog directly."
        )
    if made.apply_seconds:
        note(f"Bringing all users under the catalog takes about {made.apply_seconds:.0f} s.")
    note(f"To apply this: laurels catalog {command}{' --silent' if made.silent else ''} --plan TOKEN, with the token")
    say(made.token)


def _show_totals(made: CatalogPlan) -> None:
    """The totals, one line for each thing that changes."""
    points, levels = made.points, made.levels
    lines = [f"affected: {made.affected:,} of {counted(made.users, 'user')}"]
    lines += [
        f"badge {one.badge}: gained by {one.gained:,}, lost by {one.lost:,}"
        + (f", {one.unqualified:,} keep it without meeting the new condition" if one.unqualified else "")
        + (f", {one.none_left:,} find none left" if one.none_left else "")
        for one in made.badges
    ]
    if points.more or points.fewer:
        lines.append(
            f"points: {points.before:,} -> {points.after:,}; {points.paid:,} more for {counted(points.more, 'user')}, "
            f"{points.taken:,} fewer for {counted(points.fewer, 'user')}"
        )
    lines += map(_pay_text, made.pay)
    if levels.higher or levels.lower:
        lines.append(f"levels: {counted(levels.higher, 'user')} with a higher one, {levels.lower:,} with a lower one")
    lines += [
        f"streak {one.streak}: {one.longer:,} longer, {one.shorter:,} shorter, {one.longest_only:,} with another longest run"
        for one in made.streaks
    ]
    lines += [
        f"leaderboard {one.leaderboard}: lines: {one.joined:,} new, {one.left:,} gone, {one.changed:,} with another score"
        for one in made.leaderboards
    ]
    for line in lines:
        console().print(Text(line), soft_wrap=True)


def _pay_text(one: PlannedPay) -> str:
    """What a change of pay has paid under each choice, and how to choose the other one."""
    other = "recompute" if one.chosen == "keep" else "keep"
    paid = {"keep": one.keep, "recompute": one.recompute}
    return (
        f'{one.key} {one.id}: {paid[one.chosen]:,} points in all with past = "{one.chosen}"; with past = "{other}", it would be '
        f"{paid[other]:,}, and another number for {counted(one.users, 'user')}"
    )


def _most_affected(made: CatalogPlan) -> object:
    shown = table("most affected", "points", "level", "badges", "streaks", right=("points", "level"))
    for user in made.most_affected:
        badges = ", ".join([*(f"+{badge}" for badge in user.gained), *(f"-{badge}" for badge in user.lost)])
        streaks = ", ".join(f"{one.streak} {one.length.before} -> {one.length.after}" for one in user.streaks)
        points = f"{user.points.before:,} -> {user.points.after:,}"
        shown.add_row(
            cell(user.user_id), points, f"{user.level.before} -> {user.level.after}", cell(badges), cell(streaks)
        )
    return shown
