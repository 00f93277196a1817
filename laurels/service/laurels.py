"""Laurels: the one facade. Everything outside asks it; it loads, lets the engine judge, and saves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from typing import cast

import msgspec

from laurels.commands.events import Recorded, RecordEvent
from laurels.commands.unit_of_work import Command, DecisionContext
from laurels.commands.users import EraseUser, RefreshUser, UpdateUser
from laurels.engine.badges import Badge
from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.events import (
    MAX_NAME,
    MAX_USER_ID,
    OWN_PREFIX,
    Event,
    check_event,
    check_instant,
    check_text,
)
from laurels.engine.leaderboards import VISIBILITIES, Board, Visibility
from laurels.engine.names import clean_name
from laurels.engine.periods import EXAMPLE_KEYS, Period, Periods
from laurels.engine.ranking import HIDDEN, WITHIN
from laurels.engine.zones import Zones
from laurels.errors import (
    BadgeNotFound,
    InvalidInput,
    LaurelsError,
    LeaderboardNotFound,
    NotASandbox,
    PeriodNotFound,
    UserNotFound,
)
from laurels.present import views
from laurels.present.shapes import (
    ClosedPeriods,
    Explanation,
    History,
    LeaderboardList,
    LeaderboardPage,
    NotificationMessage,
    Profile,
    User,
    UserRank,
    UserStreaks,
)
from laurels.present.views import RANKED_IN_PROFILE, STREAK_DAYS, Views
from laurels.service.group_commit import GroupCommit
from laurels.service.rules import Rules
from laurels.storage import open_store
from laurels.storage.contract import (
    ALL_TIME,
    POINTS_BOARD,
    Cursor,
    LeaderboardRequest,
    NotificationRow,
    ProfileView,
    Store,
    TeamsRequest,
    UserRow,
)

INCLUDES = ("rank", "next", "toward", "streaks", "history")
HISTORY_PAGE = 20
MOMENTS = 100
BOARD_PAGE = 10
LATE_WINDOW = timedelta(days=30)

_NO_DAYS = Days()

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


_pretended: ContextVar[datetime | None] = ContextVar("pretended", default=None)


class Laurels:
    """Badges, points, levels, streaks and a leaderboard for the users of one app.

        async with Laurels.open("sqlite:///laurels.db") as laurels:
            await laurels.record(Event("ada", "e-1", "agent.created"))
            print(await laurels.profile("ada"))

    Every method may raise StoreUnavailable, and those that write Overloaded.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog | None = None,
        *,
        default_zone: str = "UTC",
        late_window: timedelta | None = LATE_WINDOW,
        queue_limit: int = 10_000,
        batch_limit: int = 500,
        queue_seconds: float = 5,
        clock: Clock = utc_now,
    ) -> None:
        """A facade over an opened store; `late_window` None takes events however old."""
        self.store = store
        self.rules = Rules(catalog or Catalog.default())
        self._views = Views(self.rules.catalog)
        self.clock = clock
        self._fresh_zones = Zones(default=default_zone)
        self._is_sandbox: bool | None = None
        self._closed: set[tuple[str, str]] = set()
        self.group_commit = GroupCommit(
            store,
            lambda: DecisionContext(self.rules.catalog, default_zone, late_window),
            queue_limit,
            batch_limit,
            queue_seconds,
        )

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self.rules.catalog

    @property
    def views(self) -> Views:
        """What shows stored rows under the catalog in force."""
        if self._views.catalog is not self.rules.catalog:
            secret, self._views = self._views.secret, Views(self.rules.catalog)
            self._views.secret = secret
        return self._views

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: str = "sqlite:///laurels.db",
        catalog: Catalog | None = None,
        *,
        default_zone: str = "UTC",
        late_window: timedelta | None = LATE_WINDOW,
        clock: Clock = utc_now,
    ) -> AsyncIterator[Laurels]:
        """Open a database, bring its schema up to date, and close it in the end, when all that waits is written."""
        store = open_store(database)
        laurels = cls(store, catalog, default_zone=default_zone, late_window=late_window, clock=clock)
        try:
            await store.migrate()
            await laurels.sandboxed()
            yield laurels
        finally:
            await laurels.close()

    async def now(self) -> datetime:
        """The moment as Laurels sees it: the clock's; in a sandbox, as far ahead as it was moved, or as `pretend` says."""
        if not await self.sandboxed():
            return self.clock()
        pretended = _pretended.get()
        return pretended or self.clock() + (await self.store.clock_offset() or timedelta())

    async def sandboxed(self) -> bool:
        """Whether the database was a sandbox when this process opened it, or was made one by it."""
        if self._is_sandbox is None:
            self._is_sandbox = await self.store.clock_offset() is not None
        return self._is_sandbox

    async def set_clock_offset(self, offset: timedelta) -> None:
        """Make the database a sandbox, and let its clock run so far ahead of the machine's."""
        await self.store.set_clock_offset(offset)
        self._is_sandbox = True

    @contextmanager
    def pretend(self, moment: datetime) -> Generator[None]:
        """In a sandbox, let everything that this task does happen at `moment`. Raises NotASandbox elsewhere."""
        if not self._is_sandbox:
            raise NotASandbox
        token = _pretended.set(moment)
        try:
            yield
        finally:
            _pretended.reset(token)

    async def close(self) -> None:
        """Write what waits, and let go of the database."""
        await self.group_commit.close()
        await self.store.close()

    # ---- events -------------------------------------------------------------------------------

    async def record(self, event: Event) -> Recorded:
        """Record an event; once it returns, it is durable. A duplicate gets the original answer.

        Raises InvalidInput (EventTooLate, EventTooEarly), EventConflict, UserErased.
        """
        (answer,) = await self.record_many([event])
        return _answer_or_raise(answer)

    async def record_many(self, events: Sequence[Event], *, ranks: bool = True) -> list[Recorded | LaurelsError]:
        """Record events in one transaction, with one answer for each, in order: what it changed, or why it was refused.

        One bad event never spoils the others. `ranks=False` leaves out the rank before and after, which imports
        do not need.
        """
        now = await self.now()
        adjustments: list[Command] = []
        refused: dict[int, LaurelsError] = {}
        for index, event in enumerate(events):
            try:
                check_event(event)
            except InvalidInput as error:
                refused[index] = error
            else:
                adjustments.append(RecordEvent(event, now))
        answers = iter(await self.group_commit.submit(adjustments, ranks=ranks) if adjustments else [])
        return [refused[index] if index in refused else cast(Recorded, next(answers)) for index in range(len(events))]

    # ---- users --------------------------------------------------------------------------------

    async def update_user(
        self,
        user_id: str,
        *,
        name: str | msgspec.UnsetType | None = msgspec.UNSET,
        time_zone: str | msgspec.UnsetType = msgspec.UNSET,
        joined_at: datetime | msgspec.UnsetType | None = msgspec.UNSET,
        groups: Sequence[str] | msgspec.UnsetType = msgspec.UNSET,
        visibility: Visibility | msgspec.UnsetType | None = msgspec.UNSET,
        lenient_zone: bool = False,
    ) -> User:
        """Make or change a user; what is left out stays. With `lenient_zone`, a zone change too soon is left out.

        Raises InvalidInput, ZoneChangeTooSoon, UserErased; then nothing was changed.
        """
        check_text("userId", user_id, MAX_USER_ID)
        if isinstance(joined_at, datetime):
            check_instant("joinedAt", joined_at)
            joined_at = joined_at.astimezone(UTC)
        if isinstance(name, str):
            name = clean_name(name)
        now = await self.now()
        if not isinstance(groups, msgspec.UnsetType):
            for group in groups:
                check_text("groups", group, MAX_NAME)
            groups = tuple(sorted(set(groups)))
        if visibility not in (*VISIBILITIES, None, msgspec.UNSET):
            raise InvalidInput(
                "visibility", f"must be one of {', '.join(VISIBILITIES)}, or null for each board's own way"
            )
        act = UpdateUser(user_id, now, name, time_zone, joined_at, groups, visibility, lenient_zone)
        user = cast(UserRow, await self.do(act))
        return self.views.user(user, now)

    async def user(self, user_id: str) -> User:
        """A user as stored. Raises UserNotFound."""
        return self.views.user(await self._user(user_id), await self.now())

    async def erase_user(self, user_id: str) -> None:
        """Erase every trace of a user, for good: late events are refused. Harmless to repeat. Raises InvalidInput."""
        check_text("userId", user_id, MAX_USER_ID)
        now = await self.now()
        await self._close_periods_of(user_id, now)
        await self.do(EraseUser(user_id, now))

    async def _close_periods_of(self, user_id: str, now: datetime) -> None:
        """Close what nobody has read since its time came, so that the places in it are kept when this user leaves them."""
        whole = await self.store.user_snapshot(user_id)
        for partition, key in whole.standings if whole else ():
            board = self.catalog.boards.get(partition.partition(WITHIN)[0])
            period = board.periods.named(key) if board else None
            if board and period and not board.is_open(period, now):
                await self.close_period(board, period, now)

    async def history(self, user_id: str, limit: int = HISTORY_PAGE, before: int | None = None) -> History:
        """What happened to a user, newest first, `limit` acts to a page. Raises UserNotFound, InvalidInput."""
        if limit < 1:
            raise InvalidInput("limit", "must be 1 or more")
        await self._user(user_id)
        return views.history(await self.store.history(user_id, limit, before), limit)

    # ---- reading ------------------------------------------------------------------------------

    async def profile(
        self, user_id: str, *, login: bool = False, include: Collection[str] = (), days: int = STREAK_DAYS
    ) -> Profile:
        """What a user sees.

        With `login`, this reading is the user's daily login: it may earn a streak badge, and a user who was unknown begins here.
        `include` asks for more of INCLUDES; `days` is of how many days its streaks say why each counts. Raises UserNotFound
        (without login), UserErased (with it), and InvalidInput for an unknown include and for what can be no user id.
        """
        _check_include(include)
        check_text("userId", user_id, MAX_USER_ID)
        now = await self.now()
        view = await self.store.profile_view(user_id, RANKED_IN_PROFILE)
        user, badge_awarded = view.user, None
        if user is None and not login:
            raise UserNotFound
        if login and (user is None or not self._logged_in(user, now)):
            badge_awarded = await self._log_in(user_id, user.progress.zones if user else self._fresh_zones, now)
            view = await self.store.profile_view(user_id, RANKED_IN_PROFILE)
        if view.user is not None and self._outdated(view.user, view):
            await self.do(RefreshUser(user_id, now))
            view = await self.store.profile_view(user_id, RANKED_IN_PROFILE)
        if view.user is None:
            raise UserNotFound
        views = self.views if self.views.secret else await self._with_secret()
        profile = views.profile(view.user, view.top, now, badge_awarded)
        if self._hides(view.user):
            profile = msgspec.structs.replace(profile, user_rank=await self._rank_in_profile(user_id))
        return await self._with_more(profile, view.user, now, include, days) if include else profile

    def _hides(self, user: UserRow) -> bool:
        """Whether nobody else sees this user on the board of all points."""
        return self.catalog.boards[POINTS_BOARD].visibility_of(user.visibility) == "hidden"

    async def _rank_in_profile(self, user_id: str) -> int | None:
        """The rank that a user would have whom nobody else sees, as far as the profile shows ranks."""
        rank, _ = await self.store.rank(POINTS_BOARD, ALL_TIME, user_id)
        return rank if rank is not None and rank <= RANKED_IN_PROFILE else None

    def _outdated(self, user: UserRow, view: ProfileView) -> bool:
        """Whether the user was made under other rules, or before an amnesty."""
        return user.rules != self.catalog.rules or user.amnesties != view.amnesty_count

    def _logged_in(self, user: UserRow, now: datetime) -> bool:
        """Whether today needs no login any more."""
        progress = user.progress
        return progress.zones.day(now) in progress.days.get(self.catalog.login_streak, _NO_DAYS)

    async def _log_in(self, user_id: str, zones: Zones, now: datetime) -> str | None:
        """Record today's login, once however many requests race, and name the streak badge that it awarded."""
        today = zones.day(now)
        event_type = self.catalog.login_event
        name = f"{OWN_PREFIX}{event_type}:{date.fromordinal(today).isoformat()}"
        recorded = cast(Recorded, await self.do(RecordEvent(Event(user_id, name, event_type), now)))
        if recorded.duplicate and recorded.event.day != today:
            # The zone changed between the reading and the recording of that login, so it counts for another day.
            recorded = cast(Recorded, await self.do(RecordEvent(Event(user_id, f"{name}:again", event_type), now)))
        return self.views.streak_badge(recorded)

    async def current(self, user_id: str) -> UserRow:
        """The user's row under today's rules and amnesties. Raises UserNotFound, InvalidInput."""
        check_text("userId", user_id, MAX_USER_ID)
        view = await self.store.profile_view(user_id, RANKED_IN_PROFILE)
        if view.user is None:
            raise UserNotFound
        if not self._outdated(view.user, view):
            return view.user
        await self.do(RefreshUser(user_id, await self.now()))
        return await self._user(user_id)

    async def streaks(self, user_id: str, days: int = STREAK_DAYS) -> UserStreaks:
        """Every streak of a user, with why each of its last `days` days counts. Raises UserNotFound."""
        user = await self.current(user_id)
        return UserStreaks(streaks=self.views.streaks(user.progress, await self.now(), days))

    async def explain(self, user_id: str, badge_id: str) -> Explanation:
        """Why a user has a badge, or what is missing. Raises UserNotFound, BadgeNotFound."""
        badge = self.catalog.badge(badge_id)
        if badge is None:
            raise BadgeNotFound
        (explanation,) = await self._explained(user_id, [badge])
        return explanation

    async def explain_all(self, user_id: str) -> Sequence[Explanation]:
        """As `explain`, of every badge in the catalog's order. Raises UserNotFound."""
        return await self._explained(user_id, self.catalog.badges)

    async def _explained(self, user_id: str, badges: Sequence[Badge]) -> list[Explanation]:
        user, now = await self.current(user_id), await self.now()
        awards = {row.badge: row for row in await self.store.awards(user_id)}
        ids = {awards[badge.id].event_id for badge in badges if badge.id in awards}
        events = {event_id: await self.store.event(user_id, event_id) for event_id in ids if event_id}
        explained: list[Explanation] = []
        for badge in badges:
            award = awards.get(badge.id)
            event = events.get(award.event_id) if award and award.event_id else None
            explained.append(self.views.explanation(badge, user, award, event, now))
        return explained

    async def _with_more(
        self, profile: Profile, user: UserRow, now: datetime, include: Collection[str], days: int
    ) -> Profile:
        """The profile with what was asked for beyond the contract."""
        more: dict[str, object] = {}
        if "rank" in include:
            more["rank"] = await self.rank(user.user_id)
        if "next" in include:
            more["next"] = self.views.next_badges(user.progress, now)
        if "toward" in include:
            more["toward"] = self.views.toward(user.progress, now)
        if "streaks" in include:
            more["streaks"] = self.views.streaks(user.progress, now, days)
        if "history" in include:
            more["history"] = await self.history(user.user_id)
        return msgspec.structs.replace(profile, **more)

    async def leaderboards(self) -> LeaderboardList:
        """All leaderboards of the catalog, each with its period as of now."""
        now = await self.now()
        return LeaderboardList([self.views.board(board, now) for board in self.catalog.boards.values()])

    async def leaderboard(
        self,
        board: str = POINTS_BOARD,
        period: str = "current",
        *,
        limit: int | None = None,
        after: str | None = None,
        around: str | None = None,
        friends: Sequence[str] | None = None,
        me: str | None = None,
    ) -> LeaderboardPage:
        """Lines of a leaderboard within a period: 'current', 'previous' or a key such as '2026-W47'.

        They are the first, those behind a cursor (`after`, the `next` of the answer before), those around a user, or those
        of some friends: `limit` of them, if left out 10, or every friend's. `me` is whose own line stands beside them.
        Raises LeaderboardNotFound, PeriodNotFound, InvalidInput.
        """
        now = await self.now()
        rule, chosen = self._board(board), self._period(board, period, now)
        _check_lines(limit, after, around, friends, me)
        if rule.teams:
            _check_teams(after=after, around=around, friends=friends)
        if not rule.is_open(chosen, now):
            await self.close_period(rule, chosen, now)
        if around not in (None, me) and not await self._is_public(around, rule):
            around = ""  # whoever hides is not found by asking for them
        # All friends are read, for those who may not be seen take no line from the others.
        lines = limit or BOARD_PAGE if friends is None else max(1, len(friends))
        views = await self._with_secret()
        behind = views.read_cursor(after) if after is not None else None
        asked = LeaderboardRequest(board, chosen.key, rule.ties, lines, behind, around, friends, me)
        if rule.teams:
            mine = await self._teams_of(me)
            means = rule.team_score == "mean"
            teams = await self.store.teams(TeamsRequest(rule.id, chosen.key, lines, mine, means, rule.highest))
            return views.teams(rule, chosen, teams, mine, now)
        shown = views.leaderboard(rule, chosen, asked, await self.store.listing(asked), now)
        return msgspec.structs.replace(shown, standings=shown.standings[: limit or lines])

    async def close_periods(self) -> list[tuple[str, str]]:
        """Close every period whose time has come, and tell those in front; the (board, period) that were closed by this.

        Nothing depends on when, or whether, this is called: a period takes no event once its time has come, and reading
        closes it too. It lets users hear of it who do not come to read.
        """
        now, closed = await self.now(), list[tuple[str, str]]()
        for board_id, key in await self.store.periods():
            board = self.catalog.boards.get(board_id)
            period = board.periods.named(key) if board else None
            if board and period and not board.is_open(period, now) and await self.close_period(board, period, now):
                closed.append((board_id, key))
        return closed

    async def close_period(self, board: Board, period: Period, now: datetime) -> bool:
        """Close a period whose time has come, once; whether this call did it."""
        key = (board.id, period.key)
        if key in self._closed or not await self._is_used(board, period):
            return False
        closed_now = not await self.store.is_closed(*key) and await self.store.close_period(*key, now)
        top = board.notify_top if board.id in self.catalog.tops else 0
        await self.store.notify_closing(*key, top, board.ties, now)
        self._closed.add(key)
        return closed_now

    async def _is_used(self, board: Board, period: Period) -> bool:
        """Whether anybody stands in this period, so that asking for the year 1000 leaves no trace."""
        partitions = (board.id, board.id + HIDDEN)
        ranked = [(await self.store.rank(partition, period.key, ""))[1] for partition in partitions]
        return any(ranked) or bool(
            board.teams and (await self.store.teams(TeamsRequest(board.id, period.key, 1))).lines
        )

    async def closings(self, board: str, limit: int = 10) -> ClosedPeriods:
        """The closed periods of a leaderboard, the newest first. Raises LeaderboardNotFound."""
        rule = self._board(board)
        closings = await self.store.closings(board, limit)
        known = [row for row in closings if rule.periods.named(row.period)]  # the board may have counted others before
        return ClosedPeriods([self.views.closing(rule, row) for row in known])

    async def _teams_of(self, user_id: str | None) -> Sequence[str]:
        user = await self.store.user(user_id) if user_id is not None else None
        return user.groups if user else ()

    async def _is_public(self, user_id: str, board: Board) -> bool:
        user = await self.store.user(user_id)
        if user is None or user.progress.manual.excluded:
            return False
        return board.visibility_of(user.visibility) == "public"

    async def _with_secret(self) -> Views:
        """The views, which need the database's secret for invented names."""
        if self.views.secret is None:
            self.views.secret = await self.store.secret()
        return self.views

    def _board(self, board: str) -> Board:
        rule = self.catalog.boards.get(board)
        if rule is None:
            known = ", ".join(self.catalog.boards)
            raise LeaderboardNotFound(f"the catalog has no leaderboard {board!r}; it has {known}")
        return rule

    def _period(self, board: str, named: str, now: datetime) -> Period:
        periods = self._board(board).periods
        if named == "current":
            found = periods.at(now)
        elif named == "previous":
            found = periods.latest_before(now)
        else:
            found = periods.named(named)
        if found is None:
            raise PeriodNotFound(f"the leaderboard '{board}' {_why_no_period(periods, named)}")
        return found

    # ---- moments ------------------------------------------------------------------------------

    async def newest_notification(self, user_id: str) -> Cursor:
        """Where a user's moments end by now: who asks for those behind it hears all that happens from now on."""
        return await self.store.newest_notification(user_id)

    async def notifications(
        self, after: Mapping[str, Cursor], limit: int = MOMENTS
    ) -> Sequence[tuple[NotificationRow, NotificationMessage]]:
        """The next moments of these users, each behind their own cursor, at most `limit` of each: as stored and as shown."""
        return [(row, self.views.moment(row)) for row in await self.store.notifications(after, limit)]

    async def rank(self, user_id: str) -> UserRank:
        """A user's exact rank by points, among how many. Unknown users are unranked. Raises InvalidInput."""
        check_text("userId", user_id, MAX_USER_ID)
        rank, ranked = await self.store.rank(POINTS_BOARD, ALL_TIME, user_id)
        return UserRank(rank=rank, ranked_users=ranked)

    # ---- inside -------------------------------------------------------------------------------

    async def _user(self, user_id: str) -> UserRow:
        check_text("userId", user_id, MAX_USER_ID)
        user = await self.store.user(user_id)
        if user is None:
            raise UserNotFound
        return user

    async def do(self, act: Command) -> object:
        """One act through the recorder: its answer, or its error raised."""
        (answer,) = await self.group_commit.submit([act])
        if isinstance(answer, LaurelsError):
            raise answer
        return answer


def _check_include(include: Collection[str]) -> None:
    for name in include:
        if name not in INCLUDES:
            raise InvalidInput("include", f"'{name}' is not known; use any of {', '.join(INCLUDES)}")


def _check_lines(
    limit: int | None, after: str | None, around: str | None, friends: Sequence[str] | None, me: str | None
) -> None:
    """Raise InvalidInput for lines that cannot be asked for."""
    if limit is not None and limit < 1:
        raise InvalidInput("limit", "must be 1 or more")
    if after is not None and (around is not None or friends is not None):
        raise InvalidInput("after", "goes on behind a page of the whole board; leave out 'around' and 'friends'")
    if around is not None and friends is not None:
        raise InvalidInput("around", "has no meaning among 'friends'; leave one of the two out")
    for name, users in (("around", [around]), ("friends", friends or ()), ("me", [me])):
        for user_id in users:
            if user_id is not None:
                check_text(name, user_id, MAX_USER_ID)


def _check_teams(**of_users: object) -> None:
    """Raise InvalidInput for what asks for lines of users on a board of teams, which has none."""
    for name, asked in of_users.items():
        if asked is not None:
            raise InvalidInput(
                name, "has no meaning on a board of teams: the best come first, the reader's own among them"
            )


def _why_no_period(periods: Periods, named: str) -> str:
    """Why there is no such period, and what to ask for instead."""
    if periods.kind == "all":
        return f"has no period {named!r}: it counts all time, which is its 'current' period"
    if periods.kind == "season":
        known = ", ".join(name for name, _, _ in periods.seasons)
        why = {"current": "is between seasons now", "previous": "has no season that has ended"}
        return f"{why.get(named, f'has no season {named!r}')}; its seasons are {known}"
    return f"has no period {named!r}; ask for 'current', 'previous' or a key such as {EXAMPLE_KEYS[periods.kind]}"


def _answer_or_raise(answer: Recorded | LaurelsError) -> Recorded:
    if isinstance(answer, LaurelsError):
        raise answer
    return answer
