"""`where` decides which events a rule counts: equality, lists, ranges, existence and negation."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.where import Where
from laurels.errors import CatalogError
from tests.support import badge, catalog, count, dated, fold

MISSING = object()


def matched(wanted: Any, found: Any) -> bool:
    data = {} if found is MISSING else {"key": found}
    return Where({"key": wanted}).matches(dated("a", data=data))


@pytest.mark.parametrize(
    ("wanted", "matching", "others"),
    [
        ("pro", ["pro"], ["Pro", "", 1, None, MISSING, ["pro"], {"pro": 1}]),
        (1, [1, 1.0], [True, "1", 1.5, 2, None, MISSING]),
        (True, [True], [1, 1.0, "true", False, MISSING]),
        (["pro", "team"], ["pro", "team"], ["free", ["pro"], None, MISSING]),
        ([1, "two", True], [1, 1.0, "two", True], [2, "1", False, None, MISSING]),
        (
            {"at_least": 100, "at_most": 500},
            [100, 100.0, 500, 5e2],
            [99, 501, 100.5, "200", True, None, MISSING, [200]],
        ),
        ({"at_least": 100}, [100, 2**53 - 1], [99, 2**53, -100, 1e300, MISSING]),
        ({"at_most": 10}, [0, -0.0, 10], [-1, 11, 0.5, MISSING]),
        ({"at_least": 999, "at_most": 1250, "scale": 100}, [9.99, 10, 12.5, 12], [9.98, 9.999, 12.51, "10", MISSING]),
        ({"exists": True}, ["", 0, False, [], {}], [None, MISSING]),
        ({"exists": False}, [None, MISSING], ["", 0, False]),
        ({"not": "bot"}, ["human", "", 1, None, MISSING, ["bot"]], ["bot"]),
        ({"not": ["bot", 0]}, ["human", False, None, MISSING], ["bot", 0, 0.0]),
        ({"not": "bot", "exists": True}, ["human", 0], ["bot", None, MISSING]),
    ],
)
def test_a_test_matches_by_value_and_by_type(wanted: Any, matching: list[Any], others: list[Any]) -> None:
    assert [found for found in matching if not matched(wanted, found)] == []
    assert [found for found in others if matched(wanted, found)] == []


def test_all_tests_must_match_and_without_any_every_event_does() -> None:
    both = Where({"plan": ["pro", "team"], "words": {"at_least": 100}})
    found = [both.matches(dated("a", data=data)) for data in ({"plan": "pro", "words": 100}, {"plan": "pro"}, None)]
    assert found == [True, False, False]
    assert Where().matches(dated("a"))


def test_it_can_be_sent_to_another_process() -> None:
    sent = pickle.loads(pickle.dumps(Where({"words": {"at_least": 2}})))
    assert [sent.matches(dated("a", data={"words": words})) for words in (1, 2)] == [False, True]


def test_it_says_which_numbers_it_reads() -> None:
    numbers = {"a": 1, "b": ["x", 2], "c": {"at_most": 3}, "d": {"not": [4]}}
    others = {"e": "x", "f": True, "g": {"exists": True}, "h": {"not": "x"}}
    assert Where({**numbers, **others}).numbers == {*numbers}


def read(where: Any) -> Catalog:
    return catalog(
        metrics={"m": count("a", where=where)},
        streaks={"s": {"events": ["a"], "where": where}},
        points=[{"id": "p", "events": ["a"], "amount": 5, "where": where}],
    )


def test_metrics_streaks_and_point_rules_read_the_same_tests() -> None:
    rules = read({"plan": {"not": ["free"]}, "words": {"at_least": 10}})
    events = [
        dated("a", 0, data={"plan": "pro", "words": 10}),
        dated("a", 1, data={"plan": "free", "words": 10}),
        dated("a", 2, data={"words": 11}),
        dated("a", 3, data={"plan": "pro"}),
    ]
    progress = fold(rules, events)
    assert (progress.totals, len(progress.days["s"]), progress.points) == ({"m": 2}, 2, 10)


def test_a_rule_that_pays_up_to_a_cap_counts_only_what_matches() -> None:
    rule = {"id": "p", "events": ["a"], "amount": 5, "cap_per_day": 8, "where": {"words": {"at_least": 10}}}
    rules = catalog(points=[rule])
    events = [dated("a", name=str(number), data={"words": words}) for number, words in enumerate((9, 10, 9, 11, 12))]
    assert fold(rules, events).points == 8


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("pro", "metrics.m.where: must be a table, not 'pro'"),
        (
            {"plan": 1.5},
            "metrics.m.where.plan: must be a text, a whole number, true or false, a list of them or a table",
        ),
        ({"plan": []}, "metrics.m.where.plan: must be a text"),
        ({"plan": [["pro"]]}, "metrics.m.where.plan: must be a text"),
        ({"plan": {}}, "metrics.m.where.plan: has no test; write at_least, at_most, exists or not"),
        ({"words": {"at_lest": 1}}, "metrics.m.where.words.at_lest: unknown key 'at_lest'; did you mean 'at_least'?"),
        ({"words": {"at_least": -1}}, "at_least: must be a whole number of 0 or more, not -1"),
        ({"words": {"at_least": 9.5}}, "at_least: must be a whole number of 0 or more, not 9.5"),
        ({"words": {"at_least": 5, "at_most": 4}}, "at_most: is less than 'at_least', so no number is in the range"),
        ({"words": {"at_least": 5, "not": 7}}, "words.not: does not go with 'at_least', which needs a number"),
        ({"words": {"at_most": 5, "exists": True}}, "words.exists: does not go with 'at_most'"),
        ({"words": {"scale": 100}}, "words: has no test"),
        ({"words": {"exists": True, "scale": 100}}, "words.scale: has no meaning without a range"),
        ({"words": {"at_least": 5, "scale": 60}}, "words.scale: must be a power of ten from 10 to 1000000000"),
        ({"plan": {"exists": 1}}, "plan.exists: must be true or false, not 1"),
        (
            {"plan": {"not": {"at_least": 1}}},
            "plan.not: must be a text, a whole number, true or false, or a list of them",
        ),
        ({"plan": {"not": "x", "exists": False}}, "plan.exists: is false, and then 'not' always holds"),
    ],
)
def test_a_wrong_test_is_refused_with_the_fix(where: Any, message: str) -> None:
    with pytest.raises(CatalogError) as raised:
        catalog(metrics={"m": count("a", where=where)})
    assert message in str(raised.value)


@pytest.mark.parametrize("wanted", ["bob", ["bob"], {"exists": True}, {"not": "bob"}, {"at_least": 1}])
def test_no_test_may_read_a_key_that_holds_references_to_users(wanted: Any) -> None:
    with pytest.raises(CatalogError) as raised:
        catalog(
            metrics={
                "friends": {"kind": "distinct", "events": ["a"], "of": "friend", "not_self": True},
                "m": count("a", where={"friend": wanted}),
            }
        )
    assert "metrics.m.where: has a value of 'friend' where the metric 'friends' stores references" in str(raised.value)


def test_fingerprints_tell_tests_apart_and_those_of_equality_stay() -> None:
    tests: list[Any] = ["pro", ["pro"], ["pro", "team"], {"not": "pro"}, {"exists": True}, {"at_least": 1}, 1, True]
    assert len({read({"plan": one}).rules for one in tests}) == len(tests)
    rules = catalog(metrics={"m": count("a", where={"plan": "pro"})}, badges=[badge("b", metric="m", at_least=1)])
    assert rules.rules == "e691177f823064e2"  # as versions stored it that knew only equality


def test_a_plan_says_how_a_test_changes() -> None:
    before, after = read({"plan": "pro"}), read({"plan": ["pro", "team"], "words": {"at_least": 1000}})
    assert differences(before, after)[0] == (
        "metrics 'm'.where: from { plan = 'pro' } to { plan = ['pro', 'team'], words = { at_least = 1,000 } }"
    )
