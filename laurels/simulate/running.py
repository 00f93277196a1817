"""Runs scenarios on the product: Laurels on SQLite in memory, with a clock that the scenario moves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import UNSET

from laurels.engine.events import Event
from laurels.errors import LaurelsError, UserNotFound
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.simulate.comparing import (
    BoardState,
    Comparison,
    UserState,
    compare_answer,
    compare_board,
    compare_user,
    notification_text,
)
from laurels.simulate.files import event_id
from laurels.simulate.format import Expected, FinallyExpected, LeaderboardExpected, UserExpected
from laurels.simulate.results import ScenarioDifference, ScenarioResult
from laurels.simulate.scenarios import Facts, Scenario, Step
from laurels.storage.contract import BEGINNING, Cursor
from laurels.testing import TestClock, sandbox

ACTOR = "scenario"
LINES = 100
"""How many lines of a leaderboard are compared."""

PAGE = 1000
"""How many notifications are read at once."""


async def run_scenario(scenario: Scenario) -> ScenarioResult:
    """Run one scenario in a database of its own."""
    began = perf_counter()
    late = timedelta(days=scenario.late_days)
    opened = sandbox(scenario.catalog, start=scenario.start, default_zone=scenario.zone.key, late_window=late)
    async with opened as (laurels, clock):
        run = _Run(scenario, laurels, clock)
        await run.all()
    return ScenarioResult(
        file=scenario.file,
        name=scenario.name,
        ok=not run.differences,
        steps=len(scenario.steps),
        checks=run.checks,
        seconds=round(perf_counter() - began, 3),
        differences=run.differences,
    )


class _Run:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, laurels: Laurels, clock: TestClock) -> None:
        self._scenario, self._laurels, self._clock = scenario, laurels, clock
        self._admin = Admin(laurels)
        self._notified: dict[str, Cursor] = {}
        self._step: Step | None = None
        self.differences: list[ScenarioDifference] = []
        self.checks = 0

    async def all(self) -> None:
        """Everything, in order. A step whose action is refused without being expected ends it."""
        for user, facts in self._scenario.users.items():
            await self._update(user, facts)
        for step in self._scenario.steps:
            self._step = step
            if not await self._do(step):
                return
            if step.table.expect:
                await self._look(step.table.expect, step.table.user)
        self._step = None
        if self._scenario.expect:
            await self._look(self._scenario.expect, None)

    def _compare(self, comparison: Comparison) -> None:
        self.checks += 1
        if comparison.ok:
            return
        what, expected, actual = comparison.what, comparison.expected, comparison.actual
        step = self._step
        place = f"step {step.number}" if step else "at the end"
        after = f" ({step.action})" if step and step.action else ""
        text = f"{place}{after}: {what}: expected {expected}, but got {actual}"
        number = step.number if step else None
        self.differences.append(
            ScenarioDifference(step=number, at=self._clock(), what=what, expected=expected, actual=actual, text=text)
        )

    # ---- doing ----------------------------------------------------------------------------------

    async def _do(self, step: Step) -> bool:
        """Move the clock and do the action, as often as the step says. Returns whether to go on."""
        answers, expected = step.table.answers, step.table.answers and step.table.answers.refused
        for index, at in enumerate(step.times):
            await self._move(at)
            answer: Any = None
            refusal: str | None = None
            try:
                answer = await self._action(step, index)
            except LaurelsError as error:
                refusal = str(error)
            if refusal is not None and expected is None:
                self._compare(Comparison(step.action, "done", f"refused: {refusal}", ok=False))
                return False
            if answers and index == len(step.times) - 1:
                for comparison in compare_answer(step.action, answers, answer, refusal):
                    self._compare(comparison)
        return True

    async def _move(self, at: datetime) -> None:
        """Move the clock, and close the periods that are due then, as a server does."""
        if at != self._clock():
            self._clock.set(at)
            await self._laurels.close_periods()

    async def _action(self, step: Step, index: int) -> Any:  # noqa: PLR0911  # one for each action
        table, user, laurels, admin = step.table, step.table.user or "", self._laurels, self._admin
        if table.event is not None:
            sent = Event(user, event_id(step, index), table.event, step.occurred_at, table.quantity or 1, table.data)
            return await laurels.record(sent)
        if table.login:
            return await laurels.profile(user, login=True)
        if step.adjustment:
            kind, reason, data = step.adjustment
            return await admin.adjust(user, event_id(step, index), kind, dict(data), reason, ACTOR)
        if table.reverse is not None:
            return await admin.reverse(user, table.reverse, ACTOR, ACTOR)
        if table.undo is not None:
            return await admin.undo(user, table.undo, ACTOR, ACTOR)
        if step.update:
            return await self._update(user, step.update)
        if step.amnesty and table.amnesty:
            return await admin.add_amnesty(*step.amnesty, ACTOR, ACTOR, table.amnesty.group)
        if step.catalog:
            return await admin.apply_catalog(step.catalog, ACTOR, ACTOR)
        return None

    async def _update(self, user: str, facts: Facts) -> Any:
        given = facts.given
        return await self._laurels.update_user(
            user,
            name=given.name if given.name is not None else UNSET,
            time_zone=given.zone if given.zone is not None else UNSET,
            joined_at=facts.joined if facts.joined is not None else UNSET,
            groups=given.groups if given.groups is not None else UNSET,
            visibility=given.visibility if given.visibility is not None else UNSET,
        )

    # ---- looking --------------------------------------------------------------------------------

    async def _look(self, expected: Expected | FinallyExpected, user: str | None) -> None:
        """Compare what is expected with what the product answers."""
        users: list[tuple[str, UserExpected]] = list(expected.users.items())
        if user is not None and isinstance(expected, Expected):
            users.insert(0, (user, expected))
        for name, of_user in users:
            if _expects(of_user):
                state = await self._user(name, of_user)
                for comparison in compare_user(name, of_user, state, self._scenario.zone):
                    self._compare(comparison)
        for board, lines in expected.leaderboards.items():
            of_board = lines if isinstance(lines, LeaderboardExpected) else LeaderboardExpected(lines=lines)
            for comparison in compare_board(board, of_board, await self._board(board, of_board)):
                self._compare(comparison)

    async def _user(self, user: str, expected: UserExpected) -> UserState | None:
        try:
            profile = await self._laurels.profile(user, include=("balance", "streaks", "earned"), days=1)
        except UserNotFound:
            return None
        unlocked = (await self._laurels.entitlements(user)).entitlements if expected.unlocks is not None else []
        return UserState(
            points=profile.points,
            balance=profile.balance or 0,
            level=profile.level,
            title=profile.title,
            badges=[badge.id for badge in profile.badges],
            earned={earned.badge: earned.earned_at for earned in profile.earned},
            streaks={streak.name: streak for streak in profile.streaks},
            unlocks=[one.name for one in unlocked],
            ranks={board: await self._rank(user, board) for board in expected.ranks},
            notifications=await self._notifications(user, expected),
            zone=ZoneInfo((await self._laurels.user(user)).time_zone),
        )

    async def _rank(self, user: str, board: str) -> int | None:
        page = await self._laurels.leaderboard(board, limit=1, me=user)
        return page.me.rank if page.me else None

    async def _notifications(self, user: str, expected: UserExpected) -> list[str]:
        """The notifications since the last step that compared them."""
        if expected.notifications is None and not expected.has_notifications and not expected.lacks_notifications:
            return []
        found: list[str] = []
        while True:
            after = self._notified.get(user, BEGINNING)
            page = (await self._laurels.notifications({user: after}, PAGE)).get(user, ())
            found += [notification_text(message) for _, message in page if message is not None]
            if not page:
                return found
            self._notified[user] = page[-1][0]

    async def _board(self, board: str, expected: LeaderboardExpected) -> BoardState:
        page = await self._laurels.leaderboard(board, expected.period, limit=LINES, within=expected.within)
        scores: Mapping[str, float] = {line.user_id: line.score for line in page.standings}
        if page.board.teams is not None:
            scores = {line.team: line.score for line in page.teams}
        return BoardState(list(scores), scores)


_NOTHING = UserExpected()


def _expects(expected: UserExpected) -> bool:
    """Whether anything is expected of the user: a step may expect only something of others."""
    return any(getattr(expected, name) != getattr(_NOTHING, name) for name in UserExpected.__struct_fields__)
