"""Transactions: what is loaded before a decision, what it changes, and the one method that does both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from laurels.engine.leaderboards import Board
from laurels.engine.notifications import Notification
from laurels.engine.ranking import Move, Place, Ranks
from laurels.engine.values import plain
from laurels.storage.contract.amnesties import AmnestyRow
from laurels.storage.contract.audit import AuditRow
from laurels.storage.contract.catalogs import UNBOUND, RevisionKey
from laurels.storage.contract.past import FormerState
from laurels.storage.contract.records import AdjustmentRow, AwardRow, EventRow, LedgerRow, NotificationRow, UserRow
from laurels.storage.secrets import Keyring


@plain
class LoadRequest:
    """What a transaction must load before it decides.

    users   every user it may change
    events  every event identity (user_id, id) that it may write or reverse
    rules   the catalog's fingerprint: users whose progress was made under other rules are loaded with all their events
    with_adjustments  users whose adjustments are needed
    in_full  users with everything: adjustments, all events, awards, the ledger and the standings
    zones   user -> the zones that commands set, and when: where one would change the user's zones, everything is loaded
    ranks   whether to compute the ranks of users whose place changes
    supplies  whether to load how many copies of limited badges are taken
    longest  users with more revisions than this are not loaded with everything, but named in `Loaded.long`; None: no limit
    """

    users: frozenset[str]
    events: frozenset[tuple[str, str]]
    rules: str
    with_adjustments: frozenset[str] = frozenset()
    in_full: frozenset[str] = frozenset()
    zones: Mapping[str, Sequence[tuple[str, datetime]]] = field(
        default_factory=dict[str, Sequence[tuple[str, datetime]]]
    )
    ranks: bool = True
    longest: int | None = None
    supplies: bool = False

    def is_too_long(self, user: UserRow) -> bool:
        """Whether everything of this user would be loaded, and is too long for that."""
        return self.longest is not None and user.revision > self.longest and self.needs_all_of(user)

    def needs_all_of(self, user: UserRow) -> bool:
        """Whether everything of this user is to be loaded."""
        if user.user_id in self.in_full or user.rules != self.rules:
            return True
        if not self.zones:
            return False
        zones = user.progress.zones
        return any(zones.would_change(name, at) for name, at in self.zones.get(user.user_id, ()))


@plain
class Loaded:
    """What was loaded, inside the transaction. A user or event that is missing here does not exist.

    `adjustments` are those of the users they were requested for. `histories`, `awards`, `ledgers` and `standings` (by board
    and period, without closed periods) are those of users with `needs_all_of`. `amnesty_count` changes with each amnesty that
    is created or lifted. `catalog` is the revision in force, until the transaction ends. `keyring` has the database's keys,
    from which references to users are made. `supplies` says how many copies of each limited badge are taken; on PostgreSQL,
    others may take and free some until this transaction writes.
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
    catalog: RevisionKey = UNBOUND
    keyring: Keyring = Keyring.of_secret(b"")
    long: frozenset[str] = frozenset()
    """Users whose histories were not loaded because they are too long."""

    supplies: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class Changes:
    """What a transaction writes: all of it or nothing.

    Users and adjustments replace the rows with the same key. `marked` are known events whose `reversed_by`, day, lateness
    or data changed. `revoked` are the (user, badge) of awards to delete before new ones are written. `tops` are the
    leaderboards that notify users who climb into their first ranks. `signed_out` are users whose sessions all end.
    `copies` are limited badges with how many more copies are taken (below 0: fewer), and the supply that must not be exceeded.
    `renamed` are adjustments that get another id before the others are written: user, id until now, revision and new id.
    `former` is what users were before, where their other rows do not tell. `next_notifications` has, for each user, the revision,
    position and time of a further one.
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
    renamed: list[tuple[str, str, int, str]] = field(default_factory=list[tuple[str, str, int, str]])
    marked: list[EventRow] = field(default_factory=list[EventRow])
    revoked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    erased: list[tuple[str, datetime]] = field(default_factory=list[tuple[str, datetime]])
    audit: list[AuditRow] = field(default_factory=list[AuditRow])
    signed_out: list[str] = field(default_factory=list[str])
    copies: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    former: list[FormerState] = field(default_factory=list[FormerState])

    def forget(self, user_id: str) -> None:
        """Drop all changes of this user."""
        self.awards = [row for row in self.awards if row.user_id != user_id]
        self.ledger = [row for row in self.ledger if row.user_id != user_id]
        self.notifications = [row for row in self.notifications if row.user_id != user_id]
        self.adjustments = [row for row in self.adjustments if row.user_id != user_id]
        self.renamed = [row for row in self.renamed if row[0] != user_id]
        self.revoked = [pair for pair in self.revoked if pair[0] != user_id]

    def further(self, notifications: Iterable[Notification]) -> list[NotificationRow]:
        """Rows for notifications that follow from the transaction, each user's after the user's other ones.

        A user whom the transaction does not write gets none: a placeholder of an erased user, or one whose standings were fixed.
        """
        rows: list[NotificationRow] = []
        positions: dict[str, int] = {}
        for notification in notifications:
            if notification.user_id in self.next_notifications:
                revision, first, at = self.next_notifications[notification.user_id]
                position = positions.get(notification.user_id, first)
                positions[notification.user_id] = position + 1
                rows.append(
                    NotificationRow(notification.user_id, revision, position, at, notification.type, notification.data)
                )
        return rows


Decide = Callable[[Loaded], Changes]
"""A pure function: the same loaded rows always give the same changes, so that a transaction can be repeated."""


class Transactions(Protocol):
    """Changing users."""

    async def load(self, request: LoadRequest) -> Loaded:
        """What `change` would load, from one snapshot, without locking anything and without making others wait."""
        ...

    async def change(self, request: LoadRequest, decide: Decide) -> Mapping[str, Ranks]:
        """Load, decide, save, in one transaction that is durable when this returns.

        No one else changes the requested users between loading and saving. If `decide` raises, nothing is written and its error
        is passed on. Returns the ranks of the users that moved, computed in the same transaction (for a hidden user the ranks
        they would have), which are also stored with their events. A user in `erased` is erased first: what remains is a keyed
        hash, also in the audit, and in closed periods a place without a name, so that all other users keep their ranks. Of long
        histories, rows that no one sees without the user's row are left for `erase_part`; see `erasures.py`.
        """
        ...
