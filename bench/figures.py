"""A figure: what was measured in several interleaved runs, as medians, ratios and their spread; and tables of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

MARKS = ("<!-- figures: begin -->", "<!-- figures: end -->")


@dataclass(slots=True)
class Figure:
    """One line of the table.

    ours, floor   one number for each run; the run of the floor stands beside the run it is compared with
    aim           the least ratio that we want, or the least number where there is no floor
    against       what the floor is
    """

    name: str
    unit: str
    against: str = ""
    aim: float | None = None
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    def add(self, ours: float, floor: float | None = None) -> None:
        """One run, with the floor's run beside it."""
        self.ours.append(ours)
        if floor is not None:
            self.floor.append(floor)

    @property
    def ratios(self) -> list[float]:
        """Ours / floor, run by run."""
        return [ours / floor for ours, floor in zip(self.ours, self.floor, strict=True)] if self.floor else []

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the aim; None without one."""
        if self.aim is None:
            return None
        return median(self.ratios or self.ours) >= self.aim

    def cells(self) -> list[str]:
        """Name, ours, floor, ratio, aim: as text."""
        ratios = self.ratios
        return [
            self.name,
            f"{_number(median(self.ours))} {self.unit}{_spread(self.ours)}",
            f"{_number(median(self.floor))} {self.unit}" if self.floor else "",
            f"{median(ratios):.2f}{_spread(ratios)}" if ratios else "",
            self._aim(),
        ]

    def _aim(self) -> str:
        if self.aim is None:
            return ""
        return f"{self.aim:.2f}" if self.floor else _number(self.aim)

    def as_json(self) -> dict[str, Any]:
        """All runs and what they come to."""
        return {
            "name": self.name,
            "unit": self.unit,
            "against": self.against,
            "aim": self.aim,
            "ours": self.ours,
            "floor": self.floor,
            "median": median(self.ours),
            "ratio": median(self.ratios) if self.floor else None,
        }


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _spread(values: Sequence[float]) -> str:
    """'(min..max)', where there were several runs."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    return f" ({low:.2f}..{high:.2f})" if high < 10 else f" ({_number(low)}..{_number(high)})"


HEADINGS = ("measured", "ours: median (min..max)", "floor", "ratio: median (min..max)", "aim")


def terminal_table(figures: Sequence[Figure], title: str) -> Table:
    """The table for people at a terminal."""
    table = Table(*HEADINGS, title=title)
    colours = {True: "green", False: "red", None: ""}
    for figure in figures:
        *cells, aim = figure.cells()
        colour = colours[figure.reached]
        table.add_row(*cells, f"[{colour}]{aim}[/]" if colour else aim)
    return table


def markdown_table(report: dict[str, Any]) -> str:
    """The same for docs/performance.md, with the date and the versions, from a report as written to results.json."""
    versions = ", ".join(f"{name} {value}" for name, value in report["versions"].items())
    lines = [
        f"Measured on {report['date']} ({versions}; load of the machine before: {report['load']:.1f}).",
        "",
        "| " + " | ".join((*HEADINGS, "floor is")) + " |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for raw in report["figures"]:
        figure = Figure(raw["name"], raw["unit"], raw["against"], raw["aim"], raw["ours"], raw["floor"])
        lines.append("| " + " | ".join((*figure.cells(), figure.against)) + " |")
    return "\n".join(lines)


def with_table(document: str, report: dict[str, Any]) -> str:
    """The document with its table rewritten between the two marks."""
    begin, end = MARKS
    before, _, rest = document.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the document lacks the marks {begin} and {end}")
    return f"{before}{begin}\n{markdown_table(report)}\n{end}{after}"


def dumps(report: dict[str, Any]) -> str:
    """The report as text for results.json."""
    return json.dumps(report, indent=1) + "\n"
