"""A figure: what was measured in several interleaved runs, as medians, ratios and their spread; and tables of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

BUSY = "Other work ran on the machine"
QUIET = 1.0
"""Up to this load before a run, its figures are comparable with those of other runs."""

MARKS = ("<!-- figures: begin -->", "<!-- figures: end -->")


@dataclass(slots=True)
class Figure:
    """One cell of a table.

    ours, floor    one number for each run; the same position is the same run
    aim            the smallest ratio to reach; without a floor, the smallest number
    most           whether the aim is a maximum
    against        what the floor is
    engine, users  where it was measured; empty and 0 if that makes no difference
    """

    name: str
    unit: str
    against: str = ""
    aim: float | None = None
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    engine: str = ""
    users: int = 0
    most: bool = False

    def add(self, ours: float, floor: float | None = None) -> None:
        """Add a run, with the floor's run next to it."""
        self.ours.append(ours)
        if floor is not None:
            self.floor.append(floor)

    @property
    def key(self) -> tuple[str, int, str]:
        """What it measures, and where."""
        return self.engine, self.users, self.name

    @property
    def ratios(self) -> list[float]:
        """Ours / floor, run by run."""
        return [ours / floor for ours, floor in zip(self.ours, self.floor, strict=True)] if self.floor else []

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the aim; None without one."""
        if self.aim is None:
            return None
        reading = median(self.ratios or self.ours)
        return reading <= self.aim if self.most else reading >= self.aim

    @property
    def number(self) -> str:
        """The median, with its spread and unit."""
        spread = "" if self.floor else _spread(self.ours)
        return f"{_number(median(self.ours))} {self.unit}".rstrip() + spread

    @property
    def ratio(self) -> str:
        """The median of the ratios, with its spread; empty without a floor."""
        return f"{_ratio(median(self.ratios))}{_spread(self.ratios, _ratio)}" if self.floor else ""

    @property
    def aim_text(self) -> str:
        """The aim as text."""
        if self.aim is None:
            return ""
        return f"{'at most ' if self.most else ''}{self.aim:,g}{'' if self.floor else ' ' + self.unit}"

    def as_json(self) -> dict[str, Any]:
        """All runs, their median and ratio."""
        ratios = self.ratios
        return {**asdict(self), "median": median(self.ours), "ratio": median(ratios) if ratios else None}


def from_json(raw: dict[str, Any]) -> Figure:
    """A figure as `as_json` wrote it."""
    return Figure(**{name: value for name, value in raw.items() if name not in ("median", "ratio")})


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float) -> str:
    """A small ratio gets two significant digits, because 0.00 would be useless."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _spread(values: Sequence[float], show: Any = _number) -> str:
    """'(min..max)', if there were several runs."""
    return f" ({show(min(values))}..{show(max(values))})" if len(values) > 1 else ""


def dumps(report: dict[str, Any]) -> str:
    """The report as text for results.json."""
    return json.dumps(report, indent=1) + "\n"


def merged(old: Sequence[Figure], new: Sequence[Figure]) -> list[Figure]:
    """All figures, each once: a new one replaces the old one with the same key."""
    replacements = {figure.key: figure for figure in new}
    updated = [replacements.pop(figure.key, figure) for figure in old]
    return [*updated, *replacements.values()]


# ---- tables -----------------------------------------------------------------------------------


def terminal_table(figures: Sequence[Figure], title: str) -> Table:
    """The table for people at a terminal."""
    table = Table("engine", "users", "measured", "median", "ratio to the floor", "aim", title=title)
    colours = {True: "green", False: "red", None: "default"}
    for figure in figures:
        where = f"{figure.users:,}" if figure.users else ""
        aim = f"[{colours[figure.reached]}]{figure.aim_text}[/]"
        table.add_row(figure.engine, where, figure.name, figure.number, figure.ratio, aim)
    return table


def markdown_tables(report: dict[str, Any]) -> str:
    """For docs/performance.md, from a report as written to results.json: a table for each engine, and one for the rest."""
    figures = [from_json(raw) for raw in report["figures"]]
    versions = ", ".join(f"{name} {value}" for name, value in report["versions"].items())
    lines = [f"Measured on {report['date']} ({versions}; load of the machine before: {report['load']:.1f})."]
    if report["load"] > QUIET:
        lines += [
            "",
            f"**{BUSY}**: compare ratios and processor times, but do not trust rates, latencies and growth.",
        ]
    for engine in dict.fromkeys(figure.engine for figure in figures if figure.users):
        of_engine = [figure for figure in figures if figure.engine == engine and figure.users]
        lines += ["", f"### On {engine}", "", *_by_size(of_engine)]
    rest = [figure for figure in figures if not figure.users]
    if rest:
        lines += ["", "### For any size", "", *_plain(rest)]
    return "\n".join(lines)


def _by_size(figures: Sequence[Figure]) -> list[str]:
    """A column for each size of the community; in a cell the median, and under it the ratio to the floor."""
    sizes = sorted({figure.users for figure in figures})
    cells = {(figure.name, figure.users): figure for figure in figures}
    lines = [
        "| measured | " + " | ".join(f"{size:,} users" for size in sizes) + " | aim | the ratio is to |",
        "|---|" + "---:|" * (len(sizes) + 1) + "---|",
    ]
    for name in dict.fromkeys(figure.name for figure in figures):
        found = [cells.get((name, size)) for size in sizes]
        first = next(figure for figure in found if figure)
        lines.append(_line([name, *map(_cell, found), first.aim_text, first.against]))
    return lines


def _plain(figures: Sequence[Figure]) -> list[str]:
    lines = ["| measured | | aim | the ratio is to |", "|---|---:|---:|---|"]
    for figure in figures:
        name = f"{figure.name}, {figure.engine}" if figure.engine else figure.name
        lines.append(_line([name, _cell(figure), figure.aim_text, figure.against]))
    return lines


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{figure.number}<br>**{figure.ratio}**" if figure.floor else figure.number


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def with_tables(document: str, report: dict[str, Any]) -> str:
    """The document with its tables rewritten between the two marks."""
    begin, end = MARKS
    before, _, rest = document.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the document has no marks {begin} and {end}")
    return f"{before}{begin}\n{markdown_tables(report)}\n{end}{after}"
