"""Random catalogs and random histories of one user, for properties that must hold under every catalog."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from tests.support import MONDAY, at, badge, catalog, count, dated

TYPES = ("a", "b", "login")
PLANS = ("pro", "free")

kinds = st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True)
wheres = st.sampled_from(
    [
        *({}, {"plan": "pro"}, {"plan": ["pro", "team"]}, {"plan": {"not": "pro"}}),
        *({"size": {"at_least": 2, "at_most": 6}}, {"plan": {"exists": False}}),
    ]
)

METRICS = {
    "counted": count("a", "b", where={"plan": "pro"}),
    "summed": {"kind": "sum", "events": ["a", "login"]},
    "sized": {"kind": "sum", "events": ["b"], "of": "size"},
    "largest": {"kind": "max", "events": ["a", "b"], "of": "size"},
    "days": {"kind": "distinct_days", "events": ["b"]},
    "capped": {"kind": "sum", "events": ["a", "b"], "cap_per_day": 6},
    "best": {"kind": "sum", "events": ["b"], "of": "size", "cap_per_day": 5, "within": "4 days"},
    "busiest": {"kind": "count", "events": ["a", "login"], "within": "3 days"},
    "often": {"kind": "distinct_days", "events": ["a"], "within": "5 days"},
    "turns": {"kind": "count", "events": ["a"], "once_per": "day", "per": ["plan", "size"]},
}
LATER = (MONDAY + timedelta(days=5)).date()
"""The day from which some values are others: in the middle of most histories."""

STREAKS = {
    "pro": {"events": ["a", "login"], "where": {"plan": "pro"}},
    "busy": {"events": ["b"], "amount": 4},
    "workdays": {"events": ["a", "b"], "rest_days": ["sat", "sun"]},
    "weeks": {"events": ["login"], "cadence": "weekly"},
    "training": {"events": ["a", "b"], "cadence": "weekly", "days": 3, "week_starts": "thu"},
    "months": {"events": ["b"], "cadence": "monthly", "days": 2, "amount": 3},
    "stricter": {"events": ["b"], "amount": [{"from": LATER, "is": 3}]},
}


CHAINS = st.lists(st.sampled_from([*METRICS]), min_size=2, max_size=3)


@st.composite
def conditions(draw: st.DrawFn, earlier: tuple[str, ...], depth: int = 2) -> dict[str, Any]:
    """A condition that names metrics, streaks and earlier badges only, so that no circle arises."""
    leaves = [
        st.builds(lambda name, n: {"metric": name, "at_least": n}, st.sampled_from([*METRICS]), st.integers(1, 12)),
        st.builds(
            lambda name, n: {"streak": name, "streak_of": n}, st.sampled_from(["login", *STREAKS]), st.integers(1, 5)
        ),
        st.builds(lambda n: {"points_of": n}, st.integers(1, 150)),
        st.just({"joined_before": at("2026-01-01")}),
        st.just({"none_of": [{"joined_before": at("2026-01-01")}]}),
        st.builds(lambda n: {"member_for": f"{n} days"}, st.integers(1, 12)),
        st.builds(lambda names: {"in_order": [{"metric": name, "at_least": 1} for name in names]}, CHAINS),
    ]
    if earlier:
        leaves.append(st.builds(lambda name: {"has_badge": name}, st.sampled_from(earlier)))
    if depth and draw(st.booleans()):
        several = st.lists(conditions(earlier, depth - 1), min_size=1, max_size=3)
        return {draw(st.sampled_from(["all_of", "any_of"])): draw(several)}
    return draw(st.one_of(leaves))


AVAILABLE = st.sampled_from(
    [
        *({}, {}, {"available": {"from": LATER}}, {"available": {"until": LATER}}),
        {"available": {"from": LATER - timedelta(days=2), "until": LATER + timedelta(days=2)}},
    ]
)


def may_be_available(when: dict[str, Any]) -> bool:
    """Whether a badge with this condition can be available on some days only."""
    text = str(when)
    return "'metric'" in text and not any(key in text for key in ("streak", "points_of", "member_for", "has_badge"))


@st.composite
def rules(draw: st.DrawFn, name: str) -> dict[str, Any]:
    cap = draw(st.sampled_from([{}, {}, {"cap_per_day": 7}, {"cap_per_day": [{"is": 7}, {"from": LATER, "is": 9}]}]))
    return {
        "id": name,
        "events": draw(kinds),
        "where": draw(wheres),
        "amount": draw(st.integers(1, 20) | st.just([{"is": 3}, {"from": LATER, "is": 8}])),
        "per": draw(st.sampled_from(["event", "quantity"])),
        **cap,
        **draw(st.sampled_from([{}, {}, {"cap_per_week": 20}])),
    }


@st.composite
def boosts(draw: st.DrawFn, rules: tuple[str, ...]) -> list[dict[str, Any]]:
    """Boosts of some of these point rules, by days and by times, which may count for the same events."""
    rounding = draw(st.sampled_from(["down", "nearest", "up"]))
    found: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 2)) if rules else 0):
        start = MONDAY + timedelta(days=draw(st.integers(-1, 9)), hours=draw(st.sampled_from([-12, 0, 0, 5])))
        end = start + timedelta(days=draw(st.integers(1, 6)))
        by_day = draw(st.booleans())
        some = draw(st.lists(st.sampled_from(rules), min_size=1, max_size=2, unique=True) | st.none())
        found.append(
            {
                "id": f"x{number}",
                "factor": draw(st.sampled_from(["2", "1.5", "4/3", "10"])),
                "from": start.date() if by_day else start,
                "until": end.date() if by_day else end,
                "round": rounding,
                "where": draw(wheres),
                **({"rules": some} if some else {}),
            }
        )
    return found


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    names = tuple(f"b{i}" for i in range(draw(st.integers(0, 6))))
    badges: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        when = draw(conditions(names[:index]))
        days = draw(AVAILABLE) if may_be_available(when) else {}
        badges.append({**badge(name, draw(st.integers(0, 60)), **when), **days})
    return catalog(
        metrics=METRICS,
        streaks=STREAKS,
        points=(points := [draw(rules(f"r{i}")) for i in range(draw(st.integers(0, 3)))]),
        boosts=draw(boosts(tuple(rule["id"] for rule in points))),
        badges=badges,
    )


@st.composite
def histories(draw: st.DrawFn, most: int = 25) -> list[Event]:
    """Events of one user within twelve days; their ids differ."""
    one = st.tuples(
        st.sampled_from(TYPES), st.integers(0, 11), st.integers(1, 5), st.sampled_from(PLANS), st.integers(-1, 9)
    )
    return [
        dated(kind, on, name=f"e{i}", quantity=quantity, data={"plan": plan, "size": size})
        for i, (kind, on, quantity, plan, size) in enumerate(draw(st.lists(one, max_size=most)))
    ]


@st.composite
def deliveries(draw: st.DrawFn, events: list[Event]) -> list[Event]:
    """The same events in another order, some of them more than once."""
    again = draw(st.lists(st.sampled_from(events), max_size=8)) if events else []
    return draw(st.permutations([*events, *again]))
