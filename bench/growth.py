"""A picture of how cost grows with the number of users: one panel for each kind of work, one line for each engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from typing import Any

from bench.figures import BUSY, QUIET, Figure, from_json

WIDTH, PANEL_HEIGHT, PANEL_WIDTH = 880, 300, 400
LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 56, 64, 252, 160
HEAD, FOOT, MARGIN = 92, 44, 24
COLOURS = {"SQLite": "var(--sqlite)", "PostgreSQL": "var(--postgresql)"}
INK, FAINT, RULE, PAPER = "var(--ink)", "var(--faint)", "var(--rule)", "var(--paper)"
STYLE = """<style>
svg { --sqlite: #0b6e99; --postgresql: #b4520c; --ink: #1c2430; --faint: #5b6675; --rule: #dfe4ea; --paper: #fbfbf9 }
@media (prefers-color-scheme: dark) {
  svg { --sqlite: #5cc0ee; --postgresql: #f2a167; --ink: #e8ecf1; --faint: #9aa6b5; --rule: #333c48; --paper: #161b22 }
}
</style>"""
FONT = "system-ui, sans-serif"
STEPS = (1, 2, 2.5, 5, 10)

TITLE = "Cost as the community grows"
SUBTITLE = (
    "Microseconds each, one worker on one processor; medians of one run. Users on a logarithmic scale, cost from zero."
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One kind of work: its figure, and how its number becomes microseconds."""

    title: str
    figure: str
    microseconds: Callable[[float], float]


def _of_rate(rate: float) -> float:
    return 1e6 / rate


PANELS = (
    Panel("Reading a profile over HTTP", "profile reads, one worker", _of_rate),
    Panel("Recording an event, 64 clients", "single events, 64 clients", _of_rate),
    Panel("Recording an event, in batches of 500", "events in batches of 500", _of_rate),
    Panel("An exact rank in the middle of the board", "exact rank at the middle of the board", float),
)

Points = Sequence[tuple[int, float]]


def picture(report: dict[str, Any]) -> str:
    """The SVG, from a report as written to results.json."""
    figures = [from_json(raw) for raw in report["figures"]]
    drawn = [(panel, lines) for panel in PANELS if (lines := _lines(panel, figures))]
    height = HEAD + PANEL_HEIGHT * math.ceil(len(drawn) / 2) + FOOT
    summary = ". ".join(_in_words(panel, lines) for panel, lines in drawn)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title summary" font-family="{FONT}">',
        STYLE,
        f'<title id="title">{TITLE}</title><desc id="summary">{escape(summary)}.</desc>',
        f'<rect width="{WIDTH}" height="{height}" rx="12" fill="{PAPER}"/>',
        _text(MARGIN, 38, TITLE, size=20, weight=600),
        _text(MARGIN, 62, SUBTITLE, size=13, fill=FAINT),
        *_key(),
    ]
    for index, (panel, lines) in enumerate(drawn):
        x, y = MARGIN + (index % 2) * (PANEL_WIDTH + 32), HEAD + (index // 2) * PANEL_HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{"".join(_panel(panel, lines))}</g>')
    measured = f"Measured on {report['date']}, {report['versions']['processor']}, load {report['load']:.1f} before."
    doubt = f" {BUSY}: do not trust these lines." if report["load"] > QUIET else ""
    parts.append(_text(MARGIN, height - 18, measured + doubt, fill=FAINT))
    return "\n".join([*parts, "</svg>", ""])


def _lines(panel: Panel, figures: Sequence[Figure]) -> dict[str, Points]:
    """For each engine that was measured, the cost at each size."""
    found: dict[str, list[tuple[int, float]]] = {}
    for one in figures:
        if one.name == panel.figure:
            found.setdefault(one.engine, []).append((one.users, panel.microseconds(median(one.ours))))
    return {engine: sorted(points) for engine, points in found.items()}


def _in_words(panel: Panel, lines: dict[str, Points]) -> str:
    parts = [
        f"{engine} " + ", ".join(f"{cost:.0f} at {users:,} users" for users, cost in of) for engine, of in lines.items()
    ]
    return f"{panel.title}, in microseconds: {'; '.join(parts)}"


def _key() -> list[str]:
    parts: list[str] = []
    for index, (engine, colour) in enumerate(COLOURS.items()):
        x = WIDTH - 232 + 100 * index
        parts += [f'<circle cx="{x}" cy="33" r="5" fill="{colour}"/>', _text(x + 11, 38, engine, size=13)]
    return parts


def _panel(panel: Panel, lines: dict[str, Points]) -> list[str]:
    """The axes, and each engine's line with its costs next to its points."""
    sizes = sorted({users for points in lines.values() for users, _ in points})
    step = _step(max(cost for points in lines.values() for _, cost in points))
    most = step * math.ceil(max(cost for points in lines.values() for _, cost in points) * 1.12 / step)
    low, span = math.log10(sizes[0]), max(math.log10(sizes[-1] / sizes[0]), 1e-9)

    def x(users: int) -> float:
        return LEFT + 24 + (math.log10(users) - low) / span * PLOT_WIDTH

    def y(cost: float) -> float:
        return TOP + PLOT_HEIGHT * (1 - cost / most)

    right, bottom = LEFT + PLOT_WIDTH + 48, TOP + PLOT_HEIGHT
    parts = [_text(0, 26, panel.title, size=15, weight=600), _text(0, 46, "µs", fill=FAINT)]
    for tick in range(round(most / step) + 1):
        level = y(tick * step)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{level:.1f}" y2="{level:.1f}" stroke="{RULE}"/>')
        parts.append(_text(LEFT - 8, level + 4, f"{tick * step:,g}", fill=FAINT, anchor="end"))
    parts += [_text(x(users), bottom + 20, f"{users:,}", fill=FAINT, anchor="middle") for users in sizes]
    parts.append(_text((LEFT + right) / 2, bottom + 40, "users", fill=FAINT, anchor="middle"))
    for engine, points in lines.items():
        parts += _line([(x(users), y(cost)) for users, cost in points], COLOURS[engine])
    for users in sizes:
        parts += _labels({engine: dict(points).get(users) for engine, points in lines.items()}, x(users), y)
    return parts


def _line(points: Sequence[tuple[float, float]], colour: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]


def _labels(costs: dict[str, float | None], x: float, y: Callable[[float], float]) -> list[str]:
    """The numbers of one size: above their points; that of the cheaper engine below, unless it is on the axis."""
    known = sorted((cost, engine) for engine, cost in costs.items() if cost is not None)
    parts: list[str] = []
    for index, (cost, engine) in enumerate(known):
        below = index == 0 and len(known) > 1 and y(cost) < TOP + PLOT_HEIGHT - 24
        height = y(cost) + (20 if below else -11)
        parts.append(_text(x, height, f"{cost:,.0f}", fill=COLOURS[engine], weight=600, anchor="middle"))
    return parts


def _step(most: float) -> float:
    """A round distance between the horizontal lines, for about four of them."""
    unit = 10 ** math.floor(math.log10(most / 4))
    return next(unit * step for step in STEPS if unit * step >= most / 4)


def _text(
    x: float, y: float, text: str, *, size: int = 12, fill: str = INK, weight: int = 400, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
