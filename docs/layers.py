"""Draws docs/layers.svg, the packages of Laurels and their imports: `python -m docs.layers`.

Packages are boxes, one row per layer of tests/test_architecture.py; arrows are imports, read from the code. An import that
also follows from a chain of other arrows is not drawn, but each box lists all its imports in its title.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "laurels"
RULES = ROOT / "tests/test_architecture.py"
PICTURE = Path(__file__).parent / "layers.svg"

BOX, HEIGHT, ROW, GAP, LANE, MARGIN = 104, 34, 78, 22, 10, 24
"""Width and height of a box, distance between rows, space between boxes, width of an arrow that passes a row, and the border."""

SWEEPS = 12
"""How often the rows are sorted by the positions of their neighbors, to avoid crossings."""

STYLE = """
svg { font: 14px system-ui, sans-serif; }
.paper { fill: #ffffff; }
.box { fill: #eef4f0; stroke: #1f6f4a; }
text { fill: #1c2321; text-anchor: middle; }
.import { fill: none; stroke: #7c8782; stroke-width: 1.3; }
.head { fill: #7c8782; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #14181a; }
  .box { fill: #1d3428; stroke: #7fd6a2; }
  text { fill: #e6ecea; }
  .import { stroke: #8c9894; }
  .head { fill: #8c9894; }
}
"""

NAMED = 'aria-labelledby="title description"'
HEAD = """<defs>
<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
<path class="head" d="M0 1 10 5 0 9z"/></marker>
</defs>"""

Imports = Mapping[str, set[str]]


# ---- reading the code ---------------------------------------------------------------------------


def layers() -> dict[str, int]:
    """The layer of each package, from the rules of the architecture."""
    for node in ast.parse(RULES.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS":
            return ast.literal_eval(node.value)
    raise LookupError(f"{RULES} has no LAYERS")


def imports() -> dict[str, set[str]]:
    """The packages that each package imports, without itself. A module at the top counts as a package."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        package = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if not package.startswith("__"):
            found.setdefault(package, set()).update(_imported(ast.parse(path.read_text("utf-8"))))
    return {package: names & found.keys() - {package} for package, names in found.items()}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "laurels":
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("laurels."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (one.name.split(".")[1] for one in node.names if one.name.startswith("laurels."))


def direct(known: Imports) -> list[tuple[str, str]]:
    """The imports that do not follow from a chain of others, sorted."""
    reached = {package: _reached(known, package) for package in known}
    return sorted(
        (package, target)
        for package, targets in known.items()
        for target in targets
        if not any(target in reached[other] for other in targets - {target})
    )


def _reached(known: Imports, package: str) -> set[str]:
    found: set[str] = set()
    waiting = [package]
    while waiting:
        new = known[waiting.pop()] - found
        found |= new
        waiting += new
    return found


# ---- arranging ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lane:
    """Where an arrow passes a row between its ends."""

    arrow: tuple[str, str]
    row: int


Item = str | Lane
"""An entry of a row: a package or a lane."""

Route = tuple[Item, ...]


def routes_of(arrows: Sequence[tuple[str, str]], rows: Mapping[str, int]) -> list[Route]:
    """Each arrow from row to row, with a lane in every row that it passes."""
    return [
        (start, *(Lane((start, end), row) for row in range(rows[start] + 1, rows[end])), end) for start, end in arrows
    ]


def arranged(packages: Mapping[str, int], paths: Sequence[Route]) -> list[list[Item]]:
    """The items of each row from left to right, so that arrows cross little."""
    rows: list[list[Item]] = [[] for _ in range(max(packages.values()) + 1)]
    for package, row in packages.items():
        rows[row].append(package)
    for path in paths:
        for lane in path[1:-1]:
            assert isinstance(lane, Lane)
            rows[lane.row].append(lane)
    for sweep in range(SWEEPS):
        places = _places(rows)
        for row in rows if sweep % 2 else reversed(rows):
            row.sort(key=lambda item: _wanted(item, paths, places, down=sweep % 2 == 1))
            places |= _places([row])
    return rows


def _places(rows: Sequence[Sequence[Item]]) -> dict[Item, float]:
    """The center of each item, with every row centered on 0."""
    places: dict[Item, float] = {}
    for row in rows:
        at = -sum(_width(item) + GAP for item in row) / 2
        for item in row:
            places[item] = at + (_width(item) + GAP) / 2
            at += _width(item) + GAP
    return places


def _width(item: Item) -> int:
    return LANE if isinstance(item, Lane) else BOX


def _wanted(item: Item, paths: Sequence[Route], places: Mapping[Item, float], *, down: bool) -> float:
    """The mean position of an item's neighbors in the row above (going down) or below."""
    steps = [step for path in paths for step in pairwise(path)]
    neighbors = [places[start] for start, end in steps if end == item and down]
    neighbors += [places[end] for start, end in steps if start == item and not down]
    return sum(neighbors) / len(neighbors) if neighbors else places[item]


# ---- drawing ------------------------------------------------------------------------------------


def drawing() -> str:
    """The picture as SVG."""
    known, levels = imports(), layers()
    used = sorted({levels[package] for package in known}, reverse=True)
    packages = {package: used.index(levels[package]) for package in sorted(known)}
    paths = routes_of(direct(known), packages)
    rows = arranged(packages, paths)
    places = _places(rows)
    half = max(abs(place) + _width(item) / 2 for item, place in places.items()) + MARGIN
    width, height = round(2 * half), 2 * MARGIN + (len(rows) - 1) * ROW + HEIGHT
    points = {
        item: (round(half + places[item], 1), MARGIN + row * ROW) for row, items in enumerate(rows) for item in items
    }
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" {NAMED}>',
            '<title id="title">The packages of Laurels and their imports</title>',
            f'<desc id="description">{escape(_in_words(known))}</desc>',
            f"<style>{STYLE}</style>",
            HEAD,
            f'<rect class="paper" width="{width}" height="{height}" rx="6"/>',
            *(
                _arrow([points[item] for item in path], flat=packages[str(path[0])] == packages[str(path[-1])])
                for path in paths
            ),
            *(_box(package, *points[package], sorted(known[package])) for package in packages),
            "</svg>\n",
        ]
    )


def _in_words(known: Imports) -> str:
    return (
        ". ".join(
            f"{package} imports {', '.join(sorted(targets)) or 'no other package'}"
            for package, targets in sorted(known.items())
        )
        + "."
    )


def _box(package: str, x: float, y: float, targets: Sequence[str]) -> str:
    title = f"{package} imports {', '.join(targets) or 'no other package'}"
    return (
        f'<g><title>{title}</title><rect class="box" x="{x - BOX / 2:g}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x:g}" y="{y + HEIGHT / 2 + 5:g}">{package}</text></g>'
    )


def _arrow(points: Sequence[tuple[float, int]], *, flat: bool) -> str:
    """A curve from the first box to the last, straight down through the rows between; within a row, from side to side."""
    (x, y), (last_x, last_y) = points[0], points[-1]
    if flat:
        side = BOX / 2 if last_x > x else -BOX / 2
        d = f"M{x + side:g} {y + HEIGHT / 2:g}H{last_x - side:g}"
    else:
        d = f"M{x:g} {y + HEIGHT}"
        for (_, above), (below_x, below) in pairwise(points):
            middle = (above + HEIGHT + below) / 2
            d += f"C{x:g} {middle:g} {below_x:g} {middle:g} {below_x:g} {below}"
            d += f"V{below + HEIGHT}" if below != last_y else ""
            x = below_x
    return f'<path class="import" d="{d}" marker-end="url(#head)"/>'


if __name__ == "__main__":
    PICTURE.write_text(drawing(), "utf-8")
