"""/console: how the service does in short, and what the community looks like over time, as charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import partial

from laurels.console.charts import Columns, Lines, Series, columns, lines, shade
from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.engine.values import plain
from laurels.http.responses import Response
from laurels.present.reports import CommunityReport, RetentionCohort, StreakLengths

SOURCES = 5
"""So many sources of points have a colour of their own; the others share one."""

LENGTHS = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 14), (15, 30), (31, 90), (91, 10**9))
"""The first and the last length of each bar of streaks."""


@plain
class Chart:
    """A chart with the numbers that it was drawn from."""

    id: str
    title: str
    sentence: str
    drawn: Columns | Lines
    labels: Sequence[str]
    series: Sequence[Series]
    what: str


@plain
class Cell:
    """How many of a week's newcomers were active in a later week, in hundredths; and how dark that is shown."""

    percent: int
    active: int
    shade: int


@plain
class Cohort:
    """A line of the heat table: who came in one week."""

    week: date
    users: int
    cells: Sequence[Cell]


@page(ROOT)
async def overview_page(request: Shown) -> Response:
    """Show health in short, and the charts."""
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
        over_time=[*_by_day(made, names), *map(_lengths, made.streaks)] if made else [],
        by_user=_by_user(made, names) if made else [],
        cohorts=[_cohort(row) for row in made.retention if row.users] if made else [],
    )


def _by_day(community_report: CommunityReport, names: dict[str, str]) -> list[Chart]:
    """What happened on each day: active users, awards, points by source."""
    days = [row.day for row in community_report.active]
    awards = Counter[date]()
    for row in community_report.awards:
        awards[row.day] += row.awards
    chart = partial(_columns, labels=[f"{day.day} {day:%b}" for day in days], what="Day")
    return [
        chart(
            "active",
            "Active users",
            "How many users were active on each day, as their own time zone has it.",
            series=[Series("users", [row.users for row in community_report.active])],
        ),
        chart(
            "awards",
            "Awards",
            "How many badges were earned on each day (UTC).",
            series=[Series("awards", [awards[day] for day in days])],
        ),
        chart(
            "points",
            "Points by source",
            "What each day paid (UTC), by badge or rule; what was taken back is left out.",
            series=sources(community_report, days, names),
        ),
    ]


def sources(community_report: CommunityReport, days: Sequence[date], names: dict[str, str]) -> list[Series]:
    """Points by day, of the sources that paid most, and of all others together."""
    paid: dict[str, Counter[date]] = {}
    for row in community_report.points:
        if row.points > 0:
            name = names.get(row.ref, row.ref)
            paid.setdefault(name if row.reason == row.ref else f"{row.reason}: {name}", Counter())[row.day] += (
                row.points
            )
    ranked = sorted(paid, key=lambda name: (-paid[name].total(), name))
    kept, others = ranked[:SOURCES], ranked[SOURCES:]
    series = [Series(name, [paid[name][day] for day in days]) for name in kept]
    if others:
        series.append(Series("others", [sum(paid[name][day] for name in others) for day in days]))
    return series


def _by_user(community_report: CommunityReport, names: dict[str, str]) -> list[Chart]:
    """What users have by now: levels, and which badge came first."""
    first = sorted(community_report.badges, key=lambda row: -row.first)
    return [
        _lines(
            "levels",
            "Levels",
            "How many users are on each level.",
            [f"{row.level} {row.title}" for row in community_report.levels],
            Series("users", [row.users for row in community_report.levels]),
            "Level",
        ),
        _lines(
            "first",
            "Which badge comes first",
            "For how many users a badge was the first they earned.",
            [names[row.badge] for row in first],
            Series("users", [row.first for row in first]),
            "Badge",
        ),
    ]


def _lengths(streak: StreakLengths) -> Chart:
    """How long a streak stands, in bars that grow wider."""
    name, found = streak.streak, streak.current
    labels = [_span(first, last) for first, last in LENGTHS]
    users = [sum(row.users for row in found if first <= row.length <= last) for first, last in LENGTHS]
    sentence = "How long it stands, of those who ever began it; 0 has ended."
    return _columns(f"streak-{name}", f"The {name} streak", sentence, labels, [Series("users", users)], "Length")


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
