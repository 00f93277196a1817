"""Acts of all kinds in random order: after each of them, what is stored is what a rebuild makes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from laurels.engine.events import Event
from laurels.errors import LaurelsError
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.testing import sandbox
from tests.service.test_history import check_stored
from tests.support import badge, catalog, count, new_database

T = TypeVar("T")

START = datetime(2026, 3, 27, 12, tzinfo=UTC)  # two days before the clocks of Europe go forward
USERS = st.sampled_from(["ada", "bob"])
NAMES = st.sampled_from([f"e{number}" for number in range(12)])
ACTS = st.sampled_from([f"a{number}" for number in range(6)])
DAYS = st.integers(-8, 3)
GROUPS = st.sampled_from([None, "eu"])
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"])


def rules(pays: int) -> Any:
    return catalog(
        metrics={"messages": count("message"), "days": {"kind": "distinct_days", "events": ["message"]}},
        streaks={
            "login": {
                "events": ["login"],
                **({} if pays == 10 else {"day_starts": "14:30"}),  # the tests begin at noon
                "freezes": {"initial": 1, "per_days": 3, "most": 2},
                "pause_days": 4,
                "repair_days": 3,
            },
            "work": {"events": ["message"], "amount": 3, "rest_days": ["sat", "sun"], "late_days": 2},
            "training": {
                "events": ["message", "login"],
                "cadence": "weekly",
                "days": 2 if pays == 10 else 3,
                "week_starts": "sun",
                "freezes": {"initial": 1},
                "pause_days": 4,
            },
            "effort": {"events": ["message"], "cadence": "monthly", "days": 3, "amount": 2, "repair_days": 3},
        },
        points=[
            {"id": "message", "events": ["message"], "amount": pays, "per": "quantity"},
            {"id": "login", "events": ["login"], "amount": 4, "cap_per_day": 6},
        ],
        badges=[
            badge("two", 50, metric="messages", at_least=2),
            badge("days", 15, metric="days", at_least=3),
            badge("rich", 30, points_of=100),
            badge("run", 20, streak="login", streak_of=3),
            badge("both", 5, all_of=[{"has_badge": "two"}, {"has_badge": "run"}]),
            badge("either", 5, any_of=[{"has_badge": "both"}, {"points_of": 120}]),
            badge("member", 8, member_for=f"{pays} days"),
            badge("then", 6, in_order=[{"metric": "days", "at_least": 2}, {"metric": "messages", "at_least": 1}]),
            badge("last", 4, all_of=[{"has_badge": "member"}, {"has_badge": "then"}]),
        ],
    )


FIRST, SECOND = rules(10), rules(7)


class AnyHistory(RuleBasedStateMachine):
    """Two users with every kind of event and change, in memory."""

    kind = "sqlite-memory"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.left = AsyncExitStack()
        database = self.left.enter_context(new_database(self.kind))
        self.laurels, self.clock = self.run(
            self.left.enter_async_context(sandbox(FIRST, start=START, database=database))
        )
        self.admin = Admin(self.laurels)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def attempt(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that may be refused: then nothing of it may have been written."""

        async def whether() -> None:
            try:
                await work
            except LaurelsError as error:
                assert str(error)  # noqa: PT017  # any refusal will do, as long as it says why

        self.run(whether())

    def day(self, days: int) -> str:
        return (self.clock.now.date() + timedelta(days=days)).isoformat()

    def tell(self, user: str, act: str, kind: str, *, own: bool = False, **data: Any) -> None:
        self.attempt(self.admin.adjust(user, act, kind, data, "because", "a test", own=own))

    @initialize()
    def begin(self) -> None:
        self.run(self.laurels.record(Event("ada", "begin", "message")))

    @rule(user=USERS, name=NAMES, kind=st.sampled_from(["message", "login"]), days=DAYS, quantity=st.integers(1, 4))
    def record(self, user: str, name: str, kind: str, days: int, quantity: int) -> None:
        moment = self.clock.now + timedelta(days=min(days, 0))
        self.attempt(self.laurels.record(Event(user, name, kind, moment, quantity)))

    @rule(user=USERS, names=st.lists(NAMES, min_size=2, max_size=4))
    def record_and_reverse_at_once(self, user: str, names: list[str]) -> None:
        async def all_at_once() -> None:
            works = [self.laurels.record(Event(user, name, "message")) for name in names]
            takes = [self.admin.reverse(user, name, "because", "a test") for name in names[1:]]
            await asyncio.gather(*works, *takes, self.admin.rebuild("ada"), return_exceptions=True)

        self.run(all_at_once())

    @rule(user=USERS)
    def visit(self, user: str) -> None:
        self.attempt(self.laurels.profile(user, login=True))

    @rule(user=USERS, name=NAMES)
    def reverse(self, user: str, name: str) -> None:
        self.attempt(self.admin.reverse(user, name, "because", "a test"))

    @rule(user=USERS, act=ACTS | NAMES.map("reversal:{}".format))
    def undo(self, user: str, act: str) -> None:
        self.attempt(self.admin.undo(user, act))

    @rule(
        user=USERS,
        act=ACTS,
        kind=st.sampled_from(["grant", "revocation"]),
        of=st.sampled_from(["two", "rich", "either"]),
    )
    def say_a_badge(self, user: str, act: str, kind: str, of: str) -> None:
        self.tell(user, act, kind, badge=of)

    @rule(user=USERS, act=ACTS, amount=st.integers(-60, 90))
    def adjust(self, user: str, act: str, amount: int) -> None:
        self.tell(user, act, "points", amount=amount)

    @rule(user=USERS, act=ACTS, amount=st.integers(1, 90))
    def spend(self, user: str, act: str, amount: int) -> None:
        self.tell(user, act, "points", amount=amount, spend=True)

    @rule(user=USERS, act=ACTS, freezes=st.integers(1, 2))
    def give_freezes(self, user: str, act: str, freezes: int) -> None:
        self.tell(user, act, "freezes", streak="login", count=freezes)

    @rule(user=USERS, act=ACTS, days=DAYS, more=st.integers(0, 3), own=st.booleans(), of=st.sampled_from(["", "login"]))
    def pause(self, user: str, act: str, days: int, more: int, own: bool, of: str) -> None:
        self.tell(user, act, "pause", own=own, streak=of, first=self.day(days), last=self.day(days + more))

    @rule(user=USERS, act=ACTS, days=DAYS, own=st.booleans(), of=st.sampled_from(["work", "login"]))
    def repair(self, user: str, act: str, days: int, own: bool, of: str) -> None:
        self.tell(user, act, "repair", own=own, streak=of, day=self.day(days))

    @rule(user=USERS, act=ACTS, days=st.integers(-8, 0), more=st.integers(0, 3), zone=ZONES)
    def correct_the_zone(self, user: str, act: str, days: int, more: int, zone: str) -> None:
        self.tell(user, act, "timeZone", zone=zone, first=self.day(days), last=self.day(days + more))

    @rule(days=DAYS, more=st.integers(0, 2), group=GROUPS)
    def excuse(self, days: int, more: int, group: str | None) -> None:
        first = date.fromisoformat(self.day(days))
        self.run(self.admin.add_amnesty(first, first + timedelta(days=more), "because", "a test", group))

    @rule(index=st.integers(0, 3))
    def lift(self, index: int) -> None:
        amnesties = self.run(self.laurels.store.amnesties())
        if index < len(amnesties):
            self.attempt(self.admin.lift_amnesty(amnesties[index].amnesty_id))

    @rule(user=USERS, zone=ZONES, group=GROUPS)
    def update(self, user: str, zone: str, group: str | None) -> None:
        self.attempt(self.laurels.update_user(user, time_zone=zone, groups=[group] if group else []))

    @rule(hours=st.sampled_from([1, 13, 24, 49]))
    def wait(self, hours: int) -> None:
        self.clock.advance(hours=hours)

    @rule()
    def change_the_rules(self) -> None:
        other = SECOND if self.laurels.catalog is FIRST else FIRST
        self.laurels = Laurels(self.laurels.store, other, clock=self.clock)
        self.admin = Admin(self.laurels)

    @rule(user=st.just("bob"), sure=st.integers(0, 4))
    def erase(self, user: str, sure: int) -> None:
        if sure == 0:
            self.attempt(self.laurels.erase_user(user))

    @invariant()
    def what_is_stored_is_what_a_rebuild_makes(self) -> None:
        self.run(check_stored(self.laurels))

    def teardown(self) -> None:
        self.run(self.left.aclose())
        self.runner.close()


class AnyHistoryOnPostgreSQL(AnyHistory):
    """The same on PostgreSQL: fewer histories, for each step costs some twenty times as much."""

    kind = "postgresql"


AnyHistory.TestCase.settings = settings(max_examples=30, stateful_step_count=25)
AnyHistoryOnPostgreSQL.TestCase.settings = settings(max_examples=8, stateful_step_count=25)
TestAnyHistory = AnyHistory.TestCase
TestAnyHistoryOnPostgreSQL = AnyHistoryOnPostgreSQL.TestCase
