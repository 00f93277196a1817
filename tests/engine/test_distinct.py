"""Different values: counted once each, in any order, up to a limit that keeps the first ones."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine import distinct
from laurels.engine.distinct import MOST_VALUES, NO_VALUES, DistinctValues
from laurels.engine.events import Event
from laurels.engine.metrics import OWN_REFERENCE, REFERENCE
from laurels.engine.scoring import values_counted, values_recounted
from tests.support import MONDAY, catalog, dated, fold

FRIENDS = {"kind": "distinct", "events": ["invite"], "of": "friend", "not_self": True}
RULES = catalog(
    metrics={
        "friends": FRIENDS,
        "named": FRIENDS | {"missing": "quantity"},
        "pro": FRIENDS | {"where": {"plan": "pro"}},
    },
    leaderboards=[
        {"id": "all", "by": "metric", "of": "friends"},
        {"id": "week", "by": "metric", "of": "named", "period": "week"},
    ],
)

SEEN = st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 20)), max_size=30)


def collected(seen: list[tuple[str, int]]) -> DistinctValues:
    return reduce(lambda values, one: values.with_value(*one), seen, NO_VALUES)


def invite(friend: Any = None, on: int = 0, quantity: int = 1, **more: Any) -> Event:
    return dated("invite", on, quantity=quantity, data=more if friend is None else {"friend": friend, **more})


@given(SEEN, st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_first_values_by_occurrence_count_in_any_order(
    seen: list[tuple[str, int]], chance: random.Random, most: int
) -> None:
    first: dict[str, int] = {}
    for value, at in seen:
        first[value] = min(at, first.get(value, at))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "MOST_VALUES", most)
        values = collected(seen)
        assert collected(chance.sample(seen, len(seen))) == values
        assert collected([*seen, *seen]) == values
    kept = sorted(first.values())[:most]
    assert values.number == len(kept)
    assert values.reached_at == (kept[-1] if kept else 0)


def test_a_number_stops_at_the_limit_and_so_does_what_is_stored() -> None:
    values = collected([(f"user-{number}", number) for number in range(MOST_VALUES + 50)])
    assert (values.number, values.reached_at, len(values.entries)) == (MOST_VALUES, MOST_VALUES - 1, 16 * MOST_VALUES)


def test_a_hash_across_two_entries_is_not_a_value() -> None:
    entries = (1).to_bytes(8, "big") + b"12345678" + (2).to_bytes(8, "big") + b"abcdefgh"
    assert distinct._position(entries, b"12345678") == 0
    assert distinct._position(entries, b"abcdefgh") == 16
    assert distinct._position(entries, b"5678" + bytes(4)) is None


@pytest.mark.parametrize(
    ("friend", "counts"),
    [
        ("bob", 1),
        (7, 1),
        (7.0, 1),
        ("ada", 0),
        (OWN_REFERENCE, 0),
        ("", 0),
        (None, 0),
        (7.5, 0),
        (True, 0),
        (["bob"], 0),
    ],
)
def test_a_text_or_a_whole_number_is_a_value_and_ones_own_id_is_none(friend: Any, counts: int) -> None:
    progress = fold(RULES, [dated("invite", data={"friend": friend})])
    assert [progress.totals.get(name, 0) for name in ("friends", "named")] == [counts, counts]


def test_a_number_and_its_digits_are_one_value() -> None:
    assert fold(RULES, [invite(7), invite("7", 1), invite(7.0, 2), invite("8", 3)]).totals["friends"] == 2


def test_a_friend_counts_once_whatever_the_quantity() -> None:
    events = [invite("bob", on, quantity=5) for on in range(5)]
    assert fold(RULES, events).totals == {"friends": 1, "named": 1}


def test_events_that_name_no_one_count_by_their_quantity_where_the_metric_says_so() -> None:
    progress = fold(RULES, [invite("bob"), invite(quantity=3), invite(quantity=2, on=1), invite("bob", 2)])
    assert progress.totals == {"friends": 1, "named": 6}


def test_a_filter_decides_first() -> None:
    events = [invite("bob", plan="free"), invite("bob", 1, plan="pro"), invite("eve", plan="pro")]
    assert fold(RULES, events).totals["pro"] == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"friend": "bob"}, ""),
        ({}, "is missing"),
        ({"friend": None}, "must be a text or a whole number, not null"),
        ({"friend": ["bob"]}, "must be a text or a whole number, not a list"),
        ({"friend": 1.5}, "must be a text or a whole number, not a fraction"),
        ({"friend": ""}, "must not be empty"),
        ({"friend": "ada"}, "is the user's own id"),
        ({"friend": OWN_REFERENCE}, "is the user's own id"),
        ({"friend": f"{REFERENCE}00"}, ""),
    ],
)
def test_a_metric_says_why_a_value_does_not_count(data: Any, why: str) -> None:
    event = dated("invite", data=data)
    assert RULES.metrics["friends"].why_ignored(event) == why
    assert RULES.metrics["named"].why_ignored(event) == ("" if why == "is missing" else why)


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b", "c", "ada"]), st.integers(0, 9)), max_size=12), st.data())
def test_values_within_periods_do_not_depend_on_the_order_of_events(
    seen: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    events = [
        dated("invite", on, name=str(index), data={"friend": friend} if friend else {})
        for index, (friend, on) in enumerate(seen)
    ]
    now = MONDAY + timedelta(days=9)
    other = data.draw(st.permutations(events))
    within = values_recounted(RULES, events, now)
    assert values_recounted(RULES, other, now) == within
    in_second_week = [(friend, on) for friend, on in seen if on >= 7 and friend != "ada"]
    named = {friend for friend, _ in in_second_week if friend}
    unnamed = sum(friend is None for friend, _ in in_second_week)
    stored = within.get("week", {}).get("2026-W03")
    assert (stored.number if stored else 0) == len(named) + unnamed
    assert all(values_counted(RULES, within, event, now) == within for event in events if event.data)
