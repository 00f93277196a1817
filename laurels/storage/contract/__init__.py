"""The contract of storage: what every engine promises, in the product's words.

All times are parameters and all ids are made by us: no engine reads a clock, draws a number or runs a trigger. `user_id`
leads every key of a user's rows, so that the same tables can be sharded by it. One suite,
`tests/storage/test_contract.py`, holds every promise below against every engine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from laurels.engine.events import Event
from laurels.engine.leaderboards import Board, Visibility
from laurels.engine.progress import Progress
from laurels.engine.ranking import Move, Place, Ranks, Ties
from laurels.engine.values import plain

CONNECTIONS = 8
"""How many connections one process holds at most, unless it is told otherwise."""

POINTS_BOARD = "points"
ALL_TIME = "all"


@plain
class UserRow:
    """The one hot row of a user.

    `revision` counts the acts on it; `rules` is the catalog, and `amnesties` the count of amnesties, that its progress was
    made under. `visibility` is how the user chose to be shown on leaderboards (None: not).
    """

    user_id: str
    name: str | None
    created_at: datetime
    revision: int
    rules: str
    progress: Progress
    groups: tuple[str, ...] = ()
    amnesties: int = 0
    visibility: Visibility | None = None


@plain
class EventRow:
    """An event as recorded. `event.occurred_at` is when it counts, `sent_at` what its sender said (None: nothing).

    `outcome` is what it changed, as JSON (None: nothing); the ranks are those before and after its transaction;
    `reversed_by` is the revision that took it back (None: it stands).
    """

    event: Event
    sent_at: datetime | None
    recorded_at: datetime
    revision: int
    outcome: bytes | None = None
    rank_before: int | None = None
    rank_after: int | None = None
    reversed_by: int | None = None


@plain
class AdjustmentRow:
    """Something told of a user beside the events. `undone_by` is the revision that undid it (None: it stands)."""

    user_id: str
    adjustment_id: str
    revision: int
    at: datetime
    kind: str
    data: Mapping[str, Any]
    reason: str
    actor: str
    undone_by: int | None


@plain
class AmnestyRow:
    """Days on which nothing was required of everybody, or of a group; until it is lifted, by somebody for a reason."""

    amnesty_id: str
    first_day: int
    last_day: int
    for_group: str | None
    reason: str
    actor: str
    created_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None = None
    lift_reason: str | None = None


@plain
class AwardRow:
    """This user has this badge: since when, for how many points, because of which event (None: by an act without one)."""

    user_id: str
    badge: str
    revision: int
    awarded_at: datetime
    points: int
    event_id: str | None


@plain
class LedgerRow:
    """One change of a user's points. `position` orders the entries of one revision.

    `counts_at` is the moment that says in which periods of leaderboards it counts (None: in none).
    """

    user_id: str
    revision: int
    position: int
    at: datetime
    amount: int
    reason: str
    ref: str
    event_id: str | None
    counts_at: datetime | None = None


@plain
class NotificationRow:
    """Something worth telling, written in the same transaction as what it tells."""

    user_id: str
    revision: int
    position: int
    at: datetime
    type: str
    data: Mapping[str, Any]


Cursor = tuple[int, int]
"""The revision and position of a moment. A user's are committed in this order: whoever has read up to one has all before it."""

BEGINNING: Cursor = (0, -1)
"""Before the first moment of anybody."""


@plain
class Standing:
    """One line of a leaderboard. Lines come in the board's one order; `points` are all that the user has.

    `visibility` is what the user chose, and `excluded` whether they are excluded by now.
    """

    rank: int
    place: Place
    name: str | None
    points: int
    visibility: Visibility | None = None
    excluded: bool = False


@plain
class Team:
    """A team's rank, its members who have a score, and the sum of their scores."""

    rank: int
    name: str
    total: int
    members: int


@plain
class Teams:
    """Some teams of a board in its order, and how many members those of all teams are."""

    lines: Sequence[Team]
    members: int


@plain
class TeamsRequest:
    """Which teams of a board are asked for, within a period: the first, and behind them one's own.

    mean     whether a team has the mean of its members' scores, else their sum
    highest  whether the highest comes first; equals come by name, with one rank
    """

    board: str
    period: str
    limit: int
    mine: Sequence[str] = ()
    mean: bool = False
    highest: bool = True


@plain
class ClosedPeriodRow:
    """A period of a board that is closed for good. `told_at` is when those in front were told (None: not yet)."""

    board: str
    period: str
    closed_at: datetime
    notified_at: datetime | None = None


@plain
class LeaderboardRequest:
    """Which lines of a board are asked for, within a period: the first, or those behind a place, around a user, or of some.

    board, period, ties  which board and period, and which rank equal scores show
    limit                how many lines at most
    after                only lines behind this place, whether or not anybody has it
    around               lines before and behind this user's, and theirs; none where they are unranked
    only                 the lines of these users, with the ranks that they have on the whole board
    me                   whose own line is wanted beside the others
    """

    board: str
    period: str
    ties: Ties = "first"
    limit: int = 10
    after: Place | None = None
    around: str | None = None
    only: Sequence[str] | None = None
    me: str | None = None


@plain
class LeaderboardLines:
    """Lines of a board, from one snapshot; `me` is the reader's own, `ranked` how many there are in all.

    `next` is behind which place to go on; None behind the last line, or where lines do not follow one another.
    Who stands behind the board's HIDDEN has a line of their own, with the rank that they would have, and takes none.
    """

    lines: Sequence[Standing]
    me: Standing | None
    ranked: int
    next: Place | None = None


@plain
class KeyRow:
    """An API key as stored: never the key itself. `hint` is its beginning, enough to recognise it."""

    key_hash: bytes
    name: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None


@plain
class Counts:
    """How many rows there are, and the newest recording: what an operator asks first."""

    users: int
    events: int
    awards: int
    sessions: int
    last_recorded_at: datetime | None


@plain
class LoadRequest:
    """What a transaction must find before it decides.

    users   every user it may touch
    events  every event identity (user_id, id) it may write or take back
    rules   the catalog's fingerprint: users made under other rules come with all their events
    with_adjustments  users whose adjustments are needed
    in_full  users of whom everything is needed: acts, all events, awards, the ledger and the standings
    ranks   whether to measure the ranks of users whose place changes
    """

    users: frozenset[str]
    events: frozenset[tuple[str, str]]
    rules: str
    with_adjustments: frozenset[str] = frozenset()
    in_full: frozenset[str] = frozenset()
    ranks: bool = True


@plain
class Loaded:
    """What was found, inside the transaction. A user or event that is missing here does not exist.

    `acts` are those of users asked for them; `histories`, `awards`, `ledgers` and `standings` (by board and period,
    but for periods that somebody closed) those of users asked whole, or made under other rules. `amnesty_count` counts
    amnesties made and lifted, so it differs after each change.
    """

    users: Mapping[str, UserRow]
    events: Mapping[tuple[str, str], EventRow]
    erased: frozenset[str]
    adjustments: Mapping[str, Sequence[AdjustmentRow]] = field(default_factory=dict[str, Sequence[AdjustmentRow]])
    histories: Mapping[str, Sequence[EventRow]] = field(default_factory=dict[str, Sequence[EventRow]])
    awards: Mapping[str, Sequence[AwardRow]] = field(default_factory=dict[str, Sequence[AwardRow]])
    ledgers: Mapping[str, Sequence[LedgerRow]] = field(default_factory=dict[str, Sequence[LedgerRow]])
    standings: Mapping[str, Mapping[tuple[str, str], Place]] = field(
        default_factory=dict[str, Mapping[tuple[str, str], Place]]
    )
    amnesties: Sequence[AmnestyRow] = ()
    amnesty_count: int = 0


@dataclass(slots=True)
class Changes:
    """What a transaction writes, all of it or nothing.

    Users and acts replace the rows of the same key; `marked` are known events whose `reversed_by` changed; `revoked` are
    the (user, badge) of awards that go, before new ones are written. `tops` are the boards on which users are told who climb
    among the first ranks, and `next_moments` the revision, position and moment that one more moment of each would have.
    """

    users: list[UserRow] = field(default_factory=list[UserRow])
    events: list[EventRow] = field(default_factory=list[EventRow])
    awards: list[AwardRow] = field(default_factory=list[AwardRow])
    ledger: list[LedgerRow] = field(default_factory=list[LedgerRow])
    notifications: list[NotificationRow] = field(default_factory=list[NotificationRow])
    moves: list[Move] = field(default_factory=list[Move])
    tops: Mapping[str, Board] = field(default_factory=dict[str, Board])
    next_notifications: dict[str, tuple[int, int, datetime]] = field(
        default_factory=dict[str, tuple[int, int, datetime]]
    )
    adjustments: list[AdjustmentRow] = field(default_factory=list[AdjustmentRow])
    marked: list[EventRow] = field(default_factory=list[EventRow])
    revoked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    erased: list[tuple[str, datetime]] = field(default_factory=list[tuple[str, datetime]])

    def forget(self, user_id: str) -> None:
        """Take out what was to be written of this user."""
        self.awards = [row for row in self.awards if row.user_id != user_id]
        self.ledger = [row for row in self.ledger if row.user_id != user_id]
        self.notifications = [row for row in self.notifications if row.user_id != user_id]
        self.adjustments = [row for row in self.adjustments if row.user_id != user_id]
        self.revoked = [pair for pair in self.revoked if pair[0] != user_id]


@plain
class PointsPaid:
    """What one reason paid a user on one day (UTC), by the ledger's `at`."""

    day: int
    reason: str
    ref: str
    amount: int


@plain
class ReportUser:
    """What a survey reads of one user: the row, the awards oldest first, and the points by day, reason and ref."""

    user: UserRow
    awards: Sequence[AwardRow]
    paid: Sequence[PointsPaid]


@plain
class UserSample:
    """Some users, and how many there are in all."""

    user_ids: Sequence[str]
    users: int


@plain
class MaintenanceRun:
    """When something was last done for the database's keep, and what came of it."""

    task: Literal["backup", "verify"]
    at: datetime
    outcome: Mapping[str, Any]


@plain
class ProfileView:
    """What a profile is read from."""

    user: UserRow | None
    top: Sequence[Standing]
    amnesty_count: int


@plain
class HistoryRows:
    """Some revisions of a user's history, each kind of row oldest first."""

    events: Sequence[EventRow] = ()
    awards: Sequence[AwardRow] = ()
    ledger: Sequence[LedgerRow] = ()
    adjustments: Sequence[AdjustmentRow] = ()


@plain
class UserSnapshot:
    """All that is stored of one user. `standings` are by board and period, but for those in periods that somebody closed."""

    user: UserRow
    events: Sequence[EventRow]
    adjustments: Sequence[AdjustmentRow]
    awards: Sequence[AwardRow]
    ledger: Sequence[LedgerRow]
    standings: Mapping[tuple[str, str], Place]
    amnesties: Sequence[AmnestyRow]


Decide = Callable[[Loaded], Changes]
"""A pure function: the same found rows always give the same changes, so a transaction may be tried again."""


Batch = tuple[str, Sequence[tuple[Any, ...]]]
"""Some rows of a table: its name in `tables.py`, and of each row the values in the order of its columns."""


class Rows(Protocol):
    """All rows of a database as of one moment. Values are int, str, bytes and None, alike on every engine."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many rows each table has."""
        ...

    def batches(self) -> AsyncIterator[Batch]:
        """Every row once: table by table, each in the order of its key, in batches that memory holds easily."""
        ...


class Store(Protocol):
    """A database. Opened by `open_store`; every verb may raise StoreUnavailable."""

    @property
    def engine(self) -> str:
        """What people call this kind of database."""
        ...

    async def migrate(self) -> list[str]:
        """Bring the schema up to date and name the migrations that ran; none when it already was.

        Safe to run from several processes at once. Raises MigrationError where the database was made by a newer
        version, or where a migration that ran there differs from ours.
        """
        ...

    async def ready(self) -> None:
        """Return when the database answers and its schema is ours; else raise StoreUnavailable or MigrationError."""
        ...

    async def close(self) -> None:
        """Finish what is running and let go of the database. Closing twice is harmless."""
        ...

    async def change(self, asked: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        """Find, decide, save, in one transaction that is durable when this returns.

        Nobody else changes the asked users between the finding and the saving. If `decide` raises, nothing is
        written and its error comes through. The ranks are those of the users that moved, in the same transaction (of a hidden
        one, those that they would have), and are stored with their events. A user in `erased` loses every row first; only a
        keyed hash remains, and in closed periods a place of nobody's, so that everybody else keeps their rank there.
        """
        ...

    async def user(self, user_id: str) -> UserRow | None:
        """The user's row; None for one that never was, or was erased."""
        ...

    async def profile_view(self, user_id: str, limit: int) -> ProfileView:
        """The user, the first `limit` lines of the points board and the count of amnesties, from one snapshot."""
        ...

    async def listing(self, asked: LeaderboardRequest) -> LeaderboardLines:
        """Lines of a board in its one order, from one snapshot. Users without a score are not on it."""
        ...

    async def rank(self, board: str, period: str, user_id: str, ties: Ties = "first") -> tuple[int | None, int]:
        """The user's exact rank (None: unranked) and the number of ranked users, from one snapshot."""
        ...

    async def close_period(self, board: str, period: str, at: datetime) -> bool:
        """Close a period for good: nobody moves in it any more. False where it was closed before.

        When this returns, every transaction that moved somebody in it has ended.
        """
        ...

    async def notify_closing(self, board: str, period: str, top: int, ties: Ties, at: datetime) -> bool:
        """Tell the users of the first `top` ranks of a closed period, each once, as a moment 'leaderboard.closed'.

        Users of one rank are told alike, the first MOST_TOLD in all; whoever is excluded by now is not. False where they
        were told before.
        """
        ...

    async def teams(self, asked: TeamsRequest) -> Teams:
        """Teams with any score. All of the board are looked at, while others work."""
        ...

    async def closings(self, board: str, limit: int) -> Sequence[ClosedPeriodRow]:
        """The closed periods of a board, those closed last first."""
        ...

    async def is_closed(self, board: str, period: str) -> bool:
        """Whether somebody closed this period, and those in front were told."""
        ...

    async def periods(self) -> Sequence[tuple[str, str]]:
        """Every (board, period) on which anybody stands, in either's parts, but for those that are closed and told, in order.

        The time it takes grows with the boards and their periods, not with the parts; others work meanwhile.
        """
        ...

    async def secret(self) -> bytes:
        """This database's own secret, with which invented names are made: it never leaves the process."""
        ...

    async def event(self, user_id: str, event_id: str) -> EventRow | None:
        """An event as recorded; None where it never was."""
        ...

    async def awards(self, user_id: str) -> Sequence[AwardRow]:
        """The user's awards, oldest first."""
        ...

    async def history(self, user_id: str, limit: int, before: int | None = None) -> HistoryRows:
        """All rows of the newest `limit` revisions (below `before`, where given) that hold any row, each kind oldest first."""
        ...

    async def newest_notification(self, user_id: str) -> Cursor:
        """Where a user's moments end by now; BEGINNING without any."""
        ...

    async def notifications(self, after: Mapping[str, Cursor], limit: int) -> Sequence[NotificationRow]:
        """The next moments of these users, each one's behind their own cursor: at most `limit` of each, in order.

        In one round trip, whatever the number of users; and where nobody has written anything since the same was asked, and there
        was nothing, it costs next to nothing on an engine that can tell.
        """
        ...

    async def user_snapshot(self, user_id: str) -> UserSnapshot | None:
        """All that is stored of a user, from one snapshot; None for one that never was, or was erased."""
        ...

    async def user_ids(self, after: str, limit: int) -> Sequence[str]:
        """The next `limit` user ids after this one, by code point ('' begins)."""
        ...

    async def wrong_tallies(self) -> int:
        """How many tallies differ from a recount of the standings."""
        ...

    async def rebuild_tallies(self) -> None:
        """Make the tallies of all boards anew from the standings."""
        ...

    async def amnesties(self) -> Sequence[AmnestyRow]:
        """All amnesties, lifted ones too, oldest first."""
        ...

    async def add_amnesty(self, amnesty: AmnestyRow) -> None:
        """Store an amnesty, in a time that does not depend on the number of users; one of the same id stays as it is."""
        ...

    async def lift_amnesty(
        self, amnesty_id: str, at: datetime, actor: str | None = None, reason: str | None = None
    ) -> bool:
        """Lift an amnesty, and keep by whom and why; False where there is none of this id, or it is lifted already."""
        ...

    async def clock_offset(self) -> timedelta | None:
        """How far the clock of a sandbox runs ahead of the machine's; None where the database is no sandbox."""
        ...

    async def set_clock_offset(self, offset: timedelta) -> None:
        """Make the database a sandbox whose clock runs this far ahead."""
        ...

    async def move_clock_offset(self, before: timedelta, after: timedelta) -> bool:
        """Let a sandbox's clock run `after` ahead instead of `before`.

        False, and nothing changed, where it runs otherwise by now, as somebody else moved it, or where there is no sandbox.
        """
        ...

    async def users(self, user_ids: Sequence[str]) -> Mapping[str, UserRow]:
        """The rows of these users, by id, in one reading; those that never were, or were erased, are missing."""
        ...

    async def counts(self) -> Counts:
        """How much is stored."""
        ...

    async def days_without_events(self, first: int, last: int) -> Sequence[int]:
        """The days from `first` to `last` that no event has, oldest first.

        Where every day has one, only the first few events are read; else every event is, once.
        """
        ...

    async def badge_holders(self) -> Mapping[str, int]:
        """Every badge that anybody has, with how many users have it. All awards are read, while others work."""
        ...

    async def find_users(self, text: str, limit: int) -> Sequence[UserRow]:
        """Users whose id begins with the text, by id; then those whose name contains it in any case, by name, then id.

        At most `limit` in all, nobody twice, all orders by code point. No character has a meaning of its own. Which letters
        other than A to Z are the same in both cases is the engine's to know. The names of all users may be read, while others
        work.
        """
        ...

    async def sample(self, most: int) -> UserSample:
        """At most so many users, evenly chosen by a hash of their ids: the same ones while nobody comes or goes.

        All ids are read, while others work.
        """
        ...

    async def community_report(self, user_ids: Sequence[str]) -> Sequence[ReportUser]:
        """What a survey reads of each of these users, in one order for all calls; whoever is unknown is left out."""
        ...

    async def newest_adjustments(
        self, limit: int, before: tuple[datetime, str, str] | None = None
    ) -> Sequence[AdjustmentRow]:
        """The newest acts of everybody, newest first; where given, those behind the act of this moment, user and id."""
        ...

    async def maintenance_runs(self) -> Sequence[MaintenanceRun]:
        """What was last done for the database's keep, by task; what was never done is missing."""
        ...

    async def save_maintenance_run(self, note: MaintenanceRun) -> None:
        """Keep this in the place of what was noted of the same task."""
        ...

    async def add_key(self, key: KeyRow) -> None:
        """Store an API key. Raises InvalidInput where a living key has the same name."""
        ...

    async def key_name(self, key_hash: bytes) -> str | None:
        """The name of the living key with this hash; None for unknown and for revoked."""
        ...

    async def keys(self) -> Sequence[KeyRow]:
        """All keys, revoked ones too, oldest first."""
        ...

    async def revoke_key(self, name: str, at: datetime) -> bool:
        """Revoke the living key of this name, at once for every process; False where there is none."""
        ...

    async def add_session(self, user_id: str, token_hash: bytes, created_at: datetime, expires_at: datetime) -> None:
        """Store a session of an existing user, and drop the user's expired ones. Raises UserNotFound without the user."""
        ...

    async def has_session(self, user_id: str, token_hash: bytes, now: datetime) -> bool:
        """Whether this session lives at this moment."""
        ...

    async def end_session(self, user_id: str, token_hash: bytes) -> None:
        """End a session, at once for every process; harmless where it never was."""
        ...

    async def sign_out(self, session_hash: bytes, expires_at: datetime, now: datetime) -> None:
        """Keep that a session of the console was signed out, at once for every process; forget those that have expired."""
        ...

    async def is_signed_out(self, session_hash: bytes) -> bool:
        """Whether this session of the console was signed out, and would not have expired by the last time anybody did."""
        ...

    def rows(self) -> AbstractAsyncContextManager[Rows]:
        """All that is stored, as of one moment, while others write: neither waits for the other."""
        ...

    async def fill(self, batches: AsyncIterator[Batch]) -> None:
        """Write all rows of another database, in one transaction; the tallies are counted anew.

        Nothing is written where an error comes, `batches` raises, or the process ends before. Nobody else may use the database
        meanwhile; whoever writes to it waits or fails. Raises NotEmpty where it holds any row already, but for its own secrets:
        those of the other database take their place, so that whom it erased stays erased.
        """
        ...
