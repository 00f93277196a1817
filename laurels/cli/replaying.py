"""`laurels simulate --catalog`: the history of a database under a candidate, for people, as JSON and as a report."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from laurels.cli import OK
from laurels.cli.options import DatabaseOptions, settings_of
from laurels.cli.output import counted, emit, note
from laurels.cli.tables import cell, console, count_progress, table
from laurels.engine.instants import read_instant
from laurels.errors import InvalidInput
from laurels.service.opening import existing, laurels_over, read_catalog
from laurels.settings import Settings
from laurels.simulate.replay import ALL, ReplayOptions, replay
from laurels.simulate.replay_totals import Replay


def replay_history(
    catalog: str,
    database: DatabaseOptions | None,
    times: tuple[str | None, str | None],
    sample: int,
    report: str | None,
    *,
    json: bool,
) -> int:
    """Replay the history of the database under this catalog, and print or write what comes of it."""
    since, until = (_instant(name, text) for name, text in zip(("--from", "--until"), times, strict=True))
    if since and until and since >= until:
        raise InvalidInput("--from", "--from must be before --until; exchange them")
    if not 1 <= sample <= ALL:
        raise InvalidInput("--sample", f"--sample is a percentage from 1 to {ALL}, not {sample}")
    options = ReplayOptions(since, until, sample)
    made = asyncio.run(_replayed(settings_of(database=database), catalog, options))
    if report is not None:
        _write_report(report, made)
    if json:
        emit(made)
    else:
        _show(made)
    if report is not None and not json:
        note(f"Wrote {report}: open it in a browser.")
    return OK


def _instant(name: str, text: str | None) -> datetime | None:
    """A time that was typed. Raises InvalidInput, which names the option."""
    try:
        return None if text is None else read_instant(name, text)
    except InvalidInput as error:
        raise InvalidInput(name, f"{name} {error}") from None


async def _replayed(settings: Settings, file: str, options: ReplayOptions) -> Replay:
    candidate = read_catalog(file)
    async with existing(settings.database) as store:
        laurels = laurels_over(store, settings, None, "follow")
        await laurels.follow_catalog()
        with count_progress("Replaying", (await store.counts()).users) as update:
            given = ReplayOptions(options.since, options.until, options.sample, update)
            return await replay(laurels.core, candidate, given)


def _write_report(file: str, made: Replay) -> None:
    """Write the report, which is there only when it is whole."""
    from laurels.simulate.report import report  # noqa: PLC0415  # templates are an extra, which only a report needs

    unfinished = Path(f"{file}.unfinished")
    try:
        unfinished.write_text(report(made), "utf-8")
        unfinished.replace(file)
    except OSError as error:
        raise InvalidInput("--report", f"cannot write '{file}': {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _show(made: Replay) -> None:
    to = console()
    shown = table("at the end", "in force", "candidate", right=("in force", "candidate"))
    present, candidate = made.present, made.candidate
    shown.add_row(cell("points"), f"{present.points:,}", f"{candidate.points:,}")
    for what, sides in (
        ("level", [{f"{one.level} {one.title}": one.users for one in side.levels} for side in (present, candidate)]),
        ("badge", [{one.badge: one.holders for one in side.badges} for side in (present, candidate)]),
        ("running streak", [{one.streak: one.active for one in side.streaks} for side in (present, candidate)]),
    ):
        before, after = sides
        for name in {**before, **after}:
            numbers = before.get(name, 0), after.get(name, 0)
            if any(numbers):
                shown.add_row(cell(f"{what} {name}"), *(f"{number:,}" for number in numbers))
    to.print(shown)
    to.print(
        f"{made.more:,} users would have more points, {made.fewer:,} fewer; "
        f"{made.higher:,} would be on a higher level, {made.lower:,} on a lower one."
    )
    for sentence in made.notes:
        note(sentence)
    note(f"Replayed {counted(made.events, 'event')} of {counted(made.users, 'user')} in {made.seconds:.1f} s.")
