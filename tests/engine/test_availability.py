"""Badges for some days: which events count for them, what the catalog's reader refuses, and what plans say."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.events import Event
from laurels.engine.plans import suffices
from laurels.engine.warnings import warnings
from laurels.errors import CatalogError
from tests.support import MONDAY, badge, catalog, catalog_text, count, dated, fold

METRICS: dict[str, Any] = {
    "m": count("m", one="message", many="messages", where={"plan": "pro"}),
    "amount": {"kind": "sum", "events": ["m", "n"]},
    "largest": {"kind": "max", "events": ["m"]},
    "friends": {"kind": "distinct", "events": ["m"], "of": "friend"},
    "days": {"kind": "distinct_days", "events": ["n"]},
    "capped": {"kind": "sum", "events": ["m"], "cap_per_day": 3},
}
M = {"metric": "m", "at_least": 2}
DECEMBER = {"from": date(2026, 12, 1), "until": date(2027, 1, 1)}
FIRST = MONDAY.date() + timedelta(days=3)
END = FIRST + timedelta(days=4)


def within(days: Any = DECEMBER, name: str = "b", **when: Any) -> dict[str, Any]:
    return {**badge(name, **when or M), "available": days}


def number(metric: str, events: list[Event]) -> int:
    """What a metric counts, read from its words: the events are those of the days that count."""
    messages = [event for event in events if event.type == "m"]
    data = [event.data or {} for event in messages]
    by_day: dict[int | None, int] = {}
    for event in messages:
        by_day[event.day] = by_day.get(event.day, 0) + event.quantity
    return {
        "m": sum(one.get("plan") == "pro" for one in data),
        "amount": sum(event.quantity for event in events),
        "largest": max((event.quantity for event in messages), default=0),
        "friends": len({one["friend"] for one in data if "friend" in one}),
        "days": len({event.day for event in events if event.type == "n"}),
        "capped": sum(min(3, amount) for amount in by_day.values()),
    }[metric]


@pytest.mark.parametrize("seed", range(60))
def test_only_events_of_the_days_count_in_any_order(seed: int) -> None:
    drawn = random.Random(seed)
    metric, target = drawn.choice([*METRICS]), drawn.randint(1, 6)
    window = drawn.choice([{"from": FIRST}, {"until": END}, {"from": FIRST, "until": END}])
    of = catalog(
        metrics=METRICS,
        badges=[within(window, metric=metric, at_least=target), badge("all", metric=metric, at_least=9)],
    )
    events = [
        dated(
            drawn.choice("mn"),
            drawn.randrange(10),
            name=f"e{one}",
            quantity=drawn.randint(1, 3),
            data={"plan": drawn.choice(["pro", "free"]), **drawn.choice([{}, {"friend": drawn.choice("xyz")}])},
        )
        for one in range(drawn.randint(0, 14))
    ]
    first, end = window.get("from", date.min).toordinal(), window.get("until", date.max).toordinal()
    counting = [event for event in events if event.day is not None and first <= event.day < end]

    progress = fold(of, drawn.sample(events, len(events)))

    assert ("b" in progress.badges) == (number(metric, counting) >= target)
    assert progress.totals.get(metric, 0) == number(metric, events)


@pytest.mark.parametrize(
    ("of", "where", "what"),
    [
        (within({}), "available", "has no day"),
        (within({"from": FIRST, "until": FIRST}), "available.until", "must be later than 'from'"),
        (within({"from": "soon"}), "available.from", "must be a date, not 'soon'"),
        (within({"since": FIRST}), "available.since", "unknown key 'since'"),
        (within("December"), "available", "must be a table"),
        (within(streak="login", streak_of=3), "available", "does not go with a condition of a streak"),
        (within(any_of=[M, {"points_of": 3}]), "available", "does not go with a condition of a streak, points"),
        (within(all_of=[M, {"member_for": "3 days"}]), "available", "does not go with"),
        (within(all_of=[M, {"has_badge": "other"}]), "available", "does not go with"),
        (within(joined_before=MONDAY), "available", "has no meaning for a condition that counts no events"),
    ],
)
def test_what_does_not_follow_from_the_events_of_the_days_is_refused(of: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(CatalogError) as raised:
        Catalog.parse(catalog_text(metrics=METRICS, badges=[badge("other", **M), of]))

    (fault,) = raised.value.faults
    assert fault.where == f"badges[2] 'b'.{where}"
    assert fault.what.startswith(what)
    assert fault.fix


def test_a_plan_says_the_days_and_reads_events_for_them() -> None:
    before, after = (catalog(metrics=METRICS, badges=[one]) for one in (badge("b", **M), within()))

    assert differences(before, after) == [
        "badges 'b'.available: from none to 'from 2026-12-01 until 2027-01-01'",
        "badges 'b'.when: from '2 messages' to '2 messages from 1 December 2026 to 31 December 2026'",
    ]
    assert not suffices(before, after)
    assert suffices(after, catalog(metrics=METRICS, badges=[within(), within(name="c")]))
    assert suffices(after, before)
    assert not suffices(after, catalog(metrics=METRICS, badges=[within({"from": FIRST})]))
    assert before.rules != after.rules
    assert after.rules != catalog(metrics=METRICS, badges=[within({"from": DECEMBER["from"]})]).rules


def test_a_plan_warns_of_a_badge_whose_days_are_over() -> None:
    before, after = catalog(metrics=METRICS, badges=[]), catalog(metrics=METRICS, badges=[within()])

    def found(day: date) -> list[str]:
        return [one for one in warnings(before, after, day.toordinal()) if "no one can earn it" in one]

    assert found(date(2027, 1, 1)) == [], "it is still December somewhere"
    (warning,) = found(date(2027, 1, 2))
    assert warning.startswith(
        "badges 'b': no one can earn it any more, because its days are over (from 2026-12-01 until"
    )
    assert warnings(after, after, date(2027, 1, 2).toordinal()) == []
