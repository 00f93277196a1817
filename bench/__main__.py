"""`python -m bench`: measure, print a table, and keep the numbers in bench/results.json."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench import reading, repairing, writing
from bench.figures import Figure, dumps, terminal_table, with_table
from bench.load import WRK_MISSING, has_wrk
from bench.machine import RESULTS, versions
from bench.options import Options

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"

MEASURES: dict[str, Callable[[Options], list[Figure]]] = {
    "profile": reading.profiles,
    "framework": reading.framework,
    "single": writing.singles,
    "batches": writing.batches,
    "mixed": writing.mixed,
    "judge": writing.judging,
    "import": writing.importing,
    "rank": reading.ranks,
    "verify": repairing.verifying,
    "streak": repairing.reading_streaks,
    "amnesty": repairing.amnesty,
}
OVER_HTTP = frozenset({"profile", "framework", "single", "batches", "mixed"})


def main() -> int:
    """Measure what was asked for."""
    console = Console()
    asked = _arguments()
    if asked.write_docs:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")
        return 0
    names = asked.only or list(MEASURES)
    if not has_wrk() and OVER_HTTP.intersection(names):
        console.print(f"[bold red]{WRK_MISSING}[/]")
        names = [name for name in names if name not in OVER_HTTP]
    options = _options(asked)
    load = os.getloadavg()[0]
    figures: list[Figure] = []
    for name in names:
        console.print(f"measuring: {name}")
        figures += MEASURES[name](options)
    now = datetime.now(UTC)
    report = {
        "date": f"{now:%Y-%m-%d}",
        "versions": versions(),
        "load": load,
        "figures": [one.as_json() for one in figures],
    }
    RESULTS.write_text(dumps(report), "utf-8")
    console.print(terminal_table(figures, f"{now:%Y-%m-%d}, load before {load:.1f}"))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs, and a smaller import")
    parser.add_argument(
        "--only", nargs="+", choices=list(MEASURES), metavar="NAME", help=f"any of: {', '.join(MEASURES)}"
    )
    parser.add_argument("--users", nargs="+", type=int, metavar="N", help="sizes of the community (10000 1000000)")
    parser.add_argument("--write-docs", action="store_true", help="write the last results into docs/performance.md")
    return parser.parse_args()


def _options(asked: argparse.Namespace) -> Options:
    users = asked.users or (10_000, 1_000_000)
    if asked.quick:
        return Options(runs=3, seconds=1, users=users, imported=100_000)
    return Options(runs=11, seconds=2, users=users, imported=1_000_000)


if __name__ == "__main__":
    sys.exit(main())
