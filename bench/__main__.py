"""`python -m bench`: measure, print a table, and store the numbers in bench/results.json."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import growth, hostile, planning, postgres, ranking, reading, redis, repairing, writing
from bench.engines import Engine, PostgreSQL, Site, SQLite
from bench.figures import Figure, dumps, from_json, merged, terminal_table, with_tables
from bench.load import WRK_MISSING, has_wrk
from bench.machine import RESULTS, versions
from bench.options import Options

DOCS = Path(__file__).parent.parent / "docs"
DOCUMENT = DOCS / "performance.md"
PICTURE = DOCS / "performance-growth.svg"

ENGINES: dict[str, Engine] = {"sqlite": SQLite(), "postgresql": PostgreSQL()}

AT_SITES: dict[str, Callable[[Site, Options], list[Figure]]] = {
    "profile": reading.profiles,
    "two": reading.by_two,
    "cold": reading.cold_starts,
    "rank": ranking.ranks,
    "single": writing.singles,
    "batches": writing.batches,
    "hot": writing.hot,
    "mixed": writing.mixed,
    "plan": planning.plans,
    "amnesty": repairing.amnesty,
    "hostile": hostile.hostile,
}
"""What depends on the engine and on the size of the community."""

AT_ENGINES: dict[str, Callable[[Engine, Options], list[Figure]]] = {"import": writing.importing}

ANYWHERE: dict[str, Callable[[Options], list[Figure]]] = {
    "judge": writing.judging,
    "verify": repairing.verifying,
    "streak": repairing.reading_streaks,
    "plan-events": planning.plans_from_events,
}
NAMES = (*AT_SITES, *AT_ENGINES, *ANYWHERE)

OVER_HTTP = frozenset({"profile", "two", "single", "batches", "hot", "mixed"})
ONCE = frozenset({"hot"})
"""Measured at the smallest size only: one user's row does not depend on how many others there are."""


class Run:
    """One run of the bench. The results so far are written after every measure, so that an interrupted run keeps them."""

    def __init__(self, console: Console, *, add: bool) -> None:
        self.console = console
        self.figures: list[Figure] = []
        self.before = json.loads(RESULTS.read_text("utf-8")) if add and RESULTS.exists() else None
        self.load = os.getloadavg()[0]
        self.failed: list[str] = []
        self.versions = versions()

    def measure(self, what: str, work: Callable[[], Sequence[Figure]]) -> bool:
        """Run one measure, and store its results. A failure is reported at once and at the end, and the run continues."""
        start = time.monotonic()
        self.console.print(f"measuring: {what} ...", end=" ")
        try:
            self.figures += work()
        except Exception:  # noqa: BLE001  # one failed measure must not lose a run of half an hour
            self.console.print_exception()
            self.failed.append(what)
            return False
        self.console.print(f"{time.monotonic() - start:.0f} s")
        RESULTS.write_text(dumps(self.report()), "utf-8")
        return True

    def report(self) -> dict[str, Any]:
        """The content of bench/results.json."""
        old = [from_json(raw) for raw in self.before["figures"]] if self.before else []
        return {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "versions": self.versions,
            "load": self.load,
            "figures": [one.as_json() for one in merged(old, self.figures)],
        }


def main() -> int:
    """Run the requested measures."""
    console = Console()
    arguments = _arguments()
    if arguments.write_docs:
        _write_docs()
        return 0
    names, engines = arguments.only or list(NAMES), arguments.engines or list(ENGINES)
    if not has_wrk() and OVER_HTTP.intersection(names):
        console.print(f"[bold red]{WRK_MISSING}[/]")
        names = [name for name in names if name not in OVER_HTTP]
    if not postgres.can_be_had() and "postgresql" in engines:
        console.print(f"[bold red]{postgres.MISSING}[/]")
        engines.remove("postgresql")
    if not redis.is_there() and "rank" in names:
        console.print(f"[bold red]{redis.MISSING}[/]")
    run = Run(console, add=arguments.add)
    with postgres.stopped_in_the_end():
        if "postgresql" in engines:
            run.versions["postgresql"] = postgres.version()
        _measure(
            run,
            names,
            [ENGINES[name] for name in engines],
            sorted(arguments.users or _users(arguments)),
            _options(arguments),
        )
    load = f"load before {run.load:.1f}, after {os.getloadavg()[0]:.1f}"
    console.print(terminal_table(run.figures, f"{datetime.now(UTC):%Y-%m-%d}, {load}"))
    for what in run.failed:
        console.print(f"[bold red]failed, and not in the figures: {what}[/]")
    return 1 if run.failed else 0


def _measure(run: Run, names: Sequence[str], engines: Sequence[Engine], sizes: Sequence[int], options: Options) -> None:
    at_sites = [name for name in names if name in AT_SITES]
    for engine in engines:
        for users in sizes if at_sites else ():
            with closing(Site(engine, users)) as site:
                for name in at_sites:
                    what = f"{name}, {engine.name}, {users:,} users"
                    if name in ONCE and users != sizes[0]:
                        continue
                    if not run.measure(what, partial(AT_SITES[name], site, options)):
                        site.drop_copies()  # their state is unknown
        for name in [name for name in AT_ENGINES if name in names]:
            run.measure(f"{name}, {engine.name}", partial(AT_ENGINES[name], engine, options))
    for name in [name for name in ANYWHERE if name in names]:
        run.measure(name, partial(ANYWHERE[name], options))


def _write_docs() -> None:
    report = json.loads(RESULTS.read_text("utf-8"))
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text("utf-8"), report), "utf-8")
    PICTURE.write_text(growth.picture(report), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs, smaller communities and imports")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"any of: {', '.join(NAMES)}")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, metavar="NAME", help=f"any of: {', '.join(ENGINES)}")
    parser.add_argument(
        "--users", nargs="+", type=int, metavar="N", help="sizes of the community (10000 100000 1000000)"
    )
    parser.add_argument("--add", action="store_true", help="keep the last results of measures that do not run now")
    parser.add_argument(
        "--write-docs", action="store_true", help="write the last results into docs/ and measure nothing"
    )
    return parser.parse_args()


def _users(arguments: argparse.Namespace) -> tuple[int, ...]:
    return (10_000, 100_000) if arguments.quick else (10_000, 100_000, 1_000_000)


def _options(arguments: argparse.Namespace) -> Options:
    if arguments.quick:
        return Options(runs=2, seconds=1, starts=1, imported=20_000)
    return Options(runs=5, seconds=2, starts=3, imported=300_000)


if __name__ == "__main__":
    sys.exit(main())
