"""Reading leaderboards: their lines within a period, teams, and closed periods."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from laurels.engine.closings import with_rule
from laurels.engine.events import MAX_NAME, MAX_USER_ID, check_text
from laurels.engine.leaderboards import OTHER_PERIODS, Board
from laurels.engine.parsing import excerpt
from laurels.engine.periods import ALWAYS, EXAMPLE_KEYS, Period, Periods
from laurels.engine.ranking import VALUE, Place, value_of, value_partition
from laurels.errors import InvalidInput, LeaderboardNotFound, PeriodNotFound
from laurels.present.leaderboards import (
    ClosedPeriods,
    LeaderboardInfo,
    LeaderboardList,
    LeaderboardPage,
    LeaderboardPeriod,
    closed_period,
    closed_periods,
    leaderboard_info,
    leaderboard_page,
    leaderboard_period,
    read_cursor,
    team_page,
)
from laurels.present.presentation import Presentation
from laurels.service.closing import PeriodCloser
from laurels.service.core import Core
from laurels.service.period_rules import PeriodRules
from laurels.storage.contract import ClosedPeriodRow, LeaderboardRequest, TeamsRequest

NEWEST_CLOSED = 50
"""How many closed periods are looked through for the one that ended last."""

MOST_VALUES = 200
"""How many values of an attribute a page lists."""

BOARD_PAGE = 10
"""How many lines a page has by default."""


class LeaderboardReader:
    """Reads leaderboards. Reading a period that is due closes it first."""

    def __init__(self, core: Core, closer: PeriodCloser, period_rules: PeriodRules) -> None:
        self._core = core
        self._period_rules = period_rules
        self._closer = closer

    async def all(self, readable_by: str | None) -> LeaderboardList:
        """See Laurels.leaderboards."""
        await self._core.rules.follow()
        now = await self._core.now()
        boards = [board for board in await readable_boards(self._core, readable_by) if not board.retired]
        return LeaderboardList(leaderboards=[leaderboard_info(board, now) for board in boards])

    async def info(self, board_id: str, readable_by: str | None) -> LeaderboardInfo:
        """See Laurels.find_leaderboard."""
        await self._core.rules.follow()
        return leaderboard_info(await find_board(self._core, board_id, readable_by), await self._core.now())

    async def closings(self, board_id: str, limit: int, readable_by: str | None) -> ClosedPeriods:
        """See Laurels.closings."""
        await self._core.rules.follow()
        board = await find_board(self._core, board_id, readable_by)
        return closed_periods(board, await self._core.store.closings(board.id, limit))

    async def page(
        self,
        board_id: str,
        period_key: str,
        *,
        limit: int | None,
        after: str | None,
        before: str | None,
        around: str | None,
        friends: Sequence[str] | None,
        me: str | None,
        within: str | None = None,
        readable_by: str | None,
    ) -> LeaderboardPage:
        """See Laurels.leaderboard."""

        async def read() -> LeaderboardPage:
            await self._period_rules.keep_up()
            board = await find_board(self._core, board_id, readable_by)
            return await self._page(board, period_key, limit, after, before, around, friends, me, within=within)

        return await self._core.under_one_revision(read)

    async def _page(
        self,
        board: Board,
        period_key: str,
        limit: int | None,
        after: str | None,
        before: str | None,
        around: str | None,
        friends: Sequence[str] | None,
        me: str | None,
        *,
        within: str | None,
    ) -> LeaderboardPage:
        waiting = self._core.recomputing  # its end, while lines are read, does not make them right
        now = await self._core.now()
        board, period, closing = await self._period(board, period_key, now)
        _check_lines(limit, after, before, around, friends, me)
        if board.teams:
            _check_teams(after=after, before=before, around=around, friends=friends, within=within)
        shown = closed_period(closing) if closing else leaderboard_period(board, period, now)
        if board.teams:
            page = await self._team_page(board, period, shown, limit or BOARD_PAGE, me, now)
            return _with_state(page, board, closing, waiting)
        if around not in (None, me) and not await self._is_public(around, board):
            around = ""  # hidden users must not be found by their ids
        value, values = await self._value(board, period, within, around or me)
        # All friends are read, and cut to `limit` afterwards: hidden friends must not use up the limit.
        lines = limit or BOARD_PAGE if friends is None else max(1, len(friends))
        place, end = await self._places(after, before)
        context = await self._core.presentation()
        part = board.id if value is None else value_partition(board.id, value)
        request = LeaderboardRequest(part, period.key, board.ties, lines, place, around, friends, me, end)
        found = await self._core.store.listing(request)
        page = leaderboard_page(context, board, shown, request, found, now)
        page = msgspec.structs.replace(page, standings=page.standings[: limit or lines])
        if value is not None:
            page = msgspec.structs.replace(page, within=value, values=values)
        return _with_state(page, board, closing, waiting)

    async def _value(
        self, board: Board, period: Period, within: str | None, user_id: str | None
    ) -> tuple[str | None, list[str]]:
        """The value whose users are shown, None if all are ranked together; and the values that have lines.

        It is the requested one, or else that of this user, or else the first one. Raises InvalidInput.
        """
        if not board.within:
            if within is not None:
                raise InvalidInput("within", f"has no meaning here: all users of '{board.id}' are ranked together")
            return None, []
        if within is not None:
            check_text("within", within, MAX_NAME)
        values = [value_of(part) for part in await self._core.store.parts(board.id + VALUE, period.key, MOST_VALUES)]
        user = await self._core.store.user(user_id) if within is None and user_id else None
        own = board.values(user.groups) if user else []
        return (within if within is not None else next(iter([*own, *values]), "")), values

    async def _places(self, after: str | None, before: str | None) -> tuple[Place | None, Place | None]:
        """The places in these cursors. Another process may have made them with a key that is new. Raises InvalidInput."""
        context = await self._core.presentation()
        try:
            return _read_places(context, after, before)
        except InvalidInput:
            newest = await self._core.presentation(at_once=True)
            if newest is context:
                raise
            return _read_places(newest, after, before)

    async def _period(self, board: Board, key: str, now: datetime) -> tuple[Board, Period, ClosedPeriodRow | None]:
        """The requested period; if it is closed, with its own bounds, and the leaderboard with its own rule.

        Raises PeriodNotFound.
        """
        period = await self._latest(board, key) if board.retired else find_period(board, key, now)
        if key == "previous" and period and period.end and board.closed_until and period.end <= board.closed_until:
            # The bounds have changed since: the period before is the one that closed last.
            rows = await self._core.store.closings(board.id, NEWEST_CLOSED)
            ended = [row for row in rows if row.rule and row.ends_at and row.ends_at <= now]
            row = max(ended, key=lambda row: row.ends_at or now, default=None)
            if row and row.rule:
                return with_rule(board, row.rule), Period(row.period, row.starts_at, row.ends_at), row
        if period is None:
            row = await self._core.store.closing(board.id, key)  # of a kind or a season that the catalog no longer has
            if row is None:
                raise PeriodNotFound(f"the leaderboard '{board.id}' {_why_no_period(board.periods, key)}")
        else:
            row = None if board.is_open(period, now) else await self._closer.closed(board, period, now)
        if row is None or row.rule is None:  # without a rule, an older version closed it
            return board, period or Period(key), None if period else row
        return with_rule(board, row.rule), Period(row.period, row.starts_at, row.ends_at), row

    async def _latest(self, board: Board, key: str) -> Period | None:
        """The requested period of a retired leaderboard: the newest one with lines is its 'current' one."""
        if key not in OTHER_PERIODS or board.periods.kind == "all":
            return board.periods.named(key) if key != "current" else ALWAYS
        store = self._core.store
        keys = {period for of, period in await store.periods() if of == board.id}
        keys |= {row.period for row in await store.closings(board.id, NEWEST_CLOSED)}
        periods = [period for period in map(board.periods.named, keys) if period and period.start]
        newest = sorted(periods, key=lambda period: period.first_day, reverse=True)
        number = OTHER_PERIODS.index(key)
        return newest[number] if number < len(newest) else None

    async def _team_page(
        self, board: Board, period: Period, shown: LeaderboardPeriod, limit: int, me: str | None, now: datetime
    ) -> LeaderboardPage:
        """The first teams, and the reader's own."""
        reader = await self._core.store.user(me) if me is not None else None
        mine = reader.groups if reader else ()
        request = TeamsRequest(board.id, period.key, limit, mine, board.team_score == "mean", board.highest)
        return team_page(board, shown, await self._core.store.teams(request), mine, now)

    async def _is_public(self, user_id: str, board: Board) -> bool:
        user = await self._core.store.user(user_id)
        if user is None or user.progress.manual.excluded or user.erase_at is not None:
            return False
        return board.visibility_of(user.visibility) == "public"


def _with_state(
    page: LeaderboardPage, board: Board, closing: ClosedPeriodRow | None, waiting: Collection[str]
) -> LeaderboardPage:
    """The page, which says so if its leaderboard is being recomputed. Closed periods are not."""
    recomputing = closing is None and board.id in waiting
    return msgspec.structs.replace(page, recomputing=True) if recomputing else page


async def readable_boards(core: Core, readable_by: str | None) -> list[Board]:
    """The leaderboards that this user may read; None: all. Someone who is no user reads those without `readers`."""
    boards = list(core.shown.boards.values())
    if readable_by is None or not any(board.readers for board in boards):
        return boards
    groups = await core.groups_of(readable_by)
    return [board for board in boards if board.may_be_read_by(groups)]


async def find_board(core: Core, board_id: str, readable_by: str | None) -> Board:
    """The leaderboard that has this id, or had it before. Raises LeaderboardNotFound, also if this user may not read it."""
    board = core.shown.boards.get(core.shown.renames.boards.get(board_id, board_id))
    if board and (readable_by is None or not board.readers):
        return board
    readable = await readable_boards(core, readable_by)
    if board in readable:
        return board
    known = ", ".join(one.id for one in readable)
    raise LeaderboardNotFound(f"the catalog has no leaderboard {excerpt(board_id)!r}; it has {known}")


def find_period(board: Board, key: str, now: datetime) -> Period | None:
    """The period with this key, 'current' or 'previous', as the catalog has it."""
    periods = board.periods
    if key == "current":
        return periods.at(now)
    if key == "previous":
        return periods.latest_before(now)
    return periods.named(key)


def _why_no_period(periods: Periods, key: str) -> str:
    """Why there is no such period, and what to request instead."""
    if periods.kind == "all":
        return f"has no period {excerpt(key)!r}: it counts all time, which is its 'current' period"
    if periods.kind == "season":
        known = ", ".join(name for name, _, _ in periods.seasons)
        why = {"current": "is between seasons now", "previous": "has no season that has ended"}
        return f"{why.get(key, f'has no season {excerpt(key)!r}')}; its seasons are {known}"
    return f"has no period {excerpt(key)!r}; use 'current', 'previous' or a key such as {EXAMPLE_KEYS[periods.kind]}"


def _check_lines(
    limit: int | None,
    after: str | None,
    before: str | None,
    around: str | None,
    friends: Sequence[str] | None,
    me: str | None,
) -> None:
    """Raise InvalidInput for parameters that are wrong or contradict each other."""
    if limit is not None and limit < 1:
        raise InvalidInput("limit", "must be 1 or more")
    for name, cursor in (("after", after), ("before", before)):
        if cursor is not None and (around is not None or friends is not None):
            raise InvalidInput(name, "continues a page of the whole leaderboard; leave out 'around' and 'friends'")
    if after is not None and before is not None:
        raise InvalidInput("before", "has no meaning together with 'after'; leave out one of the two")
    if around is not None and friends is not None:
        raise InvalidInput("around", "has no meaning together with 'friends'; leave out one of the two")
    for name, users in (("around", [around]), ("friends", friends or ()), ("me", [me])):
        for user_id in users:
            if user_id is not None:
                check_text(name, user_id, MAX_USER_ID)


def _check_teams(**parameters: object) -> None:
    """Raise InvalidInput for parameters that select users on a leaderboard of teams."""
    for name, value in parameters.items():
        if value is not None:
            raise InvalidInput(
                name, "has no meaning on a leaderboard of teams: it shows the best teams and the reader's own"
            )


def _read_places(context: Presentation, after: str | None, before: str | None) -> tuple[Place | None, Place | None]:
    return (
        read_cursor(context, after, "after") if after is not None else None,
        read_cursor(context, before, "before") if before is not None else None,
    )
