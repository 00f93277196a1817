"""Tiers of a family: their numbers, and which conditions ask for more than others."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.tiers import implies
from laurels.engine.warnings import warnings
from laurels.errors import CatalogError
from tests.support import at, badge, catalog, catalog_text, count

METRICS = {"m": count("m"), "n": count("n"), "low": {"kind": "min", "events": ["m"]}}


def tiers(*conditions: dict[str, Any], numbers: tuple[int, ...] = (1, 2, 3)) -> list[dict[str, Any]]:
    """Badges b0, b1, ... of one family with these conditions."""
    return [
        {**badge(f"b{n}", **when), "family": "f", "tier": number}
        for n, (when, number) in enumerate(zip(conditions, numbers, strict=False))
    ]


def m(number: int) -> dict[str, Any]:
    return {"metric": "m", "at_least": number}


N, LATE, EARLY = (
    {"metric": "n", "at_least": 1},
    {"joined_before": at("2026-02-01")},
    {"joined_before": at("2026-01-01")},
)


@pytest.mark.parametrize(
    ("harder", "easier"),
    [
        (m(5), m(5)),
        (m(6), m(5)),
        ({"metric": "low", "at_most": 5}, {"metric": "low", "at_most": 6}),
        ({"streak": "login", "streak_of": 7}, {"streak": "login", "streak_of": 3}),
        ({"points_of": 10}, {"points_of": 9}),
        (EARLY, LATE),
        ({"has_badge": "b0"}, N),
        ({"all_of": [N, {"has_badge": "b0"}]}, {"all_of": [N, m(1)]}),
        ({"all_of": [m(6), N]}, m(5)),
        ({"all_of": [m(6), N]}, {"all_of": [N, m(5)]}),
        (m(6), {"any_of": [N, m(5)]}),
        ({"any_of": [m(6), {"all_of": [m(5), N]}]}, m(5)),
        ({"any_of": [m(6), N]}, {"any_of": [N, m(2)]}),
    ],
)
def test_a_condition_that_asks_for_as_much_implies_the_other(harder: dict[str, Any], easier: dict[str, Any]) -> None:
    of = catalog(metrics=METRICS, badges=tiers(easier, harder))

    assert implies(of.badges[1].condition, of.badges[0].condition, "b0")


@pytest.mark.parametrize(
    ("one", "other"),
    [(m(5), N), ({"any_of": [m(6), N]}, m(5)), ({"points_of": 9}, m(1))],
)
def test_conditions_that_do_not_compare_are_warned_of_once(one: dict[str, Any], other: dict[str, Any]) -> None:
    before = catalog(metrics=METRICS, badges=[])
    following = catalog(metrics=METRICS, badges=tiers(other, one, numbers=(1, 2)))

    (warning,) = [one for one in warnings(before, following) if "tier" in one]
    assert warning == (
        "badges 'b1': users may earn tier 2 of 'f' before tier 1; write { has_badge = \"b0\" } in its condition if they must not"
    )
    assert warnings(following, following) == []


def faults(badges: list[dict[str, Any]]) -> list[str]:
    with pytest.raises(CatalogError) as raised:
        Catalog.parse(catalog_text(metrics=METRICS, badges=badges))
    return [f"{fault.where}: {fault.what}; {fault.fix}" for fault in raised.value.faults]


def test_a_higher_tier_that_is_easier_is_refused() -> None:
    assert faults(tiers(m(1), m(10), m(9))) == [
        "badges 'b2'.tier: is 3, but its condition is easier than that of 'b1', which has 2; give the harder one the higher tier"
    ]


@pytest.mark.parametrize("numbers", [(1, 3, 4), (2, 3, 4), (1, 1, 2)])
def test_tiers_are_numbered_from_one_without_a_gap(numbers: tuple[int, ...]) -> None:
    shown = ", ".join(map(str, numbers))
    assert faults(tiers(m(1), m(2), m(3), numbers=numbers)) == [
        f"badges of the family 'f': have the tiers {shown}; number them 1, 2, 3, ..., each once"
    ]


def test_a_family_needs_tiers_and_a_tier_needs_a_family() -> None:
    assert faults([{**badge("a", **m(1)), "family": "f"}, {**badge("b", **m(1)), "tier": 1}]) == [
        "badges[1] 'a'.tier: is missing, though it has a family; add tier = 1, or the number that it has in its family",
        "badges[2] 'b'.family: is missing, though it has a tier; add family = \"...\", the same in all its tiers",
    ]


def test_tiers_decide_nothing() -> None:
    plain = [badge("b0", **m(1)), badge("b1", **m(2))]

    assert catalog(metrics=METRICS, badges=plain).rules == catalog(metrics=METRICS, badges=tiers(m(1), m(2))).rules
