"""Caps per day, the best days within a window, and one event per interval of the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.closings import board_rule
from laurels.engine.differences import differences
from laurels.engine.distinct import MOST_VALUES
from laurels.engine.events import Event
from laurels.engine.plans import suffices
from laurels.engine.warnings import checks_per_event
from laurels.errors import CatalogError
from tests.support import MONDAY, badge, catalog, count, dated, fold

SUM = {"kind": "sum", "events": ["a"]}


def number(table: dict[str, Any], events: list[Event]) -> int:
    return fold(catalog(metrics={"m": table}), events).totals.get("m", 0)


def at(minutes: int, **data: Any) -> Event:
    moment = MONDAY + timedelta(minutes=minutes)
    return Event("ada", f"e{minutes}-{data}", "a", moment, 1, data, moment.toordinal())


def test_a_day_counts_up_to_the_cap() -> None:
    events = [
        dated("a", on, name=f"{on}-{n}", quantity=quantity) for on, n, quantity in ((0, 1, 4), (0, 2, 4), (1, 3, 2))
    ]
    assert number({**SUM, "cap_per_day": 5}, events) == 7
    assert number(count("a", cap_per_day=1), events) == 2


def test_the_best_days_of_any_window_count() -> None:
    events = [dated("a", on, quantity=quantity) for on, quantity in ((0, 5), (6, 5), (7, 4), (13, 3), (14, 3))]
    assert number({**SUM, "within": "7 days"}, events) == 10  # the days 0 to 6
    assert number({**SUM, "within": "1 day"}, events) == 5


def test_of_the_best_days_each_counts_up_to_the_cap_and_days_with_an_event_count_once() -> None:
    events = [dated("a", on, name=f"{on}-{n}", quantity=9) for on in (0, 2, 5) for n in (1, 2)]
    assert number({**SUM, "within": "3 days", "cap_per_day": 4}, events) == 8
    assert number({"kind": "distinct_days", "events": ["a"], "within": "3 days"}, events) == 2


def test_one_event_of_each_interval_counts() -> None:
    events = [at(minutes) for minutes in (0, 3, 9, 10, 19, 20, 60)]
    assert number(count("a", once_per="10 minutes"), events) == 4
    assert number(count("a", once_per="hour"), events) == 2
    assert number(count("a", once_per="day"), [*events, dated("a", 1)]) == 2


def test_one_event_of_each_interval_counts_for_each_target_or_pair() -> None:
    events = [
        at(0, post="x", author=1),
        at(1, post="x", author=2),
        at(2, post="y", author=1),
        at(61, post="x", author=1),
    ]
    assert number(count("a", once_per="hour", per=["post"]), events) == 3
    assert number(count("a", once_per="hour", per=["author"]), events) == 3
    assert number(count("a", once_per="day", per=["author", "post"]), events) == 3
    assert number(count("a", once_per="hour", per=["author", "post"]), [*events, at(62, post="x", author=1.0)]) == 4


def test_values_are_not_mixed_up_with_their_neighbours() -> None:
    events = [at(0, one="a", two="b,c"), at(0, one="a,b", two="c"), at(0, one="1", two="2"), at(0, one=1, two=2.0)]
    assert number(count("a", once_per="day", per=["one", "two"]), events) == 3


def test_an_event_without_a_value_counts_for_nothing_and_says_so() -> None:
    metric = catalog(metrics={"m": count("a", once_per="day", per=["author", "post"], where={"ok": True})}).metrics["m"]
    assert metric.unread(at(0, ok=True, author="bob")) == [("post", "is missing")]
    assert metric.unread(at(0, ok=True, author=1.5, post=None)) == [
        ("author", "must be a text or a whole number, not a fraction"),
        ("post", "must be a text or a whole number, not null"),
    ]
    assert metric.unread(at(0, ok=True, author=7, post="x")) == metric.unread(at(0, author=7)) == []


def test_intervals_stop_at_the_limit_which_a_condition_may_not_exceed() -> None:
    table = count("a", once_per="minute")
    assert number(table, [at(minutes) for minutes in range(1200)]) == MOST_VALUES
    with pytest.raises(CatalogError, match=f"the metric 'm' stops at {MOST_VALUES}"):
        catalog(metrics={"m": table}, badges=[badge("b", metric="m", at_least=MOST_VALUES + 1)])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (
            {"kind": "max", "cap_per_day": 5},
            "cap_per_day: has no meaning for kind 'max'; take it out, or use kind 'count', 'sum'",
        ),
        ({"kind": "distinct", "of": "x", "cap_per_day": 5}, "cap_per_day: has no meaning for kind 'distinct'"),
        ({"cap_per_day": 0}, "cap_per_day: must be a whole number of 1 or more, not 0"),
        ({"kind": "last", "within": "7 days"}, "within: has no meaning for kind 'last'"),
        ({"within": "a week"}, "within: must be from '1 day' to '366 days', not 'a week'; write within = \"7 days\""),
        ({"within": "367 days"}, "within: must be from '1 day' to '366 days', not '367 days'"),
        ({"within": "0 days"}, "within: must be from '1 day' to '366 days'"),
        ({"within": 7}, "within: must be a text, not 7"),
        ({"once_per": "7 minutes"}, "once_per: must be a number of minutes or hours that divides a day, or 'day'"),
        (
            {"once_per": "24 hours"},
            "once_per: must be a number of minutes or hours that divides a day, or 'day', not '24 hours'",
        ),
        ({"once_per": "0 hours"}, "once_per: must be"),
        ({"once_per": "2 days"}, "once_per: must be"),
        ({"once_per": "hour", "cap_per_day": 5}, "once_per: does not go with 'cap_per_day'; take one of them out"),
        ({"once_per": "hour", "within": "7 days"}, "once_per: does not go with 'within'"),
        (
            {"kind": "sum", "once_per": "hour"},
            "once_per: has no meaning for kind 'sum': a late event would replace the amount",
        ),
        ({"kind": "max", "once_per": "hour"}, "once_per: has no meaning for kind 'max'"),
        ({"per": ["post"]}, "per: has no meaning without once_per"),
        ({"once_per": "day", "per": []}, "per: must be a list of texts"),
        (
            {"cooldown": {"every": "10 minutes"}},
            "cooldown: is not offered, because it would need every instant of every event",
        ),
    ],
)
def test_a_limit_that_does_not_fit_is_refused_with_the_reason(metric: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError) as raised:
        catalog(metrics={"m": {"events": ["a"], **metric}})
    assert f"metrics.m.{message}" in str(raised.value)


TABLES: list[dict[str, Any]] = [
    count("a"),
    count("a", cap_per_day=1),
    count("a", cap_per_day=2),
    count("a", within="7 days"),
    count("a", within="8 days"),
    count("a", once_per="hour"),
    count("a", once_per="hour", per=["post"]),
]


def one(table: dict[str, Any]) -> Catalog:
    return catalog(metrics={"m": table}, leaderboards=[{"id": "b", "by": "metric", "of": "m", "period": "week"}])


def test_each_limit_is_part_of_what_decides_and_none_is_where_it_is_not_used() -> None:
    rules = [one(table) for table in TABLES]
    assert len({of.rules for of in rules}) == len(rules)
    assert not any(suffices(rules[0], other) for other in rules[1:])
    stored = board_rule(rules[0], rules[0].boards["b"])["source"]
    assert {*stored} == {"name", "kind", "events", "of", "where", "not_self", "missing"}
    assert {checks_per_event(of)["a"] for of in rules} == {2}


def test_a_plan_says_how_a_limit_changes() -> None:
    before, after = one(count("a")), one(count("a", cap_per_day=5, within="7 days"))
    assert differences(before, after) == [
        "metrics 'm'.cap_per_day: from none to 5",
        "metrics 'm'.within: from none to 7 days",
    ]
    assert differences(before, one(count("a", once_per="hour", per=["post"]))) == [
        "metrics 'm'.once_per: from none to 60 minutes",
        "metrics 'm'.per: from nothing to 'post'",
    ]
