"""Every kind of metric with every key, drawn at random, against a second implementation, in any order of arrival."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.commands.rows import counted_again
from laurels.engine.catalog import Catalog
from laurels.engine.events import MAX_NUMBER, Event
from laurels.engine.judge import rebuild, reverse
from laurels.engine.progress import Progress
from laurels.engine.scoring import places
from laurels.engine.zones import Zones
from laurels.storage.codec import pack_progress, unpack_progress
from tests.engine.metric_oracle import expected, reached_in_order
from tests.support import MONDAY, badge, catalog, fold

PRICES = st.sampled_from([0, 1, 2.0, 0.1, 4.35, 12.34, 12.345, -1, "12.34", None, True, 10**13, 1e300])
VALUES = st.sampled_from(["x", "y", "", 7, 7.0, "7", 1.5, None, ["x"], False])
MISSING = object()

WHERES = st.sampled_from(
    [
        *(
            {},
            {},
            {"plan": "x"},
            {"plan": ["x", 7]},
            {"plan": {"not": "x"}},
            {"plan": {"not": [7, "y"], "exists": True}},
        ),
        *(
            {"plan": {"exists": False}},
            {"price": {"at_least": 1, "at_most": 2}},
            {"price": {"at_most": 435, "scale": 100}},
        ),
        {"plan": {"exists": True}, "price": {"at_least": 1}},
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """The table of one metric."""
    kind = draw(st.sampled_from(["count", "count", "sum", "sum", "max", "min", "last", "distinct", "distinct_days"]))
    table: dict[str, Any] = {"kind": kind, "events": draw(st.sampled_from([["a"], ["a", "b"]])), "where": draw(WHERES)}
    if kind in ("sum", "max", "min", "last"):
        table |= draw(
            st.sampled_from([{}, {"of": "price"}, {"of": "price", "scale": 100}, {"of": "price", "scale": 10}])
        )
    if kind == "distinct":
        table["of"] = "plan"
    if kind == "count" and draw(st.booleans()):
        per = draw(st.sampled_from([{}, {"per": ["plan"]}, {"per": ["plan", "price"]}]))
        return table | {"once_per": draw(st.sampled_from(["minute", "10 minutes", "hour", "6 hours", "day"]))} | per
    if kind in ("count", "sum") and draw(st.booleans()):
        table["cap_per_day"] = draw(st.sampled_from([1, 2, 5, 300, MAX_NUMBER]))
    if kind in ("count", "sum", "distinct_days") and draw(st.booleans()):
        table["within"] = draw(st.sampled_from(["1 day", "2 days", "7 days", "30 days"]))
    return table


@st.composite
def events(draw: st.DrawFn, most: int = 20) -> list[Event]:
    """Events within twenty days, some of them at the same instants."""
    found: list[Event] = []
    for number in range(draw(st.integers(0, most))):
        at = MONDAY + timedelta(
            days=draw(st.integers(0, 20)), minutes=draw(st.sampled_from([0, 0, 3, 11, 59, 60, 700]))
        )
        data = {"plan": draw(VALUES | st.just(MISSING)), "price": draw(PRICES | st.just(MISSING))}
        kept = {key: value for key, value in data.items() if value is not MISSING}
        quantity = draw(st.sampled_from([1, 1, 2, 5, 300, 70_000, MAX_NUMBER]))
        found.append(Event("ada", f"e{number}", draw(st.sampled_from("ab")), at, quantity, kept, at.toordinal()))
    return found


def packed(progress: Progress) -> Progress:
    """The progress after it was stored."""
    return unpack_progress(pack_progress(progress), progress.points, progress.reached_at, Zones(), progress.joined_at)


@settings(max_examples=400)
@given(tables(), events(), st.data())
def test_a_number_is_what_the_events_give_in_any_order(
    table: dict[str, Any], sent: list[Event], data: st.DataObject
) -> None:
    rules = catalog(metrics={"m": table})
    progress = fold(rules, sent)
    assert progress.totals.get("m", 0) == expected(table, sent)

    assert pack_progress(fold(rules, data.draw(st.permutations(sent)))) == pack_progress(progress)
    assert packed(progress) == progress
    assert rebuild(rules, progress, sent, MONDAY).progress.totals == progress.totals


@settings(max_examples=200)
@given(tables(), events(), st.data())
def test_every_further_event_raises_a_number_that_only_grows(
    table: dict[str, Any], sent: list[Event], data: st.DataObject
) -> None:
    if table["kind"] in ("min", "last"):
        return
    rules, numbers, progress = catalog(metrics={"m": table}), [0], Progress(zones=Zones())
    for event in data.draw(st.permutations(sent)):
        progress = packed(fold(rules, [event], progress))
        numbers.append(progress.totals.get("m", 0))
    assert numbers == sorted(numbers)
    assert numbers[-1] == expected(table, sent)


GROWING = tables().filter(lambda table: table["kind"] not in ("min", "last"))


@settings(max_examples=200)
@given(st.lists(st.tuples(GROWING, st.integers(1, 3)), min_size=2, max_size=3), events(), st.data())
def test_numbers_in_order_are_reached_by_what_occurred_later_in_any_order_of_arrival(
    chain: list[tuple[dict[str, Any], int]], sent: list[Event], data: st.DataObject
) -> None:
    names = [f"m{number}" for number in range(len(chain))]
    asked = [{"metric": name, "at_least": least} for name, (_, least) in zip(names, chain, strict=True)]
    metrics = dict(zip(names, [table for table, _ in chain], strict=True))
    rules = catalog(metrics=metrics, badges=[badge("b", in_order=asked)])

    progress = fold(rules, data.draw(st.permutations(sent)))

    assert ("b" in progress.badges) == reached_in_order(chain, sent)
    assert packed(progress) == progress


@settings(max_examples=200)
@given(tables(), events(), st.integers(1, 3))
def test_a_reversal_leaves_what_the_other_events_give(table: dict[str, Any], sent: list[Event], gone: int) -> None:
    if len(sent) < gone:
        return
    rules = catalog(metrics={"m": table})
    progress = reverse(rules, fold(rules, sent), sent[gone:], sent[:gone], MONDAY).progress
    assert pack_progress(progress) == pack_progress(fold(rules, sent[gone:], Progress(newest=progress.newest)))
    assert progress.totals.get("m", 0) == expected(table, sent[gone:])


@settings(max_examples=200)
@given(tables(), events(), st.data())
def test_a_leaderboard_within_a_period_counts_the_events_of_the_period_alone(
    table: dict[str, Any], sent: list[Event], data: st.DataObject
) -> None:
    rules = catalog(
        metrics={"m": table}, leaderboards=[{"id": "b", "by": "metric", "of": "m", "period": "week", "order": "lowest"}]
    )
    now = MONDAY + timedelta(days=13)
    of_week = [event for event in sent if event.day and MONDAY.toordinal() + 7 <= event.day < MONDAY.toordinal() + 14]
    found = score(rules, data.draw(st.permutations(sent)), now)
    assert (found[0] if found else 0) == expected(table, of_week)


def score(rules: Catalog, sent: list[Event], now: datetime) -> tuple[int, int] | None:
    """The score in the second week, and when it was reached."""
    progress = counted_again(rules, Progress(zones=Zones(), board_days={}), sent, [], now)
    found = places(rules, "ada", progress, (), None, now).get(("b", "2026-W03"))
    return (rules.boards["b"].score(found.sort_key), found.reached_at) if found else None
