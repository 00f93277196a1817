"""What the catalog's reader refuses in member_for, none_of and in_order, and the words in which plans say them."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.plans import suffices
from laurels.errors import CatalogError
from tests.support import at, badge, catalog, catalog_text, count

METRICS = {"m": count("m", one="message", many="messages"), "n": count("n", many="notes")}
M, N = {"metric": "m", "at_least": 2}, {"metric": "n", "at_least": 1}
JOINED = {"joined_before": at("2026-01-01")}
TIME = "may hold now and not later, so whether a badge is awarded would depend on when events arrive"
LATER = "has a condition that is not about metrics, so it cannot begin to count after the one before it"


@pytest.mark.parametrize(
    ("when", "where", "what"),
    [
        ({"member_for": "0 days"}, "member_for", "must be from 1 to 36,500 days, not '0 days'"),
        ({"member_for": "a month"}, "member_for", "must be from 1 to 36,500 days, not 'a month'"),
        ({"member_for": 30}, "member_for", "must be a text, not 30"),
        ({"none_of": [M]}, "none_of", TIME),
        ({"none_of": [{"any_of": [JOINED, {"has_badge": "b"}]}]}, "none_of", TIME),
        ({"none_of": [{"member_for": "1 day"}]}, "none_of", TIME),
        ({"none_of": []}, "none_of", "is empty"),
        ({"in_order": [M]}, "in_order", "has one condition"),
        ({"in_order": [M, {"streak": "login", "streak_of": 2}]}, "in_order", LATER),
        ({"in_order": [M, {"in_order": [M, N]}]}, "in_order", LATER),
        ({"in_order": [M, {"points_of": 5}]}, "in_order", LATER),
    ],
)
def test_what_would_depend_on_the_order_of_arrival_is_refused(when: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(CatalogError) as raised:
        Catalog.parse(catalog_text(metrics=METRICS, badges=[badge("b", **when)]))

    (fault,) = raised.value.faults
    assert (fault.where, fault.what) == (f"badges[1] 'b'.when.{where}", what)
    assert fault.fix


def test_a_badge_for_time_cannot_be_limited() -> None:
    with pytest.raises(CatalogError) as raised:
        Catalog.parse(catalog_text(badges=[{**badge("b", member_for="3 days"), "supply": 5}]))

    (fault,) = raised.value.faults
    assert fault.where == "badges[1] 'b'.supply"


def test_a_plan_says_these_conditions_in_words() -> None:
    before = catalog(metrics=METRICS, badges=[])
    badges = [badge("o", in_order=[M, N]), badge("t", member_for="1 day"), badge("j", none_of=[JOINED])]

    assert differences(before, catalog(metrics=METRICS, badges=badges)) == [
        "badges 'o' is new: 10 points for in order (2 messages, 1 n)",
        "badges 't' is new: 10 points for member for 1 day",
        "badges 'j' is new: 10 points for not joined before 2026-01-01 00:00 UTC",
    ]


def test_a_plan_reads_events_for_conditions_in_order_that_are_new() -> None:
    before, following = (
        catalog(metrics=METRICS, badges=[]),
        catalog(metrics=METRICS, badges=[badge("o", in_order=[M, N])]),
    )
    tiers = catalog(metrics=METRICS, badges=[badge("o", in_order=[M, N]), badge("p", 3, in_order=[M, N])])

    assert not suffices(before, following)
    assert suffices(following, tiers)
    assert suffices(following, before)
