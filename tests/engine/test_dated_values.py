"""Values that are others from a day on: `amount = [{ from = 2026-01-01, is = 1 }, ...]`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.errors import CatalogError
from tests.support import catalog, dated, fold

JAN, JUNE = date(2026, 1, 1), date(2026, 6, 1)
OTHER = date(2026, 1, 7)
"""Two days after the Monday on which the events of these tests begin."""


def paying(amount: Any, **more: Any) -> Catalog:
    return catalog(points=[{"id": "pay", "events": ["a"], "amount": amount, **more}])


def points(of: Catalog) -> list[int]:
    """What is paid for two events on each of four days, from Monday on."""
    events = [dated("a", on, name=f"{on}-{number}") for on in range(4) for number in range(2)]
    return [fold(of, events[: 2 * on + 2]).points - fold(of, events[: 2 * on]).points for on in range(4)]


@pytest.mark.parametrize(
    ("amount", "more", "paid"),
    [
        ([{"is": 1}, {"from": OTHER, "is": 10}], {}, [2, 2, 20, 20]),
        ([{"from": OTHER, "is": 10}], {}, [0, 0, 20, 20]),
        (5, {"cap_per_day": [{"is": 6}, {"from": OTHER, "is": 9}]}, [6, 6, 9, 9]),
        (5, {"cap_per_day": [{"from": OTHER, "is": 9}]}, [10, 10, 9, 9]),
    ],
)
def test_the_value_of_the_events_day_counts(amount: Any, more: dict[str, Any], paid: list[int]) -> None:
    assert points(paying(amount, **more)) == paid


def test_a_day_of_a_streak_needs_what_it_needed_when_it_was() -> None:
    of = catalog(streaks={"s": {"events": ["a"], "amount": [{"from": OTHER, "is": 2}]}})
    progress = fold(of, [dated("a", 0), dated("a", 1), dated("a", 2), dated("a", 3), dated("a", 3, name="again")])

    assert [date.fromordinal(day).day for day in progress.days["s"]] == [5, 6, 8]
    assert progress.partial == {"s": {OTHER.toordinal(): 1}}


def test_a_week_of_a_streak_needs_what_its_monday_does() -> None:
    of = catalog(streaks={"s": {"events": ["a"], "cadence": "weekly", "amount": [{"is": 1}, {"from": OTHER, "is": 2}]}})

    assert len(fold(of, [dated("a", 6), dated("a", 7)]).days["s"]) == 1
    assert len(fold(of, [dated("a", 6), dated("a", 7), dated("a", 8)]).days["s"]) == 2


@pytest.mark.parametrize(
    ("amount", "where", "what"),
    [
        ([], "amount", "is an empty list"),
        ([{"is": 1}, {"is": 2}], "amount[2].from", "is missing"),
        ([{"from": JUNE, "is": 1}, {"from": JAN, "is": 2}], "amount", "must have its days in order"),
        ([{"from": JAN, "is": 1}, {"from": JAN, "is": 2}], "amount", "must have its days in order"),
        ([{"from": JAN, "is": 1}, {"from": JUNE, "is": 1}], "amount", "is 1 before 2026-06-01 already"),
        ([{"from": JAN, "is": 0}], "amount[1].is", "must be a whole number of 1 or more"),
        ([{"from": JAN, "is": 1, "until": JUNE}], "amount[1].until", "unknown key 'until'"),
        ([{"from": datetime(2026, 1, 1), "is": 1}], "amount[1].from", "must be a date"),  # noqa: DTZ001
        ([1, 2], "amount", "must be a list of tables"),
        ("1", "amount", "must be a whole number"),
    ],
)
def test_a_list_that_means_nothing_is_refused_with_the_fix(amount: Any, where: str, what: str) -> None:
    for tables in (
        {"points": [{"id": "pay", "events": ["a"], "amount": amount}]},
        {"streaks": {"s": {"events": ["a"], "amount": amount}}},
    ):
        with pytest.raises(CatalogError) as refusal:
            catalog(**tables)
        assert any(fault.where.endswith(where) and what in fault.what and fault.fix for fault in refusal.value.faults)


def test_a_login_streak_needs_one_event_on_all_days() -> None:
    with pytest.raises(CatalogError, match="must be daily and need one event"):
        catalog(streaks={"login": {"events": ["login"], "amount": [{"from": JUNE, "is": 2}]}})


def test_a_plan_says_from_which_day_a_value_is_another_one() -> None:
    before, after = paying(1), paying([{"is": 1}, {"from": JUNE, "is": 1000}])

    assert "points 'pay'.amount: from 1 to 1, 1,000 from 2026-06-01" in differences(before, after)
    assert before.rules != after.rules
