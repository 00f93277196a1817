"""A whole number is whole however JSON writes it, and what is no whole number is reported, not dropped in silence."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.events import MAX_NUMBER
from laurels.engine.fields import Field
from laurels.engine.numbers import same_numbers, whole
from laurels.engine.where import Where
from laurels.errors import InvalidInput
from tests.support import catalog, dated, fold

CATALOG = catalog(
    metrics={
        "km": {"kind": "sum", "events": ["run"], "of": "km"},
        "best": {"kind": "max", "events": ["run"], "of": "km"},
        "vip_runs": {"kind": "count", "events": ["run"], "where": {"vip": 1}},
    },
    streaks={"vip": {"events": ["run"], "where": {"vip": 1}}},
    points=[{"id": "vip", "events": ["run"], "amount": 7, "where": {"vip": 1}}],
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((5, 5), (5.0, 5), (-5.0, -5), (-0.0, 0), (5.5, None), ("5", None), (True, None), (None, None), ([5], None)),
        *((float("inf"), None), (float("nan"), None), (1e20, 10**20)),
    ],
)
def test_a_number_without_a_fraction_is_whole(value: object, expected: int | None) -> None:
    found = whole(value)

    assert (found, type(found)) == (expected, type(expected))


def test_a_whole_number_counts_the_same_however_it_is_written() -> None:
    as_int = fold(CATALOG, [dated("run", data={"km": 5, "vip": 1})])
    as_float = fold(CATALOG, [dated("run", data={"km": 5.0, "vip": 1.0})])

    assert as_float == as_int
    assert as_float.totals == {"km": 5, "best": 5, "vip_runs": 1}
    assert (as_float.points, as_float.longest("vip")) == (7, 1)


@pytest.mark.parametrize("vip", [True, "1", 1.5, 2, None])
def test_a_filter_does_not_match_another_value_or_another_type(vip: Any) -> None:
    assert not Where({"vip": 1}).matches(dated("run", data={"vip": vip}))
    assert not Where({"vip": True}).matches(dated("run", data={"vip": 1.0}))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (5, ""),
        (5.0, ""),
        (0, ""),
        (MAX_NUMBER, ""),
        (5.5, "must be a whole number"),
        ("5", "must be a number, not a text"),
        (True, "must be a number, not true or false"),
        (None, "must be a number, not null"),
        ([5], "must be a number, not a list"),
        ({}, "must be a number, not an object"),
        (-1, f"must be from 0 to {MAX_NUMBER}"),
        (-1.0, f"must be from 0 to {MAX_NUMBER}"),
        (MAX_NUMBER + 1, f"must be from 0 to {MAX_NUMBER}"),
        (1e300, f"must be from 0 to {MAX_NUMBER}"),
    ],
)
def test_a_metric_says_why_it_cannot_read_a_value(value: Any, why: str) -> None:
    event = dated("run", data={"km": value})

    assert CATALOG.metrics["km"].why_ignored(event) == why
    assert (CATALOG.metrics["km"].amount(event) is None) == bool(why)


def test_a_metric_says_that_a_value_is_missing_only_where_it_should_read_it() -> None:
    metrics = catalog(
        metrics={
            "km": {"kind": "sum", "events": ["run"], "of": "km", "where": {"vip": 1}},
            "runs": {"kind": "count", "events": ["run"]},
            "many": {"kind": "sum", "events": ["run"]},
        }
    ).metrics

    assert metrics["km"].why_ignored(dated("run", data={"vip": 1.0})) == "is missing"
    assert metrics["km"].why_ignored(dated("run", data={"vip": 2})) == ""
    assert [metrics[name].why_ignored(dated("run")) for name in ("runs", "many")] == ["", ""]


def test_equal_data_is_equal_at_any_depth_and_true_stays_true() -> None:
    found = same_numbers({"a": [1.0, {"b": 2.0}], "c": True, "d": 1.5, "e": 1e300})

    assert repr(found) == repr({"a": [1, {"b": 2}], "c": True, "d": 1.5, "e": 1e300})


def test_a_field_of_an_adjustment_reads_a_whole_number_however_it_is_written() -> None:
    field = Field("number", "Points", zero=False)

    assert (field.parse(50.0), type(field.parse(50.0))) == (50, int)
    for wrong in (1.5, "5", True, 0.0, 2.0**60, None):
        with pytest.raises(InvalidInput):
            field.parse(wrong)
