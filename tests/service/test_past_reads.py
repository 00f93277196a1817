"""Reads of the past answer what reads at that time answered, byte for byte, after any history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from laurels.errors import LaurelsError
from laurels.present.profiles import Profile
from laurels.service.laurels import Laurels
from laurels.service.past import PAST_INCLUDES
from tests.service.test_any_history import ACTS, FIRST, SECOND, START, USERS, AnyHistory
from tests.support import badge, catalog, count

OF_OTHERS = ("leaderboard", "userRank")

STEP = timedelta(milliseconds=1)
"""Between two steps of a history, so that it is known what a read at an instant has seen."""

THIRD = catalog(
    metrics={"messages": count("message"), "days": {"kind": "distinct_days", "events": ["message"]}},
    streaks={
        "login": {"events": ["login"], "freezes": {"initial": 1, "per_days": 2, "most": 2}},
        "work": {"events": ["message"], "amount": 3, "retired": True},
    },
    points=[{"id": "message", "events": ["message"], "amount": 9, "per": "quantity", "cap_per_day": 30}],
    badges=[
        {**badge("two", 70, metric="messages", at_least=3), "holders": "lose"},
        badge("days", 15, metric="days", at_least=2),
        {**badge("wealthy", 30, points_of=90), "was": "rich"},
        {**badge("run", 20, streak="login", streak_of=3), "retired": True},
        badge("both", 5, all_of=[{"has_badge": "two"}, {"has_badge": "run"}]),
        badge("either", 5, any_of=[{"has_badge": "both"}, {"points_of": 120}]),
        {**badge("member", 8, member_for="12 days"), "holders": "lose"},
        {**badge("then", 6, in_order=[{"metric": "messages", "at_least": 2}] * 2), "holders": "lose"},
        {**badge("first", 4, none_of=[{"joined_before": START - timedelta(days=30)}]), "past": "keep"},
    ],
)


def text_of(profile: Profile) -> str:
    """The JSON of a profile without the fields about others."""
    found: dict[str, Any] = profile.to_dict()
    for name in OF_OTHERS:
        del found[name]
    return repr(found)


class PastReads(AnyHistory):
    """After each step both users are read. At the end all reads are repeated as of their time."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, datetime, str]] = []
        self.reads = True

    @rule(reads=st.booleans())
    def read_or_not(self, reads: bool) -> None:
        """Users who are not read are brought under other rules later, and maybe not under all."""
        self.reads = reads

    @rule(other=st.sampled_from([FIRST, SECOND, THIRD]))
    def change_the_rules(self, other: Any = SECOND) -> None:
        self.attempt(self.admin.apply_catalog(other, "because", "a test"))

    @rule(user=USERS, act=ACTS)
    def give_a_badge_for_a_while(self, user: str, act: str) -> None:
        self.tell(user, act, "grant", badge="two")
        self.clock.now += STEP
        self.attempt(self.admin.undo(user, act))

    @rule(user=USERS, days=st.integers(-100, 0))
    def join(self, user: str, days: int) -> None:
        self.attempt(self.laurels.update_user(user, joined_at=self.clock.now + timedelta(days=days)))

    @invariant()
    def what_is_stored_is_what_a_rebuild_makes(self) -> None:
        for user in ("ada", "bob") if self.reads else ():
            self.run(self._read(user))
        self.clock.now += STEP

    async def _read(self, user: str) -> None:
        at = await self.laurels.now()
        try:
            seen = await self.laurels.profile(user, include=PAST_INCLUDES)
        except LaurelsError as error:
            self.read.append((user, at, type(error).__name__))
        else:
            self.read.append((user, at, text_of(seen)))

    def teardown(self) -> None:
        self.run(read_again(self.laurels, self.read))
        super().teardown()


async def read_again(laurels: Laurels, read: Sequence[tuple[str, datetime, str]]) -> None:
    for user, at, before in read:
        try:
            seen = text_of(await laurels.profile(user, include=PAST_INCLUDES, as_of=at))
        except LaurelsError as error:
            seen = type(error).__name__
        if seen != "UserNotFound":  # bob may have been erased since
            assert seen == before, (user, at)


class PastReadsOnPostgreSQL(PastReads):
    kind = "postgresql"


PastReads.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
PastReadsOnPostgreSQL.TestCase.settings = settings(max_examples=6, stateful_step_count=25, deadline=None)
TestPastReads = PastReads.TestCase
TestPastReadsOnPostgreSQL = PastReadsOnPostgreSQL.TestCase
