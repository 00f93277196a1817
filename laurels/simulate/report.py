"""The report of a replay: one HTML file without scripts, whose pictures have their numbers as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from importlib import resources

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

from laurels.console.charts import Columns, Lines, Series, columns, lines
from laurels.engine.values import plain
from laurels.simulate.replay_totals import Replay

FEW = 5
"""How many sources, levels or badges have a color of their own; the others share one."""

SIDES = ("In force", "Candidate")


@plain
class Row:
    """A line of the table of totals."""

    name: str
    present: int
    candidate: int


@plain
class Chart:
    """A chart with the numbers that it shows."""

    id: str
    title: str
    sentence: str
    drawn: Columns | Lines
    labels: Sequence[str]
    series: Sequence[Series]
    what: str

    @property
    def is_lines(self) -> bool:
        """Whether its bars are horizontal."""
        return isinstance(self.drawn, Lines)


def report(replay: Replay) -> str:
    """The report as HTML."""
    environment = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("laurels", "simulate/templates"),
                PrefixLoader({"console": PackageLoader("laurels", "console/templates")}),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = resources.files("laurels.console").joinpath("static/console.css").read_text("utf-8")
    template = environment.get_template("report.html")
    return template.render(replay=replay, rows=_rows(replay), pairs=[*_pairs(replay)], style=style)


# ---- the table ------------------------------------------------------------------------------------


def _rows(replay: Replay) -> list[Row]:
    """The totals of both sides. What only one side has counts 0 on the other."""
    sides = replay.present, replay.candidate
    rows = [Row("Points", *(side.points for side in sides))]
    named = [
        ("Points of {}", [{one.source: one.total for one in side.sources} for side in sides]),
        ("Users on level {}", [{f"{one.level} {one.title}": one.users for one in side.levels} for side in sides]),
        ("Users with the badge {}", [{one.name: one.holders for one in side.badges} for side in sides]),
        ("Running streaks: {}", [{one.title: one.active for one in side.streaks} for side in sides]),
        ("Longest running streak: {}", [{one.title: one.longest for one in side.streaks} for side in sides]),
    ]
    for text, (before, after) in named:
        rows += [Row(text.format(name), before.get(name, 0), after.get(name, 0)) for name in {**before, **after}]
    return rows


# ---- the pictures ---------------------------------------------------------------------------------


def _pairs(replay: Replay) -> Iterator[list[Chart]]:
    """The same picture of both sides, with one scale."""
    labels = [_label(replay, period) for period in replay.periods]
    sides = replay.present, replay.candidate
    what = replay.unit.capitalize()
    each = f"in each {replay.unit} (UTC)"
    paid = _largest([[Series(one.source, _not_below_0(one.paid)) for one in side.sources] for side in sides])
    yield _columns("points", "Points paid", f"Points by source, {each}.", labels, paid, what)
    reached = _largest([[Series(f"{one.level} {one.title}", one.reached) for one in side.levels[1:]] for side in sides])
    yield _columns("reached", "Levels reached", f"Users who first reached a level, {each}.", labels, reached, what)
    earned = _largest([[Series(one.name, one.earned) for one in side.badges] for side in sides])
    yield _columns("badges", "Badges earned", f"Badges, {each}.", labels, earned, what)
    levels = [{f"{one.level} {one.title}": one.users for one in side.levels} for side in sides]
    yield _lines("levels", "Levels at the end", "Users on each level.", levels, "Level")
    ranges = [{_range(one.least, one.most): one.users for one in side.ranges} for side in sides]
    yield _lines("ranges", "Points at the end", "Users by their points.", ranges, "Points")
    held = [{one.name: one.holders for one in side.badges} for side in sides]
    yield _lines("held", "Badges at the end", "Users with each badge.", held, "Badge")
    active = [{one.title: one.active for one in side.streaks} for side in sides]
    yield _lines("streaks", "Running streaks at the end", "Users whose streak is running.", active, "Streak")


def _label(replay: Replay, period: date) -> str:
    return f"{period:%b} {period.year}" if replay.unit == "month" else f"{period.day} {period:%b}"


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _not_below_0(paid: Sequence[int]) -> list[int]:
    """What was paid. Points taken by hand cannot be drawn below the axis: the table of totals has them."""
    return [max(0, points) for points in paid]


def _largest(sides: Sequence[Sequence[Series]]) -> list[list[Series]]:
    """The largest series of both sides, in the same order and so in the same colors, and all others together."""
    totals = Counter[str]()
    for side in sides:
        totals.update({one.name: sum(one.values) for one in side})
    ranked = sorted((name for name, total in totals.items() if total), key=lambda name: (-totals[name], name))
    first = ranked if len(ranked) <= FEW + 1 else ranked[:FEW]
    length = max((len(one.values) for side in sides for one in side), default=0)
    found: list[list[Series]] = []
    for side in sides:
        of_side = {one.name: one.values for one in side}
        found.append([Series(name, of_side.get(name, [0] * length)) for name in first])
        if len(first) < len(ranked):
            rest = [values for name, values in of_side.items() if name not in first]
            found[-1].append(Series("others", [sum(column) for column in zip(*rest, strict=True)]))
    return found


def _columns(
    name: str, title: str, sentence: str, labels: Sequence[str], sides: Sequence[list[Series]], what: str
) -> list[Chart]:
    most = max((sum(one.values[index] for one in side) for side in sides for index in range(len(labels))), default=0)
    return [
        Chart(
            f"{name}-{number}",
            f"{title}: {word.lower()}",
            sentence,
            columns(labels, side, most=most),
            labels,
            side,
            what,
        )
        for number, (word, side) in enumerate(zip(SIDES, sides, strict=True))
    ]


def _lines(name: str, title: str, sentence: str, sides: Sequence[dict[str, int]], what: str) -> list[Chart]:
    labels = list(dict.fromkeys(label for side in sides for label in side))
    values = [[side.get(label, 0) for label in labels] for side in sides]
    most = max((number for side in values for number in side), default=0)
    return [
        Chart(
            f"{name}-{number}",
            f"{title}: {word.lower()}",
            sentence,
            lines(labels, side, most=most),
            labels,
            [Series("users", side)],
            what,
        )
        for number, (word, side) in enumerate(zip(SIDES, values, strict=True))
    ]
