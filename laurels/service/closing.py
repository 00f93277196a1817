"""Closing periods of leaderboards, after which no rank in them changes."""

from __future__ import annotations

from datetime import datetime

from laurels.engine.closings import board_rule, rule_text, with_rule
from laurels.engine.leaderboards import Board
from laurels.engine.periods import Period
from laurels.engine.ranking import HIDDEN, VALUE, WITHIN
from laurels.service.core import Core
from laurels.storage.contract import ClosedPeriodRow, TeamsRequest


class PeriodCloser:
    """Closes periods that no longer take events, with their bounds and rule, and notifies the users in front, once."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._closed: dict[tuple[str, str], ClosedPeriodRow] = {}

    async def close_all(self) -> list[tuple[str, str]]:
        """See Laurels.close_periods."""
        return await self._core.under_one_revision(self._close_all)

    async def _close_all(self) -> list[tuple[str, str]]:
        now, closed = await self._core.now(), list[tuple[str, str]]()
        for board_id, key in await self._core.store.periods():
            board, period = self._period_of(board_id, key)
            if board and period and not board.is_open(period, now) and await self.close(board, period, now):
                closed.append((board_id, key))
            elif board and period is None:
                await self._notify(board, key, now)
        return closed

    async def close_those_of(self, user_id: str, now: datetime) -> None:
        """Close the periods that are due and have this user, who is about to be erased, so that other users keep their ranks."""
        await self._core.under_one_revision(lambda: self._close_those_of(user_id, now))

    async def _close_those_of(self, user_id: str, now: datetime) -> None:
        for partition, key in await self._core.store.standings_of(user_id):
            board, period = self._period_of(partition.partition(WITHIN)[0], key)
            if board and period and not board.is_open(period, now):
                await self.close(board, period, now)

    def _period_of(self, board_id: str, key: str) -> tuple[Board | None, Period | None]:
        board = self._core.catalog.boards.get(board_id)
        return board, board.periods.named(key) if board else None

    async def closed(self, board: Board, period: Period, now: datetime) -> ClosedPeriodRow | None:
        """A period that no longer takes events, which is closed if it is not yet; None if no user or team is ranked in it."""
        await self.close(board, period, now)
        return self._closed.get((board.id, period.key)) or await self._core.store.closing(board.id, period.key)

    async def close(self, board: Board, period: Period, now: datetime) -> bool:
        """Close a period that no longer takes events. Returns whether this call closed it. A retired leaderboard closes none.

        Raises OtherRevision if the catalog in force here, which says when it ends, is not the database's.
        """
        key, store = (board.id, period.key), self._core.store
        revision = self._core.rules.in_force.revision
        if board.retired or key in self._closed or not await self._has_standings(board, period):
            return False
        row = await store.closing(*key)
        rule = rule_text(board_rule(self._core.catalog, board))
        closed_now = row is None and await store.close_period(*key, now, revision, (period.start, period.end, rule))
        if row is None or row.notified_at is None:
            row = await self._notify(board, period.key, now)
        if row and row.rule:
            self._closed[key] = row
        return closed_now

    async def _notify(self, board: Board, key: str, now: datetime) -> ClosedPeriodRow | None:
        """Notify the users in front of a closed period, unless that was done before. Returns the period; None if it is open.

        The catalog need not have the period: it may have been closed because this catalog counts other periods.
        """
        row = await self._core.store.closing(board.id, key)
        if row is None or row.notified_at is not None:
            return row
        top = board.notify_top if board.id in self._core.catalog.tops else 0
        await self._core.store.notify_closing(board.id, key, top, with_rule(board, row.rule).ties, now)
        return await self._core.store.closing(board.id, key)

    async def _has_standings(self, board: Board, period: Period) -> bool:
        """Whether any user or team is ranked in this period. Without this, a request for the year 1000 would be stored."""
        store = self._core.store
        if board.within:
            return bool(await store.parts(board.id + VALUE, period.key, 1, hidden=True))
        partitions = (board.id, board.id + HIDDEN)
        ranked = [(await store.rank(partition, period.key, ""))[1] for partition in partitions]
        return any(ranked) or bool(board.teams and (await store.teams(TeamsRequest(board.id, period.key, 1))).lines)
