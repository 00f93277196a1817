"""Verifying closed periods: each line against what its user did, under the period's own rule, and fixing what is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import cast

from laurels.commands.rows import active_events, earned
from laurels.engine.adjustments import Reversal
from laurels.engine.closings import Closing, Deed, Entry, doubts, is_possible, own_scores, with_rule, without_doubts
from laurels.engine.leaderboards import THE_POINTS, Board
from laurels.engine.ranking import WITHIN, Move, Place
from laurels.present.verification import Difference
from laurels.service.core import Core
from laurels.service.revisions import parsed_or_none
from laurels.storage.contract import CatalogRow, ClosedPeriodRow, Store, UserSnapshot

Key = tuple[str, str]
"""A partition of a leaderboard, and a period."""

MOST_UNOWNED = 1000
"""How many lines of users who do not exist are read at once."""

WHAT = "closed period"


@dataclass(frozen=True, slots=True)
class ClosedPeriods:
    """Where closed periods are read: one by leaderboard and period, the leaderboards in force, and the catalog's revisions."""

    closing: Callable[[str, str], Awaitable[ClosedPeriodRow | None]]
    boards: Mapping[str, Board]
    revisions: Callable[[], Awaitable[Sequence[CatalogRow]]]


def closed_periods(core: Core) -> ClosedPeriods:
    """Those of this process's database."""
    return ClosedPeriods(core.closing, core.catalog.boards, core.store.catalog_revisions)


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line of a closed period that its user does not explain, and the one that follows from what the user did (None: none)."""

    key: Key
    stored: Place
    expected: Place | None
    highest: bool

    def difference(self) -> Difference:
        """The same as text."""
        return Difference(
            user_id=self.stored.user_id, what=WHAT, stored=self._text(self.stored), rebuilt=self._text(self.expected)
        )

    def _text(self, place: Place | None) -> str:
        if place is None:
            return "nothing"
        return f"{self.key[0]} {self.key[1]}: {-place.sort_key if self.highest else place.sort_key}"


async def wrong_lines(periods: ClosedPeriods, snapshot: UserSnapshot) -> list[WrongLine]:
    """The lines of a user in closed periods that nothing explains."""
    found: list[WrongLine] = []
    for key, place in snapshot.closed.items():
        row = await periods.closing(key[0].partition(WITHIN)[0], key[1])
        if row is not None and row.rule is not None:
            wrong = _checked(key, place, row, row.rule, snapshot)
            found += (
                wrong if not wrong or not await _was_retired(periods, row) else _impossible(key, place, row, row.rule)
            )
    return found


async def _was_retired(periods: ClosedPeriods, row: ClosedPeriodRow) -> bool:
    """Whether the leaderboard was retired while the period took events: then its lines do not have all of them."""
    board, start = periods.boards.get(row.board), row.starts_at
    ids = {row.board, *(board.was if board else ())}
    revisions = await periods.revisions()
    for revision, following in zip_longest(revisions, revisions[1:]):
        is_over = following is not None and start is not None and following.applied_at <= start
        if is_over or revision.applied_at >= row.closed_at:
            continue
        catalog = parsed_or_none(revision)
        if catalog and any(catalog.boards[name].retired for name in ids & catalog.boards.keys()):
            return True
    return False


def _impossible(key: Key, place: Place, row: ClosedPeriodRow, rule: str) -> list[WrongLine]:
    """A line whose score cannot be computed again is wrong only if it cannot be of this period at all."""
    closing = Closing(row.starts_at, row.ends_at, rule, row.closed_at)
    possible = is_possible(closing, place.sort_key, place.reached_at)
    return [] if possible else [WrongLine(key, place, None, with_rule(THE_POINTS, rule).highest)]


def _checked(key: Key, place: Place, row: ClosedPeriodRow, rule: str, snapshot: UserSnapshot) -> list[WrongLine]:
    closing, board = Closing(row.starts_at, row.ends_at, rule, row.closed_at), with_rule(THE_POINTS, rule)
    scores = None if _was_repaired(snapshot, row) and board.by != "points" else _own_scores(closing, snapshot)
    if scores is None:
        return _impossible(key, place, row, rule)
    own = [board.place(score, at, place.user_id) for score, at in scores]
    keys = [one.sort_key if one else 0 for one in own]
    # Between the clocks of two processes, some late events were still in time and others were not.
    possible = is_possible(closing, place.sort_key, place.reached_at)
    if possible and min(keys) <= place.sort_key <= max(keys) and any(own):
        return []
    return [WrongLine(key, place, own[0], board.highest)]


def _own_scores(closing: Closing, snapshot: UserSnapshot) -> list[tuple[int, int]] | None:
    active = {event.id for event in active_events(snapshot.events)}
    deeds = [Deed(row.event, row.recorded_at) for row in snapshot.events if row.event.id in active]
    counting = [row for row in snapshot.ledger if row.counts_at is not None]
    entries = [Entry(points, row.at) for row, points in zip(counting, earned(counting), strict=True)]
    return own_scores(closing, deeds, entries)


def _was_repaired(snapshot: UserSnapshot, row: ClosedPeriodRow) -> bool:
    """Whether events of the user were reversed, or counted again, after the period had closed."""
    since = row.closed_at - timedelta(hours=1)
    return any(one.kind == Reversal.kind and (one.at >= since or one.undone_by) for one in snapshot.adjustments)


@dataclass(frozen=True, slots=True)
class FindWrongLines:
    """The task that finds the lines of a user in closed periods that nothing explains."""

    user_id: str
    boards: Mapping[str, Board]

    async def done_in(self, store: Store) -> list[WrongLine]:
        """The lines."""
        periods = ClosedPeriods(store.closing, self.boards, store.catalog_revisions)
        return await _wrong_lines_of(self.user_id, store, periods)


async def _wrong_lines_of(user_id: str, store: Store, periods: ClosedPeriods) -> list[WrongLine]:
    snapshot = await store.user_snapshot(user_id)
    return await wrong_lines(periods, snapshot) if snapshot else []


async def fix_lines(core: Core, user_id: str) -> bool:
    """Correct the lines of a user in closed periods. Returns whether any was wrong."""
    wrong = cast(list[WrongLine] | None, await core.group_commit.read(FindWrongLines(user_id, core.catalog.boards)))
    if wrong is None:
        wrong = await _wrong_lines_of(user_id, core.store, closed_periods(core))
    await core.store.correct_standings([Move(user_id, *one.key, one.stored, one.expected) for one in wrong])
    return bool(wrong)


# ---- of the whole database ------------------------------------------------------------------------


async def database_differences(core: Core) -> list[Difference]:
    """Standings of users who do not exist, and closed periods whose bounds or order the catalog contradicts."""
    unowned = await core.store.unowned_standings(MOST_UNOWNED)
    found = [
        Difference(user_id=user_id, what="standings", stored=f"{board} {period}", rebuilt="nothing")
        for user_id, board, period in unowned
    ]
    for row in await core.store.all_closings():
        board = core.catalog.boards.get(row.board)
        found += [_doubtful(row, board, doubt) for doubt in doubts(row.rule)]
    return found


def _doubtful(row: ClosedPeriodRow, board: Board | None, doubt: str) -> Difference:
    own = with_rule(board or THE_POINTS, row.rule)
    closed = f"{row.board} {row.period}: closed on {row.closed_at:%Y-%m-%d}"
    if doubt == "order":
        order = {True: "highest", False: "lowest"}
        return Difference(
            user_id="",
            what=WHAT,
            stored=f"{closed} with order {order[own.highest]}",
            rebuilt=f"the catalog has order {order[board.highest if board else True]}",
        )
    return Difference(
        user_id="",
        what=WHAT,
        stored=f"{closed}",
        rebuilt="the catalog has other days or another kind of period under that key",
    )


async def fix_database(core: Core) -> int:
    """Drop standings of users who do not exist, and take closed periods as they are. Returns how many differences there were."""
    store, fixed = core.store, 0
    while unowned := await store.unowned_standings(MOST_UNOWNED):
        await store.correct_standings([Move(*one, None, None) for one in unowned])
        fixed += len(unowned)
    for row in await store.all_closings():
        if row.rule and doubts(row.rule):
            await store.complete_closing(
                ClosedPeriodRow(
                    row.board,
                    row.period,
                    row.closed_at,
                    row.notified_at,
                    row.starts_at,
                    row.ends_at,
                    without_doubts(row.rule),
                )
            )
            fixed += 1
    return fixed
