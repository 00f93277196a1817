"""Kinds of points: what a user earned of each, what is refused in a catalog, and that nothing of the contract changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.adjustments import Points, folded, parse_adjustment
from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.point_kinds import MOST_KINDS, with_payment
from laurels.engine.progress import Progress
from laurels.errors import CatalogError, InvalidInput
from tests.support import at, badge, catalog, fold

NOW = at("2026-03-04T12:00")
COINS: dict[str, Any] = {"kinds": {"coins": {"one": "coin", "many": "coins"}}}


def rule(**more: Any) -> dict[str, Any]:
    return {"id": "tips", "kind": "coins", "events": ["tip"], "amount": 5, **more}


def earned(of: Catalog, progress: Progress, kind: str = "coins") -> int:
    return of.kinds[kind].earned(progress)


def tip(name: str, hours: float = 0, quantity: int = 1) -> Event:
    when = NOW - timedelta(hours=hours)
    return Event("ada", name, "tip", when, quantity, day=when.date().toordinal(), recorded_at=NOW)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20 * 24), st.integers(1, 4)), max_size=12), st.randoms())
def test_a_kind_is_the_sum_of_what_its_rules_pay_up_to_their_caps(drawn: list[tuple[int, int]], mixer: Any) -> None:
    made = catalog(**COINS, points=[rule(per="quantity", cap_per_day=11, cap_per_week=30)])
    events = [tip(f"t{number}", hours, quantity) for number, (hours, quantity) in enumerate(drawn)]
    mixer.shuffle(events)
    weeks: dict[tuple[int, int], dict[int, int]] = {}
    for event in events:
        assert event.occurred_at
        year, week, weekday = event.occurred_at.date().isocalendar()
        days = weeks.setdefault((year, week), {})
        days[weekday] = days.get(weekday, 0) + 5 * event.quantity
    expected = sum(min(30, sum(min(11, total) for total in days.values())) for days in weeks.values())

    progress = fold(made, events)

    assert earned(made, progress) == expected
    assert (progress.points, progress.scores) == (0, {})


def test_badges_pay_what_they_pay_now_to_their_holders() -> None:
    one, other = (
        catalog(**COINS, badges=[{**badge("b", 10, points_of=1), "also_pays": {"coins": number}}])
        for number in (50, 20)
    )
    progress = Progress(points=10, badges={"b": 10})

    assert (earned(one, progress), earned(other, progress), earned(one, Progress())) == (50, 20, 0)
    assert one.rules != other.rules
    assert differences(one, other) == ["badges 'b'.also_pays: from { coins = 50 } to { coins = 20 }"]


def test_a_condition_counts_what_was_earned_also_by_badges() -> None:
    made = catalog(
        **COINS,
        metrics={"tips": {"kind": "count", "events": ["tip"], "one": "tip", "many": "tips"}},
        points=[rule()],
        badges=[
            {**badge("first", 0, metric="tips", at_least=1), "also_pays": {"coins": 30}},
            badge("rich", 7, points_of=40, kind="coins"),
        ],
    )
    once, twice = fold(made, [tip("a")]), fold(made, [tip("a"), tip("b", 1)])

    assert (once.badges, twice.badges) == ({"first": 0}, {"first": 0, "rich": 7})
    assert [one.missing for one in made.badges[1].condition.steps(once, {})] == ["5 more coins"]


def test_payments_stop_at_the_largest_number_in_any_order() -> None:
    amounts = [MAX_NUMBER, 5, MAX_NUMBER - 1]
    for order in (amounts, amounts[::-1]):
        kinds: Any = {}
        for when, number in enumerate(order):
            kinds = with_payment(kinds, "coins", number, when)
        assert kinds == {"coins": (MAX_NUMBER, 2)}


def test_adjustments_of_a_kind_change_nothing_else() -> None:
    state = folded([("points", {"amount": 9, "of": "coins"}), ("points", {"amount": 4, "of": "coins", "spend": True})])

    assert (state.kinds, state.adjusted, state.spent) == ({"coins": (9, 4)}, 0, 0)
    assert Points(5).data() == {"amount": 5}, "as it was stored before there were kinds"
    assert parse_adjustment("points", {"amount": 5, "of": "coins"}) == Points(5, of="coins")
    with pytest.raises(InvalidInput) as refused:
        parse_adjustment("points", {"amount": 5, "of": 7})
    assert refused.value.field == "of"


def test_a_catalog_without_kinds_keeps_its_fingerprint_and_one_with_a_rule_of_a_kind_has_another() -> None:
    plain, named = catalog(points=[rule(kind="coins")], **COINS), catalog(points=[{**rule(), "id": "tips"}], **COINS)
    words = catalog(points=[rule()], kinds={"coins": {"one": "Taler", "many": "Taler"}})

    assert plain.rules == named.rules == words.rules
    without = {name: value for name, value in rule().items() if name != "kind"}
    assert catalog(points=[without], **COINS).rules == catalog(points=[without]).rules != plain.rules


@pytest.mark.parametrize(
    ("tables", "where", "what", "fix"),
    [
        (
            {"points": [rule(kind="coin")], **COINS},
            "points[1] 'tips'.kind",
            "unknown kind of points 'coin'",
            "did you mean",
        ),
        ({"kinds": {"points": {}}}, "kinds.points", "is what the points of all rules", "another name"),
        ({"kinds": {"a.b": {}}}, "kinds.a.b", "may have only letters", "[kinds.coins]"),
        (
            {"kinds": {f"k{number}": {} for number in range(MOST_KINDS + 1)}},
            f"kinds.k{MOST_KINDS}",
            f"one kind of points more than {MOST_KINDS}",
            "take one out",
        ),
        (
            {"badges": [{**badge("b", points_of=1), "also_pays": {"gems": 5}}], **COINS},
            "badges[1] 'b'.also_pays.gems",
            "there is no kind of points 'gems'",
            "known are coins",
        ),
        (
            {"badges": [{**badge("b", points_of=1), "also_pays": {"points": 5}}], **COINS},
            "badges[1] 'b'.also_pays.points",
            "is no kind of points",
            "points = ...",
        ),
        (
            {"badges": [badge("b", points_of=1, kind="gems")], **COINS},
            "badges[1] 'b'.when.kind",
            "unknown kind",
            "coins",
        ),
        (
            {"leaderboards": [{"id": "richest", "by": "points", "of": "coins"}], **COINS},
            "leaderboards[1] 'richest'.of",
            "counts the points that make levels, and no other kind",
            "metric",
        ),
    ],
)
def test_what_is_wrong_names_its_place_and_the_fix(tables: dict[str, Any], where: str, what: str, fix: str) -> None:
    with pytest.raises(CatalogError) as found:
        catalog(**tables)

    fault = next(one for one in found.value.faults if one.where == where)
    assert what in fault.what
    assert fix in fault.fix
