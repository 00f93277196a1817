"""`make torture`: every scenario again and again, each time with another seed, until the time is over.

    python -m tests.torture [--seconds 300] [--seed N] [--each 15] [--only NAME] [--totals]

A failure prints its seed; `--seed N --only NAME` runs the same again. `--totals` begins with the totals at full size.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.torture import totals
from tests.torture.scenarios import SCENARIOS, Figures
from tests.torture.server import private_server

console = Console(highlight=False, soft_wrap=True)


def read_options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("--seconds", type=float, default=300, help="how long in all")
    parser.add_argument("--each", type=float, default=15, help="for how many of them things go wrong in one scenario")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="the first seed; each round has the next"
    )
    parser.add_argument("--only", choices=SCENARIOS, help="one scenario alone")
    parser.add_argument("--totals", action="store_true", help="first 10,000 and 100,000 events by eight processes")
    return parser.parse_args()


@contextmanager
def shown() -> Iterator[Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


def torture(name: str, seed: int, each: float) -> bool:
    """One scenario under one seed; whether the books were right."""
    with shown() as progress, tempfile.TemporaryDirectory(prefix="laurels-torture-") as folder:
        task = progress.add_task(f"{name}, seed {seed}", total=None)

        def tell(incident: str) -> None:
            progress.update(task, description=f"{name}, seed {seed}: {incident}")

        try:
            figures = SCENARIOS[name](Path(folder), seed, each, tell)
        except pytest.skip.Exception as reason:
            console.print(f"skipped  {name}: {reason}")
        except Exception:  # noqa: BLE001  # whatever it is, it is told with its seed
            console.print(f"WRONG    {name}, seed {seed}\n{traceback.format_exc()}", markup=False)
            return False
        else:
            console.print(f"right    {name}, seed {seed}: {_told(figures)}")
    return True


def full_totals() -> None:
    """The totals at full size, on both engines."""
    for name, (users, events, batch) in totals.FULL.items():
        with shown() as progress, tempfile.TemporaryDirectory(prefix="laurels-torture-") as folder:
            progress.add_task(f"sqlite, {name}", total=None)
            figures = totals.check(f"sqlite:///{folder}/laurels.db", users, events, batch)
        console.print(f"right    sqlite, {name}: {_told(figures)}")
        with suppress(pytest.skip.Exception), shown() as progress, private_server() as server:
            progress.add_task(f"postgresql, {name}", total=None)
            figures = totals.check(server.address, users, events, batch) | {"deadlocks": server.deadlocks()}
            assert not figures["deadlocks"]
            console.print(f"right    postgresql, {name}: {_told(figures)}")


def _told(figures: Figures) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in figures.items())


def main() -> int:
    options = read_options()
    deadline = time.monotonic() + options.seconds
    if options.totals:
        full_totals()
    names = [options.only] if options.only else [*SCENARIOS]
    seed, right = options.seed, True
    while right and (seed == options.seed or time.monotonic() < deadline):
        for name in names:
            right = torture(name, seed, options.each) and right
        seed += 1
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
