"""/console: the service's health in brief, and charts of the community over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import partial

from laurels.console.charts import Columns, Lines, Opposite, Series, columns, lines, shade
from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.engine.catalog import Catalog
from laurels.engine.values import plain
from laurels.http.responses import Response
from laurels.present.reports import CommunityReport, LevelUsers, RetentionCohort, StreakLengths

SOURCES = 5
"""How many sources of points have a color of their own; the others share one."""

LENGTHS = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 14), (15, 30), (31, 90), (91, 10**9))
"""The first and the last length of each bar of streaks."""


FEW_LEVELS = 10
"""How many levels are drawn even if no one has them."""


@plain
class Chart:
    """A chart with the numbers it shows."""

    id: str
    title: str
    sentence: str
    drawn: Columns | Lines | Opposite
    labels: Sequence[str]
    series: Sequence[Series]
    what: str


@plain
class Cell:
    """How many of a week's new users were active in a later week, as a number and a percentage, and the shade."""

    percent: int
    active: int
    shade: int


@plain
class Cohort:
    """A row of the heat table: the new users of one week."""

    week: date
    users: int
    cells: Sequence[Cell]


@page(ROOT)
async def overview_page(request: Shown) -> Response:
    """Show the health in brief, and the charts."""
    visit = request.caller
    insights, catalog = visit.context.insights, visit.context.laurels.catalog
    community_report = await insights.community_report()
    names = {badge.id: badge.name for badge in catalog.badges}
    made = community_report if isinstance(community_report, CommunityReport) else None
    return render(
        visit,
        "overview.html",
        process_status=await insights.process_status(),
        progress=None if isinstance(community_report, CommunityReport) else round(100 * community_report.progress),
        community_report=made,
        over_time=[*_by_day(made, names), *(_lengths(one, _title(catalog, one)) for one in made.streaks)]
        if made
        else [],
        by_user=_by_user(made, names) if made else [],
        cohorts=[_cohort(row) for row in made.retention if row.users] if made else [],
    )


def _by_day(community_report: CommunityReport, names: dict[str, str]) -> list[Chart]:
    """Charts by day: active users, awards, points by source."""
    days = [row.day for row in community_report.active]
    awards = Counter[date]()
    for row in community_report.awards:
        awards[row.day] += row.awards
    chart = partial(_columns, labels=[f"{day.day} {day:%b}" for day in days], what="Day")
    return [
        chart(
            "active",
            "Active users",
            "Users active on each day, in their own time zone.",
            series=[Series("users", [row.users for row in community_report.active])],
        ),
        chart(
            "awards",
            "Awards",
            "Badges earned on each day (UTC).",
            series=[Series("awards", [awards[day] for day in days])],
        ),
        chart(
            "points",
            "Points by source",
            "Points earned on each day (UTC), by badge or rule, without reversals.",
            series=sources(community_report, days, names),
        ),
    ]


def sources(community_report: CommunityReport, days: Sequence[date], names: dict[str, str]) -> list[Series]:
    """Points by day for the largest sources, and for all others together."""
    paid: dict[str, Counter[date]] = {}
    for row in community_report.points:
        if row.points > 0:
            name = names.get(row.ref, row.ref)
            paid.setdefault(name if row.reason == row.ref else f"{row.reason}: {name}", Counter())[row.day] += (
                row.points
            )
    ranked = sorted(paid, key=lambda name: (-paid[name].total(), name))
    largest, others = ranked[:SOURCES], ranked[SOURCES:]
    series = [Series(name, [paid[name][day] for day in days]) for name in largest]
    if others:
        series.append(Series("others", [sum(paid[name][day] for name in others) for day in days]))
    return series


def _by_user(community_report: CommunityReport, names: dict[str, str]) -> list[Chart]:
    """Charts of the current state: levels, and the first badge earned."""
    first = sorted(community_report.badges, key=lambda row: -row.first)
    levels = _reached(community_report.levels)
    return [
        _lines(
            "levels",
            "Levels",
            "Users on each level.",
            [f"{row.level} {row.title}" for row in levels],
            Series("users", [row.users for row in levels]),
            "Level",
        ),
        _lines(
            "first",
            "First badge earned",
            "Users whose first badge was this one.",
            [names[row.badge] for row in first],
            Series("users", [row.first for row in first]),
            "Badge",
        ),
    ]


def _reached(levels: Sequence[LevelUsers]) -> Sequence[LevelUsers]:
    """The levels up to the highest that anyone has, and at least the first FEW_LEVELS: a formula may make hundreds."""
    highest = max((row.level for row in levels if row.users), default=0)
    return levels[: max(highest, FEW_LEVELS)]


def _title(catalog: Catalog, streak: StreakLengths) -> str:
    """The title of a streak, whose report may be older than the catalog."""
    rule = catalog.streaks.get(streak.streak)
    return rule.title if rule else streak.streak


def _lengths(streak: StreakLengths, title: str) -> Chart:
    """The current lengths of a streak, in widening ranges."""
    name, found = streak.streak, streak.current
    labels = [_span(first, last) for first, last in LENGTHS]
    users = [sum(row.users for row in found if first <= row.length <= last) for first, last in LENGTHS]
    sentence = "Current streak length, among users who ever started one; 0 means it ended."
    return _columns(f"streak-{name}", f"{title} streak", sentence, labels, [Series("users", users)], "Length")


def _span(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}+" if last == LENGTHS[-1][1] else f"{first}–{last}"


def _columns(id_: str, title: str, sentence: str, labels: Sequence[str], series: Sequence[Series], what: str) -> Chart:
    return Chart(id_, title, sentence, columns(labels, series), labels, series, what)


def _lines(id_: str, title: str, sentence: str, labels: Sequence[str], series: Series, what: str) -> Chart:
    return Chart(id_, title, sentence, lines(labels, series.values), labels, [series], what)


def _cohort(row: RetentionCohort) -> Cohort:
    return Cohort(
        row.week,
        row.users,
        [Cell(round(100 * active / row.users), active, shade(active, row.users)) for active in row.active],
    )


ENDPOINTS = (overview_page,)
