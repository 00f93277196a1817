"""Any order of arrival gives what the order of occurrence gives: badges and their dates, points, and every leaderboard.

So it is when the user's first zone becomes known late, when names of the catalog change meanwhile, and when points are spent.
Commands run on a unit of work whose rows are kept in plain dictionaries (memory.py). LAURELS_TEST_HISTORIES sets how many
histories there are; `make torture` runs 200,000.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from laurels.commands.adjustments import ApplyAdjustment, UndoAdjustment
from laurels.commands.events import Recorded, RecordEvent, ReverseEvent
from laurels.commands.unit_of_work import Command
from laurels.commands.users import RebuildUser, RefreshUser, UpdateUser
from laurels.engine.adjustments import Points, TimeZone
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.rule_versions import EarlierRule, Past
from laurels.errors import AdjustmentRefused
from tests.commands.memory import USER, Memory
from tests.support import at, badge, catalog
from tests.support.strategies import may_be_available

HISTORIES = int(os.environ.get("LAURELS_TEST_HISTORIES", "5000"))
PARTS = 20
"""Into how many tests the histories are split, so that several processes share them."""

NOW = at("2026-03-04T12:00")
FIRST = NOW - timedelta(days=12)
MIDDLE = FIRST.date() + timedelta(days=6)
ZONES = ("UTC", "America/Los_Angeles", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "America/New_York")


def board(name: str, period: str, **more: Any) -> dict[str, Any]:
    return {"id": f"{name}-{period}", "period": period, "late_hours": 24 * 30, **more}


BOARDS = [
    *(
        board("points", period, zone=zone)
        for period, zone in (("day", "UTC"), ("week", "Asia/Tokyo"), ("month", "UTC"))
    ),
    board("points", "season", seasons=[{"name": "S", "first": NOW.date() - timedelta(days=5), "last": NOW.date()}]),
    board("sum", "week", by="metric", of="sum", week_starts="sun"),
    board("max", "day", by="metric", of="max", order="lowest"),
    board("days", "week", by="metric", of="days", zone="Europe/Berlin"),
    board("best", "week", by="metric", of="min", order="lowest"),
    board("newest", "month", by="metric", of="last"),
    board("friends", "day", by="metric", of="friends", zone="Asia/Kolkata"),
    board("capped", "week", by="metric", of="capped", zone="Asia/Tokyo"),
    board("best", "all", by="metric", of="best"),
    board("best", "month", by="metric", of="best"),
    board("turns", "day", by="metric", of="turns"),
    board("paid", "all", by="metric", of="paid", order="lowest"),
    board("run", "month", by="streak", of="busy"),
    board("run", "day", by="streak", of="weeks"),
    board("run", "all", by="streak", of="login"),
    board("training", "week", by="streak", of="training", zone="Asia/Tokyo"),
    board("effort", "all", by="streak", of="effort"),
    board("months", "month", by="streak", of="months"),
    board("weighted", "week", by="metric", weights={"sum": 2, "times": 3}),
    board("weighted", "all", by="metric", weights={"sum": 2, "times": 3}, except_groups=["staff"]),
]

VALIDITY: list[dict[str, Any]] = [{}, {}, {"valid_for": "4 days"}, {"valid_for": "4 days", "renewed_by": "last"}]

RENAMED = ("b0", "b2", "b5", "busy", "weeks", "points-week", "days-week", "run-month")
"""Names of badges, streaks and leaderboards that change; some are named by conditions and by leaderboards."""


def renamed(value: Any) -> Any:
    """A part of a catalog with the names of later, each next to what it was."""
    if isinstance(value, str):
        return f"new-{value}" if value in RENAMED else value
    if isinstance(value, list):
        return [renamed(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {renamed(key): renamed(one) for key, one in value.items()}
    if value.get("id") in RENAMED:
        found["was"] = value["id"]
    return found | {f"new-{key}": {**found[f"new-{key}"], "was": key} for key in value if key in RENAMED}


@cache
def rules(seed: int) -> tuple[Catalog, Catalog]:
    """A catalog with every kind of metric, and badges and caps as chance has them; and the same with other names."""
    drawn = random.Random(seed)
    conditions: list[dict[str, Any]] = [
        {"metric": "sum", "at_least": drawn.randint(2, 14)},
        {"metric": "days", "at_least": drawn.randint(2, 4)},
        {"streak": "login", "streak_of": drawn.randint(2, 4)},
        {"streak": "busy", "streak_of": 2},
        {"any_of": [{"streak": "training", "streak_of": 2}, {"streak": "effort", "streak_of": 1}]},
        {"points_of": drawn.randint(10, 120)},
        {"has_badge": "b0"},
        {"metric": "friends", "at_least": drawn.randint(2, 3)},
        {"all_of": [{"has_badge": "b2"}, {"points_of": 60}]},
        {"any_of": [{"metric": "max", "at_least": 4}, {"has_badge": "b5"}]},
        {"metric": "capped", "at_least": drawn.randint(4, 12)},
        {"metric": "best", "at_least": drawn.randint(2, 4)},
        {"metric": "turns", "at_least": drawn.randint(2, 6)},
        {"any_of": [{"metric": "paid", "at_least": 400}, {"metric": "met", "at_least": 2}]},
        *later_conditions(drawn),
        {"points_of": drawn.randint(5, 40), "kind": "coins"},
        {"all_of": [{"points_of": drawn.choice([55, 120]), "kind": "coins"}, {"has_badge": "b0"}]},
        {"points_of": drawn.choice([3, 7, 14]), "kind": "gems"},
    ]
    tables: dict[str, Any] = {
        "metrics": {
            "sum": {"kind": "sum", "events": ["a"]},
            "max": {"kind": "max", "events": ["a", "b"]},
            "times": {"kind": "count", "events": ["b", "login"]},
            "days": {"kind": "distinct_days", "events": ["a", "login"]},
            "min": {"kind": "min", "events": ["b"]},
            "last": {"kind": "last", "events": ["a", "b"]},
            "friends": {"kind": "distinct", "events": ["login", "b"], "of": "friend"},
            "capped": {"kind": "sum", "events": ["a", "b"], "cap_per_day": drawn.choice([3, 5])},
            "best": {"kind": "count", "events": ["a", "login"], "within": drawn.choice(["1 day", "3 days"])},
            "turns": {"kind": "count", "events": ["a", "b"], "once_per": drawn.choice(["day", "6 hours"])},
            "met": {"kind": "count", "events": ["login", "b"], "once_per": "hour", "per": ["friend"]},
            "paid": {"kind": "sum", "events": ["a"], "of": "paid", "scale": 100, "cap_per_day": 300},
        },
        "streaks": {
            "busy": {"events": ["a", "b"], "amount": 3},
            "weeks": {"events": ["a"], "cadence": "weekly"},
            "late": {"events": ["login"], "late_days": 6},
            "training": {"events": ["a", "b"], "cadence": "weekly", "days": drawn.choice([2, 3]), "week_starts": "sun"},
            "effort": {"events": ["a"], "amount": 3, "cadence": "monthly", "days": 2, "day_starts": "04:00"},
            "months": {"events": ["login"], "cadence": "monthly"},
            "stricter": {"events": ["a"], "amount": [{"is": 2}, {"from": MIDDLE, "is": 4}]},
        },
        "points": [
            {"id": "a", "events": ["a"], "amount": 2, "per": "quantity", "cap_per_day": drawn.choice([5, 7, 11])},
            {
                "id": "dated",
                "events": ["a", "login"],
                "amount": [{"from": FIRST.date() + timedelta(days=2), "is": 1}, {"from": MIDDLE, "is": 3}],
                **drawn.choice([{}, {"cap_per_day": [{"is": 2}, {"from": MIDDLE + timedelta(days=2), "is": 5}]}]),
            },
            {"id": "b", "events": ["b", "login"], "amount": 3, **drawn.choice([{}, {"cap_per_day": 4}])},
            {
                "id": "weekly",
                "events": ["a", "b"],
                "amount": 4,
                "cap_per_week": 10,
                **drawn.choice([{}, {"cap_per_day": 6}]),
            },
            {"id": "coins", "kind": "coins", "events": ["a", "b"], "amount": 3, "per": "quantity"}
            | drawn.choice([{}, {"cap_per_day": 9}, {"cap_per_day": 9, "cap_per_week": 14}]),
            {"id": "gems", "kind": "gems", "events": ["login"], "amount": [{"is": 1}, {"from": MIDDLE, "is": 2}]},
        ],
        "boosts": boosts(drawn),
        "kinds": {"coins": {}, "gems": {}},
        "badges": [
            {
                **badge(f"b{n}", drawn.choice([0, 10, 35]) * ("none_of" not in when), **when),
                **drawn.choice(VALIDITY),
                **(drawn.choice(AVAILABLE) if may_be_available(when) else {}),
                **({"also_pays": {"coins": n + 1, "gems": 1}} if n % 3 == 0 else {}),
            }
            for n, when in enumerate(conditions)
        ],
        "leaderboards": BOARDS,
    }
    past = earlier_rules(drawn)
    return catalog(**tables).with_past(past), catalog(**renamed(tables)).with_past(past)


AVAILABLE: list[dict[str, Any]] = [
    *({}, {}, {"available": {"from": MIDDLE}}, {"available": {"until": MIDDLE}}),
    {"available": {"from": MIDDLE - timedelta(days=3), "until": MIDDLE + timedelta(days=1)}},
]


def boosts(drawn: random.Random) -> list[dict[str, Any]]:
    """Boosts by days and by times, which may count for the same events; for a third of all catalogs none."""
    if drawn.random() < 0.3:
        return []
    day = FIRST.date() + timedelta(days=drawn.randint(0, 7))
    since = FIRST + timedelta(hours=drawn.randrange(9 * 24))
    rounding = drawn.choice(["down", "nearest", "up"])
    return [
        {"id": "days", "factor": "1.5", "from": day, "until": day + timedelta(days=4), "round": rounding},
        {
            "id": "hours",
            "factor": drawn.choice(["2", "4/3"]),
            "from": since,
            "until": since + timedelta(hours=60),
            "round": rounding,
            "rules": drawn.sample(["a", "dated", "b", "weekly"], 3),
            **drawn.choice([{}, {"where": {"friend": {"exists": False}}}]),
        },
    ]


def earlier_rules(drawn: random.Random) -> Past:
    """Earlier versions of the point rules, and a rule that is gone; for half of all catalogs none."""
    if drawn.random() < 0.5:
        return Past()
    first, second, third = sorted(FIRST + timedelta(hours=drawn.randrange(12 * 24)) for _ in range(3))
    cap = drawn.choice([{}, {"cap_per_day": 5}, {"cap_per_day": 7}])
    boost = {"id": "x", "factor": "3", "from": first.date(), "until": first.date() + timedelta(days=3)}
    return Past(
        since={"a": second, "coins": first},
        earlier=(
            EarlierRule({"id": "a", "events": ["a", "b"], "amount": 4, **cap}, None, first),
            EarlierRule(
                {"id": "a", "events": ["a"], "amount": 1, "per": "quantity", "boosts": [boost], **cap}, first, second
            ),
            EarlierRule(
                {"id": "coins", "kind": "coins", "events": ["login"], "amount": 2, "cap_per_day": 9}, None, first
            ),
            EarlierRule({"id": "gone", "events": ["b"], "amount": 5, "cap_per_day": 6}, None, third),
        ),
    )


def later_conditions(drawn: random.Random) -> list[dict[str, Any]]:
    """Conditions in order and of time; only half of the catalogs have such of time."""
    a, b, friends = (
        {"metric": "sum", "at_least": 3},
        {"metric": "max", "at_least": 2},
        {"metric": "friends", "at_least": 1},
    )
    found: list[dict[str, Any]] = [
        {"in_order": drawn.sample([a, b, friends, {"metric": "days", "at_least": 2}], drawn.randint(2, 3))},
        {"any_of": [{"in_order": [a, a, {"any_of": [friends, {"metric": "min", "at_most": 1}]}]}, {"has_badge": "b1"}]},
    ]
    if drawn.random() < 0.5:
        found += [
            {"member_for": f"{drawn.randint(2, 5)} days"},
            {"all_of": [{"member_for": "4 days"}, {"metric": "sum", "at_least": 4}]},
            {"any_of": [{"member_for": "6 days"}, {"metric": "days", "at_least": 4}]},
            {"all_of": [{"has_badge": "b16"}, {"points_of": 40}]},
            {
                "none_of": [{"joined_before": FIRST + timedelta(days=1)}]
            },  # pays nothing: it is dated to when it is known
        ]
    return found


def history(drawn: random.Random) -> list[Event]:
    """Events of twelve days, some at the same instants, most of them near midnights."""
    events: list[Event] = []
    for number in range(drawn.randint(2, 14)):
        minutes = drawn.choice([drawn.randrange(0, 12 * 1440, 360), drawn.randrange(12 * 1440)])
        kind = drawn.choice(["a", "a", "b", "login"])
        data = drawn.choice([None, {"friend": drawn.choice("xyz")}, {"paid": drawn.choice([0, 0.1, 1.99, 2.5, "1"])}])
        events.append(Event(USER, f"e{number:02}", kind, FIRST + timedelta(minutes=minutes), drawn.randint(1, 4), data))
    return events


@dataclass(frozen=True)
class Known:
    """What is known of the user: the first zone, a correction of some days, and when they joined."""

    zone: str | None = None
    correction: TimeZone | None = None
    joined_at: datetime | None = None

    def commands(self) -> list[Command]:
        """What makes it known."""
        found: list[Command] = [UpdateUser(USER, NOW, time_zone=self.zone) if self.zone else UpdateUser(USER, NOW)]
        if self.joined_at:
            found.append(UpdateUser(USER, NOW, joined_at=self.joined_at))
        if self.correction:
            found.append(ApplyAdjustment(USER, "correction", self.correction, NOW, "because", "a test"))
        return found


def drawn_zones(drawn: random.Random) -> Known:
    """A first zone, and for some users a correction."""
    day = FIRST.date() + timedelta(days=drawn.randint(0, 9))
    correction = TimeZone(drawn.choice(ZONES), day, day + timedelta(days=drawn.randint(0, 3)))
    joined_at = FIRST + timedelta(days=drawn.randint(-2, 8), minutes=drawn.choice([0, 1, 360]))
    return Known(drawn.choice(ZONES), correction if drawn.random() < 0.3 else None, joined_at)


def from_the_start(of: Catalog, known: Known, events: Sequence[Event]) -> Memory:
    """The state after these events in order of occurrence, one by one, with zones and names known before."""
    memory = Memory(of)
    for command in known.commands():
        memory.run([command])
    for event in sorted(events, key=occurrence):
        record(memory, [event])
    return memory


def record(memory: Memory, batch: Sequence[Event]) -> None:
    assert all(isinstance(answer, Recorded) for answer in memory.run([RecordEvent(event, NOW) for event in batch]))


@dataclass
class Delivery:
    """One history as chance delivers it: events in batches, and in between zones, other names, and spends.

    kept  whether the user had a badge that no longer followed when a zone became known
    """

    memory: Memory
    drawn: random.Random
    known: Known = Known()
    spent: dict[str, int] = field(default_factory=dict[str, int])
    kept: bool = False

    def run(self, events: Sequence[Event], new: Catalog, zones: Known) -> None:
        drawn, rest, batches = self.drawn, [*events], list[list[Event]]()
        while rest:
            size = drawn.choice([1, 1, 2, 5])
            batches.append(rest[:size])
            rest = rest[size:]
        steps: list[Callable[[], object]] = [lambda batch=batch: record(self.memory, batch) for batch in batches]
        others = [lambda: self.memory.apply_catalog(new), *[self.spend] * drawn.choice([0, 2, 4])]
        late = [lambda: self.learn(zone=zones.zone)] if drawn.random() < 0.5 else []
        late += [lambda: self.learn(correction=zones.correction)] if zones.correction else []
        joined = [lambda: self.learn(joined_at=zones.joined_at)] if drawn.random() < 0.5 else []
        for step in (*others, *late, *joined):
            steps.insert(drawn.randint(0, len(steps)), step)
        self.memory.run([UpdateUser(USER, NOW, name="Ada")])
        if not joined:
            self.learn(joined_at=zones.joined_at)
        if len(late) == bool(zones.correction):
            self.learn(zone=zones.zone)
        for step in steps:
            step()
        self.memory.run([RefreshUser(USER, NOW)])

    def learn(self, **what: Any) -> None:
        """Let a zone become known."""
        memory = self.memory
        self.known = replace(self.known, **what)
        for command in Known(**what).commands():
            memory.run([command])
        events = [row.event for row in memory.events.values()]
        known = from_the_start(memory.catalog, self.known, events) if events else memory
        self.kept |= memory.awards.keys() != known.awards.keys()

    def spend(self) -> None:
        """Spend some points, which is refused if the balance has fewer, or undo a spend."""
        memory, drawn = self.memory, self.drawn
        if self.spent and drawn.random() < 0.4:
            name = drawn.choice([*self.spent])
            memory.run([UndoAdjustment(USER, name, NOW)])
            del self.spent[name]
            return
        amount, name, balance = drawn.randint(1, 40), f"s{len(memory.adjustments)}", memory.balance
        with suppress(AdjustmentRefused):
            memory.run([ApplyAdjustment(USER, name, Points(amount, spend=True), NOW, "because", "a test")])
            self.spent[name] = amount
        assert (name in self.spent) == (amount <= balance)


def occurrence(event: Event) -> tuple[datetime, str]:
    assert event.occurred_at
    return event.occurred_at, event.id


def without_awards(memory: Memory) -> dict[str, Any]:
    """What follows from events alone: everything but badges, and what their points add to."""
    state, progress = memory.state(), memory.users[USER].progress
    badges = {"badges": {}, "points": progress.points - sum(progress.badges.values()), "reached_at": None}
    of_points = {board.id for board in memory.catalog.boards.values() if board.by == "points"}
    scores = {board: of_board for board, of_board in progress.scores.items() if board not in of_points}
    return {
        "progress": replace(state["progress"], scores=scores, **badges),
        "days": state["days"],
        "standings": {key: place for key, place in memory.standings.items() if key[0] not in of_points},
    }


def check(seed: int) -> None:
    """One history in order of occurrence and in any other, and once more with events that are reversed afterwards."""
    drawn = random.Random(seed)
    (old, new), zones, events = rules(seed % 40), drawn_zones(drawn), history(drawn)
    expected = from_the_start(new, zones, events)
    again = [*events, *drawn.sample(events, 2)]
    drawn.shuffle(again)
    memory = Memory(old)
    delivery = Delivery(memory, drawn)
    delivery.run(again, new, zones)
    assert memory.balance == memory.users[USER].progress.points - sum(delivery.spent.values()), seed
    if delivery.kept:
        assert memory.awards.keys() >= expected.awards.keys(), seed
        assert without_awards(memory) == without_awards(expected), seed
        return
    assert memory.state() == expected.state(), seed
    if seed % 3:
        return
    gone = {event.id for event in drawn.sample(events, drawn.randint(1, 2))}
    memory.run([ReverseEvent(USER, name, NOW, "because", "a test") for name in gone])
    never = from_the_start(new, zones, [event for event in events if event.id not in gone])
    kept = {name: one for name, one in memory.state().items() if name != "days"}
    assert kept == {name: never.state()[name] for name in kept} if never.events else True, seed
    assert memory.run([RebuildUser(USER, NOW)]) == [False], seed


@pytest.mark.parametrize("part", range(PARTS))
def test_any_order_of_arrival_gives_what_the_order_of_occurrence_gives(part: int) -> None:
    for seed in range(part, HISTORIES, PARTS):
        check(seed)
