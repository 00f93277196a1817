"""Boosts: how they are read, what an event pays with them, and that the order of events makes no difference."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.boost_warnings import boost_warnings
from laurels.engine.boosts import ratio_of
from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.judge import rebuild
from laurels.errors import CatalogError
from tests.support import MONDAY, at, catalog, dated, fold
from tests.support.strategies import boosts, deliveries, histories, rules

FIRST, LAST = date(2026, 1, 6), date(2026, 1, 8)
RULE: dict[str, Any] = {"id": "a", "events": ["a"], "amount": 3, "per": "quantity"}


def boost(name: str = "launch", factor: str = "2", start: Any = FIRST, end: Any = LAST, **keys: Any) -> dict[str, Any]:
    return {"id": name, "factor": factor, "from": start, "until": end, **keys}


def boosted(*some: dict[str, Any], rule: dict[str, Any] = RULE, **more: Any) -> Catalog:
    return catalog(points=[rule], boosts=[*some], **more)


def paid(of: Catalog, event: Event) -> int:
    return fold(of, [event]).points


# ---- the file ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"factor": 2}, "factor: must be in quotes, so that it is exact, not 2"),
        ({"factor": "1"}, "factor: must be more than 1 and at most 100"),
        ({"factor": "100.001"}, "factor: must be more than 1 and at most 100"),
        ({"factor": "5/0"}, "factor: must be more than 1 and at most 100"),
        ({"factor": "twice"}, "factor: must be more than 1 and at most 100"),
        ({"rules": ["b"]}, "rules: unknown point rule 'b'"),
        ({"until": FIRST}, "until: must be after 'from', which is 2026-01-06"),
        ({"until": at("2026-01-08")}, "until: is a time, and 'from' is a date; write a date in both"),
        ({"round": "half"}, "round: unknown rounding 'half'; known are down, nearest, up"),
        ({"facter": "2"}, "unknown key 'facter'; did you mean 'factor'?"),
        ({"from": "soon"}, "from: must be a date"),
    ],
)
def test_a_boost_that_says_nothing_exact_is_refused(keys: dict[str, Any], what: str) -> None:
    with pytest.raises(CatalogError) as refused:
        boosted({**boost(), **keys})
    (fault,) = refused.value.faults
    assert what in str(fault)


def test_a_boost_needs_a_rule_and_an_id_of_its_own() -> None:
    with pytest.raises(CatalogError, match="has no point rule whose pay it could multiply"):
        catalog(boosts=[boost()])
    with pytest.raises(CatalogError, match="the id 'launch' is used more than once"):
        boosted(boost(), boost())


def test_boosts_that_may_count_for_one_event_must_round_in_the_same_way() -> None:
    other = boost("other", "4/3", round="up")
    with pytest.raises(CatalogError, match=r"boosts 'other'\.round: rounds 'up', and 'launch', which may count"):
        boosted(boost(factor="1.5"), other)
    boosted(boost(factor="3"), other)  # nothing to round
    boosted(
        boost(factor="1.5", end=date(2026, 1, 7)), boost("other", "1.5", at("2026-01-08"), at("2026-01-09"), round="up")
    )


def test_no_boost_reads_the_id_of_a_user() -> None:
    friends = {"kind": "distinct", "events": ["a"], "of": "friend", "not_self": True}
    with pytest.raises(CatalogError, match=r"boosts 'launch'.where: has a value of 'friend'"):
        boosted(boost(where={"friend": "bob"}), metrics={"friends": friends})


# ---- what an event pays -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "rounding", "worth"),
    [
        ("2", "down", 30),
        ("1.5", "down", 22),
        ("1.5", "nearest", 23),  # 22.5: a half goes up
        ("1.5", "up", 23),
        ("4/3", "up", 20),
        ("1.001", "down", 15),
        ("1.001", "nearest", 15),
        ("1.001", "up", 16),
        ("100", "down", 1500),
    ],
)
def test_what_an_event_pays_is_multiplied_and_rounded_once(factor: str, rounding: str, worth: int) -> None:
    of = boosted(boost(factor=factor, round=rounding))
    assert paid(of, dated("a", 1, quantity=5)) == worth
    assert paid(of, dated("a", 0, quantity=5)) == 15
    assert paid(of, dated("a", 3, quantity=5)) == 15  # the day 'until' does not count


def test_several_boosts_multiply_each_other_before_anything_is_rounded() -> None:
    assert paid(boosted(boost(factor="1.5"), boost("more", "4/3")), dated("a", 1, quantity=1)) == 6
    assert (
        paid(boosted(boost(factor="1.1"), boost("more", "1.1")), dated("a", 1, quantity=3)) == 10
    )  # 10.89, not 9 * 1.1


def test_a_time_with_an_offset_is_the_same_instant_for_everyone() -> None:
    of = boosted(boost(start=at("2026-01-06T12:00:00+02:00"), end=at("2026-01-06T13:00:00+02:00")))
    for minutes, worth in ((-1, 3), (0, 6), (59, 6), (60, 3)):
        when = at("2026-01-06T10:00") + timedelta(minutes=minutes)
        assert paid(of, Event("ada", "e", "a", when, 1, None, when.toordinal())) == worth


def test_a_boost_is_for_some_rules_and_events_and_comes_before_the_cap() -> None:
    of = boosted(boost(where={"plan": "pro"}), rule={**RULE, "cap_per_day": 10})
    assert paid(of, dated("a", 1, quantity=2, data={"plan": "pro"})) == 10  # 12 without the cap
    assert paid(of, dated("a", 1, quantity=2)) == 6
    two = catalog(points=[RULE, {**RULE, "id": "b"}], boosts=[boost(rules=["b"])])
    assert paid(two, dated("a", 1)) == 3 + 6


def test_no_event_pays_more_than_the_largest_number() -> None:
    event = dated("a", 1, quantity=MAX_NUMBER)
    of = boosted(boost(factor="100"))
    assert paid(of, event) == MAX_NUMBER
    assert [*of.point_rules[0].shares(event, MAX_NUMBER)] == [("", MAX_NUMBER)]


def test_each_boost_has_its_share_of_what_was_paid() -> None:
    of = boosted(boost("z", "3"), boost("b", "2"))
    event = dated("a", 1, quantity=2)
    assert [*of.point_rules[0].shares(event, 36)] == [("", 6), ("b", 6), ("z", 24)]
    assert [*of.point_rules[0].shares(event, 10)] == [("", 6), ("b", 4)]
    assert [*of.point_rules[0].shares(dated("a", 0), 3)] == [("", 3)]


NAIVE = {"down": floor, "nearest": lambda number: floor(number + Fraction(1, 2)), "up": ceil}


@given(
    st.integers(1, 10**6),
    st.lists(st.sampled_from(["2", "1.5", "4/3", "1.001", "99.9"]), max_size=3),
    st.sampled_from([*NAIVE]),
)
def test_the_pay_is_what_fractions_say(quantity: int, factors: list[str], rounding: str) -> None:
    of = boosted(*(boost(f"b{number}", factor, round=rounding) for number, factor in enumerate(factors)))
    exact = Fraction(3 * quantity)
    for factor in factors:
        exact *= Fraction(factor)
    event = dated("a", 1, quantity=quantity)
    (rule,) = of.point_rules
    assert rule.worth(event) == NAIVE[rounding](exact)
    shares = [*rule.shares(event, rule.worth(event))]
    assert sum(share for _, share in shares) == rule.worth(event)
    assert all(share > 0 for _, share in shares)


@settings(max_examples=60)
@given(st.data())
def test_the_order_of_arrival_makes_no_difference(data: st.DataObject) -> None:
    of = data.draw(boosted_catalogs())
    events = data.draw(histories(10))
    (whole, other) = fold(of, events), fold(of, data.draw(deliveries(events)))
    assert (whole.points, whole.capped) == (other.points, other.capped)
    again = rebuild(of, whole, events, MONDAY + timedelta(days=20))
    assert (again.entries, again.progress.points) == ((), whole.points)


@st.composite
def boosted_catalogs(draw: st.DrawFn) -> Catalog:
    return catalog(points=[draw(rules(f"r{number}")) for number in range(2)], boosts=draw(boosts(("r0", "r1"))))


# ---- what is said of them ---------------------------------------------------------------------


def test_only_what_decides_is_part_of_the_rules() -> None:
    one = boosted(boost())
    assert one.rules == boosted({**boost("other", "2.0", round="up"), "name": "Twice"}).rules
    assert one.rules != boosted(boost(factor="3")).rules
    assert boosted().rules == catalog(points=[RULE]).rules


def test_ratios_are_exact() -> None:
    assert [ratio_of(text) for text in ("2", "1.50", "10/4", "1.005", "", "-1", "1e3", "1/0")] == [
        *((2, 1), (3, 2), (5, 2), (201, 200)),
        *((0, 1),) * 4,
    ]


def test_the_differences_of_boosts_are_in_words() -> None:
    one, other = boosted(boost()), boosted(boost(factor="1.5", round="up", end=date(2026, 1, 9)))
    assert differences(boosted(), one) == [
        "boosts 'launch' is new: all points times 2 from 2026-01-06 until 2026-01-08"
    ]
    assert differences(one, other) == [
        "boosts 'launch'.factor: from '2' to '1.5'",
        "boosts 'launch'.until: from 2026-01-08 to 2026-01-09",
        "boosts 'launch'.round: from 'down' to 'up'",
    ]
    assert differences(one, boosted()) == ["boosts 'launch' is gone"]


def said(before: Catalog, after: Catalog, when: datetime) -> str:
    return "\n".join(boost_warnings(before, after, when))


def test_warnings_say_what_stands_out_in_boosts() -> None:
    capped = {**RULE, "cap_per_day": 9}
    none, one = boosted(rule=capped), boosted(boost(), rule=capped)
    assert said(none, one, at("2026-01-01")) == ""
    assert "its time begins on 2026-01-06, before it is applied" in said(none, one, at("2026-01-07"))
    over = said(none, one, at("2026-01-10"))
    assert "its time is over since 2026-01-08; it pays nothing for points 'a'" in over
    assert said(one, one, at("2026-01-10")) == ""
    free = said(boosted(), boosted(boost()), at("2026-01-01"))
    assert "points 'a' has no cap, so repeating it pays 2 times as much without an end" in free
    two = boosted(boost(), boost("more", "1.5"), rule=capped)
    assert "boosts 'launch' and 'more' may count for the same event of points 'a', which then pays 3 times" in said(
        one, two, at("2026-01-01")
    )
