from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.leaderboards import Board
from laurels.engine.periods import Periods
from laurels.errors import CatalogError
from tests.support import at, catalog, catalog_text, count, day

METRICS = {"messages": count("a"), "agents": count("b")}


def season(name: str, first: str, last: str) -> dict[str, Any]:
    return {"name": name, "first": date.fromisoformat(first), "last": date.fromisoformat(last)}


def board(**more: Any) -> dict[str, Any]:
    return {"id": "b", **more}


def faults(*boards: dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(CatalogError) as caught:
        Catalog.parse(catalog_text(metrics=METRICS, leaderboards=boards))
    return [(one.where, one.what, one.fix) for one in caught.value.faults]


@pytest.mark.parametrize(
    ("table", "where", "what", "fix"),
    [
        ({}, "id", "is missing", "add id = ..."),
        (board(id=""), "id", "must be a text, not ''", 'write id = "..."'),
        (board(id="a/b"), "id", "must not contain '/'", "remove it"),
        (board(name=3), "name", "must be a text, not 3", 'write name = "..."'),
        (board(by="metrc", of="messages"), "by", "unknown source 'metrc'", "did you mean 'metric'?"),
        (board(by="metric"), "of", "is missing", "add of = ..."),
        (board(by="metric", of="mesages"), "of", "unknown metric 'mesages'", "did you mean 'messages'?"),
        (
            board(by="streak", of="messages"),
            "of",
            "unknown streak 'messages'",
            "it is the name of a metric; known are login",
        ),
        (board(of="messages"), "of", "has no meaning by points", 'take it out, or write by = "metric"'),
        (board(period="wek"), "period", "unknown period 'wek'", "did you mean 'week'?"),
        (
            board(period="month", week_starts="sun"),
            "week_starts",
            "has no meaning for period 'month'",
            'take it out, or write period = "week"',
        ),
        (
            board(period="week", week_starts="son"),
            "week_starts",
            "unknown day of the week 'son'",
            "did you mean 'sun'?",
        ),
        (board(period="day", zone="Mars/Phobos"), "zone", "unknown time zone 'Mars/Phobos'", 'write zone = "UTC"'),
        (board(zone=1), "zone", "must be a text, not 1", 'write zone = "..."'),
        (board(order="low"), "order", "unknown order 'low'", "did you mean 'lowest'?"),
        (board(ties="shard"), "ties", "unknown tie rule 'shard'", "did you mean 'shared'?"),
        (board(groups=[]), "groups", "must be a list of texts, not []", 'write groups = ["..."]'),
        (board(groups="red"), "groups", "must be a list of texts, not 'red'", 'write groups = ["..."]'),
        (board(readers=[]), "readers", "must be a list of texts, not []", 'write readers = ["..."]'),
        (
            board(except_groups="red"),
            "except_groups",
            "must be a list of texts, not 'red'",
            'write except_groups = ["..."]',
        ),
        (
            board(by="metric", of="agents", weights={"messages": 1, "agents": 2}),
            "of",
            "has no meaning together with 'weights'",
            "take out one of the two",
        ),
        (
            board(within="country:"),
            "within",
            "must be the part of groups before the ':'",
            'write within = "country"',
        ),
        (
            board(within="x", teams="x:"),
            "within",
            "has no meaning on a leaderboard of teams",
            "take out one of the two",
        ),
        (board(within="x", tell_top=3), "tell_top", "has no meaning together with 'within'", "take out one of the two"),
        (
            board(weights={"messages": 1, "agents": 2}),
            "weights",
            "has no meaning by points",
            'take it out, or write by = "metric"',
        ),
        (
            board(by="metric", weights={"messages": 1}),
            "weights",
            "must name two metrics or more",
            'write of = "..." for a single one',
        ),
        (
            board(by="metric", weights={"messages": 1, "agnts": 2}),
            "weights.agnts",
            "there is no metric 'agnts'",
            "did you mean 'agents'?",
        ),
        (
            board(by="metric", weights={"messages": 1, "agents": 0}),
            "weights.agents",
            "must be a whole number of 1 or more, not 0",
            "write agents = 1",
        ),
        (board(late_hours=-1), "late_hours", "must be a whole number of 0 or more, not -1", "write late_hours = 1"),
        (board(late_hours=1.5), "late_hours", "must be a whole number of 0 or more, not 1.5", "write late_hours = 1"),
        (board(late_hours=9000), "late_hours", "must be at most 8784", "write late_hours = 24"),
        (board(period="season"), "seasons", "is missing", "add seasons = ..."),
        (
            board(period="year", seasons=[season("x", "2026-01-01", "2026-01-02")]),
            "seasons",
            "has no meaning for period 'year'",
            'take it out, or write period = "season"',
        ),
        (board(perod="week"), "perod", "unknown key 'perod'", "did you mean 'period'?"),
        (
            board(id="points", period="week"),
            "",
            "the leaderboard 'points' counts all points of all time",
            "give this leaderboard another id",
        ),
        (
            board(id="points", by="metric", of="messages"),
            "",
            "the leaderboard 'points' counts all points of all time",
            "give this leaderboard another id",
        ),
    ],
)
def test_each_fault_of_a_leaderboard_is_reported_with_its_fix(
    table: dict[str, Any], where: str, what: str, fix: str
) -> None:
    label = f" '{table['id']}'" if table.get("id") else ""
    at_, says, fixes = faults(table)[0]
    assert at_ == f"leaderboards[1]{label}.{where}".rstrip(".")
    assert says.startswith(what)
    assert fixes == fix


@pytest.mark.parametrize(
    ("seasons", "what"),
    [
        ([season("x", "2026-02-01", "2026-01-01")], "lies before 'first'"),
        (
            [season("x", "2026-01-01", "2026-01-31"), season("y", "2026-01-31", "2026-02-28")],
            "'y' begins before 'x' has",
        ),
        (
            [season("x", "2026-01-01", "2026-01-31"), season("x", "2026-03-01", "2026-03-31")],
            "two seasons have the same name",
        ),
        ([{"name": "x", "first": date(2026, 1, 1)}], "is missing"),
        ([{**season("x", "2026-01-01", "2026-01-31"), "lst": 1}], "unknown key 'lst'"),
        ([{"name": "x", "first": at("2026-01-01"), "last": date(2026, 1, 31)}], "must be a date, not"),
        ([], "is empty"),
        ([season("x", "2026-01-01", "9999-12-31")], "must lie between 1970-01-01 and 9000-12-31"),
        ([season("x", "0001-01-01", "2026-12-31")], "must lie between 1970-01-01 and 9000-12-31"),
        ([season("current", "2026-01-01", "2026-01-31")], "'current' has another meaning"),
        ([season("previous", "2026-01-01", "2026-01-31")], "'previous' has another meaning"),
    ],
)
def test_each_fault_of_seasons_is_reported(seasons: list[dict[str, Any]], what: str) -> None:
    found = faults(board(period="season", seasons=seasons))
    assert any(says.startswith(what) for _, says, _ in found), found
    assert all(fix for _, _, fix in found)


def test_two_leaderboards_with_one_id_are_refused() -> None:
    assert faults(board(), board())[0][:2] == ("leaderboards", "the id 'b' is used more than once")


def test_the_defaults_are_a_leaderboard_of_all_points_for_everyone() -> None:
    made = catalog(leaderboards=[board()]).boards
    assert list(made) == ["points", "b"]
    assert made["b"] == Board("b", "b")
    assert made["b"].late == timedelta(hours=24)
    assert made["points"].name == "All time"


def test_the_longest_season_has_its_bounds_in_every_zone() -> None:
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        table = board(period="season", seasons=[season("x", "1970-01-01", "9000-12-31")], zone=zone, late_hours=8784)
        made = catalog(metrics=METRICS, leaderboards=[table]).boards["b"]
        (name, _, _) = made.periods.seasons[0]
        period = made.periods.named(name)
        assert period
        assert period == made.periods.at(at("2026-01-01"))
        assert made.closes_at(period)


def test_every_key_of_a_leaderboard_is_read() -> None:
    seasons = [season("late", "2026-06-01", "2026-06-30"), season("early", "2026-01-01", "2026-05-31")]
    table = board(
        name="B", by="metric", of="agents", period="season", seasons=seasons, zone="Asia/Tokyo", order="lowest"
    )
    made = catalog(
        metrics=METRICS, leaderboards=[table | {"ties": "dense", "groups": ["x", "y", "x"], "late_hours": 0}]
    )
    spans = (("early", day("2026-01-01"), day("2026-05-31")), ("late", day("2026-06-01"), day("2026-06-30")))
    periods = Periods("season", "Asia/Tokyo", 0, spans)
    assert made.boards["b"] == Board("b", "B", "metric", "agents", periods, False, "dense", ("x", "y"), timedelta())
    assert catalog(leaderboards=[board(readers=["hr", "staff", "hr"])]).boards["b"].readers == ("hr", "staff")
    weekly = catalog(leaderboards=[board(period="week", week_starts="sun")]).boards["b"]
    assert weekly.periods == Periods("week", "UTC", 6)


@pytest.mark.parametrize(
    ("change", "counts_again"),
    [
        ({"name": "Other"}, False),
        ({"ties": "dense"}, False),
        ({"order": "lowest"}, True),
        ({"period": "month"}, True),
        ({"zone": "Asia/Tokyo"}, True),
        ({"groups": ["red"]}, True),
        ({"readers": ["red"]}, False),
        ({"late_hours": 1}, False),  # of all time, nothing is late
        ({"period": "week", "late_hours": 1}, True),
        ({"by": "metric", "of": "agents"}, True),
        ({"except_groups": ["red"]}, True),
        ({"within": "country"}, True),
    ],
)
def test_only_what_changes_ranks_changes_the_fingerprint(change: dict[str, Any], *, counts_again: bool) -> None:
    of = {"by": "metric", "of": "messages"}
    before = catalog(metrics=METRICS, leaderboards=[board(**of)])
    after = catalog(metrics=METRICS, leaderboards=[board(**of) | change])
    assert (after.rules != before.rules) == counts_again


def test_only_metrics_that_add_up_have_weights() -> None:
    metrics = {"books": count("book"), "longest": {"kind": "max", "events": ["book"]}}
    table = board(by="metric", weights={"books": 1, "longest": 1})
    with pytest.raises(CatalogError, match=r"longest: is a metric whose numbers do not add up"):
        Catalog.parse(catalog_text(metrics=metrics, leaderboards=[table]))


def test_a_weight_changes_the_fingerprint() -> None:
    made = [
        catalog(metrics=METRICS, leaderboards=[board(by="metric", weights={"messages": 1, "agents": weight})]).rules
        for weight in (1, 2)
    ]
    assert made[0] != made[1]


def test_late_hours_change_the_fingerprint_where_there_are_periods() -> None:
    made = [catalog(leaderboards=[board(period="week", late_hours=hours)]).rules for hours in (1, 2)]
    assert made[0] != made[1]


def test_a_period_is_open_until_its_late_hours_are_over() -> None:
    made = catalog(leaderboards=[board(period="day", late_hours=6, zone="Asia/Tokyo")]).boards["b"]
    period = made.periods.named("2026-01-05")
    assert period
    closing = at("2026-01-05T21:00")
    assert made.closes_at(period) == closing
    assert made.is_open(period, closing - timedelta(microseconds=1))
    assert not made.is_open(period, closing)
    ever = Board("ever", "Ever")
    always = ever.periods.named("all")
    assert always
    assert (ever.closes_at(always), ever.is_open(always, at("9000-01-01"))) == (None, True)
