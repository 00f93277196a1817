"""Tables and progress bars for a terminal. A module of its own, because `rich` loads slowly."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 140
"""Columns when the output is not a terminal, so that nothing is cut off in a file."""


def console(*, stderr: bool = False) -> Console:
    """A console, with colours on a terminal only. Texts of users are never read as markup."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """A table without lines; the columns named in `right` are aligned right."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    numbers = set(right)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", no_wrap=column in numbers)
    return made


def bar(share: float, width: int, style: str = "yellow") -> Text:
    """A bar of `width` characters, `share` (0 to 1) of it filled."""
    filled = round(max(0.0, min(1.0, share)) * width)
    return Text("━" * filled, style=style) + Text("─" * (width - filled), style="dim")


def cell(value: Any) -> Text:
    """A value as a cell, never read as markup."""
    return Text("–" if value is None else str(value))


@contextmanager
def bytes_progress(total: int | None) -> Iterator[Callable[[int | None, int], None]]:
    """A bar on standard error, updated with (bytes read, events so far); it adds the rate. `total` None: unknown."""
    columns = (
        BarColumn(bar_width=40),
        TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TextColumn("{task.fields[rate]:,.0f}/s", style="green"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, events=0, rate=0.0)

        def update(done: int | None, events: int) -> None:
            rate = events / max(time.monotonic() - started, 1e-9)
            progress.update(task, completed=done or 0, events=events, rate=rate)

        yield update


@contextmanager
def steps_progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, advanced once for each of `total` steps; hidden if standard error is not a terminal."""
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        update(done)

    with count_progress(label, total) as update:
        yield advance


@contextmanager
def count_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error with the rate and the time left, updated with how many of `total` are done.

    It is hidden if standard error is not a terminal.
    """
    rate = TextColumn("{task.fields[rate]:,.0f}/s", style="green")
    columns = (TextColumn(label), BarColumn(bar_width=40), TaskProgressColumn(), rate, TimeRemainingColumn())
    to, started = console(stderr=True), time.monotonic()
    with Progress(*columns, console=to, transient=True, disable=not to.is_terminal) as progress:
        task = progress.add_task("", total=total, rate=0.0)

        def update(done: int) -> None:
            progress.update(task, completed=done, rate=done / max(time.monotonic() - started, 0.001))

        yield update
