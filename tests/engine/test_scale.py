"""Decimals are counted exactly, as whole numbers of a unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.events import MAX_NUMBER
from laurels.engine.numbers import MOST_UNITS, SCALES, decimal_text, units, why_not_counted
from laurels.errors import CatalogError
from laurels.storage.codec import pack_data, unpack_data
from tests.support import badge, catalog, count, dated, fold

PRICE = {"kind": "sum", "events": ["a"], "of": "price", "scale": 100}


@settings(max_examples=300)
@given(st.sampled_from(SCALES), st.integers(0, MOST_UNITS))
def test_every_decimal_of_15_digits_counts_exactly_however_it_is_written(scale: int, number: int) -> None:
    text = str(Decimal(number) / scale)
    data = msgspec.json.decode(f'{{"price": {text}}}')
    stored = unpack_data(pack_data(data)) or {}
    assert units(stored["price"], scale) == number
    assert why_not_counted(stored["price"], scale) == ""
    assert Decimal(decimal_text(number, scale).replace(",", "")) * scale == number


@pytest.mark.parametrize(
    ("value", "number", "why"),
    [
        (12.34, 1234, ""),
        (0.1 + 0.2, None, "must have at most 2 decimals"),
        (12, 1200, ""),
        (12.0, 1200, ""),
        (1.1, 110, ""),
        (4.35, 435, ""),
        (12.345, None, "must have at most 2 decimals"),
        (5e-324, None, "must have at most 2 decimals"),
        (-0.0, 0, ""),
        (-0.01, None, "must be from 0 to 9999999999999.99"),
        (9999999999999.99, MOST_UNITS, ""),
        (10**13, None, "must be from 0 to 9999999999999.99"),
        (1e300, None, "must be from 0 to 9999999999999.99"),
        ("12.34", None, "must be a number, not a text"),
        (True, None, "must be a number, not true or false"),
        (None, None, "must be a number, not null"),
    ],
)
def test_a_number_is_read_by_its_shortest_decimal_text(value: Any, number: int | None, why: str) -> None:
    assert (units(value, 100), why_not_counted(value, 100)) == (number, why)


@pytest.mark.parametrize(
    ("number", "scale", "text"),
    [(1234, 1, "1,234"), (1234, 100, "12.34"), (1200, 100, "12"), (5, 1000, "0.005"), (-1234, 100, "-12.34")],
)
def test_a_number_of_units_is_shown_with_decimals(number: int, scale: int, text: str) -> None:
    assert decimal_text(number, scale) == text


def prices(**more: Any) -> Catalog:
    return catalog(metrics={"m": {**PRICE, **more}})


def test_every_kind_that_reads_a_number_reads_it_with_the_scale() -> None:
    kinds = ("sum", "max", "min", "last")
    rules = catalog(metrics={kind: {**PRICE, "kind": kind} for kind in kinds})
    events = [dated("a", on, data={"price": price}) for on, price in enumerate((0.1, 0.2, 3.3, 0.7, "1", 0.001))]
    assert fold(rules, events).totals == {"sum": 430, "max": 330, "min": 10, "last": 70}


def test_sums_stop_at_the_largest_number() -> None:
    events = [dated("a", name=str(number), data={"price": 9999999999999.99}) for number in range(12)]
    assert fold(prices(), events).totals == {"m": MAX_NUMBER}


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        ({**PRICE, "scale": 60}, "scale: must be a power of ten from 10 to 1000000000; write scale = 100"),
        ({**PRICE, "scale": 1}, "scale: must be a power of ten"),
        ({**PRICE, "scale": 0}, "scale: must be a whole number of 1 or more, not 0"),
        ({**PRICE, "scale": 0.01}, "scale: must be a whole number of 1 or more, not 0.01"),
        ({"kind": "sum", "events": ["a"], "scale": 100}, "scale: has no meaning without a number in the data"),
        (count("a", scale=100), "scale: has no meaning without a number in the data: a quantity is whole; take it out"),
    ],
)
def test_a_wrong_scale_is_refused_with_the_fix(metric: dict[str, Any], what: str) -> None:
    with pytest.raises(CatalogError) as raised:
        catalog(metrics={"m": metric})
    assert f"metrics.m.{what}" in str(raised.value)


def test_one_is_named_in_the_singular() -> None:
    rules = catalog(
        metrics={"m": {**PRICE, "one": "euro", "many": "euros"}}, badges=[badge("b", metric="m", at_least=100)]
    )
    condition = rules.badges[0].condition
    assert [check.text for check in condition.checks(fold(rules, []), {})] == ["1 euro"]
    step = condition.steps(fold(rules, [dated("a", data={"price": 0.5})]), {})[0]
    assert (step.missing, step.current, step.target, step.scale) == ("0.50 more euros", 50, 100, 100)


def test_the_scale_is_part_of_the_fingerprint_only_where_it_is_used() -> None:
    assert len({prices().rules, prices(scale=1000).rules}) == 2
    without = {key: value for key, value in PRICE.items() if key != "scale"}
    assert catalog(metrics={"m": without}).rules == "e34914dfb077cd37"  # as versions without a scale stored it
