"""Rules of periods: what is done when a catalog is put in force, so that none rewrites or mixes what counted under another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic

from laurels.commands.users import RefreshUser
from laurels.engine.catalog import Catalog
from laurels.engine.closings import completed, standings_rule
from laurels.engine.leaderboards import POINTS
from laurels.errors import UserErased
from laurels.service.closed_periods import after_closings
from laurels.service.core import Core
from laurels.service.long_histories import LONG
from laurels.storage.contract import BoardRuleRow, ClosedPeriodRow, RevisionKey

log = logging.getLogger(__name__)

PAGE = 200
TOGETHER = 20
"""How many users share a transaction while leaderboards are recomputed: with more, other writes would wait too long."""

NOTED_SECONDS = 2.0
"""How often the number of users who were brought under a planned catalog is stored."""


class PeriodRules:
    """Keeps closed periods under their own rules, and recomputes live leaderboards whose rule has changed."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._live = False
        self._applied: Catalog | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    def activate(self) -> None:
        """From now on, `keep_up` applies the catalog in force. Every process that lasts is activated."""
        self._live = True

    async def apply(self, *, live: bool = True) -> None:
        """Bring closed periods and live leaderboards under the catalog in force, and activate this. Safe to repeat.

        Without `live`, only closed periods, for commands that end at once.
        """
        async with self._lock:
            await self._apply(live=live)

    async def _apply(self, *, live: bool) -> None:
        core = self._core
        await core.rules.follow()
        closings = [row if row.rule else await self._complete(row) for row in await core.store.all_closings()]
        core.rules.refine(after_closings(core.catalog, closings))
        if live:
            self.activate()
            catalog = core.catalog
            await self._register(catalog, await core.now())
            self._applied = catalog  # last: from now on, pages do not wait for it

    async def look(self) -> None:
        """Read which leaderboards are not yet right, without writing anything."""
        catalog, waiting = self._core.catalog, set[str]()
        rows = await self._core.store.board_rules()
        if not rows and await self._core.store.are_under_other_rules(catalog.rules):
            waiting |= {board.id for board in catalog.boards.values() if not board.retired and board.id != POINTS}
        for row in rows:
            board = catalog.boards.get(row.board)
            if (
                board
                and not board.retired
                and (row.recomputed_at is None or row.rule != standings_rule(catalog, board))
            ):
                waiting.add(board.id)
        self._core.recomputing = frozenset(waiting | await self._to_be_filled())

    async def keep_up(self) -> None:
        """Apply the catalog in force, unless it was applied here already, and go on recomputing.

        Servers call it when they start, every minute, and whenever a leaderboard is read. It does nothing in commands that
        only read or end at once.
        """
        if not self._live:
            return
        if self._applied is not self._core.catalog:
            async with self._lock:
                if self._applied is not self._core.catalog:
                    await self._apply(live=True)
        self.start()

    def start(self) -> None:
        """Recompute leaderboards in the background, if any are to be recomputed and this process does not do so already."""
        if self._core.recomputing and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._recompute_logged())

    async def stop(self) -> None:
        """Stop recomputing; what is left is done after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _complete(self, row: ClosedPeriodRow) -> ClosedPeriodRow:
        """Store the bounds and the rule of a period that an older version closed."""
        store = self._core.store
        keys = await store.sort_keys(row.board, row.period)
        board = self._core.catalog.boards.get(row.board)
        found = completed(self._core.catalog, board, row.period, row.closed_at, keys)
        full = replace(row, starts_at=found.start, ends_at=found.end, rule=found.rule)
        await store.complete_closing(full)
        return full

    async def _register(self, catalog: Catalog, now: datetime) -> None:
        """Compare the rules of live leaderboards with those that their standings are under."""
        store = self._core.store
        stored = {row.board: row for row in await store.board_rules()}
        # The first time, standings are right if every user was last judged by this catalog.
        are_right = not stored and not await store.are_under_other_rules(catalog.rules)
        waiting: set[str] = set()
        for board in catalog.boards.values():
            rule, row = standings_rule(catalog, board), stored.get(board.id)
            if board.retired:
                # Not marked as right: what is missing is counted when the leaderboard is no longer retired.
                await store.save_board_rule(BoardRuleRow(board.id, rule, None))
                continue
            if row is not None and row.rule == rule:
                waiting |= {board.id} if row.recomputed_at is None else set()
                continue
            is_right = are_right or (not stored and board.id == POINTS)  # its rule is the same in every catalog
            await store.save_board_rule(BoardRuleRow(board.id, rule, now if is_right else None))
            waiting |= set() if is_right else {board.id}
        self._core.recomputing = frozenset(waiting | await self._to_be_filled())

    async def _to_be_filled(self) -> set[str]:
        """The leaderboard of all points if users are to be brought under a catalog because it was applied with a plan."""
        newest = (await self._core.store.catalog_state()).newest
        return {POINTS} if newest and newest.is_to_be_filled else set()

    async def _recompute_logged(self) -> None:
        try:
            await self.recompute()
        except Exception:
            log.exception("leaderboards could not be recomputed; trying again")

    async def refill(self) -> None:
        """Go on bringing every user under the catalog in force in the background, if it was applied with a plan.

        That is stored with the revision, so that any process that lasts does it.
        """
        if self._live:
            self._applied = None
            await self.keep_up()

    async def fill(self, progress: Callable[[int], None] | None = None) -> None:
        """Bring every user under the catalog in force now, and mark the leaderboards as right."""
        await self.apply()
        await self.recompute(progress)

    async def recompute(self, progress: Callable[[int], None] | None = None) -> None:
        """Bring every user under the rules in force, and mark the leaderboards as right.

        `progress` is called with how many users are done.
        """
        core, done = self._core, 0
        revision = core.rules.in_force.revision
        catalog, waiting, after, noted_at = core.catalog, core.recomputing, "", monotonic()
        while page := await core.store.user_ids(after, PAGE):
            for users in await self._together(page, catalog):
                await self._refresh(users)
                done += len(users)
                if progress:
                    progress(done)
            after = page[-1]
            if POINTS in waiting and monotonic() - noted_at > NOTED_SECONDS:
                await core.store.note_filled(revision, done)
                noted_at = monotonic()
        if core.catalog is not catalog or await core.store.catalog_key() != revision:
            return  # another one was put in force meanwhile
        now = await core.now()
        for board_id in sorted(waiting):
            await core.store.save_board_rule(
                BoardRuleRow(board_id, standings_rule(catalog, catalog.boards[board_id]), now)
            )
        await core.store.note_filled(revision, done, now)
        core.recomputing = core.recomputing - waiting

    async def _together(self, page: Sequence[str], catalog: Catalog) -> list[Sequence[str]]:
        """The users of a page in parts that share a transaction.

        A user with a long history is written after the others of a part. So if the supply of a badge is limited, such a user is
        a part of their own, so that copies go to users in the order of their ids, as in a plan.
        """
        if not catalog.limited:
            return [page[start : start + TOGETHER] for start in range(0, len(page), TOGETHER)]
        rows = await self._core.store.users(page)
        parts: list[list[str]] = [[]]
        for name in page:
            is_long = name in rows and rows[name].revision > LONG
            if is_long or len(parts[-1]) == TOGETHER:
                parts.append([])
            parts[-1].append(name)
            if is_long:
                parts.append([])
        return [part for part in parts if part]

    async def settle(self, rebuilt_under: RevisionKey) -> None:
        """Store that the standings of all leaderboards are under the rules in force, because every user was rebuilt.

        `rebuilt_under` is the revision of the catalog when that began. If another one is in force, nothing is stored: the users
        who were rebuilt before it are still to be recomputed.
        """
        await self._core.rules.follow()
        if self._core.rules.in_force.revision != rebuilt_under:
            return
        catalog, now = self._core.catalog, await self._core.now()
        for board in [board for board in catalog.boards.values() if not board.retired]:
            rule = standings_rule(catalog, board)
            for recomputed_at in (None, now):
                await self._core.store.save_board_rule(BoardRuleRow(board.id, rule, recomputed_at))
        await self._core.store.note_filled(rebuilt_under, (await self._core.store.counts()).users, now)
        self._core.recomputing = frozenset()

    async def _refresh(self, users: Sequence[str]) -> None:
        now = await self._core.now()
        for answer in await self._core.group_commit.submit(
            [RefreshUser(user_id, now) for user_id in users], ranks=False
        ):
            if isinstance(answer, Exception) and not isinstance(answer, UserErased):
                raise answer
