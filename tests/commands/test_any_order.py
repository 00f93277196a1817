"""Any order of arrival gives what the order of occurrence gives: badges and their dates, points, and every leaderboard.

Commands run on a unit of work whose rows are kept in plain dictionaries, so that thousands of histories take a minute.
LAURELS_TEST_HISTORIES sets how many; `make torture` runs 200,000.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from laurels.commands.events import Recorded, RecordEvent, ReverseEvent
from laurels.commands.unit_of_work import Command, DecisionContext, HistoryNeeded, UnitOfWork, identities
from laurels.commands.users import RebuildUser, UpdateUser
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.ranking import Place
from laurels.storage.contract import AdjustmentRow, AwardRow, Changes, EventRow, LedgerRow, Loaded, UserRow
from tests.support import at, badge, catalog

HISTORIES = int(os.environ.get("LAURELS_TEST_HISTORIES", "5000"))
PARTS = 20
"""Into how many tests the histories are split, so that several processes share them."""

NOW = at("2026-03-04T12:00")
FIRST = NOW - timedelta(days=12)
ZONES = ("UTC", "America/Los_Angeles", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "America/New_York")
USER = "ada"


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
    board("run", "month", by="streak", of="busy"),
    board("run", "day", by="streak", of="weeks"),
    board("run", "all", by="streak", of="login"),
]


@cache
def rules(seed: int) -> Catalog:
    """A catalog with every kind of metric, and badges and caps as chance has them."""
    drawn = random.Random(seed)
    conditions: list[dict[str, Any]] = [
        {"metric": "sum", "at_least": drawn.randint(2, 14)},
        {"metric": "days", "at_least": drawn.randint(2, 4)},
        {"streak": "login", "streak_of": drawn.randint(2, 4)},
        {"streak": "busy", "streak_of": 2},
        {"points_of": drawn.randint(10, 120)},
        {"has_badge": "b0"},
        {"all_of": [{"has_badge": "b2"}, {"points_of": 60}]},
        {"any_of": [{"metric": "max", "at_least": 4}, {"has_badge": "b5"}]},
    ]
    return catalog(
        metrics={
            "sum": {"kind": "sum", "events": ["a"]},
            "max": {"kind": "max", "events": ["a", "b"]},
            "days": {"kind": "distinct_days", "events": ["a", "login"]},
        },
        streaks={
            "busy": {"events": ["a", "b"], "amount": 3},
            "weeks": {"events": ["a"], "cadence": "weekly"},
            "late": {"events": ["login"], "late_days": 6},
        },
        points=[
            {"id": "a", "events": ["a"], "amount": 2, "per": "quantity", "cap_per_day": drawn.choice([5, 7, 11])},
            {"id": "b", "events": ["b", "login"], "amount": 3, **drawn.choice([{}, {"cap_per_day": 4}])},
        ],
        badges=[badge(f"b{n}", drawn.choice([0, 10, 35]), **when) for n, when in enumerate(conditions)],
        leaderboards=BOARDS,
    )


@dataclass
class Memory:
    """The rows of one user, and commands on them, each batch as one transaction."""

    catalog: Catalog
    users: dict[str, UserRow] = field(default_factory=dict[str, UserRow])
    events: dict[tuple[str, str], EventRow] = field(default_factory=dict[tuple[str, str], EventRow])
    awards: dict[str, AwardRow] = field(default_factory=dict[str, AwardRow])
    ledger: list[LedgerRow] = field(default_factory=list[LedgerRow])
    adjustments: list[AdjustmentRow] = field(default_factory=list[AdjustmentRow])
    standings: dict[tuple[str, str], Place] = field(default_factory=dict[tuple[str, str], Place])

    def run(self, commands: Sequence[Command]) -> list[Any]:
        in_full = any(command.needs == "all" for command in commands)
        while True:
            work = UnitOfWork(DecisionContext(self.catalog), self.found(commands, in_full=in_full))
            answers = [command.apply(work) for command in commands]
            try:
                self.save(work.changes())
            except HistoryNeeded:
                assert not in_full
                in_full = True
            else:
                return answers

    def found(self, commands: Sequence[Command], *, in_full: bool) -> Loaded:
        wanted = {key: self.events[key] for key in identities(commands) if key in self.events}
        if not in_full or not self.users:
            return Loaded(self.users, wanted, frozenset())
        return Loaded(
            self.users,
            wanted,
            frozenset(),
            adjustments={USER: self.adjustments},
            histories={USER: sorted(self.events.values(), key=lambda row: row.revision)},
            awards={USER: [*self.awards.values()]},
            ledgers={USER: self.ledger},
            standings={USER: self.standings},
        )

    def save(self, changes: Changes) -> None:
        self.users = self.users | {row.user_id: row for row in changes.users}
        self.events = self.events | {(USER, row.event.id): row for row in (*changes.events, *changes.marked)}
        gone = {name for _, name in changes.revoked}
        self.awards = {name: row for name, row in self.awards.items() if name not in gone}
        assert not self.awards.keys() & {row.badge for row in changes.awards}
        self.awards |= {row.badge: row for row in changes.awards}
        self.ledger = [*self.ledger, *changes.ledger]
        assert len({(row.revision, row.position) for row in self.ledger}) == len(self.ledger)
        self.adjustments = [*self.adjustments, *changes.adjustments]
        self.standings = dict(self.standings)
        for move in changes.moves:
            assert self.standings.pop((move.board, move.period), None) == move.before
            if move.after:
                self.standings[move.board, move.period] = move.after

    def state(self) -> dict[str, Any]:
        """Everything that users can see."""
        row = self.users[USER]
        progress = row.progress
        assert sum(entry.amount for entry in self.ledger) == progress.points
        assert row.earned.keys() == progress.badges.keys() == self.awards.keys()
        occurred = {
            name: self.events[USER, award.event_id or ""].event.occurred_at for name, award in self.awards.items()
        }
        return {
            "progress": replace(progress, manual=None),  # type: ignore[arg-type]
            "earned": row.earned,
            "deciding": occurred,
            "standings": self.standings,
        }


def history(drawn: random.Random) -> list[Event]:
    """Events of twelve days, some at the same instants, most of them near midnights."""
    events: list[Event] = []
    for number in range(drawn.randint(2, 14)):
        minutes = drawn.choice([drawn.randrange(0, 12 * 1440, 360), drawn.randrange(12 * 1440)])
        kind = drawn.choice(["a", "a", "b", "login"])
        events.append(Event(USER, f"e{number:02}", kind, FIRST + timedelta(minutes=minutes), drawn.randint(1, 4)))
    return events


def delivered(of: Catalog, zone: str, events: Sequence[Event], drawn: random.Random | None) -> Memory:
    """The state after these events in this order, in batches as chance has them; without `drawn` one by one."""
    memory = Memory(of)
    memory.run([UpdateUser(USER, NOW, time_zone=zone)])
    rest = [*events]
    while rest:
        size = drawn.choice([1, 1, 2, 5]) if drawn else 1
        batch, rest = rest[:size], rest[size:]
        answers = memory.run([RecordEvent(event, NOW) for event in batch])
        assert all(isinstance(answer, Recorded) for answer in answers)
    return memory


def occurrence(event: Event) -> tuple[datetime, str]:
    assert event.occurred_at
    return event.occurred_at, event.id


def check(seed: int) -> None:
    """One history in order of occurrence and in any other, and once more with events that are reversed afterwards."""
    drawn = random.Random(seed)
    of, zone, events = rules(seed % 40), drawn.choice(ZONES), history(drawn)
    in_order = sorted(events, key=occurrence)
    expected = delivered(of, zone, in_order, None).state()
    again = [*events, *drawn.sample(events, 2)]
    drawn.shuffle(again)
    memory = delivered(of, zone, again, drawn)
    assert memory.state() == expected, seed
    if seed % 3:
        return
    gone = {event.id for event in drawn.sample(events, drawn.randint(1, 2))}
    memory.run([ReverseEvent(USER, name, NOW, "because", "a test") for name in gone])
    never = delivered(of, zone, [event for event in in_order if event.id not in gone], None)
    assert memory.state() == never.state() if never.users[USER].revision > 1 else True, seed
    assert memory.run([RebuildUser(USER, NOW)]) == [False], seed


@pytest.mark.parametrize("part", range(PARTS))
def test_any_order_of_arrival_gives_what_the_order_of_occurrence_gives(part: int) -> None:
    for seed in range(part, HISTORIES, PARTS):
        check(seed)
