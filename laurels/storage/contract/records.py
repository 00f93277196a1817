"""The records of users: the user's row, events, awards, ledger, adjustments and notifications."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Protocol

from laurels.engine.events import Event
from laurels.engine.leaderboards import Visibility
from laurels.engine.progress import Progress
from laurels.engine.ranking import Place
from laurels.engine.values import plain
from laurels.storage.contract.amnesties import AmnestyRow
from laurels.storage.contract.catalogs import UNBOUND, RevisionKey
from laurels.storage.contract.leaderboards import Standing
from laurels.storage.contract.principals import Principal


@plain
class UserRow:
    """The one row that most operations on a user read.

    `revision` counts the changes to it. `rules` is the fingerprint of the catalog, and `amnesties` the amnesty count, under
    which its progress was made. `visibility` is how the user chose to be shown on leaderboards (None: no choice). `earned` is
    when each badge was earned, in microseconds since 1970; badges that an earlier version awarded may be missing. `erase_at` is
    when the user is to be erased (None: no erasure is pending); until then no one but operators sees the user.
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
    earned: Mapping[str, int] = field(default_factory=dict[str, int])
    erase_at: datetime | None = None


class StoredUser(Protocol):
    """A user's row of which only what is asked for is decoded. Conditions read it as a `Progress`.

    `row` is all of it. `knows_board_days` is False if an earlier version stored it, without the days of leaderboards.
    """

    user_id: str
    revision: int
    rules: str
    amnesties: int
    points: int

    @property
    def row(self) -> UserRow: ...

    @property
    def knows_board_days(self) -> bool: ...


class StoredEvents(Protocol):
    """Events of several users of which only what is asked for is decoded."""

    def active(self, user_id: str, revision: int, *, recording: bool) -> Sequence[Event]:
        """The events that counted when the user had this revision, in any order; with their times of recording or without."""
        ...


@plain
class EventRow:
    """An event as recorded. `event.occurred_at` is when it counts, `sent_at` the time its sender gave (None: none).

    `outcome` is what it changed, as JSON (None: nothing). The ranks are those before and after its transaction.
    `reversed_by` is the revision that reversed it (None: it counts).
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
    """A change made to a user by hand. `undone_by` is the revision that undid it (None: it is in force).

    `actor` is what the principal said about who did it. `principal` is None if an earlier version applied it. Over HTTP,
    `address` is that of the client and `request_id` the id of the request that applied it.
    """

    user_id: str
    adjustment_id: str
    revision: int
    at: datetime
    kind: str
    data: Mapping[str, Any]
    reason: str
    actor: str
    undone_by: int | None
    principal: Principal | None = None
    address: str | None = None
    request_id: str | None = None


@plain
class AwardRow:
    """A badge that a user has. `event_id` is the event that earned it (None: no event did).

    It is the event that completed the condition in order of occurrence, and may have arrived before this revision.
    `catalog` is the number of the catalog's revision that decided it (None: before there were revisions).
    """

    user_id: str
    badge: str
    revision: int
    awarded_at: datetime
    points: int
    event_id: str | None
    catalog: int | None = None


@plain
class LedgerRow:
    """One change of a user's points. `position` orders the entries of one revision.

    `counts_at` is the time that decides in which periods of leaderboards it counts (None: in none). `catalog` is the number
    of the catalog's revision that decided it (None: before there were revisions).
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
    catalog: int | None = None


@plain
class NotificationRow:
    """A notification in the outbox, written in the same transaction as the change it reports."""

    user_id: str
    revision: int
    position: int
    at: datetime
    type: str
    data: Mapping[str, Any]


Cursor = tuple[int, int]
"""The revision and position of a notification.

A user's notifications are committed in this order: a reader who has one of them can have all earlier ones.
"""

BEGINNING: Cursor = (0, -1)
"""Before the first notification of any user."""


@plain
class ProfileView:
    """What a profile is made from, with the catalog's revision in force."""

    user: UserRow | None
    top: Sequence[Standing]
    amnesty_count: int
    catalog: RevisionKey = UNBOUND


@plain
class HistoryRows:
    """Some revisions of a user's history, each kind of row oldest first."""

    events: Sequence[EventRow] = ()
    awards: Sequence[AwardRow] = ()
    ledger: Sequence[LedgerRow] = ()
    adjustments: Sequence[AdjustmentRow] = ()


@plain
class UserSnapshot:
    """All that is stored about one user. `standings` are by board and period, without those in closed periods: `closed`.

    `catalog` is the revision in force.
    """

    user: UserRow
    events: Sequence[EventRow]
    adjustments: Sequence[AdjustmentRow]
    awards: Sequence[AwardRow]
    ledger: Sequence[LedgerRow]
    standings: Mapping[tuple[str, str], Place]
    amnesties: Sequence[AmnestyRow]
    catalog: RevisionKey = UNBOUND
    closed: Mapping[tuple[str, str], Place] = field(default_factory=dict[tuple[str, str], Place])


@plain
class UserDetails:
    """What a page about one user shows, from one snapshot.

    `rank` (None: unranked) is by points among `ranked` users. `award_events` are the events that `awards` name, by id.
    `catalog` is the catalog's revision in force.
    """

    user: UserRow
    top: Sequence[Standing]
    amnesty_count: int
    rank: int | None
    ranked: int
    awards: Sequence[AwardRow]
    award_events: Mapping[str, EventRow]
    history: HistoryRows
    catalog: RevisionKey = UNBOUND


class Records(Protocol):
    """Reading what is stored about users."""

    async def user(self, user_id: str) -> UserRow | None:
        """The user's row; None if there is none, or the user was erased."""
        ...

    async def users(self, user_ids: Sequence[str]) -> Mapping[str, UserRow]:
        """The rows of these users by id, in one read; users without a row are left out."""
        ...

    async def users_after(self, after: str, limit: int) -> Sequence[StoredUser]:
        """The rows of the next `limit` users after this id, by code point ('' begins), without making others wait.

        Of each, only what is asked for is decoded.
        """
        ...

    async def users_changed_since(self, at: datetime, limit: int, before: int) -> Sequence[str]:
        """The ids of users who were created, adjusted, or have their newest event or ledger entry, at this time or later.

        Ledger entries under the revision `before` of the catalog or a later one do not count. At most `limit`, by code point.
        Reads a few rows of each user, however many events they have, without making others wait.
        """
        ...

    async def events_of_types(self, first: str, last: str, types: Collection[str], *, data: bool) -> StoredEvents:
        """The events of these types of the users from the id `first` to `last`, without making others wait.

        Their data is read only if it is asked for.
        """
        ...

    async def user_ids(self, after: str, limit: int) -> Sequence[str]:
        """The next `limit` user ids after this one, by code point ('' begins)."""
        ...

    async def are_under_other_rules(self, rules: str) -> bool:
        """Whether the progress of any user was made under other rules than these. Reads users until it finds one."""
        ...

    async def profile_view(self, user_id: str, limit: int) -> ProfileView:
        """The user, the first `limit` lines of the points leaderboard and the amnesty count, from one snapshot."""
        ...

    async def event(self, user_id: str, event_id: str) -> EventRow | None:
        """An event as recorded; None if it was not."""
        ...

    async def awards(self, user_id: str) -> Sequence[AwardRow]:
        """The user's awards, oldest first."""
        ...

    async def history(self, user_id: str, limit: int, before: int | None = None) -> HistoryRows:
        """All rows of the newest `limit` revisions (below `before`, if given) that have a row, each kind oldest first."""
        ...

    async def user_details(self, user_id: str, lines: int, limit: int, before: int | None = None) -> UserDetails | None:
        """The user with the first `lines` lines of the points leaderboard, rank, awards and history, from one snapshot.

        `limit` and `before` mean the same as for `history`. None if there is no such user, or the user was erased.
        """
        ...

    async def newest_notification(self, user_id: str) -> Cursor:
        """The cursor of the user's newest notification; BEGINNING without any."""
        ...

    async def notifications(self, after: Mapping[str, Cursor], limit: int) -> Sequence[NotificationRow]:
        """The next notifications of these users, each after the user's own cursor: at most `limit` per user, in order.

        One round trip for any number of users. If an engine knows that nothing was written since the same request
        found nothing, it answers at almost no cost.
        """
        ...

    async def user_snapshot(self, user_id: str) -> UserSnapshot | None:
        """All that is stored about a user, from one snapshot; None if there is no such user, or the user was erased."""
        ...
