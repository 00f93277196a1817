"""What the tests of closed, hidden, excluded and competing users share: leaderboards of each kind, and some people on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.present.events import EventResult
from laurels.present.leaderboards import LeaderboardPage, LeaderboardStanding
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.service.supplies import supply_differences
from laurels.storage import open_store
from laurels.testing import TestClock
from tests.support import at, badge, catalog, check_ledgers, sql

ROOT = "a test"
START = at("2026-01-07T12:00")  # a Wednesday; its week is 2026-W02 and ends on Monday the 12th
WEEK, NEXT_WEEK = "2026-W02", "2026-W03"
END = at("2026-01-12")
CLOSE = END + timedelta(hours=24)

TABLES: dict[str, Any] = {
    "metrics": {"pages": {"kind": "sum", "events": ["read"]}, "days": {"kind": "distinct_days", "events": ["read"]}},
    "points": [{"id": "pages", "events": ["read"], "amount": 1, "per": "quantity"}],
    "badges": [badge("gift", 7, metric="pages", at_least=10_000)],
    "streaks": {"reading": {"events": ["read"]}},
}
BOARDS: list[dict[str, Any]] = [
    {"id": "weekly", "period": "week", "tell_top": 2},
    {"id": "weekly-pages", "by": "metric", "of": "pages", "period": "week", "ties": "shared"},
    {"id": "weekly-days", "by": "metric", "of": "days", "period": "week", "ties": "dense"},
    {"id": "weekly-runs", "by": "streak", "of": "reading", "period": "week"},
    {"id": "weekly-teams", "period": "week", "teams": "team:"},
]
IDS = [board["id"] for board in BOARDS]


def rules(*boards: dict[str, Any], **more: Any) -> Catalog:
    """A point for each page read, and these boards, or one of each kind by the week."""
    return catalog(**{**TABLES, **more}, leaderboards=[*boards] or BOARDS)


@dataclass
class Arena:
    """A Laurels with an admin and a clock."""

    laurels: Laurels
    clock: TestClock
    database: str = "sqlite://"
    sent: list[int] = field(default_factory=lambda: [0])

    @property
    def admin(self) -> Admin:
        return Admin(self.laurels)

    async def apply(self, catalog: Catalog) -> None:
        await self.admin.apply_catalog(catalog, "because", ROOT)

    async def read(self, user_id: str, pages: int, when: datetime | None = None, name: str = "") -> EventResult:
        """This number of pages as read by a user, at a time or now."""
        self.sent[0] += 1
        event = Event(user_id, name or f"e-{self.sent[0]}", "read", when, quantity=pages)
        return await self.laurels.record(event)

    async def board(self, board: str = "weekly", period: str = "current", **asked: Any) -> LeaderboardPage:
        return await self.laurels.leaderboard(board, period, **asked)

    async def ids(self, board: str = "weekly", period: str = "current", **asked: Any) -> list[str]:
        return [line.user_id for line in (await self.board(board, period, **asked)).standings]

    async def lines(self, board: str = "weekly", period: str = "current", **asked: Any) -> list[tuple[int, str, int]]:
        """Rank, user and score of each line."""
        return [(line.rank, line.user_id, line.score) for line in (await self.board(board, period, **asked)).standings]

    async def adjust(self, user_id: str, kind: str, adjustment_id: str = "", **data: Any) -> None:
        await self.admin.adjust(user_id, adjustment_id or kind, kind, data, "because", ROOT)

    async def exclude(self, user_id: str) -> None:
        await self.adjust(user_id, "exclusion")

    async def notifications(self, kind: str) -> list[tuple[str, str]]:
        """The user and the data of each notification of a type."""
        asked = "SELECT user_id, data FROM outbox WHERE type = ? ORDER BY user_id, revision, position"
        return [(user_id, data) for user_id, data in await sql(self.laurels.store, asked, kind)]


@asynccontextmanager
async def arena(
    database: str = "sqlite://", of: Catalog | None = None, start: datetime = START
) -> AsyncIterator[Arena]:
    """An arena; when it is left, everything stored must be what a rebuild makes of it."""
    clock = TestClock(start)
    async with Laurels.open(database, of or rules(), clock=clock, on_difference="apply") as laurels:
        one = Arena(laurels, clock, database)
        yield one
        await check_arena(one)


@asynccontextmanager
async def beside(one: Arena, of: Catalog | None = None, ahead: timedelta = timedelta()) -> AsyncIterator[Arena]:
    """The same database in another process, under another catalog, or with a clock that runs ahead.

    The other catalog is put in force. A database in memory is one process's: there it is another Laurels over the same store.
    """
    store = one.laurels.store if one.database == "sqlite://" else open_store(one.database)
    clock = TestClock(one.clock() + ahead)
    laurels = Laurels(store, of or one.laurels.catalog, clock=clock, on_difference="apply")
    try:
        yield Arena(laurels, clock, one.database, one.sent)
    finally:
        await laurels.group_commit.close()
        if store is not one.laurels.store:
            await store.close()


async def check_arena(one: Arena) -> None:
    """Tallies and ledgers add up, and no stored state differs from a rebuild."""
    store = one.laurels.store
    assert await store.wrong_tallies() == 0
    await check_ledgers(store)
    assert await supply_differences(one.laurels.core) == []
    users = [user_id async for user_id in one.admin.users()]
    for user_id in users:
        assert await one.admin.verify(user_id) == []
    twice = await sql(
        store, "SELECT user_id, revision, position, count(*) FROM outbox GROUP BY 1, 2, 3 HAVING count(*) > 1"
    )
    assert twice == []


def fixed(shown: LeaderboardPage) -> tuple[Any, ...]:
    """What of a closed board must never change: who has which rank and score since when, and where the next page begins.

    Names, and the points of all time that stand beside the scores, are as of the reading.
    """
    lines = [fixed_line(line) for line in shown.standings]
    teams = [(team.rank, team.team, team.score, team.total, team.members) for team in shown.teams or []]
    return lines, fixed_line(shown.me) if shown.me else None, shown.ranked_users, shown.next, teams


def fixed_line(line: LeaderboardStanding) -> tuple[Any, ...]:
    return line.rank, line.user_id, line.score, line.reached_at


async def walked(one: Arena, board: str, period: str, limit: int = 2) -> list[tuple[Any, ...]]:
    """Every line of a board, page by page."""
    lines: list[tuple[Any, ...]] = []
    after: str | None = None
    while True:
        page = await one.board(board, period, limit=limit, after=after)
        lines += [fixed_line(line) for line in page.standings]
        after = page.next
        if after is None:
            return lines


async def whole_board(one: Arena, period: str = WEEK, me: str = "bob") -> dict[str, Any]:
    """Every reading of every weekly board."""
    shown: dict[str, Any] = {}
    for board in IDS:
        if board not in one.laurels.catalog.boards:
            continue
        shown[board] = fixed(await one.board(board, period, me=me, limit=50))
        if board != "weekly-teams":
            shown[f"{board}, walked"] = await walked(one, board, period)
            shown[f"{board}, around"] = fixed(await one.board(board, period, around=me, me=me, limit=3))
            shown[f"{board}, friends"] = fixed(await one.board(board, period, friends=["bob", "dan"]))
    return shown
