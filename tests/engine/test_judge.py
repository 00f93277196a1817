from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.judge import judge, rebuild, rejudge, reverse
from laurels.engine.progress import Award, Change, LedgerEntry, Progress
from laurels.engine.sequences import stages_of
from tests.support import MONDAY, at, badge, cases, catalog, count, dated, fold
from tests.support.strategies import catalogs, deliveries, histories

CONTRACT = Catalog.default()


def won(made: Catalog, *events: Event) -> list[str]:
    """The badges that these events earn, in the catalog's order."""
    progress = fold(made, events)
    return [one.id for one in made.badges if one.id in progress.badges]


# ---- the contract's cases ---------------------------------------------------------------------


def orders(events: list[Event]) -> Iterator[list[Event]]:
    """Every order of a few events; of many, the two ends and some in between, with every event twice."""
    if len(events) <= 5:
        yield from map(list, permutations(events))
        return
    yield events
    yield events[::-1]
    for seed in range(10):
        yield random.Random(seed).sample(events * 2, len(events) * 2)


@pytest.mark.parametrize("case", cases("earning"), ids=lambda case: case["name"])
def test_the_conformance_cases_in_every_order(case: dict[str, Any]) -> None:
    events = [dated(one["type"], quantity=one["quantity"], name=f"e{i}") for i, one in enumerate(case["events"])]
    for order in orders(events):
        progress = fold(CONTRACT, order)
        reading = CONTRACT.levels.read(progress.points)
        assert won(CONTRACT, *order) == case["badges"]
        assert (progress.points, reading.level.number, reading.level.title, reading.next_level, reading.progress) == (
            *(case[key] for key in ("points", "level", "title", "nextLevel", "progress")),
        )


# ---- properties under every catalog -----------------------------------------------------------


def state(made: Catalog, progress: Progress) -> Progress:
    """All but the instant at which the points were reached; only that may depend on the order of arrival."""
    return replace(progress, reached_at=None, badges={one.id: progress.badges.get(one.id, -1) for one in made.badges})


@given(catalogs(), histories(), st.data())
def test_every_order_of_arrival_gives_the_same_progress(
    made: Catalog, events: list[Event], data: st.DataObject
) -> None:
    delivered = data.draw(deliveries(events))
    assert state(made, fold(made, delivered)) == state(made, fold(made, events))


@settings(max_examples=40)
@given(catalogs(), histories())
def test_after_every_event_the_ledger_adds_up_and_no_badge_is_due(made: Catalog, events: list[Event]) -> None:
    progress = Progress()
    for position, event in enumerate(events, start=1):
        stages = stages_of(made.chains, events[:position])
        outcome = judge(made, progress, event, event.day or 0, stages=stages)
        assert outcome.progress.points - progress.points == sum(entry.amount for entry in outcome.entries)
        assert all(entry.amount for entry in outcome.entries)
        assert {award.badge for award in outcome.awards} == outcome.progress.badges.keys() - progress.badges.keys()
        assert not [one.id for one in made.badges if one.due(outcome.progress)]
        progress = outcome.progress


@settings(max_examples=30)
@given(catalogs(), catalogs(), histories())
def test_a_rebuild_gives_what_the_new_rules_would_have_given_and_keeps_badges(
    before: Catalog, after: Catalog, events: list[Event]
) -> None:
    old, fresh = fold(before, events), fold(after, events)
    outcome = rebuild(after, old, events, MONDAY)
    new = outcome.progress
    assert (new.totals, new.days, new.capped, new.folds) == (fresh.totals, fresh.days, fresh.capped, fresh.folds)
    assert new.badges.items() >= old.badges.items()
    assert new.badges.keys() >= fresh.badges.keys()
    assert new.points - old.points == sum(entry.amount for entry in outcome.entries)
    assert rebuild(after, new, events, MONDAY).progress == new


# ---- adding -----------------------------------------------------------------------------------


def test_a_type_that_the_catalog_does_not_know_changes_nothing() -> None:
    progress = Progress(points=7)
    outcome = judge(CONTRACT, progress, dated("coffee.drunk"), MONDAY.toordinal())
    assert outcome.progress is progress
    assert not outcome.notifications


SIZES = [
    dated("a", quantity=2, name="1", data={"size": 3, "plan": "pro"}),
    dated("a", quantity=5, name="2", data={"size": 9}),
    dated("a", on=1, name="3", data={"size": True}),
    dated("a", on=1, name="4", data={"size": -1, "plan": "PRO"}),
    dated("a", on=3, name="5", data={"size": "8"}),
    dated("a", on=3, name="6", data={"size": MAX_NUMBER + 1}),
    dated("a", on=3, name="7"),
]


@pytest.mark.parametrize(
    ("metric", "total"),
    [
        ({"kind": "count"}, 7),
        ({"kind": "sum"}, 12),
        ({"kind": "max"}, 5),
        ({"kind": "sum", "of": "size"}, 12),  # what is no whole number of 0 or more adds nothing
        ({"kind": "max", "of": "size"}, 9),
        ({"kind": "distinct_days"}, 3),
        ({"kind": "count", "where": {"plan": "pro"}}, 1),
        ({"kind": "count", "where": {"size": 9}}, 1),
        ({"kind": "count", "where": {"size": 1}}, 0),  # true is not 1
        ({"kind": "count", "where": {"size": True}}, 1),
        ({"kind": "count", "where": {"plan": "pro", "size": 4}}, 0),
        ({"kind": "distinct_days", "where": {"plan": "PRO"}}, 1),
    ],
)
def test_each_kind_of_metric_counts_as_documented(metric: dict[str, Any], total: int) -> None:
    made = catalog(metrics={"m": {"events": ["a"], **metric}})
    assert fold(made, SIZES).totals.get("m", 0) == total


def rule(**more: Any) -> dict[str, Any]:
    return {"id": "r", "events": ["a"], "amount": 10, **more}


@pytest.mark.parametrize(
    ("table", "points"),
    [
        (rule(), 40),
        (rule(per="quantity"), 70),
        (rule(where={"plan": "pro"}), 10),
        (rule(cap_per_day=15), 25),
        (rule(per="quantity", cap_per_day=35), 45),
        (rule(cap_per_day=1), 2),
    ],
)
def test_a_point_rule_pays_at_most_its_cap_on_each_day(table: dict[str, Any], points: int) -> None:
    made = catalog(points=[table])
    events = [
        dated("a", quantity=4, name="1"),
        dated("a", name="2", data={"plan": "pro"}),
        dated("a", name="3"),
        dated("a", on=1, name="4"),
    ]
    for order in permutations(events):
        assert fold(made, order).points == points


def test_a_capped_rule_that_pays_nothing_more_writes_no_entry() -> None:
    made = catalog(points=[rule(cap_per_day=10)])
    progress = fold(made, [dated("a", name="1")])
    outcome = judge(made, progress, dated("a", name="2"), MONDAY.toordinal())
    assert (outcome.entries, outcome.points) == ((), None)


def test_totals_and_points_stop_at_the_largest_exact_json_number() -> None:
    made = catalog(
        metrics={"m": {"kind": "sum", "events": ["a"]}, "n": count("a")},
        points=[rule(amount=MAX_NUMBER)],
        badges=[badge("b", 50, metric="m", at_least=MAX_NUMBER)],
    )
    events = [dated("a", quantity=MAX_NUMBER, name=name) for name in "xyz"]
    progress = fold(made, events)
    assert (progress.totals["m"], progress.points, progress.badges) == (MAX_NUMBER, MAX_NUMBER, {"b": 50})
    full = replace(progress, totals={"m": MAX_NUMBER, "n": MAX_NUMBER})
    outcome = judge(made, full, dated("a", name="w"), MONDAY.toordinal())
    assert (outcome.points, outcome.progress.totals) == (None, full.totals)
    assert outcome.progress.earned == 4 * MAX_NUMBER + 50


# ---- settling ---------------------------------------------------------------------------------

METRICS = {"m": count("a"), "n": count("b")}


def test_badges_settle_in_rounds_through_points_and_other_badges() -> None:
    made = catalog(
        metrics=METRICS,
        badges=[
            badge("third", 5, has_badge="second"),
            badge("second", 30, points_of=100),
            badge("fourth", 1, all_of=[{"has_badge": "third"}, {"points_of": 135}]),
            badge("never", 1, points_of=137),
            badge("first", 100, metric="m", at_least=1),
        ],
    )
    outcome = judge(made, Progress(), dated("a"), MONDAY.toordinal())
    assert [award.badge for award in outcome.awards] == ["first", "second", "third", "fourth"]
    assert outcome.points == Change(0, 136)


def test_all_conditions_met_at_once_are_all_awarded() -> None:
    assert won(CONTRACT, dated("agent.created", quantity=10)) == ["first_agent", "agent_3", "agent_10"]


@pytest.mark.parametrize(
    ("when", "events", "earned"),
    [
        ({"all_of": [{"metric": "m", "at_least": 1}, {"metric": "n", "at_least": 1}]}, "a", False),
        ({"all_of": [{"metric": "m", "at_least": 1}, {"metric": "n", "at_least": 1}]}, "ab", True),
        ({"any_of": [{"metric": "m", "at_least": 2}, {"metric": "n", "at_least": 1}]}, "a", False),
        ({"any_of": [{"metric": "m", "at_least": 2}, {"metric": "n", "at_least": 1}]}, "b", True),
        ({"all_of": [{"metric": "n", "at_least": 1}, {"joined_before": at("2026-01-01")}]}, "b", True),
        ({"all_of": [{"metric": "n", "at_least": 1}, {"joined_before": at("2025-01-01")}]}, "b", False),
    ],
)
def test_all_of_and_any_of(when: dict[str, Any], events: str, earned: bool) -> None:
    made = catalog(metrics=METRICS, badges=[badge("b", **when)])
    member = Progress(joined_at=at("2025-06-01"))
    assert bool(fold(made, [dated(kind) for kind in events], member).badges) is earned


def test_a_point_rule_alone_can_make_a_badge_due() -> None:
    made = catalog(points=[rule()], badges=[badge("b", points_of=20)])
    assert won(made, dated("a", name="1")) == []
    assert won(made, dated("a", name="1"), dated("a", name="2")) == ["b"]


def test_an_outcome_has_everything_that_changed() -> None:
    made = catalog(
        metrics={"m": count("login")},
        points=[{"id": "visit", "events": ["login"], "amount": 10}],
        badges=[badge("twice", 90, streak="login", streak_of=2), badge("none", 0, metric="m", at_least=2)],
    )
    before = fold(made, [dated("login")])
    outcome = judge(made, before, dated("login", on=1), MONDAY.toordinal() + 1)
    assert outcome.awards == (Award("twice", 90), Award("none", 0))
    assert outcome.entries == (LedgerEntry(10, "rule", "visit"), LedgerEntry(90, "badge", "twice"))
    assert outcome.points == Change(10, 110)
    assert outcome.level == Change(1, 2)
    assert outcome.streaks == {"login": Change(1, 2)}
    assert [(one.type, dict(one.data)) for one in outcome.notifications] == [
        ("badge.earned", {"badge": "twice", "points": 90}),
        ("badge.earned", {"badge": "none", "points": 0}),
        ("level.reached", {"level": 2, "title": "Two"}),
        ("streak.extended", {"streak": "login", "before": 1, "length": 2}),
    ]


def test_a_second_event_on_the_same_day_neither_changes_the_streak_nor_notifies() -> None:
    progress = fold(CONTRACT, [dated("login", name="1")])
    outcome = judge(CONTRACT, progress, dated("login", name="2"), MONDAY.toordinal())
    assert (outcome.streaks, outcome.notifications) == ({}, ())


def test_points_are_reached_when_the_newest_event_that_changed_them_occurred() -> None:
    made = catalog(points=[rule()])
    late = fold(made, [dated("a", on=2), dated("a", on=1), dated("b", on=3), dated("login", on=4)])
    assert late.reached_at == dated("a", on=2).occurred_at


# ---- rejudging --------------------------------------------------------------------------------


def test_a_joining_time_can_earn_a_badge_without_any_event() -> None:
    made = catalog(badges=[badge("old", 20, joined_before=at("2026-01-01")), badge("next", 5, has_badge="old")])
    before = Progress()
    outcome = rejudge(made, before, replace(before, joined_at=at("2025-12-31")), MONDAY)
    assert [award.badge for award in outcome.awards] == ["old", "next"]
    assert (outcome.progress.points, outcome.progress.reached_at) == (25, MONDAY)


def test_a_change_without_effect_has_an_empty_outcome() -> None:
    progress = fold(CONTRACT, [dated("agent.created")])
    outcome = rejudge(CONTRACT, progress, replace(progress, joined_at=at("2025-12-31")), MONDAY)
    assert (outcome.awards, outcome.entries, outcome.notifications) == ((), (), ())
    assert outcome.progress.joined_at == at("2025-12-31")


def test_cheaper_rules_take_their_points_back_in_one_entry_and_leave_the_badges() -> None:
    dear = catalog(points=[rule()], badges=[badge("b", 50, points_of=20)])
    cheap = catalog(points=[rule(amount=1)], badges=[badge("b", 7, points_of=20)])
    events = [dated("a", name="1"), dated("a", name="2")]
    outcome = rebuild(cheap, fold(dear, events), events, MONDAY)
    assert outcome.entries == (LedgerEntry(-18, "catalog", cheap.rules),)
    assert (outcome.progress.points, outcome.progress.badges) == (52, {"b": 50})


# ---- reversing --------------------------------------------------------------------------------

POINTS_OF_100 = catalog(
    points=[{"id": "a", "events": ["a"], "amount": 1, "per": "quantity"}],
    badges=[badge("b", 30, points_of=100)],
)


def test_a_badge_held_only_by_its_own_points_before_a_reversal_stays() -> None:
    """After 20 points were taken away, 80 of the 110 points are not its own: its condition held neither before nor after."""
    events = [dated("a", quantity=99, name="99"), dated("a", name="1"), dated("a", name="one more")]
    earned = fold(POINTS_OF_100, events)
    corrected = replace(earned, points=earned.points - 21, manual=replace(earned.manual, adjusted=-21))
    outcome = reverse(POINTS_OF_100, corrected, events[:2], events[2:], MONDAY)
    assert (outcome.revoked, outcome.progress.points, outcome.progress.badges) == ((), 109, {"b": 30})


def test_a_badge_whose_condition_held_without_its_own_points_is_lost_with_a_reversal() -> None:
    events = [dated("a", quantity=99, name="99"), dated("a", name="1")]
    outcome = reverse(POINTS_OF_100, fold(POINTS_OF_100, events), events[:1], events[1:], MONDAY)
    assert (outcome.revoked, outcome.progress.points) == (("b",), 99)


def test_badges_that_only_justify_each_other_stay() -> None:
    """As after a change of the rules: what did not hold before a reversal cannot stop holding because of it."""
    made = catalog(
        points=[{"id": "a", "events": ["a"], "amount": 1, "per": "quantity"}],
        badges=[
            badge("old", 50, points_of=1000),
            badge("one", 40, points_of=100),
            badge("two", 40, has_badge="one"),
        ],
    )
    events = [dated("a", quantity=9, name="9"), dated("a", quantity=4, name="4")]
    badges = {"old": 50, "one": 40, "two": 40}
    before = replace(fold(made, events), badges=badges, points=13 + sum(badges.values()))
    outcome = reverse(made, before, events[1:], events[:1], MONDAY)
    assert (outcome.revoked, outcome.progress.points) == ((), 134)


def test_a_badge_that_depends_on_a_lost_one_is_lost_while_one_kept_from_older_rules_still_counts() -> None:
    made = catalog(
        points=[{"id": "a", "events": ["a"], "amount": 1, "per": "quantity"}],
        badges=[
            badge("old", 50, points_of=1000),
            badge("one", 40, points_of=60),
            badge("two", 5, points_of=100),
        ],
    )
    events = [dated("a", quantity=12, name="12"), dated("a", quantity=3, name="3")]
    badges = {"old": 50, "one": 40, "two": 5}
    before = replace(fold(made, events), badges=badges, points=15 + sum(badges.values()))
    outcome = reverse(made, before, events[1:], events[:1], MONDAY)
    assert (outcome.revoked, outcome.progress.badges, outcome.progress.points) == (("one", "two"), {"old": 50}, 53)
